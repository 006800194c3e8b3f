//! `LocallyConnected1D`, `LocallyConnected2D` of Keras 2: a convolution with a separate kernel at each position.
//!
//! Reference: <https://www.tensorflow.org/versions/r2.15/api_docs/python/tf/keras/layers/LocallyConnected2D>.

use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::last::Last;
use crate::layers::spatial::{Windows, count_of};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding as Border, Range};
use tfjs_ir::prim::reduce::RunningOp;
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result, Shape};

/// The form in which the kernels are stored; `implementation` in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A matrix for each position: `[positions, k... * in, filters]`.
    Positions,
    /// A matrix from the whole input to the whole output; its elements outside the windows are ignored.
    Whole,
    /// The elements of that matrix inside the windows, in order.
    Sparse,
}

/// Windows with separate kernels. Weights: `kernel`, in one of three forms; `bias [positions..., filters]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LocallyConnected {
    /// The windows. With padding `same`, a window starts half its size before its position.
    pub windows: Windows,
    /// The number of channels of the output.
    pub filters: usize,
    /// The form of the kernels.
    pub form: Form,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation, applied last.
    pub activation: Last,
}

impl FromConfig for LocallyConnected {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let windows = Windows::read_kernel(count_of(class, &["LocallyConnected1D", "LocallyConnected2D"])?, config)?;
        let form = match config.or("implementation", 1usize)? {
            1 => Form::Positions,
            2 => Form::Whole,
            3 => Form::Sparse,
            n => {
                let message = format!("expected 1, 2 or 3, found {n}");
                return Err(Error::malformed(message).at_json("implementation").at_json("config"));
            }
        };
        let padding = windows.axes.first().map(|window| window.padding);
        if padding == Some(Padding::Causal) || (padding == Some(Padding::Same) && form == Form::Positions) {
            let message = "expected `valid`, or, with implementation 2 or 3, `same`";
            return Err(Error::malformed(message).at_json("padding").at_json("config"));
        }
        let filters = config.req("filters")?;
        if filters == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("filters").at_json("config"));
        }
        Ok(LocallyConnected {
            windows,
            filters,
            form,
            use_bias: config.or("use_bias", true)?,
            activation: Last::read(config)?,
        })
    }
}

/// The lengths that determine the shapes of the weights.
struct Lengths {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    channels: usize,
}

impl LocallyConnected {
    fn lengths(&self, cx: &LowerCx<'_>, x: Value) -> Result<Lengths> {
        /// A longer axis would have weights larger than memory.
        const LONGEST: usize = 1 << 24;
        let spatial = &self.windows.spatial;
        let dims = cx.dims_of(x);
        let inputs =
            spatial.axes().map(|axis| cx.known(dims[axis], "the spatial axes", x)).collect::<Result<Vec<_>>>()?;
        if inputs.iter().any(|&length| length > LONGEST) {
            return Err(Error::limit(format!("an axis of shape {} is longer than {LONGEST}", cx.shape(x))));
        }
        let outputs = self.windows.axes.iter().zip(&inputs).map(|(window, &length)| window.output(length));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let channels = cx.known(dims[spatial.channel_axis()], "the channels", x)?;
        Ok(Lengths { inputs, outputs, channels })
    }

    fn is_channels_first(&self) -> bool {
        self.windows.spatial.format == DataFormat::ChannelsFirst
    }

    /// Spatial lengths and a number of channels in the order of the layer.
    fn laid<T: Copy>(&self, spatial: &[T], channels: T) -> Vec<T> {
        if self.is_channels_first() { [&[channels], spatial].concat() } else { [spatial, &[channels]].concat() }
    }

    /// The elements of every window as a row: `[batch, positions, window]`, the window in the order of the layer.
    fn windowed(&self, cx: &mut LowerCx<'_>, x: Value, lengths: &Lengths) -> Result<Value> {
        let spatial = &self.windows.spatial;
        let x = spatial.channels_last(cx, x)?;
        let mut borders = vec![Border::NONE; cx.ty(x).rank()];
        for (axis, window) in self.windows.axes.iter().enumerate() {
            let reach = (lengths.outputs[axis] - 1).saturating_mul(window.stride).saturating_add(window.size);
            let low = before(window);
            let high = reach.saturating_sub(low.saturating_add(lengths.inputs[axis]));
            borders[axis + 1] = Border { low: cx.number(low), high: cx.number(high), interior: 0 };
        }
        let x = cx.pad(x, &borders, 0.0)?;
        let sizes = self.windows.sizes();
        let taps: usize = Shape::new(sizes.clone())?.elements();
        let axis = if self.is_channels_first() { spatial.count + 2 } else { spatial.count + 1 };
        let mut seen = Vec::new();
        for tap in 0..taps {
            let mut ranges = cx.whole(x);
            let mut rest = tap;
            for (axis, window) in self.windows.axes.iter().enumerate().rev() {
                let (start, len) = (cx.number(rest % window.size), cx.number(lengths.outputs[axis]));
                ranges[axis + 1] = Range { start, len, step: window.stride as u64 };
                rest /= window.size;
            }
            let part = cx.slice(x, &ranges)?;
            seen.push(cx.insert_axis(part, axis)?);
        }
        let beside = cx.concat(&seen, axis)?;
        let batch = cx.dims_of(x)[0];
        let window = Shape::new([taps, lengths.channels])?.elements();
        let dims = [batch, cx.number(lengths.positions()?), cx.number(window)];
        cx.reshape(beside, &dims)
    }

    /// The output, channels last, for kernels `[positions, window, filters]`.
    fn by_positions(&self, cx: &mut LowerCx<'_>, x: Value, kernel: Value, lengths: &Lengths) -> Result<Value> {
        let windows = self.windowed(cx, x, lengths)?;
        let sums = cx.dot(windows, kernel, &[(1, 0)], &[(2, 1)])?;
        let sums = cx.transpose(sums, &[1, 0, 2])?;
        let mut dims = vec![cx.dims_of(x)[0]];
        dims.extend(lengths.outputs.iter().map(|&n| cx.number(n)));
        dims.push(cx.number(self.filters));
        cx.reshape(sums, &dims)
    }

    fn positions(&self, cx: &mut LowerCx<'_>, x: Value, lengths: &Lengths) -> Result<Value> {
        let window = Shape::new([&self.windows.sizes()[..], &[lengths.channels]].concat())?.elements();
        let shape = Shape::new([lengths.positions()?, window, self.filters])?;
        let kernel = cx.weight(WeightDecl::new("kernel", shape))?;
        self.by_positions(cx, x, kernel, lengths)
    }

    fn whole(&self, cx: &mut LowerCx<'_>, x: Value, lengths: &Lengths) -> Result<Value> {
        let from = self.laid(&lengths.inputs, lengths.channels);
        let to = self.laid(&lengths.outputs, self.filters);
        let kernel = cx.weight(WeightDecl::new("kernel", Shape::new([&from[..], &to[..]].concat())?))?;
        let rank = from.len();
        let first = usize::from(self.is_channels_first());
        let mut counts: Option<Value> = None;
        for (axis, window) in self.windows.axes.iter().enumerate() {
            let input = along(cx, first + axis, 2 * rank, lengths.inputs[axis])?;
            let output = along(cx, rank + first + axis, 2 * rank, lengths.outputs[axis])?;
            let output = cx.binary_scalar(BinaryOp::Mul, output, window.stride as f64)?;
            let tap = cx.sub(input, output)?;
            let tap = cx.binary_scalar(BinaryOp::Add, tap, before(window) as f64)?;
            counts = Some(inside(cx, counts, tap, window.size)?);
        }
        let counts = counts.ok_or_else(|| Error::bug("a layer without spatial axes"))?;
        let counts = cx.cast_like(counts, kernel)?;
        let kernel = cx.mul(kernel, counts)?;
        let [rows, columns] = [&from, &to].map(|shape| Shape::new(shape.clone()).map(|shape| shape.elements()));
        let (rows, columns) = (cx.number(rows?), cx.number(columns?));
        let kernel = cx.reshape(kernel, &[rows, columns])?;
        let batch = cx.dims_of(x)[0];
        let x = cx.reshape(x, &[batch, rows])?;
        let out = cx.matmul(x, kernel)?;
        let mut dims = vec![batch];
        dims.extend(to.iter().map(|&n| cx.number(n)));
        let out = cx.reshape(out, &dims)?;
        self.windows.spatial.channels_last(cx, out)
    }

    fn sparse(&self, cx: &mut LowerCx<'_>, x: Value, lengths: &Lengths) -> Result<Value> {
        let mut count = Shape::new([lengths.channels, self.filters])?.elements();
        for (axis, window) in self.windows.axes.iter().enumerate() {
            let seen = seen(window, lengths.outputs[axis], lengths.inputs[axis])?;
            count = Shape::new([count, seen])?.elements();
        }
        let kernel = cx.weight(WeightDecl::new("kernel", Shape::new([count])?))?;
        // Rows are outputs, columns the elements of their windows, in the order of the layer. The stored elements
        // follow each other, so the index of each is the number of those before it.
        let rows = self.laid(&lengths.outputs, self.filters);
        let columns = self.laid(&self.windows.sizes(), lengths.channels);
        let rank = rows.len();
        let first = usize::from(self.is_channels_first());
        let mut counts: Option<Value> = None;
        for (axis, window) in self.windows.axes.iter().enumerate() {
            let output = along(cx, first + axis, 2 * rank, lengths.outputs[axis])?;
            let tap = along(cx, rank + first + axis, 2 * rank, window.size)?;
            let output = cx.binary_scalar(BinaryOp::Mul, output, window.stride as f64)?;
            let input = cx.add(output, tap)?;
            let input = cx.binary_scalar(BinaryOp::Sub, input, before(window) as f64)?;
            counts = Some(inside(cx, counts, input, lengths.inputs[axis])?);
        }
        let counts = counts.ok_or_else(|| Error::bug("a layer without spatial axes"))?;
        let dims: Vec<Dim> = rows.iter().chain(&columns).map(|&n| cx.number(n)).collect();
        let counts = cx.broadcast_to(counts, &dims)?;
        let all = cx.dims().product(&dims)?;
        let counts = cx.reshape(counts, &[all])?;
        let index = cx.cast(counts, ElementType::I64)?;
        let index = cx.cumulative(RunningOp::Sum, index, 0, false, true)?;
        let values = cx.gather(kernel, index, 0, Bounds::Clamp)?;
        let counts = cx.cast_like(counts, kernel)?;
        let values = cx.mul(values, counts)?;
        let (positions, filters) = (cx.number(lengths.positions()?), cx.number(self.filters));
        let window = cx.dims().product(&dims[rank..])?;
        let kernel = if self.is_channels_first() {
            let values = cx.reshape(values, &[filters, positions, window])?;
            cx.transpose(values, &[1, 2, 0])?
        } else {
            let values = cx.reshape(values, &[positions, filters, window])?;
            cx.transpose(values, &[0, 2, 1])?
        };
        self.by_positions(cx, x, kernel, lengths)
    }
}

impl Lengths {
    fn positions(&self) -> Result<usize> {
        Shape::new(self.outputs.clone()).map(|shape| shape.elements())
    }
}

/// The zeros before an axis. Keras pads by half the window there, whatever the strides.
fn before(window: &Window) -> usize {
    if window.padding == Padding::Same { window.size / 2 } else { 0 }
}

/// The number of elements of an axis in the windows of all outputs together.
fn seen(window: &Window, outputs: usize, inputs: usize) -> Result<usize> {
    let [outputs, inputs, stride] = [outputs, inputs, window.stride.max(1)].map(|n| n as i128);
    let ceil = |a: i128, b: i128| -(-a).div_euclid(b);
    // The sum of `first + output * stride` over all outputs, each clamped to 0 and the length of the axis.
    let borders = |first: i128| {
        let low = ceil(-first, stride).clamp(0, outputs);
        let high = ceil(inputs - first, stride).clamp(low, outputs);
        let between = (high - low) * first + stride * ((high - low) * (low + high - 1) / 2);
        between + (outputs - high) * inputs
    };
    let before = before(window) as i128;
    let seen = borders(window.size as i128 - before) - borders(-before);
    usize::try_from(seen).map_err(|_| Error::limit("the windows meet more elements than memory has"))
}

/// `0, 1, 2, ...` along one axis; the other axes have length 1.
fn along(cx: &mut LowerCx<'_>, axis: usize, rank: usize, length: usize) -> Result<Value> {
    let mut dims = vec![Dim::ONE; rank];
    dims[axis] = cx.number(length);
    cx.iota(axis, &dims, ElementType::I64)
}

/// Whether `position` is in `0..length`, and `others` is true.
fn inside(cx: &mut LowerCx<'_>, others: Option<Value>, position: Value, length: usize) -> Result<Value> {
    let after = cx.compare_scalar(CompareOp::Ge, position, 0.0)?;
    let before = cx.compare_scalar(CompareOp::Lt, position, length as f64)?;
    let inside = cx.binary(BinaryOp::And, after, before)?;
    match others {
        Some(others) => cx.binary(BinaryOp::And, others, inside),
        None => Ok(inside),
    }
}

impl LayerDef for LocallyConnected {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let spatial = &self.windows.spatial;
        let input = spatial.value(cx, call)?.value;
        let lengths = self.lengths(cx, input)?;
        let x = cx.to_float(input)?;
        let mut out = match self.form {
            Form::Positions => self.positions(cx, x, &lengths)?,
            Form::Whole => self.whole(cx, x, &lengths)?,
            Form::Sparse => self.sparse(cx, x, &lengths)?,
        };
        out = spatial.restore(cx, out)?;
        if self.use_bias {
            let shape = Shape::new([&lengths.outputs[..], &[self.filters]].concat())?;
            let bias = cx.weight(WeightDecl::new("bias", shape))?;
            // Keras reshapes the numbers without reordering, even if channels are first.
            let dims: Vec<Dim> = self.laid(&lengths.outputs, self.filters).iter().map(|&n| cx.number(n)).collect();
            let bias = cx.reshape(bias, &dims)?;
            out = cx.add(out, bias)?;
        }
        self.activation.lower(cx, out).map(|out| vec![out.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused, check_weights};
    use expect_test::expect;
    use serde_json::{Value, json};

    fn config(implementation: usize, padding: &str) -> Value {
        json!({"filters": 2, "kernel_size": 3, "strides": 2, "padding": padding, "implementation": implementation})
    }

    #[test]
    fn infers() {
        check_infer("LocallyConnected2D", config(1, "valid"), &["?,9,7,3"], &["?,4,3,2"]);
        check_infer("LocallyConnected1D", config(2, "same"), &["?,9,3"], &["?,5,2"]);
        let mut first = config(3, "same");
        first["data_format"] = "channels_first".into();
        check_infer("LocallyConnected1D", first, &["?,3,9"], &["?,2,5"]);
    }

    #[test]
    fn weights() {
        let weights = ["kernel[12,27,2]", "bias[4,3,2]"];
        check_weights("LocallyConnected2D", config(1, "valid"), &["?,9,7,3"], &weights);
        check_weights("LocallyConnected1D", config(2, "same"), &["?,9,3"], &["kernel[9,3,5,2]", "bias[5,2]"]);
        // The first and last of 5 windows cover 2 elements of 3, times 3 channels and 2 filters.
        check_weights("LocallyConnected1D", config(3, "same"), &["?,9,3"], &["kernel[78]", "bias[5,2]"]);
    }

    #[test]
    fn refuses() {
        let class = "LocallyConnected1D";
        let message = "the spatial axes must be known, found shape [?,?,3]";
        check_refused(class, config(1, "valid"), &["?,?,3"], message);
        let message = "`config.padding`: expected `valid`, or, with implementation 2 or 3, `same`";
        check_refused(class, config(1, "same"), &[], message);
        check_refused(class, config(2, "causal"), &[], message);
        let message = "`config.implementation`: expected 1, 2 or 3, found 4";
        check_refused(class, config(4, "valid"), &[], message);
        let message = "a window of 3 does not fit an axis of 2 with padding `valid`";
        check_refused(class, config(1, "valid"), &["?,2,3"], message);
        let message = "an axis of shape [?,16777217,3] is longer than 16777216";
        check_refused(class, config(3, "valid"), &["?,16777217,3"], message);
    }

    #[test]
    fn a_matrix_for_each_position() {
        check_program(
            "LocallyConnected1D",
            config(1, "valid"),
            &["?,5,3"],
            expect![[r#"
            input "x1": f32[batch,5,3]
            slot slot0 "/kernel": f32[2,9,2]
            slot slot1 "/bias": f32[2,2]
            {
              %0 = input() {port=0} : f32[batch,5,3]
              %1 = param() {slot=slot0} : f32[2,9,2]
              %2 = slice(%0) {ranges=[0|batch|1,0|2|2,0|3|1]} : f32[batch,2,3]
              %3 = reshape(%2) {dims=[batch,2,1,3]} : f32[batch,2,1,3]
              %4 = slice(%0) {ranges=[0|batch|1,1|2|2,0|3|1]} : f32[batch,2,3]
              %5 = reshape(%4) {dims=[batch,2,1,3]} : f32[batch,2,1,3]
              %6 = slice(%0) {ranges=[0|batch|1,2|2|2,0|3|1]} : f32[batch,2,3]
              %7 = reshape(%6) {dims=[batch,2,1,3]} : f32[batch,2,1,3]
              %8 = concat(%3, %5, %7) {axis=2} : f32[batch,2,3,3]
              %9 = reshape(%8) {dims=[batch,2,9]} : f32[batch,2,9]
              %10 = dot(%9, %1) {batch=[(1,0)], contract=[(2,1)]} : f32[2,batch,2]
              %11 = transpose(%10) {order=[1,0,2]} : f32[batch,2,2]
              %12 = param() {slot=slot1} : f32[2,2]
              %13 = binary(%11, %12) {op=add} : f32[batch,2,2]
              return %13 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn one_matrix() {
        check_program(
            "LocallyConnected1D",
            config(2, "same"),
            &["?,5,3"],
            expect![[r#"
            input "x1": f32[batch,5,3]
            slot slot0 "/kernel": f32[5,3,3,2]
            slot slot1 "/bias": f32[3,2]
            const const0: i64[] = [2]
            const const1: i64[] = [1]
            const const2: i64[] = [0]
            const const3: i64[] = [3]
            {
              %0 = input() {port=0} : f32[batch,5,3]
              %1 = param() {slot=slot0} : f32[5,3,3,2]
              %2 = iota() {axis=0, dims=[5,1,1,1], element=i64} : i64[5,1,1,1]
              %3 = iota() {axis=2, dims=[1,1,3,1], element=i64} : i64[1,1,3,1]
              %4 = const() {constant=const0} : i64[]
              %5 = binary(%3, %4) {op=mul} : i64[1,1,3,1]
              %6 = binary(%2, %5) {op=sub} : i64[5,1,3,1]
              %7 = const() {constant=const1} : i64[]
              %8 = binary(%6, %7) {op=add} : i64[5,1,3,1]
              %9 = const() {constant=const2} : i64[]
              %10 = compare(%8, %9) {op=ge} : bool[5,1,3,1]
              %11 = const() {constant=const3} : i64[]
              %12 = compare(%8, %11) {op=lt} : bool[5,1,3,1]
              %13 = binary(%10, %12) {op=and} : bool[5,1,3,1]
              %14 = cast(%13) {to=f32} : f32[5,1,3,1]
              %15 = binary(%1, %14) {op=mul} : f32[5,3,3,2]
              %16 = reshape(%15) {dims=[15,6]} : f32[15,6]
              %17 = reshape(%0) {dims=[batch,15]} : f32[batch,15]
              %18 = dot(%17, %16) {batch=[], contract=[(1,0)]} : f32[batch,6]
              %19 = reshape(%18) {dims=[batch,3,2]} : f32[batch,3,2]
              %20 = param() {slot=slot1} : f32[3,2]
              %21 = binary(%19, %20) {op=add} : f32[batch,3,2]
              return %21 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn the_elements_that_count() {
        let mut first = config(3, "same");
        first["data_format"] = "channels_first".into();
        check_program(
            "LocallyConnected1D",
            first,
            &["?,3,5"],
            expect![[r#"
            input "x1": f32[batch,3,5]
            slot slot0 "/kernel": f32[42]
            slot slot1 "/bias": f32[3,2]
            const const0: i64[] = [2]
            const const1: i64[] = [1]
            const const2: i64[] = [0]
            const const3: i64[] = [5]
            {
              %0 = input() {port=0} : f32[batch,3,5]
              %1 = param() {slot=slot0} : f32[42]
              %2 = iota() {axis=1, dims=[1,3,1,1], element=i64} : i64[1,3,1,1]
              %3 = iota() {axis=3, dims=[1,1,1,3], element=i64} : i64[1,1,1,3]
              %4 = const() {constant=const0} : i64[]
              %5 = binary(%2, %4) {op=mul} : i64[1,3,1,1]
              %6 = binary(%5, %3) {op=add} : i64[1,3,1,3]
              %7 = const() {constant=const1} : i64[]
              %8 = binary(%6, %7) {op=sub} : i64[1,3,1,3]
              %9 = const() {constant=const2} : i64[]
              %10 = compare(%8, %9) {op=ge} : bool[1,3,1,3]
              %11 = const() {constant=const3} : i64[]
              %12 = compare(%8, %11) {op=lt} : bool[1,3,1,3]
              %13 = binary(%10, %12) {op=and} : bool[1,3,1,3]
              %14 = broadcast(%13) {dims=[2,3,3,3], axes=[0,1,2,3]} : bool[2,3,3,3]
              %15 = reshape(%14) {dims=[54]} : bool[54]
              %16 = cast(%15) {to=i64} : i64[54]
              %17 = cumulative(%16) {op=sum, axis=0, reverse=false, exclusive=true} : i64[54]
              %18 = gather(%1, %17) {axis=0, bounds=clamp} : f32[54]
              %19 = cast(%15) {to=f32} : f32[54]
              %20 = binary(%18, %19) {op=mul} : f32[54]
              %21 = reshape(%20) {dims=[2,3,9]} : f32[2,3,9]
              %22 = transpose(%21) {order=[1,2,0]} : f32[3,9,2]
              %23 = transpose(%0) {order=[0,2,1]} : f32[batch,5,3]
              %24 = pad(%23) {padding=[0|0|0,1|1|0,0|0|0], value=0.0} : f32[batch,7,3]
              %25 = slice(%24) {ranges=[0|batch|1,0|3|2,0|3|1]} : f32[batch,3,3]
              %26 = reshape(%25) {dims=[batch,3,3,1]} : f32[batch,3,3,1]
              %27 = slice(%24) {ranges=[0|batch|1,1|3|2,0|3|1]} : f32[batch,3,3]
              %28 = reshape(%27) {dims=[batch,3,3,1]} : f32[batch,3,3,1]
              %29 = slice(%24) {ranges=[0|batch|1,2|3|2,0|3|1]} : f32[batch,3,3]
              %30 = reshape(%29) {dims=[batch,3,3,1]} : f32[batch,3,3,1]
              %31 = concat(%26, %28, %30) {axis=3} : f32[batch,3,3,3]
              %32 = reshape(%31) {dims=[batch,3,9]} : f32[batch,3,9]
              %33 = dot(%32, %22) {batch=[(1,0)], contract=[(2,1)]} : f32[3,batch,2]
              %34 = transpose(%33) {order=[1,0,2]} : f32[batch,3,2]
              %35 = transpose(%34) {order=[0,2,1]} : f32[batch,2,3]
              %36 = param() {slot=slot1} : f32[3,2]
              %37 = reshape(%36) {dims=[2,3]} : f32[2,3]
              %38 = binary(%35, %37) {op=add} : f32[batch,2,3]
              return %38 "y1"
            }
        "#]],
        );
    }
}
