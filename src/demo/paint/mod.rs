//! Painting with truth: every filled shape can also claim its pixels for an object.
//!
//! Only the coverage of a shape comes from the rasteriser (straight edges, integer arithmetic).
//! Colour is laid on here in integers and exactly rounded operations, so the same seed gives the
//! same bytes on every machine, and an object's mask comes from the very paths that draw it.

mod ink;
mod shape;

use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Path, Rect, Stroke, Transform};

pub(super) use ink::{Ink, Paint, across, down, glow, rgb};
pub(super) use shape::{
    Affine, VectorShape, arc, circle, oval, poly, rect, round_rect, smooth, star, turn,
};

/// The label of pixels that no object owns.
pub const UNOWNED: u8 = 0;

/// The picture in work: colour, and for each pixel the label of what is in front.
pub(super) struct Painting {
    size: usize,
    pixels: Vec<[u8; 3]>,
    labels: Vec<u8>,
    /// Pixels each label claimed when it was painted, hidden later or not.
    claimed: [u32; 256],
    /// Where each label may be found.
    extents: [Option<Window>; 256],
    /// The picture before the piece in work, and that piece's own opacity so far: its edges can
    /// then be painted over, and shadows laid under them, without fringes.
    before: Vec<[u8; 3]>,
    opacity: Vec<u8>,
    coverage: Mask,
    clip: Option<Mask>,
}

/// A half-open rectangle of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// First column, and the one after the last.
    pub x: (usize, usize),
    /// First row, and the one after the last.
    pub y: (usize, usize),
}

impl Window {
    fn around(bounds: Rect, size: usize) -> Self {
        // One pixel of margin: the rasteriser rounds outwards.
        let clamp = |v: f32| v.clamp(0.0, size as f32) as usize;
        Window {
            x: (clamp(bounds.left() - 1.0), clamp(bounds.right() + 2.0)),
            y: (clamp(bounds.top() - 1.0), clamp(bounds.bottom() + 2.0)),
        }
    }

    fn union(self, other: Window) -> Self {
        let span = |a: (usize, usize), b: (usize, usize)| (a.0.min(b.0), a.1.max(b.1));
        Window { x: span(self.x, other.x), y: span(self.y, other.y) }
    }
}

impl Painting {
    /// A black square of `size` × `size` pixels; `None` if `size` is 0 or too large.
    pub(super) fn new(size: usize) -> Option<Self> {
        let side = u32::try_from(size).ok()?;
        Some(Painting {
            size,
            pixels: vec![[0; 3]; size * size],
            labels: vec![UNOWNED; size * size],
            claimed: [0; 256],
            extents: [None; 256],
            before: vec![[0; 3]; size * size],
            opacity: vec![0; size * size],
            coverage: Mask::new(side, side)?,
            clip: None,
        })
    }

    /// Pixels along a side.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The colours, row by row.
    pub(super) fn pixels_mut(&mut self) -> &mut [[u8; 3]] {
        &mut self.pixels
    }

    /// The label in front at each pixel, row by row.
    pub(super) fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Starts a piece: what was painted up to here lies behind it.
    pub(super) fn begin(&mut self) {
        self.before.copy_from_slice(&self.pixels);
        self.opacity.fill(0);
    }

    /// The opacity of the piece in work, row by row.
    pub(super) fn opacity(&self) -> &[u8] {
        &self.opacity
    }

    /// Darkens what lies behind the piece in work at pixel `i`, each channel by so many 256ths.
    pub(super) fn shade_behind(&mut self, i: usize, amounts: [i32; 3]) {
        let seen = 255 - i32::from(self.opacity[i]);
        let behind = self.before[i];
        for ((channel, behind), amount) in self.pixels[i].iter_mut().zip(behind).zip(amounts) {
            let loss = i32::from(behind) * amount * seen / (256 * 255);
            *channel = (i32::from(*channel) - loss).max(0) as u8;
        }
    }

    /// The pixels `label` claimed while it was painted, whether hidden later or not.
    pub(super) fn claimed(&self, label: u8) -> u32 {
        self.claimed[usize::from(label)]
    }

    /// A window that holds every pixel of `label`; `None` if it was never painted.
    pub(super) fn extent(&self, label: u8) -> Option<Window> {
        self.extents[usize::from(label)]
    }

    /// A painter whose units `to_frame` maps to percent of the frame.
    pub(super) fn painter(&mut self, to_frame: &Affine, label: u8) -> Painter<'_> {
        let to_pixels = Affine::scale(self.size as f32 / 100.0).after(to_frame);
        Painter { canvas: self, to_pixels, label }
    }

    /// Gives back colours and labels.
    pub(super) fn into_planes(self) -> (Vec<[u8; 3]>, Vec<u8>) {
        (self.pixels, self.labels)
    }

    fn lay(&mut self, path: &Path, to_pixels: &Affine, paint: Paint, label: u8) {
        let window = Window::around(path.bounds(), self.size);
        let extent = &mut self.extents[usize::from(label)];
        *extent = Some(extent.map_or(window, |extent| extent.union(window)));
        self.coverage.fill_path(path, FillRule::Winding, true, Transform::identity());
        match paint {
            Paint::Flat(ink) => self.blend(window, label, |_, _| ink),
            Paint::Linear { from, to } => {
                let Some(inverse) = to_pixels.inverse() else { return };
                let axis = [to.0[0] - from.0[0], to.0[1] - from.0[1]];
                let length = axis[0] * axis[0] + axis[1] * axis[1];
                let project = |v: [f32; 2]| (v[0] * axis[0] + v[1] * axis[1]) / length * 255.0;
                let start = [inverse.origin[0] - from.0[0], inverse.origin[1] - from.0[1]];
                let (dx, dy, c) = (project(inverse.x), project(inverse.y), project(start));
                let ramp = Ramp::new(from.1, to.1);
                self.blend(window, label, |x, y| ramp.at(dx * x + dy * y + c));
            }
            Paint::Radial { center, radius, inner, outer } => {
                let Some(inverse) = to_pixels.inverse() else { return };
                let ramp = Ramp::new(inner, outer);
                let scale = 255.0 / radius;
                self.blend(window, label, |x, y| {
                    let [u, v] = inverse.apply([x, y]);
                    let (u, v) = (u - center[0], v - center[1]);
                    ramp.at((u * u + v * v).sqrt() * scale)
                });
            }
        }
    }

    /// Blends `ink` by the coverage in `window`, and leaves the coverage empty.
    fn blend(&mut self, window: Window, label: u8, ink: impl Fn(f32, f32) -> Ink) {
        for y in window.y.0..window.y.1 {
            let start = y * self.size;
            for i in start + window.x.0..start + window.x.1 {
                let mut cover = u32::from(std::mem::take(&mut self.coverage.data_mut()[i]));
                if let Some(clip) = &self.clip {
                    cover = fraction(cover, u32::from(clip.data()[i]));
                }
                if cover == 0 {
                    continue;
                }
                let ink = ink((i - start) as f32 + 0.5, y as f32 + 0.5);
                let cover = fraction(cover, u32::from(ink.alpha));
                if label == UNOWNED {
                    self.pixels[i] = lerp(self.pixels[i], ink.rgb, cover);
                } else {
                    self.blend_owned(i, label, ink.rgb, cover);
                }
            }
        }
    }

    /// Blends one pixel of the piece in work.
    fn blend_owned(&mut self, i: usize, label: u8, rgb: [u8; 3], cover: u32) {
        let opacity = u32::from(self.opacity[i]);
        if self.clip.is_some() && opacity > 0 {
            // Paint on the piece, not on what shows through its edge.
            let target = lerp(self.before[i], rgb, opacity);
            self.pixels[i] = lerp(self.pixels[i], target, (cover * 255 / opacity).min(255));
            return;
        }
        self.pixels[i] = lerp(self.pixels[i], rgb, cover);
        let opacity = opacity + fraction(255 - opacity, cover);
        self.opacity[i] = opacity as u8;
        if opacity >= 128 && self.labels[i] != label {
            self.labels[i] = label;
            self.claimed[usize::from(label)] += 1;
        }
    }
}

/// `weight` of 255 of the way from `a` to `b`.
fn lerp(a: [u8; 3], b: [u8; 3], weight: u32) -> [u8; 3] {
    if weight == 255 {
        return b;
    }
    std::array::from_fn(|k| {
        ((u32::from(a[k]) * (255 - weight) + u32::from(b[k]) * weight + 127) / 255) as u8
    })
}

/// `a` of 255 of `b`, rounded.
fn fraction(a: u32, b: u32) -> u32 {
    (a * b + 127) / 255
}

/// A gradient's colours at 256 steps.
struct Ramp([Ink; 256]);

impl Ramp {
    fn new(from: Ink, to: Ink) -> Self {
        let lerp = |a: u8, b: u8, i: i32| {
            let (a, b) = (i32::from(a), i32::from(b));
            ((a * (255 - i) + b * i + 127) / 255) as u8
        };
        Ramp(std::array::from_fn(|i| Ink {
            rgb: std::array::from_fn(|k| lerp(from.rgb[k], to.rgb[k], i as i32)),
            alpha: lerp(from.alpha, to.alpha, i as i32),
        }))
    }

    fn at(&self, step: f32) -> Ink {
        self.0[step.clamp(0.0, 255.0) as usize]
    }
}

/// Paints shapes in its own units and claims their pixels for one label.
pub(super) struct Painter<'a> {
    canvas: &'a mut Painting,
    to_pixels: Affine,
    label: u8,
}

impl Painter<'_> {
    pub(super) fn fill(&mut self, shape: impl Into<VectorShape>, paint: impl Into<Paint>) {
        if let Some(path) = shape.into().to_path(&self.to_pixels) {
            self.canvas.lay(&path, &self.to_pixels, paint.into(), self.label);
        }
    }

    /// Draws the outline of `shape`, `width` units wide, with round ends.
    pub(super) fn line(
        &mut self,
        shape: impl Into<VectorShape>,
        width: f32,
        paint: impl Into<Paint>,
    ) {
        let stroke = Stroke {
            width: width * self.to_pixels.stretch(),
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        let path = shape.into().to_path(&self.to_pixels);
        if let Some(path) = path.and_then(|path| path.stroke(&stroke, 1.0)) {
            self.canvas.lay(&path, &self.to_pixels, paint.into(), self.label);
        }
    }

    /// Lets `draw` paint only inside `shape`; an inner call replaces the outer clip while it runs.
    pub(super) fn inside(
        &mut self,
        shape: impl Into<VectorShape>,
        draw: impl FnOnce(&mut Painter),
    ) {
        let side = self.canvas.size as u32;
        let (Some(path), Some(mut clip)) =
            (shape.into().to_path(&self.to_pixels), Mask::new(side, side))
        else {
            return;
        };
        clip.fill_path(&path, FillRule::Winding, true, Transform::identity());
        let outer = self.canvas.clip.replace(clip);
        draw(self);
        self.canvas.clip = outer;
    }

    /// Fills `shape` and lets `draw` paint over it, inside its outline only.
    pub(super) fn body(
        &mut self,
        shape: impl Into<VectorShape>,
        paint: impl Into<Paint>,
        draw: impl FnOnce(&mut Painter),
    ) {
        let shape = shape.into();
        self.fill(shape.clone(), paint);
        self.inside(shape, draw);
    }

    /// Paints with `inner` placed before this painter's own map.
    pub(super) fn placed(&mut self, inner: &Affine, draw: impl FnOnce(&mut Painter)) {
        let to_pixels = self.to_pixels.after(inner);
        draw(&mut Painter { canvas: self.canvas, to_pixels, label: self.label });
    }

    /// Paints without claiming pixels: shadows, glows, reflections.
    pub(super) fn unowned(&mut self, draw: impl FnOnce(&mut Painter)) {
        draw(&mut Painter { canvas: self.canvas, to_pixels: self.to_pixels, label: UNOWNED });
    }
}
