//! The formats that can be read, told apart by content and never by name.

use std::fmt;

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK.
    Jpeg,
    /// All colour types and depths; of an animation, the default image.
    Png,
    /// Lossy and lossless; of an animation, the first frame.
    WebP,
    /// The first frame.
    Gif,
    /// 1 to 32 bits a pixel.
    Bmp,
    /// The first page; BigTIFF too.
    Tiff,
}

impl FileFormat {
    /// The format that the first bytes show.
    pub fn of_content(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Self::Png,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            [b'B', b'M', ..] => Self::Bmp,
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Self::Tiff,
            _ => return None,
        })
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        })
    }
}

/// What content that cannot be read looks like, and what to do about it: the end of a sentence that
/// says that it is no picture of a known format. Empty where it looks like nothing known.
pub(super) fn described(bytes: &[u8]) -> &'static str {
    let brand = match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => brand.get(..4).unwrap_or_default(),
        _ => &[],
    };
    let text = bytes.trim_ascii_start();
    match (brand, bytes) {
        (b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1", _) => {
            "; it looks like HEIC, as phones write it: save it as JPEG"
        }
        (b"avif" | b"avis", _) => "; it looks like AVIF: save it as JPEG or PNG",
        (_, [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] | [0xFF, 0x0A, ..]) => {
            "; it looks like JPEG XL: save it as JPEG or PNG"
        }
        (_, [0, 0, 0, 12, b'j', b'P', ..] | [0xFF, 0x4F, 0xFF, 0x51, ..]) => {
            "; it looks like JPEG 2000: save it as JPEG or PNG"
        }
        _ if text.starts_with(b"<svg") || text.starts_with(b"<?xml") => {
            "; it looks like SVG or other XML: save it as PNG"
        }
        _ if text.starts_with(b"<!") || text.starts_with(b"<html") => {
            "; it is a web page, perhaps of a download that failed"
        }
        _ if bytes.starts_with(b"version https://git-lfs") => {
            "; it is a Git LFS pointer: fetch the file itself with `git lfs pull`"
        }
        _ => "",
    }
}
