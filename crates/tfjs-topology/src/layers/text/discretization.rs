//! `Discretization`: the index of the interval that contains a number.
//!
//! References: Keras 2's and Keras 3's `discretization.py`, TensorFlow's `Bucketize`: a number on a boundary is in the
//! interval above it, and NaN is in the last one.

use super::rows::{OutputMode, Rows};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::{CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, ElementType};
use tfjs_manifest::{Error, Result};

/// Intervals between boundaries. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Discretization {
    /// The boundaries, in order.
    pub boundaries: Vec<f32>,
    /// The form of the output.
    pub rows: Rows,
}

impl FromConfig for Discretization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // These keys are for finding the boundaries, and for storing equal values in memory.
        config.inert(&["num_bins", "epsilon", "sparse"]);
        // The key before Keras 2.6.
        let old = config.value("bins").is_some_and(Json::is_array);
        let key = if old { "bins" } else { "bin_boundaries" };
        let boundaries: Vec<f32> = config.opt(key)?.ok_or_else(|| {
            Error::unsupported(
                "the boundaries are missing: Keras 2 does not write those that `adapt` has found; add \
                 `bin_boundaries`, the layer's `bin_boundaries`, to its configuration",
            )
            .at_json("config")
        })?;
        if let Some(at) = boundaries.windows(2).position(|pair| pair[0] > pair[1]) {
            let (a, b) = (boundaries[at], boundaries[at + 1]);
            let message = format!("expected boundaries in order, found {a} before {b}");
            return Err(Error::malformed(message).at_json(key).at_json("config"));
        }
        let known = [OutputMode::Int, OutputMode::OneHot, OutputMode::MultiHot, OutputMode::Count];
        let output = OutputMode::read(config, OutputMode::Int, &known)?;
        let rows = Rows::read(config, output, boundaries.len() + 1, key)?;
        let indices_of_keras3 = config.producer().is_keras3() && output == OutputMode::Int;
        let element = if indices_of_keras3 { ElementType::I32 } else { rows.element };
        Ok(Discretization { boundaries, rows: Rows { element, ..rows } })
    }
}

impl LayerDef for Discretization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?.value;
        let input = cx.to_float(input)?;
        let rank = cx.ty(input).rank();
        let numbers = cx.insert_axis(input, rank)?;
        let boundaries = self.boundaries.iter().copied().map(f64::from);
        let boundaries = cx.constant(Array::floats([self.boundaries.len()], boundaries)?)?;
        let boundaries = cx.cast_like(boundaries, numbers)?;
        // The negation of `<`, so that NaN is above all boundaries.
        let is_below = cx.compare(CompareOp::Lt, numbers, boundaries)?;
        let is_above = cx.unary(UnaryOp::Not, is_below)?;
        let passed = cx.cast(is_above, ElementType::I64)?;
        let intervals = cx.reduce(ReduceOp::Sum, passed, &[rank], false)?;
        Ok(vec![self.rows.of(cx, intervals, None)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_program_of, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn shapes() {
        let of = |mode: &str| json!({"binBoundaries": [0, 1.5], "output_mode": mode});
        check_infer("Discretization", json!({"bins": [0, 1.5]}), &["?,?"], &["?,?"]);
        check_infer("Discretization", of("int"), &["?,2,3"], &["?,2,3"]);
        check_infer("Discretization", of("one_hot"), &["?,1"], &["?,3"]);
        check_infer("Discretization", of("multi_hot"), &["?,5"], &["?,3"]);
    }

    #[test]
    fn programs() {
        let config = json!({"bin_boundaries": [0, 1.5], "dtype": "int32", "num_bins": null, "epsilon": 0.01});
        check_program_of(
            Family::Keras3,
            "Discretization",
            config,
            &["?,?"],
            expect![[r#"
            input "x1": f32[batch,x1.1]
            const const0: f32[2] = [0.0,1.5]
            {
              %0 = input() {port=0} : f32[batch,x1.1]
              %1 = reshape(%0) {dims=[batch,x1.1,1]} : f32[batch,x1.1,1]
              %2 = const() {constant=const0} : f32[2]
              %3 = compare(%1, %2) {op=lt} : bool[batch,x1.1,2]
              %4 = unary(%3) {op=not} : bool[batch,x1.1,2]
              %5 = cast(%4) {to=i64} : i64[batch,x1.1,2]
              %6 = reduce(%5) {op=sum, axes=[2], keep=false} : i64[batch,x1.1]
              %7 = cast(%6) {to=i32} : i32[batch,x1.1]
              return %7 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn refuses() {
        let message = "`config`: the boundaries are missing: Keras 2 does not write those that `adapt` has found; add \
                       `bin_boundaries`, the layer's `bin_boundaries`, to its configuration";
        check_refused("Discretization", json!({"num_bins": 4, "bin_boundaries": null}), &["?,3"], message);
        let message = "`config.bin_boundaries`: expected boundaries in order, found 2 before 1";
        check_refused("Discretization", json!({"bin_boundaries": [0, 2, 1]}), &["?,3"], message);
    }
}
