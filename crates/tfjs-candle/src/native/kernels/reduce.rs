//! Sums, means, products, extremes and logic over axes. This includes global pools, and the sums that are gradients of
//! broadcasts.

use super::spread::{Spread, count, fold, strides};
use crate::native::buffer::{Element, Repr};
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_kernels::{Reduction, reduce};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Reduce {
    op: ReduceOp,
    over: Over,
    repr: Repr,
}

#[derive(Debug)]
enum Over {
    Axes(Vec<usize>),
    /// The axes that a broadcast from the result's shape repeats: the result lacks them or has length 1 there.
    Repeated,
}

impl Over {
    fn axes(&self, from: &[usize], to: &[usize]) -> Vec<usize> {
        match self {
            Over::Axes(axes) => axes.clone(),
            Over::Repeated => {
                let new = from.len().saturating_sub(to.len());
                let own = from.iter().skip(new).zip(to).enumerate();
                let repeated = own.filter(|(_, (from, to))| from != to).map(|(axis, _)| new + axis);
                (0..new).chain(repeated).collect()
            }
        }
    }
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let &[x] = &node.operands[..] else { return None };
    let (op, over) = match &node.prim {
        Prim::Reduce(reduce) => (reduce.op, Over::Axes(reduce.axes.clone())),
        Prim::SumTo(_) => (ReduceOp::Sum, Over::Repeated),
        _ => return None,
    };
    let kernel = Reduce { op, over, repr: Repr::of(view.element(x)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for Reduce {
    fn describe(&self) -> String {
        format!("reduce {}", self.op.name())
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let dims = shapes.operand();
        let axes = self.over.axes(dims, shapes.result());
        if axes.iter().any(|&axis| axis >= dims.len()) {
            return Err(Error::bug("a reduction over an axis that does not exist"));
        }
        if let (Repr::F32, Some(reduction), Some(block)) = (self.repr, vectorized(self.op), block(&axes, dims)) {
            return Ok(Prepared::new(move |io| {
                let x = io.ins.get(0)?;
                reduce(io.cx.cpu, reduction, block, x, io.outs.get(0)?).map_err(rejected)
            }));
        }
        let spread = spread(&axes, dims)?;
        let number: usize = axes.iter().map(|&axis| dims[axis]).product();
        match (self.repr, self.op) {
            (Repr::F32, op) => float(op, spread, number),
            (Repr::I32, op) => integer(op, spread, 0i32, 1, i32::wrapping_add, i32::wrapping_mul, [i32::MIN, i32::MAX]),
            (Repr::I64, op) => integer(op, spread, 0i64, 1, i64::wrapping_add, i64::wrapping_mul, [i64::MIN, i64::MAX]),
            (Repr::U8, op) => integer(op, spread, 0u8, 1, u8::wrapping_add, u8::wrapping_mul, [u8::MIN, u8::MAX]),
            (Repr::Bool, ReduceOp::Any) => Ok(folded(spread, false, |a, b| a | b)),
            (Repr::Bool, ReduceOp::All) => Ok(folded(spread, true, |a, b| a & b)),
            (_, op) => Err(undefined(op)),
        }
    }
}

/// The operand as `[outer, axis, inner]` whose middle is reduced, if the axes are adjacent.
fn block(axes: &[usize], dims: &[usize]) -> Option<[usize; 3]> {
    let (&first, &last) = (axes.first()?, axes.last()?);
    let together = axes.iter().copied().eq(first..=last);
    together.then(|| [count(&dims[..first]), count(&dims[first..=last]), count(&dims[last + 1..])])
}

/// An iteration over the operand, with the element of the result that each element is added to.
fn spread(axes: &[usize], dims: &[usize]) -> Result<Spread<2>> {
    let kept: Vec<usize> =
        dims.iter().enumerate().map(|(axis, &dim)| if axes.contains(&axis) { 1 } else { dim }).collect();
    let mut to = strides(&kept);
    axes.iter().for_each(|&axis| to[axis] = 0);
    Spread::new(dims, [&strides(dims), &to], [0, 0], [count(dims), count(&kept)])
}

fn vectorized(op: ReduceOp) -> Option<Reduction> {
    Some(match op {
        ReduceOp::Sum => Reduction::Sum,
        ReduceOp::Mean => Reduction::Mean,
        ReduceOp::Max => Reduction::Max,
        ReduceOp::Min => Reduction::Min,
        _ => return None,
    })
}

fn undefined(op: ReduceOp) -> Error {
    Error::bug(format!("`{}` of elements it is not defined for", op.name()))
}

fn folded<T: Element>(spread: Spread<2>, start: T, f: impl Fn(T, T) -> T + Copy + Send + Sync + 'static) -> Prepared {
    Prepared::new(move |io| {
        let x = io.ins.get::<T>(0)?;
        let out = io.outs.get::<T>(0)?;
        out.fill(start);
        fold(&spread, x, out, f);
        Ok(())
    })
}

fn float(op: ReduceOp, spread: Spread<2>, number: usize) -> Result<Prepared> {
    let larger = |a: f32, b: f32| if a.is_nan() || a >= b { a } else { b };
    let smaller = |a: f32, b: f32| if a.is_nan() || a <= b { a } else { b };
    Ok(match op {
        ReduceOp::Sum => folded(spread, 0.0f32, |a, b| a + b),
        ReduceOp::Prod => folded(spread, 1.0f32, |a, b| a * b),
        ReduceOp::Max => folded(spread, f32::NEG_INFINITY, larger),
        ReduceOp::Min => folded(spread, f32::INFINITY, smaller),
        ReduceOp::Mean => Prepared::new(move |io| {
            let x = io.ins.get::<f32>(0)?;
            let out = io.outs.get::<f32>(0)?;
            out.fill(0.0);
            fold(&spread, x, out, |a, b| a + b);
            out.iter_mut().for_each(|sum| *sum /= number as f32);
            Ok(())
        }),
        ReduceOp::Any | ReduceOp::All => return Err(undefined(op)),
    })
}

fn integer<T: Element + Ord>(
    op: ReduceOp,
    spread: Spread<2>,
    zero: T,
    one: T,
    add: fn(T, T) -> T,
    multiply: fn(T, T) -> T,
    [lowest, highest]: [T; 2],
) -> Result<Prepared> {
    Ok(match op {
        ReduceOp::Sum => folded(spread, zero, add),
        ReduceOp::Prod => folded(spread, one, multiply),
        ReduceOp::Max => folded(spread, lowest, T::max),
        ReduceOp::Min => folded(spread, highest, T::min),
        ReduceOp::Mean | ReduceOp::Any | ReduceOp::All => return Err(undefined(op)),
    })
}
