//! The window's icon: a lens over a map of relevance.

use eframe::egui::IconData;

use crate::colormap::viridis_srgb;

const SIDE: u32 = 128;

/// Draws the icon.
pub fn icon() -> IconData {
    let middle = SIDE as f32 / 2.0;
    let mut rgba = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (dx, dy) = (x as f32 + 0.5 - middle, y as f32 + 0.5 - middle);
            let radius = dx.hypot(dy) / middle;
            // Nearness to an object a little off the middle.
            let near = 1.0 - (dx + 14.0).hypot(dy - 10.0) / (middle * 1.3);
            let [r, g, b] = match radius {
                radius if radius < 0.80 => viridis_srgb(near),
                radius if radius < 0.86 => [13, 16, 17],
                _ => [236, 241, 242],
            };
            let edge = ((0.985 - radius) * middle).clamp(0.0, 1.0);
            rgba.extend([r, g, b, (edge * 255.0) as u8]);
        }
    }
    IconData { rgba, width: SIDE, height: SIDE }
}
