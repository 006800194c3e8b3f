//! `Wrapper`: holds a layer. The class itself, which exists in Keras 2, returns its inputs.
//!
//! Reference: Keras 2's `keras/src/layers/rnn/base_wrapper.py`.

use crate::call::Call;
use crate::config::{Config, missing};
use crate::def::LayerEntry;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, Scope, ScopeKind};
use crate::lower::{KerasTensor, LowerCx};
use crate::parse::entry::read_held;
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result};

/// A layer that holds another one and returns its inputs. Weights: those of the inner layer.
#[derive(Clone, Debug)]
pub struct Wrapper {
    /// The inner layer, which is not called.
    pub inner: LayerEntry,
}

impl FromConfig for Wrapper {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        if config.producer().is_keras3() {
            return Err(Error::unsupported(
                "a `Wrapper` by itself computes nothing in Keras 3; give the class that was derived from it as a layer of \
                 your own",
            ));
        }
        Ok(Wrapper { inner: read_held(config, "layer")?.ok_or_else(|| missing("layer").at_json("config"))? })
    }
}

impl LayerDef for Wrapper {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let inputs: Vec<KerasTensor> = call.inputs().into_iter().map(|tensor| tensor.clone().with_mask(None)).collect();
        let scope = Scope { name: self.inner.name.clone(), attr: "layer".to_string(), kind: ScopeKind::Wrapped };
        // Only for its weights; the result is not used.
        cx.lower_inner(&self.inner, scope, Call::of(inputs.iter().cloned()))?;
        Ok(inputs)
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
    use crate::producer::Family;
    use crate::testing::{check_infer, check_refused, check_weights, read_layer_of};
    use serde_json::json;

    #[test]
    fn gives_back_its_input() {
        let dense = json!({"layer": {"class_name": "Dense", "config": {"name": "d", "units": 4}}});
        check_infer("Wrapper", dense.clone(), &["?,3"], &["?,3"]);
        check_weights("Wrapper", dense.clone(), &["?,3"], &["d/kernel[3,4]", "d/bias[4]"]);
        check_refused("Wrapper", json!({}), &["?,3"], "`config`: missing `layer`");
        let error = read_layer_of(Family::Keras3, "Wrapper", dense).unwrap_err();
        let message = "a `Wrapper` by itself computes nothing in Keras 3; give the class that was derived from it as a \
                       layer of your own";
        assert_eq!(error.to_string(), message);
    }
}
