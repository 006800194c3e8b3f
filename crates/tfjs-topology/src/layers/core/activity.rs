//! `ActivityRegularization`: returns its input; training adds a penalty for its magnitude to the loss.
//!
//! Reference: <https://keras.io/api/layers/regularization_layers/activity_regularization/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::Result;

/// A penalty of `l1 * sum(|x|) + l2 * sum(x^2)`. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityRegularization {
    /// The weight of the absolute values.
    pub l1: f64,
    /// The weight of the squares.
    pub l2: f64,
}

impl FromConfig for ActivityRegularization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(ActivityRegularization { l1: config.or("l1", 0.0)?, l2: config.or("l2", 0.0)? })
    }
}

impl LayerDef for ActivityRegularization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        Ok(vec![cx.single(call)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Layer;
    use crate::testing::{check_infer, read_layer};
    use serde_json::json;

    #[test]
    fn gives_back_its_input() {
        let config = json!({"l1": 0.5, "l2": {"type": "ndarray", "value": 0.25}});
        let Layer::ActivityRegularization(layer) = read_layer("ActivityRegularization", config.clone()).unwrap() else {
            panic!("no activity regularization")
        };
        assert_eq!(*layer, ActivityRegularization { l1: 0.5, l2: 0.25 });
        check_infer("ActivityRegularization", config, &["?,3"], &["?,3"]);
    }
}
