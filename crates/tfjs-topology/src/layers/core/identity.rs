//! Layers that do something in training only: at inference they give back their input.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef, MaskRule, single};
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::{Error, Result};

/// `Dropout` and its relatives, noise, `ActivityRegularization`, `Identity`. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The class, which training will want to know.
    pub class: String,
    /// Dropped fraction, or the noise's standard deviation; what `class` says.
    pub rate: Option<f64>,
}

impl FromConfig for Identity {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["data_format", "l1", "l2", "p"]);
        let rate = match config.opt("rate")? {
            Some(rate) => Some(rate),
            None => config.opt("stddev")?,
        };
        Ok(Identity { class: class.to_string(), rate })
    }
}

impl Identity {
    /// The rank a class insists on.
    fn rank(&self) -> Option<usize> {
        match self.class.as_str() {
            "SpatialDropout1D" => Some(3),
            "SpatialDropout2D" => Some(4),
            "SpatialDropout3D" => Some(5),
            _ => None,
        }
    }
}

impl LayerDef for Identity {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single(call)?;
        match self.rank() {
            Some(rank) if rank != input.shape.rank() => {
                Err(Error::malformed(format!("expected an input of rank {rank}, found shape {}", input.shape)))
            }
            _ => Ok(vec![input.clone()]),
        }
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Pass
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }

    fn is_identity(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn gives_back_its_input() {
        check_infer("Dropout", json!({"rate": 0.5, "noiseShape": null}), &["?,3"], &["?,3"]);
        check_refused(
            "SpatialDropout1D",
            json!({"rate": 0.5}),
            &["?,3"],
            "expected an input of rank 3, found shape [?,3]",
        );
    }
}
