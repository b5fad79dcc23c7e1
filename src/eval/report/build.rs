//! From scores to numbers.

use std::collections::BTreeSet;

use super::ablation::ablations;
use super::{
    AtLambda, Bootstrap, DetectorReport, DetectorResult, RefitReport, Report, ReportError,
    SetFacts, SetResult, Setting,
};
use crate::bundle::manifest::Arch;
use crate::eval::scores::{Column, Features, ScoreTable, ScoredImage, SetScores};
use crate::eval::separation::{Separation, SetSeparation};
use crate::score::verdict::Rejection;

impl Report {
    /// Every number of a table of scores. Intervals are drawn for the main setting.
    ///
    /// # Errors
    /// If there is no out-of-distribution set, or one of the sets has no image.
    pub fn new(
        table: &ScoreTable,
        bootstrap: Option<Bootstrap>,
        refits: Vec<RefitReport>,
    ) -> Result<Self, ReportError> {
        if table.ood.is_empty() {
            return Err(ReportError::NoOodSet);
        }
        if let Some(empty) = table.sets().find(|set| set.images.is_empty()) {
            return Err(ReportError::Empty(empty.name.clone()));
        }
        let settings = settings(table);
        let detectors = (0..table.detectors.len())
            .map(|at| detector_report(table, at, &settings, bootstrap))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            program: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            model: table.model.clone(),
            id: SetFacts::of(table, &table.id),
            ood: table.ood.iter().map(|set| SetFacts::of(table, set)).collect(),
            warnings: warnings(table),
            ablations: ablations(table, &detectors, &refits),
            settings,
            detectors,
            refits,
            bootstrap,
        })
    }

    /// The detectors that could score at a setting with their mean AUROC, best first.
    pub fn ranking(&self, setting: usize) -> Vec<(usize, f64)> {
        let mean = |(at, detector): (usize, &DetectorReport)| {
            Some((at, detector.outcomes.get(setting)?.mean()?.auroc))
        };
        let mut ranking: Vec<_> = self.detectors.iter().enumerate().filter_map(mean).collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranking
    }
}

/// The main setting, other τ, then the whole image with and without the rule of the tags.
fn settings(table: &ScoreTable) -> Vec<Setting> {
    let mut settings = Vec::new();
    let others = table.features.iter().enumerate().filter(|(at, _)| *at != table.main);
    let ordered = table.features.get(table.main).into_iter().chain(others.map(|(_, f)| f));
    for &features in ordered {
        settings.push(Setting { features, tag_rule: true });
        // A CLIP has no rule of tags: the best name counts in any case.
        if features == Features::WholeImage && table.model.arch == Arch::Ram {
            settings.push(Setting { features, tag_rule: false });
        }
    }
    settings
}

/// The scores of a detector on a set at a setting, as metrics rank them.
///
/// # Errors
/// The reason why there are none.
pub(super) fn scores_of(
    table: &ScoreTable,
    set: &SetScores,
    detector: usize,
    setting: Setting,
) -> Result<Vec<f32>, String> {
    let at = table.features.iter().position(|features| *features == setting.features);
    let column = at.and_then(|at| set.columns.get(at)?.get(detector));
    let scores = match column {
        Some(Column::Scores(scores)) => scores,
        Some(Column::Missing(reason)) => return Err(reason.clone()),
        None => return Err("it was not computed".into()),
    };
    let rejected = table.model.recipe.hard_reject_score(&table.detectors[detector].id);
    // Objects without a tag have no score to begin with.
    let rules = setting.tag_rule && setting.features == Features::WholeImage;
    let value = |(score, image): (&Option<f32>, &ScoredImage)| match score {
        Some(score) if !(rules && image.rejected == Some(Rejection::NoKnownTag)) => *score,
        _ => rejected,
    };
    Ok(scores.iter().zip(&set.images).map(value).collect())
}

/// A detector's numbers at one setting.
///
/// # Errors
/// If a set has no image, or the number of resamples is below two.
pub fn outcome(
    table: &ScoreTable,
    detector: usize,
    setting: Setting,
    bootstrap: Option<Bootstrap>,
) -> Result<DetectorResult, ReportError> {
    let scores = |set| scores_of(table, set, detector, setting);
    let all: Result<Vec<Vec<f32>>, String> = table.sets().map(scores).collect();
    let all = match all {
        Ok(all) => all,
        Err(reason) => return Ok(DetectorResult::Missing(reason)),
    };
    let names = table.ood.iter().map(|set| set.name.as_str());
    let ood: Vec<(&str, &[f32])> = names.zip(all[1..].iter().map(Vec::as_slice)).collect();
    let separation = Separation::of(&all[0], &ood)?;
    let intervals =
        bootstrap.map(|b| separation.intervals(Some(b.resamples), b.seed)).transpose()?;
    let lambda = table.detectors[detector].lambda;
    let set = |(at, set): (usize, &SetSeparation)| SetResult {
        metrics: set.metrics,
        intervals: intervals.as_ref().and_then(|intervals| intervals.sets[at]),
        at_lambda: lambda.map(|lambda| {
            let confusion = set.ranked.counts_at(f64::from(lambda));
            AtLambda { id_kept: confusion.id_kept_rate(), ood_caught: confusion.ood_caught_rate() }
        }),
    };
    Ok(DetectorResult::Measured {
        sets: separation.sets.iter().enumerate().map(set).collect(),
        mean: separation.mean,
        mean_intervals: intervals.and_then(|intervals| intervals.mean).map(Box::new),
    })
}

fn detector_report(
    table: &ScoreTable,
    at: usize,
    settings: &[Setting],
    bootstrap: Option<Bootstrap>,
) -> Result<DetectorReport, ReportError> {
    let facts = &table.detectors[at];
    let outcomes = settings.iter().enumerate().map(|(index, setting)| {
        let bootstrap = bootstrap.filter(|_| index == 0);
        outcome(table, at, *setting, bootstrap)
    });
    Ok(DetectorReport {
        id: facts.id.clone(),
        name: facts.name.clone(),
        formula: facts.formula.clone(),
        lambda: facts.lambda,
        lambda_of_set: facts.lambda_of_set,
        outcomes: outcomes.collect::<Result<_, _>>()?,
    })
}

impl SetFacts {
    /// Counts a set of a table.
    pub fn of(table: &ScoreTable, set: &SetScores) -> Self {
        let rejected =
            |rejection| set.images.iter().filter(|image| image.rejected == Some(rejection)).count();
        let is_right = |image: &&ScoredImage| {
            let predicted = image.predicted.and_then(|class| table.model.classes.get(class));
            predicted.is_some() && predicted == image.class.as_ref()
        };
        let known = |image: &&ScoredImage| {
            image.class.as_ref().is_some_and(|class| table.model.classes.contains(class))
        };
        let labelled = set.images.iter().filter(known).count();
        let right = set.images.iter().filter(is_right).count();
        Self {
            name: set.name.clone(),
            images: set.images.len(),
            failed: set.failed.len(),
            without_id_tag: rejected(Rejection::NoKnownTag),
            nothing_kept: rejected(Rejection::NothingKept),
            accuracy: (labelled > 0).then(|| right as f64 / labelled as f64),
        }
    }
}

/// What a reader should know before the numbers.
fn warnings(table: &ScoreTable) -> Vec<String> {
    /// Below this, a percent of false positives is less than an image.
    const FEW: usize = 100;
    let mut warnings = Vec::new();
    let hashes: BTreeSet<u64> = table.id.images.iter().filter_map(|image| image.hash).collect();
    for set in &table.ood {
        let shared =
            set.images.iter().filter(|image| image.hash.is_some_and(|h| hashes.contains(&h)));
        let shared = shared.count();
        if shared > 0 {
            warnings.push(format!(
                "{shared} of the {} images of `{}` are in the in-distribution set `{}` too: its \
                 numbers mean little",
                set.images.len(),
                set.name,
                table.id.name
            ));
        }
    }
    let few: Vec<&str> =
        table.sets().filter(|set| set.images.len() < FEW).map(|set| set.name.as_str()).collect();
    if !few.is_empty() {
        warnings.push(format!(
            "fewer than {FEW} images in {}: a percent is less than one image",
            few.join(", ")
        ));
    }
    let rejected = table.id.images.iter().filter(|image| image.rejected.is_some()).count();
    if rejected * 20 > table.id.images.len() {
        warnings.push(format!(
            "{:.1} % of the images of `{}` are rejected without a score: where metrics rank them at \
             −∞, no threshold keeps 95 % of the set, and FPR95 is 100 %; λ keeps 95 % of the others",
            100.0 * rejected as f64 / table.id.images.len() as f64,
            table.id.name
        ));
    }
    for set in table.sets().filter(|set| !set.failed.is_empty()) {
        let all = set.images.len() + set.failed.len();
        warnings.push(format!(
            "{} of {all} images of `{}` cannot be read and are left out",
            set.failed.len(),
            set.name
        ));
    }
    let classes: BTreeSet<&String> =
        table.id.images.iter().filter_map(|image| image.class.as_ref()).collect();
    if let (1, Some(class)) = (classes.len(), classes.first()) {
        warnings.push(format!(
            "the in-distribution set `{}` has one class only ({class}), of the {} that the model knows",
            table.id.name,
            table.model.classes.len()
        ));
    }
    let unknown = classes.iter().filter(|class| !table.model.classes.contains(class)).count();
    if unknown > 0 {
        warnings.push(format!(
            "{unknown} of the {} classes of `{}` are not among the model's",
            classes.len(),
            table.id.name
        ));
    }
    warnings
}
