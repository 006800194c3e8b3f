//! `AlphaDropout`: in training, a random fraction of the elements becomes the lowest value of SELU, and a linear map
//! keeps mean and variance. At inference it returns its input.
//!
//! Reference: <https://keras.io/api/layers/regularization_layers/alpha_dropout/>.

use super::dropout::noise_dims;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::random;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::Dim;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::Result;

/// The value of a dropped element: `-alpha * scale` of SELU.
const DROPPED: f64 = -1.673_263_242_354_377_2 * 1.050_700_987_355_480_5;

/// A dropout for networks with SELU. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct AlphaDropout {
    /// The fraction that is dropped; only training needs it.
    pub rate: Option<f64>,
    /// The shape of the random numbers, if it is not the input's; unknown dimensions are taken from the input.
    pub noise_shape: Option<Vec<Dim>>,
}

impl FromConfig for AlphaDropout {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["AlphaDropout"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(AlphaDropout { rate: config.opt("rate")?, noise_shape: config.opt("noise_shape")? })
    }
}

impl AlphaDropout {
    fn drop_out(&self, cx: &mut LowerCx<'_>, x: Value, rate: f64) -> Result<Value> {
        let x = cx.to_float(x)?;
        let noise = match &self.noise_shape {
            Some(shape) => noise_dims(cx, x, shape)?,
            None => cx.dims_of(x),
        };
        let kept = random::kept(cx, rate, &noise, x)?;
        let dropped = cx.scalar_like(x, DROPPED)?;
        let out = cx.select(kept, x, dropped)?;
        let scale = ((1.0 - rate) * (1.0 + rate * DROPPED * DROPPED)).sqrt().recip();
        let out = cx.binary_scalar(BinaryOp::Mul, out, scale)?;
        cx.binary_scalar(BinaryOp::Add, out, -scale * DROPPED * rate)
    }
}

impl LayerDef for AlphaDropout {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        if !cx.training() {
            return Ok(vec![input]);
        }
        let rate = random::fraction(self.rate)?;
        if rate == 0.0 || rate == 1.0 {
            return Ok(vec![input]);
        }
        let out = self.drop_out(cx, input.value, rate)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_trained};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn gives_back_its_input_at_inference() {
        check_infer("AlphaDropout", json!({"rate": 0.5}), &["?,3"], &["?,3"]);
        check_trained(
            Family::Keras2,
            "AlphaDropout",
            json!({"rate": 0.5}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                seed "seed": i64[]
                const const0: f32[] = [0.5]
                const const1: f32[] = [-1.7580993175506592]
                const const2: f32[] = [0.8864048719406128]
                const const3: f32[] = [0.7791939377784729]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = input() {port=1} : i64[]
                  %2 = random(%1) {distribution=uniform, dims=[batch,3], stream=1} : f32[batch,3]
                  %3 = const() {constant=const0} : f32[]
                  %4 = compare(%2, %3) {op=ge} : bool[batch,3]
                  %5 = const() {constant=const1} : f32[]
                  %6 = select(%4, %0, %5) {} : f32[batch,3]
                  %7 = const() {constant=const2} : f32[]
                  %8 = binary(%6, %7) {op=mul} : f32[batch,3]
                  %9 = const() {constant=const3} : f32[]
                  %10 = binary(%8, %9) {op=add} : f32[batch,3]
                  return %10 "y1"
                }
            "#]],
        );
    }
}
