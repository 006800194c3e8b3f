//! Rules of unary and binary functions, comparisons, selections and casts.

use super::layout::join;
use super::offsets::{Offsets, broadcast_shapes};
use super::{Evaluator, Rule, misfit, take, undefined};
use crate::array::{Array, Data, round_to_element};
use crate::math::erf;
use crate::prim::elementwise::{Binary, BinaryOp, Cast, Compare, CompareOp, Select, Unary, UnaryOp};
use crate::ty::ElementType;
use tfjs_manifest::{Error, Result};

impl Rule for Unary {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let op = self.op;
        let [x] = take(operands)?;
        let (element, dims) = (x.element(), x.dims());
        let (element, data) = match (x.data(), op) {
            (Data::Float(x), UnaryOp::IsNan | UnaryOp::IsFinite) => {
                let holds = |x: &f64| if op == UnaryOp::IsNan { x.is_nan() } else { x.is_finite() };
                (ElementType::Bool, Data::Bool(cx.collect(dims, x.iter().map(holds))?))
            }
            (Data::Bool(x), UnaryOp::Not) => (element, Data::Bool(cx.collect(dims, x.iter().map(|b| !b))?)),
            (Data::Float(x), _) => {
                let f = of_float(op).ok_or_else(|| undefined(op.name(), element))?;
                (element, Data::Float(cx.collect(dims, x.iter().map(|&x| f(x)))?))
            }
            (Data::Int(x), _) => {
                let f = of_int(op).ok_or_else(|| undefined(op.name(), element))?;
                (element, Data::Int(cx.collect(dims, x.iter().map(|&n| f(n)))?))
            }
            _ => return Err(undefined(op.name(), element)),
        };
        Ok(vec![Array::new(element, dims, data)?])
    }
}

fn of_float(op: UnaryOp) -> Option<fn(f64) -> f64> {
    Some(match op {
        UnaryOp::Neg => |x| -x,
        UnaryOp::Abs => f64::abs,
        // Zeros keep their sign; the sign of NaN is NaN.
        UnaryOp::Sign => |x| if x == 0.0 { x } else { x.signum() },
        UnaryOp::Floor => f64::floor,
        UnaryOp::Ceil => f64::ceil,
        UnaryOp::RoundEven => f64::round_ties_even,
        UnaryOp::Exp => f64::exp,
        UnaryOp::Expm1 => f64::exp_m1,
        UnaryOp::Log => f64::ln,
        UnaryOp::Log1p => f64::ln_1p,
        UnaryOp::Sqrt => f64::sqrt,
        UnaryOp::Rsqrt => |x| 1.0 / x.sqrt(),
        UnaryOp::Sin => f64::sin,
        UnaryOp::Cos => f64::cos,
        UnaryOp::Tan => f64::tan,
        UnaryOp::Asin => f64::asin,
        UnaryOp::Acos => f64::acos,
        UnaryOp::Atan => f64::atan,
        UnaryOp::Sinh => f64::sinh,
        UnaryOp::Cosh => f64::cosh,
        UnaryOp::Tanh => f64::tanh,
        UnaryOp::Asinh => f64::asinh,
        UnaryOp::Acosh => f64::acosh,
        UnaryOp::Atanh => f64::atanh,
        UnaryOp::Erf => erf,
        UnaryOp::Not | UnaryOp::IsNan | UnaryOp::IsFinite => return None,
    })
}

fn of_int(op: UnaryOp) -> Option<fn(i64) -> i64> {
    Some(match op {
        UnaryOp::Neg => i64::wrapping_neg,
        UnaryOp::Abs => i64::wrapping_abs,
        UnaryOp::Sign => i64::signum,
        _ => return None,
    })
}

impl Rule for Binary {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let op = self.op;
        let [a, b] = take(operands)?;
        let dims = broadcast_shapes(a.dims(), b.dims()).ok_or_else(|| misfit(op.name(), operands))?;
        let element = a.element();
        let pairs = Pairs { cx, prim: op.name(), dims: &dims, a, b };
        let data = match (a.data(), b.data()) {
            (Data::Float(x), Data::Float(y)) => {
                let f = of_floats(op).ok_or_else(|| undefined(op.name(), element))?;
                Data::Float(pairs.map(x, y, |&x, &y| f(element, x, y))?)
            }
            (Data::Int(x), Data::Int(y)) => {
                let f = of_ints(op).ok_or_else(|| undefined(op.name(), element))?;
                Data::Int(pairs.map(x, y, |&x, &y| f(x, y))?)
            }
            (Data::Bool(x), Data::Bool(y)) => {
                let f: fn(bool, bool) -> bool = match op {
                    BinaryOp::And => |a, b| a && b,
                    BinaryOp::Or => |a, b| a || b,
                    BinaryOp::Xor => |a, b| a != b,
                    _ => return Err(undefined(op.name(), element)),
                };
                Data::Bool(pairs.map(x, y, |&x, &y| f(x, y))?)
            }
            _ => return Err(undefined(op.name(), element)),
        };
        Ok(vec![Array::new(element, dims, data)?])
    }
}

fn of_floats(op: BinaryOp) -> Option<fn(ElementType, f64, f64) -> f64> {
    Some(match op {
        BinaryOp::Add => |_, a, b| a + b,
        BinaryOp::Sub => |_, a, b| a - b,
        BinaryOp::Mul => |_, a, b| a * b,
        BinaryOp::Div => |_, a, b| a / b,
        BinaryOp::FloorDiv => |element, a, b| round_to_element(element, a / b).floor(),
        BinaryOp::Mod => |_, a, b| {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        },
        BinaryOp::Pow => |_, a, b| a.powf(b),
        BinaryOp::Max => |_, a, b| larger(a, b),
        BinaryOp::Min => |_, a, b| smaller(a, b),
        BinaryOp::Atan2 => |_, a, b| a.atan2(b),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => return None,
    })
}

/// The larger of two numbers; NaN if one is NaN. Of equal numbers the first.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

/// The smaller of two numbers; NaN if one is NaN. Of equal numbers the first.
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || a <= b { a } else { b }
}

fn of_ints(op: BinaryOp) -> Option<fn(i64, i64) -> i64> {
    Some(match op {
        BinaryOp::Add => i64::wrapping_add,
        BinaryOp::Sub => i64::wrapping_sub,
        BinaryOp::Mul => i64::wrapping_mul,
        BinaryOp::FloorDiv => floor_div,
        BinaryOp::Mod => modulo,
        BinaryOp::Pow => power,
        BinaryOp::Max => i64::max,
        BinaryOp::Min => i64::min,
        BinaryOp::And => |a, b| a & b,
        BinaryOp::Or => |a, b| a | b,
        BinaryOp::Xor => |a, b| a ^ b,
        BinaryOp::Div | BinaryOp::Atan2 => return None,
    })
}

/// The quotient rounded down; 0 for a division by 0.
fn floor_div(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let (quotient, rest) = (a.wrapping_div(b), a.wrapping_rem(b));
    if rest != 0 && (rest < 0) != (b < 0) { quotient - 1 } else { quotient }
}

/// The remainder of [`floor_div`], with the sign of the divisor; 0 for a division by 0.
fn modulo(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a.wrapping_sub(floor_div(a, b).wrapping_mul(b)) }
}

/// The power, modulo 2^64; results between -1 and 1 are truncated to 0.
fn power(base: i64, exponent: i64) -> i64 {
    match (base, exponent) {
        (1, _) => 1,
        (-1, _) => 1 - 2 * (exponent & 1),
        (_, ..0) => 0,
        _ => {
            let (mut result, mut square, mut left) = (1i64, base, exponent);
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
}

/// Two operands that broadcast to a shape.
struct Pairs<'a> {
    cx: &'a Evaluator<'a>,
    prim: &'static str,
    dims: &'a [usize],
    a: &'a Array,
    b: &'a Array,
}

impl Pairs<'_> {
    fn map<A, B, R>(&self, x: &[A], y: &[B], f: impl Fn(&A, &B) -> R) -> Result<Vec<R>> {
        self.try_map(x, y, |x, y| Ok(f(x, y)))
    }

    fn try_map<A, B, R>(&self, x: &[A], y: &[B], f: impl Fn(&A, &B) -> Result<R>) -> Result<Vec<R>> {
        let (left, right) =
            (Offsets::broadcast(self.a.dims(), self.dims), Offsets::broadcast(self.b.dims(), self.dims));
        let values = left.zip(right).map_while(|(i, j)| Some(f(x.get(i)?, y.get(j)?)));
        let out = self.cx.try_collect(self.dims, values)?;
        if out.len() == self.dims.iter().product::<usize>() {
            Ok(out)
        } else {
            Err(misfit(self.prim, &[self.a, self.b]))
        }
    }
}

impl Rule for Compare {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let op = self.op;
        let [a, b] = take(operands)?;
        let dims = broadcast_shapes(a.dims(), b.dims()).ok_or_else(|| misfit(op.name(), operands))?;
        let pairs = Pairs { cx, prim: op.name(), dims: &dims, a, b };
        let holds = match (a.data(), b.data()) {
            (Data::Float(x), Data::Float(y)) => pairs.map(x, y, |x, y| compare(op, x, y))?,
            (Data::Int(x), Data::Int(y)) => pairs.map(x, y, |x, y| compare(op, x, y))?,
            (Data::Bool(x), Data::Bool(y)) => pairs.map(x, y, |x, y| compare(op, x, y))?,
            (Data::Text(x), Data::Text(y)) => pairs.try_map(x, y, |x, y| {
                cx.look(x.len().min(y.len()))?;
                Ok(compare(op, x, y))
            })?,
            _ => return Err(Error::bug("a comparison of different element types")),
        };
        Ok(vec![Array::new(ElementType::Bool, dims, Data::Bool(holds))?])
    }
}

fn compare<T: PartialOrd>(op: CompareOp, a: &T, b: &T) -> bool {
    match op {
        CompareOp::Eq => a == b,
        CompareOp::Ne => a != b,
        CompareOp::Lt => a < b,
        CompareOp::Le => a <= b,
        CompareOp::Gt => a > b,
        CompareOp::Ge => a >= b,
    }
}

impl Rule for Select {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [condition, a, b] = take(operands)?;
        let dims = broadcast_shapes(a.dims(), b.dims()).and_then(|dims| broadcast_shapes(condition.dims(), &dims));
        let dims = dims.ok_or_else(|| misfit("select", operands))?;
        // The elements of `first`, then those of `second`; the condition picks from either.
        let (first, second) = (Offsets::broadcast(a.dims(), &dims), Offsets::broadcast(b.dims(), &dims));
        let chosen = Offsets::broadcast(condition.dims(), &dims);
        let truth = condition.bools()?;
        let offsets = chosen.zip(first.zip(second)).map(|(c, (i, j))| match truth.get(c) {
            Some(true) => i,
            Some(false) => a.elements().saturating_add(j),
            None => usize::MAX,
        });
        let both = join(a, [a, b].into_iter())?;
        Ok(vec![cx.pick(&both, &dims, offsets)?])
    }
}

impl Rule for Cast {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let to = self.to;
        let [x] = take(operands)?;
        let dims = x.dims();
        let data = match (x.data(), to) {
            (Data::Text(_), _) | (_, ElementType::String) => return Err(undefined("cast", ElementType::String)),
            (_, _) if to.is_float() => Data::Float(cx.collect(dims, x.to_floats()?.into_iter())?),
            (_, ElementType::Bool) => Data::Bool(cx.collect(dims, x.to_floats()?.into_iter().map(|x| x != 0.0))?),
            (Data::Float(x), _) => Data::Int(cx.collect(dims, x.iter().map(|&x| saturate(x, to)))?),
            _ => Data::Int(cx.collect(dims, x.to_ints()?.into_iter())?),
        };
        Ok(vec![Array::new(to, dims, data)?])
    }
}

/// The number truncated towards zero and clamped to the range of the integer type; 0 for NaN.
fn saturate(x: f64, to: ElementType) -> i64 {
    let (lowest, highest) = to.integer_range();
    (x as i64).clamp(lowest, highest)
}
