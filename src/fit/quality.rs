//! How good a fitted model is, in words, and what to do where it is not.

use serde::{Deserialize, Serialize};

/// Below this share of the way from guessing to being always right, a model is called poor.
const POOR: f64 = 0.5;

/// What the held-out images say of a fitted model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Classes that it tells apart.
    pub classes: usize,
    /// Share of the held-out images whose class it tells rightly, 0 to 1; `None` where none was held
    /// out.
    pub accuracy: Option<f64>,
}

impl Quality {
    /// The accuracy of guessing, with as many images of each class.
    pub fn chance(&self) -> f64 {
        1.0 / self.classes.max(1) as f64
    }

    /// Whether it tells classes apart so badly that its scores mean little.
    pub fn is_poor(&self) -> bool {
        let chance = self.chance();
        self.accuracy.is_some_and(|accuracy| accuracy - chance < POOR * (1.0 - chance))
    }

    /// How good it is, and what to do where it is poor.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        match self.accuracy {
            None => "No image was held out, so nothing says how good the model is.".into(),
            Some(accuracy) if self.is_poor() => format!(
                "The model is poor: it tells the class of {} of the held-out images, where guessing \
                 tells {}. Look whether each class\u{2019}s tag stands for its objects, add images, \
                 or train for more epochs.",
                percent(accuracy),
                percent(self.chance())
            ),
            Some(accuracy) => {
                format!("It tells the class of {} of the held-out images.", percent(accuracy))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_held_against_guessing() {
        let quality = |classes, accuracy| Quality { classes, accuracy: Some(accuracy) };
        assert!(quality(3, 0.22).is_poor() && quality(2, 0.7).is_poor());
        assert!(!quality(3, 0.7).is_poor() && !quality(100, 0.55).is_poor());
        let told = quality(3, 0.22).sentence();
        assert!(told.contains("22.0 %") && told.contains("guessing tells 33.3 %"), "{told}");
        let unknown = Quality { classes: 3, accuracy: None };
        assert!(!unknown.is_poor() && unknown.sentence().starts_with("No image was held out"));
    }
}
