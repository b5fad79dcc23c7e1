//! What panels share: the theme, small widgets, textures.

pub mod class_colors;
mod code_font;
pub mod handle;
pub mod icon;
pub mod painter_canvas;
pub mod pictures;
pub mod plotting;
pub mod system_fonts;
pub mod theme;
pub mod widgets;
