//! `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`: an LSTM over images, whose products are convolutions.
//!
//! Reference: Keras's `keras/src/layers/rnn/conv_lstm.py`.

use super::arguments::Arguments;
use super::cell::{Cell, CellWeights, Sequence, cell_scope};
use super::states::{States, carry};
use super::stepped::Recurrence;
use super::steps::{MaskedOutput, Steps, check_time, mask_of};
use crate::activation::Activation;
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::spatial::{Spatial, Windows, count_of, warn_of_padding};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// An LSTM over images `[batch, time, s.., in]` (or channels before the spatial axes). Weights: `kernel [k.., in, 4 f]`,
/// `recurrent_kernel [k.., f, 4 f]`, `bias [4 f]`, with `f` filters.
///
/// The convolution of the input uses the layer's windows; that of the state uses windows of the same size that keep its
/// shape.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvLstm {
    /// The windows over the input.
    pub windows: Windows,
    /// The cell, which runs at each step.
    pub cell: Cell,
    /// How the steps are run.
    pub steps: Steps,
    /// The windows over the state.
    recurrent: Vec<Window>,
}

impl FromConfig for ConvLstm {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["ConvLSTM2D"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let windows = Windows::read_kernel(count_of(class, &["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"])?, config)?;
        if windows.axes.iter().any(|window| window.padding == Padding::Causal) {
            let error = Error::malformed("expected padding `valid` or `same`, found `causal`");
            return Err(error.at_json("padding").at_json("config"));
        }
        let same = |size| if config.producer().is_on_theano() { Padding::half(size) } else { Padding::Same };
        let recurrent = windows.sizes().into_iter().map(|size| Window::new(size, 1, 1, same(size)));
        let mut steps = Steps::read(config)?;
        if !config.producer().is_keras3() {
            // Keras 2 accepts these keys but does not use them.
            steps.time_major = false;
            if steps.masked_output == MaskedOutput::Zeros {
                steps.masked_output = MaskedOutput::Previous;
            }
        }
        let layer = ConvLstm {
            cell: Cell::read_conv(config)?,
            recurrent: recurrent.collect::<Result<_>>().map_err(|e| e.at_json("config"))?,
            windows,
            steps,
        };
        let over_axis =
            |activation| matches!(activation, Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax);
        if layer.spatial().format == DataFormat::ChannelsFirst
            && (over_axis(layer.cell.activation) || over_axis(layer.cell.recurrent_activation))
        {
            let message = "a softmax inside of a layer with `channels_first` is not supported";
            return Err(Error::unsupported(message).at_json("config"));
        }
        Ok(layer)
    }
}

impl ConvLstm {
    fn spatial(&self) -> &Spatial {
        &self.windows.spatial
    }

    /// The dimensions `[batch, time]` and the number of channels of a sequence, after all checks.
    fn sequence_dims(&self, cx: &mut LowerCx<'_>, input: Value) -> Result<([Dim; 2], usize)> {
        let dims = cx.dims_of(input);
        let rank = self.spatial().count + 3;
        if dims.len() != rank {
            let shape = cx.shape(input);
            return Err(Error::malformed(format!("expected an input of rank {rank}, found shape {shape}")));
        }
        check_time(cx, dims[1], input)?;
        let channels = cx.known(dims[self.spatial().channel_axis() + 1], "the channels", input)?;
        if channels == 0 {
            let shape = cx.shape(input);
            return Err(Error::malformed(format!("expected at least one channel, found shape {shape}")));
        }
        Ok(([dims[0], dims[1]], channels))
    }

    /// The mask of a sequence, which has a value for each of its entries or, from a `Masking` of images, for each place of
    /// them.
    fn mask_of(&self, cx: &mut LowerCx<'_>, input: &KerasTensor) -> Result<Option<Value>> {
        match input.mask.map(|mask| cx.ty(mask).rank()) {
            Some(rank) if rank > 2 && self.spatial().format == DataFormat::ChannelsLast => Ok(input.mask),
            _ => mask_of(cx, input),
        }
    }

    /// Fails unless the places of a mask are those of a state.
    fn check_mask(&self, cx: &mut LowerCx<'_>, mask: Option<Value>, state: &[Dim]) -> Result<()> {
        let Some(mask) = mask.filter(|&mask| cx.ty(mask).rank() > 2) else { return Ok(()) };
        let dims = cx.dims_of(mask);
        let fits = |cx: &mut LowerCx<'_>, (&a, &b): (&Dim, &Dim)| a == Dim::ONE || cx.same(a, b).is_some();
        if dims.len() - 2 < state.len() && dims[2..].iter().zip(&state[1..]).all(|pair| fits(cx, pair)) {
            return Ok(());
        }
        let shape = cx.shape(mask);
        Err(Error::malformed(format!("a mask of the places of each image, {shape}, does not fit the states")))
    }

    /// What the steps of the input give to all gates, their bias added, in one convolution: `[batch, time, s'.., 4 f]`.
    fn projected(&self, cx: &mut LowerCx<'_>, input: Value, weights: CellWeights) -> Result<Value> {
        let input = cx.to_float(input)?;
        let mut dims = cx.dims_of(input);
        let [batch, time] = [dims[0], dims[1]];
        let rows = cx.dims().mul(batch, time)?;
        dims.splice(..2, [rows]);
        let images = cx.reshape(input, &dims)?;
        self.spatial().value(cx, &Call::of([KerasTensor::from(images)]))?;
        let images = self.spatial().channels_last(cx, images)?;
        let mut projected = cx.conv(images, weights.kernel, &self.windows.axes, 1)?;
        if let Some(bias) = weights.bias {
            projected = cx.add(projected, bias)?;
        }
        let mut dims = cx.dims_of(projected);
        dims.splice(..1, [batch, time]);
        cx.reshape(projected, &dims)
    }

    /// The dimensions of a state: in the layer's format, and with channels last.
    fn state_dims(&self, cx: &mut LowerCx<'_>, projected: Value) -> [Vec<Dim>; 2] {
        let mut last = cx.dims_of(projected);
        last.remove(1);
        last.pop();
        let filters = cx.number(self.cell.units);
        let mut first = last.clone();
        last.push(filters);
        first.insert(1, filters);
        if self.spatial().format == DataFormat::ChannelsFirst { [first, last] } else { [last.clone(), last] }
    }

    /// The images of every step, with channels on the layer's axis.
    fn restore_sequence(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        if self.spatial().format == DataFormat::ChannelsLast {
            return Ok(x);
        }
        let last = self.spatial().count + 2;
        let order: Vec<usize> = [0, 1, last].into_iter().chain(2..last).collect();
        cx.transpose(x, &order)
    }
}

impl ConvLstm {
    /// Writes the keys of the layer except `zero_output_for_mask`.
    pub(crate) fn encode_steps(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        self.steps.warn_of_states(out);
        self.cell.encode(target, out);
        warn_of_padding(&[&self.windows.axes[..], &self.recurrent].concat(), out);
        let axes = &self.windows.axes;
        if axes.iter().any(|window| window.stride > 1) && axes.iter().any(|window| window.dilation > 1) {
            out.warn("TensorFlow.js has no convolutions with both strides and dilation");
        }
        if out.calls().iter().any(|inputs| inputs.len() > 1) {
            out.warn("TensorFlow.js does not take initial states for this layer");
        }
        Ok(())
    }
}

impl LayerDef for ConvLstm {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let Arguments { input, states: given } = Arguments::of(call)?;
        let (_, channels) = self.sequence_dims(cx, input.value)?;
        let mask = self.mask_of(cx, input)?;
        let scope = [cell_scope("conv_lstm_cell", "cell")];
        let weights = self.cell.take_weights(cx, &self.windows.sizes(), channels, &scope)?;
        let projected = self.projected(cx, input.value, weights)?;
        let [dims, inner] = self.state_dims(cx, projected);
        self.check_mask(cx, mask, &inner)?;
        // SIZE: two at most.
        let states = States { steps: &self.steps, dims: vec![dims; self.cell.kind.states()] };
        states.check(cx, &given)?;
        let carried = states.carried(cx)?;
        let initial = states.initial(cx, &given, &carried)?;

        let spatial = *self.spatial();
        let states = initial.into_iter().map(|state| spatial.channels_last(cx, state)).collect::<Result<_>>()?;
        let over = Sequence {
            inputs: projected,
            states,
            mask: self.steps.told_mask(call, given.len(), mask),
            backwards: self.steps.go_backwards,
            masked_output: self.steps.masked_output,
        };
        let recurrence =
            Recurrence { cell: &self.cell, kernel: weights.recurrent_kernel, bias: None, windows: &self.recurrent };
        let stepped = recurrence.step_over(cx, &over)?;

        let finals = stepped.states.iter().map(|&state| spatial.restore(cx, state)).collect::<Result<Vec<_>>>()?;
        carry(cx, &carried, &finals)?;
        let sequence = self.restore_sequence(cx, stepped.outputs)?;
        let last = spatial.restore(cx, stepped.last)?;
        Ok(self.steps.outputs(sequence, last, finals, mask))
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.steps.masked_output == MaskedOutput::Zeros {
            out.warn("TensorFlow.js ignores `zero_output_for_mask`");
        }
        self.encode_steps(target, out)
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
        let config = json!({"filters": 4.0, "kernelSize": 3});
        check_infer("ConvLSTM2D", config, &["?,?,8,9,2"], &["?,6,7,4"]);
        let config =
            json!({"filters": 4, "kernel_size": [3], "strides": 2, "padding": "same", "return_sequences": true});
        check_infer("ConvLSTM1D", config, &["2,?,7,2"], &["2,?,4,4"]);
        let config = json!({"filters": 4, "kernel_size": 2, "return_sequences": true, "return_state": true,
                            "data_format": "channels_first"});
        let states = "?,4,4,5,6";
        check_infer("ConvLSTM3D", config, &["?,3,2,5,6,7"], &["?,3,4,4,5,6", states, states]);
        let config = json!({"filters": 4, "kernel_size": 3, "dilation_rate": 2});
        check_infer("ConvLSTM2D", config, &["?,?,?,?,2"], &["?,?,?,4"]);
    }

    #[test]
    fn weights() {
        let config = json!({"filters": 4, "kernel_size": [3, 2]});
        let expect =
            ["conv_lstm_cell/kernel[3,2,5,16]", "conv_lstm_cell/recurrent_kernel[3,2,4,16]", "conv_lstm_cell/bias[16]"];
        check_weights("ConvLSTM2D", config, &["?,?,8,8,5"], &expect);
    }

    #[test]
    fn one_convolution_of_the_input_and_a_loop_over_the_states() {
        let config = json!({
            "filters": 2, "kernel_size": 3, "strides": 2, "use_bias": false, "go_backwards": true,
            "return_sequences": true, "recurrent_activation": "sigmoid",
        });
        check_program(
            "ConvLSTM1D",
            config,
            &["?,?,9,1 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,9,1]
                input "x1.mask": bool[batch,x1.1]
                slot slot0 "/kernel": f32[3,1,8]
                slot slot1 "/recurrent_kernel": f32[3,2,8]
                const const0: f32[] = [0.0]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,9,1]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = param() {slot=slot0} : f32[3,1,8]
                  %3 = param() {slot=slot1} : f32[3,2,8]
                  %4 = reshape(%0) {dims=[batch*x1.1,9,1]} : f32[batch*x1.1,9,1]
                  %5 = conv(%4, %2) {windows=[(3/2:valid)], groups=1} : f32[batch*x1.1,4,8]
                  %6 = reshape(%5) {dims=[batch,x1.1,4,8]} : f32[batch,x1.1,4,8]
                  %7 = const() {constant=const0} : f32[]
                  %8 = broadcast(%7) {dims=[batch,4,2], axes=[]} : f32[batch,4,2]
                  %9 = broadcast(%7) {dims=[batch,4,2], axes=[]} : f32[batch,4,2]
                  %10 = broadcast(%7) {dims=[batch,4,2], axes=[]} : f32[batch,4,2]
                  %11, %12, %13, %14 = scan(%10, %8, %9, %6, %1, %3) {carries=3, sequences=2, length=x1.1, axis=1, reverse=true, body={
                    take %0: f32[batch,4,2]; %1: f32[batch,4,2]; %2: f32[batch,4,2]; %3: f32[batch,4,8]; %4: bool[batch]; %5: f32[3,2,8]
                    %6 = conv(%1, %5) {windows=[(3:same)], groups=1} : f32[batch,4,8]
                    %7 = binary(%3, %6) {op=add} : f32[batch,4,8]
                    %8 = slice(%7) {ranges=[0|batch|1,0|4|1,0|2|1]} : f32[batch,4,2]
                    %9 = activate(%8) {function=sigmoid} : f32[batch,4,2]
                    %10 = slice(%7) {ranges=[0|batch|1,0|4|1,2|2|1]} : f32[batch,4,2]
                    %11 = activate(%10) {function=sigmoid} : f32[batch,4,2]
                    %12 = slice(%7) {ranges=[0|batch|1,0|4|1,4|2|1]} : f32[batch,4,2]
                    %13 = activate(%12) {function=tanh} : f32[batch,4,2]
                    %14 = slice(%7) {ranges=[0|batch|1,0|4|1,6|2|1]} : f32[batch,4,2]
                    %15 = activate(%14) {function=sigmoid} : f32[batch,4,2]
                    %16 = binary(%11, %2) {op=mul} : f32[batch,4,2]
                    %17 = binary(%9, %13) {op=mul} : f32[batch,4,2]
                    %18 = binary(%16, %17) {op=add} : f32[batch,4,2]
                    %19 = activate(%18) {function=tanh} : f32[batch,4,2]
                    %20 = binary(%15, %19) {op=mul} : f32[batch,4,2]
                    %21 = reshape(%4) {dims=[batch,1,1]} : bool[batch,1,1]
                    %22 = select(%21, %20, %0) {} : f32[batch,4,2]
                    %23 = select(%21, %20, %1) {} : f32[batch,4,2]
                    %24 = select(%21, %18, %2) {} : f32[batch,4,2]
                    return %22, %23, %24, %22
                  }} : f32[batch,4,2]; f32[batch,4,2]; f32[batch,4,2]; f32[batch,x1.1,4,2]
                  %15 = reverse(%14) {axes=[1]} : f32[batch,x1.1,4,2]
                  return %15 "y1", %1 "y1.mask"
                }
            "#]],
        );
    }

    #[test]
    fn states_are_carried_where_all_sizes_are_known() {
        let config = json!({"filters": 1, "kernel_size": 1, "stateful": true, "use_bias": false,
                            "data_format": "channels_first"});
        check_program(
            "ConvLSTM1D",
            config,
            &["2,?,3,4", "2,1,4", "2,1,4"],
            expect![[r#"
                input "x1": f32[2,x1.1,3,4]
                input "x2": f32[2,1,4]
                input "x3": f32[2,1,4]
                slot slot0 "/kernel": f32[1,3,4]
                slot slot1 "/recurrent_kernel": f32[1,1,4]
                state state0 "/state0": f32[2,1,4] = 0.0
                state state1 "/state1": f32[2,1,4] = 0.0
                const const0: f32[] = [0.0]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[2,x1.1,3,4]
                  %1 = input() {port=1} : f32[2,1,4]
                  %2 = input() {port=2} : f32[2,1,4]
                  %3 = param() {slot=slot0} : f32[1,3,4]
                  %4 = param() {slot=slot1} : f32[1,1,4]
                  %5 = reshape(%0) {dims=[2*x1.1,3,4]} : f32[2*x1.1,3,4]
                  %6 = transpose(%5) {order=[0,2,1]} : f32[2*x1.1,4,3]
                  %7 = conv(%6, %3) {windows=[(1:valid)], groups=1} : f32[2*x1.1,4,4]
                  %8 = reshape(%7) {dims=[2,x1.1,4,4]} : f32[2,x1.1,4,4]
                  %9 = state() {state=state0} : f32[2,1,4]
                  %10 = state() {state=state1} : f32[2,1,4]
                  %11 = const() {constant=const0} : f32[]
                  %12 = compare(%9, %11) {op=ne} : bool[2,1,4]
                  %13 = reduce(%12) {op=any, axes=[0,1,2], keep=false} : bool[]
                  %14 = compare(%10, %11) {op=ne} : bool[2,1,4]
                  %15 = reduce(%14) {op=any, axes=[0,1,2], keep=false} : bool[]
                  %16 = binary(%13, %15) {op=or} : bool[]
                  %17 = select(%16, %9, %1) {} : f32[2,1,4]
                  %18 = select(%16, %10, %2) {} : f32[2,1,4]
                  %19 = transpose(%17) {order=[0,2,1]} : f32[2,4,1]
                  %20 = transpose(%18) {order=[0,2,1]} : f32[2,4,1]
                  %21 = broadcast(%11) {dims=[2,4,1], axes=[]} : f32[2,4,1]
                  %22, %23, %24, %25 = scan(%21, %19, %20, %8, %4) {carries=3, sequences=1, length=x1.1, axis=1, reverse=false, body={
                    take %0: f32[2,4,1]; %1: f32[2,4,1]; %2: f32[2,4,1]; %3: f32[2,4,4]; %4: f32[1,1,4]
                    %5 = conv(%1, %4) {windows=[(1:same)], groups=1} : f32[2,4,4]
                    %6 = binary(%3, %5) {op=add} : f32[2,4,4]
                    %7 = slice(%6) {ranges=[0|2|1,0|4|1,0|1|1]} : f32[2,4,1]
                    %8 = activate(%7) {function=hard_sigmoid/0.2/0.5} : f32[2,4,1]
                    %9 = slice(%6) {ranges=[0|2|1,0|4|1,1|1|1]} : f32[2,4,1]
                    %10 = activate(%9) {function=hard_sigmoid/0.2/0.5} : f32[2,4,1]
                    %11 = slice(%6) {ranges=[0|2|1,0|4|1,2|1|1]} : f32[2,4,1]
                    %12 = activate(%11) {function=tanh} : f32[2,4,1]
                    %13 = slice(%6) {ranges=[0|2|1,0|4|1,3|1|1]} : f32[2,4,1]
                    %14 = activate(%13) {function=hard_sigmoid/0.2/0.5} : f32[2,4,1]
                    %15 = binary(%10, %2) {op=mul} : f32[2,4,1]
                    %16 = binary(%8, %12) {op=mul} : f32[2,4,1]
                    %17 = binary(%15, %16) {op=add} : f32[2,4,1]
                    %18 = activate(%17) {function=tanh} : f32[2,4,1]
                    %19 = binary(%14, %18) {op=mul} : f32[2,4,1]
                    return %19, %19, %17, %19
                  }} : f32[2,4,1]; f32[2,4,1]; f32[2,4,1]; f32[2,x1.1,4,1]
                  %26 = transpose(%23) {order=[0,2,1]} : f32[2,1,4]
                  %27 = transpose(%24) {order=[0,2,1]} : f32[2,1,4]
                  %28 = transpose(%25) {order=[0,1,3,2]} : f32[2,x1.1,1,4]
                  %29 = transpose(%22) {order=[0,2,1]} : f32[2,1,4]
                  return %29 "y1"
                }
                update state0 = %26
                update state1 = %27
            "#]],
        );
    }

    #[test]
    fn refuses() {
        let config = json!({"filters": 4, "kernel_size": 3});
        let message = "expected an input of rank 5, found shape [?,8,8,2]";
        check_refused("ConvLSTM2D", config.clone(), &["?,8,8,2"], message);
        let message = "the channels must be known, found shape [?,?,8,8,?]";
        check_refused("ConvLSTM2D", config.clone(), &["?,?,8,8,?"], message);
        let message = "expected at least one time step, found shape [?,0,8,8,2]";
        check_refused("ConvLSTM2D", config.clone(), &["?,0,8,8,2"], message);
        let message = "expected an initial state [2,6,6,4], found [2,6,6,3]";
        check_refused("ConvLSTM2D", config, &["2,?,8,8,2", "2,6,6,3", "2,6,6,4"], message);
        let config = json!({"filters": 0, "kernel_size": 3});
        check_refused("ConvLSTM1D", config, &[], "`config`: expected `filters` of at least 1, found 0");
        let config = json!({"filters": 4, "kernel_size": 3, "padding": "causal"});
        let message = "`config.padding`: expected padding `valid` or `same`, found `causal`";
        check_refused("ConvLSTM1D", config, &[], message);
        let config = json!({"filters": 4, "kernel_size": 3, "activation": "softmax", "data_format": "channels_first"});
        let message = "`config`: a softmax inside of a layer with `channels_first` is not supported";
        check_refused("ConvLSTM1D", config, &[], message);
        let config = json!({"filters": 4, "kernel_size": 3, "activation": "glu"});
        let message = "the activation `glu` of a recurrent cell is not supported";
        check_refused("ConvLSTM1D", config, &["?,?,8,2"], message);
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let images = json!([null, 4, 8, 8, 1]);
        let config = json!({"filters": 2, "kernel_size": 3, "strides": 2, "zero_output_for_mask": true});
        let expect = json!({"recurrent_activation": "sigmoid", "activation": "tanh"});
        let warning = "TensorFlow.js ignores `zero_output_for_mask`";
        check_encoded(Family::Keras3, &images, "ConvLSTM2D", &config, &expect, &[warning]);
        let config = json!({"filters": 2, "kernel_size": 3});
        let expect = json!({"recurrent_activation": "hard_sigmoid"});
        check_encoded(Family::Keras2, &images, "ConvLSTM2D", &config, &expect, &[]);
        let warning = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras2, &json!([null, 4, 8, 1]), "ConvLSTM1D", &config, &json!({}), &[warning]);
    }
}
