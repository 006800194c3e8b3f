//! `Conv1D`, `Conv2D`, `Conv3D`: `activation(conv(input, kernel) + bias)`.
//!
//! `out[p, f] = sum over k, c of in[p * strides + k * dilation, c] * kernel[k, c, f]`; with groups, a block of
//! filters reads only its own block of channels.
//!
//! Reference: <https://keras.io/api/layers/convolution_layers/convolution2d/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::low_rank::LowRank;
use crate::layers::spatial::{Windows, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::window::Padding;
use tfjs_manifest::{Error, Result, Shape};

/// A convolution. Weights: `kernel [k..., in / groups, filters]`, `bias [filters]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// The windows.
    pub windows: Windows,
    /// The number of channels of the output.
    pub filters: usize,
    /// The number of separate blocks of channels. DIFFERENCE: TensorFlow.js drops this key.
    pub groups: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation, applied last.
    pub activation: Last,
    /// Added to the kernel.
    pub update: Option<LowRank>,
}

impl FromConfig for Conv {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Conv1D", "Conv2D", "Conv3D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let conv = Conv {
            windows: Windows::read_kernel(count_of(class, &["Conv1D", "Conv2D", "Conv3D"])?, config)?,
            filters: config.req("filters")?,
            groups: config.or("groups", 1)?,
            use_bias: config.or("use_bias", true)?,
            activation: Last::read(config)?,
            update: LowRank::read(config)?,
        };
        if conv.groups == 0 || conv.filters == 0 || !conv.filters.is_multiple_of(conv.groups) {
            return Err(Error::malformed(format!(
                "expected at least 1 filter for each group, found {} filters in {} groups",
                conv.filters, conv.groups
            ))
            .at_json("config"));
        }
        Ok(conv)
    }
}

impl LayerDef for Conv {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.windows.spatial.value(cx, call)?.value;
        let channels = cx.ty(input).dims[self.windows.spatial.channel_axis()];
        let channels = cx.known(channels, "the channels", input)?;
        if channels == 0 || !channels.is_multiple_of(self.groups) {
            let (groups, shape) = (self.groups, cx.shape(input));
            return Err(Error::malformed(format!(
                "expected channels that {groups} groups share evenly, found shape {shape}"
            )));
        }
        let mut kernel = self.windows.sizes();
        kernel.extend([channels / self.groups, self.filters]);
        let shape = Shape::new(kernel)?;
        let kernel = LowRank::weight(self.update, cx, WeightDecl::new("kernel", shape.clone()))?;
        let bias = super::take_bias(cx, self.use_bias, self.filters)?;
        let kernel = LowRank::added(self.update, cx, kernel, "kernel", &shape)?;
        let out = super::convolve(cx, &self.windows, input, (kernel, bias), self.groups, &self.activation)?;
        Ok(vec![out])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        LowRank::warn(self.update, out);
        if self.groups != 1 {
            out.warn("TensorFlow.js has no convolutions in `groups`");
        }
        let axes = &self.windows.axes;
        if axes.iter().any(|window| window.stride > 1) && axes.iter().any(|window| window.dilation > 1) {
            out.warn("TensorFlow.js has no convolutions with both strides and dilation");
        }
        self.windows.spatial.warn_of_format(out);
        self.windows.encode_padding(out);
        if axes.iter().any(|window| window.padding == Padding::Causal) {
            out.warn("TensorFlow.js loads `causal` padding and cannot predict with it");
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
        check_infer("Conv2D", json!({"filters": 8, "kernel_size": 3}), &["?,28,28,1"], &["?,26,26,8"]);
        let odd = json!({"filters": 8.0, "kernelSize": [3, 5], "strides": [2, 1], "padding": "same", "useBias": false});
        check_infer("Conv2D", odd, &["?,?,7,1"], &["?,?,7,8"]);
        let first = json!({"filters": 4, "kernel_size": [3], "data_format": "channelsFirst", "dilation_rate": [2, 1]});
        check_infer("Conv2D", first, &["2,3,9,9"], &["2,4,5,7"]);
        let causal = json!({"filters": 4, "kernel_size": [3], "padding": "causal", "dilation_rate": [4]});
        check_infer("Conv1D", causal, &["?,5,2"], &["?,5,4"]);
    }

    #[test]
    fn weights() {
        let config = json!({"filters": 8, "kernel_size": [3, 2], "groups": 2});
        check_weights("Conv2D", config, &["?,?,?,4"], &["kernel[3,2,2,8]", "bias[8]"]);
        let config = json!({"filters": 8, "kernel_size": 3, "use_bias": false});
        check_weights("Conv1D", config, &["?,9,4"], &["kernel[3,4,8]"]);
    }

    #[test]
    fn refuses() {
        let conv = || json!({"filters": 8, "kernel_size": 3});
        check_refused("Conv2D", conv(), &["?,28,28"], "expected an input of rank 4, found shape [?,28,28]");
        check_refused("Conv2D", conv(), &["?,9,9,?"], "the channels must be known, found shape [?,9,9,?]");
        check_refused("Conv2D", conv(), &["?,0,9,1"], "expected spatial axes of at least 1, found shape [?,0,9,1]");
        let groups = json!({"filters": 8, "kernel_size": 3, "groups": 2});
        let message = "expected channels that 2 groups share evenly, found shape [?,9,9,3]";
        check_refused("Conv2D", groups, &["?,9,9,3"], message);
        let message = "`config`: expected at least 1 filter for each group, found 8 filters in 0 groups";
        check_refused("Conv2D", json!({"filters": 8, "kernel_size": 3, "groups": 0}), &[], message);
        let message = "`config`: stride must be at least 1, found 0";
        check_refused("Conv2D", json!({"filters": 8, "kernel_size": 3, "strides": 0}), &[], message);
        let causal = json!({"filters": 8, "kernel_size": 3, "padding": "causal"});
        let message = "`config.padding`: padding `causal` is for sequences, found 2 spatial axes";
        check_refused("Conv2D", causal, &[], message);
    }

    #[test]
    fn channels_first_and_a_softmax_over_the_last_axis() {
        let config = json!({
            "filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "groups": 2,
            "data_format": "channels_first", "activation": "softmax",
        });
        check_program(
            "Conv2D",
            config,
            &["?,2,?,9"],
            expect![[r#"
                input "x1": f32[batch,2,x1.2,9]
                slot slot0 "/kernel": f32[3,3,1,4]
                slot slot1 "/bias": f32[4]
                guard at_least(x1.2, 1)
                {
                  %0 = input() {port=0} : f32[batch,2,x1.2,9]
                  %1 = param() {slot=slot0} : f32[3,3,1,4]
                  %2 = param() {slot=slot1} : f32[4]
                  %3 = transpose(%0) {order=[0,2,3,1]} : f32[batch,x1.2,9,2]
                  %4 = conv(%3, %1) {windows=[(3/2:same),(3/2:same)], groups=2} : f32[batch,floor((x1.2+1)/2),5,4]
                  %5 = binary(%4, %2) {op=add} : f32[batch,floor((x1.2+1)/2),5,4]
                  %6 = transpose(%5) {order=[0,3,1,2]} : f32[batch,4,floor((x1.2+1)/2),5]
                  %7 = softmax(%6) {axes=[3], log=false} : f32[batch,4,floor((x1.2+1)/2),5]
                  return %7 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn a_causal_convolution_loses_the_mask() {
        let config =
            json!({"filters": 4, "kernel_size": 2, "padding": "causal", "dilation_rate": 3, "use_bias": false});
        check_program(
            "Conv1D",
            config,
            &["int32 ?,?,2 masked"],
            expect![[r#"
                input "x1": i32[batch,x1.1,2]
                input "x1.mask": bool[batch,x1.1]
                slot slot0 "/kernel": f32[2,2,4]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : i32[batch,x1.1,2]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = param() {slot=slot0} : f32[2,2,4]
                  %3 = cast(%0) {to=f32} : f32[batch,x1.1,2]
                  %4 = conv(%3, %2) {windows=[(2/1*3:causal)], groups=1} : f32[batch,x1.1,4]
                  return %4 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let both = json!({"filters": 4, "kernel_size": 3, "strides": [1, 2], "dilation_rate": 2});
        let warning = "TensorFlow.js has no convolutions with both strides and dilation";
        check_encoded(Family::Keras2, &json!([null, 8, 8, 4]), "Conv2D", &both, &both, &[warning]);
        let sequence = json!({"filters": 4, "kernel_size": 3, "padding": "causal", "activation": "silu"});
        let warning = "TensorFlow.js loads `causal` padding and cannot predict with it";
        let expect = json!({"padding": "causal", "activation": "swish"});
        check_encoded(Family::Keras3, &json!([null, 8, 4]), "Conv1D", &sequence, &expect, &[warning]);
        let first = json!({"filters": 4, "kernel_size": 3, "data_format": "channels_first"});
        let warning = "TensorFlow.js ignores `channels_first` of layers over one dimension";
        check_encoded(Family::Keras2, &json!([null, 4, 8]), "Conv1D", &first, &first, &[warning]);
        check_encoded(Family::Keras2, &json!([null, 4, 8, 8]), "Conv2D", &first, &first, &[]);
    }
}
