//! `Einsum`: sums of products over labelled axes.
//!
//! Reference: `keras.ops.einsum`, `tf.einsum`.

use super::FromOpConfig;
use super::args::{Args, Operand};
use super::params::{Params, meeting};
use crate::call::{Arg, Call};
use crate::config::{Config, expected};
use crate::einsum::Equation;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use serde_json::Value as Json;
use tfjs_manifest::{Error, Result};

/// A sum of products over labelled axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Einsum {
    /// `subscripts`; Keras 2 writes the equation as the first argument.
    pub params: Params,
}

impl FromOpConfig for Einsum {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Einsum { params: Params::read(config) })
    }
}

impl Einsum {
    /// Reads the equation and the operands after it.
    fn read<'a>(args: &Args<'a>) -> Result<(Equation, Vec<&'a Arg<KerasTensor>>)> {
        let mut operands: Vec<&Arg<KerasTensor>> = Vec::new();
        let mut equation: Option<String> = args.opt(&["subscripts", "equation"], None)?;
        for arg in args.positional() {
            match arg {
                Arg::Const(value) if equation.is_none() => match &**value {
                    Json::String(text) => equation = Some(text.clone()),
                    other => return Err(expected("an equation", other)),
                },
                Arg::List(items) => operands.extend(items),
                arg => operands.push(arg),
            }
        }
        let equation = equation.ok_or_else(|| Error::malformed("missing `subscripts`"))?;
        Ok((Equation::parse(&equation)?, operands))
    }
}

impl LayerDef for Einsum {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["optimize"]);
        let (equation, operands) = Self::read(&args)?;
        if operands.is_empty() {
            let message = "the file has the equation and none of its tensors, which Keras 2 does not write: use `EinsumDense`, \
                           `tf.matmul` or `tf.tensordot`, or save the model with Keras 3";
            return Err(Error::malformed(message));
        }
        let operands = operands.into_iter().map(|arg| Operand::read(cx, arg)).collect::<Result<Vec<_>>>()?;
        let types: Vec<(ValueType, bool)> = operands.iter().map(|operand| operand.ty(cx)).collect();
        let fold = |a: (ValueType, bool), b: &(ValueType, bool)| (meeting(a, *b), a.1 && b.1);
        let Some((&first, rest)) = types.split_first() else { return Err(Error::bug("an equation without operands")) };
        let dtype = match rest.iter().fold(first, fold).0 {
            // Truth values are computed as 0 and 1.
            ValueType::Bool => ValueType::Int32,
            dtype => dtype,
        };
        let mut values = Vec::new();
        for operand in operands {
            values.push(operand.value(cx, dtype)?);
        }
        let ranks: Vec<usize> = values.iter().map(|&value| cx.ty(value).rank()).collect();
        let labels = equation.labels(&ranks)?;
        if labels.inputs.iter().any(|input| input.first() != labels.output.first()) {
            cx.mixes_batch();
        }
        let value = cx.einsum(&values, &labels)?;
        args.finish(cx);
        Ok(vec![value.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused, refused_with};
    use serde_json::json;

    #[test]
    fn equations() {
        let of = |equation: &str| json!({"subscripts": equation});
        check("Einsum", of("bij,bkj->bik"), json!(["f:?,5,4", "f:?,?,4"]), json!({}), "float32[?,5,?]");
        check(
            "Einsum",
            of("...ij,jk->...ik"),
            json!(["f:?,5,4", [[1.0], [2.0], [3.0], [4.0]]]),
            json!({}),
            "float32[?,5,1]",
        );
        check("Einsum", of("bii->bi"), json!(["i:?,4,4"]), json!({}), "int32[?,4]");
        check("Einsum", of("bij,bjk"), json!(["i:?,4,4", "i:?,4,2"]), json!({}), "int32[4,2]");
        check("Einsum", of("bi,bj,bk->bkij"), json!(["f:?,4", "f:?,3", "f:?,2"]), json!({}), "float32[?,2,4,3]");
        check("Einsum", of("...i,...i->..."), json!(["f:?,1,4", "f:?,3,4"]), json!({}), "float32[?,3]");
        check("Einsum", of("ij->"), json!(["f:?,4"]), json!({}), "float32[]");
    }

    #[test]
    fn an_equation_among_the_arguments() {
        check("Einsum", json!({}), json!(["bi,bj->bij", "f:?,4", "f:?,3"]), json!({}), "float32[?,4,3]");
    }

    #[test]
    fn refuses() {
        let of = |equation: &str| json!({"subscripts": equation});
        let message = "shapes [?,4] and [?,3] cannot be multiplied";
        refused_with("Einsum", of("bi,bi->b"), json!(["f:?,4", "f:?,3"]), message);
        refused_with("Einsum", of("bi,bi->bi"), json!(["f:?,4", "f:?,3"]), message);
        refused_with("Einsum", json!({}), json!(["f:?,4"]), "missing `subscripts`");
        refused_with("Einsum", of("a->a"), json!(["s:?"]), "expected numbers, found strings");
        let message = "operand 1 of the equation has 3 axes, found a tensor of rank 2";
        refused_with("Einsum", of("abc->a"), json!(["f:?,4"]), message);
    }

    #[test]
    fn tensors_that_keras_2_does_not_write() {
        let message = "the file has the equation and none of its tensors, which Keras 2 does not write: use `EinsumDense`, \
                       `tf.matmul` or `tf.tensordot`, or save the model with Keras 3";
        refused("Einsum", json!(["ab,bc->ac"]), message);
    }
}
