//! From a score to in- or out-of-distribution, with the reason.

use std::fmt;

use serde::Serialize;

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// In-distribution.
    Id,
    /// Out-of-distribution.
    Ood,
}

impl Outcome {
    /// The decision on a score as metrics rank it: in-distribution at or above λ, as the metrics count.
    /// −∞, which stands for what is rejected outright, needs no λ.
    pub fn of_ranked(ranked: f32, lambda: Option<f32>) -> Option<Self> {
        match lambda {
            _ if ranked == f32::NEG_INFINITY => Some(Self::Ood),
            Some(lambda) if ranked >= lambda => Some(Self::Id),
            Some(_) => Some(Self::Ood),
            None => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Ood => "ood",
        })
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
    /// The detector's score, higher = more in-distribution.
    pub score: Option<f32>,
    /// The score as metrics rank it; `None` where the model can tell none. What is
    /// out-of-distribution outright has one that is not of its feature, mostly −∞.
    pub ranked: Option<f32>,
    /// The threshold in force.
    pub lambda: Option<f32>,
    /// Why.
    pub reason: Reason,
}

impl Verdict {
    /// Decides by a threshold: in-distribution at or above it, as the metrics count.
    pub fn by_threshold(
        score: f32,
        lambda: Option<f32>,
        tags: Vec<String>,
        nearest: Option<String>,
    ) -> Self {
        let outcome = Outcome::of_ranked(score, lambda);
        let reason = match outcome {
            _ if lambda.is_none() => Reason::NoLambda { tags, nearest },
            Some(Outcome::Id) => Reason::Above { tags, nearest },
            _ => Reason::Below { tags, nearest },
        };
        Self { outcome, score: Some(score), ranked: Some(score), lambda, reason }
    }

    /// Decides what has no tag or no token: out-of-distribution, but where metrics rank it by a score
    /// that the threshold does not exceed.
    pub fn hard_rejected(
        score: Option<f32>,
        ranked: f32,
        lambda: Option<f32>,
        reason: Reason,
    ) -> Self {
        let outcome = Some(outright_outcome(ranked, lambda));
        Self { outcome, score, ranked: Some(ranked), lambda, reason }
    }

    /// Decides anew by another threshold.
    pub fn decide(&mut self, lambda: Option<f32>) {
        if let (Reason::NoIdTag { .. } | Reason::NothingKept { .. }, Some(ranked)) =
            (&self.reason, self.ranked)
        {
            self.outcome = Some(outright_outcome(ranked, lambda));
        }
        self.lambda = lambda;
        let Some(score) = self.score else { return };
        let (tags, nearest) = match &mut self.reason {
            Reason::Above { tags, nearest }
            | Reason::Below { tags, nearest }
            | Reason::NoLambda { tags, nearest } => (std::mem::take(tags), nearest.take()),
            Reason::NoIdTag { .. } | Reason::NothingKept { .. } | Reason::NoProjector => return,
        };
        *self = Self::by_threshold(score, lambda, tags, nearest);
    }

    /// How far the score lies above λ; negative below it.
    pub fn margin(&self) -> Option<f32> {
        Some(self.score? - self.lambda?)
    }
}

fn outright_outcome(ranked: f32, lambda: Option<f32>) -> Outcome {
    Outcome::of_ranked(ranked, lambda).unwrap_or(Outcome::Ood)
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
    fn what_is_rejected_outright_stays_so_unless_its_score_counts() {
        let reason = || Reason::NothingKept { tau: 0.5 };
        let mut paper = Verdict::hard_rejected(Some(-1.0), f32::NEG_INFINITY, Some(0.3), reason());
        let mut released = Verdict::hard_rejected(Some(0.0), 0.0, Some(0.3), reason());
        assert_eq!(paper.outcome, Some(Outcome::Ood));
        assert_eq!(released.outcome, Some(Outcome::Ood));
        for (lambda, expected) in [(-2.0, Outcome::Id), (0.0, Outcome::Id), (0.1, Outcome::Ood)] {
            paper.decide(Some(lambda));
            released.decide(Some(lambda));
            assert_eq!(paper.outcome, Some(Outcome::Ood));
            // As the metrics count: 0 is kept where λ does not exceed it.
            assert_eq!(released.outcome, Some(expected));
        }
    }
}
