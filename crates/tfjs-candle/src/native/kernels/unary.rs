//! Unary functions and casts.

use crate::native::buffer::{Element, Repr};
use crate::native::io::Io;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::math::erf;
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_kernels::{Activation, activate};
use tfjs_manifest::{Error, Result};

/// Elements that are computed between two looks at the clock.
const BLOCK: usize = 1 << 16;

#[derive(Debug)]
struct Unary {
    op: UnaryOp,
    repr: Repr,
}

#[derive(Debug)]
struct Cast {
    from: Repr,
    to: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let &[x] = &node.operands[..] else { return None };
    let repr = Repr::of(view.element(x)).ok()?;
    if !view.all_plain(node) {
        return None;
    }
    match &node.prim {
        Prim::Unary(unary) => Some(Claim::of(Unary { op: unary.op, repr }, index, [x], node.results.clone())),
        Prim::Cast(cast) => {
            let kernel = Cast { from: repr, to: Repr::of(cast.to).ok()? };
            Some(Claim::of(kernel, index, [x], node.results.clone()))
        }
        _ => None,
    }
}

/// `out = f(x)`, as a prepared kernel.
fn each<X: Element, R: Element>(f: impl Fn(X) -> R + Send + Sync + 'static) -> Prepared {
    Prepared::new(move |io: &mut Io<'_>| {
        let (x, clock) = (io.ins.get::<X>(0)?, io.cx.clock());
        for (out, x) in io.outs.get::<R>(0)?.chunks_mut(BLOCK).zip(x.chunks(BLOCK)) {
            clock.look(BLOCK)?;
            out.iter_mut().zip(x).for_each(|(out, &x)| *out = f(x));
        }
        Ok(())
    })
}

/// A vectorized activation of the kernels crate, in place.
fn vectorized(activation: Activation) -> Prepared {
    Prepared::new(move |io| {
        let cpu = io.cx.cpu;
        activate(cpu, activation, io.first_holding(0)?);
        Ok(())
    })
}

impl Unary {
    fn kernel(&self) -> Option<Activation> {
        match (self.op, self.repr) {
            (UnaryOp::Exp, Repr::F32) => Some(Activation::Exponential),
            (UnaryOp::Tanh, Repr::F32) => Some(Activation::Tanh),
            _ => None,
        }
    }
}

impl Kernel for Unary {
    fn describe(&self) -> String {
        format!("unary {}", self.op.name())
    }

    fn overwrites(&self) -> &[usize] {
        if self.kernel().is_some() { &[0] } else { &[] }
    }

    fn prepare(&self, _shapes: &Shapes<'_>) -> Result<Prepared> {
        if let Some(activation) = self.kernel() {
            return Ok(vectorized(activation));
        }
        match (self.repr, self.op) {
            (Repr::F32, op) => float(op),
            (Repr::Bool, UnaryOp::Not) => Ok(each(|x: bool| !x)),
            (Repr::I32, UnaryOp::Neg) => Ok(each(i32::wrapping_neg)),
            (Repr::I32, UnaryOp::Abs) => Ok(each(i32::wrapping_abs)),
            (Repr::I32, UnaryOp::Sign) => Ok(each(i32::signum)),
            (Repr::I64, UnaryOp::Neg) => Ok(each(i64::wrapping_neg)),
            (Repr::I64, UnaryOp::Abs) => Ok(each(i64::wrapping_abs)),
            (Repr::I64, UnaryOp::Sign) => Ok(each(i64::signum)),
            (Repr::U8, UnaryOp::Neg) => Ok(each(u8::wrapping_neg)),
            (Repr::U8, UnaryOp::Abs) => Ok(each(|x: u8| x)),
            (Repr::U8, UnaryOp::Sign) => Ok(each(|x: u8| x.min(1))),
            (_, op) => Err(undefined(op)),
        }
    }
}

fn undefined(op: UnaryOp) -> Error {
    Error::bug(format!("`{}` of elements it is not defined for", op.name()))
}

fn float(op: UnaryOp) -> Result<Prepared> {
    Ok(match op {
        UnaryOp::Neg => each(|x: f32| -x),
        UnaryOp::Abs => each(f32::abs),
        // Zero and NaN are unchanged.
        UnaryOp::Sign => each(|x: f32| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }),
        UnaryOp::Floor => each(f32::floor),
        UnaryOp::Ceil => each(f32::ceil),
        UnaryOp::RoundEven => each(f32::round_ties_even),
        UnaryOp::Exp => each(f32::exp),
        UnaryOp::Expm1 => each(f32::exp_m1),
        UnaryOp::Log => each(f32::ln),
        UnaryOp::Log1p => each(f32::ln_1p),
        UnaryOp::Sqrt => each(f32::sqrt),
        UnaryOp::Rsqrt => each(|x: f32| 1.0 / x.sqrt()),
        UnaryOp::Sin => each(f32::sin),
        UnaryOp::Cos => each(f32::cos),
        UnaryOp::Tan => each(f32::tan),
        UnaryOp::Asin => each(f32::asin),
        UnaryOp::Acos => each(f32::acos),
        UnaryOp::Atan => each(f32::atan),
        UnaryOp::Sinh => each(f32::sinh),
        UnaryOp::Cosh => each(f32::cosh),
        UnaryOp::Tanh => each(f32::tanh),
        // Single precision would lose digits near the ends of their domains.
        UnaryOp::Asinh => each(|x: f32| f64::from(x).asinh() as f32),
        UnaryOp::Acosh => each(|x: f32| f64::from(x).acosh() as f32),
        UnaryOp::Atanh => each(|x: f32| f64::from(x).atanh() as f32),
        UnaryOp::Erf => each(|x: f32| erf(f64::from(x)) as f32),
        UnaryOp::IsNan => each(f32::is_nan),
        UnaryOp::IsFinite => each(f32::is_finite),
        UnaryOp::Not => return Err(undefined(op)),
    })
}

impl Kernel for Cast {
    fn describe(&self) -> String {
        "cast".to_string()
    }

    fn prepare(&self, _shapes: &Shapes<'_>) -> Result<Prepared> {
        match self.from {
            Repr::F32 => cast_from(self.to, |x: f32| x as i32, |x| x as i64, |x| x as u8, |x| x, |x| x != 0.0),
            Repr::I32 => cast_from(self.to, |x: i32| x, i64::from, |x| x as u8, |x| x as f32, |x| x != 0),
            Repr::I64 => cast_from(self.to, |x: i64| x as i32, |x| x, |x| x as u8, |x| x as f32, |x| x != 0),
            Repr::U8 => cast_from(self.to, |x: u8| i32::from(x), i64::from, |x| x, f32::from, |x| x != 0),
            Repr::Bool => {
                cast_from(self.to, |x: bool| i32::from(x), i64::from, u8::from, |x| f32::from(u8::from(x)), |x| x)
            }
            Repr::Text => Err(Error::bug("text is not cast")),
        }
    }
}

/// A cast to the required type.
fn cast_from<X: Element>(
    to: Repr,
    to_i32: impl Fn(X) -> i32 + Send + Sync + 'static,
    to_i64: impl Fn(X) -> i64 + Send + Sync + 'static,
    to_u8: impl Fn(X) -> u8 + Send + Sync + 'static,
    to_f32: impl Fn(X) -> f32 + Send + Sync + 'static,
    to_bool: impl Fn(X) -> bool + Send + Sync + 'static,
) -> Result<Prepared> {
    Ok(match to {
        Repr::F32 => each(to_f32),
        Repr::I32 => each(to_i32),
        Repr::I64 => each(to_i64),
        Repr::U8 => each(to_u8),
        Repr::Bool => each(to_bool),
        Repr::Text => return Err(Error::bug("nothing is cast to text")),
    })
}
