//! Pan and zoom, shared by images that stand side by side.

use eframe::egui::{CursorIcon, Pos2, Rect, Response, Ui, Vec2, vec2};

/// Free space around an image that fits, in points.
const MARGIN: f32 = 16.0;

/// How large images are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Zoom {
    /// As large as fits.
    #[default]
    Fit,
    /// This many times as large as fits: images of different sizes show the same part.
    OfFit(f32),
    /// Points for each image pixel.
    OfPixels(f32),
}

/// The part of the images that is on show.
#[derive(Clone, Debug, Default)]
pub(super) struct Camera {
    zoom: Zoom,
    /// Where an image's middle lies from its place's, in points.
    offset: Vec2,
}

impl Camera {
    /// Whether the whole image is shown.
    pub(super) fn fits(&self) -> bool {
        self.zoom == Zoom::Fit
    }

    /// Whether one image pixel is one screen pixel.
    pub(super) fn is_one_to_one(&self, pixels_per_point: f32) -> bool {
        self.zoom == Zoom::OfPixels(1.0 / pixels_per_point)
    }

    /// Shows the whole image.
    pub(super) fn fit(&mut self) {
        *self = Self::default();
    }

    /// Shows one image pixel on one screen pixel.
    pub(super) fn one_to_one(&mut self, pixels_per_point: f32) {
        *self = Self { zoom: Zoom::OfPixels(1.0 / pixels_per_point), offset: Vec2::ZERO };
    }

    /// Where an image of this size lies that has `place` to itself.
    pub(super) fn rect(&self, place: Rect, size: Vec2) -> Rect {
        let scale = self.scale(place, size);
        // Of a strip thousands of pixels long and a few wide, something is to be seen.
        Rect::from_center_size(place.center() + self.offset, (size * scale).max(vec2(2.0, 2.0)))
    }

    /// Points for each image pixel.
    fn scale(&self, place: Rect, size: Vec2) -> f32 {
        let room = (place.size() - vec2(MARGIN, MARGIN)).max(vec2(8.0, 8.0));
        let fit = (room.x / size.x).min(room.y / size.y);
        match self.zoom {
            Zoom::Fit => fit,
            Zoom::OfFit(times) => fit * times,
            Zoom::OfPixels(points) => points,
        }
    }

    /// Follows drags, the wheel and double clicks on one of the images.
    pub(super) fn navigate(&mut self, ui: &Ui, place: Rect, response: &Response) {
        if response.double_clicked() {
            self.fit();
        }
        if response.dragged() {
            self.offset += response.drag_delta();
            ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        }
        let Some(pointer) = response.hover_pos() else { return };
        let factor =
            ui.input(|input| input.zoom_delta() * (input.smooth_scroll_delta().y / 240.0).exp());
        if factor != 1.0 {
            self.zoom_about(pointer, factor, place);
        }
    }

    /// Zooms so that what lies under the pointer stays there.
    fn zoom_about(&mut self, pointer: Pos2, factor: f32, place: Rect) {
        let (before, after) = match self.zoom {
            Zoom::Fit => {
                let after = factor.clamp(0.05, 200.0);
                (1.0, Zoom::OfFit(after))
            }
            Zoom::OfFit(times) => (times, Zoom::OfFit((times * factor).clamp(0.05, 200.0))),
            Zoom::OfPixels(points) => (points, Zoom::OfPixels((points * factor).clamp(0.02, 64.0))),
        };
        let grown = match after {
            Zoom::OfFit(after) | Zoom::OfPixels(after) => after / before,
            Zoom::Fit => 1.0,
        };
        let from_center = pointer - place.center() - self.offset;
        self.offset += from_center * (1.0 - grown);
        self.zoom = after;
    }
}

#[cfg(test)]
mod tests {
    use eframe::egui::pos2;

    use super::*;

    const PLACE: Rect = Rect { min: pos2(0.0, 0.0), max: pos2(416.0, 216.0) };

    #[test]
    fn images_of_different_sizes_show_the_same_part() {
        let mut camera = Camera::default();
        let (small, large) = (vec2(100.0, 50.0), vec2(400.0, 200.0));
        assert_eq!(camera.rect(PLACE, small), camera.rect(PLACE, large));
        camera.zoom_about(pos2(50.0, 60.0), 3.0, PLACE);
        assert_eq!(camera.rect(PLACE, small), camera.rect(PLACE, large));
        camera.one_to_one(2.0);
        assert!(camera.is_one_to_one(2.0));
        assert_eq!(camera.rect(PLACE, small).size() * 2.0, small);
    }

    #[test]
    fn what_is_under_the_pointer_stays() {
        let (mut camera, size, pointer) = (Camera::default(), vec2(320.0, 200.0), pos2(90.0, 70.0));
        let under = |camera: &Camera| {
            let rect = camera.rect(PLACE, size);
            (pointer - rect.min) / rect.size()
        };
        let before = under(&camera);
        for factor in [1.5, 0.4, 7.0] {
            camera.zoom_about(pointer, factor, PLACE);
            assert!((under(&camera) - before).length() < 1e-4, "{factor}");
        }
    }
}
