//! Image–text pairs: a folder, a list, or a tar archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::ClipnError;
use crate::image::{IMAGE_EXTENSIONS, images_below};

/// Longest text that is read, in bytes: far more than a model reads of it.
const LONGEST_TEXT: u64 = 1 << 16;

/// What images' column is called in lists of pairs.
const IMAGE_COLUMNS: [&str; 5] = ["path", "image", "filepath", "file_name", "file"];
/// What texts' column is called in lists of pairs.
const TEXT_COLUMNS: [&str; 4] = ["caption", "text", "title", "description"];
/// Endings of texts beside images.
const TEXT_ENDINGS: [&str; 2] = ["txt", "caption"];

/// Where an image lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairImage {
    /// A file.
    File(PathBuf),
    /// Bytes of an archive.
    InTar {
        /// The archive.
        tar: PathBuf,
        /// Its name there.
        name: String,
        /// Where its bytes begin.
        from: u64,
        /// How many there are.
        length: u64,
    },
}

impl std::fmt::Display for PairImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::InTar { tar, name, .. } => write!(f, "{name} in {}", tar.display()),
        }
    }
}

/// An image and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The image.
    pub image: PairImage,
    /// The text: its first line that is not blank.
    pub text: String,
}

/// Pairs to train on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// The pairs, in an order that does not change.
    pub pairs: Vec<Pair>,
    /// Images without a text, which are left out.
    pub without_text: Vec<PairImage>,
}

impl Pairs {
    /// Finds pairs: in a folder, images with `NAME.txt` or `NAME.caption` beside `NAME.jpg`, and
    /// archives; in a `.csv` or `.tsv`, columns `path` and `caption`; in a `.tar`, entries of one name,
    /// as WebDataset has them, with `.txt` or `.json` (`caption`). Images are not decoded yet.
    ///
    /// # Errors
    /// If nothing of that kind is there, it cannot be read, or no image has a text.
    pub fn open(path: &Path) -> Result<Self, ClipnError> {
        let ending = |wanted: &str| {
            path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(wanted))
        };
        let found = match () {
            () if path.is_dir() => Self::of_folder(path)?,
            () if ending("csv") => Self::of_list(path, b',')?,
            () if ending("tsv") => Self::of_list(path, b'\t')?,
            () if ending("tar") => Self::of_tar(path)?,
            () => return Err(ClipnError::NoPairs(path.to_owned())),
        };
        match (found.pairs.len(), found.without_text.len()) {
            (0, 0) => Err(ClipnError::NoPairs(path.to_owned())),
            (0, images) => Err(ClipnError::WithoutText { images, path: path.to_owned() }),
            _ => Ok(found),
        }
    }

    fn of_folder(folder: &Path) -> Result<Self, ClipnError> {
        let mut found = Self::default();
        let below = images_below(folder).unwrap_or_default();
        for image in below.images {
            let beside = TEXT_ENDINGS.map(|ending| image.with_extension(ending));
            let text = beside.iter().find(|path| path.is_file()).and_then(|path| text_of(path));
            found.add(PairImage::File(image), text);
        }
        let entries = std::fs::read_dir(folder).map_err(io("cannot read the folder", folder))?;
        let mut archives: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        archives.retain(|path| path.extension().is_some_and(|ending| ending == "tar"));
        archives.sort_unstable();
        for archive in archives {
            let more = Self::of_tar(&archive)?;
            found.pairs.extend(more.pairs);
            found.without_text.extend(more.without_text);
        }
        Ok(found)
    }

    fn of_list(path: &Path, delimiter: u8) -> Result<Self, ClipnError> {
        let failed = |source| ClipnError::List { source, path: path.to_owned() };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(failed)?;
        let header = reader.headers().map_err(failed)?.clone();
        let column = |names: &[&str], wanted: &'static str| {
            let called = |cell: &str| {
                let cell = cell.trim_start_matches('\u{feff}');
                names.iter().any(|name| cell.eq_ignore_ascii_case(name))
            };
            header.iter().position(called).ok_or_else(|| ClipnError::Column {
                wanted,
                found: header.iter().collect::<Vec<_>>().join(", "),
                path: path.to_owned(),
            })
        };
        let (image, text) = (column(&IMAGE_COLUMNS, "path")?, column(&TEXT_COLUMNS, "caption")?);
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut found = Self::default();
        for record in reader.records() {
            let record = record.map_err(failed)?;
            let Some(file) = record.get(image).filter(|cell| !cell.is_empty()) else { continue };
            let text = record.get(text).and_then(first_line);
            found.add(PairImage::File(folder.join(file)), text);
        }
        Ok(found)
    }

    fn of_tar(path: &Path) -> Result<Self, ClipnError> {
        let failed = || io("cannot read the archive", path);
        let mut archive = tar::Archive::new(File::open(path).map_err(failed())?);
        // By the name up to the first dot of the file's name, in the archive's order of the images.
        let (mut images, mut texts) = (Vec::new(), BTreeMap::new());
        for entry in archive.entries().map_err(failed())? {
            let mut entry = entry.map_err(failed())?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let at = name.rfind('/').map_or(0, |slash| slash + 1);
            let Some(dot) = name[at..].find('.') else { continue };
            let (key, ending) = (name[..at + dot].to_owned(), name[at + dot + 1..].to_lowercase());
            if IMAGE_EXTENSIONS.contains(&ending.as_str()) {
                let (from, length) = (entry.raw_file_position(), entry.size());
                let image = PairImage::InTar { tar: path.to_owned(), name, from, length };
                images.push((key, image));
            } else if TEXT_ENDINGS.contains(&ending.as_str()) || ending == "json" {
                let mut bytes = Vec::new();
                entry.by_ref().take(LONGEST_TEXT).read_to_end(&mut bytes).map_err(failed())?;
                let text = String::from_utf8_lossy(&bytes);
                let text = match ending.as_str() {
                    "json" => caption_of_json(&text),
                    _ => first_line(&text),
                };
                // A text of its own goes before the description's.
                match ending.as_str() {
                    "json" => texts.entry(key).or_insert(text),
                    _ => texts.entry(key).insert_entry(text).into_mut(),
                };
            }
        }
        let mut found = Self::default();
        for (key, image) in images {
            found.add(image, texts.get(&key).cloned().flatten());
        }
        Ok(found)
    }

    fn add(&mut self, image: PairImage, text: Option<String>) {
        match text {
            Some(text) => self.pairs.push(Pair { image, text }),
            None => self.without_text.push(image),
        }
    }
}

fn text_of(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST_TEXT).read_to_end(&mut bytes).ok()?;
    first_line(&String::from_utf8_lossy(&bytes))
}

/// The first line that is not blank.
fn first_line(text: &str) -> Option<String> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).next()
}

fn caption_of_json(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    TEXT_COLUMNS.iter().find_map(|key| first_line(value.get(key)?.as_str()?))
}

fn io<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> ClipnError + use<'a> {
    move |source| ClipnError::Io { action, source, path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::new(2, 2).save(&path).unwrap();
        path
    }

    fn texts(pairs: &Pairs) -> Vec<&str> {
        pairs.pairs.iter().map(|pair| pair.text.as_str()).collect()
    }

    #[test]
    fn a_folder_has_texts_beside_images() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        image(at, "a/one.png");
        image(at, "two.png");
        let alone = image(at, "three.png");
        std::fs::write(at.join("a/one.txt"), "\n a red apple \nanother line").unwrap();
        std::fs::write(at.join("two.caption"), "\u{feff}two cats").unwrap();
        let pairs = Pairs::open(at).unwrap();
        assert_eq!(texts(&pairs), ["a red apple", "two cats"]);
        assert_eq!(pairs.without_text, [PairImage::File(alone)]);
    }

    #[test]
    fn pairs_without_text_are_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        image(folder.path(), "one.png");
        image(folder.path(), "two.png");
        let message = Pairs::open(folder.path()).unwrap_err().to_string();
        assert!(message.starts_with("none of the 2 images has a text"), "{message}");
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Pairs::open(empty.path()), Err(ClipnError::NoPairs(_))));
        assert!(matches!(Pairs::open(Path::new("nowhere")), Err(ClipnError::NoPairs(_))));
    }

    #[test]
    fn lists_name_images_and_captions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, "\u{feff}filepath,Title\na.png,\"a cat, a dog\"\nb.png,\n").unwrap();
        let pairs = Pairs::open(&path).unwrap();
        assert_eq!(texts(&pairs), ["a cat, a dog"]);
        assert_eq!(pairs.pairs[0].image, PairImage::File(folder.path().join("a.png")));
        assert_eq!(pairs.without_text.len(), 1);
        let path = folder.path().join("pairs.tsv");
        std::fs::write(&path, "path\tclass\na.png\tcat\n").unwrap();
        let message = Pairs::open(&path).unwrap_err().to_string();
        assert!(message.contains("column caption; it has path, class"), "{message}");
    }

    #[test]
    fn archives_group_entries_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shard.tar");
        let mut archive = tar::Builder::new(File::create(&path).unwrap());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append_data(&mut header, name, bytes).unwrap();
        };
        add("000/1.jpg", b"first image");
        add("000/1.json", br#"{"caption": "of the description"}"#);
        add("000/1.txt", b"its own text");
        add("000/2.seg.txt", b"nothing");
        add("000/3.png", b"third");
        add("000/3.json", br#"{"text": "of the description"}"#);
        add("000/4.png", b"fourth");
        archive.finish().unwrap();
        let pairs = Pairs::open(&path).unwrap();
        assert_eq!(texts(&pairs), ["its own text", "of the description"]);
        assert_eq!(pairs.without_text.len(), 1);
        let PairImage::InTar { from, length, .. } = &pairs.pairs[0].image else { panic!() };
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[*from as usize..][..*length as usize], b"first image");
        // A folder's archives are read too.
        assert_eq!(Pairs::open(folder.path()).unwrap().pairs, pairs.pairs);
    }
}
