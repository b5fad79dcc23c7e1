//! Colours of classes: eighteen for each theme, as far apart as so many can be for readers with normal
//! and with colour-blind eyes (`scripts/class_colors.py`). Names and shapes tell classes apart, too:
//! eighteen colours alone never suffice.

use eframe::egui::{Color32, Theme};

const DARK: [Color32; 18] = [
    Color32::from_rgb(212, 255, 20),
    Color32::from_rgb(161, 3, 251),
    Color32::from_rgb(60, 135, 89),
    Color32::from_rgb(210, 196, 249),
    Color32::from_rgb(156, 190, 1),
    Color32::from_rgb(252, 2, 110),
    Color32::from_rgb(144, 126, 249),
    Color32::from_rgb(161, 254, 246),
    Color32::from_rgb(19, 183, 253),
    Color32::from_rgb(1, 244, 158),
    Color32::from_rgb(191, 135, 24),
    Color32::from_rgb(182, 108, 146),
    Color32::from_rgb(244, 132, 215),
    Color32::from_rgb(27, 132, 195),
    Color32::from_rgb(50, 189, 157),
    Color32::from_rgb(248, 207, 96),
    Color32::from_rgb(202, 58, 14),
    Color32::from_rgb(254, 9, 206),
];

const LIGHT: [Color32; 18] = [
    Color32::from_rgb(10, 23, 177),
    Color32::from_rgb(205, 174, 48),
    Color32::from_rgb(252, 67, 239),
    Color32::from_rgb(116, 18, 1),
    Color32::from_rgb(46, 141, 148),
    Color32::from_rgb(166, 31, 122),
    Color32::from_rgb(145, 89, 1),
    Color32::from_rgb(202, 154, 198),
    Color32::from_rgb(86, 34, 108),
    Color32::from_rgb(24, 159, 39),
    Color32::from_rgb(6, 91, 84),
    Color32::from_rgb(26, 154, 254),
    Color32::from_rgb(54, 207, 141),
    Color32::from_rgb(136, 100, 191),
    Color32::from_rgb(247, 89, 40),
    Color32::from_rgb(103, 12, 215),
    Color32::from_rgb(181, 3, 249),
    Color32::from_rgb(246, 29, 135),
];

/// A class's colour on the ground of a theme; further classes begin again.
pub fn class_color(theme: Theme, class: usize) -> Color32 {
    let colors = match theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    };
    colors[class % colors.len()]
}
