use super::Input;

/// What can go wrong between a training set and a score.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ScoreError {
    /// No detector has this name.
    #[error("there is no detector `{name}`; known are {known}")]
    UnknownDetector { name: String, known: String },
    /// A sample or a training set lacks something that the detector reads.
    #[error("detector `{detector}` needs {input}, which is not there")]
    MissingInput { detector: &'static str, input: Input },
    /// An input of a sample has the wrong number of values.
    #[error("detector `{detector}` expects {expected} values of {input}, found {found}")]
    InputLength { detector: &'static str, input: Input, expected: usize, found: usize },
    /// An input of a sample holds NaN or an infinity.
    #[error("detector `{detector}`: {input} holds a value that is not finite")]
    NotFinite { detector: &'static str, input: Input },
    /// The statistics were fitted without this one.
    #[error("detector statistic `{name}` is missing: fit the bundle again with this detector")]
    MissingStatistic { name: String },
    /// A tensor has another shape than the rest of the model calls for; 0 stands for any length.
    #[error("`{name}` has shape {found:?}, expected {expected:?} (0: any)")]
    Shape { name: String, expected: Vec<usize>, found: Vec<usize> },
    /// A tensor holds NaN or an infinity.
    #[error("`{name}` holds a value that is not finite")]
    TensorNotFinite { name: String },
    /// A training label is not a class.
    #[error("training sample {row} has label {label}, but there are {classes} classes")]
    Label { row: usize, label: usize, classes: usize },
    /// Nothing to fit on.
    #[error("the training set has no samples to fit {what} on")]
    NoSamples { what: &'static str },
    /// A matrix decomposition did not converge.
    #[error("the decomposition of {what} did not converge")]
    Decomposition { what: &'static str },
    /// The bytes are not a safetensors file.
    #[error("detector statistics cannot be read or written as safetensors: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// A tensor is stored in another type than `f32`.
    #[error("detector statistic `{name}` is stored as {dtype}, expected F32")]
    Dtype { name: String, dtype: String },
}
