//! Lets a kernel take over what follows it: one scale and one shift, one residual, one activation, a softmax.
//!
//! Only a value that exactly one node reads can vanish into a kernel. The step stands where its last node stood, so
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

/// What a kernel does to its sums before they are written, in this order; see [`Epilogue`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Fused {
    /// The number of output channels: the length of scale and shift.
    pub(super) channels: usize,
    /// The position of the factors among the step's weights.
    pub(super) scale: Option<usize>,
    /// The position of the summands among the step's weights.
    pub(super) shift: Option<usize>,
    /// Whether the kernel can add another value.
    takes_residual: bool,
    /// The position of that value among the step's operands.
    residual: Option<usize>,
    activation: Activation,
    /// Whether a softmax over the channels ends it.
    softmax: bool,
}

impl Fused {
    /// Nothing follows yet.
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

    /// For a kernel that adds no other value.
    pub(super) fn without_residual(channels: usize) -> Self {
        Fused { takes_residual: false, ..Fused::new(channels) }
    }

    /// Whether nothing but scale and shift follows yet.
    fn is_open(&self) -> bool {
        self.residual.is_none() && self.activation == Activation::Linear && !self.softmax
    }

    pub(super) fn activation(&self) -> Activation {
        self.activation
    }

    /// The epilogue that kernels take.
    pub(super) fn epilogue<'a>(&self, io: &Io<'a>) -> Result<Epilogue<'a>> {
        let vector = |want: Option<usize>| want.map(|want| io.vector(want)).transpose();
        Ok(Epilogue {
            scale: vector(self.scale)?,
            shift: vector(self.shift)?,
            residual: self.residual.map(|operand| io.ins.get::<f32>(operand)).transpose()?,
            activation: self.activation,
        })
    }

    /// What is done to the result when the kernel has written it.
    pub(super) fn finish(&self, io: &mut Io<'_>) -> Result<()> {
        if self.softmax {
            let cpu = io.cx.cpu;
            softmax(cpu, self.channels, io.outs.get(0)?).map_err(super::io::rejected)?;
        }
        Ok(())
    }

    /// The kernel with what it has taken over, in a few words.
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

/// Extends a claim by the nodes that follow it, as long as its kernel can do their work. `taken` says which nodes
/// belong to a step already.
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

/// Whether the kernel can do the work of a node that follows it; then it is added.
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
                    // An operand that is derived is read as a residual too: it lies in memory like any other.
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
