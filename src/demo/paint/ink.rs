//! Colours and the ways to spread them over a shape.

/// A colour with opacity, 8 bits each, not premultiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    /// Red, green, blue.
    pub rgb: [u8; 3],
    /// Opacity, 255 is opaque.
    pub alpha: u8,
}

/// Shades lean to a deep indigo and lights to a warm white: all objects then share one light.
const SHADE: Ink = rgb(38, 28, 66);
const LIGHT: Ink = rgb(255, 249, 232);

/// An opaque colour.
pub(crate) const fn rgb(r: u8, g: u8, b: u8) -> Ink {
    Ink { rgb: [r, g, b], alpha: 255 }
}

impl Ink {
    /// This colour at opacity `alpha`.
    pub const fn alpha(self, alpha: u8) -> Self {
        Ink { rgb: self.rgb, alpha }
    }

    /// `percent` of the way to `other`, opacity included.
    pub fn mix(self, other: Ink, percent: i32) -> Self {
        let lerp = |a: u8, b: u8| {
            let (a, b) = (i32::from(a), i32::from(b));
            (a + (b - a) * percent / 100).clamp(0, 255) as u8
        };
        let rgb = std::array::from_fn(|i| lerp(self.rgb[i], other.rgb[i]));
        Ink { rgb, alpha: lerp(self.alpha, other.alpha) }
    }

    /// `percent` of the way into shade, where some of the colour's own warmth is left.
    pub fn darker(self, percent: i32) -> Self {
        let deep = self.rgb.map(|value| (u32::from(value) * 36 / 100) as u8);
        let shade: [u8; 3] = std::array::from_fn(|i| deep[i] + SHADE.rgb[i] / 2);
        self.mix(Ink { rgb: shade, alpha: self.alpha }, percent)
    }

    /// `percent` of the way into light.
    pub fn lighter(self, percent: i32) -> Self {
        self.mix(LIGHT.alpha(self.alpha), percent)
    }
}

/// How colour is laid over a shape; points are in the painter's units.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    /// One colour.
    Flat(Ink),
    /// From the first colour at the first point to the second at the second.
    Linear {
        /// Point and colour where the gradient starts.
        from: ([f32; 2], Ink),
        /// Point and colour where it ends.
        to: ([f32; 2], Ink),
    },
    /// From the center outwards.
    Radial {
        /// Center of the gradient.
        center: [f32; 2],
        /// Distance at which `outer` is reached.
        radius: f32,
        /// Colour at the center.
        inner: Ink,
        /// Colour from `radius` on.
        outer: Ink,
    },
}

impl From<Ink> for Paint {
    fn from(ink: Ink) -> Self {
        Paint::Flat(ink)
    }
}

/// A gradient from `top` at height `y0` to `bottom` at height `y1`.
pub(crate) fn down(y0: f32, top: Ink, y1: f32, bottom: Ink) -> Paint {
    Paint::Linear { from: ([0.0, y0], top), to: ([0.0, y1], bottom) }
}

/// A gradient from `left` at `x0` to `right` at `x1`.
pub(crate) fn across(x0: f32, left: Ink, x1: f32, right: Ink) -> Paint {
    Paint::Linear { from: ([x0, 0.0], left), to: ([x1, 0.0], right) }
}

/// A gradient from `inner` at `(x, y)` to `outer` at `radius`.
pub(crate) fn glow(x: f32, y: f32, radius: f32, inner: Ink, outer: Ink) -> Paint {
    Paint::Radial { center: [x, y], radius, inner, outer }
}
