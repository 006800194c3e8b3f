//! `Conv1DTranspose`, `Conv2DTranspose`, `Conv3DTranspose`: `activation(transpose of a convolution(input, kernel) + bias)`.
//!
//! The input has the shape that a convolution with these windows has for the output: with `same` padding and strides of
//! 2, the output is twice as large. `output_padding` selects the output length if several are possible.
//!
//! Reference: <https://keras.io/api/layers/convolution_layers/convolution2d_transpose/>.

use crate::call::Call;
use crate::config::{Config, PerAxis};
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::spatial::{Windows, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A transposed convolution. Weights: `kernel [k..., filters, in]`, `bias [filters]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    /// The windows, over the output. DIFFERENCE: TensorFlow.js drops `dilation_rate`.
    pub windows: Windows,
    /// The windows by which the lengths of the output are told: with the padding that the file says.
    shapes: Vec<Window>,
    /// Channels of the output.
    pub filters: usize,
    /// The number of elements of each axis beyond the shortest output. DIFFERENCE: TensorFlow.js drops this key.
    pub output_padding: Option<Vec<usize>>,
    /// The lengths of the output's spatial axes, which Keras 1 says itself.
    pub output_lengths: Option<Vec<usize>>,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation, applied last.
    pub activation: Last,
}

impl FromConfig for ConvTranspose {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Conv2DTranspose", "Conv3DTranspose"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["groups"]);
        let count = count_of(class, &["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"])?;
        let mut windows = Windows::read_kernel(count, config)?;
        if windows.axes.iter().any(|window| window.padding == Padding::Causal) {
            let message = "a transposed convolution cannot be `causal`";
            return Err(Error::malformed(message).at_json("padding").at_json("config"));
        }
        if count == 3 && !config.producer().is_keras3() {
            // For volumes, Keras 2 writes the dilation rate but does not use it.
            windows.axes.iter_mut().for_each(|window| window.dilation = 1);
        }
        let output_padding: Option<PerAxis> = config.opt("output_padding")?;
        let output_padding = output_padding.map(|each| windows.spatial.each(&each, "output_padding")).transpose()?;
        for (&more, window) in output_padding.iter().flatten().zip(&windows.axes) {
            check_output_padding(more, window).map_err(|e| e.at_json("output_padding").at_json("config"))?;
        }
        let filters = config.req("filters")?;
        if filters == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("filters").at_json("config"));
        }
        let mut shapes = windows.axes.clone();
        if config.producer().is_on_theano() && config.value("padding").and_then(Json::as_str) == Some("same") {
            shapes.iter_mut().for_each(|window| window.padding = Padding::Same);
        }
        Ok(ConvTranspose {
            output_lengths: output_lengths(config, &windows)?,
            shapes,
            windows,
            filters,
            output_padding,
            use_bias: config.or("use_bias", true)?,
            activation: Last::read(config)?,
        })
    }
}

/// The lengths of the output, if the file says them.
fn output_lengths(config: &Config<'_>, windows: &Windows) -> Result<Option<Vec<usize>>> {
    let lengths: Option<Vec<usize>> = config.opt("output_lengths")?;
    match lengths {
        Some(lengths) if lengths.len() != windows.axes.len() => {
            let message = format!("expected a length for each of {} axes, found {}", windows.axes.len(), lengths.len());
            Err(Error::malformed(message).at_json("output_lengths").at_json("config"))
        }
        lengths => Ok(lengths),
    }
}

/// Fails unless a convolution makes as many elements of the longer output as of the shortest.
fn check_output_padding(more: usize, window: &Window) -> Result<()> {
    if more >= window.stride {
        let stride = window.stride;
        return Err(Error::malformed(format!("expected less than the stride, {stride}, found {more}")));
    }
    if window.padding == Padding::Same && more == 0 && window.extent().is_multiple_of(2) {
        let message = "expected at least 1 for an even window and padding `same`, found 0";
        return Err(Error::malformed(message));
    }
    Ok(())
}

impl ConvTranspose {
    /// The lengths of the output's spatial axes, for an input with channels last.
    fn outputs(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Vec<Dim>> {
        let inputs = cx.dims_of(x).into_iter().skip(1);
        if let Some(lengths) = &self.output_lengths {
            return self.said(cx, lengths, inputs.collect());
        }
        let mut outputs = Vec::with_capacity(self.windows.axes.len());
        for (axis, (window, input)) in self.shapes.iter().zip(inputs).enumerate() {
            let more = self.output_padding.as_ref().map(|each| each[axis]);
            let (output, least) = window.transposed_output_dim(cx.dims(), input, more)?;
            if let Some(least) = least {
                cx.at_least(input, least);
            }
            outputs.push(output);
        }
        Ok(outputs)
    }
}

impl ConvTranspose {
    /// Lengths that the file says, of which a convolution makes those of the input.
    fn said(&self, cx: &mut LowerCx<'_>, lengths: &[usize], inputs: Vec<Dim>) -> Result<Vec<Dim>> {
        for ((window, &length), input) in self.windows.axes.iter().zip(lengths).zip(inputs) {
            let made = window.output(length)?;
            let fits = cx.number(made);
            if cx.same(fits, input).is_none() {
                let found = cx.known_dim(input).unwrap_or_default();
                return Err(Error::malformed(format!(
                    "an output of length {length} belongs to an input of length {made}, found {found}"
                ))
                .at_json("output_lengths")
                .at_json("config"));
            }
        }
        Ok(lengths.iter().map(|&length| cx.number(length)).collect())
    }
}

impl LayerDef for ConvTranspose {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let spatial = &self.windows.spatial;
        let input = spatial.value(cx, call)?.value;
        let channels = cx.ty(input).dims[spatial.channel_axis()];
        let channels = cx.known(channels, "the channels", input)?;
        let mut kernel = self.windows.sizes();
        kernel.extend([self.filters, channels]);
        let kernel = cx.weight(WeightDecl::new("kernel", Shape::new(kernel)?))?;
        let bias = super::take_bias(cx, self.use_bias, self.filters)?;
        let x = cx.to_float(input)?;
        let x = spatial.channels_last(cx, x)?;
        let outputs = self.outputs(cx, x)?;
        let out = cx.conv_input(x, kernel, &self.windows.axes, 1, &outputs)?;
        super::finish(cx, spatial, out, bias, &self.activation).map(|out| vec![out])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        self.windows.encode_padding(out);
        if self.windows.spatial.count == 1 {
            return Ok(());
        }
        if self.windows.axes.iter().any(|window| window.dilation > 1) {
            out.warn("TensorFlow.js ignores `dilation_rate` of transposed convolutions");
        }
        if self.output_padding.is_some() {
            out.warn("TensorFlow.js ignores `output_padding`");
        }
        if self.output_lengths.is_some() {
            out.remove("output_lengths");
            out.warn("TensorFlow.js has its own rule for the lengths of the output, which the file says");
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
        let class = "Conv2DTranspose";
        check_infer(class, json!({"filters": 8, "kernel_size": 3}), &["?,28,28,1"], &["?,30,30,8"]);
        let odd = json!({"filters": 8.0, "kernelSize": [3, 5], "strides": [2, 1], "padding": "same", "useBias": false});
        check_infer(class, odd, &["?,?,7,1"], &["?,?,7,8"]);
        let padded = json!({"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "outputPadding": [0, 1]});
        check_infer(class, padded, &["2,5,5,3"], &["2,9,10,4"]);
        let first = json!({"filters": 4, "kernel_size": [3], "data_format": "channelsFirst", "dilation_rate": [2, 1]});
        check_infer(class, first, &["2,3,9,9"], &["2,4,13,11"]);
        check_infer("Conv1DTranspose", json!({"filters": 4, "kernel_size": 2, "strides": 3}), &["?,5,2"], &["?,15,4"]);
        let ignored = json!({"filters": 1, "kernel_size": 2, "dilation_rate": 3});
        check_infer("Conv3DTranspose", ignored, &["?,2,2,2,1"], &["?,3,3,3,1"]);
    }

    #[test]
    fn weights() {
        let config = json!({"filters": 8, "kernel_size": [3, 2]});
        check_weights("Conv2DTranspose", config, &["?,?,?,4"], &["kernel[3,2,8,4]", "bias[8]"]);
        let config = json!({"filters": 8, "kernel_size": 3, "use_bias": false});
        check_weights("Conv1DTranspose", config, &["?,9,4"], &["kernel[3,8,4]"]);
    }

    #[test]
    fn refuses() {
        let class = "Conv2DTranspose";
        let conv = json!({"filters": 8, "kernel_size": 3});
        check_refused(class, conv.clone(), &["?,28,28"], "expected an input of rank 4, found shape [?,28,28]");
        check_refused(class, conv, &["?,9,9,?"], "the channels must be known, found shape [?,9,9,?]");
        let message = "`config.filters`: expected at least 1, found 0";
        check_refused(class, json!({"filters": 0, "kernel_size": 3}), &[], message);
        let causal = json!({"filters": 8, "kernel_size": 3, "padding": "causal"});
        let message = "`config.padding`: a transposed convolution cannot be `causal`";
        check_refused("Conv1DTranspose", causal, &[], message);
        let padded = json!({"filters": 8, "kernel_size": 3, "strides": 2, "output_padding": 2});
        let message = "`config.output_padding`: expected less than the stride, 2, found 2";
        check_refused(class, padded, &[], message);
        let even = json!({"filters": 8, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 0});
        let message = "`config.output_padding`: expected at least 1 for an even window and padding `same`, found 0";
        check_refused(class, even, &[], message);
    }

    #[test]
    fn channels_first_and_a_softmax_over_the_last_axis() {
        let config = json!({
            "filters": 4, "kernel_size": 3, "strides": 2, "padding": "same",
            "data_format": "channels_first", "activation": "softmax",
        });
        check_program(
            "Conv2DTranspose",
            config,
            &["?,2,?,9"],
            expect![[r#"
            input "x1": f32[batch,2,x1.2,9]
            slot slot0 "/kernel": f32[3,3,4,2]
            slot slot1 "/bias": f32[4]
            guard at_least(x1.2, 1)
            {
              %0 = input() {port=0} : f32[batch,2,x1.2,9]
              %1 = param() {slot=slot0} : f32[3,3,4,2]
              %2 = param() {slot=slot1} : f32[4]
              %3 = transpose(%0) {order=[0,2,3,1]} : f32[batch,x1.2,9,2]
              %4 = conv_input(%3, %1) {windows=[(3/2:same),(3/2:same)], groups=1, dims=[2*x1.2,18]} : f32[batch,2*x1.2,18,4]
              %5 = binary(%4, %2) {op=add} : f32[batch,2*x1.2,18,4]
              %6 = transpose(%5) {order=[0,3,1,2]} : f32[batch,4,2*x1.2,18]
              %7 = softmax(%6) {axes=[3], log=false} : f32[batch,4,2*x1.2,18]
              return %7 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let config =
            json!({"filters": 4, "kernel_size": 3, "dilation_rate": 2, "output_padding": 0, "activation": "silu"});
        let swish = json!({"activation": "swish"});
        let warnings = [
            "TensorFlow.js ignores `dilation_rate` of transposed convolutions",
            "TensorFlow.js ignores `output_padding`",
        ];
        check_encoded(Family::Keras3, &json!([null, 8, 8, 4]), "Conv2DTranspose", &config, &swish, &warnings);
        let unknown = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras3, &json!([null, 8, 4]), "Conv1DTranspose", &config, &swish, &[unknown]);
    }
}
