//! A file for what does not fit into memory. It has no name where the system allows that, and it ends
//! with the program.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where something lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    at: u64,
    length: u64,
}

/// The file, with the stretches of it that are free again.
pub(super) struct Spill {
    file: File,
    path: PathBuf,
    end: u64,
    free: Vec<Extent>,
}

impl Spill {
    /// Makes the file in the user's cache folder, or in that for temporary files.
    ///
    /// # Errors
    /// If neither can be written to.
    pub(super) fn create() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tagood-lens.{}.{number}.spill", std::process::id());
        let open = |folder: PathBuf| {
            let path = folder.join(&name);
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create_new(true).open(&path)?;
            io::Result::Ok((file, path))
        };
        let cache = crate::fs::cache_folder();
        let cached = std::fs::create_dir_all(&cache).and_then(|()| open(cache));
        let (file, path) = cached.or_else(|_| open(std::env::temp_dir()))?;
        // Nothing is left behind even if the program is killed; where an open file cannot be
        // removed, it is when it is closed.
        if cfg!(unix) {
            std::fs::remove_file(&path)?;
        }
        Ok(Self { file, path, end: 0, free: Vec::new() })
    }

    /// Writes into the first free stretch that is long enough, or at the end.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let length = bytes.len() as u64;
        let found = self.free.iter().position(|free| free.length >= length);
        let at = found.map_or(self.end, |index| self.free[index].at);
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        match found {
            Some(index) => {
                let rest = &mut self.free[index];
                (rest.at, rest.length) = (at + length, rest.length - length);
                if rest.length == 0 {
                    self.free.swap_remove(index);
                }
            }
            None => self.end = at + length,
        }
        Ok(Extent { at, length })
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// If the disk fails.
    pub(super) fn read(&mut self, stretch: Extent) -> io::Result<Vec<u8>> {
        let length = usize::try_from(stretch.length).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(stretch.at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Gives a stretch back.
    pub(super) fn free(&mut self, stretch: Extent) {
        self.free.push(stretch);
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if !cfg!(unix)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_read_back_and_used_again() {
        let mut spill = Spill::create().unwrap();
        let first = spill.write(&[1; 100]).unwrap();
        let second = spill.write(&[2; 50]).unwrap();
        assert_eq!(spill.read(first).unwrap(), [1; 100]);
        assert_eq!(spill.read(second).unwrap(), [2; 50]);
        spill.free(first);
        let third = spill.write(&[3; 60]).unwrap();
        let fourth = spill.write(&[4; 40]).unwrap();
        assert_eq!(spill.end, 150, "the file does not grow while there is room in it");
        assert_eq!(spill.read(third).unwrap(), [3; 60]);
        assert_eq!(spill.read(fourth).unwrap(), [4; 40]);
        assert_eq!(spill.read(second).unwrap(), [2; 50]);
        assert!(spill.free.is_empty());
    }
}
