//! `SeparableConv1D`, `SeparableConv2D`: a depthwise convolution, then a pointwise one, which mixes the
//! channels.
//!
//! Reference: <https://keras.io/api/layers/convolution_layers/separable_convolution2d/>.

use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::spatial::{Windows, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::window::{Padding, Window};
use tfjs_manifest::{Error, Result, Shape};

/// A separable convolution. Weights: `depthwise_kernel [k..., in, multiplier]`,
/// `pointwise_kernel [1..., in * multiplier, filters]`, `bias [filters]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SeparableConv {
    /// The windows of the depthwise part.
    pub windows: Windows,
    /// The number of channels that the depthwise part computes for each input channel.
    pub depth_multiplier: usize,
    /// The number of channels of the output.
    pub filters: usize,
    /// Whether a bias is added. DIFFERENCE: TensorFlow.js adds it along the height if channels are first.
    pub use_bias: bool,
    /// The activation, applied last.
    pub activation: Last,
}

impl FromConfig for SeparableConv {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["SeparableConv2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // Keras 2 also writes the keys of the convolution class it inherits from.
        config.inert(&["groups"]);
        let conv = SeparableConv {
            windows: Windows::read_kernel(count_of(class, &["SeparableConv1D", "SeparableConv2D"])?, config)?,
            depth_multiplier: config.or("depth_multiplier", 1)?,
            filters: config.req("filters")?,
            use_bias: config.or("use_bias", true)?,
            activation: Last::read(config)?,
        };
        for (key, n) in [("depth_multiplier", conv.depth_multiplier), ("filters", conv.filters)] {
            if n == 0 {
                return Err(Error::malformed("expected at least 1, found 0").at_json(key).at_json("config"));
            }
        }
        Ok(conv)
    }
}

impl LayerDef for SeparableConv {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let spatial = &self.windows.spatial;
        let input = spatial.value(cx, call)?.value;
        let channels = cx.ty(input).dims[spatial.channel_axis()];
        let channels = cx.known(channels, "the channels", input)?;
        let between = super::depthwise_outputs(channels, self.depth_multiplier, cx.shape(input))?;
        let depthwise = [&self.windows.sizes()[..], &[channels, self.depth_multiplier]].concat();
        let depthwise = cx.weight(WeightDecl::new("depthwise_kernel", Shape::new(depthwise)?))?;
        let pointwise = [&vec![1; spatial.count][..], &[between, self.filters]].concat();
        let pointwise = cx.weight(WeightDecl::new("pointwise_kernel", Shape::new(pointwise)?))?;
        let bias = super::take_bias(cx, self.use_bias, self.filters)?;
        let x = cx.to_float(input)?;
        let x = spatial.channels_last(cx, x)?;
        let depthwise = super::grouped(cx, depthwise, spatial.count, between)?;
        let x = cx.conv(x, depthwise, &self.windows.axes, channels)?;
        let point = Window::new(1, 1, 1, Padding::Valid)?;
        let out = cx.conv(x, pointwise, &vec![point; spatial.count], 1)?;
        super::finish(cx, spatial, out, bias, &self.activation).map(|out| vec![out])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        self.windows.encode_padding(out);
        // TensorFlow.js refuses a separable convolution with the keys of a plain one.
        for key in ["kernel_initializer", "kernel_regularizer", "kernel_constraint"] {
            out.remove(key);
        }
        let spatial = &self.windows.spatial;
        if spatial.count == 2 && spatial.format == DataFormat::ChannelsFirst && self.use_bias {
            out.warn("TensorFlow.js adds the bias along the height if channels are first");
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
        let config = json!({
            "filters": 5, "kernel_size": 3, "depthMultiplier": 2.0, "strides": [2, 2], "padding": "same",
        });
        check_infer("SeparableConv2D", config.clone(), &["?,9,?,3"], &["?,5,?,5"]);
        let weights = ["depthwise_kernel[3,3,3,2]", "pointwise_kernel[1,1,6,5]", "bias[5]"];
        check_weights("SeparableConv2D", config, &["?,9,9,3"], &weights);
        let causal = json!({"filters": 1, "kernel_size": 3, "padding": "causal", "use_bias": false});
        check_infer("SeparableConv1D", causal.clone(), &["?,9,2"], &["?,9,1"]);
        let weights = ["depthwise_kernel[3,2,1]", "pointwise_kernel[1,2,1]"];
        check_weights("SeparableConv1D", causal, &["?,9,2"], &weights);
    }

    #[test]
    fn refuses() {
        let conv = json!({"filters": 1, "kernel_size": 3});
        let message = "expected an input of rank 4, found shape [?,9,3]";
        check_refused("SeparableConv2D", conv.clone(), &["?,9,3"], message);
        let message = "the channels must be known, found shape [?,9,?]";
        check_refused("SeparableConv1D", conv, &["?,9,?"], message);
        let message = "`config.depth_multiplier`: expected at least 1, found 0";
        let none = json!({"filters": 1, "kernel_size": 3, "depth_multiplier": 0});
        check_refused("SeparableConv2D", none, &[], message);
    }

    #[test]
    fn two_convolutions() {
        let config = json!({
            "filters": 4, "kernel_size": [3, 1], "depth_multiplier": 2, "data_format": "channels_first",
            "activation": "relu",
        });
        check_program(
            "SeparableConv2D",
            config,
            &["?,3,9,?"],
            expect![[r#"
            input "x1": f32[batch,3,9,x1.3]
            slot slot0 "/depthwise_kernel": f32[3,1,3,2]
            slot slot1 "/pointwise_kernel": f32[1,1,6,4]
            slot slot2 "/bias": f32[4]
            guard at_least(x1.3, 1)
            {
              %0 = input() {port=0} : f32[batch,3,9,x1.3]
              %1 = param() {slot=slot0} : f32[3,1,3,2]
              %2 = param() {slot=slot1} : f32[1,1,6,4]
              %3 = param() {slot=slot2} : f32[4]
              %4 = transpose(%0) {order=[0,2,3,1]} : f32[batch,9,x1.3,3]
              %5 = reshape(%1) {dims=[3,1,1,6]} : f32[3,1,1,6]
              %6 = conv(%4, %5) {windows=[(3:valid),(1:valid)], groups=3} : f32[batch,7,x1.3,6]
              %7 = conv(%6, %2) {windows=[(1:valid),(1:valid)], groups=1} : f32[batch,7,x1.3,4]
              %8 = binary(%7, %3) {op=add} : f32[batch,7,x1.3,4]
              %9 = transpose(%8) {order=[0,3,1,2]} : f32[batch,4,7,x1.3]
              %10 = activate(%9) {function=relu/inf/0.0/0.0} : f32[batch,4,7,x1.3]
              return %10 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn keys_that_tensorflow_js_refuses_are_left_out() {
        let config = json!({
            "filters": 4, "kernel_size": 3, "kernel_initializer": null, "kernel_regularizer": null,
            "kernel_constraint": null, "activation": "silu",
        });
        let written = json!({"kernel_initializer": null, "activation": "swish"});
        check_encoded(Family::Keras2, &json!([null, 8, 8, 4]), "SeparableConv2D", &config, &written, &[]);
        let first = json!({"filters": 4, "kernel_size": 3, "data_format": "channels_first"});
        let warning = "TensorFlow.js adds the bias along the height if channels are first";
        check_encoded(Family::Keras2, &json!([null, 4, 8, 8]), "SeparableConv2D", &first, &first, &[warning]);
        let unknown = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras2, &json!([null, 8, 4]), "SeparableConv1D", &config, &written, &[unknown]);
    }
}
