//! `PReLU`: `x >= 0 -> x; else alpha * x`, with a learned `alpha` for each element or channel.
//!
//! Reference: <https://keras.io/api/layers/activation_layers/prelu/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_manifest::Result;

/// A rectifier with a learned slope. Weights: `alpha`, of the input's shape without the batch, 1 for shared axes.
#[derive(Clone, Debug, PartialEq)]
pub struct PRelu {
    /// The axes along which all elements have the same slope; the batch is axis 0.
    pub shared_axes: Vec<i64>,
}

impl FromConfig for PRelu {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["PReLU"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(PRelu { shared_axes: super::shared_axes(config)? })
    }
}

impl PRelu {
    /// The function of a value.
    ///
    /// # Errors
    /// Inputs without the axes that are shared, or with an unknown one that is not.
    pub(super) fn apply(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let shape = super::weight_shape(cx, x, &self.shared_axes)?;
        let alpha = cx.weight(WeightDecl::new("alpha", shape))?;
        let x = cx.to_float(x)?;
        // Strictly below zero, so that a NaN stays one.
        let below = cx.compare_scalar(CompareOp::Lt, x, 0.0)?;
        let scaled = cx.mul(x, alpha)?;
        cx.select(below, scaled, x)
    }
}

impl LayerDef for PRelu {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let out = self.apply(cx, input.value)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        let Some(rank) = out.rank() else { return Ok(()) };
        // Python's lists also have indices from the end, which JavaScript's do not: axis 0 is the last one in Keras.
        let counted = |&axis: &i64| if axis > 0 { axis } else { axis + rank as i64 - 1 };
        if self.shared_axes.iter().any(|&axis| axis <= 0) {
            out.set("shared_axes", self.shared_axes.iter().map(counted).collect::<Vec<_>>());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("PReLU", json!({"shared_axes": null}), &["?,4"], &["?,4"]);
        check_weights("PReLU", json!({}), &["?,4,3"], &["alpha[4,3]"]);
        check_weights("PReLU", json!({"sharedAxes": [1.0, 2]}), &["?,?,?,3"], &["alpha[1,1,3]"]);
        check_weights("PReLU", json!({"shared_axes": 1}), &["?,?,3"], &["alpha[1,3]"]);
        check_weights("PReLU", json!({"shared_axes": [-1, -2]}), &["?,?,5,3"], &["alpha[1,1,3]"]);
        check_weights("PReLU", json!({"shared_axes": [0]}), &["?,5,3"], &["alpha[5,1]"]);
    }

    #[test]
    fn refuses() {
        let message = "shared axis 3 does not exist in shape [?,4,3]";
        check_refused("PReLU", json!({"shared_axes": [3]}), &["?,4,3"], message);
        let message = "shared axis -2 does not exist in shape [?,4,3]";
        check_refused("PReLU", json!({"shared_axes": [-2]}), &["?,4,3"], message);
        let message = "an axis that is not shared must be known, found shape [?,?,3]";
        check_refused("PReLU", json!({}), &["?,?,3"], message);
    }

    #[test]
    fn a_nan_stays_one() {
        check_program(
            "PReLU",
            json!({"shared_axes": [1]}),
            &["?,?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                slot slot0 "/alpha": f32[1,3]
                const const0: f32[] = [0.0]
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = param() {slot=slot0} : f32[1,3]
                  %3 = const() {constant=const0} : f32[]
                  %4 = compare(%0, %3) {op=lt} : bool[batch,x1.1,3]
                  %5 = binary(%0, %2) {op=mul} : f32[batch,x1.1,3]
                  %6 = select(%4, %5, %0) {} : f32[batch,x1.1,3]
                  return %6 "y1", %1 "y1.mask"
                }
            "#]],
        );
    }
}
