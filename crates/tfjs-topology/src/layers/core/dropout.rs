//! `Dropout`, `SpatialDropout1D`, `2D`, `3D`: in training, a random fraction of the elements or channels becomes zero,
//! and the others are multiplied by `1 / (1 - rate)`. At inference they return their input.
//!
//! Reference: <https://keras.io/api/layers/regularization_layers/dropout/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::random;
use crate::layers::spatial::{Spatial, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::{Dim, SymShape};
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Dim as Length, Value};
use tfjs_manifest::{Error, Result};

/// A dropout. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// The fraction that is dropped; only training needs it.
    pub rate: Option<f64>,
    /// The unit that is dropped or kept as a whole.
    pub unit: Unit,
}

/// The unit that is dropped or kept as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Unit {
    /// Each element.
    Element,
    /// Elements that share a random number when this shape is broadcast; unknown dimensions are taken from the input.
    NoiseShape(Vec<Dim>),
    /// Each channel.
    Channel(Spatial),
}

impl FromConfig for Dropout {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Dropout", "SpatialDropout1D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let unit = match class {
            "Dropout" => config.opt("noise_shape")?.map_or(Unit::Element, Unit::NoiseShape),
            _ => {
                let count = count_of(class, &["SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"])?;
                Unit::Channel(Spatial::read(count, config)?)
            }
        };
        Ok(Dropout { rate: config.opt("rate")?, unit })
    }
}

impl Dropout {
    /// The dimensions of the random numbers for an input.
    fn noise_dims(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Vec<Length>> {
        match &self.unit {
            Unit::Element => Ok(cx.dims_of(x)),
            Unit::NoiseShape(shape) => noise_dims(cx, x, shape),
            Unit::Channel(spatial) => {
                let mut dims = cx.dims_of(x);
                dims[spatial.axes()].fill(Length::ONE);
                Ok(dims)
            }
        }
    }
}

/// A `noise_shape` for an input, which must broadcast to it; unknown dimensions are taken from the input.
pub(super) fn noise_dims(cx: &mut LowerCx<'_>, x: Value, shape: &[Dim]) -> Result<Vec<Length>> {
    let input = cx.dims_of(x);
    let mut dims = Vec::with_capacity(input.len());
    for (dim, &length) in shape.iter().zip(&input) {
        let noise = dim.map_or(length, |n| cx.number(n));
        if noise == Length::ONE || cx.same(noise, length).is_some() {
            dims.push(noise);
        }
    }
    if dims.len() != input.len() || shape.len() != input.len() {
        let shape = SymShape(shape.to_vec());
        return Err(Error::malformed(format!("`noise_shape` {shape} does not fit an input {}", cx.shape(x))));
    }
    // If entries of the batch share random numbers, they are not independent.
    if dims.first() != input.first() {
        cx.mixes_batch();
    }
    Ok(dims)
}

/// Sets a random fraction of `x` to zero, and scales the rest to keep the mean.
///
/// # Errors
/// If the seed of the call is not accessible here.
pub(crate) fn drop_out(cx: &mut LowerCx<'_>, x: Value, rate: f64, noise: &[Length]) -> Result<Value> {
    let x = cx.to_float(x)?;
    let kept = random::kept(cx, rate, noise, x)?;
    let scale = if rate < 1.0 { 1.0 / (1.0 - rate) } else { 0.0 };
    let scaled = cx.binary_scalar(BinaryOp::Mul, x, scale)?;
    let zero = cx.scalar_like(x, 0.0)?;
    cx.select(kept, scaled, zero)
}

impl LayerDef for Dropout {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = match self.unit {
            Unit::Channel(spatial) => cx.single_of_rank(call, spatial.count + 2)?,
            _ => cx.single(call)?,
        };
        if !cx.training() {
            return Ok(vec![input]);
        }
        let rate = random::fraction(self.rate)?;
        if rate == 0.0 {
            return Ok(vec![input]);
        }
        let noise = self.noise_dims(cx, input.value)?;
        let out = drop_out(cx, input.value, rate, &noise)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask).with_rows_of(&input)])
    }

    fn takes_ragged(&self) -> bool {
        self.unit == Unit::Element
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{
        check_infer, check_program, check_refused, check_refused_in, check_trained, read_layer, train,
    };
    use expect_test::expect;
    use serde_json::json;
    use tfjs_ir::Array;

    #[track_caller]
    fn check(config: serde_json::Value, rate: Option<f64>, unit: Unit) {
        let Layer::Dropout(layer) = read_layer("Dropout", config).unwrap() else { panic!("no dropout") };
        assert_eq!(*layer, Dropout { rate, unit });
    }

    #[test]
    fn parameters() {
        check(json!({"rate": 0.5, "noiseShape": null}), Some(0.5), Unit::Element);
        check(json!({"rate": 0.25, "noise_shape": [null, 1.0]}), Some(0.25), Unit::NoiseShape(vec![None, Some(1)]));
        check(json!({}), None, Unit::Element);
    }

    #[test]
    fn gives_back_its_input() {
        check_infer("Dropout", json!({"rate": 0.5}), &["?,3"], &["?,3"]);
        let message = "expected an input of rank 3, found shape [?,3]";
        check_refused("SpatialDropout1D", json!({"rate": 0.5}), &["?,3"], message);
        check_program(
            "Dropout",
            json!({"rate": 0.5}),
            &["?,3"],
            expect![[r#"
                input "x1": f32[batch,3]
                {
                  %0 = input() {port=0} : f32[batch,3]
                  return %0 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn drops_in_training() {
        check_trained(
            Family::Keras3,
            "Dropout",
            json!({"rate": 0.5}),
            &["?,5,3 masked"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                seed "seed": i64[]
                const const0: f32[] = [0.5]
                const const1: f32[] = [2.0]
                const const2: f32[] = [0.0]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  %2 = input() {port=2} : i64[]
                  %3 = random(%2) {distribution=uniform, dims=[batch,5,3], stream=1} : f32[batch,5,3]
                  %4 = const() {constant=const0} : f32[]
                  %5 = compare(%3, %4) {op=ge} : bool[batch,5,3]
                  %6 = const() {constant=const1} : f32[]
                  %7 = binary(%0, %6) {op=mul} : f32[batch,5,3]
                  %8 = const() {constant=const2} : f32[]
                  %9 = select(%5, %7, %8) {} : f32[batch,5,3]
                  return %9 "y1", %1 "y1.mask"
                }
            "#]],
        );
        let shape = json!({"rate": 0.75, "noise_shape": [null, 1, 3]});
        check_trained(
            Family::Keras2,
            "Dropout",
            shape,
            &["?,5,3"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                seed "seed": i64[]
                const const0: f32[] = [0.75]
                const const1: f32[] = [4.0]
                const const2: f32[] = [0.0]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : i64[]
                  %2 = random(%1) {distribution=uniform, dims=[batch,1,3], stream=1} : f32[batch,1,3]
                  %3 = const() {constant=const0} : f32[]
                  %4 = compare(%2, %3) {op=ge} : bool[batch,1,3]
                  %5 = const() {constant=const1} : f32[]
                  %6 = binary(%0, %5) {op=mul} : f32[batch,5,3]
                  %7 = const() {constant=const2} : f32[]
                  %8 = select(%4, %6, %7) {} : f32[batch,5,3]
                  return %8 "y1"
                }
            "#]],
        );
        let first = json!({"rate": 0.5, "data_format": "channels_first"});
        check_trained(
            Family::Keras2,
            "SpatialDropout2D",
            first,
            &["?,3,?,?"],
            expect![[r#"
                input "x1": f32[batch,3,x1.2,x1.3]
                seed "seed": i64[]
                const const0: f32[] = [0.5]
                const const1: f32[] = [2.0]
                const const2: f32[] = [0.0]
                {
                  %0 = input() {port=0} : f32[batch,3,x1.2,x1.3]
                  %1 = input() {port=1} : i64[]
                  %2 = random(%1) {distribution=uniform, dims=[batch,3,1,1], stream=1} : f32[batch,3,1,1]
                  %3 = const() {constant=const0} : f32[]
                  %4 = compare(%2, %3) {op=ge} : bool[batch,3,1,1]
                  %5 = const() {constant=const1} : f32[]
                  %6 = binary(%0, %5) {op=mul} : f32[batch,3,x1.2,x1.3]
                  %7 = const() {constant=const2} : f32[]
                  %8 = select(%4, %6, %7) {} : f32[batch,3,x1.2,x1.3]
                  return %8 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn training_needs_a_rate_and_a_shape_that_fits() {
        check_refused_in(Phase::Train, "Dropout", json!({}), &["?,3"], "`config`: missing `rate`");
        let message = "`config`: expected a `rate` between 0 and 1, found 1.5";
        check_refused_in(Phase::Train, "Dropout", json!({"rate": 1.5}), &["?,3"], message);
        let message = "`noise_shape` [?,2] does not fit an input [?,3]";
        check_refused_in(Phase::Train, "Dropout", json!({"rate": 0.5, "noise_shape": [null, 2]}), &["?,3"], message);
        let message = "`noise_shape` [?] does not fit an input [?,3]";
        check_refused_in(Phase::Train, "Dropout", json!({"rate": 0.5, "noise_shape": [null]}), &["?,3"], message);
    }

    /// The number of outputs, of a thousand for ones, that are 0; the others must be `kept`.
    #[track_caller]
    fn dropped(config: serde_json::Value, kept: f64) -> usize {
        let ones = Array::floats([100, 10], [1.0; 1000]).unwrap();
        let outcome = train(Family::Keras3, ("Dropout", config), &["?,10"], vec![ones], vec![]);
        let out = outcome.outputs[0].to_floats().unwrap();
        assert!(out.iter().all(|&x| x == 0.0 || x == kept));
        out.iter().filter(|&&x| x == 0.0).count()
    }

    #[test]
    fn the_right_fraction_is_dropped() {
        assert!((200..300).contains(&dropped(json!({"rate": 0.25}), f64::from(4.0f32 / 3.0))));
        assert_eq!(dropped(json!({"rate": 0.5, "noise_shape": [null, 1]}), 2.0) % 10, 0);
        assert_eq!(dropped(json!({"rate": 0}), 1.0), 0);
        assert_eq!(dropped(json!({"rate": 1}), 0.0), 1000);
    }
}
