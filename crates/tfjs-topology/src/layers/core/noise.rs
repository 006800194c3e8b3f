//! `GaussianNoise`, `GaussianDropout`: in training, random numbers are added or multiplied. At inference they return
//! their input.
//!
//! Reference: <https://keras.io/api/layers/regularization_layers/gaussian_noise/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::random;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::prim::source::Distribution;
use tfjs_manifest::{Error, Result};

/// Gaussian noise. No weights.
#[derive(Clone, Debug, PartialEq)]
pub enum Noise {
    /// `x + noise`, with mean 0: `GaussianNoise`.
    Added {
        /// The standard deviation; only training needs it.
        stddev: Option<f64>,
    },
    /// `x * noise`, with mean 1 and variance `rate / (1 - rate)`, as a dropout of that rate: `GaussianDropout`.
    Multiplied {
        /// The rate; only training needs it.
        rate: Option<f64>,
    },
}

impl FromConfig for Noise {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["GaussianNoise", "GaussianDropout"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        match class {
            "GaussianNoise" => {}
            "GaussianDropout" => return Ok(Noise::Multiplied { rate: config.opt("rate")? }),
            other => return Err(Error::bug(format!("`{other}` is listed as a noise layer"))),
        }
        Ok(Noise::Added { stddev: config.opt("stddev")? })
    }
}

impl Noise {
    /// The standard deviation of the noise. It is checked here because only training needs it.
    fn deviation(&self) -> Result<f64> {
        match *self {
            Noise::Added { stddev: Some(stddev) } if stddev >= 0.0 => Ok(stddev),
            Noise::Added { stddev: Some(stddev) } => {
                Err(Error::malformed(format!("expected a `stddev` of at least 0, found {stddev}")).at_json("config"))
            }
            Noise::Added { stddev: None } => Err(Error::malformed("missing `stddev`").at_json("config")),
            Noise::Multiplied { rate } => {
                let rate = random::fraction(rate)?;
                // With a rate of 1, Keras adds no noise.
                Ok(if rate < 1.0 { (rate / (1.0 - rate)).sqrt() } else { 0.0 })
            }
        }
    }

    fn disturbed(&self, cx: &mut LowerCx<'_>, x: Value, deviation: f64) -> Result<Value> {
        let x = cx.to_float(x)?;
        let dims = cx.dims_of(x);
        let noise = random::draw(cx, Distribution::Normal, &dims, x)?;
        let noise = cx.binary_scalar(BinaryOp::Mul, noise, deviation)?;
        match self {
            Noise::Added { .. } => cx.add(x, noise),
            Noise::Multiplied { .. } => {
                let factor = cx.binary_scalar(BinaryOp::Add, noise, 1.0)?;
                cx.mul(x, factor)
            }
        }
    }
}

impl LayerDef for Noise {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        if !cx.training() {
            return Ok(vec![input]);
        }
        let deviation = self.deviation()?;
        if deviation == 0.0 {
            return Ok(vec![input]);
        }
        let out = self.disturbed(cx, input.value, deviation)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_refused_in, check_trained, read_layer};
    use expect_test::expect;
    use serde_json::json;

    #[track_caller]
    fn check(class: &str, config: serde_json::Value, noise: Noise) {
        let Layer::Noise(layer) = read_layer(class, config).unwrap() else { panic!("no noise") };
        assert_eq!(*layer, noise);
    }

    #[test]
    fn parameters() {
        check("GaussianNoise", json!({"stddev": 0.5}), Noise::Added { stddev: Some(0.5) });
        check("GaussianNoise", json!({"stddev": 2}), Noise::Added { stddev: Some(2.0) });
        check("GaussianDropout", json!({"rate": 0.2}), Noise::Multiplied { rate: Some(0.2) });
        check_infer("GaussianNoise", json!({"stddev": 0.5}), &["?,3"], &["?,3"]);
    }

    #[test]
    fn training() {
        check_trained(
            Family::Keras2,
            "GaussianNoise",
            json!({"stddev": 0.5}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                seed "seed": i64[]
                const const0: f32[] = [0.5]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = input() {port=1} : i64[]
                  %2 = random(%1) {distribution=normal, dims=[batch,3], stream=1} : f32[batch,3]
                  %3 = const() {constant=const0} : f32[]
                  %4 = binary(%2, %3) {op=mul} : f32[batch,3]
                  %5 = binary(%0, %4) {op=add} : f32[batch,3]
                  return %5 "y1"
                }
            "#]],
        );
        check_trained(
            Family::Keras3,
            "GaussianDropout",
            json!({"rate": 0.5}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                seed "seed": i64[]
                const const0: f32[] = [1.0]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  %1 = input() {port=1} : i64[]
                  %2 = random(%1) {distribution=normal, dims=[batch,3], stream=1} : f32[batch,3]
                  %3 = const() {constant=const0} : f32[]
                  %4 = binary(%2, %3) {op=mul} : f32[batch,3]
                  %5 = binary(%4, %3) {op=add} : f32[batch,3]
                  %6 = binary(%0, %5) {op=mul} : f32[batch,3]
                  return %6 "y1"
                }
            "#]],
        );
        check_refused_in(Phase::Train, "GaussianNoise", json!({}), &["?,3"], "`config`: missing `stddev`");
    }
}
