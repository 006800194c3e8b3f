//! `Concatenate` and `Stack`: join several tensors.
//!
//! Reference: `keras.ops.concatenate`, `keras.ops.stack`.

use super::FromOpConfig;
use super::args::{self, Args, is_integer, to_type};
use super::params::{Constant, Params, meeting, promote};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::{SymShape, ValueType};
use tfjs_manifest::{Error, Result};

/// Several tensors joined along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Whether the axis is a new one.
    pub stack: bool,
    /// `axis`.
    pub params: Params,
}

impl FromOpConfig for Join {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Join { stack: class == "Stack", params: Params::read(config) })
    }
}

impl Join {
    /// The axis in the result.
    fn axis_of(
        &self,
        cx: &LowerCx<'_>,
        args: &Args<'_>,
        position: Option<usize>,
        first: tfjs_ir::Value,
    ) -> Result<usize> {
        let axis: i64 = args.or(&["axis"], position, if self.stack { 0 } else { -1 })?;
        let rank = cx.ty(first).rank() + usize::from(self.stack);
        let found = SymShape(vec![None; rank]).axis(axis);
        found.map_err(|_| Error::malformed(format!("`axis` {axis} does not exist in shape {}", cx.shape(first))))
    }

    /// Checks that the shapes of the parts are equal except along the axis.
    fn check_fit(&self, cx: &mut LowerCx<'_>, values: &[KerasTensor], axis: usize) -> Result<()> {
        let Some((first, more)) = values.split_first() else { return Ok(()) };
        let mut joined = cx.ty(first.value).clone();
        for other in more {
            let dims = cx.dims_of(other.value);
            let wrong = |cx: &LowerCx<'_>, joined: &tfjs_ir::Type| {
                let (a, b) = (joined.shape(&cx.program().dims), cx.shape(other.value));
                Error::malformed(format!("shapes {a} and {b} cannot be joined at axis {axis}"))
            };
            if dims.len() != joined.rank() {
                return Err(wrong(cx, &joined));
            }
            for (i, dim) in dims.into_iter().enumerate() {
                joined.dims[i] = match i == axis && !self.stack {
                    true => cx.dims().add(joined.dims[i], dim)?,
                    false => cx.same(joined.dims[i], dim).ok_or_else(|| wrong(cx, &joined))?,
                };
            }
        }
        Ok(())
    }
}

/// The parts and the arguments after them: Keras 3 writes a list, Keras 2 one argument for each part.
fn parts<'a>(args: &Args<'a>) -> Result<(Vec<&'a Arg<KerasTensor>>, Option<usize>)> {
    const NAMES: [&str; 3] = ["xs", "x", "values"];
    let (list, axis) = match args.positional() {
        [] => (args.keyword(&NAMES).map(std::slice::from_ref).unwrap_or_default(), None),
        [Arg::List(_), ..] => (&args.positional()[..1], Some(1)),
        all => (all, None),
    };
    let parts: Vec<&Arg<KerasTensor>> = match list {
        [Arg::List(items)] => items.iter().collect(),
        items => items.iter().collect(),
    };
    if parts.iter().any(|part| part.tensor().is_some()) {
        return Ok((parts, axis));
    }
    Err(Error::malformed("expected tensors to join, found none"))
}

/// The parts as values. A constant among them may be sizes.
fn values(cx: &mut LowerCx<'_>, parts: &[&Arg<KerasTensor>]) -> Result<Vec<KerasTensor>> {
    let tensors = || parts.iter().filter_map(|part| part.tensor());
    let mut dtype = ValueType::Bool;
    for tensor in tensors() {
        args::numeric(cx, tensor.value)?;
        dtype = promote(dtype, value_type(cx.ty(tensor.value).element));
    }
    for part in parts {
        if let Arg::Const(json) = part {
            let constant = Constant::read(json)?;
            dtype = meeting((dtype, false), (constant.dtype, constant.weak));
        }
    }
    let of_sizes = is_integer(dtype) && tensors().all(|tensor| tensor.sizes.is_some());
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        values.push(match part {
            Arg::Tensor(tensor) => {
                let value = to_type(cx, tensor.value, dtype)?;
                KerasTensor { sizes: tensor.sizes.clone().filter(|_| of_sizes), ..KerasTensor::from(value) }
            }
            Arg::Const(json) => {
                let constant = Constant::read(json)?;
                let sizes = if of_sizes { sizes::of_constant(cx, &constant) } else { None };
                KerasTensor { sizes, ..KerasTensor::from(constant.lower(cx, dtype)?) }
            }
            _ => return Err(Error::unsupported("a list among joined tensors is not supported")),
        });
    }
    Ok(values)
}

impl LayerDef for Join {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let (parts, position) = parts(&args)?;
        let mut values = values(cx, &parts)?;
        let first = values.first().ok_or_else(|| Error::bug("no tensors to join"))?.value;
        let axis = self.axis_of(cx, &args, position, first)?;
        self.check_fit(cx, &values, axis)?;
        if axis == 0 {
            cx.mixes_batch();
        }
        let sizes: Option<Vec<Vec<_>>> = values.iter().map(|part| part.sizes.clone()).collect();
        if self.stack {
            for part in &mut values {
                part.value = cx.insert_axis(part.value, axis)?;
            }
        }
        let values: Vec<tfjs_ir::Value> = values.into_iter().map(|part| part.value).collect();
        let value = cx.concat(&values, axis)?;
        // Sizes are scalars or vectors; a value of higher rank cannot be sizes.
        let sizes = sizes
            .map(|sizes| sizes.concat())
            .filter(|sizes| cx.ty(value).rank() == 1 && sizes::is_few(cx, sizes.len()));
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn along_an_axis() {
        check("Concatenate", json!({"axis": -1}), json!([["f:?,3,4", "f:2,3,1"]]), json!({}), "float32[2,3,5]");
        check("Concatenate", json!({}), json!(["f:?,3", "i:?,4"]), json!({"axis": 1}), "float32[?,7]");
        check("Stack", json!({"axis": 1}), json!([["f:?,3", "f:?,3"]]), json!({}), "float32[?,2,3]");
        check("Stack", json!({"axis": -1}), json!([["f:?,3", "f:?,3"]]), json!({}), "float32[?,3,2]");
    }

    #[test]
    fn refuses() {
        refused("Concatenate", json!([["f:2,3", "f:3,3"]]), "shapes [2,3] and [3,3] cannot be joined at axis 1");
        refused("Concatenate", json!([["f:2,3", [1.0, 2.0]]]), "shapes [2,3] and [2] cannot be joined at axis 1");
    }
}
