//! Scenes as files: PNGs in folders by kind, masks, a table of tags, a contact sheet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::{ImageError, RgbImage, imageops};
use rayon::prelude::*;

use super::scene::{SCENE_SIZE, Scene, Set, scene};
use super::tags::TAGS;

/// What can go wrong while scenes are written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A folder could not be made.
    #[error("cannot make the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A picture could not be written.
    #[error("cannot write the picture {path}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ImageError,
    },
    /// The table of tags could not be written.
    #[error("cannot write the table {path}")]
    Table {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
}

/// Writes scenes `0..count` of `set` below `out`, calling `done` after each:
/// `SET/KIND/INDEX.png`, `masks/SET/KIND/INDEX_N_NAME.png` for each object (255 where it is
/// visible), and `tags.csv` with the columns `path`, `class` (empty if none) and `tags` (separated
/// by `;`).
pub fn write_scenes(
    set: Set,
    seed: u64,
    count: u64,
    out: &Path,
    done: impl Fn() + Sync,
) -> Result<(), WriteError> {
    make_folder(out)?;
    let rows: Vec<Row> = (0..count)
        .into_par_iter()
        .map(|index| {
            let row = write_scene(&scene(set, seed, index), set, index, out)?;
            done();
            Ok(row)
        })
        .collect::<Result<_, WriteError>>()?;
    write_table(&rows, &out.join("tags.csv"))
}

/// One line of `tags.csv`.
struct Row {
    path: String,
    class: &'static str,
    tags: String,
}

fn write_scene(scene: &Scene, set: Set, index: u64, out: &Path) -> Result<Row, WriteError> {
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
    let tags: Vec<&str> = scene.tags.iter().map(|&tag| TAGS[tag]).collect();
    let class = scene.class.map_or("", |class| super::ID_CLASSES[class]);
    Ok(Row { path, class, tags: tags.join(";") })
}

/// Writes the first `count` scenes of `set` as one grid, each at half size.
pub fn write_sheet(set: Set, seed: u64, count: u32, path: &Path) -> Result<(), WriteError> {
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
    let picture = |source| WriteError::Picture { path: path.to_owned(), source };
    sheet.save_with_format(path, image::ImageFormat::Png).map_err(picture)
}

fn make_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError::Folder { path: path.to_owned(), source })
}

fn write_picture(
    path: &Path,
    bytes: &[u8],
    size: usize,
    colour: image::ColorType,
) -> Result<(), WriteError> {
    let side = size as u32;
    image::save_buffer_with_format(path, bytes, side, side, colour, image::ImageFormat::Png)
        .map_err(|source| WriteError::Picture { path: path.to_owned(), source })
}

fn write_table(rows: &[Row], path: &Path) -> Result<(), WriteError> {
    let table = |source| WriteError::Table { path: path.to_owned(), source };
    let mut writer = csv::Writer::from_path(path).map_err(table)?;
    writer.write_record(["path", "class", "tags"]).map_err(table)?;
    for row in rows {
        writer.write_record([row.path.as_str(), row.class, &row.tags]).map_err(table)?;
    }
    writer.flush().map_err(|source| table(source.into()))
}
