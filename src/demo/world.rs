//! The whole world in a folder: a few scenes of every set that the embedded model has not seen, kept
//! for the next time.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::scene::{Set, kind, scene};
use super::write::{SceneWriteError, make_folder, write_picture};

/// The seed of scenes that judge the embedded model: it was trained, fitted and calibrated on others.
pub const HELD_OUT_SEED: u64 = 9001;

/// Grows when scenes are drawn differently, so that older ones are not taken for them.
const DRAWING: u32 = 1;

/// Scenes of every set as files, `SET/KIND/INDEX.png`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The folder; it is made if it is not there.
    pub folder: PathBuf,
    /// Scenes of each set.
    pub scenes: u64,
}

impl World {
    /// Forty scenes a set, in the program's cache folder.
    pub fn kept_in(cache: &Path) -> Self {
        let folder = cache.join(format!("demo-world-{DRAWING}"));
        Self { folder, scenes: 40 }
    }

    /// The folder of each set, ID first.
    pub fn sets(&self) -> Vec<PathBuf> {
        Set::ALL.iter().map(|set| self.folder.join(set.name())).collect()
    }

    /// Scenes of all sets together.
    pub fn total(&self) -> usize {
        Set::ALL.len() * self.scenes as usize
    }

    /// Draws the scenes that are not there yet. Returns all of them, set by set, or `None` if
    /// `is_cancelled` said so; what was drawn stays. `done` is called after each scene.
    ///
    /// # Errors
    /// If the folder cannot be written to, or the disk is full. No file is left half written.
    pub fn draw(
        &self,
        done: &(dyn Fn() + Sync),
        is_cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<PathBuf>>, SceneWriteError> {
        let of_set = |set: Set| (0..self.scenes).map(move |index| (set, index));
        let scenes: Vec<(Set, u64)> = Set::ALL.into_iter().flat_map(of_set).collect();
        let draw = |&(set, index): &(Set, u64)| {
            if is_cancelled() {
                return Ok(None);
            }
            let path = self.draw_one(set, index)?;
            done();
            Ok(Some(path))
        };
        scenes.par_iter().map(draw).collect()
    }

    fn draw_one(&self, set: Set, index: u64) -> Result<PathBuf, SceneWriteError> {
        let folder = self.folder.join(set.name()).join(kind(set, HELD_OUT_SEED, index));
        let path = folder.join(format!("{index:06}.png"));
        // A file may be empty after a crash of the system; otherwise it is there whole.
        if !fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() > 0) {
            let scene = scene(set, HELD_OUT_SEED, index);
            make_folder(&folder)?;
            write_picture(&path, &scene.image, scene.size, image::ColorType::Rgb8)?;
        }
        Ok(path)
    }
}
