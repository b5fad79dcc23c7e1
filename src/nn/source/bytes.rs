//! The bytes behind a source: a file, read piece by piece, or memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A safetensors file that is in memory already.
#[derive(Clone)]
pub enum SafetensorsBytes {
    /// Part of the binary.
    Static(&'static [u8]),
    /// Read or made at run time.
    Owned(Arc<[u8]>),
}

impl std::ops::Deref for SafetensorsBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// A file or its bytes. Files are read when asked and not mapped, so that one which another program
/// cuts short is an error and no fault.
pub(super) enum FileBytes {
    File { file: Mutex<File>, length: u64 },
    Memory(SafetensorsBytes),
}

impl FileBytes {
    /// Opens a regular file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = crate::fs::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self::File { file: Mutex::new(file), length })
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// `count` bytes from `start` on; nothing is allocated for bytes that are not there.
    pub(super) fn read(&self, start: u64, count: usize) -> io::Result<Vec<u8>> {
        let end = start.checked_add(count as u64).filter(|&end| end <= self.length());
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = vec![0; count];
        self.read_into(start, &mut bytes)?;
        Ok(bytes)
    }

    /// Shows `count` bytes from `start` on, piece by piece: a large tensor needs no second copy of
    /// itself. Pieces end at multiples of eight bytes from the start.
    pub(super) fn for_each_piece(
        &self,
        start: u64,
        count: usize,
        mut show: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        const PIECE: usize = 1 << 18;
        let end = start.checked_add(count as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut piece = vec![0; count.min(PIECE)];
        for at in (start..end).step_by(PIECE) {
            let piece = &mut piece[..((end - at) as usize).min(PIECE)];
            self.read_into(at, piece)?;
            show(piece);
        }
        Ok(())
    }

    fn read_into(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File { file, .. } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(bytes)
            }
            Self::Memory(all) => {
                let from = usize::try_from(start).ok().and_then(|start| all.get(start..));
                let from = from.and_then(|from| from.get(..bytes.len()));
                bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// All of it as a stream.
    pub(super) fn reader(&self) -> BufReader<FileReader<'_>> {
        BufReader::new(FileReader { bytes: self, at: 0 })
    }
}

/// A stream over [`FileBytes`].
pub(super) struct FileReader<'a> {
    bytes: &'a FileBytes,
    at: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.length().saturating_sub(self.at);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.bytes.read_into(self.at, &mut buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for FileReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.bytes.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
