//! What taggers made of files, kept from one start of the program to the next: a file that is known
//! by its content, under a tagger that is known by its weights, is not tagged again.
//!
//! ```text
//! <cache folder>/tagged/<tagger>/<file>.row      magic · BLAKE3 of the rest · the rest
//! ```
//!
//! Names are hashes (BLAKE3): of a file's bytes and how they are decoded, and of all that decides the
//! tagger's numbers. Rows are written whole, read only where their sum is right, and removed oldest use
//! first where they are more than the limit; several programs may share the folder. Everything here can
//! be made again, so that no fault of the disk is more than a line in the log.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::CompactOutput;
use crate::image::DecodeOptions;
use crate::pipeline::{TaggerKey, TaggerOutput};

/// Bytes of rows that are kept, at most: some 10,000 images of RAM.
const LIMIT: u64 = 2 << 30;
/// Of the limit, what stays when rows are removed.
const KEPT: f64 = 0.9;
/// Bytes written between two counts of the folder, as a share of the limit.
const COUNT_EVERY: u64 = 32;
/// A row's use is noted at most this often.
const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);
/// A row is no larger: 4,585 tags with all their attention are 20 MB.
const LARGEST_ROW: u64 = 256 << 20;

/// Also the version of the layout and of the numbers: another one is another row.
const MAGIC: &[u8; 16] = b"tagood-lens row2";
const SUM: usize = blake3::OUT_LEN;

/// A file's content, and how it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentKey(blake3::Hash);

impl ContentKey {
    /// Of a file's bytes.
    pub fn of_bytes(bytes: &[u8], options: &DecodeOptions) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytes);
        Self::of_both(hasher, options)
    }

    /// Of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_file(path: &Path, options: &DecodeOptions) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(crate::fs::open(path)?)?;
        Ok(Self::of_both(hasher, options))
    }

    fn of_both(mut bytes: blake3::Hasher, options: &DecodeOptions) -> Self {
        bytes.update(format!("{options:?}").as_bytes());
        Self(bytes.finalize())
    }
}

/// The rows on the disk.
#[derive(Debug)]
pub struct OutputCache {
    folder: PathBuf,
    limit: u64,
    /// Bytes written since the folder was counted; `None` before the first time.
    written: Mutex<Option<u64>>,
}

impl OutputCache {
    /// The rows in the user's cache folder.
    pub fn of_user() -> Self {
        Self::new(crate::fs::cache_folder().join("tagged"), LIMIT)
    }

    /// Rows in a folder, made when the first is written, of `limit` bytes at most.
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, written: Mutex::default() }
    }

    /// What a tagger made of a file, if that is known.
    pub fn get(&self, tagger: &TaggerKey, content: &ContentKey) -> Option<TaggerOutput> {
        let path = self.path(tagger, content);
        let bytes = crate::fs::read(&path, LARGEST_ROW).ok()?;
        match output_from_row(&bytes) {
            Some(output) => {
                note_use(&path);
                Some(output)
            }
            None => {
                log::warn!("a damaged row of the cache is removed: {}", path.display());
                remove(&path);
                None
            }
        }
    }

    /// Keeps what a tagger made of a file.
    pub fn put(&self, tagger: &TaggerKey, content: &ContentKey, output: &TaggerOutput) {
        let (path, row) = (self.path(tagger, content), row_from_output(output));
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            crate::fs::write_unflushed(&path, &row)
        };
        match write() {
            Ok(()) => self.count(row.len() as u64),
            Err(error) => log::warn!("cannot keep a result: {error}: {}", path.display()),
        }
    }

    fn path(&self, tagger: &TaggerKey, content: &ContentKey) -> PathBuf {
        self.folder.join(tagger.to_hex()).join(format!("{}.row", content.0.to_hex()))
    }

    /// Removes the rows that were not used for longest, where there are too many by now.
    fn count(&self, bytes: u64) {
        let mut written = self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let since = written.map(|since| since + bytes);
        *written = match since {
            Some(since) if since < self.limit / COUNT_EVERY => Some(since),
            _ => {
                if let Err(error) = self.evict() {
                    log::warn!("cannot count the cache: {error}: {}", self.folder.display());
                }
                Some(0)
            }
        };
    }

    fn evict(&self) -> io::Result<()> {
        let mut rows = Vec::new();
        for tagger in fs::read_dir(&self.folder)?.flatten() {
            for row in fs::read_dir(tagger.path()).into_iter().flatten().flatten() {
                if let Ok(metadata) = row.metadata() {
                    let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    rows.push((used, metadata.len(), row.path()));
                }
            }
        }
        let mut total: u64 = rows.iter().map(|(_, size, _)| size).sum();
        if total <= self.limit {
            return Ok(());
        }
        rows.sort();
        let kept = (self.limit as f64 * KEPT) as u64;
        for (_, size, path) in rows {
            if total <= kept {
                break;
            }
            remove(&path);
            total -= size;
        }
        // Of taggers that are used no more nothing stays; one that has rows cannot be removed.
        for tagger in fs::read_dir(&self.folder)?.flatten() {
            fs::remove_dir(tagger.path()).ok();
        }
        Ok(())
    }
}

fn row_from_output(output: &TaggerOutput) -> Vec<u8> {
    let content = CompactOutput::of(output).to_bytes();
    let mut row = Vec::with_capacity(MAGIC.len() + SUM + content.len());
    row.extend(MAGIC);
    row.extend(blake3::hash(&content).as_bytes());
    row.extend(content);
    row
}

fn output_from_row(row: &[u8]) -> Option<TaggerOutput> {
    let (sum, content) = row.strip_prefix(MAGIC)?.split_at_checked(SUM)?;
    if blake3::hash(content).as_bytes() != sum {
        return None;
    }
    Some(CompactOutput::from_bytes(content)?.tagged())
}

/// Notes that a row was used, so that others are removed before it. Nothing is lost if it cannot be.
fn note_use(path: &Path) {
    let now = SystemTime::now();
    let noted = path.metadata().and_then(|metadata| metadata.modified());
    let is_recent =
        |noted: SystemTime| now.duration_since(noted).is_ok_and(|d| d < USE_NOTED_EVERY);
    if !noted.is_ok_and(is_recent) {
        File::options().append(true).open(path).and_then(|file| file.set_modified(now)).ok();
    }
}

/// Another program may have removed it first.
fn remove(path: &Path) {
    fs::remove_file(path).ok();
}

#[cfg(test)]
mod tests {
    use super::super::compact::tests::tagged;
    use super::*;

    fn key(name: &str) -> TaggerKey {
        TaggerKey::of_parts([("weights", name.as_bytes())])
    }

    fn content(number: usize) -> ContentKey {
        ContentKey::of_bytes(&number.to_le_bytes(), &DecodeOptions::default())
    }

    fn bytes_in(folder: &Path) -> u64 {
        let rows = fs::read_dir(folder).unwrap().flatten();
        let rows = rows.flat_map(|tagger| fs::read_dir(tagger.path()).unwrap().flatten());
        rows.map(|row| row.metadata().unwrap().len()).sum()
    }

    #[test]
    fn a_known_file_is_found_under_its_own_tagger_alone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = OutputCache::new(folder.path().join("tagged"), LIMIT);
        assert_eq!(cache.get(&key("a"), &content(0)), None);
        cache.put(&key("a"), &content(0), &tagged(0));
        cache.put(&key("b"), &content(0), &tagged(1));
        let again = OutputCache::new(folder.path().join("tagged"), LIMIT);
        assert_eq!(again.get(&key("a"), &content(0)), Some(tagged(0)));
        assert_eq!(again.get(&key("b"), &content(0)), Some(tagged(1)));
        assert_eq!(again.get(&key("a"), &content(1)), None);
        let plain = DecodeOptions::default();
        let turned = DecodeOptions { apply_orientation: !plain.apply_orientation, ..plain };
        let of = |options| ContentKey::of_bytes(b"x", options);
        assert_ne!(of(&turned), of(&plain));
        let file = folder.path().join("x");
        fs::write(&file, b"x").unwrap();
        assert_eq!(ContentKey::of_file(&file, &turned).unwrap(), of(&turned));
        let [joined, apart] = [[("ab", &b"c"[..])], [("a", &b"bc"[..])]].map(TaggerKey::of_parts);
        assert_ne!(joined, apart);
    }

    #[test]
    fn damaged_rows_are_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = OutputCache::new(folder.path().to_owned(), LIMIT);
        let path = cache.path(&key("a"), &content(0));
        cache.put(&key("a"), &content(0), &tagged(0));
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            fs::write(&path, damaged).unwrap();
            assert_eq!(cache.get(&key("a"), &content(0)), None, "byte {at}");
            assert!(!path.exists());
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(cache.get(&key("a"), &content(0)), None, "cut at {at}");
        }
        cache.put(&key("a"), &content(0), &tagged(0));
        assert_eq!(cache.get(&key("a"), &content(0)), Some(tagged(0)));
    }

    #[test]
    fn the_folder_has_a_limit_and_what_is_used_stays() {
        let folder = tempfile::tempdir().unwrap();
        let row = row_from_output(&tagged(0)).len() as u64;
        let limit = 40 * row;
        let cache = OutputCache::new(folder.path().to_owned(), limit);
        let day = Duration::from_secs(24 * 3600);
        for number in 0..100 {
            cache.put(&key("a"), &content(number), &tagged(number));
            // Written long ago, the first ones first.
            let path = cache.path(&key("a"), &content(number));
            let written = SystemTime::now() - day * (1000 - number as u32);
            File::options().append(true).open(path).unwrap().set_modified(written).unwrap();
            assert_eq!(cache.get(&key("a"), &content(0)), Some(tagged(0)), "after {number}");
            assert!(bytes_in(folder.path()) <= limit + row * limit / COUNT_EVERY / row + row);
        }
        assert_eq!(cache.get(&key("a"), &content(1)), None);
        assert_eq!(cache.get(&key("a"), &content(99)), Some(tagged(99)));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_costs_nothing_but_the_cache() {
        let cache = OutputCache::new("/dev/null/tagged".into(), LIMIT);
        cache.put(&key("a"), &content(0), &tagged(0));
        assert_eq!(cache.get(&key("a"), &content(0)), None);
    }
}
