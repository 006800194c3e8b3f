//! `Masking`: marks the time steps that hold nothing but a given value.
//!
//! Reference: <https://keras.io/api/layers/core_layers/masking/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef, MaskRule, single};
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::{Error, Result};

/// `mask = any(x != mask_value)` over the last axis; the output is `x * mask`. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Masking {
    /// The value that means nothing.
    pub mask_value: f64,
}

impl FromConfig for Masking {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Masking { mask_value: config.or("mask_value", 0.0)? })
    }
}

impl LayerDef for Masking {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single(call)?;
        if input.shape.rank() < 2 {
            return Err(Error::malformed(format!("expected an input of rank 2 or more, found shape {}", input.shape)));
        }
        Ok(vec![input.clone()])
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Compute
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn keeps_the_shape() {
        check_infer("Masking", json!({}), &["?,?,3"], &["?,?,3"]);
        check_infer("Masking", json!({"maskValue": -1}), &["2,5,3"], &["2,5,3"]);
        check_refused("Masking", json!({}), &["?"], "expected an input of rank 2 or more, found shape [?]");
    }
}
