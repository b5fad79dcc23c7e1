//! Scenes with their truth: what is in them, and where.

use std::fmt;
use std::str::FromStr;

use super::backgrounds::BackgroundLayout;
use super::compose::{Cast, Composition, Piece, PieceSubject};
use super::light::{self, cast_shadow};
use super::objects::UNKNOWN;
use super::paint::{Ink, Painting, UNOWNED, glow, oval, rgb};
use super::rng::SceneRng;
use super::tags::{Hue, tag_from_class, tag_index};
use super::{clutter::CLUTTER, style, texture};

/// Pixels along a side of a full-size scene.
pub const SCENE_SIZE: usize = 384;

/// A family of scenes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// One ID object as its subject, perhaps others, clutter, a background.
    Id,
    /// Like [`Set::Id`], with objects that no tag names.
    Near,
    /// Backgrounds and clutter without any object.
    Context,
    /// Patterns that fill the frame.
    Texture,
    /// ID scenes in an unusual rendering.
    Style,
}

impl Set {
    /// All of them, ID first.
    pub const ALL: [Set; 5] = [Set::Id, Set::Near, Set::Context, Set::Texture, Set::Style];

    /// The name on the command line and in folders.
    pub fn name(self) -> &'static str {
        match self {
            Set::Id => "id",
            Set::Near => "near",
            Set::Context => "context",
            Set::Texture => "texture",
            Set::Style => "style",
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set's name that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("there is no set called '{0}'; the sets are id, near, context, texture and style")]
pub struct UnknownSet(String);

impl FromStr for Set {
    type Err = UnknownSet;

    fn from_str(name: &str) -> Result<Self, UnknownSet> {
        let found = Set::ALL.into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| UnknownSet(name.to_owned()))
    }
}

/// One thing in a scene and how much of it can be seen.
#[derive(Clone, Debug)]
pub struct SceneObject {
    /// What it is.
    pub name: &'static str,
    /// Its tag; `None` for kinds outside the vocabulary.
    pub tag: Option<usize>,
    /// Its main colour; of clutter, which has colours of its own, the ground's.
    pub hue: Hue,
    /// The value it has in [`Scene::labels`].
    pub label: u8,
    /// Visible pixels.
    pub pixels: usize,
    /// Visible pixels over those it would have with nothing before it, in `0.0..=1.0`.
    pub visible: f32,
}

/// A picture whose truth is known.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Pixels along each side.
    pub size: usize,
    /// RGB, 8 bits, row by row: `size * size * 3` bytes.
    pub image: Vec<u8>,
    /// For each pixel the label of what is in front: an object's, a piece of clutter's or
    /// [`UNOWNED`].
    pub labels: Vec<u8>,
    /// True tags, ascending indices into [`super::TAGS`].
    pub tags: Vec<usize>,
    /// The ID class of the main object.
    pub class: Option<usize>,
    /// What the scene is filed under: class, unknown kind, background, texture or style.
    pub kind: &'static str,
    /// The objects, the main one last.
    pub objects: Vec<SceneObject>,
    /// What stands around them.
    pub clutter: Vec<SceneObject>,
    /// The ground's tag; `None` where a pattern fills the frame.
    pub ground: Option<usize>,
}

impl Scene {
    /// The visible part of `object`: `size * size` values, 255 where it is in front, else 0.
    pub fn mask(&self, object: &SceneObject) -> Vec<u8> {
        self.labels.iter().map(|&label| if label == object.label { 255 } else { 0 }).collect()
    }
}

/// Draws scene `index` of `set` under `seed` at full size.
pub fn scene(set: Set, seed: u64, index: u64) -> Scene {
    scene_at(set, seed, index, SCENE_SIZE)
}

/// What scene `index` of `set` under `seed` is filed under, without drawing it at full size.
pub fn kind(set: Set, seed: u64, index: u64) -> &'static str {
    // The lots do not depend on the size.
    scene_at(set, seed, index, 8).kind
}

/// Draws the same scene at `size` × `size` pixels (at least 1).
pub fn scene_at(set: Set, seed: u64, index: u64, size: usize) -> Scene {
    let size = size.max(1);
    let mut rng = SceneRng::new(set as u64, seed, index);
    match set {
        Set::Id => Composition::new(&mut rng, Cast::Known).draw(&mut rng, size),
        Set::Near => Composition::new(&mut rng, Cast::Unknown).draw(&mut rng, size),
        Set::Context => Composition::new(&mut rng, Cast::Nothing).draw(&mut rng, size),
        Set::Texture => texture::draw(&mut rng, size),
        Set::Style => {
            let mut scene = Composition::new(&mut rng, Cast::Known).draw(&mut rng, size);
            style::render(&mut scene, &mut rng);
            scene
        }
    }
}

/// The domain of mixed scenes' random draws, apart from the sets'.
const MIXED_DOMAIN: u64 = 19;

/// Draws an ID scene whose objects may all be of different classes, for training: what stands
/// together should not tell what a thing is.
pub fn mixed_scene(seed: u64, index: u64, size: usize) -> Scene {
    let mut rng = SceneRng::new(MIXED_DOMAIN, seed, index);
    Composition::new(&mut rng, Cast::KnownMixed).draw(&mut rng, size.max(1))
}

/// The domain of crowded scenes' random draws, apart from the sets'.
const CROWD_DOMAIN: u64 = 20;

/// Draws a scene of three to five ID objects of any class, for training: more to learn from in one
/// picture.
pub fn crowded_scene(seed: u64, index: u64, size: usize) -> Scene {
    let mut rng = SceneRng::new(CROWD_DOMAIN, seed, index);
    Composition::new(&mut rng, Cast::KnownCrowd).draw(&mut rng, size.max(1))
}

/// The domain of made-up scenes' random draws, apart from the sets'.
const MADE_UP_DOMAIN: u64 = 18;

/// Draws a scene of things that exist nowhere and that no tag names, for training: as
/// [`scene_at`], but of no set that anything is judged by.
pub fn made_up_scene(seed: u64, index: u64, size: usize) -> Scene {
    let mut rng = SceneRng::new(MADE_UP_DOMAIN, seed, index);
    Composition::new(&mut rng, Cast::MadeUp).draw(&mut rng, size.max(1))
}

/// The domain of twins' random draws, apart from the sets'.
const TWIN_DOMAIN: u64 = 16;

/// An ID scene and an out-of-distribution one that share all but the object.
pub fn twin(seed: u64, index: u64) -> (Scene, Scene) {
    let mut rng = SceneRng::new(TWIN_DOMAIN, seed, index);
    let known = Composition::new(&mut rng, Cast::KnownAlone);
    let mut unknown = known.clone();
    let subject = PieceSubject::Unknown(rng.below(UNKNOWN.len()));
    for piece in &mut unknown.objects {
        *piece = piece.replaced(subject);
    }
    let draw = |composition: &Composition| {
        let mut rng = SceneRng::new(TWIN_DOMAIN + 1, seed, index);
        composition.draw(&mut rng, SCENE_SIZE)
    };
    (draw(&known), draw(&unknown))
}

/// Labels of clutter start here; objects count up from 1.
const FIRST_CLUTTER_LABEL: u8 = 32;

/// The dark of contact shadows.
const CONTACT: Ink = rgb(38, 28, 66);

impl Composition {
    fn draw(&self, rng: &mut SceneRng, size: usize) -> Scene {
        let Some(mut canvas) = Painting::new(size) else {
            return Scene::empty(self.ground().name);
        };
        let frame = super::paint::Affine::scale(1.0);
        self.ground().paint(&mut canvas.painter(&frame, UNOWNED), rng, &self.setting);
        let mut label = FIRST_CLUTTER_LABEL;
        let mut clutter = Vec::new();
        for piece in &self.behind {
            clutter.push((*piece, label));
            self.set(&mut canvas, piece, label);
            label += 1;
        }
        for (piece, label) in self.objects.iter().zip(1..) {
            self.set(&mut canvas, piece, label);
        }
        for piece in &self.before {
            clutter.push((*piece, label));
            self.set(&mut canvas, piece, label);
            label += 1;
        }
        self.light.shine(&mut canvas);
        self.truth(canvas, &clutter)
    }

    /// Paints one piece with its shadows.
    fn set(&self, canvas: &mut Painting, piece: &Piece, label: u8) {
        let layout = self.ground().layout;
        let is_object = !matches!(piece.subject, PieceSubject::Clutter(_));
        if piece.grounded {
            let (foot, half) = (piece.foot(), piece.half);
            let contact = super::paint::Affine {
                x: [half, 0.0],
                y: [0.0, half * 0.2],
                origin: [piece.x + half * 0.06, foot],
            };
            canvas.painter(&contact, UNOWNED).fill(
                oval(0.0, 0.0, 1.0, 1.0),
                glow(0.0, 0.0, 1.0, CONTACT.alpha(130), CONTACT.alpha(0)),
            );
        }
        canvas.begin();
        piece.subject.paint(&mut canvas.painter(&piece.frame_from_piece(), label), &piece.look);
        if is_object || layout == BackgroundLayout::Wall {
            let cast = match layout {
                BackgroundLayout::Wall => {
                    light::CastShadow { right: 1.3, down: 1.9, blur: 2, strength: 120 }
                }
                BackgroundLayout::Ground => {
                    light::CastShadow { right: 0.8, down: 0.8, blur: 2, strength: 64 }
                }
                BackgroundLayout::Air => {
                    light::CastShadow { right: 1.2, down: 2.4, blur: 3, strength: 60 }
                }
            };
            cast_shadow(canvas, label, cast);
        }
    }

    /// Counts what can be seen and names it.
    fn truth(&self, canvas: Painting, clutter: &[(Piece, u8)]) -> Scene {
        let size = canvas.size();
        let mut seen = [0usize; 256];
        for &label in canvas.labels() {
            seen[usize::from(label)] += 1;
        }
        let share =
            |label: u8| seen[usize::from(label)] as f32 / canvas.claimed(label).max(1) as f32;
        let shown = |label: u8, permille: usize| {
            share(label) >= 0.3 && seen[usize::from(label)] * 1000 >= permille * size * size
        };
        let mut tags: Vec<usize> = self.ground().tags.iter().filter_map(|t| tag_index(t)).collect();
        tags.push(self.setting.hue.tag());
        let mut objects = Vec::new();
        let thing = |piece: &Piece, label: u8| SceneObject {
            name: piece.subject.name(),
            tag: match piece.subject {
                PieceSubject::Known(class) => Some(tag_from_class(class)),
                PieceSubject::Clutter(kind) => CLUTTER[kind].tag(),
                PieceSubject::Unknown(_) | PieceSubject::MadeUp(_) => None,
            },
            hue: piece.hue,
            label,
            pixels: seen[usize::from(label)],
            visible: share(label),
        };
        for (piece, label) in self.objects.iter().zip(1u8..) {
            let object = thing(piece, label);
            if shown(label, 4) {
                tags.extend(object.tag);
                tags.push(piece.hue.tag());
            }
            objects.push(object);
        }
        let clutter: Vec<SceneObject> =
            clutter.iter().map(|(piece, label)| thing(piece, *label)).collect();
        tags.extend(clutter.iter().filter(|c| shown(c.label, 2)).filter_map(|c| c.tag));
        tags.sort_unstable();
        tags.dedup();
        let main = self.objects.last().map(|piece| piece.subject);
        let class = match main {
            Some(PieceSubject::Known(class)) => Some(class),
            _ => None,
        };
        let kind = main.map_or(self.ground().name, PieceSubject::name);
        let (pixels, labels) = canvas.into_planes();
        let (image, ground) = (pixels.into_flattened(), tag_index(self.ground().name));
        Scene { size, image, labels, tags, class, kind, objects, clutter, ground }
    }
}

impl Scene {
    /// A scene of no pixels, for a size that cannot be drawn.
    fn empty(kind: &'static str) -> Self {
        let (image, labels) = (Vec::new(), Vec::new());
        let (tags, objects, clutter) = (Vec::new(), Vec::new(), Vec::new());
        Scene { size: 0, image, labels, tags, class: None, kind, objects, clutter, ground: None }
    }

    /// A scene without objects from its pixels.
    pub(super) fn plain(size: usize, image: Vec<u8>, kind: &'static str) -> Self {
        Scene { size, image, labels: vec![UNOWNED; size * size], ..Scene::empty(kind) }
    }
}
