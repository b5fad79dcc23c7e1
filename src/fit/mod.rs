//! Fitting: vocabulary, projector, class centers, detector statistics, λ.

pub mod asymmetric;
pub mod centers;
pub mod checkpoint;
pub mod clip;
pub mod clipn;
pub mod config;
mod error;
pub mod lambda;
pub mod message;
pub mod objects;
pub mod optimizer;
pub mod quality;
pub mod stages;
pub mod train;
pub mod trainer;
pub mod vocabulary;

pub use error::FitError;

#[cfg(test)]
mod tests;
