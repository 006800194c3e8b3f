//! `BatchNormalization`: `(input - mean) / sqrt(variance + epsilon) * gamma + beta` for each channel.
//!
//! At inference mean and variance are the moving ones; in training those of the batch.
//!
//! Reference: <https://keras.io/api/layers/normalization_layers/batch_normalization/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, MaskRule, WeightDecl, known, single};
use crate::layers::axes::Axes;
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType};
use tfjs_manifest::{Result, Shape};

/// A batch normalization. Weights: `gamma`, `beta`, `moving_mean`, `moving_variance`, each `[channels]`; with
/// several axes, of the input's rank with 1 for the other axes.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    /// The axes that keep their own statistics: the channels.
    pub axes: Axes,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether there is a `beta`.
    pub center: bool,
    /// Whether there is a `gamma`.
    pub scale: bool,
    /// Whether training renormalizes, for which there are three more weights.
    pub renorm: bool,
}

impl FromConfig for BatchNormalization {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&[
            "momentum",
            "fused",
            "virtual_batch_size",
            "synchronized",
            "renorm_clipping",
            "renorm_momentum",
            "mode",
        ]);
        Ok(BatchNormalization {
            axes: config.or("axis", Axes(vec![-1]))?,
            epsilon: config.or("epsilon", 1e-3)?,
            center: config.or("center", true)?,
            scale: config.or("scale", true)?,
            renorm: config.or("renorm", false)?,
        })
    }
}

impl BatchNormalization {
    /// The axes as indices into the input's shape.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for an axis the input does not have.
    pub fn axes(&self, shape: &SymShape) -> Result<Vec<usize>> {
        self.axes.of(shape)
    }
}

impl LayerDef for BatchNormalization {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single(call)?;
        self.axes(&input.shape)?;
        Ok(vec![TensorType::float(input.shape.clone())])
    }

    fn weights(&self, call: &Call<TensorType>) -> Result<Vec<WeightDecl>> {
        let input = &single(call)?.shape;
        let axes = self.axes(input)?;
        let dim = |axis: usize| known(input.dims()[axis], "the normalized axis", input);
        let shape = match axes[..] {
            [axis] => vec![dim(axis)?],
            _ => (0..input.rank()).map(|i| if axes.contains(&i) { dim(i) } else { Ok(1) }).collect::<Result<_>>()?,
        };
        let decl = |name| Shape::new(shape.clone()).map(|shape| WeightDecl::new(name, shape));
        let mut weights = Vec::new();
        if self.scale {
            weights.push(decl("gamma")?.ones());
        }
        if self.center {
            weights.push(decl("beta")?);
        }
        weights.push(decl("moving_mean")?.frozen());
        weights.push(decl("moving_variance")?.frozen().ones());
        if self.renorm {
            weights.push(decl("moving_stddev")?.frozen().ones());
            weights.push(decl("renorm_mean")?.frozen());
            weights.push(decl("renorm_stddev")?.frozen().ones());
        }
        Ok(weights)
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Pass
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("BatchNormalization", json!({"axis": [3]}), &["?,?,9,3"], &["?,?,9,3"]);
        let all = ["gamma[3]", "beta[3]", "moving_mean[3]", "moving_variance[3]"];
        check_weights("BatchNormalization", json!({}), &["?,?,9,3"], &all);
        check_weights("BatchNormalization", json!({"axis": 1.0}), &["?,3,9,?"], &all);
        let config = json!({"axis": [1, -1], "scale": false});
        let several = ["beta[1,3,1,4]", "moving_mean[1,3,1,4]", "moving_variance[1,3,1,4]"];
        check_weights("BatchNormalization", config, &["?,3,9,4"], &several);
    }

    #[test]
    fn refuses() {
        let message = "`axis` 3 does not exist in shape [?,3]";
        check_refused("BatchNormalization", json!({"axis": [3]}), &["?,3"], message);
        let message = "the normalized axis must be known, found shape [?,?]";
        check_refused("BatchNormalization", json!({}), &["?,?"], message);
        let message = "`config.axis`: expected a whole number, found `\"last\"`";
        check_refused("BatchNormalization", json!({"axis": "last"}), &[], message);
    }
}
