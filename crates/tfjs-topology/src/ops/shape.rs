//! `Reshape`, `Transpose`, `Squeeze`, `ExpandDims`, `Tile`: rearrangements.
//!
//! Reference: `keras.ops.reshape` and its relatives. Unlike the layers of these names, they include the batch.

use super::FromOpConfig;
use super::args::Args;
use super::params::{Numbers, Params};
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::SymShape;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// A rearrangement of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Rearrange {
    /// The rearrangement.
    pub kind: RearrangeKind,
    /// `newshape`, `axes`, `axis`, `repeats`.
    pub params: Params,
}

/// The rearrangements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RearrangeKind {
    /// Changes the dimensions, one of which may be -1.
    Reshape,
    /// Permutes the axes.
    Transpose,
    /// Removes axes of length 1.
    Squeeze,
    /// Adds axes of length 1.
    ExpandDims,
    /// Repeats along every axis.
    Tile,
}

impl FromOpConfig for Rearrange {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Reshape" => RearrangeKind::Reshape,
            "Transpose" => RearrangeKind::Transpose,
            "Squeeze" => RearrangeKind::Squeeze,
            "ExpandDims" => RearrangeKind::ExpandDims,
            "Tile" => RearrangeKind::Tile,
            other => return Err(Error::bug(format!("`{other}` is listed as a rearrangement"))),
        };
        Ok(Rearrange { kind, params: Params::read(config) })
    }
}

impl Rearrange {
    /// Whether the result of rearranging sizes still consists of sizes: a scalar or a vector does.
    fn keeps_sizes(&self, cx: &LowerCx<'_>, result: Value) -> bool {
        self.kind != RearrangeKind::Tile && cx.ty(result).rank() <= 1
    }
}

fn reshape(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let Some(target) = args.sizes(cx, &["newshape", "shape", "target_shape"], Some(1))? else {
        return Err(Error::malformed("missing `newshape`"));
    };
    let dims = target_dims(cx, x, target)?;
    cx.reshape(x, &dims)
}

fn transpose(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    args.inert(&["conjugate"]);
    let rank = cx.ty(x).rank();
    let order = match args.opt(&["axes", "perm"], Some(1))? {
        None => (0..rank).rev().collect(),
        Some(Numbers(axes)) => axes.into_iter().map(|axis| cx.axis(axis, x)).collect::<Result<Vec<usize>>>()?,
    };
    cx.transpose(x, &order)
}

fn squeeze(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let given = args.axes(cx, &["axis", "squeeze_dims"], Some(1), x)?;
    let mut dims = cx.dims_of(x);
    // By default, axes whose length is known to be 1 are removed; the batch is not known when a model is built.
    let axes = match given {
        Some(axes) => axes,
        None => {
            let (ones, others): (Vec<usize>, Vec<usize>) = (1..dims.len()).partition(|&axis| dims[axis] == Dim::ONE);
            let two = cx.number(2);
            // TensorFlow also removes an open axis that turns out to have length 1, which the model's shapes do not say.
            if let Some(axis) =
                others.into_iter().find(|&axis| dims[axis] != Dim::ZERO && !cx.at_least(dims[axis], two))
            {
                let shape = cx.shape(x);
                return Err(Error::unsupported(format!(
                    "axis {axis} of shape {shape} has length 1, but the model does not say whether it is removed"
                )));
            }
            ones
        }
    };
    for &axis in axes.iter().rev() {
        if cx.same(dims[axis], Dim::ONE).is_none() {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("axis {axis} of shape {shape} does not have length 1")));
        }
        dims.remove(axis);
    }
    cx.reshape(x, &dims)
}

fn expand_dims(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let Some(Numbers(axes)) = args.opt(&["axis"], Some(1))? else {
        return Err(Error::malformed("missing `axis`"));
    };
    let mut dims = cx.dims_of(x);
    let grown = SymShape(vec![None; dims.len() + axes.len()]);
    let mut new = axes.into_iter().map(|axis| grown.axis(axis)).collect::<Result<Vec<usize>>>()?;
    new.sort_unstable();
    if new.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::malformed("an axis is given twice"));
    }
    new.into_iter().for_each(|axis| dims.insert(axis, Dim::ONE));
    cx.reshape(x, &dims)
}

/// Repeats each axis through a new axis before it.
fn tile(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let Some(mut repeats) = args.sizes(cx, &["repeats", "multiples"], Some(1))? else {
        return Err(Error::malformed("missing `repeats`"));
    };
    // NumPy aligns the shorter of the two at the end; TensorFlow requires one number for each axis.
    let mut dims = cx.dims_of(x);
    let rank = dims.len().max(repeats.len());
    dims.splice(..0, vec![Dim::ONE; rank - dims.len()]);
    repeats.splice(..0, vec![Dim::ONE; rank - repeats.len()]);
    let (mut with_ones, mut repeated, mut tiled) = (Vec::new(), Vec::new(), Vec::new());
    for (dim, count) in dims.into_iter().zip(repeats) {
        if !cx.at_least(count, Dim::ZERO) {
            let count = sizes::text(cx, &[count]);
            return Err(Error::malformed(format!("expected repeats of at least 0, found {count}")));
        }
        if count != Dim::ONE {
            with_ones.push(Dim::ONE);
            repeated.push(count);
        }
        with_ones.push(dim);
        repeated.push(dim);
        tiled.push(cx.dims().mul(dim, count)?);
    }
    let x = cx.reshape(x, &with_ones)?;
    let x = cx.broadcast_to(x, &repeated)?;
    cx.reshape(x, &tiled)
}

/// The dimensions of a target shape; -1 is computed from the others.
fn target_dims(cx: &mut LowerCx<'_>, x: Value, mut target: Vec<Dim>) -> Result<Vec<Dim>> {
    let text = sizes::text(cx, &target);
    let misfit = |cx: &LowerCx<'_>| Error::malformed(format!("shape {} cannot become {text}", cx.shape(x)));
    let open = sizes::number(cx, -1)?;
    let free: Vec<usize> = (0..target.len()).filter(|&axis| target[axis] == open).collect();
    let known: Vec<Dim> = target.iter().copied().filter(|&dim| dim != open).collect();
    if free.len() > 1 || known.iter().any(|&dim| !cx.at_least(dim, Dim::ZERO)) {
        return Err(misfit(cx));
    }
    let from = cx.dims_of(x);
    let elements = cx.dims().product(&from)?;
    let product = cx.dims().product(&known)?;
    match free[..] {
        [axis] => target[axis] = quotient(cx, elements, product)?.ok_or_else(|| misfit(cx))?,
        _ => _ = cx.same(elements, product).ok_or_else(|| misfit(cx))?,
    }
    Ok(target)
}

/// The quotient of two numbers of elements; `None` if it is not a whole number.
fn quotient(cx: &mut LowerCx<'_>, elements: Dim, part: Dim) -> Result<Option<Dim>> {
    if part == Dim::ZERO {
        return Ok(None);
    }
    if let Some(exact) = cx.dims().div_exact(elements, part) {
        return Ok(Some(exact));
    }
    let Some(number) = cx.program().dims.known(part) else {
        return Err(Error::unsupported(
            "a reshape whose open axis is a quotient of two unknown sizes is not supported",
        ));
    };
    if !cx.divisible(elements, part) {
        return Ok(None);
    }
    cx.dims().div_floor(elements, number).map(Some)
}

impl LayerDef for Rearrange {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = match self.kind {
            // The repeated operand may be numbers, if the repeats are a tensor.
            RearrangeKind::Tile => KerasTensor::from(args.first_value(cx, &["x", "input"], &["multiples"])?),
            _ => args.subject(&[])?.clone(),
        };
        let x = input.value;
        let value = match self.kind {
            RearrangeKind::Reshape => reshape(cx, &args, x)?,
            RearrangeKind::Transpose => transpose(cx, &args, x)?,
            RearrangeKind::Squeeze => squeeze(cx, &args, x)?,
            RearrangeKind::ExpandDims => expand_dims(cx, &args, x)?,
            RearrangeKind::Tile => tile(cx, &args, x)?,
        };
        if cx.ty(x).dims.first() != cx.ty(value).dims.first() {
            cx.mixes_batch();
        }
        let sizes = input.sizes.clone().filter(|_| self.keeps_sizes(cx, value));
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::testing::check_guarded;
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Reshape", json!({"newshape": [-1, 12]}), json!(["f:?,3,4"]), json!({}), "float32[?,12]");
        check("Reshape", json!({}), json!(["f:2,3,4"]), json!({"shape": [-1, 12]}), "float32[2,12]");
        check("Transpose", json!({"axes": [0, 2, 1]}), json!(["i:?,3,4"]), json!({}), "int32[?,4,3]");
        check("Transpose", json!({}), json!(["f:2,3,4"]), json!({}), "float32[4,3,2]");
        check("Squeeze", json!({"axis": -1}), json!(["f:?,3,1"]), json!({}), "float32[?,3]");
        check("Squeeze", json!({"axis": null}), json!(["f:1,3,1"]), json!({}), "float32[1,3]");
        check("ExpandDims", json!({"axis": -1}), json!(["f:?,3"]), json!({}), "float32[?,3,1]");
        check("ExpandDims", json!({"axis": [0, 2]}), json!(["f:?,3"]), json!({}), "float32[1,?,1,3]");
        check("Tile", json!({"repeats": 2}), json!(["f:?,3"]), json!({}), "float32[?,6]");
        check("Tile", json!({"repeats": [2, 1, 1]}), json!(["f:?,3"]), json!({}), "float32[2,?,3]");
        check("Tile", json!({"repeats": [1, 2]}), json!(["f:?,3"]), json!({}), "float32[?,6]");
    }

    #[test]
    fn unknown_axes() {
        let check = |function: &str, kwargs: serde_json::Value, shape: &str, guards: &[&str]| {
            let layer = ("y", "TFOpLambda", json!({"function": function}), json!([["x", 0, 0, kwargs]]));
            check_guarded(&[("x", json!([null, null, 4]))], &[layer], shape, guards);
        };
        check("reshape", json!({"shape": [-1, 4]}), "f32[batch*x.1,4]", &[]);
        check(
            "reshape",
            json!({"shape": [-1, 8]}),
            "f32[floor(batch*x.1/2),8]",
            &["4*batch*x.1 is a multiple of 8", "4*batch*x.1 == 8*floor(batch*x.1/2)"],
        );
        check("compat.v1.squeeze", json!({"axis": 1}), "f32[batch,4]", &["x.1 == 1", "4*batch*x.1 == 4*batch"]);
        check("tile", json!({"multiples": [1, 2, 1]}), "f32[batch,2*x.1,4]", &[]);
        check("expand_dims", json!({"axis": 2}), "f32[batch,x.1,1,4]", &[]);
    }

    #[test]
    fn refuses() {
        let message = "shape [2,3] cannot become [-1, 4]";
        refused_with("Reshape", json!({"newshape": [-1, 4]}), json!(["f:2,3"]), message);
        refused_with("Reshape", json!({"newshape": [-1, -1]}), json!(["f:?,3"]), "shape [?,3] cannot become [-1, -1]");
        let message = "axes [0, 0] are not a permutation of the axes of shape [?,3]";
        refused_with("Transpose", json!({"axes": [0, 0]}), json!(["f:?,3"]), message);
        let message = "axis 1 of shape [?,3] does not have length 1";
        refused_with("Squeeze", json!({"axis": 1}), json!(["f:?,3"]), message);
        refused_with("ExpandDims", json!({"axis": [1, 1]}), json!(["f:?,3"]), "an axis is given twice");
        let message = "expected repeats of at least 0, found [-2]";
        refused_with("Tile", json!({"repeats": [-2]}), json!(["f:?,3"]), message);
    }
}
