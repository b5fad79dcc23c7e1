//! Files and folders: how everything is written, what may be read, where the program keeps its own.
//!
//! There is one way to write. A [`WholeFile`] or [`WholeFolder`] grows beside its place under a
//! temporary name, its bytes are flushed to the disk, and only then it is renamed: a full disk, a
//! fault or a kill leaves what was there before, and no cut file stands under a final name. Only
//! pictures and dumps, which are many and can be made again, are not flushed ([`write_unflushed`]): a
//! power cut may cost them. Whoever writes a temporary holds a lock on it, so those that a killed run
//! left behind are told from those of a run beside this one, and removed when the next file is
//! written to the same folder.
//!
//! Reading takes regular files of a bounded size: a named pipe would never answer, a device never
//! end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use directories::ProjectDirs;

/// The program's name, as its folders have it.
const NAME: &str = "tagood-lens";
/// The end of a temporary's name; its begin is a dot.
const TEMPORARY: &str = ".tagood-lens.tmp";
/// So much of the final name, in bytes, is in the temporary one, which must fit into 255.
const NAME_BYTES: usize = 180;

/// The file by which a run has a folder for itself.
pub const FOLDER_LOCK: &str = ".lock";

/// A file that is being written: whole under its name after [`WholeFile::commit`], else not there.
#[derive(Debug)]
pub struct WholeFile {
    out: BufWriter<File>,
    temporary: Temporary,
}

impl WholeFile {
    /// Begins the file beside its place. What stands there stays until [`WholeFile::commit`].
    ///
    /// # Errors
    /// If the folder cannot be written to, or something other than a file stands in the place.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link stays a link.
        let path = match path.is_symlink() {
            true => path.canonicalize()?,
            false => path.to_owned(),
        };
        if let Ok(metadata) = path.metadata() {
            regular(&metadata)?;
        }
        let (temporary, file) = Temporary::new(&path, |path| {
            OpenOptions::new().read(true).write(true).create_new(true).open(path)
        })?;
        Ok(Self { out: BufWriter::with_capacity(1 << 18, file), temporary })
    }

    /// Brings the bytes to the disk and gives the file its name.
    ///
    /// # Errors
    /// If the disk is full or fails; what was in the place then still is.
    pub fn commit(mut self) -> io::Result<()> {
        let path = self.temporary.target.clone();
        self.flush_to_disk()?;
        self.temporary.rename()?;
        flush_folder(&path);
        Ok(())
    }

    fn flush_to_disk(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a file whole, or not at all.
///
/// # Errors
/// As [`WholeFile::create`] and [`WholeFile::commit`].
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes.as_ref())?;
    file.commit()
}

/// Writes a file that can be made again, whole as a kill or a full disk are concerned, without waiting
/// for the disk: a hundredth of the time of [`write()`].
///
/// # Errors
/// As [`write()`].
pub fn write_unflushed(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes.as_ref())?;
    file.out.flush()?;
    file.temporary.rename()
}

/// Writes several files: all are on the disk before the first takes its name, so that a full disk
/// leaves every one as it was.
///
/// # Errors
/// The first that cannot be written, and why.
pub fn write_all(files: &[(PathBuf, Vec<u8>)]) -> Result<(), (PathBuf, io::Error)> {
    let mut written = Vec::new();
    for (path, bytes) in files {
        let whole = || {
            let mut file = WholeFile::create(path)?;
            file.write_all(bytes)?;
            file.flush_to_disk()?;
            Ok(file.temporary)
        };
        written.push(whole().map_err(|error| (path.clone(), error))?);
    }
    written.into_iter().zip(files).try_for_each(|(temporary, (path, _))| {
        temporary.rename().map_err(|error| (path.clone(), error))?;
        flush_folder(path);
        Ok(())
    })
}

/// A folder that is being filled: whole under its name after [`WholeFolder::commit`], else not there.
#[derive(Debug)]
pub struct WholeFolder {
    temporary: Temporary,
    /// Held open for its lock.
    _handle: Option<File>,
}

impl WholeFolder {
    /// Begins the folder beside its place, which must be free or an empty folder.
    ///
    /// # Errors
    /// If something stands in the place, or the folder above cannot be written to.
    pub fn create(path: &Path) -> io::Result<Self> {
        if is_occupied(path) {
            let reason = "will not write over what is already there; name another folder";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        let (temporary, handle) = Temporary::new(path, |path| {
            fs::create_dir(path)?;
            // Not every system opens folders; one that does not has no lock on them.
            Ok(File::open(path).ok())
        })?;
        Ok(Self { temporary, _handle: handle })
    }

    /// Where to write what goes into it.
    pub fn path(&self) -> &Path {
        &self.temporary.path
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// If something has taken its place meanwhile.
    pub fn commit(self) -> io::Result<()> {
        if self.temporary.target.is_dir() {
            fs::remove_dir(&self.temporary.target)?;
        }
        let path = self.temporary.target.clone();
        self.temporary.rename()?;
        flush_folder(&path);
        Ok(())
    }
}

/// Whether something stands at a place for a new folder: a file, or a folder that is not empty.
pub fn is_occupied(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// A temporary file or folder; removed when it goes out of scope unrenamed.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    target: PathBuf,
    renamed: bool,
}

/// What can be locked while it is written.
trait Lockable {
    /// False if another process holds the lock.
    fn lock(&self) -> bool;
}

impl Lockable for File {
    fn lock(&self) -> bool {
        // Where the file system knows no locks, nobody can remove the file for lack of one.
        !matches!(self.try_lock(), Err(fs::TryLockError::WouldBlock))
    }
}

impl Lockable for Option<File> {
    fn lock(&self) -> bool {
        self.as_ref().is_none_or(Lockable::lock)
    }
}

impl Temporary {
    /// Makes it by `make` under a name that nothing has, and locks it.
    fn new<T: Lockable>(
        target: &Path,
        make: impl Fn(&Path) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path ends in no name"));
        };
        let folder = folder_of(target);
        sweep_once(folder);
        let name = name.to_string_lossy();
        let name = &name[..name.floor_char_boundary(NAME_BYTES)];
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".{name}.{}-{number}{TEMPORARY}", std::process::id()));
            let made = match make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            };
            // Another process may have swept it away before it was locked: then once more.
            if made.lock() && path.exists() {
                return Ok((Self { path, target: target.to_owned(), renamed: false }, made));
            }
        }
    }

    fn rename(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)?;
        self.renamed = true;
        Ok(())
    }
}

/// Makes a new name outlast a power cut, as its bytes do. Not every system can flush a folder.
fn flush_folder(path: &Path) {
    if let Err(error) = File::open(folder_of(path)).and_then(|folder| folder.sync_all()) {
        log::debug!("cannot flush the folder: {error}");
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            remove(&self.path);
        }
    }
}

/// Whether a name is one that a file has while it is written: what a killed run may leave behind.
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

/// Removes what killed runs left in a folder, the first time that this process writes to it.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned()) {
        sweep(folder);
    }
}

fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_temporary(&entry.file_name())) {
        let path = entry.path();
        // The lock of a run that still writes is held until it ends, however it ends.
        let abandoned = File::open(&path).map(|file| file.try_lock().map(|()| file));
        if let Ok(Ok(_lock)) = abandoned {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    if let Err(error) = removed {
        log::warn!("cannot remove: {error}: {}", path.display());
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Takes a folder for this run alone, until the answer goes out of scope or the process ends, however
/// it ends. `None` if another run has it.
///
/// # Errors
/// If the folder cannot be written to, or its system knows no locks.
pub fn lock_folder(folder: &Path) -> io::Result<Option<File>> {
    let file = File::create(folder.join(FOLDER_LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a file to be read.
///
/// # Errors
/// If it is not there, cannot be read, or is a folder, a pipe or a device.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened, which waits for ever on a pipe that nobody writes to.
    regular(&path.metadata()?)?;
    let file = File::open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], and if the file is larger.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or_default());
    // It may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let reason = format!("it has {size} bytes, and at most {limit} are taken");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Reads a text of at most `limit` bytes.
///
/// # Errors
/// As [`read`], and if it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// A path for people: bytes that are no UTF-8 as `\\xE9`, so that two names never look the same.
pub fn shown_path(path: &Path) -> Cow<'_, str> {
    if let Some(text) = path.to_str() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for part in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        shown.push_str(part.valid());
        part.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02X}")));
    }
    Cow::Owned(shown)
}

/// A path for a line of text: as [`shown_path`], and what would steer a terminal or turn the text around
/// as `\u{1b}`.
pub fn printable(path: &Path) -> String {
    printable_text(&shown_path(path))
}

/// A text on a line of its own: what would steer a terminal, break the line or turn the text around is
/// written as `\u{1b}`.
pub fn printable_text(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut printable = String::new();
    for c in text.chars() {
        if steers(c) {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

fn regular(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let (kind, what) = match metadata.is_dir() {
        true => (io::ErrorKind::IsADirectory, "it is a folder, not a file"),
        false => (io::ErrorKind::InvalidInput, "it is a pipe or a device, not a file"),
    };
    Err(io::Error::new(kind, what))
}

/// Where the program keeps what it can make again, there or not; among the system's temporary files
/// if the user has no home.
pub fn cache_folder() -> PathBuf {
    let fallback = || std::env::temp_dir().join(NAME);
    own_folders().map_or_else(fallback, |folders| folders.cache_dir().to_owned())
}

/// Where the program keeps what the user would miss, the saved session; `None` if the user has no
/// home.
pub fn data_folder() -> Option<PathBuf> {
    own_folders().map(|folders| folders.data_dir().to_owned())
}

fn own_folders() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", NAME)
}

#[cfg(test)]
mod tests;
