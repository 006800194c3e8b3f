//! `RMSNormalization`: `input / sqrt(mean(input^2) + epsilon) * scale`.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/rms_normalization/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::axes::Axes;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::normalize::{Norm, Normalize};
use tfjs_manifest::{Result, Shape};

/// A normalization by the root of the mean square. Weights: `scale`, with the dimensions of the normalized axes.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsNormalization {
    /// The normalized axes, in the order of the weight's dimensions.
    pub axes: Axes,
    /// Added to the mean square.
    pub epsilon: f64,
}

impl FromConfig for RmsNormalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let mut axes = config.or("axis", Axes(vec![-1]))?;
        // Keras shapes its weight by the axes sorted as written, negative ones first.
        axes.0.sort_unstable();
        Ok(RmsNormalization { axes, epsilon: config.or("epsilon", 1e-6)? })
    }
}

impl LayerDef for RmsNormalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let mut axes = self.axes.of(cx, input.value)?;
        let shape = Shape::new(super::lengths(cx, input.value, &axes)?)?;
        // Keras broadcasts it to the last axes, even if other axes are normalized.
        let scale = cx.weight(WeightDecl::new("scale", shape).ones())?;
        axes.sort_unstable();
        let x = cx.to_float(input.value)?;
        let norm = Normalize { norm: Norm::Rms, axes, epsilon: self.epsilon, scale: true, center: false };
        Ok(vec![cx.one(norm, &[x, scale])?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("RMSNormalization", json!({}), &["?,?,3"], &["?,?,3"]);
        check_weights("RMSNormalization", json!({"axis": [2, 1.0]}), &["?,4,3"], &["scale[4,3]"]);
        check_refused("RMSNormalization", json!({"axis": 2}), &["?,3"], "`axis` 2 does not exist in shape [?,3]");
        let message = "the normalized axis must be known, found shape [?,?]";
        check_refused("RMSNormalization", json!({}), &["?,?"], message);
    }

    #[test]
    fn one_primitive() {
        check_program(
            "RMSNormalization",
            json!({"epsilon": 0.5}),
            &["int32 ?,4,3 masked"],
            expect![[r#"
            input "x1": i32[batch,4,3]
            input "x1.mask": bool[batch,4]
            slot slot0 "/scale": f32[3]
            {
              %0 = input() {port=0} : i32[batch,4,3]
              %1 = input() {port=1} : bool[batch,4]
              %2 = param() {slot=slot0} : f32[3]
              %3 = cast(%0) {to=f32} : f32[batch,4,3]
              %4 = normalize(%3, %2) {norm=rms, axes=[2], epsilon=0.5, scale=true, center=false} : f32[batch,4,3]
              return %4 "y1"
            }
        "#]],
        );
    }
}
