//! Scenes as files: PNGs in folders by kind, masks, a table of tags, a contact sheet.

use std::io;
use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use rayon::prelude::*;

use super::captions;
use super::rng::SceneRng;
use super::scene::{SCENE_SIZE, Scene, Set, scene};
use super::table::TagTable;
use super::tags::TAGS;
use crate::fs;
use crate::image::{png, png_of};

/// What can go wrong while scenes are written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum SceneWriteError {
    /// A folder could not be made.
    #[error("cannot make the folder: {source}: {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    /// A picture could not be written.
    #[error("cannot write the picture: {source}: {}", path.display())]
    Picture { path: PathBuf, source: io::Error },
    /// The table of tags could not be read or written.
    #[error("cannot keep the table of tags: {source}: {}", path.display())]
    Table { path: PathBuf, source: csv::Error },
    /// There is a file in the table's place that is none of ours.
    #[error("there is another kind of table here, which is left as it is: {}", path.display())]
    OtherTable { path: PathBuf },
}

/// Writes scenes `0..count` of `set` below `out`, calling `done` after each:
/// `SET/KIND/INDEX.png`, `masks/SET/KIND/INDEX_N_NAME.png` for each object (255 where it is
/// visible), and in `tags.csv` a line for each, with the columns `path`, `class` (empty if none) and
/// `tags` (separated by `;`). Lines of other pictures in that table stay.
///
/// # Errors
/// If a file cannot be written, or `tags.csv` is something else.
pub fn write_scenes(
    set: Set,
    seed: u64,
    count: u64,
    out: &Path,
    done: impl Fn() + Sync,
) -> Result<(), SceneWriteError> {
    make_folder(out)?;
    let mut table = TagTable::open(out)?;
    let drawn: Vec<(String, Scene)> = (0..count)
        .into_par_iter()
        .map(|index| {
            let mut scene = scene(set, seed, index);
            let path = write_scene(&scene, set, index, out)?;
            // The table needs no pixels.
            (scene.image, scene.labels) = (Vec::new(), Vec::new());
            done();
            Ok((path, scene))
        })
        .collect::<Result<_, SceneWriteError>>()?;
    for (path, scene) in drawn {
        let tags: Vec<&str> = scene.tags.iter().map(|&tag| TAGS[tag]).collect();
        let class = scene.class.map_or("", |class| super::ID_CLASSES[class]);
        table.insert(path, class, &tags);
    }
    table.write()
}

/// The domain of captions' random draws, apart from the scenes'.
const CAPTION_DOMAIN: u64 = 43;

/// Writes scenes `0..count` of `set` below `out` with a caption beside each, as trainings on image–text
/// pairs read them: `SET/KIND/INDEX.png` and `SET/KIND/INDEX.txt`. Half of the captions say much of a
/// scene, the others name one thing in it. Scenes in which nothing has a name are left out.
///
/// # Errors
/// If a file cannot be written.
pub fn write_captioned(
    set: Set,
    seed: u64,
    count: u64,
    out: &Path,
    done: impl Fn() + Sync,
) -> Result<(), SceneWriteError> {
    let write = |index: u64| {
        let scene = scene(set, seed, index);
        let mut rng = SceneRng::new(CAPTION_DOMAIN, seed, index);
        if let Some(caption) = captions::either(&scene, &mut rng) {
            let folder = out.join(set.name()).join(scene.kind);
            make_folder(&folder)?;
            let path = folder.join(format!("{index:06}.png"));
            write_picture(&path, &scene.image, scene.size, image::ColorType::Rgb8)?;
            let text = path.with_extension("txt");
            fs::write(&text, caption)
                .map_err(|source| SceneWriteError::Picture { path: text.clone(), source })?;
        }
        done();
        Ok(())
    };
    (0..count).into_par_iter().try_for_each(write)
}

/// Writes the picture and its masks; returns the picture's path below `out`.
fn write_scene(scene: &Scene, set: Set, index: u64, out: &Path) -> Result<String, SceneWriteError> {
    let folder = format!("{set}/{}", scene.kind);
    let path = format!("{folder}/{index:06}.png");
    make_folder(&out.join(&folder))?;
    write_picture(&out.join(&path), &scene.image, scene.size, image::ColorType::Rgb8)?;
    if !scene.objects.is_empty() {
        make_folder(&out.join("masks").join(&folder))?;
    }
    for (number, object) in scene.objects.iter().enumerate() {
        let name = format!("masks/{folder}/{index:06}_{number}_{}.png", object.name);
        let mask = scene.mask(object);
        write_picture(&out.join(name), &mask, scene.size, image::ColorType::L8)?;
    }
    Ok(path)
}

/// Writes the first `count` scenes of `set` as one grid, each at half size.
pub fn write_sheet(set: Set, seed: u64, count: u32, path: &Path) -> Result<(), SceneWriteError> {
    // A little wider than high.
    let columns = (1..=count).find(|n| n * n * 5 >= count * 6).unwrap_or(1);
    let rows = count.div_ceil(columns);
    let cell = SCENE_SIZE as u32 / 2;
    let gap = 6;
    let pitch = cell + gap;
    let thumbnails: Vec<RgbImage> = (0..u64::from(count))
        .into_par_iter()
        .filter_map(|index| {
            let scene = scene(set, seed, index);
            let side = scene.size as u32;
            let full = RgbImage::from_raw(side, side, scene.image)?;
            Some(imageops::thumbnail(&full, cell, cell))
        })
        .collect();
    let paper = image::Rgb([250, 247, 240]);
    let mut sheet = RgbImage::from_pixel(columns * pitch + gap, rows * pitch + gap, paper);
    for (number, thumbnail) in (0..).zip(&thumbnails) {
        let (x, y) = (number % columns * pitch + gap, number / columns * pitch + gap);
        imageops::replace(&mut sheet, thumbnail, i64::from(x), i64::from(y));
    }
    let picture = |source| SceneWriteError::Picture { path: path.to_owned(), source };
    png(&sheet).and_then(|bytes| fs::write(path, bytes)).map_err(picture)
}

pub(super) fn make_folder(path: &Path) -> Result<(), SceneWriteError> {
    std::fs::create_dir_all(path)
        .map_err(|source| SceneWriteError::Folder { path: path.to_owned(), source })
}

pub(super) fn write_picture(
    path: &Path,
    bytes: &[u8],
    size: usize,
    colour: image::ColorType,
) -> Result<(), SceneWriteError> {
    let side = size as u32;
    png_of(bytes, [side, side], colour)
        .and_then(|bytes| fs::write_unflushed(path, bytes))
        .map_err(|source| SceneWriteError::Picture { path: path.to_owned(), source })
}
