//! `DepthwiseConv1D`, `DepthwiseConv2D`: every channel is convolved separately, with `depth_multiplier` kernels.
//!
//! `out[p, c * m + j] = sum over k of in[p * strides + k * dilation, c] * kernel[k, c, j]`.
//!
//! Reference: <https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::spatial::{Windows, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result, Shape};

/// A depthwise convolution. Weights: `depthwise_kernel [k..., in, multiplier]` (`kernel` in Keras 3),
/// `bias [in * multiplier]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthwiseConv {
    /// The windows. DIFFERENCE: TensorFlow.js drops `dilation_rate`.
    pub windows: Windows,
    /// The number of output channels for each input channel.
    pub depth_multiplier: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation, applied last.
    pub activation: Last,
}

impl FromConfig for DepthwiseConv {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["DepthwiseConv2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // Keras 2 also writes the keys of the convolution class it inherits from.
        config.inert(&["filters", "groups"]);
        let conv = DepthwiseConv {
            windows: Windows::read_kernel(count_of(class, &["DepthwiseConv1D", "DepthwiseConv2D"])?, config)?,
            depth_multiplier: config.or("depth_multiplier", 1)?,
            use_bias: config.or("use_bias", true)?,
            activation: Last::read(config)?,
        };
        if conv.depth_multiplier == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("depth_multiplier").at_json("config"));
        }
        Ok(conv)
    }
}

impl LayerDef for DepthwiseConv {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.windows.spatial.value(cx, call)?.value;
        let channels = cx.ty(input).dims[self.windows.spatial.channel_axis()];
        let channels = cx.known(channels, "the channels", input)?;
        let outputs = super::depthwise_outputs(channels, self.depth_multiplier, cx.shape(input))?;
        let mut kernel = self.windows.sizes();
        kernel.extend([channels, self.depth_multiplier]);
        let kernel = cx.weight(WeightDecl::new("depthwise_kernel", Shape::new(kernel)?).alias("kernel"))?;
        let bias = super::take_bias(cx, self.use_bias, outputs)?;
        let kernel = super::grouped(cx, kernel, self.windows.axes.len(), outputs)?;
        let out = super::convolve(cx, &self.windows, input, (kernel, bias), channels, &self.activation)?;
        Ok(vec![out])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        self.windows.encode_padding(out);
        let axes = &self.windows.axes;
        if self.windows.spatial.count == 2 && axes.iter().any(|window| window.dilation > 1) {
            out.warn("TensorFlow.js ignores `dilation_rate` of depthwise convolutions");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        let config = json!({"kernel_size": 3, "depthMultiplier": 2.0, "strides": [2, 2], "padding": "same"});
        check_infer("DepthwiseConv2D", config.clone(), &["?,9,?,3"], &["?,5,?,6"]);
        check_weights("DepthwiseConv2D", config, &["?,9,9,3"], &["depthwise_kernel[3,3,3,2]", "bias[6]"]);
        check_infer("DepthwiseConv1D", json!({"kernel_size": 3}), &["?,9,2"], &["?,7,2"]);
    }

    #[test]
    fn refuses() {
        let message = "expected an input of rank 4, found shape [?,9,3]";
        check_refused("DepthwiseConv2D", json!({"kernel_size": 3}), &["?,9,3"], message);
        let message = "the channels must be known, found shape [?,9,?]";
        check_refused("DepthwiseConv1D", json!({"kernel_size": 3}), &["?,9,?"], message);
        let message = "`config.depth_multiplier`: expected at least 1, found 0";
        check_refused("DepthwiseConv2D", json!({"kernel_size": 3, "depth_multiplier": 0}), &[], message);
        check_refused("DepthwiseConv2D", json!({}), &[], "`config`: missing `kernel_size`");
    }

    #[test]
    fn a_convolution_with_a_group_for_each_channel() {
        let config = json!({"kernel_size": [3, 1], "depth_multiplier": 2, "activation": "relu"});
        check_program(
            "DepthwiseConv2D",
            config,
            &["?,9,9,3"],
            expect![[r#"
                input "x1": f32[batch,9,9,3]
                slot slot0 "/depthwise_kernel": f32[3,1,3,2]
                slot slot1 "/bias": f32[6]
                {
                  %0 = input() {port=0} : f32[batch,9,9,3]
                  %1 = param() {slot=slot0} : f32[3,1,3,2]
                  %2 = param() {slot=slot1} : f32[6]
                  %3 = reshape(%1) {dims=[3,1,1,6]} : f32[3,1,1,6]
                  %4 = conv(%0, %3) {windows=[(3:valid),(1:valid)], groups=3} : f32[batch,7,9,6]
                  %5 = binary(%4, %2) {op=add} : f32[batch,7,9,6]
                  %6 = activate(%5) {function=relu/inf/0.0/0.0} : f32[batch,7,9,6]
                  return %6 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let dilated = json!({"kernel_size": 3, "dilation_rate": 2, "activation": "silu"});
        let swish = json!({"activation": "swish"});
        let warning = "TensorFlow.js ignores `dilation_rate` of depthwise convolutions";
        check_encoded(Family::Keras2, &json!([null, 8, 8, 4]), "DepthwiseConv2D", &dilated, &swish, &[warning]);
        let unknown = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras2, &json!([null, 8, 4]), "DepthwiseConv1D", &dilated, &swish, &[unknown]);
    }
}
