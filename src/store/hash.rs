//! FNV-1a, 64 bits: tells contents apart, is not meant to withstand forgery.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The running hash (Fowler, Noll and Vo; 64 bits, variant 1a).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    /// Takes in more bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash of what was taken in.
    pub fn finish(&self) -> u64 {
        self.0
    }
}

/// The hash of a file's bytes; `None` if it cannot be read.
pub fn hash_file(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let (mut hash, mut buffer) = (Fnv1a::default(), vec![0u8; 1 << 16]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(hash.finish()),
            Ok(count) => hash.write(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_vectors() {
        let of = |text: &str| {
            let mut hash = Fnv1a::default();
            hash.write(text.as_bytes());
            hash.finish()
        };
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
    }
}
