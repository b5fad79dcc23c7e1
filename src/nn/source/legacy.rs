//! What `torch.save` wrote before 2020: one pickle after another (a magic number, the version,
//! facts of the machine, the object, the keys of its storages), then the storages, each with its
//! number of elements in front.

use std::collections::BTreeMap;

use super::bytes::FileBytes;
use super::pickle::{Node, Pickle};
use super::strided::{Storage, Strided};
use super::torch::{self, StorageId, Storages};

/// How such files begin: protocol 2, and the number 0x1950a86a20f9469cfc6c as a pickle.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Largest part of a file that is looked at for its pickles, in bytes.
const MAX_PICKLES: usize = 1 << 26;

/// The tensors of a file by name.
pub(super) fn tensors(file: &FileBytes) -> Result<BTreeMap<String, Strided>, String> {
    let head = file.read(0, file.length().min(MAX_PICKLES as u64) as usize);
    let head = head.map_err(|e| e.to_string())?;
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::parse(&head[at..])?;
        at += pickle.length;
        Ok::<_, String>(pickle)
    };
    let (_magic, _version, machine) = (next()?, next()?, next()?);
    if !is_little_endian(&machine) {
        return Err("it was written on a big-endian machine".into());
    }
    let (object, keys) = (next()?, next()?);
    torch::tensors(&object, &storages(file, at as u64, &object, &keys)?)
}

fn is_little_endian(machine: &Pickle) -> bool {
    machine
        .items(machine.root)
        .iter()
        .all(|&(key, value)| machine.text(key) != Some("little_endian") || machine.is_true(value))
}

/// Where each storage lies, in the order of `keys` from the byte `at` on.
fn storages(
    file: &FileBytes,
    mut at: u64,
    object: &Pickle,
    keys: &Pickle,
) -> Result<Storages, String> {
    let described = object.nodes().iter().filter_map(|node| match node {
        Node::Persistent(id) => StorageId::described(object, *id),
        _ => None,
    });
    let types: BTreeMap<_, _> = described.map(|id| (id.key, id.dtype)).collect();
    let mut found = Storages::new();
    for &key in keys.sequence(keys.root).unwrap_or_default() {
        let key = keys.text(key).ok_or("its list of storages is damaged")?;
        let dtype = types.get(key).copied().flatten();
        let size = dtype.ok_or("it holds a storage that nothing describes")?.size();
        let count = file.read(at, 8).map_err(|_| "it is cut short")?;
        let count = count.as_chunks::<8>().0.first().map_or(0, |b| u64::from_le_bytes(*b));
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(size));
        let length = length.ok_or("its storages are damaged")?;
        let start = at + 8;
        at = start
            .checked_add(length as u64)
            .filter(|&end| end <= file.length())
            .ok_or("it is cut short")?;
        found.insert(key.to_owned(), Storage { start, length, crc32: None });
    }
    Ok(found)
}
