//! Fitting: vocabulary, projector, class centers, detector statistics, λ.

pub mod asymmetric;
pub mod centers;
pub mod checkpoint;
pub mod config;
mod error;
pub mod objects;
pub mod optimizer;
pub mod train;
pub mod trainer;

pub use error::FitError;

#[cfg(test)]
mod tests;
