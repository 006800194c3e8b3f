//! Functions of pairs of elements, whose shapes broadcast.

use super::spread::{Spread, pairs, zip};
use crate::native::buffer::{Element, Repr};
use crate::native::io::{Io, rejected};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_kernels::{Binary as Vectorized, binary, binary_broadcast, binary_in_place};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Pairs {
    op: BinaryOp,
    repr: Repr,
    /// Whether the operands have the same shape in every call.
    same: bool,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Binary(binary), &[a, b]) = (&node.prim, &node.operands[..]) else { return None };
    let repr = Repr::of(view.element(a)).ok()?;
    let kernel = Pairs { op: binary.op, repr, same: view.dims(a) == view.dims(b) };
    view.all_plain(node).then(|| Claim::of(kernel, index, [a, b], node.results.clone()))
}

/// The vectorized operation of the kernels crate on single precision.
fn vectorized(op: BinaryOp) -> Option<Vectorized> {
    Some(match op {
        BinaryOp::Add => Vectorized::Add,
        BinaryOp::Sub => Vectorized::Sub,
        BinaryOp::Mul => Vectorized::Mul,
        BinaryOp::Div => Vectorized::Div,
        BinaryOp::Max => Vectorized::Max,
        BinaryOp::Min => Vectorized::Min,
        _ => return None,
    })
}

impl Kernel for Pairs {
    fn describe(&self) -> String {
        format!("binary {}", self.op.name())
    }

    fn overwrites(&self) -> &[usize] {
        if self.same && self.repr == Repr::F32 && vectorized(self.op).is_some() { &[0] } else { &[] }
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let [a, b] = &shapes.operands[..] else { return Err(Error::bug("expected two operands")) };
        let out = shapes.result();
        let spread = pairs(a, b, out)?;
        match self.repr {
            Repr::F32 => match vectorized(self.op) {
                Some(op) => Ok(vector_pairs(op, a.clone(), b.clone(), out.to_vec())),
                None => float_pairs(self.op, spread),
            },
            Repr::I32 => integer_pairs::<i32>(self.op, spread),
            Repr::I64 => integer_pairs::<i64>(self.op, spread),
            Repr::U8 => integer_pairs::<u8>(self.op, spread),
            Repr::Bool => bool_pairs(self.op, spread),
            Repr::Text => Err(undefined(self.op)),
        }
    }
}

fn undefined(op: BinaryOp) -> Error {
    Error::bug(format!("`{}` of elements it is not defined for", op.name()))
}

fn vector_pairs(op: Vectorized, a: Vec<usize>, b: Vec<usize>, out: Vec<usize>) -> Prepared {
    let same = a == out && b == out;
    Prepared::new(move |io| {
        let cpu = io.cx.cpu;
        if io.in_place == Some(0) {
            let b = io.ins.get(1)?;
            return binary_in_place(cpu, op, io.outs.get(0)?, b).map_err(rejected);
        }
        let (x, y) = (io.ins.get(0)?, io.ins.get(1)?);
        let to = io.outs.get(0)?;
        match same {
            true => binary(cpu, op, x, y, to),
            false => binary_broadcast(cpu, op, x, &a, y, &b, to, &out),
        }
        .map_err(rejected)
    })
}

/// `out = f(a, b)`, as a prepared kernel.
pub(super) fn each<A: Element, B: Element, R: Element>(
    spread: Spread<3>,
    f: impl Fn(A, B) -> R + Copy + Send + Sync + 'static,
) -> Prepared {
    Prepared::new(move |io: &mut Io<'_>| {
        let (a, b) = (io.ins.get::<A>(0)?, io.ins.get::<B>(1)?);
        zip(&spread, a, b, io.outs.get::<R>(0)?, &io.cx.clock(), f)
    })
}

fn float_pairs(op: BinaryOp, spread: Spread<3>) -> Result<Prepared> {
    Ok(match op {
        BinaryOp::FloorDiv => each(spread, |a: f32, b: f32| (a / b).floor()),
        BinaryOp::Mod => each(spread, |a: f32, b: f32| {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }),
        BinaryOp::Pow => each(spread, |a: f32, b: f32| match b {
            2.0 => a * a,
            _ => f64::from(a).powf(f64::from(b)) as f32,
        }),
        BinaryOp::Atan2 => each(spread, |a: f32, b: f32| f64::from(a).atan2(f64::from(b)) as f32),
        _ => return Err(undefined(op)),
    })
}

fn bool_pairs(op: BinaryOp, spread: Spread<3>) -> Result<Prepared> {
    Ok(match op {
        BinaryOp::And => each(spread, |a: bool, b: bool| a & b),
        BinaryOp::Or => each(spread, |a: bool, b: bool| a | b),
        BinaryOp::Xor => each(spread, |a: bool, b: bool| a ^ b),
        _ => return Err(undefined(op)),
    })
}

/// Integers, whose arithmetic wraps.
trait Integer: Element + Ord {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// The quotient rounded down; 0 for a division by 0.
    fn floor_div(self, other: Self) -> Self;
    /// The remainder of that; 0 modulo 0.
    fn modulo(self, other: Self) -> Self;
    /// The power; one between -1 and 1 is truncated to 0.
    fn power(self, exponent: Self) -> Self;
}

macro_rules! integers {
    ($($ty:ty),*) => {$(
        impl Integer for $ty {
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn and(self, other: Self) -> Self {
                self & other
            }
            fn or(self, other: Self) -> Self {
                self | other
            }
            fn xor(self, other: Self) -> Self {
                self ^ other
            }
            #[allow(unused_comparisons, reason = "bytes have no sign")]
            fn floor_div(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let (quotient, rest) = (self.wrapping_div(other), self.wrapping_rem(other));
                if rest != 0 && (rest < 0) != (other < 0) { quotient.wrapping_sub(1) } else { quotient }
            }
            fn modulo(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_sub(self.floor_div(other).wrapping_mul(other)) }
            }
            #[allow(unused_comparisons, reason = "bytes have no sign")]
            fn power(self, exponent: Self) -> Self {
                if exponent < 0 {
                    let is_minus_one = self.wrapping_add(1) == 0;
                    return if self == 1 || is_minus_one { self.wrapping_pow((exponent & 1) as u32) } else { 0 };
                }
                let (mut result, mut square, mut left) = (1 as $ty, self, exponent);
                while left > 0 {
                    if left & 1 == 1 {
                        result = result.wrapping_mul(square);
                    }
                    square = square.wrapping_mul(square);
                    left >>= 1;
                }
                result
            }
        }
    )*};
}
integers!(i32, i64, u8);

fn integer_pairs<T: Integer>(op: BinaryOp, spread: Spread<3>) -> Result<Prepared> {
    Ok(match op {
        BinaryOp::Add => each(spread, T::plus),
        BinaryOp::Sub => each(spread, T::minus),
        BinaryOp::Mul => each(spread, T::times),
        BinaryOp::FloorDiv => each(spread, T::floor_div),
        BinaryOp::Mod => each(spread, T::modulo),
        BinaryOp::Pow => each(spread, T::power),
        BinaryOp::Max => each(spread, T::max),
        BinaryOp::Min => each(spread, T::min),
        BinaryOp::And => each(spread, T::and),
        BinaryOp::Or => each(spread, T::or),
        BinaryOp::Xor => each(spread, T::xor),
        BinaryOp::Div | BinaryOp::Atan2 => return Err(undefined(op)),
    })
}
