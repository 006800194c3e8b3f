//! `Rescaling`: `input * scale + offset`.
//!
//! Reference: <https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/>.

use crate::call::Call;
use crate::config::{Config, FromJson};
use crate::layer::{LayerDef, MaskRule, single};
use crate::registry::FromConfig;
use crate::types::TensorType;
use serde_json::Value;
use tfjs_manifest::{Error, Result};

/// One number for all elements, or one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct PerChannel(pub Vec<f32>);

impl FromJson for PerChannel {
    fn from_json(value: &Value) -> Result<Self> {
        match value {
            Value::Array(_) => Vec::<f32>::from_json(value).map(PerChannel),
            one => f32::from_json(one).map(|n| PerChannel(vec![n])),
        }
    }
}

/// A linear map of each element. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescaling {
    /// The factor, for all elements or along the last axis.
    pub scale: PerChannel,
    /// Added after.
    pub offset: PerChannel,
    /// What happens to a mask.
    pub mask: MaskRule,
}

impl FromConfig for Rescaling {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let mask = if config.producer().is_keras3() { MaskRule::Pass } else { MaskRule::Stop };
        Ok(Rescaling { scale: config.req("scale")?, offset: config.or("offset", PerChannel(vec![0.0]))?, mask })
    }
}

impl LayerDef for Rescaling {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let shape = &single(call)?.shape;
        for numbers in [&self.scale, &self.offset] {
            let n = numbers.0.len();
            if n != 1 && (shape.rank() == 0 || shape.last().is_some_and(|last| last != n)) {
                return Err(Error::malformed(format!("{n} numbers for the last axis of shape {shape}")));
            }
        }
        Ok(vec![TensorType::float(shape.clone())])
    }

    fn mask(&self) -> MaskRule {
        self.mask
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("Rescaling", json!({"scale": 0.5}), &["?,4,4,3"], &["?,4,4,3"]);
        let config = json!({"scale": {"type": "ndarray", "value": [1.0, 2, 3]}, "offset": [-1, 0, 1]});
        check_infer("Rescaling", config.clone(), &["?,4,4,3"], &["?,4,4,3"]);
        check_refused("Rescaling", config, &["?,2"], "3 numbers for the last axis of shape [?,2]");
        check_refused("Rescaling", json!({}), &[], "`config`: missing `scale`");
    }
}
