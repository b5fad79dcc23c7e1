//! The paper's ablation tables 3, 4 and 5.

use serde::{Deserialize, Serialize};

use super::{DetectorReport, DetectorResult, RefitReport};
use crate::eval::metrics::Metrics;
use crate::eval::scores::ScoreTable;

/// A table of variants of one part of the method, means over the sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// What varies.
    pub title: String,
    /// The paper's table.
    pub paper_table: usize,
    /// How the rows were made.
    pub caption: String,
    /// The variants.
    pub rows: Vec<AblationRow>,
}

/// One variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AblationRow {
    /// What it is called in the paper.
    pub name: String,
    /// The mean over the sets.
    pub mean: Option<Metrics>,
    /// Why there is none, as a sentence.
    pub missing: Option<String>,
}

impl AblationRow {
    fn new(name: &str, outcome: Option<&DetectorResult>) -> Self {
        let missing = match outcome {
            Some(DetectorResult::Measured { .. }) => None,
            Some(DetectorResult::Missing(reason)) => Some(reason.clone()),
            None => Some("it was not computed".into()),
        };
        Self {
            name: name.to_owned(),
            mean: outcome.and_then(DetectorResult::mean).copied(),
            missing,
        }
    }
}

/// Every ablation that the scores allow.
pub(super) fn ablations(
    table: &ScoreTable,
    detectors: &[DetectorReport],
    refits: &[RefitReport],
) -> Vec<Ablation> {
    let at = format!("At τ = {}, means over the sets.", table.model.tau);
    let of_detectors = |paper_table, title: &str, rows: &[(&str, &str)]| {
        let rows = rows.iter().filter_map(|(name, id)| {
            let detector = detectors.iter().find(|detector| detector.id == *id)?;
            Some(AblationRow::new(name, detector.outcomes.first()))
        });
        let rows: Vec<AblationRow> = rows.collect();
        let (title, caption) = (title.to_owned(), at.clone());
        (rows.len() > 1).then_some(Ablation { title, paper_table, caption, rows })
    };
    let mut ablations = Vec::new();
    ablations.extend(of_detectors(
        3,
        "Projector and class centers",
        &[
            ("Tag score", "tag-score"),
            ("Class means, no projector (CS)", "class-mean-cosine"),
            ("Projector (CE) + CS", "ce-cosine"),
            ("Projector (CE + MSE), learned centers + CS", "tagood-cosine"),
        ],
    ));
    ablations.extend(of_detectors(
        4,
        "Distance to the class centers",
        &[
            ("KL divergence", "tagood-kl"),
            ("Euclidean distance", "tagood-euclidean"),
            ("Cosine similarity", "tagood-cosine"),
        ],
    ));
    ablations.extend(tags(table, refits));
    ablations
}

/// One tag against many in fitting, from refitted projectors of the same τ.
fn tags(table: &ScoreTable, refits: &[RefitReport]) -> Option<Ablation> {
    let row = |name: &str, one_tag: bool| {
        let tau = table.model.tau;
        let refit = refits.iter().find(|r| r.one_tag == one_tag && r.fit_tau == tau)?;
        let outcome = refit.outcomes.iter().find(|outcome| outcome.tau == tau);
        Some(AblationRow::new(name, outcome.map(|o| &o.outcome)))
    };
    let rows = vec![row("One tag", true)?, row("Multiple tags", false)?];
    let caption = format!(
        "Projectors fitted again at τ = {} to the tokens of the image's own class's tag, and to those \
         of all its in-distribution tags; means over the sets.",
        table.model.tau
    );
    Some(Ablation { title: "Tags in fitting".into(), paper_table: 5, caption, rows })
}
