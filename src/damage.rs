//! Damaged files for tests: what disks, networks and editors make of a whole one.

use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that happens to a file.
#[derive(Clone, Debug)]
enum Blow {
    /// A byte becomes another.
    Byte(f64, u8),
    /// What follows is lost.
    Cut(f64),
    /// Bytes come in between.
    Insert(f64, Vec<u8>),
    /// A part stands twice.
    Double(f64, usize),
    /// Eight bytes become an extreme number.
    Number(f64, u64),
}

fn blow() -> impl Strategy<Value = Blow> {
    let extreme = prop::sample::select(vec![0, 1, 1 << 31, u64::MAX >> 1, 1 << 63, u64::MAX]);
    prop_oneof![
        4 => (0.0..1.0, any::<u8>()).prop_map(|(at, byte)| Blow::Byte(at, byte)),
        1 => (0.0..1.0).prop_map(Blow::Cut),
        1 => (0.0..1.0, vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Blow::Insert(at, bytes)),
        1 => (0.0..1.0, 1usize..64).prop_map(|(at, length)| Blow::Double(at, length)),
        2 => (0.0..1.0, extreme).prop_map(|(at, number)| Blow::Number(at, number)),
    ]
}

impl Blow {
    fn strike(self, bytes: &mut Vec<u8>) {
        let place = |at: f64, length: usize| (at * length as f64) as usize;
        match self {
            Self::Byte(at, byte) => {
                let at = place(at, bytes.len());
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
            Self::Cut(at) => bytes.truncate(place(at, bytes.len() + 1)),
            Self::Insert(at, new) => {
                let at = place(at, bytes.len() + 1);
                bytes.splice(at..at, new);
            }
            Self::Double(at, length) => {
                let from = place(at, bytes.len() + 1);
                let part = bytes[from..bytes.len().min(from + length)].to_vec();
                bytes.splice(from..from, part);
            }
            Self::Number(at, number) => {
                let from = place(at, bytes.len() + 1);
                let to = bytes.len().min(from + 8);
                bytes[from..to].copy_from_slice(&number.to_le_bytes()[..to - from]);
            }
        }
    }
}

/// A file after one to four blows; most are near its begin or its end, where its structure is.
pub(crate) fn damaged(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    vec((blow(), 0u8..4), 1..5).prop_map(move |blows| {
        let mut bytes = whole.clone();
        for (blow, whereabouts) in blows {
            // Towards the begin, towards the end, or anywhere.
            let bend = |at: f64| match whereabouts {
                0 => at * at * at,
                1 => 1.0 - (1.0 - at).powi(3),
                _ => at,
            };
            let blow = match blow {
                Blow::Byte(at, byte) => Blow::Byte(bend(at), byte),
                Blow::Cut(at) => Blow::Cut(bend(at)),
                Blow::Insert(at, new) => Blow::Insert(bend(at), new),
                Blow::Double(at, length) => Blow::Double(bend(at), length),
                Blow::Number(at, number) => Blow::Number(bend(at), number),
            };
            blow.strike(&mut bytes);
        }
        bytes
    })
}

/// So many cases of a test, none of which is kept in a file.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count) }
}
