//! `LayerNormalization`: `(input - mean) / sqrt(variance + epsilon) * gamma + beta`, with the mean and variance
//! over the normalized axes.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/layer_normalization/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::axes::Axes;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::normalize::{Norm, Normalize};
use tfjs_manifest::{Result, Shape};

/// A layer normalization. Weights: `gamma`, `beta`, each with the dimensions of the normalized axes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormalization {
    /// The normalized axes, in the order of the weights' dimensions.
    pub axes: Axes,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether there is a `beta`.
    pub center: bool,
    /// Whether there is a `gamma`.
    pub scale: bool,
    /// Keras 3: `input / sqrt(variance + epsilon) * gamma`, without mean and `beta`.
    pub rms_scaling: bool,
}

impl FromConfig for LayerNormalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["LayerNormalization"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let mut axes = config.or("axis", Axes(vec![-1]))?;
        // Keras 3 shapes its weights by the sorted axes, the others by the axes as written.
        if config.producer().is_keras3() {
            axes.0.sort_unstable();
        }
        let rms_scaling = config.or("rms_scaling", false)?;
        Ok(LayerNormalization {
            axes,
            epsilon: config.or("epsilon", 1e-3)?,
            center: config.or("center", true)? && !rms_scaling,
            scale: config.or("scale", true)? || rms_scaling,
            rms_scaling,
        })
    }
}

impl LayerDef for LayerNormalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let mut axes = self.axes.of(cx, input.value)?;
        let mut operands = Vec::new();
        // Only weights want to know the axes.
        let shape = match self.scale || self.center {
            true => Shape::new(super::lengths(cx, input.value, &axes)?)?,
            false => Shape::new([])?,
        };
        if self.scale {
            operands.push(cx.weight(WeightDecl::new("gamma", shape.clone()).ones())?);
        }
        if self.center {
            operands.push(cx.weight(WeightDecl::new("beta", shape))?);
        }
        axes.sort_unstable();
        for weight in &mut operands {
            *weight = super::spread(cx, *weight, input.value, &axes)?;
        }
        operands.insert(0, cx.to_float(input.value)?);
        let norm = if self.rms_scaling { Norm::Deviation } else { Norm::Layer };
        let (scale, center) = (self.scale, self.center);
        let out = cx.one(Normalize { norm, axes, epsilon: self.epsilon.into(), scale, center }, &operands)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.rms_scaling {
            out.warn("TensorFlow.js has no `rms_scaling`");
        }
        super::warn_of_rank(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("LayerNormalization", json!({"axis": [1, 2]}), &["?,4,3"], &["?,4,3"]);
        check_weights("LayerNormalization", json!({}), &["?,?,3"], &["gamma[3]", "beta[3]"]);
        check_weights("LayerNormalization", json!({"axis": [-1, 1]}), &["?,4,3"], &["gamma[3,4]", "beta[3,4]"]);
        check_weights("LayerNormalization", json!({"center": false, "axis": 1.0}), &["?,4,?"], &["gamma[4]"]);
        check_infer("LayerNormalization", json!({"center": false, "scale": false}), &["?,?"], &["?,?"]);
        check_weights("LayerNormalization", json!({"rmsScaling": true}), &["?,4"], &["gamma[4]"]);
    }

    #[test]
    fn refuses() {
        let message = "`axis` 2 does not exist in shape [?,3]";
        check_refused("LayerNormalization", json!({"axis": 2}), &["?,3"], message);
        let message = "the normalized axis must be known, found shape [?,?]";
        check_refused("LayerNormalization", json!({}), &["?,?"], message);
    }

    #[test]
    fn weights_are_laid_over_the_input() {
        check_program(
            "LayerNormalization",
            json!({}),
            &["?,?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                slot slot0 "/gamma": f32[3]
                slot slot1 "/beta": f32[3]
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = param() {slot=slot0} : f32[3]
                  %3 = param() {slot=slot1} : f32[3]
                  %4 = normalize(%0, %2, %3) {norm=layer, axes=[2], epsilon=0.0010000000474974513, scale=true, center=true} : f32[batch,x1.1,3]
                  return %4 "y1", %1 "y1.mask"
                }
            "#]],
        );
        check_program(
            "LayerNormalization",
            json!({"axis": [-1, 1], "center": false}),
            &["?,4,2,3"],
            expect![[r#"
                input "x1": f32[batch,4,2,3]
                slot slot0 "/gamma": f32[3,4]
                {
                  %0 = input() {port=0} : f32[batch,4,2,3]
                  %1 = param() {slot=slot0} : f32[3,4]
                  %2 = reshape(%1) {dims=[4,1,3]} : f32[4,1,3]
                  %3 = normalize(%0, %2) {norm=layer, axes=[1,3], epsilon=0.0010000000474974513, scale=true, center=false} : f32[batch,4,2,3]
                  return %3 "y1"
                }
            "#]],
        );
        check_program(
            "LayerNormalization",
            json!({"rms_scaling": true}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                slot slot0 "/gamma": f32[3]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = param() {slot=slot0} : f32[3]
                  %2 = normalize(%0, %1) {norm=deviation, axes=[1], epsilon=0.0010000000474974513, scale=true, center=false} : f32[batch,3]
                  return %2 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let rms = json!({"rms_scaling": true});
        let warning = "TensorFlow.js has no `rms_scaling`";
        check_encoded(Family::Keras3, &json!([null, 3]), "LayerNormalization", &rms, &rms, &[warning]);
        let ranks = "TensorFlow.js normalizes ranks 2 to 4 only, not 5";
        check_encoded(
            Family::Keras2,
            &json!([null, 2, 2, 2, 3]),
            "LayerNormalization",
            &json!({}),
            &json!({}),
            &[ranks],
        );
    }
}
