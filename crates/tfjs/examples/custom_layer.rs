//! A custom layer: a class that a Python program registered, implemented with primitives.
//!
//! In Python it is
//!
//! ```python
//! @keras.saving.register_keras_serializable("Shop")
//! class Squash(keras.layers.Layer):
//!     """x / (1 + |x|) * gain, one gain for each channel."""
//!     def __init__(self, power=1.0, **kwargs): ...
//!     def build(self, shape): self.gain = self.add_weight(name="gain", shape=shape[-1:])
//!     def call(self, x): return self.gain * x / (1 + abs(x)) ** self.power
//! ```
//!
//! Run it with `cargo run -p tfjs --example custom_layer`.

use std::sync::Arc;
use tfjs::layer::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs::layer::{Call, Config, KerasTensor, LayerDef, LowerCx, Shape, WeightDecl};
use tfjs::parts::io::{FilesHandler, MemoryFiles};
use tfjs::{CustomLayer, CustomLayers, Error, Input, LoadOptions, Result, Source};

/// The configuration of the layer.
#[derive(Debug)]
struct Squash {
    power: f64,
}

impl LayerDef for Squash {
    /// Builds the computation, similar to numpy code. Shapes are checked while it is built. It runs on every engine and
    /// device, and has gradients.
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = cx.single(call)?;
        let last = cx.dims_of(x.value).last().copied();
        let last = last.ok_or_else(|| Error::malformed("expected at least one axis, found a scalar"))?;
        let channels = cx.known(last, "the last axis", x.value)?;
        let gain = cx.weight(WeightDecl::new("gain", Shape::new([channels])?).ones())?;
        let size = cx.unary(UnaryOp::Abs, x.value)?;
        let size = cx.binary_scalar(BinaryOp::Add, size, 1.0)?;
        let size = cx.binary_scalar(BinaryOp::Pow, size, self.power)?;
        let y = cx.div(x.value, size)?;
        let y = cx.mul(y, gain)?;
        // The mask is passed on unchanged.
        Ok(vec![KerasTensor::from(y).with_mask(x.mask)])
    }
}

/// The class, which makes a layer from a configuration.
struct SquashClass;

impl CustomLayer for SquashClass {
    type Def = Squash;

    fn describe(&self, config: &Config<'_>) -> Result<Squash> {
        Ok(Squash { power: config.or("power", 1.0)? })
    }
}

fn main() -> Result<()> {
    let json = br#"{"format": "layers-model", "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow",
        "model_config": {"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": "Shop>Squash",
          "config": {"name": "squash", "power": 1.0, "batch_input_shape": [null, 2]}}]}}},
        "weightsManifest": [{"paths": ["w.bin"], "weights": [
          {"name": "squash/gain", "shape": [2], "dtype": "float32"}]}]}"#;
    let gain: Vec<u8> = [2.0f32, 10.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let files = MemoryFiles::new().with("model.json", json.to_vec()).with("w.bin", gain);

    let layers = CustomLayers::new().with("Shop>Squash", SquashClass);
    let source = Source::handler(FilesHandler::new(Arc::new(files), "model.json"));
    let model = tfjs::blocking::load_layers_model(source, LoadOptions::new().with_custom_layers(layers))?;
    let y = model.predict(Input::new([1.0, -4.0], [1, 2])?)?.into_single()?;
    println!("{y}"); // [[1, -8]]
    Ok(())
}
