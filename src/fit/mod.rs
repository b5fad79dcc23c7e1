//! Fitting: vocabulary, projector, class centers, detector statistics, λ.
