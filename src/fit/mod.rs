//! Fitting: vocabulary, projector, class centers, detector statistics, λ.

pub mod asymmetric;
pub mod checkpoint;
pub mod optimizer;
