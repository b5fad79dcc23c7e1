use std::collections::{BTreeMap, HashMap};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::ScoreError;

/// One named array of a [`Statistics`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// The values, last axis fastest.
    pub data: Vec<f32>,
}

/// What fitting makes and the bundle keeps: named `f32` tensors, shared by all detectors.
///
/// A name is `owner.what`, where the owner is a detector or, for what several detectors read, a family
/// (`gaussian.whitening`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    tensors: BTreeMap<String, Tensor>,
}

impl Statistics {
    /// The tensor `name`, if it was fitted.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Names and tensors, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Keeps `data` under `name`, in place of what was there.
    ///
    /// # Errors
    ///
    /// `shape` does not hold as many values, or one of them is not finite.
    pub fn insert(
        &mut self,
        name: &str,
        shape: &[usize],
        data: Vec<f32>,
    ) -> Result<(), ScoreError> {
        if shape.iter().product::<usize>() != data.len() {
            let (expected, found) = (shape.to_vec(), vec![data.len()]);
            return Err(ScoreError::Shape { name: name.to_owned(), expected, found });
        }
        if !data.iter().all(|v| v.is_finite()) {
            return Err(ScoreError::TensorNotFinite { name: name.to_owned() });
        }
        self.tensors.insert(name.to_owned(), Tensor { shape: shape.to_vec(), data });
        Ok(())
    }

    /// The values of `name`, which has to have this shape; an axis given as 0 may have any length.
    ///
    /// # Errors
    ///
    /// It is missing or has another shape.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<&[f32], ScoreError> {
        let tensor =
            self.get(name).ok_or_else(|| ScoreError::MissingStatistic { name: name.to_owned() })?;
        let fits = tensor.shape.len() == shape.len()
            && tensor.shape.iter().zip(shape).all(|(&found, &asked)| asked == 0 || found == asked);
        if !fits {
            let (expected, found) = (shape.to_vec(), tensor.shape.clone());
            return Err(ScoreError::Shape { name: name.to_owned(), expected, found });
        }
        Ok(&tensor.data)
    }

    /// The single value of a tensor of shape `[1]`.
    ///
    /// # Errors
    ///
    /// It is missing or has another shape.
    pub fn scalar(&self, name: &str) -> Result<f32, ScoreError> {
        Ok(self.values(name, &[1])?.first().copied().unwrap_or_default())
    }

    /// The content of a safetensors file.
    ///
    /// # Errors
    ///
    /// The format refuses the names or sizes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ScoreError> {
        let bytes: Vec<(&str, &[usize], Vec<u8>)> = self
            .iter()
            .map(|(name, t)| {
                let bytes = t.data.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name, t.shape.as_slice(), bytes)
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<Result<Vec<_>, ScoreError>>()?;
        let about = HashMap::from([("content".to_owned(), "detector statistics".to_owned())]);
        Ok(safetensors::serialize(views, Some(about))?)
    }

    /// Reads what [`Statistics::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// Not a safetensors file, a tensor that is not `f32`, or a value that is not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ScoreError> {
        let mut statistics = Self::default();
        for (name, view) in SafeTensors::deserialize(bytes)?.tensors() {
            if view.dtype() != Dtype::F32 {
                let dtype = format!("{:?}", view.dtype());
                return Err(ScoreError::Dtype { name, dtype });
            }
            let (values, _) = view.data().as_chunks::<4>();
            let data = values.iter().map(|&v| f32::from_le_bytes(v)).collect();
            statistics.insert(&name, view.shape(), data)?;
        }
        Ok(statistics)
    }
}
