//! Lowers `einsum`: multiplies the operands one after the other, as one `dot` each if axes are summed over.

use super::LowerCx;
use crate::einsum::{Label, Labels};
use std::collections::HashMap;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A value and the labels of its axes.
#[derive(Clone, Debug)]
struct Operand {
    value: Value,
    labels: Vec<Label>,
}

impl LowerCx<'_> {
    /// The sum of products of an equation. The operands must have one element type, which the result has too.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for axes with the same label and different lengths.
    pub(crate) fn einsum(&mut self, operands: &[Value], labels: &Labels) -> Result<Value> {
        let mut terms = Vec::new();
        for (&value, labels) in operands.iter().zip(&labels.inputs) {
            terms.push(diagonal(self, Operand { value, labels: labels.clone() })?);
        }
        drop_repeated(self, &mut terms)?;
        // For each axis, the last operand that has it.
        let mut last: HashMap<Label, usize> = HashMap::new();
        for (i, term) in terms.iter().enumerate() {
            last.extend(term.labels.iter().map(|&label| (label, i)));
        }
        let mut terms = terms.into_iter();
        let mut product = terms.next().ok_or_else(|| Error::malformed("an equation without operands"))?;
        for (i, term) in terms.enumerate() {
            let later = |label: &Label| last.get(label).is_some_and(|&last| last > i + 1);
            let needed = |label: &Label| labels.output.contains(label) || later(label);
            product = multiply(self, product, term, &needed, &labels.output)?;
        }
        let product = sum_out(self, product, |label| labels.output.contains(label))?;
        ordered(self, &product, &labels.output)
    }
}

/// Keeps only the elements at equal positions along axes with the same label: `ii->i`.
fn diagonal(cx: &mut LowerCx<'_>, mut term: Operand) -> Result<Operand> {
    while let Some((first, second)) = repeated(&term.labels) {
        let mut dims = cx.dims_of(term.value);
        let wrong = misfit(cx, term.value, term.value);
        let length = cx.same(dims[first], dims[second]).ok_or_else(wrong)?;
        dims[first] = length;
        dims[second] = length;
        let mut place = vec![Dim::ONE; dims.len()];
        (place[first], place[second]) = (length, length);
        let row = cx.iota(first, &place, ElementType::I32)?;
        let column = cx.iota(second, &place, ElementType::I32)?;
        let equal = cx.compare(CompareOp::Eq, row, column)?;
        let zero = cx.scalar_like(term.value, 0.0)?;
        let kept = cx.select(equal, term.value, zero)?;
        term.value = cx.reduce(ReduceOp::Sum, kept, &[second], false)?;
        term.labels.remove(second);
    }
    Ok(term)
}

/// Two axes with the same label.
fn repeated(labels: &[Label]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|second| {
        let first = labels[..second].iter().position(|label| *label == labels[second])?;
        Some((first, second))
    })
}

/// Broadcasts the axes of `...`: an axis of length 1 is dropped if another operand's is longer.
fn drop_repeated(cx: &mut LowerCx<'_>, terms: &mut [Operand]) -> Result<()> {
    let elided = |label: &Label| matches!(label, Label::Elided(_));
    let mut long: Vec<Label> = Vec::new();
    for term in &*terms {
        let dims = cx.dims_of(term.value);
        long.extend(term.labels.iter().zip(dims).filter(|(l, dim)| elided(l) && *dim != Dim::ONE).map(|(l, _)| *l));
    }
    for term in terms {
        for axis in (0..term.labels.len()).rev() {
            if elided(&term.labels[axis])
                && cx.dims_of(term.value)[axis] == Dim::ONE
                && long.contains(&term.labels[axis])
            {
                term.value = cx.remove_axis(term.value, axis)?;
                term.labels.remove(axis);
            }
        }
    }
    Ok(())
}

/// Sums over the axes that are not needed any more.
fn sum_out(cx: &mut LowerCx<'_>, term: Operand, needed: impl Fn(&Label) -> bool) -> Result<Operand> {
    let axes: Vec<usize> = (0..term.labels.len()).filter(|&axis| !needed(&term.labels[axis])).collect();
    let value = cx.reduce(ReduceOp::Sum, term.value, &axes, false)?;
    Ok(Operand { value, labels: term.labels.into_iter().filter(needed).collect() })
}

/// The product of two operands, summed over their common axes that are not needed any more.
fn multiply(
    cx: &mut LowerCx<'_>,
    a: Operand,
    b: Operand,
    needed: &dyn Fn(&Label) -> bool,
    output: &[Label],
) -> Result<Operand> {
    let (of_a, of_b) = (a.labels.clone(), b.labels.clone());
    let a = sum_out(cx, a, |label| needed(label) || of_b.contains(label))?;
    let b = sum_out(cx, b, |label| needed(label) || of_a.contains(label))?;
    let (mut batch, mut contract) = (Vec::new(), Vec::new());
    for (i, label) in a.labels.iter().enumerate() {
        if let Some(j) = b.labels.iter().position(|l| l == label) {
            if needed(label) { batch.push((i, j)) } else { contract.push((i, j)) }
        }
    }
    let mut labels: Vec<Label> = batch.iter().map(|&(i, _)| a.labels[i]).collect();
    labels.extend(a.labels.iter().filter(|label| !b.labels.contains(label)));
    labels.extend(b.labels.iter().filter(|label| !a.labels.contains(label)));
    if !contract.is_empty() && cx.ty(a.value).element.is_float() {
        return Ok(Operand { value: cx.dot(a.value, b.value, &batch, &contract)?, labels });
    }
    // An elementwise product; its axes are in the order of the result, so that nothing is transposed twice.
    labels.sort_by_key(|label| output.iter().position(|l| l == label).unwrap_or(output.len()));
    let summed = labels.len();
    labels.extend(contract.iter().map(|&(i, _)| a.labels[i]));
    let wrong = misfit(cx, a.value, b.value);
    for &(i, j) in batch.iter().chain(&contract) {
        let (x, y) = (cx.dims_of(a.value)[i], cx.dims_of(b.value)[j]);
        if cx.same(x, y).is_none() {
            return Err(wrong());
        }
    }
    let (x, y) = (aligned(cx, &a, &labels)?, aligned(cx, &b, &labels)?);
    let product = cx.mul(x, y)?;
    let axes: Vec<usize> = (summed..labels.len()).collect();
    let value = cx.reduce(ReduceOp::Sum, product, &axes, false)?;
    labels.truncate(summed);
    Ok(Operand { value, labels })
}

/// A term with an axis for each label; missing ones have length 1.
fn aligned(cx: &mut LowerCx<'_>, term: &Operand, labels: &[Label]) -> Result<Value> {
    let own: Vec<Label> = labels.iter().copied().filter(|label| term.labels.contains(label)).collect();
    let value = ordered(cx, term, &own)?;
    let mut lengths = cx.dims_of(value).into_iter();
    let dims: Vec<Dim> = labels
        .iter()
        .map(|label| if term.labels.contains(label) { lengths.next().unwrap_or(Dim::ONE) } else { Dim::ONE })
        .collect();
    cx.reshape(value, &dims)
}

/// A term with its axes in this order.
fn ordered(cx: &mut LowerCx<'_>, term: &Operand, labels: &[Label]) -> Result<Value> {
    let axis = |label: &Label| term.labels.iter().position(|l| l == label);
    let order: Option<Vec<usize>> = labels.iter().map(axis).collect();
    let order = order.ok_or_else(|| Error::bug("an Einstein sum lost an axis of its result"))?;
    cx.transpose(term.value, &order)
}

/// The error for axes with the same label and different lengths.
fn misfit(cx: &LowerCx<'_>, a: Value, b: Value) -> impl FnOnce() -> Error + use<> {
    let (a, b) = (cx.shape(a), cx.shape(b));
    move || Error::malformed(format!("shapes {a} and {b} cannot be multiplied"))
}
