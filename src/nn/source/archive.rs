//! The zip archives that `torch.save` and `torch.jit.save` write: one root folder with `data.pkl`
//! and the storages `data/0`, `data/1`, …, uncompressed.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::Format;
use super::bytes::{FileBytes, FileReader};
use super::pickle::Pickle;
use super::strided::{Storage, Strided};
use super::torch::{self, Storages};

/// Largest pickle that is read, in bytes; those of the largest checkpoints have a few megabytes.
const MAX_PICKLE: u64 = 1 << 26;

/// How zip files begin.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// The tensors of an archive by name, and which of the two kinds it is.
pub(super) fn tensors(file: &FileBytes) -> Result<(Format, BTreeMap<String, Strided>), String> {
    // The archive begins where the file does. Left to look for its beginning, the zip crate takes
    // files whose root folder has 21 letters for archives that begin 76 bytes later.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut zip = ZipArchive::with_config(config, file.reader()).map_err(broken)?;
    let names = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let pickle = names.into_iter().find(|name| name == "data.pkl" || name.ends_with("/data.pkl"));
    let pickle = pickle.ok_or("a zip archive without data.pkl, so not one of PyTorch's")?;
    let root = pickle.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    check_byte_order(&mut zip, &format!("{root}byteorder"))?;
    let pickle = Pickle::parse(&entry(&mut zip, &pickle, MAX_PICKLE)?)?;
    let format = match zip.index_for_name(&format!("{root}constants.pkl")) {
        Some(_) => Format::TorchScript,
        None => Format::Pytorch,
    };
    Ok((format, torch::tensors(&pickle, &storages(&mut zip, &format!("{root}data/"))?)?))
}

type Zip<'a> = ZipArchive<BufReader<FileReader<'a>>>;

fn check_byte_order(zip: &mut Zip, name: &str) -> Result<(), String> {
    if zip.index_for_name(name).is_none() || entry(zip, name, 64)?.starts_with(b"little") {
        return Ok(());
    }
    Err("it was written on a big-endian machine".into())
}

fn entry(zip: &mut Zip, name: &str, limit: u64) -> Result<Vec<u8>, String> {
    let entry = zip.by_name(name).map_err(broken)?;
    if entry.size() > limit {
        return Err(format!("its entry {name} claims {} bytes", entry.size()));
    }
    let mut bytes = Vec::new();
    entry.take(limit).read_to_end(&mut bytes).map_err(|e| format!("its entry {name}: {e}"))?;
    Ok(bytes)
}

/// Where each storage lies in the file.
fn storages(zip: &mut Zip, folder: &str) -> Result<Storages, String> {
    let mut found = Storages::new();
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?;
        let Some(key) = name.strip_prefix(folder).map(str::to_owned) else { continue };
        if entry.compression() != CompressionMethod::Stored {
            return Err(
                "its weights are compressed, which PyTorch does not do; unpack it, and save \
                        it with torch.save again"
                    .into(),
            );
        }
        let start = entry.data_start().ok_or("its directory does not say where weights are")?;
        let length = usize::try_from(entry.size()).map_err(|e| e.to_string())?;
        // A checksum of zero is one that was not taken.
        let crc32 = Some(entry.crc32()).filter(|&crc| crc != 0);
        found.insert(key, Storage { start, length, crc32 });
    }
    Ok(found)
}

fn broken(error: ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(what) => what.to_string(),
        other => format!("a damaged zip archive: {other}"),
    }
}
