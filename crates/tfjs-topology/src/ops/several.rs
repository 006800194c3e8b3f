//! Operations on several tensors: coordinate grids, stacks along fixed axes, sums.
//!
//! Reference: `keras.ops.meshgrid`, `keras.ops.hstack`, `keras.ops.append`; `tf.add_n`.

use super::FromOpConfig;
use super::args::{Args, flat, to_type};
use super::params::{Params, promote};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// An operation on several tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Several {
    /// The operation.
    pub kind: SeveralKind,
    /// `axis`, `indexing`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeveralKind {
    /// Concatenates along axis 1; vectors along their only axis.
    Columns,
    /// Concatenates along axis 1, with vectors as columns.
    AsColumns,
    /// Concatenates along axis 0, with vectors as rows.
    Rows,
    /// Concatenates along axis 2, which is added to tensors of lower rank.
    Depths,
    /// Concatenates two tensors along an axis, or all their elements, flattened.
    Append,
    /// The coordinates of a grid, one result for each vector.
    Grid,
    /// The sum.
    Sum,
    /// The tensors themselves.
    Each,
}

impl FromOpConfig for Several {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use SeveralKind as K;
        let kind = match class {
            "Hstack" => K::Columns,
            "ColumnStack" => K::AsColumns,
            "Vstack" => K::Rows,
            "Dstack" => K::Depths,
            "Append" => K::Append,
            "Meshgrid" => K::Grid,
            "AddN" => K::Sum,
            "IdentityN" => K::Each,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on several tensors"))),
        };
        Ok(Several { kind, params: Params::read(config) })
    }
}

/// A value of rank 3 or more, with axes added as in NumPy's `atleast_3d`.
fn at_least_rank_3(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let dims = match cx.dims_of(x)[..] {
        [] => vec![Dim::ONE; 3],
        [n] => vec![Dim::ONE, n, Dim::ONE],
        [rows, columns] => vec![rows, columns, Dim::ONE],
        _ => return Ok(x),
    };
    cx.reshape(x, &dims)
}

/// Concatenates values along an axis, in their common type.
fn joined(cx: &mut LowerCx<'_>, values: &[Value], axis: usize) -> Result<Value> {
    if values.iter().any(|&value| axis >= cx.ty(value).rank()) {
        return Err(Error::malformed(format!("tensors without an axis {axis} cannot be joined along it")));
    }
    if axis == 0 {
        cx.mixes_batch();
    }
    cx.concat(values, axis)
}

/// The coordinates of the grid of several vectors.
fn grid(cx: &mut LowerCx<'_>, args: &Args<'_>, vectors: &[Value]) -> Result<Vec<Value>> {
    let indexing: String = args.or(&["indexing"], None, "xy".to_string())?;
    let swapped = match indexing.as_str() {
        "xy" => vectors.len() > 1,
        "ij" => false,
        other => return Err(Error::malformed(format!("expected `xy` or `ij`, found `{other}`")).at_json("indexing")),
    };
    cx.mixes_batch();
    // The grid axis of a vector.
    let axis_of = |place: usize| if swapped && place < 2 { 1 - place } else { place };
    let mut dims = vec![Dim::ONE; vectors.len()];
    let mut lines = Vec::with_capacity(vectors.len());
    for (place, &vector) in vectors.iter().enumerate() {
        let line = flat(cx, vector)?;
        dims[axis_of(place)] = cx.dims_of(line)[0];
        lines.push(line);
    }
    lines.into_iter().enumerate().map(|(place, line)| cx.broadcast(line, &dims, &[axis_of(place)])).collect()
}

impl LayerDef for Several {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use SeveralKind as K;
        let args = Args::new(&self.params, call);
        args.inert(&["shape", "tensor_dtype", "sparse"]);
        let mut values = args.list(cx, &["xs", "inputs", "values"])?;
        if values.is_empty() {
            return Err(Error::malformed("expected tensors, found none"));
        }
        if !matches!(self.kind, K::Grid | K::Each) {
            let dtype = values.iter().fold(ValueType::Bool, |all, &x| promote(all, value_type(cx.ty(x).element)));
            for value in &mut values {
                *value = to_type(cx, *value, dtype)?;
            }
        }
        let results = match self.kind {
            K::Each => values,
            K::Grid => grid(cx, &args, &values)?,
            K::Sum => {
                let mut sum = values[0];
                for &value in &values[1..] {
                    sum = cx.add(sum, value)?;
                }
                vec![sum]
            }
            K::Append => match args.axis(cx, &["axis"], Some(2), values[0])? {
                Some(axis) => vec![joined(cx, &values[..values.len().min(2)], axis)?],
                None => {
                    let all = values.iter().map(|&value| flat(cx, value)).collect::<Result<Vec<_>>>()?;
                    vec![joined(cx, &all, 0)?]
                }
            },
            K::Columns => {
                let axis = usize::from(cx.ty(values[0]).rank() > 1);
                vec![joined(cx, &values, axis)?]
            }
            K::AsColumns => {
                for value in &mut values {
                    let dims = cx.dims_of(*value);
                    if let [length] = dims[..] {
                        *value = cx.reshape(*value, &[length, Dim::ONE])?;
                    }
                }
                vec![joined(cx, &values, 1)?]
            }
            // QUIRK(keras): on TensorFlow, `vstack` does not make rows of vectors.
            K::Rows => vec![joined(cx, &values, 0)?],
            K::Depths => {
                let deep = values.iter().map(|&x| at_least_rank_3(cx, x)).collect::<Result<Vec<_>>>()?;
                vec![joined(cx, &deep, 2)?]
            }
        };
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, check_all, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Hstack", json!({}), json!([["f:?,3", "f:?,2"]]), json!({}), "float32[?,5]");
        check("ColumnStack", json!({}), json!([["f:4", "f:4,2"]]), json!({}), "float32[4,3]");
        check("Dstack", json!({}), json!([["f:?,3", "f:?,3"]]), json!({}), "float32[?,3,2]");
        check("Vstack", json!({}), json!([["f:3", "i:3"]]), json!({}), "float32[6]");
        check("Append", json!({"axis": 1}), json!(["f:?,3", "f:?,2"]), json!({}), "float32[?,5]");
        check("Append", json!({"axis": null}), json!(["f:2,3", "f:2"]), json!({}), "float32[8]");
        check("AddN", json!({}), json!(["f:?,3", "f:?,3", "f:?,3"]), json!({}), "float32[?,3]");
        check_all("Meshgrid", json!({"indexing": "xy"}), json!(["f:3", "f:4"]), json!({}), &["float32[4,3]"; 2]);
        check_all("Meshgrid", json!({"indexing": "ij"}), json!(["f:3", "f:4"]), json!({}), &["float32[3,4]"; 2]);
    }

    #[test]
    fn refuses() {
        refused("Hstack", json!([["f:?,3", "f:2"]]), "tensors without an axis 1 cannot be joined along it");
        refused("AddN", json!([]), "expected tensors, found none");
    }
}
