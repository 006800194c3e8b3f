//! A cell as a loop over its steps: for convolutions, and for activations that are not elementwise, such as a `softmax`
//! over the units.

use super::cell::{Cell, CellKind, CellWeights, Sequence, Stepped};
use crate::activation::Activation;
use crate::lower::{LowerCx, sparsemax};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::prim::recurrent::MaskedOutput;
use tfjs_ir::window::Window;
use tfjs_ir::{Builder, Dim, Loop, Value};
use tfjs_manifest::{Error, Result};

/// Runs a cell over a sequence.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an activation that the loop does not support.
pub(super) fn step_over(cx: &mut LowerCx<'_>, cell: &Cell, weights: CellWeights, over: &Sequence) -> Result<Stepped> {
    let biases = biases(cx, cell, weights.bias)?;
    let projected = cx.matmul(over.inputs, weights.kernel)?;
    let projected = biases.map_or(Ok(projected), |(bias, _)| cx.add(projected, bias))?;
    let over = Sequence { inputs: projected, ..over.clone() };
    let recurrence =
        Recurrence { cell, kernel: weights.recurrent_kernel, bias: biases.and_then(|(_, bias)| bias), windows: &[] };
    recurrence.step_over(cx, &over)
}

/// The computation of the states at each step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recurrence<'a> {
    pub(super) cell: &'a Cell,
    /// The recurrent kernel.
    pub(super) kernel: Value,
    /// The bias of the states.
    pub(super) bias: Option<Value>,
    /// The windows of a convolution with the kernel; empty for a product.
    pub(super) windows: &'a [Window],
}

impl Recurrence<'_> {
    /// Runs the cell over the input's part of all gates, with its bias: `[batch, time, .., gates * units]`.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an activation that the loop does not support.
    pub(super) fn step_over(&self, cx: &mut LowerCx<'_>, over: &Sequence) -> Result<Stepped> {
        for activation in [self.cell.activation, self.cell.recurrent_activation] {
            // It halves what the cell wants whole.
            if activation == Activation::Glu {
                return Err(Error::unsupported("the activation `glu` of a recurrent cell is not supported"));
            }
        }
        let time = cx.dims_of(over.inputs)[1];
        let first = *over.states.first().ok_or_else(|| Error::bug("a cell without a state"))?;
        let (element, dims) = (cx.ty(first).element, cx.dims_of(first));
        let nothing = cx.full(element, &dims, 0.0)?;
        // The last output is a carry too: slicing it off the outputs would keep all of them in memory.
        let carries: Vec<Value> = std::iter::once(nothing).chain(over.states.iter().copied()).collect();
        let sequences: Vec<Value> = std::iter::once(over.inputs).chain(over.mask).collect();
        let invariants: Vec<Value> = std::iter::once(self.kernel).chain(self.bias).collect();
        let walk = Loop {
            carries: &carries,
            sequences: &sequences,
            invariants: &invariants,
            length: time,
            axis: 1,
            reverse: over.backwards,
        };
        let (finals, collected) = cx.scan(walk, |body, carries, elements, fixed| {
            let (&[previous, ref states @ ..], &[x, ref mask @ ..]) = (carries, elements) else {
                return Err(Error::bug("a step without its values"));
            };
            let (&[kernel, ref bias @ ..], &[h, ..]) = (fixed, states) else {
                return Err(Error::bug("a cell without a state"));
            };
            let step = Recurrence { kernel, bias: bias.first().copied(), ..*self };
            let mut new = step.run(body, x, states)?;
            let mut output = new[0];
            if let [mask] = *mask {
                let keep = of_rank(body, mask, dims.len())?;
                let instead = match over.masked_output {
                    MaskedOutput::Previous => previous,
                    MaskedOutput::State => h,
                    MaskedOutput::Zeros => body.scalar(element, 0.0)?,
                };
                output = body.select(keep, output, instead)?;
                for (new, &old) in new.iter_mut().zip(states) {
                    *new = body.select(keep, *new, old)?;
                }
            }
            Ok((std::iter::once(output).chain(new).collect(), vec![output]))
        })?;
        let ([last, states @ ..], &[outputs]) = (&finals[..], &collected[..]) else {
            return Err(Error::bug("a loop without its results"));
        };
        // The loop returns outputs in the order of the sequence.
        let outputs = if over.backwards { cx.reverse(outputs, &[1])? } else { outputs };
        Ok(Stepped { outputs, last: *last, states: states.to_vec() })
    }
}

/// A mask of the batch, or of the first axes of a state, with axes of length 1 added up to a rank.
fn of_rank(cx: &mut Builder, mask: Value, rank: usize) -> Result<Value> {
    let mut dims = cx.dims_of(mask);
    dims.resize(rank, Dim::ONE);
    cx.reshape(mask, &dims)
}

/// The bias of the inputs and, if the cell has one, that of the states.
fn biases(cx: &mut LowerCx<'_>, cell: &Cell, bias: Option<Value>) -> Result<Option<(Value, Option<Value>)>> {
    let Some(bias) = bias else { return Ok(None) };
    if cell.kind != (CellKind::Gru { reset_after: true }) {
        return Ok(Some((bias, None)));
    }
    let mut row = |start: Dim| {
        let row = cx.slice_axis(bias, 0, Range { start, len: Dim::ONE, step: 1 })?;
        cx.remove_axis(row, 0)
    };
    Ok(Some((row(Dim::ZERO)?, Some(row(Dim::ONE)?))))
}

impl Recurrence<'_> {
    /// The states after the step; the first is the output. `x` is the input's part of all gates.
    fn run(&self, cx: &mut Builder, x: Value, states: &[Value]) -> Result<Vec<Value>> {
        match (self.cell.kind, states) {
            (CellKind::Simple, &[h]) => {
                let inner = self.recur(cx, h)?;
                let sum = cx.add(x, inner)?;
                Ok(vec![self.act(cx, sum)?])
            }
            (CellKind::Lstm, &[h, c]) => self.lstm(cx, x, h, c),
            (CellKind::Gru { reset_after: true }, &[h]) => Ok(vec![self.gru_reset_after(cx, x, h)?]),
            (CellKind::Gru { reset_after: false }, &[h]) => Ok(vec![self.gru_reset_before(cx, x, h)?]),
            (kind, states) => Err(Error::bug(format!("{kind:?} with {} states", states.len()))),
        }
    }

    fn lstm(&self, cx: &mut Builder, x: Value, h: Value, c: Value) -> Result<Vec<Value>> {
        let inner = self.recur(cx, h)?;
        let sum = cx.add(x, inner)?;
        let mut gate = |index, activation| {
            let block = self.block(cx, sum, index, 1)?;
            apply(cx, activation, block)
        };
        let i = gate(0, self.cell.recurrent_activation)?;
        let f = gate(1, self.cell.recurrent_activation)?;
        let candidate = gate(2, self.cell.activation)?;
        let o = gate(3, self.cell.recurrent_activation)?;
        let kept = cx.mul(f, c)?;
        let fresh = cx.mul(i, candidate)?;
        let c = cx.add(kept, fresh)?;
        let squashed = self.act(cx, c)?;
        Ok(vec![cx.mul(o, squashed)?, c])
    }

    /// The reset gate is applied to `h R + b`.
    fn gru_reset_after(&self, cx: &mut Builder, x: Value, h: Value) -> Result<Value> {
        let inner = self.recur(cx, h)?;
        let z = self.gate_of(cx, x, inner, 0)?;
        let r = self.gate_of(cx, x, inner, 1)?;
        let inner = self.block(cx, inner, 2, 1)?;
        let reset = cx.mul(r, inner)?;
        let fresh = self.block(cx, x, 2, 1)?;
        let sum = cx.add(fresh, reset)?;
        let candidate = self.act(cx, sum)?;
        blend(cx, z, h, candidate)
    }

    /// The reset gate is applied to `h`.
    fn gru_reset_before(&self, cx: &mut Builder, x: Value, h: Value) -> Result<Value> {
        let gates = self.block(cx, self.kernel, 0, 2)?;
        let inner = cx.matmul(h, gates)?;
        let z = self.gate_of(cx, x, inner, 0)?;
        let r = self.gate_of(cx, x, inner, 1)?;
        let kernel = self.block(cx, self.kernel, 2, 1)?;
        let reset = cx.mul(r, h)?;
        let reset = cx.matmul(reset, kernel)?;
        let fresh = self.block(cx, x, 2, 1)?;
        let sum = cx.add(fresh, reset)?;
        let candidate = self.act(cx, sum)?;
        blend(cx, z, h, candidate)
    }

    /// `h R`, plus the bias of the states if there is one.
    fn recur(&self, cx: &mut Builder, h: Value) -> Result<Value> {
        let inner = match self.windows {
            [] => cx.matmul(h, self.kernel)?,
            windows => cx.conv(h, self.kernel, windows, 1)?,
        };
        self.bias.map_or(Ok(inner), |bias| cx.add(inner, bias))
    }

    /// `count` blocks of columns from `first` on.
    fn block(&self, cx: &mut Builder, x: Value, first: usize, count: usize) -> Result<Value> {
        let (start, len) = (cx.number(first * self.cell.units), cx.number(count * self.cell.units));
        cx.columns(x, start, len)
    }

    fn sum(&self, cx: &mut Builder, x: Value, inner: Value, index: usize) -> Result<Value> {
        let (x, inner) = (self.block(cx, x, index, 1)?, self.block(cx, inner, index, 1)?);
        cx.add(x, inner)
    }

    fn gate_of(&self, cx: &mut Builder, x: Value, inner: Value, index: usize) -> Result<Value> {
        let sum = self.sum(cx, x, inner, index)?;
        apply(cx, self.cell.recurrent_activation, sum)
    }

    fn act(&self, cx: &mut Builder, x: Value) -> Result<Value> {
        apply(cx, self.cell.activation, x)
    }
}

/// `z h + (1 - z) candidate`.
fn blend(cx: &mut Builder, z: Value, h: Value, candidate: Value) -> Result<Value> {
    let kept = cx.mul(z, h)?;
    let one = cx.scalar(cx.ty(z).element, 1.0)?;
    let rest = cx.sub(one, z)?;
    let fresh = cx.mul(rest, candidate)?;
    cx.add(kept, fresh)
}

/// Applies an activation to `[batch, .., units]`.
fn apply(cx: &mut Builder, activation: Activation, x: Value) -> Result<Value> {
    let last = cx.ty(x).rank().saturating_sub(1);
    match (activation, activation.function()) {
        (_, Some(function)) => cx.activate(function, x),
        (Activation::Softmax, _) => cx.softmax(x, &[last]),
        (Activation::Sparsemax, _) => sparsemax(cx, x, last),
        (Activation::LogSoftmax, _) => cx.one(Softmax { axes: vec![last], log: true }, &[x]),
        _ => Ok(x),
    }
}
