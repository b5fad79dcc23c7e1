//! Patterns that fill the frame: far from any scene.

use super::paint::{Ink, turn};
use super::rng::SceneRng;
use super::scene::Scene;
use super::tags::Hue;

/// The patterns' names.
pub const TEXTURES: [&str; 9] =
    ["checks", "stripes", "noise", "cells", "dots", "weave", "marble", "rings", "zigzag"];

/// The choices that fix one pattern.
struct Pattern {
    inks: [Ink; 3],
    /// Side of the pattern's unit, in percent of the frame.
    pitch: f32,
    direction: [f32; 2],
    offset: [f32; 2],
    salt: u32,
}

pub(super) fn draw(rng: &mut SceneRng, size: usize) -> Scene {
    let which = rng.below(TEXTURES.len());
    let first = rng.below(10);
    let hue = |step: usize| Hue::ALL[(first + step) % 10].ink();
    let (second, third) = (1 + rng.below(4), 5 + rng.below(4));
    let pattern = Pattern {
        inks: [hue(0), hue(second), hue(third)],
        pitch: rng.range(6.0, 18.0),
        direction: turn(rng.unit()),
        offset: [rng.range(-100.0, 0.0), rng.range(-100.0, 0.0)],
        salt: rng.below(1 << 30) as u32,
    };
    let step = 100.0 / size as f32;
    let mut image = Vec::with_capacity(size * size * 3);
    for y in 0..size {
        for x in 0..size {
            let at = [(x as f32 + 0.5) * step, (y as f32 + 0.5) * step];
            image.extend_from_slice(&pattern.ink(which, at).rgb);
        }
    }
    Scene::plain(size, image, TEXTURES[which])
}

impl Pattern {
    fn ink(&self, which: usize, at: [f32; 2]) -> Ink {
        let [dx, dy] = self.direction;
        let (x, y) = (at[0] + self.offset[0], at[1] + self.offset[1]);
        let (u, v) = ((x * dx + y * dy) / self.pitch, (y * dx - x * dy) / self.pitch);
        match which {
            0 => self.blend(edge(u) * edge(v) * 0.5 + 0.5),
            1 => self
                .blend(edge(u) * 0.5 + 0.5)
                .mix(self.inks[2], if fract(u * 0.5) > 0.78 { 100 } else { 0 }),
            2 => self.three(self.fractal(u, v)),
            3 => self.cells(u, v),
            4 => self.dots(u, v),
            5 => self.weave(u, v),
            6 => self.three(0.5 + 0.5 * turn(u * 0.35 + self.fractal(u * 0.7, v * 0.7) * 1.6)[0]),
            7 => {
                let r = (u * u + v * v).sqrt() + 0.3 * self.fractal(u, v);
                self.blend(edge(r) * 0.5 + 0.5)
            }
            _ => {
                let fold = (fract(v * 0.5) - 0.5).abs() * 2.0;
                self.blend(edge(u + fold) * 0.5 + 0.5)
            }
        }
    }

    fn blend(&self, t: f32) -> Ink {
        self.inks[0].mix(self.inks[1], (t * 100.0) as i32)
    }

    fn three(&self, t: f32) -> Ink {
        let t = t.clamp(0.0, 1.0);
        if t < 0.5 {
            self.blend(t * 2.0)
        } else {
            self.inks[1].mix(self.inks[2], ((t - 0.5) * 200.0) as i32)
        }
    }

    fn dots(&self, u: f32, v: f32) -> Ink {
        let v2 = v + if (u.floor() as i32).rem_euclid(2) == 0 { 0.5 } else { 0.0 };
        let (du, dv) = (fract(u) - 0.5, fract(v2) - 0.5);
        let r = (du * du + dv * dv).sqrt();
        let inside = ((0.34 - r) * 14.0).clamp(0.0, 1.0);
        let dot = if hash(u.floor() as i32, v2.floor() as i32, self.salt) & 1 == 0 {
            self.inks[1]
        } else {
            self.inks[2]
        };
        self.inks[0].mix(dot, (inside * 100.0) as i32)
    }

    fn weave(&self, u: f32, v: f32) -> Ink {
        let over = (u.floor() as i32 + v.floor() as i32).rem_euclid(2) == 0;
        let across = (fract(if over { v } else { u }) - 0.5).abs() * 2.0;
        let along = (fract(if over { u } else { v }) - 0.5).abs() * 2.0;
        let thread = if over { self.inks[0] } else { self.inks[1] };
        if across > 0.86 {
            self.inks[2].darker(50)
        } else {
            thread.darker((along * along * 40.0 + across * across * 20.0) as i32)
        }
    }

    /// Voronoi cells with dark seams.
    fn cells(&self, u: f32, v: f32) -> Ink {
        let (cu, cv) = (u.floor() as i32, v.floor() as i32);
        let (mut near, mut next, mut owner) = (9.0f32, 9.0f32, 0);
        for j in -1..=1 {
            for i in -1..=1 {
                let h = hash(cu + i, cv + j, self.salt);
                let pu = (cu + i) as f32 + (h & 255) as f32 / 256.0 - u;
                let pv = (cv + j) as f32 + (h >> 8 & 255) as f32 / 256.0 - v;
                let d = (pu * pu + pv * pv).sqrt();
                if d < near {
                    (next, near, owner) = (near, d, h);
                } else if d < next {
                    next = d;
                }
            }
        }
        let tint = self.inks[(owner >> 16) as usize % 3].lighter((owner >> 20) as i32 % 20);
        let seam = (1.0 - (next - near) * 9.0).clamp(0.0, 1.0);
        tint.darker((near * 24.0) as i32).mix(self.inks[0].darker(70), (seam * 100.0) as i32)
    }

    /// Three octaves of value noise, 0 to 1.
    fn fractal(&self, u: f32, v: f32) -> f32 {
        let octave = |k: u32, scale: f32| self.value(u * scale, v * scale, self.salt ^ k);
        (octave(1, 0.8) * 4.0 + octave(2, 1.6) * 2.0 + octave(3, 3.2)) / 7.0
    }

    fn value(&self, u: f32, v: f32, salt: u32) -> f32 {
        let (cu, cv) = (u.floor() as i32, v.floor() as i32);
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (fu, fv) = (ease(fract(u)), ease(fract(v)));
        let at = |i: i32, j: i32| (hash(cu + i, cv + j, salt) & 0xffff) as f32 / 65536.0;
        let top = at(0, 0) + (at(1, 0) - at(0, 0)) * fu;
        let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * fu;
        top + (bottom - top) * fv
    }
}

fn fract(t: f32) -> f32 {
    t - t.floor()
}

/// A square wave of period 1 with soft edges, −1 to 1.
fn edge(t: f32) -> f32 {
    (((fract(t) - 0.5).abs() - 0.25) * 40.0).clamp(-1.0, 1.0)
}

/// A fixed scramble of a lattice point.
fn hash(x: i32, y: i32, salt: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x8da6_b343) ^ (y as u32).wrapping_mul(0xd816_3841) ^ salt;
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}
