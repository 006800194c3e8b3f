//! Runs `GlobalMaxPooling` and `GlobalAveragePooling`.

use crate::activation::to_float;
use crate::extremes::largest;
use crate::layers::mask_of;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::config::DataFormat;
use tfjs_topology::layers::pool::PoolKind;
use tfjs_topology::layers::pool::global::GlobalPool;

impl Run for GlobalPool {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = to_float(single(call)?)?;
        let first = self.spatial.format.first_spatial();
        let axes: Vec<usize> = (first..first + self.spatial.count).collect();
        let mask = if self.masked { mask_of(call)? } else { None };
        let kept = match (self.kind, mask) {
            (PoolKind::Max, _) => axes.iter().try_fold(x, |x, &axis| largest(&x, axis)),
            (PoolKind::Average, None) => x.mean_keepdim(axes.clone()),
            (PoolKind::Average, Some(mask)) => masked_mean(&x, mask, self.spatial.format, first),
        }
        .or_bug()?;
        if self.keepdims {
            return one(kept);
        }
        one(axes.iter().rev().try_fold(kept, |x, &axis| x.squeeze(axis)).or_bug()?)
    }
}

/// The mean of the steps that are not masked; of none it is not a number, as in Keras.
fn masked_mean(x: &Tensor, mask: &Tensor, format: DataFormat, time: usize) -> candle_core::Result<Tensor> {
    let channels = match format {
        DataFormat::ChannelsLast => 2,
        DataFormat::ChannelsFirst => 1,
    };
    let mask = mask.unsqueeze(channels)?;
    let kept = mask.ne(0u8)?.broadcast_as(x.shape())?.where_cond(x, &x.zeros_like()?)?;
    kept.sum_keepdim(time)?.broadcast_div(&mask.to_dtype(x.dtype())?.sum_keepdim(time)?)
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, check_run_of, counting, masked};
    use crate::value::Value;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn formats_and_dimensions() {
        let x = [Value::new(counting(&[1, 2, 2, 2], 0.0))];
        check_run("GlobalAveragePooling2D", json!({}), &x, &[], &[3.0, 4.0]);
        check_run("GlobalMaxPooling2D", json!({"data_format": "channels_first"}), &x, &[], &[3.0, 7.0]);
        check_run("GlobalMaxPooling2D", json!({"keepdims": true}), &x, &[], &[6.0, 7.0]);
    }

    #[test]
    fn a_mean_over_time_knows_the_mask() {
        let x = [masked(counting(&[2, 3, 1], 1.0), &[&[1, 1, 0], &[0, 0, 0]])];
        check_run("GlobalAveragePooling1D", json!({}), &x, &[], &[1.5, f32::NAN]);
        check_run_of((Family::Keras3, "GlobalAveragePooling1D", json!({})), &x, &[], &[1.5, f32::NAN]);
        check_run_of((Family::TensorFlowJs, "GlobalAveragePooling1D", json!({})), &x, &[], &[2.0, 5.0]);
        check_run("GlobalMaxPooling1D", json!({}), &x, &[], &[3.0, 6.0]);
        let x = [masked(counting(&[1, 2, 3], 1.0), &[&[0, 1, 1]])];
        check_run("GlobalAveragePooling1D", json!({"data_format": "channels_first"}), &x, &[], &[2.5, 5.5]);
    }
}
