//! From a score to in- or out-of-distribution, with the reason.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// In-distribution.
    Id,
    /// Out-of-distribution.
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
    /// A score.
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
    Above {
        /// The tags that count.
        tags: Vec<String>,
        /// The nearest class.
        nearest: Option<String>,
    },
    /// The score lies below λ.
    Below {
        /// The tags that count.
        tags: Vec<String>,
        /// The nearest class.
        nearest: Option<String>,
    },
    /// The model has no λ for this detector, so there is a score and no decision.
    NoLambda {
        /// The tags that count.
        tags: Vec<String>,
        /// The nearest class.
        nearest: Option<String>,
    },
    /// The model has no projector, so there are tags and maps alone.
    NoProjector,
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
        Self::of(Score::of(score), lambda, Reason::NoLambda { tags, nearest })
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
            Self { outcome: None, score: value, rejected, ranked, lambda: None, reason };
        verdict.decide(lambda);
        verdict
    }

    /// No decision, as the model has no projector.
    pub fn without_projector() -> Self {
        Self {
            outcome: None,
            score: None,
            rejected: None,
            ranked: None,
            lambda: None,
            reason: Reason::NoProjector,
        }
    }

    /// Decides anew by another threshold.
    pub fn decide(&mut self, lambda: Option<f32>) {
        let Some(score) = self.as_score() else { return };
        self.lambda = lambda;
        self.outcome = score.outcome(lambda);
        let (tags, nearest) = match &mut self.reason {
            Reason::Above { tags, nearest }
            | Reason::Below { tags, nearest }
            | Reason::NoLambda { tags, nearest } => (std::mem::take(tags), nearest.take()),
            Reason::NoIdTag { .. } | Reason::NothingKept { .. } | Reason::NoProjector => return,
        };
        self.reason = match self.outcome {
            Some(Outcome::Id) => Reason::Above { tags, nearest },
            Some(Outcome::Ood) => Reason::Below { tags, nearest },
            None => Reason::NoLambda { tags, nearest },
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = |tags: &[String]| match tags {
            [] => "no in-distribution object seen".to_owned(),
            tags if tags.len() <= NAMED + 1 => format!("saw {}", tags.join(", ")),
            tags => {
                let more = tags.len() - NAMED;
                format!("saw {} and {more} more", tags[..NAMED].join(", "))
            }
        };
        let near = |nearest: &Option<String>| match nearest {
            Some(class) => format!("; nearest class: {class}"),
            None => String::new(),
        };
        match self {
            Self::NoIdTag { best: Some((name, probability, threshold)) } => write!(
                f,
                "no in-distribution object seen: the best candidate, {name}, has probability \
                 {probability:.2}, its threshold is {threshold:.2}"
            ),
            Self::NoIdTag { best: None } => f.write_str("the model has no in-distribution tags"),
            Self::NothingKept { tau } => write!(f, "no image token lies above τ = {tau:.2}"),
            Self::Above { tags, nearest } => {
                write!(f, "{}, and the score reaches λ{}", seen(tags), near(nearest))
            }
            Self::Below { tags, nearest } => {
                write!(f, "{}, but the score falls short of λ{}", seen(tags), near(nearest))
            }
            Self::NoLambda { .. } => f.write_str("the model has no threshold λ for this detector"),
            Self::NoProjector => {
                f.write_str("the model has no projector: tags and maps, but no verdict")
            }
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
        assert!(matches!(&verdict.reason, Reason::Below { tags, .. } if tags == &["fish"]));
        verdict.decide(Some(f32::NAN));
        assert_eq!((verdict.outcome, verdict.score), (None, Some(0.5)));
    }
}
