//! The output of layers that encode categories: the indices, or for each example a row with entries at its indices.
//! All of these layers share it.
//!
//! Reference: `encode_categorical_inputs` in Keras 2's `preprocessing_utils.py`, Keras 3's `numerical_utils.py` and
//! TensorFlow.js's `preprocessing_utils.ts`.

use crate::config::{Config, FromJson, expected};
use crate::lower::LowerCx;
use crate::producer::Family;
use crate::types::ValueType;
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// The indices themselves.
    Int,
    /// A row of zeros with a 1 for each index.
    OneHot,
    /// One row for the whole last axis, with a 1 at each index that occurs.
    MultiHot,
    /// One row for the whole last axis, with the number of occurrences of each index.
    Count,
    /// [`Count`](OutputMode::Count), multiplied by a weight for each index.
    TfIdf,
}

impl FromJson for OutputMode {
    fn from_json(value: &Json) -> Result<Self> {
        Ok(match value.as_str() {
            Some("int") => OutputMode::Int,
            Some("one_hot" | "oneHot") => OutputMode::OneHot,
            Some("multi_hot" | "multiHot" | "binary") => OutputMode::MultiHot,
            Some("count") => OutputMode::Count,
            Some("tf_idf" | "tfIdf" | "tf-idf") => OutputMode::TfIdf,
            _ => return Err(expected("`int`, `one_hot`, `multi_hot`, `count` or `tf_idf`", value)),
        })
    }
}

impl OutputMode {
    /// Reads the output mode of a layer that supports `known`.
    ///
    /// # Errors
    /// Another mode, at its key.
    pub fn read(config: &Config<'_>, default: Self, known: &[Self]) -> Result<Self> {
        let mode = config.or("output_mode", default)?;
        if known.contains(&mode) {
            return Ok(mode);
        }
        let message = format!("this layer has no output mode `{}`", mode.name());
        Err(Error::malformed(message).at_json("output_mode").at_json("config"))
    }

    fn name(self) -> &'static str {
        match self {
            OutputMode::Int => "int",
            OutputMode::OneHot => "one_hot",
            OutputMode::MultiHot => "multi_hot",
            OutputMode::Count => "count",
            OutputMode::TfIdf => "tf_idf",
        }
    }
}

/// The form of the output, its length and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The form.
    pub output: OutputMode,
    /// The length of a row.
    pub depth: usize,
    /// The element type of the result.
    pub element: ElementType,
    /// Whether inputs of rank 3 or more are counted along the first axis after the batch, as in Keras 3.
    /// Keras 2 rejects them.
    pub any_rank: bool,
}

impl Rows {
    /// Reads the element type; by default integers for indices, floating point for rows.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a row with more elements than a value may have, and
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for an empty one; at `key`, which contains the length.
    pub fn read(config: &Config<'_>, output: OutputMode, depth: usize, key: &str) -> Result<Self> {
        if depth == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json(key).at_json("config"));
        }
        Limits::check(&format!("elements ({key})"), depth as u64, config.cx().limits.elements)
            .map_err(|e| e.at_json(key).at_json("config"))?;
        let named = match dtype(config) {
            Some(ValueType::Int32) => Some(ElementType::I32),
            Some(ValueType::Int64) => Some(ElementType::I64),
            _ => None,
        };
        let usual = match output {
            OutputMode::Int if config.producer().is_tfjs() => ElementType::I32,
            OutputMode::Int => ElementType::I64,
            _ => ElementType::F32,
        };
        Ok(Rows {
            output,
            depth,
            element: named.unwrap_or(usual),
            any_rank: config.producer().family != Family::Keras2,
        })
    }

    /// The output for indices; those outside the row are ignored. Each index adds its weight, or 1.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for indices of an unsupported rank.
    pub fn of(&self, cx: &mut LowerCx<'_>, indices: Value, weights: Option<Value>) -> Result<Value> {
        let rows = match self.output {
            OutputMode::Int => indices,
            OutputMode::OneHot => return self.one_hot(cx, indices),
            OutputMode::MultiHot => {
                let counts = self.counts(cx, indices, None)?;
                cx.binary_scalar(BinaryOp::Min, counts, 1.0)?
            }
            OutputMode::Count | OutputMode::TfIdf => self.counts(cx, indices, weights)?,
        };
        cx.cast(rows, self.element)
    }

    fn one_hot(&self, cx: &mut LowerCx<'_>, mut indices: Value) -> Result<Value> {
        let dims = cx.dims_of(indices);
        let Some(last) = dims.len().checked_sub(1) else {
            return Err(Error::malformed("expected an input of rank 1 or more, found a scalar"));
        };
        if last > 0 && cx.known_dim(dims[last]) == Some(1) {
            indices = cx.remove_axis(indices, last)?;
        }
        let depth = cx.number(self.depth);
        cx.one_hot(indices, depth, self.element)
    }

    /// The number of occurrences of each index along the last axis, or from rank 3 on along the first axis after the
    /// batch.
    ///
    /// The rows are concatenated while they are counted, so that no more memory than that of the result is needed.
    fn counts(&self, cx: &mut LowerCx<'_>, indices: Value, weights: Option<Value>) -> Result<Value> {
        let rank = cx.ty(indices).rank();
        let counted = match rank {
            0 | 1 => return Err(Error::malformed(format!("expected an input of rank 2 or more, found rank {rank}"))),
            2 => 1,
            _ if self.any_rank => 1,
            _ => {
                let message = format!("expected an input of rank 2, found shape {}", cx.shape(indices));
                return Err(Error::malformed(message));
            }
        };
        if let Some(weights) = weights {
            let (of, to) = (cx.dims_of(weights), cx.dims_of(indices));
            if of.len() != to.len() || of.iter().zip(&to).any(|(&a, &b)| cx.same(a, b).is_none()) {
                let (of, to) = (cx.shape(weights), cx.shape(indices));
                return Err(Error::malformed(format!("weights of shape {of} do not fit an input of shape {to}")));
            }
        }
        // Move the counted axis to the end.
        let order: Vec<usize> = (0..rank).filter(|&axis| axis != counted).chain([counted]).collect();
        let indices = cx.transpose(indices, &order)?;
        let indices = cx.cast(indices, ElementType::I64)?;
        let mut dims = cx.dims_of(indices);
        dims.pop();
        let (rows, depth) = (cx.dims().product(&dims)?, cx.number(self.depth));

        let low = cx.compare_scalar(CompareOp::Ge, indices, 0.0)?;
        let high = cx.compare_scalar(CompareOp::Lt, indices, self.depth as f64)?;
        let is_inside = cx.binary(BinaryOp::And, low, high)?;
        let weights = match weights {
            Some(weights) => {
                let weights = cx.to_float(weights)?;
                let weights = cx.transpose(weights, &order)?;
                let none = cx.scalar(ElementType::F32, 0.0)?;
                cx.select(is_inside, weights, none)?
            }
            None => cx.cast(is_inside, ElementType::F32)?,
        };
        let indices = cx.binary_scalar(BinaryOp::Max, indices, 0.0)?;
        let indices = cx.binary_scalar(BinaryOp::Min, indices, (self.depth - 1) as f64)?;
        let row = cx.iota(0, &[rows], ElementType::I64)?;
        let row = cx.binary_scalar(BinaryOp::Mul, row, self.depth as f64)?;
        let mut beside = dims.clone();
        beside.push(Dim::ONE);
        let row = cx.reshape(row, &beside)?;
        let places = cx.add(indices, row)?;

        let all = cx.dims().mul(rows, depth)?;
        let zeros = cx.full(ElementType::F32, &[all], 0.0)?;
        let counts = cx.scatter_add(zeros, places, weights, 0)?;
        dims.push(depth);
        cx.reshape(counts, &dims)
    }
}

/// The `dtype` in the configuration, which may be part of a policy.
pub(super) fn dtype(config: &Config<'_>) -> Option<ValueType> {
    let dtype = config.value("dtype")?;
    let name = dtype.as_str().or_else(|| dtype.get("config")?.get("name")?.as_str())?;
    ValueType::from_keras(name)
}
