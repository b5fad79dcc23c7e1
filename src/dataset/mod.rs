//! Sets of images: a folder, a folder of class folders, or a CSV of paths and classes.

mod csv_list;
pub(crate) mod csv_text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::image::{
    FileFormat, Found, IMAGE_EXTENSIONS, Listing, PassedOver, WalkError, images_below, list_folder,
};

/// A named set of images in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The folder's name, or the CSV's without its extension.
    pub name: String,
    /// The images: by path in a folder, in the file's order from a CSV.
    pub items: Vec<Item>,
    /// Names of the classes, ascending (by number where all are numbers); none in a set without
    /// labels.
    pub classes: Vec<String>,
    /// Files of its folders that are no images.
    pub passed_over: PassedOver,
}

/// One image of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where the image is.
    pub path: PathBuf,
    /// Index into [`Dataset::classes`], if the set has labels.
    pub class: Option<usize>,
}

/// The two parts of a set; both keep its order and all its classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What to fit on.
    pub train: Dataset,
    /// What to choose by: λ, the best epoch.
    pub validation: Dataset,
}

/// Why a set cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum DatasetError {
    #[error("cannot read the set of images: {source}: {path}")]
    Io { path: PathBuf, source: std::io::Error },
    /// No image at all.
    #[error("there is no image ({}){passed_over} in {path}", IMAGE_EXTENSIONS.join(", "))]
    Empty { path: PathBuf, passed_over: String },
    /// An image where a folder or a CSV of them belongs.
    #[error(
        "this is one image ({format}); name its folder, or a CSV with the columns path,class: {path}"
    )]
    OneImage { path: PathBuf, format: FileFormat },
    /// A labelled set was asked for, and the folder has no class folders.
    #[error("a labelled set needs a folder for each class, and there is none in {0}")]
    NoClassFolders(PathBuf),
    /// Class folders without an image.
    #[error("class folders without an image: {}: in {path}", shortened(.classes))]
    EmptyClasses { path: PathBuf, classes: Vec<String> },
    /// Images beside the class folders, whose class nobody knows.
    #[error("images beside the class folders have no class: {}: in {path}", shortened(.images))]
    UnlabelledImages { path: PathBuf, images: Vec<String> },
    /// One class where several are compared.
    #[error("the set {name:?} has {} ({}); at least 2 are needed",
        if .classes.len() == 1 { "one class only" } else { "no classes" }, .classes.join(", "))]
    TooFewClasses { name: String, classes: Vec<String> },
    /// A class that no list could name.
    #[error("the class {class:?} holds a control character, such as a tab; rename it: in {path}")]
    ClassName { path: PathBuf, class: String },
    /// The CSV is not a table of `path` and `class`.
    #[error("line {line}: {fault}: in {path}")]
    BadRow { path: PathBuf, line: usize, fault: String },
    /// The CSV lists files that are not there.
    #[error("{} of {listed} listed images are missing: {}: in {path}", .missing.len(), shortened(.missing))]
    MissingFiles {
        path: PathBuf,
        listed: usize,
        /// The missing ones, each with its line.
        missing: Vec<String>,
    },
    /// A share that leaves nothing on one side.
    #[error("the share of validation images must lie between 0 and 1 (both excluded), not {0}")]
    BadShare(f64),
}

impl From<WalkError> for DatasetError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Unreadable { folder, source } => Self::Io { path: folder, source },
            WalkError::Empty(path) => Self::Empty { path, passed_over: String::new() },
        }
    }
}

impl Dataset {
    /// A set without labels: every image in a folder and its subfolders.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read or holds no image.
    pub fn from_folder(folder: &Path) -> Result<Self, DatasetError> {
        let Found { images, passed_over, .. } = images_below(folder)?;
        if images.is_empty() {
            let passed_over = passed_over.sentence().map(|sentence| format!("; {sentence}:"));
            let passed_over = passed_over.unwrap_or_default();
            return Err(DatasetError::Empty { path: folder.to_owned(), passed_over });
        }
        let items = images.into_iter().map(|path| Item { path, class: None }).collect();
        Ok(Self { name: name_of(folder), items, classes: Vec::new(), passed_over })
    }

    /// A set with labels: a folder of class folders, or a CSV with the columns `path,class`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::from_class_folders`] or [`Self::from_csv`].
    pub fn labelled(path: &Path) -> Result<Self, DatasetError> {
        if path.is_file() { Self::from_csv(path) } else { Self::from_class_folders(path) }
    }

    /// A set with labels from ImageNet's layout: each folder is a class, named by the folder, and
    /// every image under it is of that class.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read, has no class folders, an empty class folder, or images beside
    /// the class folders.
    pub fn from_class_folders(folder: &Path) -> Result<Self, DatasetError> {
        let path = || folder.to_owned();
        let Listing { folders, images, mut passed_over } = list_folder(folder)?;
        if folders.is_empty() {
            return Err(DatasetError::NoClassFolders(path()));
        }
        if !images.is_empty() {
            let images = images.iter().map(|image| name_of(image)).collect();
            return Err(DatasetError::UnlabelledImages { path: path(), images });
        }
        let mut labelled = Vec::new();
        let mut empty = Vec::new();
        for class_folder in folders {
            let class = name_of(&class_folder);
            let Found { images, passed_over: others, .. } = images_below(&class_folder)?;
            passed_over.extend(others);
            if images.is_empty() {
                empty.push(class);
            } else {
                labelled.extend(images.into_iter().map(|path| (path, class.clone())));
            }
        }
        if !empty.is_empty() {
            return Err(DatasetError::EmptyClasses { path: path(), classes: empty });
        }
        Ok(Self { passed_over, ..Self::from_labelled(name_of(folder), labelled, folder)? })
    }

    /// A set with labels from a CSV with the columns `path` (relative to the CSV's folder, or
    /// absolute) and `class` (a name or a number).
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a missing column, an empty or repeated cell, no rows, or files
    /// that are not there; these are listed.
    pub fn from_csv(file: &Path) -> Result<Self, DatasetError> {
        let labelled = csv_list::read(file)?;
        let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Self::from_labelled(name, labelled, file)
    }

    fn from_labelled(
        name: String,
        labelled: Vec<(PathBuf, String)>,
        path: &Path,
    ) -> Result<Self, DatasetError> {
        let mut classes: Vec<String> = labelled.iter().map(|(_, class)| class.clone()).collect();
        if let Some(class) = classes.iter().find(|class| class.contains(char::is_control)) {
            return Err(DatasetError::ClassName { path: path.to_owned(), class: class.clone() });
        }
        if classes.iter().all(|class| class.parse::<u64>().is_ok()) {
            classes.sort_by_key(|class| (class.parse::<u64>().ok(), class.clone()));
        } else {
            classes.sort();
        }
        classes.dedup();
        let index: BTreeMap<&String, usize> = classes.iter().zip(0..).collect();
        let items = labelled
            .into_iter()
            .map(|(path, class)| Item { path, class: index.get(&class).copied() })
            .collect();
        Ok(Self { name, items, classes, passed_over: PassedOver::default() })
    }

    /// Refuses a set with fewer than two classes, for what compares classes.
    ///
    /// # Errors
    ///
    /// One class or none.
    pub fn require_several_classes(&self) -> Result<(), DatasetError> {
        if self.classes.len() >= 2 {
            return Ok(());
        }
        let (name, classes) = (self.name.clone(), self.classes.clone());
        Err(DatasetError::TooFewClasses { name, classes })
    }

    /// Splits each class by itself, so that both parts have the set's mix of classes.
    ///
    /// A class gives `validation_share` of its images to validation, rounded, but at least one to
    /// each part; a class of one image gives it to training. Images without a class are split like
    /// one class. The same seed and set give the same parts.
    ///
    /// # Errors
    ///
    /// A share that is not between 0 and 1.
    pub fn split(&self, validation_share: f64, seed: u64) -> Result<Split, DatasetError> {
        let in_validation = self.held_out(validation_share, seed)?;
        let part = |validation: bool| {
            let items = self.items.iter().zip(&in_validation);
            let items = items.filter(|(_, held_out)| **held_out == validation);
            Self {
                name: self.name.clone(),
                items: items.map(|(item, _)| item.clone()).collect(),
                classes: self.classes.clone(),
                passed_over: PassedOver::default(),
            }
        };
        Ok(Split { train: part(false), validation: part(true) })
    }

    /// For each image, whether [`Self::split`] gives it to validation.
    ///
    /// # Errors
    ///
    /// A share that is not between 0 and 1.
    pub fn held_out(&self, validation_share: f64, seed: u64) -> Result<Vec<bool>, DatasetError> {
        if !(validation_share > 0.0 && validation_share < 1.0) {
            return Err(DatasetError::BadShare(validation_share));
        }
        let mut items_of_class: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (index, item) in self.items.iter().enumerate() {
            items_of_class.entry(item.class).or_default().push(index);
        }
        let mut in_validation = vec![false; self.items.len()];
        for (class, mut indices) in items_of_class {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(class.map_or(0, |class| class as u64 + 1));
            indices.shuffle(&mut rng);
            for &index in &indices[..validation_count(indices.len(), validation_share)] {
                in_validation[index] = true;
            }
        }
        Ok(in_validation)
    }
}

fn validation_count(images: usize, share: f64) -> usize {
    if images < 2 {
        return 0;
    }
    ((images as f64 * share).round() as usize).clamp(1, images - 1)
}

/// The last part of a path; of `.` and the like, the last part of what it stands for.
fn name_of(path: &Path) -> String {
    let resolved = || path.canonicalize().ok()?.file_name().map(|name| name.to_owned());
    let name = path.file_name().map(|name| name.to_owned()).or_else(resolved);
    name.unwrap_or_else(|| path.as_os_str().to_owned()).to_string_lossy().into_owned()
}

/// The first few of a list that may be long.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
