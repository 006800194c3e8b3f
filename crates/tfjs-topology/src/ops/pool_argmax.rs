//! A max pool that also returns where each of its results was, as SegNet needs to undo it.
//!
//! Reference: `tf.nn.max_pool_with_argmax`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::gather::counter;
use super::params::Params;
use super::sizes;
use super::windows::subject;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::{Padding as Borders, Window};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// A max pool of images, and the flat index of each of its results.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolWithArgmax {
    /// `ksize`, `strides`, `padding`, `include_batch_in_index`, `output_dtype`.
    pub params: Params,
}

impl FromOpConfig for PoolWithArgmax {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(PoolWithArgmax { params: Params::read(config) })
    }
}

/// The number of the largest element of each window, the first of equal ones; rows of a window follow each other.
fn largest(
    cx: &mut LowerCx<'_>,
    x: Value,
    windows: [Window; 2],
    outputs: [Dim; 2],
    lows: &mut [Dim; 2],
) -> Result<Value> {
    let mut pads = vec![Padding::NONE; 4];
    let dims = cx.dims_of(x);
    for (axis, window) in windows.iter().enumerate() {
        let (low, high) = window.pads_dim(cx.dims(), dims[axis + 1])?;
        pads[axis + 1] = Padding { low, high, interior: 0 };
        lows[axis] = low;
    }
    let mut x = x;
    if windows.iter().any(|window| window.padding != Borders::Valid) {
        // An element of the image comes before the padding, even if it is minus infinity.
        x = cx.cast(x, ElementType::F32)?;
        x = cx.binary_scalar(BinaryOp::Max, x, f64::from(f32::MIN))?;
    }
    let x = cx.pad(x, &pads, f64::NEG_INFINITY)?;
    let mut best: Option<(Value, Value)> = None;
    for row in 0..windows[0].size {
        for column in 0..windows[1].size {
            let mut ranges = cx.whole(x);
            for (axis, place) in [row, column].into_iter().enumerate() {
                let step = windows[axis].stride as u64;
                ranges[axis + 1] = Range { start: cx.number(place), len: outputs[axis], step };
            }
            let part = cx.slice(x, &ranges)?;
            let number = cx.scalar(ElementType::I64, (row * windows[1].size + column) as f64)?;
            best = Some(match best {
                Some((most, at)) => {
                    let larger = cx.compare(CompareOp::Gt, part, most)?;
                    (cx.select(larger, part, most)?, cx.select(larger, number, at)?)
                }
                None => {
                    let dims = cx.dims_of(part);
                    (part, cx.broadcast_to(number, &dims)?)
                }
            });
        }
    }
    best.map(|(_, at)| at).ok_or_else(|| Error::malformed("a window without elements"))
}

fn pool(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    let (x, frame) = subject(cx, args)?;
    let dims = cx.dims_of(x);
    let &[batch, high, wide, channels] = &dims[..] else {
        return Err(Error::malformed(format!("expected images of rank 4, found shape {}", cx.shape(x))));
    };
    let sizes = frame.each(&["ksize"], Some(1))?.ok_or_else(|| missing(&["ksize"]))?;
    let windows = frame.windows(&sizes, None)?;
    let &[down, across] = &windows[..] else { return Err(Error::bug("a pool of images without two windows")) };
    // Each element of a window adds nodes to the program.
    Limits::check("elements of a window", down.size.saturating_mul(across.size) as u64, 1 << 10)?;
    let include = args.or(&["include_batch_in_index"], None, false)?;
    let dtype = sizes::dtype(args, &["output_dtype", "Targmax"], None)?.unwrap_or(ValueType::Int64);
    let values = cx.pool(PoolOp::Max, x, &windows)?;
    let pooled = cx.dims_of(values);
    let mut lows = [Dim::ZERO; 2];
    let at = largest(cx, x, [down, across], [pooled[1], pooled[2]], &mut lows)?;
    let of_row = cx.binary_scalar(BinaryOp::FloorDiv, at, across.size as f64)?;
    let of_column = cx.binary_scalar(BinaryOp::Mod, at, across.size as f64)?;
    let mut place: Option<Value> = None;
    if include {
        cx.mixes_batch();
        place = Some(counter(cx, 0, 4, batch)?);
    }
    for (axis, (inside, length)) in [(of_row, high), (of_column, wide)].into_iter().enumerate() {
        let start = counter(cx, axis + 1, 4, pooled[axis + 1])?;
        let start = cx.binary_scalar(BinaryOp::Mul, start, windows[axis].stride as f64)?;
        let low = cx.size(lows[axis], ElementType::I64)?;
        let start = cx.sub(start, low)?;
        let index = cx.add(start, inside)?;
        place = Some(match place {
            Some(place) => {
                let length = cx.size(length, ElementType::I64)?;
                let scaled = cx.mul(place, length)?;
                cx.add(scaled, index)?
            }
            None => index,
        });
    }
    let place = place.ok_or_else(|| Error::bug("a pool without axes"))?;
    let count = cx.size(channels, ElementType::I64)?;
    let scaled = cx.mul(place, count)?;
    let channel = counter(cx, 3, 4, channels)?;
    let place = cx.add(scaled, channel)?;
    Ok(vec![values, cx.cast(place, element(dtype))?])
}

impl LayerDef for PoolWithArgmax {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let format: Option<String> = args.opt(&["data_format"], None)?;
        if format.is_some_and(|format| format != "NHWC") {
            return Err(Error::malformed("expected images with channels last").at_json("data_format"));
        }
        let results = pool(cx, &args)?;
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check_all, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let kwargs = json!({"ksize": 2, "strides": 2, "padding": "SAME"});
        let types = ["float32[?,3,4,3]", "int64[?,3,4,3]"];
        check_all("MaxPoolWithArgmax", json!({}), json!(["f:?,5,8,3"]), kwargs, &types);
        let kwargs =
            json!({"ksize": [1, 2, 3, 1], "strides": [1, 1, 2, 1], "padding": "VALID", "output_dtype": "int32"});
        let types = ["float32[?,4,?,3]", "int32[?,4,?,3]"];
        check_all("MaxPoolWithArgmax", json!({}), json!(["f:?,5,?,3"]), kwargs, &types);
    }

    #[test]
    fn refuses() {
        refused_with("MaxPoolWithArgmax", json!({}), json!(["f:?,5,8,3"]), "missing `ksize`");
        let message = "expected images of rank 4, found shape [?,8,3]";
        refused_with("MaxPoolWithArgmax", json!({"ksize": 2}), json!(["f:?,8,3"]), message);
    }
}
