//! `SpectralNormalization`: wraps a layer whose kernel is divided by its largest singular value in training. At
//! inference it is the layer with its stored kernel.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/spectral_normalization/>.

use crate::call::Call;
use crate::config::{Config, missing};
use crate::def::LayerEntry;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, Scope, ScopeKind, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::parse::entry::read_held;
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result, Shape};

/// A layer with a normalized kernel. Weights: those of the layer, `vector_u [1, out]`.
#[derive(Clone, Debug)]
pub struct SpectralNormalization {
    /// The layer, which has a kernel or embeddings.
    pub inner: LayerEntry,
    /// Whether the outputs are cast to the element type of the input, even to integers: Keras 3.
    pub casts: bool,
}

impl FromConfig for SpectralNormalization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["power_iterations"]);
        let inner = read_held(config, "layer")?.ok_or_else(|| missing("layer").at_json("config"))?;
        Ok(SpectralNormalization { inner, casts: config.producer().is_keras3() })
    }
}

impl LayerDef for SpectralNormalization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        if cx.training() {
            return Err(Error::unsupported("training with `SpectralNormalization` is not supported"));
        }
        let name = self.inner.name.clone();
        let scope = Scope { name, attr: "layer".to_string(), kind: ScopeKind::Wrapped };
        let outputs = cx.lower_inner(&self.inner, scope.clone(), call.clone())?;
        let kernel = ["kernel", "embeddings"].into_iter().find_map(|name| cx.weight_inside(&scope, name));
        let Some(last) = kernel.and_then(|shape| shape.dims().last().copied()) else {
            let name = &self.inner.name;
            return Err(Error::malformed(format!("expected a layer with a kernel or embeddings, found `{name}`")));
        };
        cx.repeated_weight();
        cx.weight(WeightDecl::new("vector_u", Shape::new([1, last])?).frozen())?;
        if !self.casts {
            return Ok(outputs);
        }
        let like = cx.single(call)?.value;
        let cast = |output: KerasTensor| Ok(KerasTensor { value: cx.cast_like(output.value, like)?, ..output });
        outputs.into_iter().map(cast).collect()
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        let inner = out.held(&self.inner, out.calls())?;
        out.set("layer", inner);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program, check_refused, check_refused_in, check_weights};
    use expect_test::expect;
    use serde_json::{Value, json};

    fn holding(class: &str, config: Value) -> Value {
        json!({"layer": {"class_name": class, "config": config}, "power_iterations": 1})
    }

    #[test]
    fn the_layer_inside_and_a_vector() {
        let conv = holding("Conv2D", json!({"name": "c", "filters": 4, "kernel_size": 3}));
        check_infer("SpectralNormalization", conv.clone(), &["?,?,9,3"], &["?,?,7,4"]);
        let weights = ["c/kernel[3,3,3,4]", "c/bias[4]", "vector_u[1,4]"];
        check_weights("SpectralNormalization", conv, &["?,?,9,3"], &weights);
        let dense = holding("Dense", json!({"name": "d", "units": 2, "use_bias": false}));
        check_program(
            "SpectralNormalization",
            dense,
            &["?,3"],
            expect![[r#"
            input "x1": f32[batch,3]
            slot slot0 "/kernel": f32[3,2]
            slot slot1 "/vector_u": f32[1,2]
            {
              %0 = input() {port=0} : f32[batch,3]
              %1 = param() {slot=slot0} : f32[3,2]
              %2 = dot(%0, %1) {batch=[], contract=[(1,0)]} : f32[batch,2]
              %3 = param() {slot=slot1} : f32[1,2]
              return %2 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn refuses() {
        check_refused("SpectralNormalization", json!({}), &[], "`config`: missing `layer`");
        let message = "expected a layer with a kernel or embeddings, found `f`";
        check_refused("SpectralNormalization", holding("Flatten", json!({"name": "f"})), &["?,3"], message);
        let dense = holding("Dense", json!({"name": "d", "units": 2}));
        let message = "training with `SpectralNormalization` is not supported";
        check_refused_in(Phase::Train, "SpectralNormalization", dense, &["?,3"], message);
    }

    #[test]
    fn the_layer_inside_is_written() {
        let config = holding("Dense", json!({"name": "d", "units": 2, "activation": "silu"}));
        let written = json!({"layer": {"class_name": "Dense", "config": {
            "name": "d", "units": 2, "activation": "swish",
        }}});
        let unknown = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras3, &json!([null, 4]), "SpectralNormalization", &config, &written, &[unknown]);
    }
}
