//! The procedural world: scenes whose truth is known.
//!
//! Every scene is fixed by its set, a seed and an index: first the lots are drawn (`compose`), then
//! the pieces are painted back to front (`paint`, `backgrounds`, `clutter`, `objects`, `light`),
//! and what is seen of each piece becomes the scene's tags and masks (`scene`).

mod backgrounds;
pub mod captions;
pub mod clip;
mod clutter;
mod compose;
mod rng;
pub mod evaluate;
mod light;
pub mod nouns;
mod objects;
mod paint;
mod scene;
mod style;
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod texture;
pub mod train;
mod world;
pub mod write;

pub use paint::UNOWNED;
pub use scene::{
    SCENE_SIZE, Scene, SceneObject, Set, UnknownSet, crowded_scene, kind, made_up_scene,
    mixed_scene, scene, scene_at, twin,
};
pub use style::STYLES;
pub use tags::{Hue, ID_CLASSES, TAGS, TagGroup, tag_from_class, tag_group, tag_index};
pub use texture::TEXTURES;
pub use world::{HELD_OUT_SEED, World};
