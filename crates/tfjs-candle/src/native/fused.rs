//! Fuses the nodes that follow a kernel into it: one scale and one shift, one residual, one activation, a softmax.
//!
//! A value can be fused only if exactly one node reads it. The step runs at the position of its last node, so that
//! everything that node reads has been computed.

use super::activation;
use super::io::Io;
use super::kernel::Claim;
use super::view::View;
use super::want::Want;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Node, Prim, Value};
use tfjs_kernels::{Activation, Epilogue, softmax};
use tfjs_manifest::Result;

/// The fused operations that a kernel applies to its sums before it writes them, in this order; see [`Epilogue`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Fused {
    /// The number of output channels: the length of scale and shift.
    pub(super) channels: usize,
    /// The position of the scale among the step's weights.
    pub(super) scale: Option<usize>,
    /// The position of the shift among the step's weights.
    pub(super) shift: Option<usize>,
    /// Whether the kernel supports a residual.
    takes_residual: bool,
    /// The position of the residual among the step's operands.
    residual: Option<usize>,
    activation: Activation,
    /// Whether it ends with a softmax over the channels.
    softmax: bool,
}

impl Fused {
    /// Starts without fused operations.
    pub(super) fn new(channels: usize) -> Self {
        Fused {
            channels,
            scale: None,
            shift: None,
            takes_residual: true,
            residual: None,
            activation: Activation::Linear,
            softmax: false,
        }
    }

    /// For a kernel that does not support a residual.
    pub(super) fn without_residual(channels: usize) -> Self {
        Fused { takes_residual: false, ..Fused::new(channels) }
    }

    /// Whether nothing but scale and shift is fused yet.
    fn is_open(&self) -> bool {
        self.residual.is_none() && self.activation == Activation::Linear && !self.softmax
    }

    pub(super) fn activation(&self) -> Activation {
        self.activation
    }

    /// The epilogue for the kernel.
    pub(super) fn epilogue<'a>(&self, io: &Io<'a>) -> Result<Epilogue<'a>> {
        let vector = |want: Option<usize>| want.map(|want| io.vector(want)).transpose();
        Ok(Epilogue {
            scale: vector(self.scale)?,
            shift: vector(self.shift)?,
            residual: self.residual.map(|operand| io.ins.get::<f32>(operand)).transpose()?,
            activation: self.activation,
        })
    }

    /// The operations that run after the kernel has written the result.
    pub(super) fn finish(&self, io: &mut Io<'_>) -> Result<()> {
        if self.softmax {
            let cpu = io.cx.cpu;
            softmax(cpu, self.channels, io.outs.get(0)?).map_err(super::io::rejected)?;
        }
        Ok(())
    }

    /// The kernel and its fused operations as a short text.
    pub(super) fn describe(&self, kernel: &str) -> String {
        let mut text = kernel.to_string();
        let parts = [
            (self.scale.is_some(), " + scale"),
            (self.shift.is_some(), " + shift"),
            (self.residual.is_some(), " + residual"),
        ];
        parts.into_iter().filter(|(has, _)| *has).for_each(|(_, part)| text.push_str(part));
        if self.activation != Activation::Linear {
            text.push_str(&format!(" + {:?}", self.activation));
        }
        if self.softmax {
            text.push_str(" + softmax");
        }
        text
    }
}

/// Extends a claim by the nodes that follow it, as long as its kernel can fuse them. `taken` marks the nodes
/// that already belong to a step.
pub(super) fn absorb(view: View<'_>, claim: &mut Claim, taken: &mut [bool]) {
    let Claim { kernel, nodes, operands, results, wants, .. } = claim;
    let (Some(fused), &mut [ref mut result]) = (kernel.fused(), &mut results[..]) else { return };
    while let Some(next) = view.only_reader(*result).filter(|&next| !taken[next]) {
        let node = view.node(next);
        if !follow(view, fused, node, *result, operands, wants) {
            return;
        }
        taken[next] = true;
        nodes.push(next);
        *result = node.results[0];
    }
}

/// Fuses a node that follows the kernel, and returns whether that is possible.
fn follow(
    view: View<'_>,
    fused: &mut Fused,
    node: &Node,
    value: Value,
    operands: &mut Vec<Value>,
    wants: &mut Vec<Want>,
) -> bool {
    match &node.prim {
        Prim::Binary(binary) => {
            let [a, b] = node.operands[..] else { return false };
            let other = if a == value { b } else { a };
            if view.dims(node.results[0]) != view.dims(value) || !view.is_f32(value) {
                return false;
            }
            let vector = view.vector(other, value, fused.channels);
            match (binary.op, vector) {
                (BinaryOp::Mul, Some(id)) if fused.is_open() && fused.scale.is_none() && fused.shift.is_none() => {
                    fused.scale = Some(wants.len());
                    wants.push(Want::Vector(id, fused.channels));
                    true
                }
                (BinaryOp::Add, Some(id)) if fused.is_open() && fused.shift.is_none() => {
                    fused.shift = Some(wants.len());
                    wants.push(Want::Vector(id, fused.channels));
                    true
                }
                (BinaryOp::Add, _) if fused.is_open() && fused.takes_residual => {
                    // A derived operand can be read as a residual too, because it is in memory like any other value.
                    let same = view.dims(other) == view.dims(value) && other != value;
                    if same {
                        fused.residual = Some(operands.len());
                        operands.push(other);
                    }
                    same
                }
                _ => false,
            }
        }
        Prim::Activate(activate) if fused.activation == Activation::Linear && !fused.softmax => {
            let Some(kernel) = activation::kernel(activate.function).filter(|_| view.is_f32(value)) else {
                return false;
            };
            fused.activation = kernel;
            true
        }
        Prim::Softmax(softmax) if fused.activation == Activation::Linear && !fused.softmax && !softmax.log => {
            let rank = view.dims(value).len();
            let first = softmax.axes.first().copied().unwrap_or(rank);
            let trailing = softmax.axes.iter().copied().eq(first..rank);
            let whole = trailing && view.trailing(value, rank - first) == Some(fused.channels);
            fused.softmax = whole && view.is_f32(value);
            fused.softmax
        }
        _ => false,
    }
}
