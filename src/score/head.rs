use super::{Input, ScoreError, distance::Centers, matrix::products};

/// What the projector ends in: the linear classifier and the learned class centers.
#[derive(Debug)]
pub struct Head {
    weight: Vec<f32>,
    bias: Vec<f32>,
    centers: Centers,
    /// What a CLIP tells beside class logits; nothing for a tagger.
    names: Vec<Input>,
}

impl Head {
    /// Joins classifier and centers.
    ///
    /// # Shapes
    ///
    /// - `weight`: `[C, D]`, row-major
    /// - `bias`: `[C]`
    /// - `centers`: `[C, G, D/G]`
    ///
    /// # Errors
    ///
    /// The shapes do not fit together, or a value is not finite.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, centers: Centers) -> Result<Self, ScoreError> {
        let (classes, width) = (centers.classes(), centers.width());
        check("classifier.weight", &weight, &[classes, width])?;
        check("classifier.bias", &bias, &[classes])?;
        Ok(Self { weight, bias, centers, names: Vec::new() })
    }

    /// The head of a CLIP, whose samples have these of [`NameCosines`](super::NameCosines).
    #[must_use]
    pub fn with_names(mut self, inputs: &[Input]) -> Self {
        self.names = inputs.to_vec();
        self
    }

    /// Whether samples of this model have an input, as far as the kind of model decides that.
    pub(super) fn offers(&self, input: Input) -> bool {
        !input.is_of_names() || self.names.contains(&input)
    }

    /// A head of one class that stands where no detector reads it: of a model without classifier.
    pub(crate) fn unused() -> Self {
        Self { weight: vec![0.0], bias: vec![0.0], centers: Centers::zero(), names: Vec::new() }
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// Width D of the feature.
    pub fn width(&self) -> usize {
        self.centers.width()
    }

    /// Classifier weight `[C, D]`.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// Classifier bias `[C]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// The learned class centers.
    pub fn centers(&self) -> &Centers {
        &self.centers
    }

    /// Class logits `[n, C]` of features `[n, D]`, with another weight `[C, D]` in place of the
    /// classifier's own (DICE); the bias stays.
    pub(super) fn logits_with(&self, weight: &[f32], features: &[f32]) -> Vec<f32> {
        let mut logits = products(features, weight, self.width());
        for row in logits.chunks_exact_mut(self.classes()) {
            row.iter_mut().zip(&self.bias).for_each(|(logit, bias)| *logit += bias);
        }
        logits
    }
}

/// Checks the number of values and that they are finite.
pub(super) fn check(name: &str, data: &[f32], shape: &[usize]) -> Result<(), ScoreError> {
    if shape.iter().product::<usize>() != data.len() {
        let (expected, found) = (shape.to_vec(), vec![data.len()]);
        return Err(ScoreError::Shape { name: name.to_owned(), expected, found });
    }
    if data.iter().all(|v| v.is_finite()) {
        Ok(())
    } else {
        Err(ScoreError::TensorNotFinite { name: name.to_owned() })
    }
}
