//! Detectors: from one image's features to a score, and from a score to a verdict.
