//! `MaxPooling1D`, `2D`, `3D`, `AveragePooling1D`, `2D`, `3D`: the maximum or mean of each window.
//!
//! Reference: <https://keras.io/api/layers/pooling_layers/max_pooling2d/>.

use super::PoolKind;
use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::spatial::Windows;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::window::PoolOp;
use tfjs_manifest::Result;

/// A pool. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// How elements are combined.
    pub kind: PoolKind,
    /// The windows.
    pub windows: Windows,
}

impl FromConfig for Pool {
    const IN_TENSORFLOW_JS: &'static [&'static str] =
        &["MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (kind, count) = super::kind_and_count(
            class,
            ["MaxPooling1D", "MaxPooling2D", "MaxPooling3D"],
            ["AveragePooling1D", "AveragePooling2D", "AveragePooling3D"],
        )?;
        Ok(Pool { kind, windows: Windows::read_pool(count, config)? })
    }
}

impl LayerDef for Pool {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let spatial = &self.windows.spatial;
        let input = spatial.value(cx, call)?;
        let op = match self.kind {
            PoolKind::Max => PoolOp::Max,
            PoolKind::Average => PoolOp::Mean,
        };
        let x = cx.to_float(input.value)?;
        let x = spatial.channels_last(cx, x)?;
        let out = cx.pool(op, x, &self.windows.axes)?;
        Ok(vec![spatial.restore(cx, out)?.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.windows.spatial.warn_of_format(out);
        self.windows.encode_padding(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("MaxPooling2D", json!({}), &["?,9,?,3"], &["?,4,?,3"]);
        let config = json!({"poolSize": [3, 2], "strides": null, "padding": "same", "dataFormat": "channels_first"});
        check_infer("AveragePooling2D", config, &["?,3,9,9"], &["?,3,3,5"]);
        check_infer("MaxPooling1D", json!({"pool_size": [3], "strides": [1]}), &["?,9,3"], &["?,7,3"]);
    }

    #[test]
    fn refuses() {
        check_refused("MaxPooling2D", json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
        let message = "a window of 2 does not fit an axis of 1 with padding `valid`";
        check_refused("MaxPooling2D", json!({}), &["?,1,9,3"], message);
        let message = "`config`: window size must be at least 1, found 0";
        check_refused("AveragePooling2D", json!({"pool_size": 0}), &[], message);
        let message = "`config.strides`: expected 1 or 2 numbers, found 3";
        check_refused("AveragePooling2D", json!({"strides": [1, 1, 1]}), &[], message);
        let message = "`config.padding`: a pool cannot be `causal`";
        check_refused("MaxPooling1D", json!({"padding": "causal"}), &[], message);
    }

    #[test]
    fn channels_first_and_integers() {
        let config = json!({"pool_size": [3, 2], "padding": "same", "data_format": "channels_first"});
        check_program(
            "AveragePooling2D",
            config,
            &["int32 ?,3,?,9"],
            expect![[r#"
                input "x1": i32[batch,3,x1.2,9]
                guard at_least(x1.2, 1)
                {
                  %0 = input() {port=0} : i32[batch,3,x1.2,9]
                  %1 = cast(%0) {to=f32} : f32[batch,3,x1.2,9]
                  %2 = transpose(%1) {order=[0,2,3,1]} : f32[batch,x1.2,9,3]
                  %3 = pool(%2) {op=mean, windows=[(3/3:same),(2/2:same)]} : f32[batch,floor((x1.2+2)/3),5,3]
                  %4 = transpose(%3) {order=[0,3,1,2]} : f32[batch,3,floor((x1.2+2)/3),5]
                  return %4 "y1"
                }
            "#]],
        );
        check_program(
            "MaxPooling1D",
            json!({}),
            &["?,?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                guard at_least(x1.1, 1)
                guard at_least(x1.1, 2)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = pool(%0) {op=max, windows=[(2/2:valid)]} : f32[batch,floor(x1.1/2),3]
                  return %2 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let first = json!({"data_format": "channels_first"});
        let warning = "TensorFlow.js ignores `channels_first` of layers over one dimension";
        for class in ["MaxPooling1D", "AveragePooling1D"] {
            check_encoded(Family::Keras2, &json!([null, 4, 8]), class, &first, &first, &[warning]);
        }
        check_encoded(Family::Keras2, &json!([null, 4, 8, 8]), "MaxPooling2D", &first, &first, &[]);
    }
}
