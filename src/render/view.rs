//! Where data space lies on the screen.

use eframe::egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Pan and zoom of a scatter plot: data space, y up, on the screen, y down. Both axes have one
/// scale, as distances mean something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Where in data space the middle of the plot is.
    pub center: [f32; 2],
    /// Screen points for one unit of data; above 0.
    pub scale: f32,
}

impl Default for View {
    fn default() -> Self {
        Self { center: [0.0; 2], scale: 1.0 }
    }
}

impl View {
    /// Share of the plot that is left free around fitted data.
    const MARGIN: f32 = 0.06;

    /// The view that shows every finite position in `rect`.
    pub fn fit(positions: &[[f32; 2]], rect: Rect) -> Self {
        let mut bounds = Rect::NOTHING;
        let finite = positions.iter().filter(|at| at.iter().all(|side| side.is_finite()));
        finite.for_each(|&[x, y]| bounds.extend_with(pos2(x, y)));
        if !bounds.is_finite() {
            return Self::default();
        }
        let room = rect.size() * (1.0 - 2.0 * Self::MARGIN);
        let scale = (room.x / bounds.width()).min(room.y / bounds.height());
        let usable = scale.is_finite() && scale > 0.0;
        Self { center: bounds.center().into(), scale: if usable { scale } else { 1.0 } }
    }

    /// Where a data position is on the screen.
    pub fn screen_from_data(&self, rect: Rect, [x, y]: [f32; 2]) -> Pos2 {
        rect.center() + vec2(x - self.center[0], self.center[1] - y) * self.scale
    }

    /// Which data position is at a place on the screen.
    pub fn data_from_screen(&self, rect: Rect, at: Pos2) -> [f32; 2] {
        let offset = (at - rect.center()) / self.scale;
        [self.center[0] + offset.x, self.center[1] - offset.y]
    }

    /// Moves the data along with a drag on the screen.
    pub fn pan(&mut self, drag: Vec2) {
        self.center[0] -= drag.x / self.scale;
        self.center[1] += drag.y / self.scale;
    }

    /// Zooms by `factor`, and keeps what is under the pointer there.
    pub fn zoom_about(&mut self, rect: Rect, pointer: Pos2, factor: f32) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let held = self.data_from_screen(rect, pointer);
        self.scale = (self.scale * factor).clamp(1e-6, 1e9);
        let moved = self.data_from_screen(rect, pointer);
        self.center = std::array::from_fn(|axis| self.center[axis] + held[axis] - moved[axis]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECT: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(500.0, 250.0) };

    #[test]
    fn fitted_data_is_inside_and_fills_the_plot() {
        let positions = [[-4.0, 2.0], [6.0, 3.0], [f32::NAN, 0.0], [1.0, 9.0]];
        let view = View::fit(&positions, RECT);
        let on_screen = |at| view.screen_from_data(RECT, at);
        assert!(RECT.contains(on_screen([-4.0, 2.0])) && RECT.contains(on_screen([1.0, 9.0])));
        let height = on_screen([0.0, 2.0]).y - on_screen([0.0, 9.0]).y;
        assert!((height - 0.88 * RECT.height()).abs() < 0.01, "{height}");
    }

    #[test]
    fn data_without_extent_has_a_view_too() {
        assert_eq!(View::fit(&[], RECT), View::default());
        assert_eq!(View::fit(&[[f32::INFINITY, 0.0]], RECT), View::default());
        assert_eq!(View::fit(&[[3.0, 4.0]], RECT), View { center: [3.0, 4.0], scale: 1.0 });
    }

    #[test]
    fn zoom_keeps_the_pointer_and_pan_follows_it() {
        let mut view = View { center: [2.0, 3.0], scale: 7.0 };
        let pointer = pos2(180.0, 90.0);
        let held = view.data_from_screen(RECT, pointer);
        view.zoom_about(RECT, pointer, 2.5);
        assert!((view.screen_from_data(RECT, held) - pointer).length() < 1e-3);
        view.pan(vec2(11.0, -5.0));
        assert!((view.screen_from_data(RECT, held) - pointer - vec2(11.0, -5.0)).length() < 1e-3);
        view.zoom_about(RECT, pointer, f32::NAN);
        assert!(view.scale.is_finite());
    }
}
