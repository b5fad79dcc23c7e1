//! One file a detector, and the list of them.

mod ash_s;
mod ce_cosine;
mod class_mean_cosine;
pub mod clipn;
mod dice;
mod energy;
mod feature_norm;
mod gen_entropy;
pub mod gl_mcm;
mod gradnorm;
mod klm;
mod knn;
mod lhact;
mod locoop;
mod max_logit;
pub mod mcm;
mod mds;
mod msp;
pub mod neg_label;
mod nnguide;
pub mod odin;
mod react;
mod rmds;
mod scale;
mod shaped_energy;
mod she;
mod tag_score;
mod tagood_cosine;
mod tagood_euclidean;
mod tagood_kl;
mod tagood_released;
mod vim;

use super::{Detector, ScoreError};

/// Every detector, in the order of tables and menus: the paper's own and its ablations, those of the
/// logits, those that change the feature, those of the feature's surroundings, those of a CLIP's names.
static ALL: &[&dyn Detector] = &[
    &tagood_cosine::TagoodCosine,
    &tagood_released::TagoodReleased,
    &tagood_euclidean::TagoodEuclidean,
    &tagood_kl::TagoodKl,
    &tag_score::TagScore,
    &class_mean_cosine::ClassMeanCosine,
    &ce_cosine::CeCosine,
    &msp::Msp,
    &max_logit::MaxLogit,
    &energy::Energy,
    &odin::Odin,
    &gen_entropy::Gen,
    &gradnorm::GradNorm,
    &klm::KlMatching,
    &react::React,
    &ash_s::AshS,
    &scale::Scale,
    &lhact::LhAct,
    &dice::Dice,
    &feature_norm::FeatureNorm,
    &knn::Knn,
    &nnguide::NnGuide,
    &mds::MDS,
    &mds::MDS_PLUS_PLUS,
    &rmds::RMDS,
    &rmds::RMDS_PLUS_PLUS,
    &vim::Vim,
    &she::She,
    &mcm::Mcm,
    &gl_mcm::L_MCM,
    &gl_mcm::GL_MCM,
    &gl_mcm::GL_MCM_HALF,
    &clipn::CLIPN_CTW,
    &clipn::CLIPN_ATD,
    &clipn::CLIPN_ATD_DECISION,
    &neg_label::NegLabel,
    &locoop::LOCOOP_MCM,
    &locoop::LOCOOP_GL_MCM,
];

/// Every detector, in the order of tables and menus.
pub fn all() -> &'static [&'static dyn Detector] {
    ALL
}

/// The detector with this [`id`](super::Info::id).
///
/// # Errors
///
/// There is none; the error lists those there are.
pub fn by_name(name: &str) -> Result<&'static dyn Detector, ScoreError> {
    ALL.iter().copied().find(|detector| detector.info().id == name).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|detector| detector.info().id).collect();
        ScoreError::UnknownDetector { name: name.to_owned(), known: known.join(", ") }
    })
}
