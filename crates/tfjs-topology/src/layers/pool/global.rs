//! `GlobalMaxPooling1D`, `2D`, `3D`, `GlobalAveragePooling1D`, `2D`, `3D`: one value for each channel.
//!
//! Reference: <https://keras.io/api/layers/pooling_layers/global_average_pooling2d/>.

use super::PoolKind;
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::masks;
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_manifest::{Error, Result};

/// A pool over all spatial axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalPool {
    /// How elements are combined.
    pub kind: PoolKind,
    /// The axes it reduces.
    pub spatial: Spatial,
    /// Whether the axes keep length 1. DIFFERENCE: TensorFlow.js drops this key.
    pub keepdims: bool,
    /// Whether masked time steps are excluded: the mean over a sequence, in Keras.
    pub masked: bool,
}

impl FromConfig for GlobalPool {
    const IN_TENSORFLOW_JS: &'static [&'static str] =
        &["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (kind, count) = super::kind_and_count(
            class,
            ["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"],
            ["GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"],
        )?;
        let spatial = Spatial::read(count, config)?;
        let masked = kind == PoolKind::Average && spatial.count == 1 && !config.producer().is_tfjs();
        Ok(GlobalPool { kind, spatial, keepdims: config.or("keepdims", false)?, masked })
    }
}

impl GlobalPool {
    /// The mean of the unmasked steps; NaN if there are none, as in Keras.
    fn masked_mean(&self, cx: &mut LowerCx<'_>, x: Value, mask: Value) -> Result<Value> {
        if cx.ty(mask).rank() + 1 != cx.ty(x).rank() {
            return Err(masks::misfit(cx, mask, x));
        }
        let mask = cx.insert_axis(mask, self.spatial.channel_axis())?;
        let time = [self.spatial.format.first_spatial()];
        let zero = cx.scalar_like(x, 0.0)?;
        let kept = cx.select(mask, x, zero)?;
        let sum = cx.reduce(ReduceOp::Sum, kept, &time, self.keepdims)?;
        let ones = cx.cast_like(mask, x)?;
        let count = cx.reduce(ReduceOp::Sum, ones, &time, self.keepdims)?;
        cx.div(sum, count)
    }
}

impl LayerDef for GlobalPool {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.spatial.value(cx, call)?;
        let x = cx.to_float(input.value)?;
        let axes: Vec<usize> = self.spatial.axes().collect();
        let out = match (self.kind, input.mask.filter(|_| self.masked || input.ragged)) {
            (PoolKind::Max, mask) if input.ragged => {
                let mask = mask.ok_or_else(|| Error::bug("rows of lengths that nothing says"))?;
                let mask = cx.insert_axis(mask, self.spatial.channel_axis())?;
                let least = cx.scalar_like(x, f64::NEG_INFINITY)?;
                let kept = cx.select(mask, x, least)?;
                cx.reduce(ReduceOp::Max, kept, &axes, self.keepdims)?
            }
            (PoolKind::Max, _) => cx.reduce(ReduceOp::Max, x, &axes, self.keepdims)?,
            (PoolKind::Average, None) => cx.reduce(ReduceOp::Mean, x, &axes, self.keepdims)?,
            (PoolKind::Average, Some(mask)) => self.masked_mean(cx, x, mask)?,
        };
        Ok(vec![out.into()])
    }

    fn takes_ragged(&self) -> bool {
        self.spatial.count == 1 && self.spatial.format == DataFormat::ChannelsLast
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.keepdims && self.spatial.count < 3 {
            out.warn("TensorFlow.js ignores `keepdims`");
        }
        self.spatial.warn_of_format(out);
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
        check_infer("GlobalAveragePooling2D", json!({}), &["?,?,9,3"], &["?,3"]);
        let config = json!({"keepdims": true, "dataFormat": "channelsFirst"});
        check_infer("GlobalMaxPooling2D", config, &["?,3,9,9"], &["?,3,1,1"]);
        check_infer("GlobalAveragePooling1D", json!({}), &["2,?,3"], &["2,3"]);
    }

    #[test]
    fn refuses() {
        let message = "expected an input of rank 4, found shape [?,3]";
        check_refused("GlobalAveragePooling2D", json!({}), &["?,3"], message);
        let message = "expected spatial axes of at least 1, found shape [?,0,3]";
        check_refused("GlobalMaxPooling1D", json!({}), &["?,0,3"], message);
    }

    #[test]
    fn masked_steps_do_not_count() {
        let first = json!({"data_format": "channels_first", "keepdims": true});
        check_program(
            "GlobalAveragePooling1D",
            json!({}),
            &["?,?,3"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = reduce(%0) {op=mean, axes=[1], keep=false} : f32[batch,3]
                  return %1 "y1"
                }
            "#]],
        );
        check_program(
            "GlobalAveragePooling1D",
            json!({}),
            &["?,?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                const const0: f32[] = [0.0]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = reshape(%1) {dims=[batch,x1.1,1]} : bool[batch,x1.1,1]
                  %3 = const() {constant=const0} : f32[]
                  %4 = select(%2, %0, %3) {} : f32[batch,x1.1,3]
                  %5 = reduce(%4) {op=sum, axes=[1], keep=false} : f32[batch,3]
                  %6 = cast(%2) {to=f32} : f32[batch,x1.1,1]
                  %7 = reduce(%6) {op=sum, axes=[1], keep=false} : f32[batch,1]
                  %8 = binary(%5, %7) {op=div} : f32[batch,3]
                  return %8 "y1"
                }
            "#]],
        );
        check_program(
            "GlobalMaxPooling1D",
            first,
            &["?,3,? masked"],
            expect![[r#"
                input "x1": f32[batch,3,x1.2]
                input "x1.mask": bool[batch,3]
                guard at_least(x1.2, 1)
                {
                  %0 = input() {port=0} : f32[batch,3,x1.2]
                  %1 = input() {port=1} : bool[batch,3]
                  %2 = reduce(%0) {op=max, axes=[2], keep=true} : f32[batch,3,1]
                  return %2 "y1"
                }
            "#]],
        );
        let tfjs = Family::TensorFlowJs;
        check_program_of(
            tfjs,
            "GlobalAveragePooling1D",
            json!({}),
            &["?,?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = reduce(%0) {op=mean, axes=[1], keep=false} : f32[batch,3]
                  return %2 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let config = json!({"data_format": "channels_first", "keepdims": true});
        let keepdims = "TensorFlow.js ignores `keepdims`";
        let format = "TensorFlow.js ignores `channels_first` of layers over one dimension";
        let (one, two, three) = (json!([null, 4, 8]), json!([null, 4, 8, 8]), json!([null, 4, 8, 8, 8]));
        check_encoded(Family::Keras3, &one, "GlobalMaxPooling1D", &config, &config, &[keepdims, format]);
        check_encoded(Family::Keras3, &two, "GlobalAveragePooling2D", &config, &config, &[keepdims]);
        let unknown = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras3, &three, "GlobalMaxPooling3D", &config, &config, &[unknown]);
    }
}
