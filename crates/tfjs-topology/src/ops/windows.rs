//! Operations with windows over spatial axes: convolutions whose kernels are tensors, pools, patches.
//!
//! Reference: `keras.ops.conv`, `keras.ops.max_pool` and their relatives; `tf.nn.conv2d`, `tf.nn.pool`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::params::{Numbers, Params};
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::LayerDef;
use crate::layers::conv::grouped;
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// An operation with windows. The spatial axes are all axes of the tensor except batch and channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sliding {
    /// The operation.
    pub kind: SlidingKind,
    /// `strides`, `padding`, `data_format`, `dilation_rate` and the size of a pool.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlidingKind {
    /// A convolution.
    Conv,
    /// A depthwise convolution.
    Depthwise,
    /// A depthwise convolution, then a pointwise one.
    Separable,
    /// A transposed convolution whose output length depends on `output_padding`.
    Transpose,
    /// A transposed convolution to a given shape, as in TensorFlow.
    TransposeTo,
    /// A max or mean pool, selected by name.
    Pool,
    /// A max pool.
    MaxPool,
    /// A mean pool.
    AveragePool,
    /// All elements of each window, as channels.
    Patches,
}

impl FromOpConfig for Sliding {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use SlidingKind as K;
        let kind = match class {
            "Conv" => K::Conv,
            "DepthwiseConv" => K::Depthwise,
            "SeparableConv" => K::Separable,
            "ConvTranspose" => K::Transpose,
            "ConvTransposeTo" => K::TransposeTo,
            "Pool" => K::Pool,
            "MaxPool" => K::MaxPool,
            "AveragePool" => K::AveragePool,
            "ExtractPatches" => K::Patches,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation with windows"))),
        };
        Ok(Sliding { kind, params: Params::read(config) })
    }
}

/// The spatial axes of a tensor, and the strides of the windows.
pub(super) struct Frame<'a> {
    args: &'a Args<'a>,
    spatial: Spatial,
}

impl<'a> Frame<'a> {
    /// The frame of a tensor with a batch, channels, and 1 to 3 spatial axes.
    fn of(cx: &mut LowerCx<'_>, args: &'a Args<'a>, x: Value) -> Result<Self> {
        let format: Option<String> = args.opt(&["data_format"], None)?;
        let format = match format.as_deref() {
            None | Some("channels_last" | "NHWC" | "NWC" | "NDHWC") => DataFormat::ChannelsLast,
            Some("channels_first" | "NCHW" | "NCW" | "NCDHW") => DataFormat::ChannelsFirst,
            Some(other) => return Err(Error::malformed(format!("unknown `data_format` `{other}`"))),
        };
        let count = cx.ty(x).rank().checked_sub(2).filter(|count| (1..=3).contains(count));
        let shape = cx.shape(x);
        let count =
            count.ok_or_else(|| Error::malformed(format!("expected 1 to 3 spatial axes, found shape {shape}")))?;
        let spatial = Spatial { format, count };
        if !cx.dims_of(x)[spatial.axes()].iter().all(|&dim| cx.at_least(dim, Dim::ONE)) {
            return Err(Error::malformed(format!("expected spatial axes of at least 1, found shape {shape}")));
        }
        Ok(Frame { args, spatial })
    }

    /// A number for each spatial axis, from one number, one for each spatial axis, or one for each axis of the tensor.
    pub(super) fn each(&self, names: &[&'static str], position: Option<usize>) -> Result<Option<Vec<usize>>> {
        let Some(Numbers(numbers)) = self.args.opt(names, position)? else { return Ok(None) };
        let count = self.spatial.count;
        let chosen = match numbers.len() {
            1 => vec![numbers[0]; count],
            n if n == count => numbers,
            n if n == count + 2 => numbers[self.spatial.axes()].to_vec(),
            n => return Err(Error::malformed(format!("expected 1 or {count} numbers, found {n}")).at_json(names[0])),
        };
        let of = |n: i64| usize::try_from(n).map_err(|_| Error::malformed(format!("expected at least 0, found {n}")));
        chosen.into_iter().map(of).collect::<Result<_>>().map(Some).map_err(|e| e.at_json(names[0]))
    }

    /// The padding of each spatial axis: a name, or numbers for each axis of the tensor.
    fn padding(&self, position: Option<usize>, default: Padding) -> Result<Vec<Padding>> {
        let count = self.spatial.count;
        match self.args.json(&["padding"], position)? {
            None => Ok(vec![default; count]),
            Some(Json::String(name)) => match name.to_lowercase().as_str() {
                "valid" => Ok(vec![Padding::Valid; count]),
                "same" => Ok(vec![Padding::Same; count]),
                "causal" if count == 1 => Ok(vec![Padding::Causal]),
                _ => Err(Error::malformed(format!("unknown padding `{name}`")).at_json("padding")),
            },
            Some(_) => {
                let pairs: Vec<Vec<usize>> = self.args.need(&["padding"], position)?;
                let exact = |pair: &Vec<usize>| match pair[..] {
                    [before, after] => Ok(Padding::Exact { before, after }),
                    _ => Err(Error::malformed("expected two numbers for each axis").at_json("padding")),
                };
                match pairs.get(self.spatial.axes()) {
                    Some(spatial) if pairs.len() == count + 2 => spatial.iter().map(exact).collect(),
                    _ => Err(Error::malformed("expected paddings for each axis").at_json("padding")),
                }
            }
        }
    }

    /// Windows of these sizes.
    pub(super) fn windows(&self, sizes: &[usize], default_stride: Option<usize>) -> Result<Vec<Window>> {
        let count = self.spatial.count;
        let strides = self.each(&["strides", "stride"], None)?;
        let strides = strides.unwrap_or_else(|| match default_stride {
            Some(stride) => vec![stride; count],
            None => sizes.to_vec(),
        });
        let dilations = self.each(&["dilation_rate", "dilations", "dilation", "rate", "rates"], None)?;
        let dilations = dilations.unwrap_or_else(|| vec![1; count]);
        let padding = self.padding(None, Padding::Valid)?;
        let windows = sizes.iter().zip(strides).zip(dilations).zip(padding);
        windows.map(|(((&size, stride), dilation), padding)| Window::new(size, stride, dilation, padding)).collect()
    }

    /// Windows with the size of a kernel.
    fn of_kernel(&self, cx: &LowerCx<'_>, kernel: Value) -> Result<Vec<Window>> {
        let count = self.spatial.count;
        if cx.ty(kernel).rank() != count + 2 {
            let shape = cx.shape(kernel);
            return Err(Error::malformed(format!("expected a kernel of rank {}, found shape {shape}", count + 2)));
        }
        let sizes = cx.ty(kernel).dims[..count].iter().map(|&size| cx.known(size, "the size of a kernel", kernel));
        self.windows(&sizes.collect::<Result<Vec<_>>>()?, Some(1))
    }

    fn restore(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        self.spatial.restore(cx, x)
    }
}

/// The tensor with its channels last, as floating point, and its frame.
pub(super) fn subject<'a>(cx: &mut LowerCx<'_>, args: &'a Args<'a>) -> Result<(Value, Frame<'a>)> {
    let x = args.need_value(cx, &["inputs", "input", "value", "x", "images"], Some(0))?;
    let frame = Frame::of(cx, args, x)?;
    let x = cx.to_float(x)?;
    Ok((frame.spatial.channels_last(cx, x)?, frame))
}

/// A kernel argument with one of these names.
fn kernel(cx: &mut LowerCx<'_>, args: &Args<'_>, names: &[&'static str], position: usize) -> Result<Value> {
    let kernel = args.need_value(cx, names, Some(position))?;
    cx.to_float(kernel)
}

/// The number of channels of a tensor with channels last.
fn channels(cx: &LowerCx<'_>, x: Value) -> Result<usize> {
    let last = cx.axis(-1, x)?;
    cx.known(cx.ty(x).dims[last], "the channels", x)
}

const KERNELS: [&str; 4] = ["kernel", "filters", "filter", "depthwise_kernel"];

fn conv(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (x, frame) = subject(cx, args)?;
    let kernel = kernel(cx, args, &KERNELS, 1)?;
    let windows = frame.of_kernel(cx, kernel)?;
    let seen = cx.known(cx.ty(kernel).dims[frame.spatial.count], "the channels of a kernel", kernel)?;
    let channels = channels(cx, x)?;
    if seen == 0 || !channels.is_multiple_of(seen) {
        let (a, b) = (cx.shape(x), cx.shape(kernel));
        return Err(Error::malformed(format!("the channels of shape {a} do not fit a kernel of shape {b}")));
    }
    let out = cx.conv(x, kernel, &windows, channels / seen)?;
    frame.restore(cx, out)
}

fn depthwise(cx: &mut LowerCx<'_>, args: &Args<'_>, separable: bool) -> Result<Value> {
    let (x, frame) = subject(cx, args)?;
    let names = ["kernel", "filter", "depthwise_kernel", "depthwise_filter"];
    let depth = kernel(cx, args, &names, 1)?;
    let mut windows = frame.of_kernel(cx, depth)?;
    let count = frame.spatial.count;
    let (channels, shape) = (channels(cx, x)?, cx.shape(depth));
    let multiplier = cx.known(cx.ty(depth).dims[count + 1], "the multiplier of a kernel", depth)?;
    if cx.known_dim(cx.ty(depth).dims[count]) != Some(channels) || channels == 0 {
        let x = cx.shape(x);
        return Err(Error::malformed(format!("the channels of shape {x} do not fit a kernel of shape {shape}")));
    }
    let outputs = crate::layers::conv::depthwise_outputs(channels, multiplier, shape)?;
    let depth = grouped(cx, depth, count, outputs)?;
    // Keras writes a single stride for equal ones; TensorFlow requires equal strides here.
    let out = cx.conv(x, depth, &windows, channels)?;
    if !separable {
        return frame.restore(cx, out);
    }
    let point = kernel(cx, args, &["pointwise_kernel", "pointwise_filter"], 2)?;
    windows = frame.of_kernel(cx, point)?;
    let fits = windows.iter().all(|window| window.size == 1);
    if !fits || cx.known_dim(cx.ty(point).dims[count]) != Some(outputs) {
        let shape = cx.shape(point);
        return Err(Error::malformed(format!(
            "expected a pointwise kernel of size 1 for {outputs} channels, found shape {shape}"
        )));
    }
    for window in &mut windows {
        *window = Window::new(1, 1, 1, Padding::Valid)?;
    }
    let out = cx.conv(out, point, &windows, 1)?;
    frame.restore(cx, out)
}

fn transposed(cx: &mut LowerCx<'_>, args: &Args<'_>, to_shape: bool) -> Result<Value> {
    let (x, frame) = subject(cx, args)?;
    let kernel = kernel(cx, args, &KERNELS, 1)?;
    let mut windows = frame.of_kernel(cx, kernel)?;
    if to_shape && args.json(&["padding"], None)?.is_none() {
        windows.iter_mut().for_each(|window| window.padding = Padding::Same);
    }
    let mut outputs = Vec::with_capacity(windows.len());
    if to_shape {
        let shape = args.sizes(cx, &["output_shape"], Some(2))?.ok_or_else(|| missing(&["output_shape"]))?;
        let spatial = shape.get(frame.spatial.axes()).filter(|_| shape.len() == cx.ty(x).rank());
        let spatial =
            spatial.ok_or_else(|| Error::malformed("expected a length for each axis").at_json("output_shape"))?;
        outputs.extend(spatial);
    } else {
        let more = frame.each(&["output_padding"], None)?;
        let inputs = cx.dims_of(x).into_iter().skip(1);
        for (axis, (window, input)) in windows.iter().zip(inputs).enumerate() {
            let more = more.as_ref().map(|each| each[axis]);
            let (output, least) = window.transposed_output_dim(cx.dims(), input, more)?;
            if let Some(least) = least {
                cx.at_least(input, least);
            }
            outputs.push(output);
        }
    }
    // A convolution of the output must have the shape of the input.
    for ((window, &output), input) in windows.iter().zip(&outputs).zip(cx.dims_of(x).into_iter().skip(1)) {
        let (back, _) = window.output_dim(cx.dims(), output)?;
        if cx.same(back, input).is_none() {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("the output's lengths do not fit an input of shape {shape}")));
        }
    }
    let out = cx.conv_input(x, kernel, &windows, 1, &outputs)?;
    frame.restore(cx, out)
}

/// A pool; `stride` is the default stride, or the size of the window if it is `None`.
fn pool(cx: &mut LowerCx<'_>, args: &Args<'_>, op: PoolOp, stride: Option<usize>) -> Result<Value> {
    let (x, frame) = subject(cx, args)?;
    let names: &[&'static str] = &["pool_size", "ksize", "window_shape", "size"];
    let sizes = frame.each(names, Some(1))?.ok_or_else(|| missing(names))?;
    let windows = frame.windows(&sizes, stride)?;
    let out = if windows.iter().any(|window| window.dilation > 1) {
        dilated(cx, op, x, &windows)?
    } else {
        cx.pool(op, x, &windows)?
    };
    frame.restore(cx, out)
}

/// A pool with dilated windows, along one axis after the other.
fn dilated(cx: &mut LowerCx<'_>, op: PoolOp, mut x: Value, windows: &[Window]) -> Result<Value> {
    for (axis, window) in (1..).zip(windows) {
        if window.padding != Padding::Valid {
            return Err(Error::unsupported("a pool with dilation and padding is not supported: pad with an operation"));
        }
        Limits::check("elements of a dilated window", window.size as u64, 1 << 10)?;
        let length = cx.dims_of(x)[axis];
        let (len, least) = window.output_dim(cx.dims(), length)?;
        if let Some(least) = least {
            cx.at_least(length, least);
        }
        let mut total: Option<Value> = None;
        for tap in 0..window.size {
            let start = cx.number(tap * window.dilation);
            let part = cx.slice_axis(x, axis, Range { start, len, step: window.stride as u64 })?;
            total = Some(match (total, op) {
                (None, _) => part,
                (Some(total), PoolOp::Max) => cx.binary(BinaryOp::Max, total, part)?,
                (Some(total), _) => cx.add(total, part)?,
            });
        }
        x = total.ok_or_else(|| Error::malformed("a window without elements"))?;
        if op == PoolOp::Mean {
            x = cx.binary_scalar(BinaryOp::Div, x, window.size as f64)?;
        }
    }
    Ok(x)
}

/// The elements of each window as channels: a convolution whose kernel is an identity.
fn patches(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let names = &["size", "sizes", "ksizes"];
    let mut x = args.need_value(cx, &["inputs", "input", "value", "x", "images"], Some(0))?;
    // A single image has no batch, nor has a single volume, whose windows have three sizes.
    let rank = cx.ty(x).rank();
    let volume = args.opt::<Numbers>(names, Some(1))?.is_some_and(|Numbers(sizes)| sizes.len() == 3);
    let alone = rank == if volume { 4 } else { 3 };
    if alone {
        cx.mixes_batch();
        x = cx.insert_axis(x, 0)?;
    }
    let frame = Frame::of(cx, args, x)?;
    let x = cx.to_float(x)?;
    let x = frame.spatial.channels_last(cx, x)?;
    let sizes = frame.each(names, Some(1))?.ok_or_else(|| missing(&["size"]))?;
    let windows = frame.windows(&sizes, None)?;
    let channels = channels(cx, x)?;
    let all = sizes.iter().try_fold(channels, |all, &size| all.checked_mul(size));
    let all = all.ok_or_else(|| Error::malformed("too many elements in a window"))?;
    let all = cx.number(all);
    let row = cx.iota(0, &[all, Dim::ONE], ElementType::I64)?;
    let column = cx.iota(1, &[Dim::ONE, all], ElementType::I64)?;
    let one = cx.compare(tfjs_ir::prim::elementwise::CompareOp::Eq, row, column)?;
    let one = cx.cast_like(one, x)?;
    let mut dims: Vec<Dim> = sizes.iter().map(|&size| cx.number(size)).collect();
    dims.extend([cx.number(channels), all]);
    let kernel = cx.reshape(one, &dims)?;
    let out = cx.conv(x, kernel, &windows, 1)?;
    let out = frame.restore(cx, out)?;
    if alone { cx.remove_axis(out, 0) } else { Ok(out) }
}

impl Sliding {
    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        use SlidingKind as K;
        match self.kind {
            K::Conv => conv(cx, args),
            K::Depthwise => depthwise(cx, args, false),
            K::Separable => depthwise(cx, args, true),
            K::Transpose => transposed(cx, args, false),
            K::TransposeTo => transposed(cx, args, true),
            K::MaxPool => pool(cx, args, PoolOp::Max, None),
            K::AveragePool => pool(cx, args, PoolOp::Mean, None),
            K::Pool => {
                let name: String = args.need(&["pooling_type"], Some(2))?;
                match name.as_str() {
                    "MAX" => pool(cx, args, PoolOp::Max, Some(1)),
                    "AVG" => pool(cx, args, PoolOp::Mean, Some(1)),
                    other => Err(Error::malformed(format!("expected `MAX` or `AVG`, found `{other}`"))),
                }
            }
            K::Patches => patches(cx, args),
        }
    }
}

impl LayerDef for Sliding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["use_cudnn_on_gpu", "include_batch_in_index"]);
        let value = self.compute(cx, &args)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let image = || json!(["f:?,8,6,3", "f:3,3,3,2"]);
        check(
            "Conv",
            json!({"strides": 2, "padding": "same", "dilation_rate": 1}),
            image(),
            json!({}),
            "float32[?,4,3,2]",
        );
        let kwargs = json!({"filter": "f:2,2,3,5", "strides": [1, 2, 2, 1], "padding": "VALID", "dilations": null});
        check("Conv", json!({}), json!(["f:?,8,6,3"]), kwargs, "float32[?,4,3,5]");
        let kwargs = json!({"filter": "f:2,2,3,5", "strides": 1, "padding": [[0, 0], [1, 0], [2, 1], [0, 0]]});
        check("Conv", json!({}), json!(["f:?,8,6,3"]), kwargs, "float32[?,8,8,5]");
        check("DepthwiseConv", json!({"padding": "valid"}), image(), json!({}), "float32[?,6,4,6]");
        let config = json!({"strides": 2, "padding": "same"});
        check("ConvTranspose", config, json!(["f:?,4,3,2", "f:2,2,5,2"]), json!({}), "float32[?,8,6,5]");
        let kwargs = json!({"filters": "f:2,2,5,2", "output_shape": [2, 8, 6, 5], "strides": 2, "padding": "SAME"});
        check("ConvTransposeTo", json!({}), json!(["f:?,4,3,2"]), kwargs, "float32[?,8,6,5]");
        check("MaxPool", json!({"pool_size": [2, 3]}), json!(["f:?,8,6,3"]), json!({}), "float32[?,4,2,3]");
        let kwargs = json!({"ksize": [1, 2, 2, 1], "strides": [1, 1, 1, 1], "padding": "SAME"});
        check("AveragePool", json!({}), json!(["f:?,8,6,3"]), kwargs, "float32[?,8,6,3]");
        check("ExtractPatches", json!({"size": 2}), json!(["f:?,8,6,3"]), json!({}), "float32[?,4,3,12]");
    }

    #[test]
    fn refuses() {
        let message = "the channels of shape [?,8,6,3] do not fit a kernel of shape [3,3,2,2]";
        refused_with("Conv", json!({}), json!(["f:?,8,6,3", "f:3,3,2,2"]), message);
        let message = "expected a kernel of rank 4, found shape [3,3,2]";
        refused_with("Conv", json!({}), json!(["f:?,8,6,3", "f:3,3,2"]), message);
        let message = "expected a pointwise kernel of size 1 for 6 channels, found shape [1,1,5,4]";
        refused_with("SeparableConv", json!({}), json!(["f:?,8,6,3", "f:3,3,3,2", "f:1,1,5,4"]), message);
        refused_with("MaxPool", json!({}), json!(["f:?,8,6,3"]), "missing `pool_size`");
        let message = "expected 1 to 3 spatial axes, found shape [?,8]";
        refused_with("MaxPool", json!({"pool_size": 2}), json!(["f:?,8"]), message);
    }
}
