//! Writing bundles: all of it under a temporary name, then renamed, so that a bundle is whole or
//! not there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use half::f16;
use serde::Serialize;

use super::manifest::Manifest;
use super::vocabulary::Vocabulary;
use super::{
    BundleError, CLASSES, MANIFEST, PROJECTOR, PROJECTOR_CE, STATISTICS, TAGGER, TAGS, THRESHOLDS,
};
use crate::fs::{self, WholeFile, WholeFolder};
use crate::nn::source::Source;

/// The type that weights are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Single,
    /// 16-bit floats.
    Half,
}

/// Tensors to be written.
pub enum Weights<'a> {
    /// Some tensors of a source, read one at a time.
    Stored(&'a Source, Vec<String>),
    /// Tensors in memory: name, shape, values in row-major order.
    Values(&'a [(String, Vec<usize>, Vec<f32>)]),
}

/// What goes into a bundle's folder.
pub struct BundleFiles<'a> {
    /// Shapes, recipe, thresholds.
    pub manifest: &'a Manifest,
    /// Tags and classes.
    pub vocabulary: &'a Vocabulary,
    /// The tagger.
    pub tagger: (Weights<'a>, Precision),
    /// The projector with its `centers`.
    pub projector: Option<(Weights<'a>, Precision)>,
    /// A projector trained with cross-entropy alone.
    pub projector_ce: Option<(Weights<'a>, Precision)>,
    /// What detectors were fitted to, as safetensors.
    pub statistics: Option<&'a [u8]>,
}

impl BundleFiles<'_> {
    /// Writes the bundle to a folder that does not exist yet (or is empty).
    ///
    /// # Errors
    /// If the folder holds something, a tensor cannot be read, or the disk cannot be written; what
    /// was written by then is removed.
    pub fn write(&self, folder: &Path) -> Result<(), BundleError> {
        let failed = || io("cannot write the bundle", folder);
        let whole = WholeFolder::create(folder).map_err(failed())?;
        self.write_into(whole.path())?;
        whole.commit().map_err(failed())
    }

    fn write_into(&self, folder: &Path) -> Result<(), BundleError> {
        let text = toml::to_string(self.manifest).map_err(|e| BundleError::Manifest {
            reason: e.to_string(),
            path: folder.join(MANIFEST),
        })?;
        let vocabulary = self.vocabulary;
        let mut thresholds = String::new();
        vocabulary.thresholds.iter().for_each(|t| thresholds += &format!("{t}\n"));
        let texts = [
            (MANIFEST, text),
            (TAGS, vocabulary.tags.join("\n") + "\n"),
            (THRESHOLDS, thresholds),
            (CLASSES, vocabulary.classes_text()),
        ];
        for (name, text) in texts {
            let path = folder.join(name);
            fs::write(&path, text).map_err(io("cannot write the bundle", &path))?;
        }
        write_weights(&folder.join(TAGGER), &self.tagger)?;
        if let Some(projector) = &self.projector {
            write_weights(&folder.join(PROJECTOR), projector)?;
        }
        if let Some(projector) = &self.projector_ce {
            write_weights(&folder.join(PROJECTOR_CE), projector)?;
        }
        if let Some(bytes) = self.statistics {
            let path = folder.join(STATISTICS);
            fs::write(&path, bytes).map_err(io("cannot write the bundle", &path))?;
        }
        Ok(())
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BundleError {
    move |source| BundleError::Io { action, source, path: path.to_owned() }
}

fn write_weights(
    path: &Path,
    (weights, precision): &(Weights, Precision),
) -> Result<(), BundleError> {
    match weights {
        Weights::Values(tensors) => {
            let shapes = tensors.iter().map(|(name, shape, _)| (name.clone(), shape.clone()));
            let values: BTreeMap<&str, &[f32]> = tensors
                .iter()
                .map(|(name, _, values)| (name.as_str(), values.as_slice()))
                .collect();
            write_safetensors(path, &shapes.collect(), *precision, |name, _| {
                Ok(values[name].to_vec())
            })
        }
        Weights::Stored(source, names) => {
            let all = source.shapes();
            let shapes = names.iter().filter_map(|n| Some((n.clone(), all.get(n)?.clone())));
            write_safetensors(path, &shapes.collect(), *precision, |name, shape| {
                Ok(source.read(name, shape)?)
            })
        }
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

/// Writes tensors to a safetensors file, asking for one at a time, so that a file larger than
/// memory can be written.
///
/// # Errors
/// If `read` fails, gives another number of values than the shape says, or the file cannot be
/// written.
pub fn write_safetensors(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    precision: Precision,
    mut read: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, BundleError>,
) -> Result<(), BundleError> {
    let (dtype, size) = match precision {
        Precision::Single => ("F32", 4),
        Precision::Half => ("F16", 2),
    };
    let mut at = 0;
    let mut header = BTreeMap::new();
    for (name, shape) in shapes {
        let end = at + shape.iter().product::<usize>() * size;
        header.insert(name, Entry { dtype, shape, data_offsets: [at, end] });
        at = end;
    }
    let mut header = serde_json::to_vec(&header)
        .map_err(|e| BundleError::Manifest { reason: e.to_string(), path: path.to_owned() })?;
    header.resize(header.len().next_multiple_of(8), b' ');

    let fail = || io("cannot write the weights", path);
    let mut file = WholeFile::create(path).map_err(fail())?;
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(fail())?;
    file.write_all(&header).map_err(fail())?;
    for (name, shape) in shapes {
        let values = read(name, shape)?;
        if values.len() != shape.iter().product::<usize>() {
            let reason = format!("tensor `{name}` has {} values for {shape:?}", values.len());
            return Err(BundleError::Manifest { reason, path: path.to_owned() });
        }
        for chunk in values.chunks(1 << 16) {
            file.write_all(&bytes_of(chunk, precision)).map_err(fail())?;
        }
    }
    file.commit().map_err(fail())
}

fn bytes_of(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::Single => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::Half => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let shapes = BTreeMap::from([("a".to_owned(), vec![2, 3]), ("b".to_owned(), vec![])]);
        let values = |name: &str| match name {
            "a" => vec![0.5, -1.0, 2.0, 3.0, 65504.0, 0.0],
            _ => vec![7.0],
        };
        for precision in [Precision::Single, Precision::Half] {
            write_safetensors(&path, &shapes, precision, |name, _| Ok(values(name))).unwrap();
            let source = Source::open(&path).unwrap();
            assert_eq!(source.shapes(), shapes);
            assert_eq!(source.read("a", &[2, 3]).unwrap(), values("a"));
            assert_eq!(source.read("b", &[]).unwrap(), values("b"));
        }
    }

    #[test]
    fn a_wrong_number_of_values_names_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let shapes = BTreeMap::from([("a".to_owned(), vec![2])]);
        let error = write_safetensors(&path, &shapes, Precision::Single, |_, _| Ok(vec![1.0]));
        assert!(error.unwrap_err().to_string().contains("`a`"));
    }
}
