//! Products of tensors summed over axes: dot, inner, outer, tensordot, cross products.
//!
//! Reference: `keras.ops.dot`, `keras.ops.tensordot` and their relatives; `tf.tensordot`, `tf.linalg.cross`.

use super::FromOpConfig;
use super::args::{Args, flat, to_type};
use super::params::{Numbers, Params, promote, summed};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// A product of two tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The axes that are summed over.
    pub kind: ContractKind,
    /// `axes`, `axis`.
    pub params: Params,
}

/// The axes that a product is summed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractKind {
    /// The last axis of the first, the second last of the second.
    Dot,
    /// The last axes of both.
    Inner,
    /// None: every element of one times every element of the other.
    Outer,
    /// All axes.
    Vdot,
    /// The axes in `axes`.
    Tensordot,
    /// The cross product of vectors of three elements.
    Cross,
}

impl FromOpConfig for Contract {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ContractKind as K;
        let kind = match class {
            "Dot" => K::Dot,
            "Inner" => K::Inner,
            "Outer" => K::Outer,
            "Vdot" => K::Vdot,
            "Tensordot" => K::Tensordot,
            "Cross" => K::Cross,
            other => return Err(Error::bug(format!("`{other}` is listed as a product"))),
        };
        Ok(Contract { kind, params: Params::read(config) })
    }
}

/// The axes of `tensordot`: their number, one for each operand, or a list for each.
fn named_axes(cx: &LowerCx<'_>, args: &Args<'_>, a: Value, b: Value) -> Result<Vec<(usize, usize)>> {
    let (first, second) = match args.opt::<serde_json::Value>(&["axes"], Some(2))? {
        None => (vec![-2, -1], vec![0, 1]),
        Some(json) if json.is_array() => {
            let lists: Vec<Numbers> = args.need(&["axes"], Some(2))?;
            match <[Numbers; 2]>::try_from(lists) {
                Ok([Numbers(a), Numbers(b)]) => (a, b),
                Err(_) => return Err(Error::malformed("expected the axes of two operands").at_json("axes")),
            }
        }
        Some(_) => {
            let count: i64 = args.need(&["axes"], Some(2))?;
            let rank = cx.ty(a).rank().min(cx.ty(b).rank());
            if count < 0 || count as usize > rank {
                return Err(Error::malformed(format!("there are no {count} axes to sum over")).at_json("axes"));
            }
            ((-count..0).collect(), (0..count).collect())
        }
    };
    if first.len() != second.len() {
        return Err(Error::malformed("expected as many axes of one operand as of the other").at_json("axes"));
    }
    first.into_iter().zip(second).map(|(i, j)| Ok((cx.axis(i, a)?, cx.axis(j, b)?))).collect()
}

/// The element at an index of the last axis, which is kept.
fn column(cx: &mut LowerCx<'_>, x: Value, place: usize) -> Result<Value> {
    let start = cx.number(place);
    cx.columns(x, start, Dim::ONE)
}

/// Vectors along the last axis, of 3 elements, and whether they had 2.
fn vectors(cx: &mut LowerCx<'_>, x: Value, axis: i64) -> Result<(Value, bool)> {
    let axis = cx.axis(axis, x)?;
    let length = cx.known_dim(cx.ty(x).dims[axis]);
    let mut order: Vec<usize> = (0..cx.ty(x).rank()).filter(|&other| other != axis).collect();
    order.push(axis);
    if axis == 0 {
        cx.mixes_batch();
    }
    let x = cx.transpose(x, &order)?;
    match length {
        Some(3) => Ok((x, false)),
        Some(2) => {
            let first = column(cx, x, 0)?;
            let zero = cx.binary_scalar(BinaryOp::Mul, first, 0.0)?;
            Ok((cx.concat(&[x, zero], order.len() - 1)?, true))
        }
        _ => Err(Error::malformed(format!("expected vectors of 3 elements, found shape {}", cx.shape(x)))),
    }
}

fn cross(cx: &mut LowerCx<'_>, args: &Args<'_>, a: Value, b: Value) -> Result<Value> {
    let all: Option<i64> = args.opt(&["axis"], Some(5))?;
    let axis = |name: &'static str, position| match all {
        Some(axis) => Ok(axis),
        None => args.or(&[name], Some(position), -1i64),
    };
    let (of_a, of_b, of_result) = (axis("axisa", 2)?, axis("axisb", 3)?, axis("axisc", 4)?);
    let (a, flat_a) = vectors(cx, a, of_a)?;
    let (b, flat_b) = vectors(cx, b, of_b)?;
    let mut parts = Vec::with_capacity(3);
    for (i, j) in [(1, 2), (2, 0), (0, 1)] {
        let (ai, bj) = (column(cx, a, i)?, column(cx, b, j)?);
        let (aj, bi) = (column(cx, a, j)?, column(cx, b, i)?);
        let (plus, minus) = (cx.mul(ai, bj)?, cx.mul(aj, bi)?);
        parts.push(cx.sub(plus, minus)?);
    }
    let last = cx.ty(parts[0]).rank() - 1;
    if flat_a && flat_b {
        // The cross product of vectors in a plane is the number along the third axis.
        let mut dims = cx.dims_of(parts[2]);
        dims.truncate(last);
        return cx.reshape(parts[2], &dims);
    }
    let product = cx.concat(&parts, last)?;
    let axis = cx.axis(of_result, product)?;
    let mut order: Vec<usize> = (0..last).collect();
    order.insert(axis, last);
    cx.transpose(product, &order)
}

impl Contract {
    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, a: Value, b: Value) -> Result<Value> {
        use ContractKind as K;
        let (left, right) = (cx.ty(a).rank(), cx.ty(b).rank());
        match self.kind {
            K::Dot | K::Inner if left == 0 || right == 0 => cx.binary(BinaryOp::Mul, a, b),
            K::Dot => cx.dot(a, b, &[], &[(left - 1, right.saturating_sub(2))]),
            K::Inner => cx.dot(a, b, &[], &[(left - 1, right - 1)]),
            K::Outer => {
                let (a, b) = (flat(cx, a)?, flat(cx, b)?);
                cx.dot(a, b, &[], &[])
            }
            K::Vdot => {
                let (a, b) = (flat(cx, a)?, flat(cx, b)?);
                cx.dot(a, b, &[], &[(0, 0)])
            }
            K::Tensordot => {
                let axes = named_axes(cx, args, a, b)?;
                cx.dot(a, b, &[], &axes)
            }
            K::Cross => cross(cx, args, a, b),
        }
    }
}

impl LayerDef for Contract {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let a = args.need_value(cx, &["x1", "x", "a"], Some(0))?;
        let b = args.need_value(cx, &["x2", "y", "b"], Some(1))?;
        let dtype = summed(promote(value_type(cx.ty(a).element), value_type(cx.ty(b).element)));
        let (a, b) = (cx.to_float(a)?, cx.to_float(b)?);
        if self.kind != ContractKind::Cross {
            cx.mixes_batch();
        }
        let value = self.compute(cx, &args, a, b)?;
        let value = to_type(cx, value, dtype)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn products() {
        check("Dot", json!({}), json!(["f:?,3,4", "f:4,5"]), json!({}), "float32[?,3,5]");
        check("Dot", json!({}), json!(["i:?,4", "i:4"]), json!({}), "int32[?]");
        check("Tensordot", json!({"axes": 1}), json!(["f:?,3,4", "f:4,5"]), json!({}), "float32[?,3,5]");
        check("Tensordot", json!({}), json!(["f:?,4"]), json!({"b": "f:5,4", "axes": [[1], [1]]}), "float32[?,5]");
        check("Outer", json!({}), json!(["f:3", "f:2,2"]), json!({}), "float32[3,4]");
        check("Cross", json!({"axisa": -1, "axis": null}), json!(["f:?,3", "f:?,3"]), json!({}), "float32[?,3]");
        check("Cross", json!({"axis": 1}), json!(["f:?,3,4", "f:?,2,4"]), json!({}), "float32[?,3,4]");
        check("Cross", json!({}), json!(["f:?,2", "f:?,2"]), json!({}), "float32[?]");
    }

    #[test]
    fn refuses() {
        let message = "`axes`: there are no 3 axes to sum over";
        refused_with("Tensordot", json!({"axes": 3}), json!(["f:?,4", "f:4,5"]), message);
        let message = "expected vectors of 3 elements, found shape [?,4]";
        refused_with("Cross", json!({}), json!(["f:?,4", "f:?,4"]), message);
    }
}
