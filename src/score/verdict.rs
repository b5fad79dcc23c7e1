//! From a score to in- or out-of-distribution, with the reason.

use std::fmt;

use serde::{Deserialize, Serialize};

/// On which side of λ an image lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// In-distribution: the score reaches λ.
    Id,
    /// Out-of-distribution: the score falls short of λ, or the image was rejected.
    Ood,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Ood => "ood",
        })
    }
}

/// Why an image is out-of-distribution before any score (paper, section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// No in-distribution tag counts for it.
    NoKnownTag,
    /// Tags count, but no token lies above τ.
    NothingKept,
}

impl Rejection {
    /// The code in files.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoKnownTag => "no-known-tag",
            Self::NothingKept => "nothing-kept",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One image's score under one detector, or the lack of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The detector's score, higher = more in-distribution; `None` where the image is rejected.
    pub value: Option<f32>,
    /// Why it has none.
    pub rejected: Option<Rejection>,
    /// What metrics rank it by: the score, or what stands for a rejection, mostly −∞.
    pub ranked: f32,
}

impl Score {
    /// The score of an image that was not rejected.
    pub fn of(value: f32) -> Self {
        Self { value: Some(value), rejected: None, ranked: value }
    }

    /// A rejection, with what metrics rank it by.
    pub fn rejected(rejection: Rejection, ranked: f32) -> Self {
        Self { value: None, rejected: Some(rejection), ranked }
    }

    /// The decision by a threshold: in-distribution at or above it, as metrics count. A rejected image
    /// is out-of-distribution, but where metrics rank it by a number that the threshold does not
    /// exceed. `None` for a score without a threshold; NaN is none.
    pub fn outcome(self, lambda: Option<f32>) -> Option<Outcome> {
        let lambda = lambda.filter(|lambda| !lambda.is_nan());
        let is_kept = |limit: f32| self.ranked.is_finite() && self.ranked >= limit;
        match (self.value, lambda) {
            (Some(_), None) => None,
            (None, None) => Some(Outcome::Ood),
            (_, Some(limit)) if is_kept(limit) => Some(Outcome::Id),
            _ => Some(Outcome::Ood),
        }
    }
}

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// No in-distribution tag counts (paper, section 3.5: out-of-distribution directly).
    NoIdTag {
        /// The best in-distribution tag with its probability and threshold.
        best: Option<(String, f32, f32)>,
    },
    /// Tags count, but no token lies above τ.
    NothingKept {
        /// τ.
        tau: f32,
    },
    /// The score reaches λ.
    Above(Seen),
    /// The score lies below λ.
    Below(Seen),
    /// There is no λ for this detector, so there is a score and no decision.
    NoLambda(Seen),
    /// The model has no projector and nothing is known, so there are tags and maps alone.
    NoProjector,
    /// Nothing is named as known to a CLIP.
    NoNames,
}

/// What was seen in an image that has a score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The tags that count.
    pub tags: Vec<String>,
    /// The nearest class.
    pub nearest: Option<String>,
    /// What a CLIP says of the name that is nearest, in place of tags and class.
    pub name: Option<SeenName>,
}

/// The name that is nearest to an image.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenName {
    /// The name.
    pub name: String,
    /// The cosine with it, −1 to 1.
    pub similarity: f32,
    /// The no side's probability that the image does not show it, 0 to 1; of a CLIPN.
    pub denied: Option<f32>,
}

/// A score with its decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The decision; `None` where the model cannot make one.
    pub outcome: Option<Outcome>,
    /// The detector's score, higher = more in-distribution; `None` where the image is rejected, or
    /// the model has none to give.
    pub score: Option<f32>,
    /// Why the image is out-of-distribution without a score.
    pub rejected: Option<Rejection>,
    /// What metrics rank the image by; `None` where the model has no score to give.
    pub ranked: Option<f32>,
    /// The threshold in force.
    pub lambda: Option<f32>,
    /// The image's own threshold, in force where there is no other: that of the tag that speaks for it,
    /// where a model judges by tags alone.
    pub own_lambda: Option<f32>,
    /// Why.
    pub reason: Reason,
}

impl Verdict {
    /// Decides what has a score by a threshold.
    pub fn by_threshold(
        score: f32,
        lambda: Option<f32>,
        tags: Vec<String>,
        nearest: Option<String>,
    ) -> Self {
        Self::by_seen(score, (lambda, None), Seen { tags, nearest, name: None })
    }

    /// Decides what has a score by a threshold, or without one by the image's own.
    pub fn by_seen(
        score: f32,
        (lambda, own_lambda): (Option<f32>, Option<f32>),
        seen: Seen,
    ) -> Self {
        let mut verdict = Self::of(Score::of(score), None, Reason::NoLambda(seen));
        verdict.own_lambda = own_lambda;
        verdict.decide(lambda);
        verdict
    }

    /// Decides about what is rejected.
    pub fn rejected(
        rejection: Rejection,
        ranked: f32,
        lambda: Option<f32>,
        reason: Reason,
    ) -> Self {
        Self::of(Score::rejected(rejection, ranked), lambda, reason)
    }

    fn of(score: Score, lambda: Option<f32>, reason: Reason) -> Self {
        let Score { value, rejected, ranked } = score;
        let ranked = Some(ranked);
        let mut verdict =
            Self { score: value, rejected, ranked, reason, ..Self::without_projector() };
        verdict.decide(lambda);
        verdict
    }

    /// No decision, as the model has no projector and nothing is known.
    pub fn without_projector() -> Self {
        Self {
            outcome: None,
            score: None,
            rejected: None,
            ranked: None,
            lambda: None,
            own_lambda: None,
            reason: Reason::NoProjector,
        }
    }

    /// No decision, as nothing is named as known.
    pub fn without_names() -> Self {
        Self { reason: Reason::NoNames, ..Self::without_projector() }
    }

    /// Decides anew by another threshold.
    pub fn decide(&mut self, lambda: Option<f32>) {
        let Some(score) = self.as_score() else { return };
        let lambda = lambda.or(self.own_lambda);
        self.lambda = lambda;
        self.outcome = score.outcome(lambda);
        let seen = match &mut self.reason {
            Reason::Above(seen) | Reason::Below(seen) | Reason::NoLambda(seen) => {
                std::mem::take(seen)
            }
            Reason::NoIdTag { .. }
            | Reason::NothingKept { .. }
            | Reason::NoProjector
            | Reason::NoNames => return,
        };
        self.reason = match self.outcome {
            Some(Outcome::Id) => Reason::Above(seen),
            Some(Outcome::Ood) => Reason::Below(seen),
            None => Reason::NoLambda(seen),
        };
    }

    /// The score, or the lack of one, by itself; `None` where the model has none to give.
    pub fn as_score(&self) -> Option<Score> {
        Some(Score { value: self.score, rejected: self.rejected, ranked: self.ranked? })
    }

    /// How far the score lies above λ; negative below it.
    pub fn margin(&self) -> Option<f32> {
        Some(self.score? - self.lambda?)
    }
}

/// Tags that a reason names.
const NAMED: usize = 4;

impl Seen {
    /// What was seen, and how that joins a sentence on the score.
    fn said(&self) -> (String, &'static str) {
        if let Some(SeenName { name, similarity, denied }) = &self.name {
            let denied = denied.map_or(String::new(), |denied| {
                format!("; the no side says {denied:.2} it is not")
            });
            return (format!("nearest: {name} {similarity:.2}{denied}"), ";");
        }
        match &self.tags[..] {
            [] => ("no in-distribution object seen".to_owned(), ", and"),
            tags if tags.len() <= NAMED + 1 => (format!("saw {}", tags.join(", ")), ", but"),
            tags => {
                let more = tags.len() - NAMED;
                (format!("saw {} and {more} more", tags[..NAMED].join(", ")), ", but")
            }
        }
    }

    fn class(&self) -> String {
        match (&self.nearest, &self.name) {
            (Some(class), None) => format!("; nearest class: {class}"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIdTag { best: Some((name, probability, threshold)) } => write!(
                f,
                "no in-distribution object seen: the best candidate, {name}, has probability \
                 {probability:.2}, its threshold is {threshold:.2}"
            ),
            Self::NoIdTag { best: None } => f.write_str("the model has no in-distribution tags"),
            Self::NothingKept { tau } => write!(f, "no image token lies above τ = {tau:.2}"),
            Self::Above(seen) => {
                let (said, _) = seen.said();
                let and = if seen.name.is_some() { ";" } else { ", and" };
                write!(f, "{said}{and} the score reaches λ{}", seen.class())
            }
            Self::Below(seen) => {
                let (said, but) = seen.said();
                write!(f, "{said}{but} the score falls short of λ{}", seen.class())
            }
            Self::NoLambda(seen) => {
                if seen.name.is_some() {
                    write!(f, "{}; ", seen.said().0)?;
                }
                f.write_str(
                    "there is no threshold λ for this detector: images of what is known would set \
                     one (an ID set, or `fit`), or a λ of your own",
                )
            }
            Self::NoProjector => {
                f.write_str("the model has no projector: tags and maps, but no verdict")
            }
            Self::NoNames => f.write_str("nothing is named as known: features, but no verdict"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rejected_stays_so_unless_its_rank_counts() {
        let reason = || Reason::NothingKept { tau: 0.5 };
        let rejected =
            |ranked| Verdict::rejected(Rejection::NothingKept, ranked, Some(0.3), reason());
        let (mut paper, mut released) = (rejected(f32::NEG_INFINITY), rejected(0.0));
        for verdict in [&paper, &released] {
            assert_eq!((verdict.outcome, verdict.score), (Some(Outcome::Ood), None));
        }
        for (lambda, expected) in [(-2.0, Outcome::Id), (0.0, Outcome::Id), (0.1, Outcome::Ood)] {
            paper.decide(Some(lambda));
            released.decide(Some(lambda));
            assert_eq!(paper.outcome, Some(Outcome::Ood));
            // As the metrics count: 0 is kept where λ does not exceed it.
            assert_eq!(released.outcome, Some(expected));
        }
        paper.decide(None);
        assert_eq!(paper.outcome, Some(Outcome::Ood), "without λ, too");
    }

    #[test]
    fn a_score_decides_at_its_threshold_and_never_at_nan() {
        let mut verdict = Verdict::by_threshold(0.5, Some(0.5), vec!["fish".into()], None);
        assert_eq!(verdict.outcome, Some(Outcome::Id));
        verdict.decide(Some(0.6));
        assert!(matches!(&verdict.reason, Reason::Below(seen) if seen.tags == ["fish"]));
        verdict.decide(Some(f32::NAN));
        assert_eq!((verdict.outcome, verdict.score), (None, Some(0.5)));
    }
}
