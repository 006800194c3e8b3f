//! `Linspace`, `Logspace`, `Geomspace`: equally spaced numbers, or numbers in equal ratios, between two ends, which may
//! be tensors.
//!
//! Reference: `keras.ops.linspace` and its relatives, `tf.linspace`.

use super::FromOpConfig;
use super::args::{Args, missing, to_type};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::{SymShape, ValueType};
use std::f64::consts::LN_10;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Equally spaced numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Linspace {
    /// What is equally spaced.
    pub kind: LinspaceKind,
    /// `num`, `endpoint`, `axis`, `base`, `dtype`.
    pub params: Params,
}

/// What is equally spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinspaceKind {
    /// The numbers.
    Numbers,
    /// The exponents of a base, as in `logspace`: the ends are exponents.
    Powers,
    /// The logarithms, as in `geomspace`: the ends are the first and last number of the result.
    Ratios,
}

impl FromOpConfig for Linspace {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Logspace" => LinspaceKind::Powers,
            "Geomspace" => LinspaceKind::Ratios,
            _ => LinspaceKind::Numbers,
        };
        Ok(Linspace { kind, params: Params::read(config) })
    }
}

/// The logarithm to base 10 of the absolute value of a number.
fn logarithm(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let size = cx.unary(UnaryOp::Abs, x)?;
    let log = cx.unary(UnaryOp::Log, size)?;
    cx.binary_scalar(BinaryOp::Div, log, LN_10)
}

impl LayerDef for Linspace {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let start = args.need_value(cx, &["start"], Some(0))?;
        let stop = args.need_value(cx, &["stop"], Some(1))?;
        let count = match args.sizes(cx, &["num"], Some(2))?.as_deref() {
            Some(&[count]) if cx.at_least(count, Dim::ONE) => count,
            Some(_) => return Err(Error::malformed("expected a number of at least 1 as `num`")),
            None => return Err(missing(&["num"])),
        };
        if args.or(&["retstep"], None, false)? {
            return Err(Error::unsupported("`retstep` is not supported"));
        }
        let (mut start, mut stop) = (cx.to_float(start)?, cx.to_float(stop)?);
        let mut sign = None;
        if self.kind == LinspaceKind::Ratios {
            sign = Some(cx.unary(UnaryOp::Sign, start)?);
            (start, stop) = (logarithm(cx, start)?, logarithm(cx, stop)?);
        }
        let difference = cx.sub(stop, start)?;
        let rank = cx.ty(difference).rank();
        let axis = SymShape(vec![None; rank + 1]).axis(args.or(&["axis"], Some(4), 0)?)?;
        cx.mixes_batch();
        let mut dims = vec![Dim::ONE; rank + 1];
        dims[axis] = count;
        let place = cx.iota(axis, &dims, ElementType::F32)?;
        let place = cx.cast_like(place, difference)?;
        let steps = cx.size(count, ElementType::I64)?;
        let mut steps = cx.cast_like(steps, difference)?;
        if args.or(&["endpoint"], None, true)? {
            // A single number is the start, independent of the end.
            steps = cx.binary_scalar(BinaryOp::Sub, steps, 1.0)?;
            steps = cx.binary_scalar(BinaryOp::Max, steps, 1.0)?;
        }
        let share = cx.div(place, steps)?;
        let dims = cx.dims_of(difference);
        let start = cx.broadcast_to(start, &dims)?;
        let (start, difference) = (cx.insert_axis(start, axis)?, cx.insert_axis(difference, axis)?);
        let way = cx.mul(difference, share)?;
        let mut value = cx.add(start, way)?;
        if self.kind != LinspaceKind::Numbers {
            let base = args.value(cx, &["base"], None)?;
            let base = match base {
                Some(base) => cx.cast_like(base, value)?,
                None => cx.scalar_like(value, 10.0)?,
            };
            value = cx.binary(BinaryOp::Pow, base, value)?;
        }
        if let Some(sign) = sign {
            let sign = cx.broadcast_to(sign, &dims)?;
            let sign = cx.insert_axis(sign, axis)?;
            value = cx.mul(value, sign)?;
        }
        let dtype = sizes::dtype(&args, &["dtype"], None)?.unwrap_or(ValueType::Float);
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
    fn shapes() {
        check("Linspace", json!({"num": 5, "axis": 0}), json!(["f:?,3", "f:?,3"]), json!({}), "float32[5,?,3]");
        check("Linspace", json!({"num": 5, "axis": -1}), json!(["f:?,3", 1.0]), json!({}), "float32[?,3,5]");
        check("Linspace", json!({}), json!(["f:"]), json!({"stop": "f:", "num": 4}), "float32[4]");
        check("Logspace", json!({"num": 5, "axis": -1}), json!(["f:?,3", 1.0]), json!({}), "float32[?,3,5]");
        check("Geomspace", json!({"num": 5, "axis": 0}), json!(["f:3", "f:3"]), json!({}), "float32[5,3]");
        let message = "expected a number of at least 1 as `num`";
        refused_with("Linspace", json!({"num": 0}), json!(["f:", "f:"]), message);
    }
}
