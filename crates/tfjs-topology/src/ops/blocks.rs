//! `SpaceToBatch` and `BatchToSpace`: move blocks of pixels to the batch, and back. TensorFlow 1 expresses dilated
//! convolutions with them.
//!
//! Reference: `tf.space_to_batch_nd`, `tf.batch_to_space`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// Moves blocks of pixels to the batch, or back.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    /// Whether blocks are moved to the batch.
    pub to_batch: bool,
    /// `block_shape`, `paddings`, `crops`.
    pub params: Params,
}

impl FromOpConfig for Blocks {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Blocks { to_batch: class == "SpaceToBatch", params: Params::read(config) })
    }
}

/// Two numbers for each axis.
fn pairs(cx: &mut LowerCx<'_>, args: &Args<'_>, name: &'static str, count: usize) -> Result<Vec<(Dim, Dim)>> {
    let pairs: Vec<Vec<usize>> = args.need(&[name], Some(2))?;
    let pair = |pair: Vec<usize>| match pair[..] {
        [before, after] => Ok((cx.number(before), cx.number(after))),
        _ => Err(Error::malformed("expected two numbers for each axis").at_json(name)),
    };
    let pairs: Vec<(Dim, Dim)> = pairs.into_iter().map(pair).collect::<Result<_>>()?;
    if pairs.len() == count { Ok(pairs) } else { Err(Error::malformed("expected numbers for each axis").at_json(name)) }
}

fn to_batch(cx: &mut LowerCx<'_>, x: Value, blocks: &[usize], borders: &[(Dim, Dim)]) -> Result<Value> {
    let mut padding = vec![Padding::NONE; cx.ty(x).rank()];
    for (axis, &(low, high)) in borders.iter().enumerate() {
        padding[axis + 1] = Padding { low, high, interior: 0 };
    }
    let x = cx.pad(x, &padding, 0.0)?;
    let (dims, count) = (cx.dims_of(x), blocks.len());
    let (mut apart, mut result, mut batch) = (vec![dims[0]], Vec::new(), dims[0]);
    for (axis, &block) in blocks.iter().enumerate() {
        let (length, side) = (dims[axis + 1], cx.number(block));
        if !cx.divisible(length, side) {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("shape {shape} does not consist of blocks of {block}")));
        }
        let whole = cx.dims().div_floor(length, block as u64)?;
        apart.extend([whole, side]);
        result.push(whole);
        batch = cx.dims().mul(batch, side)?;
    }
    apart.extend(&dims[count + 1..]);
    let x = cx.reshape(x, &apart)?;
    let inside = (0..count).map(|axis| axis * 2 + 2);
    let outside = (0..count).map(|axis| axis * 2 + 1);
    let order: Vec<usize> = inside.chain([0]).chain(outside).chain(count * 2 + 1..apart.len()).collect();
    let x = cx.transpose(x, &order)?;
    let result: Vec<Dim> = [batch].into_iter().chain(result).chain(dims[count + 1..].iter().copied()).collect();
    cx.reshape(x, &result)
}

fn to_space(cx: &mut LowerCx<'_>, x: Value, blocks: &[usize], borders: &[(Dim, Dim)]) -> Result<Value> {
    let (dims, count, shape) = (cx.dims_of(x), blocks.len(), cx.shape(x));
    let mut batch = dims[0];
    let (mut apart, mut result) = (Vec::new(), Vec::new());
    for (axis, &block) in blocks.iter().enumerate() {
        let side = cx.number(block);
        if !cx.divisible(batch, side) {
            return Err(Error::malformed(format!("the batch of shape {shape} does not consist of blocks")));
        }
        batch = cx.dims().div_floor(batch, block as u64)?;
        apart.push(side);
        result.push(cx.dims().mul(dims[axis + 1], side)?);
    }
    apart.push(batch);
    apart.extend(&dims[1..]);
    let x = cx.reshape(x, &apart)?;
    let spatial = (0..count).flat_map(|axis| [count + 1 + axis, axis]);
    let order: Vec<usize> = [count].into_iter().chain(spatial).chain(count * 2 + 1..apart.len()).collect();
    let x = cx.transpose(x, &order)?;
    let result: Vec<Dim> = [batch].into_iter().chain(result).chain(dims[count + 1..].iter().copied()).collect();
    let x = cx.reshape(x, &result)?;
    let mut ranges = cx.whole(x);
    for (axis, &(before, after)) in borders.iter().enumerate() {
        let cut = cx.dims().add(before, after)?;
        let len = cx.dims().sub(ranges[axis + 1].len, cut)?;
        ranges[axis + 1] = Range { start: before, len, step: 1 };
    }
    cx.slice(x, &ranges)
}

impl LayerDef for Blocks {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let x = args.subject(&[])?.value;
        let blocks = args.sizes(cx, &["block_shape"], Some(1))?.ok_or_else(|| missing(&["block_shape"]))?;
        let text = sizes::text(cx, &blocks);
        let blocks: Option<Vec<usize>> =
            blocks.into_iter().map(|block| cx.known_dim(block).filter(|&b| b > 0)).collect();
        let blocks = blocks.filter(|blocks| blocks.len() < cx.ty(x).rank());
        let blocks =
            blocks.ok_or_else(|| Error::malformed(format!("blocks of {text} do not match the spatial axes")))?;
        cx.mixes_batch();
        let borders = pairs(cx, &args, if self.to_batch { "paddings" } else { "crops" }, blocks.len())?;
        let value = match self.to_batch {
            true => to_batch(cx, x, &blocks, &borders)?,
            false => to_space(cx, x, &blocks, &borders)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let config = json!({"block_shape": [2, 2], "paddings": [[1, 1], [0, 0]]});
        check("SpaceToBatch", config, json!(["f:3,4,6,5"]), json!({}), "float32[12,3,3,5]");
        let config = json!({"block_shape": [2, 2], "crops": [[1, 1], [0, 0]]});
        check("BatchToSpace", config, json!(["f:12,3,3,5"]), json!({}), "float32[3,4,6,5]");
        let config = json!({"block_shape": [4, 4], "paddings": [[0, 0], [0, 0]]});
        refused_with("SpaceToBatch", config, json!(["f:3,4,6,5"]), "shape [3,4,6,5] does not consist of blocks of 4");
    }
}
