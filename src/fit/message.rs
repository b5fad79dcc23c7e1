//! What `fit --messages` tells the program that started it: one JSON object a line on standard output.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::quality::Quality;
use super::train::EpochLog;
use super::vocabulary::ProposedClass;

/// Which of the two projectors is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainedProjector {
    /// With the recipe's loss.
    Main,
    /// With cross-entropy alone, for the detector `ce-cosine`.
    CrossEntropy,
}

/// What happened in a fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum FitMessage {
    /// Images are being tagged.
    Tagging {
        /// Images that were tagged or cannot be read.
        done: usize,
        /// All images.
        total: usize,
        /// Images that cannot be read.
        failed: usize,
    },
    /// A tag was found for each class.
    Proposed {
        /// The classes, in the order of the set.
        classes: Vec<ProposedClass>,
    },
    /// The tokens to train on are being chosen.
    Decomposing {
        /// Images done.
        done: usize,
        /// All images.
        total: usize,
    },
    /// An epoch has ended, in this run or before it was resumed.
    Epoch {
        /// Of which training.
        projector: TrainedProjector,
        /// Its numbers.
        log: EpochLog,
    },
    /// The bundle was written.
    Written {
        /// Its folder.
        bundle: PathBuf,
        /// Images it was fitted to.
        images: usize,
        /// Images held out, by which λ was chosen.
        held_out: usize,
        /// Images that could not be read and were left out.
        failed: usize,
        /// What the held-out images say of it; `None` of a CLIP, whose held-out images set λ alone.
        quality: Option<Quality>,
    },
    /// There will be no bundle.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
}

impl FitMessage {
    /// The message as a line, without its end.
    pub fn to_line(&self) -> String {
        // Strings and finite or infinite numbers always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// If it is no message.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::vocabulary::SeenTag;

    #[test]
    fn messages_are_lines_and_come_back() {
        let log = EpochLog {
            epoch: 3,
            epochs: 10,
            loss: 0.5,
            cross_entropy: 0.4,
            center: 0.1,
            accuracy: 0.75,
            validation_accuracy: 0.5,
            validation_score: 0.25,
            lr: 0.01,
            seconds: 1.5,
        };
        let seen = SeenTag { name: "line\nbreak".into(), images: 3, elsewhere: 1 };
        let class = ProposedClass { name: "cat".into(), images: 4, tags: vec![seen] };
        let quality = Quality { classes: 3, accuracy: Some(0.5) };
        let messages = [
            FitMessage::Tagging { done: 1, total: 2, failed: 0 },
            FitMessage::Proposed { classes: vec![class] },
            FitMessage::Epoch { projector: TrainedProjector::CrossEntropy, log },
            FitMessage::Written {
                bundle: "a/b".into(),
                images: 5,
                held_out: 1,
                failed: 2,
                quality: Some(quality),
            },
            FitMessage::Failed { reason: "no".into() },
        ];
        for message in messages {
            let line = message.to_line();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(FitMessage::from_line(&line).unwrap(), message);
        }
        assert!(FitMessage::from_line("3 images").is_err());
    }
}
