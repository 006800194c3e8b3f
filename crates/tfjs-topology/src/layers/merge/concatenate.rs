//! `Concatenate`: concatenates inputs along an axis.
//!
//! Reference: <https://keras.io/api/layers/merging_layers/concatenate/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A concatenation. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Concatenate {
    /// The axis. DIFFERENCE: TensorFlow.js treats every negative axis as the last one.
    pub axis: i64,
    /// Whether a time step is unmasked if any input has it, instead of all inputs: Keras 3.
    pub mask_any: bool,
}

impl FromConfig for Concatenate {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Concatenate"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Concatenate { axis: config.or("axis", -1)?, mask_any: config.producer().is_keras3() })
    }
}

impl Concatenate {
    /// The mask of the output: along an axis that masks have, the masks one after the other; along another, the steps that
    /// all inputs have, or any of them. An input without a mask has all its steps.
    fn joined_mask(&self, cx: &mut LowerCx<'_>, inputs: &[KerasTensor], axis: usize) -> Result<Option<Value>> {
        let masks: Vec<Value> = inputs.iter().filter_map(|input| input.mask).collect();
        let Some(&first) = masks.first().filter(|_| cx.ty(inputs[0].value).rank() >= 3) else { return Ok(None) };
        // Two axes for most, more from a `Masking` of images.
        let masked_axes = cx.ty(first).rank();
        if axis >= masked_axes {
            return match self.mask_any {
                true if masks.len() < inputs.len() => Ok(None),
                true => masks::fold(cx, BinaryOp::Or, &masks),
                false => masks::fold(cx, BinaryOp::And, &masks),
            };
        }
        let mut parts = Vec::with_capacity(inputs.len());
        for input in inputs {
            parts.push(match input.mask {
                Some(mask) => mask,
                None => {
                    let mut steps = cx.dims_of(input.value);
                    steps.truncate(masked_axes);
                    cx.full(ElementType::Bool, &steps, 1.0)?
                }
            });
        }
        cx.concat(&parts, axis).map(Some)
    }
}

impl LayerDef for Concatenate {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let inputs: Vec<KerasTensor> = call.inputs().into_iter().cloned().collect();
        let first = inputs.first().ok_or_else(|| Error::malformed("expected at least one input, found none"))?;
        let axis = cx.axis(self.axis, first.value)?;
        let values = super::unified(cx, &inputs, |_| true)?;
        let out = cx.concat(&values, axis)?;
        let mask = self.joined_mask(cx, &inputs, axis)?;
        Ok(vec![KerasTensor::from(out).with_mask(mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        // TensorFlow.js treats any negative axis as the last one, so the axis is written counted from the front.
        let rank = out.rank().map_or(0, |rank| rank as i64);
        let axis = match self.axis {
            axis if axis < -1 && axis + rank >= 0 => axis + rank,
            axis => axis,
        };
        if axis < -1 {
            out.warn("TensorFlow.js takes every negative `axis` for the last");
        }
        out.set("axis", axis);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program, check_program_of, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Concatenate", json!({}), &["?,4,3", "?,?,5"], &["?,4,8"]);
        check_infer("Concatenate", json!({"axis": -2.0}), &["?,4,3", "2,?,3", "?,1,3"], &["2,?,3"]);
        check_infer("Concatenate", json!({"axis": 1}), &["?,4,3"], &["?,4,3"]);
    }

    #[test]
    fn refuses() {
        let message = "shapes [?,4,3] and [?,5,3] differ in another axis than 2";
        check_refused("Concatenate", json!({}), &["?,4,3", "?,5,3"], message);
        let message = "shapes [?,3] and [?,5,3] differ in another axis than 1";
        check_refused("Concatenate", json!({}), &["?,3", "?,5,3"], message);
        check_refused("Concatenate", json!({"axis": 2}), &["?,3"], "`axis` 2 does not exist in shape [?,3]");
    }

    #[test]
    fn masks_that_are_there() {
        let bare = ["?,5,3", "int32 ?,5,1"];
        let one = ["?,?,3 masked", "?,5,1"];
        let both = ["?,5,3 masked", "?,5,1 masked"];
        check_program(
            "Concatenate",
            json!({}),
            &bare,
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x2": i32[batch,5,1]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : i32[batch,5,1]
                  %2 = cast(%1) {to=f32} : f32[batch,5,1]
                  %3 = concat(%0, %2) {axis=2} : f32[batch,5,4]
                  return %3 "y1"
                }
            "#]],
        );
        check_program(
            "Concatenate",
            json!({}),
            &one,
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                input "x2": f32[batch,5,1]
                guard equal(x1.1, 5)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = input() {port=2} : f32[batch,5,1]
                  %3 = concat(%0, %2) {axis=2} : f32[batch,5,4]
                  return %3 "y1", %1 "y1.mask"
                }
            "#]],
        );
        check_program(
            "Concatenate",
            json!({}),
            &both,
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,1]
                input "x2.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,1]
                  %3 = input() {port=3} : bool[batch,5]
                  %4 = concat(%0, %2) {axis=2} : f32[batch,5,4]
                  %5 = binary(%1, %3) {op=and} : bool[batch,5]
                  return %4 "y1", %5 "y1.mask"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Concatenate",
            json!({}),
            &one,
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                input "x2": f32[batch,5,1]
                guard equal(x1.1, 5)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = input() {port=2} : f32[batch,5,1]
                  %3 = concat(%0, %2) {axis=2} : f32[batch,5,4]
                  return %3 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "Concatenate",
            json!({}),
            &both,
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,5,1]
                input "x2.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,5,1]
                  %3 = input() {port=3} : bool[batch,5]
                  %4 = concat(%0, %2) {axis=2} : f32[batch,5,4]
                  %5 = binary(%1, %3) {op=or} : bool[batch,5]
                  return %4 "y1", %5 "y1.mask"
                }
            "#]],
        );
    }

    #[test]
    fn masks_along_time() {
        check_program(
            "Concatenate",
            json!({"axis": 1}),
            &["?,5,3 masked", "?,?,3"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                input "x2": f32[batch,x2.1,3]
                const const0: bool[] = [true]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : f32[batch,x2.1,3]
                  %3 = concat(%0, %2) {axis=1} : f32[batch,x2.1+5,3]
                  %4 = const() {constant=const0} : bool[]
                  %5 = broadcast(%4) {dims=[batch,x2.1], axes=[]} : bool[batch,x2.1]
                  %6 = concat(%1, %5) {axis=1} : bool[batch,x2.1+5]
                  return %3 "y1", %6 "y1.mask"
                }
            "#]],
        );
    }

    #[test]
    fn a_negative_axis_is_counted_from_the_front() {
        let check = |axis: i64, expect: i64, warnings: &[&str]| {
            let (config, keys) = (json!({"axis": axis}), json!({"axis": expect}));
            check_encoded(Family::Keras2, &json!([null, 4, 3]), "Concatenate", &config, &keys, warnings);
        };
        check(-1, -1, &[]);
        check(-2, 1, &[]);
        check(2, 2, &[]);
        // The axis does not exist, so the model has no known shapes.
        check(-4, -4, &["TensorFlow.js takes every negative `axis` for the last"]);
    }
}
