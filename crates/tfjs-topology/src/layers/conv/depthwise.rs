//! `DepthwiseConv1D`, `DepthwiseConv2D`: every channel convolved on its own, with `depth_multiplier` kernels.
//!
//! `out[p, c * m + j] = sum over k of in[p * strides + k * dilation, c] * kernel[k, c, j]`.
//!
//! Reference: <https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/>.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl, known};
use crate::layers::spatial::Windows;
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType};
use tfjs_manifest::{Error, Result, Shape};

/// A depthwise convolution. Weights: `depthwise_kernel [k..., in, multiplier]` (Keras 3 calls it `kernel`),
/// `bias [in * multiplier]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthwiseConv {
    /// The windows. DIFFERENCE: TensorFlow.js drops `dilation_rate`.
    pub windows: Windows,
    /// Outputs of each channel.
    pub depth_multiplier: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// Applied last.
    pub activation: Activation,
}

impl FromConfig for DepthwiseConv {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // Keras 2 writes the keys of the plain convolution it inherits from.
        config.inert(&["filters", "groups"]);
        let conv = DepthwiseConv {
            windows: Windows::read_kernel(class, config)?,
            depth_multiplier: config.or("depth_multiplier", 1)?,
            use_bias: config.or("use_bias", true)?,
            activation: Activation::read(config, "activation", Activation::Linear)?,
        };
        if conv.depth_multiplier == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("depth_multiplier").at_json("config"));
        }
        Ok(conv)
    }
}

impl DepthwiseConv {
    fn outputs(&self, channels: usize, shape: &SymShape) -> Result<usize> {
        channels
            .checked_mul(self.depth_multiplier)
            .ok_or_else(|| Error::malformed(format!("too many output channels for shape {shape}")))
    }
}

impl LayerDef for DepthwiseConv {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = &self.windows.spatial.input(call)?.shape;
        let channels = self.windows.spatial.channels(input).map(|c| self.outputs(c, input)).transpose()?;
        let shape = self.windows.output(input, channels)?;
        Ok(vec![TensorType::float(self.activation.infer(shape)?)])
    }

    fn weights(&self, call: &Call<TensorType>) -> Result<Vec<WeightDecl>> {
        let input = &self.windows.spatial.input(call)?.shape;
        let channels = known(self.windows.spatial.channels(input), "the channels", input)?;
        let mut kernel = self.windows.sizes();
        kernel.extend([channels, self.depth_multiplier]);
        let mut weights = vec![WeightDecl::new("depthwise_kernel", Shape::new(kernel)?).alias("kernel")];
        if self.use_bias {
            weights.push(WeightDecl::new("bias", Shape::new([self.outputs(channels, input)?])?));
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        let config = json!({"kernel_size": 3, "depthMultiplier": 2.0, "strides": [2, 2], "padding": "same"});
        check_infer("DepthwiseConv2D", config.clone(), &["?,9,?,3"], &["?,5,?,6"]);
        check_weights("DepthwiseConv2D", config, &["?,9,9,3"], &["depthwise_kernel[3,3,3,2]", "bias[6]"]);
        check_infer("DepthwiseConv1D", json!({"kernel_size": 3}), &["?,9,?"], &["?,7,?"]);
    }

    #[test]
    fn refuses() {
        let message = "expected an input of rank 4, found shape [?,9,3]";
        check_refused("DepthwiseConv2D", json!({"kernel_size": 3}), &["?,9,3"], message);
        let message = "`config.depth_multiplier`: expected at least 1, found 0";
        check_refused("DepthwiseConv2D", json!({"kernel_size": 3, "depth_multiplier": 0}), &[], message);
        check_refused("DepthwiseConv2D", json!({}), &[], "`config`: missing `kernel_size`");
    }
}
