//! The feature store: what the tagger made of a set of images, on disk.
//!
//! A store is a folder: `store.toml` says which tagger made it ([`StoreHeader`]), `chunk-000000.arrow`,
//! `chunk-000001.arrow`, … hold the rows, one Arrow IPC file for each chunk of images, and
//! `chunks.toml` says which chunks there are, with a hash of each. A chunk is written under a temporary
//! name, flushed to the disk and renamed: after a crash or a kill there is a whole chunk or none, and
//! the next run goes on behind the last one.
//!
//! A row is of one content of one image. Where the file has changed since, or could not be read then,
//! the next run makes a new row, and of two rows with one set and path the last counts.
//!
//! | column | Arrow type | |
//! |---|---|---|
//! | `path` | utf8 | absolute; bytes that are no UTF-8 as `\xE9` |
//! | `path_bytes` | binary, nullable | the path where it is no UTF-8 |
//! | `hash` | uint64, nullable | first 64 bits of BLAKE3 of the file's bytes; null if unreadable |
//! | `size`, `modified_ns` | uint64, int64, nullable | of the file, in bytes and nanoseconds since 1970 |
//! | `set` | utf8 | the set's name |
//! | `class` | utf8, nullable | the class's name; null in a set without labels |
//! | `width`, `height` | uint32 | of the image, in pixels; 0 if it cannot be decoded |
//! | `error` | utf8, nullable | why the image failed; its tensors are then null |
//! | `logits` | fixed_size_list\<float32\>\[T\] | tag logits |
//! | `tokens` | fixed_size_list\<float16\>\[P·W\] | image tokens, the global one first |
//! | `tags` | list\<uint32\> | the tags whose attention is kept, ascending |
//! | `attention` | list\<float32\> | `[tags, L, P]`, summed over heads |
//! | `tensors_digest` | fixed_size_binary\[32\] | hash of the row's tensors |
//! | `digest` | fixed_size_binary\[32\] | hash of the rest of the row, and of `tensors_digest` |
//!
//! P positions, W token width, T tags, L layers; the schema's metadata has the shapes. Attention
//! stays `f32`: at half precision, masks would flip. Which tags' attention is kept depends on the
//! tags' thresholds (see [`tags_to_keep`]), hardly on the classes, so that one store serves several
//! vocabularies.

mod attention;
mod chunk;
mod columns;
mod content;
mod digest;
mod compact;
mod error;
mod extract;
mod header;
mod identity;
mod manifest;
mod output_cache;
mod reader;
mod record;
mod schema;
mod writer;

pub use attention::{add_attention, add_missing_attention, tags_to_keep};
pub use chunk::{Chunk, Row};
pub(crate) use compact::CompactOutput;
pub use content::{Stamp, hash_file};
pub use error::StoreError;
pub use extract::{ExtractError, ExtractOptions, Progress, RowCheck, Summary, extract};
pub use header::{FORMAT, ROWS_PER_CHUNK, StoreHeader};
pub use output_cache::{ContentKey, OutputCache};
pub use reader::Store;
pub use record::{Record, Tensors, TensorsRef, stored_path};
pub use writer::{Known, StoreWriter};

#[cfg(test)]
mod tests;
