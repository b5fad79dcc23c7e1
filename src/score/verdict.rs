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
        let Some(limit) = lambda else {
            let reason = Reason::NoLambda { tags, nearest };
            return Self { outcome: None, score: Some(score), lambda, reason };
        };
        let (outcome, reason) = match score >= limit {
            true => (Outcome::Id, Reason::Above { tags, nearest }),
            false => (Outcome::Ood, Reason::Below { tags, nearest }),
        };
        Self { outcome: Some(outcome), score: Some(score), lambda, reason }
    }

    /// Decides anew by another threshold; what is decided without a score stays.
    pub fn decide(&mut self, lambda: Option<f32>) {
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

    /// The score as metrics rank it: −∞ for what is out-of-distribution outright, whatever λ is;
    /// `None` where the model can tell neither.
    pub fn ranked_score(&self) -> Option<f32> {
        match self.reason {
            Reason::NoIdTag { .. } | Reason::NothingKept { .. } => Some(f32::NEG_INFINITY),
            _ => self.score,
        }
    }

    /// How far the score lies above λ; negative below it.
    pub fn margin(&self) -> Option<f32> {
        Some(self.score? - self.lambda?)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = |tags: &[String]| match tags {
            [] => "no in-distribution object seen".to_owned(),
            tags => format!("saw {}", tags.join(", ")),
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
