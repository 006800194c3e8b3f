//! `Flatten`: all axes but the batch as one.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/flatten/>.

use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::{Exactness, LayerDef, single};
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType};
use tfjs_manifest::{Error, Result};

/// All axes but the batch as one. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Flatten {
    /// With channels first, they are moved to the end before.
    pub format: DataFormat,
}

impl FromConfig for Flatten {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Flatten { format: config.or("data_format", DataFormat::default())? })
    }
}

impl LayerDef for Flatten {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single(call)?;
        match input.shape.dims() {
            [batch, rest @ ..] => Ok(vec![input.with_shape([*batch, SymShape::product(rest)?])]),
            [] => Err(Error::malformed("expected an input of rank 1 or more, found shape []")),
        }
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
    fn infers() {
        check_infer("Flatten", json!({"dataFormat": "channelsFirst"}), &["?,4,3,2"], &["?,24"]);
        check_infer("Flatten", json!({}), &["2,?,3"], &["2,?"]);
        check_infer("Flatten", json!({}), &["?"], &["?,1"]);
        check_refused("Flatten", json!({}), &[""], "expected an input of rank 1 or more, found shape []");
    }
}
