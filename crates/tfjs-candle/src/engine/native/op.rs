//! The kernels a plan is made of, with everything that does not depend on the inputs' shapes.

use std::sync::Arc;
use tfjs_kernels::{
    Activation, Binary, Conv2dGeometry, Cpu, Epilogue, KernelError, PackedConv2d, PackedDepthwise, PackedMatrix,
    Pool2dGeometry, Pooling, activate, binary, concat, conv2d, depthwise_conv2d, gemm, global_pool, layer_norm, pad,
    pool2d, scale_shift, softmax,
};
use tfjs_manifest::{Error, Result};
use tfjs_topology::geometry::Pads;
use tfjs_topology::layers::spatial::Windows;

/// One kernel call.
#[derive(Debug)]
pub(super) enum Op {
    /// Matrix product over the last axis.
    Dense { kernel: Arc<PackedMatrix>, fused: Fused },
    /// Convolution of images, channels last.
    Conv { kernel: Arc<PackedConv2d>, windows: Windows, groups: usize, fused: Fused },
    /// Convolution of each channel, channels last.
    Depthwise { kernel: Arc<PackedDepthwise>, windows: Windows, fused: Fused },
    /// Pooling of images, channels last.
    Pool { pooling: Pooling, windows: Windows },
    /// Pooling of whole images, channels last.
    GlobalPool { pooling: Pooling },
    /// Batch normalization that no kernel before it could take.
    ScaleShift { scale: Vec<f32>, shift: Vec<f32> },
    /// An activation that no kernel before it could take.
    Activate(Activation),
    /// Softmax over the last axis.
    Softmax,
    /// Layer normalization over the last axis.
    LayerNorm { epsilon: f32, gamma: Option<Vec<f32>>, beta: Option<Vec<f32>> },
    /// Arithmetic of two values of the same shape, then an activation.
    Binary { op: Binary, activation: Activation },
    /// The same bytes in another shape.
    Alias,
    /// Values side by side.
    Concat { axis: usize },
    /// Zeros around an image.
    Pad { pads: Vec<Pads> },
}

/// What a kernel does to its sums before they are written: see [`Epilogue`].
#[derive(Debug, Default)]
pub(super) struct Fused {
    pub(super) scale: Option<Vec<f32>>,
    pub(super) shift: Option<Vec<f32>>,
    /// Whether the step's last input is added.
    pub(super) residual: bool,
    pub(super) activation: Activation,
    /// Whether a softmax over the channels ends it.
    pub(super) softmax: bool,
}

impl Fused {
    /// `(x * a + b) * scale + shift`.
    pub(super) fn then_scale_shift(&mut self, scale: &[f32], shift: &[f32]) {
        let b = self.shift.take().unwrap_or_else(|| vec![0.0; shift.len()]);
        self.shift = Some(b.iter().zip(scale).zip(shift).map(|((b, s), t)| b * s + t).collect());
        self.scale = Some(match self.scale.take() {
            Some(a) => a.iter().zip(scale).map(|(a, s)| a * s).collect(),
            None => scale.to_vec(),
        });
    }

    fn epilogue<'a>(&'a self, inputs: &[Slice<'a>]) -> Epilogue<'a> {
        Epilogue {
            scale: self.scale.as_deref(),
            shift: self.shift.as_deref(),
            residual: if self.residual { inputs.last().map(|s| s.values) } else { None },
            activation: self.activation,
        }
    }

    fn finish(&self, cpu: &Cpu, channels: usize, out: &mut [f32]) -> std::result::Result<(), KernelError> {
        if self.softmax { softmax(cpu, channels, out) } else { Ok(()) }
    }
}

/// Values with their shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice<'a> {
    pub(super) values: &'a [f32],
    pub(super) dims: &'a [usize],
}

impl Op {
    /// What a kernel may absorb what follows into.
    pub(super) fn fused(&mut self) -> Option<&mut Fused> {
        match self {
            Op::Dense { fused, .. } | Op::Conv { fused, .. } | Op::Depthwise { fused, .. } => Some(fused),
            _ => None,
        }
    }

    /// Whether the output may take over the memory of the first input.
    pub(super) fn in_place(&self) -> bool {
        matches!(self, Op::ScaleShift { .. } | Op::Activate(_) | Op::Softmax | Op::Alias)
    }

    /// The kernel in a few words.
    pub(super) fn describe(&self) -> String {
        let fused = |what: &str, fused: &Fused| {
            let mut text = what.to_string();
            for (has, part) in [
                (fused.scale.is_some(), " + scale"),
                (fused.shift.is_some(), " + shift"),
                (fused.residual, " + residual"),
                (fused.softmax, " + softmax"),
            ] {
                if has {
                    text.push_str(part);
                }
            }
            if fused.activation != Activation::Linear {
                text.push_str(&format!(" + {:?}", fused.activation));
            }
            text
        };
        match self {
            Op::Dense { fused: f, .. } => fused("dense", f),
            Op::Conv { fused: f, .. } => fused("conv2d", f),
            Op::Depthwise { fused: f, .. } => fused("depthwise_conv2d", f),
            Op::Pool { pooling, .. } => format!("pool2d {pooling:?}"),
            Op::GlobalPool { pooling } => format!("global_pool {pooling:?}"),
            Op::ScaleShift { .. } => "scale_shift".to_string(),
            Op::Activate(activation) => format!("activate {activation:?}"),
            Op::Softmax => "softmax".to_string(),
            Op::LayerNorm { .. } => "layer_norm".to_string(),
            Op::Binary { op, .. } => format!("binary {op:?}"),
            Op::Alias => "alias".to_string(),
            Op::Concat { .. } => "concat".to_string(),
            Op::Pad { .. } => "pad".to_string(),
        }
    }

    /// Runs the kernel. An op that works in place finds its input in `out`.
    pub(super) fn run(&self, cpu: &Cpu, inputs: &[Slice<'_>], out: &mut [f32], dims: &[usize]) -> Result<()> {
        self.kernel(cpu, inputs, out, dims).map_err(|e| Error::bug(format!("a kernel refused its arguments: {e}")))
    }

    fn kernel(
        &self,
        cpu: &Cpu,
        inputs: &[Slice<'_>],
        out: &mut [f32],
        dims: &[usize],
    ) -> std::result::Result<(), KernelError> {
        let channels = dims.last().copied().unwrap_or(1);
        match self {
            Op::Dense { kernel, fused } => {
                let m = dims.iter().rev().skip(1).product();
                let a = inputs[0].values;
                gemm(cpu, m, a, kernel.k(), kernel, out, kernel.n(), &fused.epilogue(inputs))?;
                fused.finish(cpu, channels, out)
            }
            Op::Conv { kernel, windows, groups, fused } => {
                let geometry = geometry(windows, inputs[0].dims, dims, *groups);
                conv2d(cpu, dims[0], &geometry, inputs[0].values, kernel, out, &fused.epilogue(inputs))?;
                fused.finish(cpu, channels, out)
            }
            Op::Depthwise { kernel, windows, fused } => {
                let geometry = geometry(windows, inputs[0].dims, dims, 1);
                depthwise_conv2d(cpu, dims[0], &geometry, inputs[0].values, kernel, out, &fused.epilogue(inputs))?;
                fused.finish(cpu, channels, out)
            }
            Op::Pool { pooling, windows } => {
                let g = geometry(windows, inputs[0].dims, dims, 1);
                let geometry = Pool2dGeometry {
                    in_h: g.in_h,
                    in_w: g.in_w,
                    channels: g.in_c,
                    out_h: g.out_h,
                    out_w: g.out_w,
                    window_h: g.kernel_h,
                    window_w: g.kernel_w,
                    stride_h: g.stride_h,
                    stride_w: g.stride_w,
                    pad_top: g.pad_top,
                    pad_left: g.pad_left,
                };
                pool2d(cpu, *pooling, dims[0], &geometry, inputs[0].values, out)
            }
            Op::GlobalPool { pooling } => {
                let from = inputs[0].dims;
                let pixels = from[1..from.len() - 1].iter().product();
                global_pool(cpu, *pooling, from[0], pixels, channels, inputs[0].values, out)
            }
            Op::ScaleShift { scale, shift } => scale_shift(cpu, scale, shift, out),
            Op::Activate(activation) => {
                activate(cpu, *activation, out);
                Ok(())
            }
            Op::Softmax => softmax(cpu, channels, out),
            Op::LayerNorm { epsilon, gamma, beta } => {
                layer_norm(cpu, channels, *epsilon, gamma.as_deref(), beta.as_deref(), inputs[0].values, out)
            }
            Op::Binary { op, activation } => {
                binary(cpu, *op, inputs[0].values, inputs[1].values, out)?;
                activate(cpu, *activation, out);
                Ok(())
            }
            Op::Alias => Ok(()),
            Op::Concat { axis } => {
                let outer = dims[..*axis].iter().product();
                let parts: Vec<&[f32]> = inputs.iter().map(|s| s.values).collect();
                concat(outer, &parts, out)
            }
            Op::Pad { pads } => {
                let [h, w] = [pads[0], pads[1]];
                let (before, after) = ([0, h.before, w.before, 0], [0, h.after, w.after, 0]);
                pad(inputs[0].dims, inputs[0].values, &before, &after, 0.0, out)
            }
        }
    }
}

/// The kernels' geometry of windows over channels-last images.
fn geometry(windows: &Windows, from: &[usize], to: &[usize], groups: usize) -> Conv2dGeometry {
    let [h, w] = [&windows.axes[0], &windows.axes[1]];
    Conv2dGeometry {
        in_h: from[1],
        in_w: from[2],
        in_c: from[3],
        out_h: to[1],
        out_w: to[2],
        out_c: to[3],
        kernel_h: h.size,
        kernel_w: w.size,
        stride_h: h.stride,
        stride_w: w.stride,
        dilation_h: h.dilation,
        dilation_w: w.dilation,
        pad_top: h.pads(from[1]).before,
        pad_left: w.pads(from[2]).before,
        groups,
    }
}
