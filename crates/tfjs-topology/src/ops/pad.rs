//! `Pad`: pads a tensor, with a constant or mirrored elements.
//!
//! Reference: `keras.ops.pad`, `tf.pad`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::params::Params;
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Pads each axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// `pad_width` or `paddings`, `mode`, `constant_values`.
    pub params: Params,
}

impl FromOpConfig for Pad {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Pad { params: Params::read(config) })
    }
}

/// The number of elements before and after each axis.
fn widths(cx: &mut LowerCx<'_>, args: &Args<'_>, rank: usize) -> Result<Vec<(Dim, Dim)>> {
    const NAMES: [&str; 2] = ["pad_width", "paddings"];
    let wrong = || Error::malformed(format!("expected two paddings for each of {rank} axes"));
    let nested = args.opt::<serde_json::Value>(&NAMES, Some(1)).ok().flatten();
    let flat: Vec<Dim> = match &nested {
        Some(serde_json::Value::Array(pairs)) if pairs.iter().all(serde_json::Value::is_array) => {
            let mut flat = Vec::new();
            for pair in pairs {
                flat.extend(sizes::of_json(cx, pair).map_err(|e| e.at_json(NAMES[0]))?);
            }
            flat
        }
        _ => args.sizes(cx, &NAMES, Some(1))?.ok_or_else(|| missing(&NAMES))?,
    };
    match flat[..] {
        [each] => Ok(vec![(each, each); rank]),
        [low, high] => Ok(vec![(low, high); rank]),
        _ if flat.len() == rank * 2 => Ok(flat.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()),
        _ => Err(wrong()),
    }
}

/// The mirrored elements at one end of an axis, without the `edge` elements at the end itself.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for an axis that is too short.
pub(crate) fn mirrored(
    cx: &mut LowerCx<'_>,
    x: Value,
    axis: usize,
    count: Dim,
    edge: Dim,
    at_end: bool,
) -> Result<Option<Value>> {
    if count == Dim::ZERO {
        return Ok(None);
    }
    let length = cx.dims_of(x)[axis];
    let needed = cx.dims().add(count, edge)?;
    if !cx.at_least(length, needed) {
        let (count, shape) = (sizes::text(cx, &[count]), cx.shape(x));
        return Err(Error::malformed(format!("{count} mirrored elements for axis {axis} of shape {shape}")));
    }
    let start = if at_end { cx.dims().sub(length, needed)? } else { edge };
    let part = cx.slice_axis(x, axis, Range { start, len: count, step: 1 })?;
    cx.reverse(part, &[axis]).map(Some)
}

/// Pads a tensor with a scalar, which is itself a value.
fn around(cx: &mut LowerCx<'_>, x: Value, padding: &[Padding], value: Value) -> Result<Value> {
    let padded = cx.pad(x, padding, 0.0)?;
    let dims = cx.dims_of(x);
    let inside = cx.full(ElementType::F32, &dims, 1.0)?;
    let inside = cx.pad(inside, padding, 0.0)?;
    let inside = cx.compare_scalar(CompareOp::Gt, inside, 0.5)?;
    let value = cx.cast_like(value, x)?;
    cx.select(inside, padded, value)
}

impl LayerDef for Pad {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let mut x = args.subject(&[])?.value;
        let widths = widths(cx, &args, cx.ty(x).rank())?;
        for &(low, high) in &widths {
            if !cx.at_least(low, Dim::ZERO) || !cx.at_least(high, Dim::ZERO) {
                let found = sizes::text(cx, &[low, high]);
                return Err(Error::malformed(format!("expected paddings of at least 0, found {found}")));
            }
        }
        if widths.first().is_some_and(|&both| both != (Dim::ZERO, Dim::ZERO)) {
            cx.mixes_batch();
        }
        let mode: String = args.or(&["mode"], None, "constant".to_string())?;
        let edge = match mode.to_lowercase().as_str() {
            "constant" => None,
            "reflect" => Some(Dim::ONE),
            "symmetric" => Some(Dim::ZERO),
            other => return Err(Error::unsupported(format!("padding of mode `{other}` is not supported"))),
        };
        let value = args.keyword(&["constant_values"]).or_else(|| args.at(2));
        let number = match value {
            Some(Arg::Tensor(tensor)) if edge.is_none() => Err(tensor.value),
            _ => Ok(args.or(&["constant_values"], Some(2), 0.0)?),
        };
        let padding: Vec<Padding> = widths.iter().map(|&(low, high)| Padding { low, high, interior: 0 }).collect();
        match (edge, number) {
            (None, Ok(number)) if cx.ty(x).element == ElementType::Bool => {
                // Truth values are padded as integers.
                let numbers = cx.cast(x, ElementType::I32)?;
                let padded = cx.pad(numbers, &padding, f64::from(u8::from(number != 0.0)))?;
                x = cx.compare_scalar(CompareOp::Ne, padded, 0.0)?;
            }
            (None, Ok(number)) => x = cx.pad(x, &padding, number)?,
            (None, Err(value)) => x = around(cx, x, &padding, value)?,
            (Some(edge), _) => {
                for (axis, (low, high)) in widths.into_iter().enumerate() {
                    let before = mirrored(cx, x, axis, low, edge, false)?;
                    let after = mirrored(cx, x, axis, high, edge, true)?;
                    let parts: Vec<Value> = before.into_iter().chain([x]).chain(after).collect();
                    x = cx.concat(&parts, axis)?;
                }
            }
        }
        args.finish(cx);
        Ok(vec![KerasTensor::from(x)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let x = || json!(["f:?,3,4"]);
        check("Pad", json!({"pad_width": [[0, 0], [1, 2], [0, 1]]}), x(), json!({}), "float32[?,6,5]");
        let kwargs = json!({"paddings": [[0, 0], [2, 1], [0, 0]], "mode": "REFLECT", "constant_values": 0});
        check("Pad", json!({}), x(), kwargs, "float32[?,6,4]");
        check("Pad", json!({"pad_width": 1}), json!(["i:2,3"]), json!({"constant_values": 7}), "int32[4,5]");
    }

    #[test]
    fn refuses() {
        let message = "[3] mirrored elements for axis 1 of shape [?,3]";
        refused_with("Pad", json!({"pad_width": [[0, 0], [3, 0]], "mode": "reflect"}), json!(["f:?,3"]), message);
        let message = "expected paddings of at least 0, found [-1, 0]";
        refused_with("Pad", json!({"pad_width": [[0, 0], [-1, 0]]}), json!(["f:?,3"]), message);
        let message = "padding of mode `edge` is not supported";
        refused_with("Pad", json!({"pad_width": 1, "mode": "edge"}), json!(["f:?,3"]), message);
        let message = "expected two paddings for each of 2 axes";
        refused_with("Pad", json!({"pad_width": [[0, 0], [1, 1], [1, 1]]}), json!(["f:?,3"]), message);
    }
}
