//! `UnitNormalization`: `input / sqrt(max(sum(input^2), epsilon))` over some axes together.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/unit_normalization/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::axes::Axes;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::normalize::{Norm, Normalize};
use tfjs_manifest::Result;

/// A normalization to length 1. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitNormalization {
    /// The axes over which the elements together are normalized.
    pub axes: Axes,
    /// The lower bound of the squared length.
    pub epsilon: f64,
}

impl FromConfig for UnitNormalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // Keras 2 bounds the square of the length from below, Keras 3 the length itself.
        let epsilon = if config.producer().is_keras3() { 1e-24 } else { 1e-12 };
        Ok(UnitNormalization { axes: config.or("axis", Axes(vec![-1]))?, epsilon })
    }
}

impl LayerDef for UnitNormalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let mut axes = self.axes.of(cx, input.value)?;
        axes.sort_unstable();
        let x = cx.to_float(input.value)?;
        let norm = Normalize { norm: Norm::L2, axes, epsilon: self.epsilon, scale: false, center: false };
        let out = cx.one(norm, &[x])?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("UnitNormalization", json!({}), &["?,4,?"], &["?,4,?"]);
        check_infer("UnitNormalization", json!({"axis": [1, 2.0]}), &["?,4,3"], &["?,4,3"]);
        check_refused("UnitNormalization", json!({"axis": 2}), &["?,3"], "`axis` 2 does not exist in shape [?,3]");
        let message = "`axis` -1 is named twice, for shape [?,3]";
        check_refused("UnitNormalization", json!({"axis": [1, -1]}), &["?,3"], message);
    }

    #[test]
    fn one_primitive() {
        let program = expect![[r#"
            input "x1": f32[batch,3]
            {
              %0 = input() {port=0} : f32[batch,3]
              %1 = normalize(%0) {norm=l2, axes=[1], epsilon=1e-12, scale=false, center=false} : f32[batch,3]
              return %1 "y1"
            }
        "#]];
        check_program("UnitNormalization", json!({}), &["?,3"], program);
    }
}
