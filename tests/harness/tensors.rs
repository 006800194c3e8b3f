//! Tensors in test data, from safetensors and JSON, and the comparison of results.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tfjs::{Input, Tensor};

/// Differences of values below this fraction of an output's largest value are divided by that fraction of it instead
/// of by the value: sums of large terms may be small, but have the errors of the terms.
const FLOOR: f64 = 0.1;

/// Numbers with a shape.
#[derive(Clone, Debug)]
pub struct Named {
    shape: Vec<usize>,
    values: Vec<f64>,
    tensor: Option<Tensor>,
}

impl Named {
    /// The values of a tensor.
    ///
    /// # Errors
    /// Those of candle.
    pub fn from_tensor(tensor: &Tensor) -> Result<Named, String> {
        let flat = tensor.to_dtype(tfjs::DType::F64).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f64>());
        let values = flat.map_err(|e| e.to_string())?;
        Ok(Named { shape: tensor.dims().to_vec(), values, tensor: Some(tensor.clone()) })
    }

    /// The largest difference from `found`, each relative to the expected value, or to a tenth of the largest
    /// one (at least 1e-3, so that an output of zeros has a scale). Infinities and NaNs must be at the same positions.
    ///
    /// # Errors
    /// Another shape, or an infinity or NaN on one side only.
    pub fn difference(&self, found: &Named) -> Result<f64, String> {
        if self.shape != found.shape {
            return Err(format!("shape {:?}, expected {:?}", found.shape, self.shape));
        }
        let scale = self.values.iter().filter(|v| v.is_finite()).fold(1e-3f64, |m, v| m.max(v.abs()));
        let mut worst = 0.0f64;
        for (i, (want, is)) in self.values.iter().zip(&found.values).enumerate() {
            if want == is || (want.is_nan() && is.is_nan()) {
                continue;
            }
            let difference = (want - is).abs() / want.abs().max(FLOOR * scale);
            if !difference.is_finite() {
                return Err(format!("element {i} is {is}, expected {want}"));
            }
            worst = worst.max(difference);
        }
        Ok(worst)
    }
}

/// The tensors of a safetensors file.
///
/// # Errors
/// A file that cannot be read.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Named>, String> {
    let tensors =
        candle_core::safetensors::load(path, &tfjs::Device::Cpu).map_err(|e| format!("{}: {e}", path.display()))?;
    tensors.into_iter().map(|(name, tensor)| Ok((name, Named::from_tensor(&tensor)?))).collect()
}

/// The inputs of a case: `inputs.safetensors`, or `inputs.json` if there are strings.
///
/// # Errors
/// Files that cannot be read.
pub fn read_inputs(folder: &Path) -> Result<Vec<(String, Input)>, String> {
    let json = folder.join("inputs.json");
    if json.exists() {
        let text = std::fs::read(&json).map_err(|e| e.to_string())?;
        let object: BTreeMap<String, Value> = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
        return object.into_iter().map(|(name, value)| Ok((name, json_input(&value)?))).collect();
    }
    let tensors = read_tensors(&folder.join("inputs.safetensors"))?;
    Ok(tensors.into_iter().filter_map(|(name, named)| Some((name, Input::Tensor(named.tensor?)))).collect())
}

fn json_input(value: &Value) -> Result<Input, String> {
    let mut shape = Vec::new();
    let mut level = value;
    while let Value::Array(items) = level {
        shape.push(items.len());
        level = items.first().ok_or("an empty list")?;
    }
    let mut leaves = Vec::new();
    collect(value, &mut leaves);
    if leaves.iter().all(|v| v.is_string()) {
        let strings = leaves.iter().filter_map(|v| v.as_str());
        return Input::strings(strings, shape).map_err(|e| e.to_string());
    }
    let numbers: Vec<f32> = leaves.iter().filter_map(|v| v.as_f64()).map(|n| n as f32).collect();
    Input::new(numbers, shape).map_err(|e| e.to_string())
}

fn collect<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| collect(v, out)),
        leaf => out.push(leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(want: &[f64], is: &[f64]) -> Result<f64, String> {
        let named = |values: &[f64]| Named { shape: vec![values.len()], values: values.to_vec(), tensor: None };
        named(want).difference(&named(is))
    }

    #[test]
    fn differences_are_by_element() {
        assert_eq!(difference(&[2.0, 0.5], &[2.0, 0.5]), Ok(0.0));
        assert_eq!(difference(&[2.0, 0.5], &[2.0, 0.25]), Ok(0.5));
        // Values below a tenth of the scale are compared relative to that tenth.
        assert_eq!(difference(&[4.0, 0.0], &[4.0, 0.1]), Ok(0.25));
        assert_eq!(difference(&[f64::NAN, f64::INFINITY], &[f64::NAN, f64::INFINITY]), Ok(0.0));
        assert!(difference(&[f64::NAN], &[1.0]).is_err());
        assert!(difference(&[1.0], &[f64::NAN]).is_err());
        assert!(difference(&[1.0], &[1.0, 1.0]).is_err());
    }
}
