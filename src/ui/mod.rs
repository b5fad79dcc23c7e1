//! What panels share: the theme, small widgets, textures.

pub mod handle;
pub mod icon;
pub mod pictures;
pub mod theme;
pub mod widgets;
