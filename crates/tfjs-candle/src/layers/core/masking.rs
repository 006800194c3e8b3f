//! Runs `Masking`.

use crate::run::{OrBug, Run, RunCx, single};
use crate::value::Value;
use candle_core::{D, DType, Tensor};
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::masking::Masking;

impl Run for Masking {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = single(call)?;
        if x.elem_count() == 0 {
            let (_, dims) = x.dims().split_last().unwrap_or((&0, &[]));
            let mask = Tensor::zeros(dims, DType::U8, x.device()).or_bug()?;
            return Ok(vec![Value::new(x.clone()).with_mask(Some(mask))]);
        }
        let any = x.ne(self.mask_value).or_bug()?.max_keepdim(D::Minus1).or_bug()?;
        let out = x.broadcast_mul(&any.to_dtype(x.dtype()).or_bug()?).or_bug()?;
        Ok(vec![Value::new(out).with_mask(Some(any.squeeze(D::Minus1).or_bug()?))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::CustomLayers;
    use candle_core::Device;

    #[test]
    fn a_step_of_nothing_but_the_value_is_masked_and_zeroed() {
        let x = Tensor::new(&[[[-1f32, -1.0], [-1.0, 2.0], [0.0, 0.0]]], &Device::Cpu).unwrap();
        let custom = CustomLayers::new();
        let cx = RunCx { weights: &[], training: false, custom: &custom };
        let out = &Masking { mask_value: -1.0 }.run(&cx, &Call::of([Value::new(x)])).unwrap()[0];
        assert_eq!(out.tensor().unwrap().to_vec3::<f32>().unwrap(), [[[0.0, 0.0], [-1.0, 2.0], [0.0, 0.0]]]);
        assert_eq!(out.mask.as_ref().unwrap().to_vec2::<u8>().unwrap(), [[0, 1, 1]]);
    }
}
