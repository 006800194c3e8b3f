//! `GlobalMaxPooling1D`, `2D`, `3D`, `GlobalAveragePooling1D`, `2D`, `3D`: one value for each channel.
//!
//! Reference: <https://keras.io/api/layers/pooling_layers/global_average_pooling2d/>.

use super::PoolKind;
use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef};
use crate::layers::spatial::Spatial;
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::Result;

/// A pool over all spatial axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalPool {
    /// What it keeps.
    pub kind: PoolKind,
    /// The axes it reduces.
    pub spatial: Spatial,
    /// Whether the axes stay, with one element each. DIFFERENCE: TensorFlow.js drops this key.
    pub keepdims: bool,
    /// Whether masked time steps do not count: the mean over a sequence, in Keras.
    pub masked: bool,
}

impl FromConfig for GlobalPool {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (kind, spatial) = (PoolKind::of(class), Spatial::read(class, config)?);
        let masked = kind == PoolKind::Average && spatial.count == 1 && !config.producer().is_tfjs();
        Ok(GlobalPool { kind, spatial, keepdims: config.or("keepdims", false)?, masked })
    }
}

impl LayerDef for GlobalPool {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let shape = &self.spatial.input(call)?.shape;
        let channels = self.spatial.channels(shape);
        let output = if self.keepdims {
            self.spatial.with(shape, &vec![Some(1); self.spatial.count], channels).0
        } else {
            vec![shape.dims().first().copied().flatten(), channels]
        };
        Ok(vec![TensorType::default().with_shape(output)])
    }

    fn exactness(&self) -> Exactness {
        match self.kind {
            PoolKind::Max => Exactness::Exact,
            PoolKind::Average => Exactness::Rounded,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("GlobalAveragePooling2D", json!({}), &["?,?,9,3"], &["?,3"]);
        let config = json!({"keepdims": true, "dataFormat": "channelsFirst"});
        check_infer("GlobalMaxPooling2D", config, &["?,3,9,9"], &["?,3,1,1"]);
        check_infer("GlobalAveragePooling1D", json!({}), &["2,?,3"], &["2,3"]);
    }

    #[test]
    fn refuses() {
        let message = "expected an input of rank 4, found shape [?,3]";
        check_refused("GlobalAveragePooling2D", json!({}), &["?,3"], message);
        let message = "expected spatial axes of at least 1, found shape [?,0,3]";
        check_refused("GlobalMaxPooling1D", json!({}), &["?,0,3"], message);
    }
}
