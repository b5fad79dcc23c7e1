//! The procedural world: scenes whose truth is known.
