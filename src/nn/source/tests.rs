//! Pickles as they should not be, and damaged checkpoints of every kind.

use std::path::Path;

use proptest::prelude::*;

use super::Source;
use super::pickle::{Node, Pickle};
use super::strided::{ElementType, Storage, Strided};
use super::torch::{Storages, tensors};
use crate::damage::{fuzz, one_damaged, one_sentence};

/// A pickle of protocol 2 with these opcodes.
fn pickle(opcodes: &[&[u8]]) -> Result<Pickle, String> {
    Pickle::parse(&[b"\x80\x02", opcodes.concat().as_slice(), b"."].concat())
}

fn names(pickle: &Pickle, storages: &Storages) -> Result<Vec<String>, String> {
    Ok(tensors(pickle, storages)?.into_keys().collect())
}

/// `{'w': tensor}` of storage `0`, with an offset, a shape and strides.
fn tensor(offset: u8, shape: [u8; 2], strides: [u8; 2]) -> Vec<u8> {
    let pair = |[a, b]: [u8; 2]| [b"K", &[a][..], b"K", &[b], b"\x86"].concat();
    [
        b"}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n",
        &b"X\x01\0\0\x000X\x03\0\0\0cpuK\x04tQK"[..],
        &[offset],
        &pair(shape),
        &pair(strides),
        b"\x89)tRs",
    ]
    .concat()
}

fn storages() -> Storages {
    [("0".to_owned(), Storage { start: 0, length: 16, crc32: None })].into()
}

#[test]
fn a_tensor_must_lie_inside_its_storage() {
    let read = |bytes: &[u8]| names(&pickle(&[bytes]).unwrap(), &storages());
    assert_eq!(read(&tensor(0, [2, 2], [2, 1])).unwrap(), ["w"]);
    assert_eq!(read(&tensor(9, [0, 7], [1, 1])).unwrap(), ["w"]);
    let error = read(&tensor(1, [2, 2], [2, 1])).unwrap_err();
    assert!(error.contains("`w` reaches beyond its storage"), "{error}");
    let error = names(&pickle(&[&tensor(0, [2, 2], [2, 1])]).unwrap(), &Storages::new());
    assert!(error.unwrap_err().contains("has lost its storage 0"));
}

#[test]
fn nothing_is_called() {
    let run = pickle(&[b"cos\nsystem\n(X\x05\0\0\0touchtR"]).unwrap();
    assert!(matches!(run.node(run.root), Node::Call(_)));
    assert!(names(&run, &Storages::new()).unwrap().is_empty());
}

#[test]
fn a_pickle_that_refers_to_itself_comes_to_an_end() {
    // A list that holds itself, under two names.
    let circle = pickle(&[b"]q\0(h\0h\0e"]).unwrap();
    let error = names(&circle, &Storages::new()).unwrap_err();
    assert!(error.contains("refers to itself"), "{error}");
    // Thirty lists, each twice the one before.
    let mut opcodes = b"]q\0".to_vec();
    for level in 0..30u8 {
        opcodes.extend([b']', b'q', level + 1, b'(', b'h', level, b'h', level, b'e']);
    }
    assert!(names(&pickle(&[&opcodes]).unwrap(), &Storages::new()).is_err());
}

#[test]
fn depth_is_no_danger() {
    // A million tuples, one in the other.
    let deep = [&b")"[..], &b"\x85".repeat(1_000_000)].concat();
    assert!(names(&pickle(&[&deep]).unwrap(), &Storages::new()).unwrap().is_empty());
}

#[test]
fn what_a_pickle_lacks_is_an_error() {
    let broken: [&[u8]; 12] = [
        b"",
        b"0",
        b"h\x07",
        b"t",
        b"a",
        b"R",
        b"(K\x01u",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        b"X\xff\xff\xff\xff",
        b"\x8b\xff\xff\xff\xff",
        b"K\x01K\x02\x93",
        b"\xfe",
    ];
    for opcodes in broken {
        assert!(pickle(&[opcodes]).is_err(), "{opcodes:?}");
    }
    // More values than any checkpoint holds.
    assert!(pickle(&[&b"N".repeat(5_000_000)]).is_err());
}

fn values(view: &Strided, bytes: &[u8]) -> Vec<f32> {
    let mut held = Vec::new();
    view.append(bytes, &mut held);
    view.in_order(held)
}

#[test]
fn views_are_gathered() {
    let storage = Storage { start: 0, length: 24, crc32: None };
    let bytes: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let view = |offset, shape: &[usize], strides: &[usize]| {
        let view = Strided::new(storage, ElementType::F32, offset, shape.into(), strides.into());
        view.map(|view| {
            let (start, count) = view.bytes();
            values(&view, &bytes[start as usize..][..count])
        })
    };
    assert_eq!(view(0, &[3, 2], &[1, 3]).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(view(0, &[2, 2], &[3, 2]).unwrap(), [0.0, 2.0, 3.0, 5.0]);
    assert_eq!(view(5, &[3], &[0]).unwrap(), [5.0; 3]);
    assert_eq!(view(2, &[], &[]).unwrap(), [2.0]);
    assert!(view(0, &[7], &[1]).is_err());
    assert!(view(0, &[usize::MAX, 2], &[0, 0]).is_err());
    assert!(view(0, &[1 << 25], &[0]).is_err());
    assert!(view(usize::MAX, &[2], &[usize::MAX]).is_err());
    let turned = Strided::contiguous(storage, ElementType::F32, vec![2, 3]).unwrap().transposed();
    assert_eq!(turned.shape(), [3, 2]);
    assert_eq!(values(&turned, &bytes), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
}

/// Small files of every kind that the reader takes.
const CHECKPOINTS: [&str; 15] = [
    "checkpoints/protocol_2.pth",
    "checkpoints/protocol_3.pth",
    "checkpoints/protocol_4.pth",
    "checkpoints/protocol_5.pth",
    "checkpoints/before_2020.pth",
    "checkpoints/views_before_2020.pth",
    "checkpoints/fine_tuned_ram_best_7.pth",
    "checkpoints/whole_module.pth",
    "checkpoints/wrapped.pth",
    "checkpoints/script.pt",
    "tiny/odd_tensors.pth",
    "tiny/odd_tensors.safetensors",
    "tiny/tiny_projector.pth",
    "clip/tiny_locoop.pth.tar-50",
    "clip/gelu.safetensors",
];

#[test]
fn damaged_checkpoints_are_read_or_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let file = |name: &str| (name.to_owned(), std::fs::read(fixtures.join(name)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pth");
    fuzz(1000, one_damaged(CHECKPOINTS.map(file).to_vec()), |(_, bytes)| {
        std::fs::write(&path, bytes)?;
        let source = match Source::open(&path) {
            Ok(source) => source,
            Err(error) => return one_sentence(&error, "damaged.pth"),
        };
        for (name, shape) in source.shapes() {
            match source.read(&name, &shape) {
                Ok(values) => prop_assert!(values.iter().all(|value| value.is_finite())),
                Err(error) => one_sentence(&error, "damaged.pth")?,
            }
        }
        Ok(())
    });
}
