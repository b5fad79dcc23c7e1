//! The engine behind every figure: what the window exports, as SVG or PNG, and the plots in the
//! report's page.
//!
//! A `Figure` is charts with their marks in the units of the data; it draws itself on any `Canvas`:
//! here on SVG, in the window on egui's painter. Colours are named by what they mean and get their
//! values from one palette, the window's own.

pub mod canvas;
pub mod chart;
pub mod palette;
pub mod plots;
mod svg;
#[cfg(test)]
mod tests;

pub use svg::{Svg, escape};
