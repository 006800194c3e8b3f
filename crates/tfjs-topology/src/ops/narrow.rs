//! Integers of 8 and 16 bits. Their values are 32-bit integers here, and results of arithmetic wrap around at the bounds of
//! the narrow type, as TensorFlow's do.

use super::Op;
use super::order::OrderKind;
use super::reduce::ReduceKind;
use crate::call::Call;
use crate::graph::Callee;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::Layer;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::Result;

/// An integer type of up to 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Narrow {
    /// 8 bits with a sign.
    Int8,
    /// 8 bits.
    Uint8,
    /// 16 bits with a sign.
    Int16,
    /// 16 bits.
    Uint16,
}

impl Narrow {
    /// The type with this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "int8" => Narrow::Int8,
            "uint8" => Narrow::Uint8,
            "int16" => Narrow::Int16,
            "uint16" => Narrow::Uint16,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Narrow::Int8 => "int8",
            Narrow::Uint8 => "uint8",
            Narrow::Int16 => "int16",
            Narrow::Uint16 => "uint16",
        }
    }

    /// The least and the largest number.
    pub(crate) fn range(self) -> (f64, f64) {
        match self {
            Narrow::Int8 => (-128.0, 127.0),
            Narrow::Uint8 => (0.0, 255.0),
            Narrow::Int16 => (-32768.0, 32767.0),
            Narrow::Uint16 => (0.0, 65535.0),
        }
    }

    /// The type in which two meet; `None` for one of 32 bits.
    fn meeting(self, other: Self) -> Option<Self> {
        use Narrow::{Int8, Int16, Uint8, Uint16};
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Uint8, Uint16) | (Uint16, Uint8) => Some(Uint16),
            (Uint16, _) | (_, Uint16) => None,
            (Int8 | Uint8 | Int16, _) => Some(Int16),
        }
    }

    /// Wraps integers around at the bounds of the type, as a cast does.
    ///
    /// # Errors
    /// As [`Builder::push`](tfjs_ir::Builder::push).
    pub(crate) fn wrap(self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let (least, most) = self.range();
        let above = cx.binary_scalar(BinaryOp::Sub, x, least)?;
        let wrapped = cx.binary_scalar(BinaryOp::Mod, above, most - least + 1.0)?;
        cx.binary_scalar(BinaryOp::Add, wrapped, least)
    }
}

/// How the type of results follows from those of operands.
enum Rule {
    /// The results have other types, or the operation sets them.
    Own,
    /// Results are elements of the first operand.
    First,
    /// Results are elements of the operands.
    Common,
    /// As [`Rule::First`], and they may be out of range.
    FirstWrapped,
    /// As [`Rule::Common`], and they may be out of range.
    CommonWrapped,
    /// Not known.
    Unknown,
}

/// Layers whose results are indices of their own type.
const INDICES: [&str; 7] = [
    "Discretization",
    "IntegerLookup",
    "StringLookup",
    "Hashing",
    "HashedCrossing",
    "CategoryEncoding",
    "TextVectorization",
];

fn rule(callee: &Callee, class: &str, keras3: bool) -> Rule {
    let op = match callee {
        Callee::Layer(_) if class == "Resizing" => return Rule::Unknown,
        Callee::Layer(Layer::Custom(_)) => return Rule::Own,
        Callee::Layer(_) if INDICES.contains(&class) => return Rule::Own,
        Callee::Layer(_) => return Rule::CommonWrapped,
        Callee::Op(op) => op,
    };
    match op {
        Op::Make(_) | Op::Color(_) | Op::Compare(_) | Op::Shape(_) | Op::Search(_) | Op::Fill(_) => Rule::Own,
        Op::Image(_) if class.starts_with("Resize") => Rule::Unknown,
        Op::Rearrange(_)
        | Op::GetItem(_)
        | Op::Split(_)
        | Op::Arrange(_)
        | Op::Pad(_)
        | Op::Gather(_)
        | Op::Unstack(_)
        | Op::Diagonal(_)
        | Op::Image(_) => Rule::First,
        Op::Join(_) | Op::Where(_) | Op::Choose(_) | Op::Switch(_) => Rule::Common,
        Op::Binary(_) | Op::Unary(_) | Op::Elementary(_) | Op::Pair(_) | Op::Several(_) => Rule::CommonWrapped,
        Op::Reduce(reduce) => match reduce.kind {
            ReduceKind::Max | ReduceKind::Min => Rule::First,
            // Keras 3 sums in 32 bits.
            ReduceKind::Sum | ReduceKind::Prod if keras3 => Rule::Own,
            ReduceKind::Sum | ReduceKind::Prod => Rule::FirstWrapped,
            ReduceKind::Any | ReduceKind::All => Rule::Own,
            _ => Rule::Unknown,
        },
        Op::Order(order) => match order.kind {
            OrderKind::CumSum | OrderKind::CumProd | OrderKind::Sort | OrderKind::TopK => Rule::FirstWrapped,
            OrderKind::Diff => Rule::FirstWrapped,
            _ => Rule::Own,
        },
        _ => Rule::Unknown,
    }
}

/// The type in which the integers among tensors meet; `None` if one has 32 bits or more.
fn common<'a>(cx: &LowerCx<'_>, tensors: impl Iterator<Item = &'a KerasTensor>) -> Option<Narrow> {
    let mut integers = tensors.filter(|tensor| cx.ty(tensor.value).element != ElementType::Bool);
    let first = integers.next()?.narrow?;
    integers.try_fold(first, |all, tensor| all.meeting(tensor.narrow?))
}

/// Gives the results of a call the narrow type that follows from its operands, and wraps what may be out of range.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn passed_on(
    cx: &mut LowerCx<'_>,
    callee: &Callee,
    call: &Call<KerasTensor>,
    mut results: Vec<KerasTensor>,
) -> Result<Vec<KerasTensor>> {
    let operands: Vec<&KerasTensor> = call.tensors();
    let Some(narrow) = operands.iter().find_map(|operand| operand.narrow) else { return Ok(results) };
    let (name, class) = cx
        .current_layer()
        .map_or((String::new(), String::new()), |layer| (layer.name.clone(), layer.class_name.clone()));
    let rule = rule(callee, &class, cx.is_keras3());
    let (to, wraps) = match rule {
        Rule::Own => return Ok(results),
        Rule::First => (common(cx, operands.into_iter().take(1)), false),
        Rule::FirstWrapped => (common(cx, operands.into_iter().take(1)), true),
        Rule::Common => (common(cx, operands.into_iter()), false),
        Rule::CommonWrapped => (common(cx, operands.into_iter()), true),
        Rule::Unknown => {
            let whole =
                |tensor: &KerasTensor| matches!(cx.ty(tensor.value).element, ElementType::I32 | ElementType::I64);
            if results.iter().any(|result| result.narrow.is_none() && whole(result)) {
                cx.warn(format!(
                    "`{name}` ({class}): integers of type `{}` are computed with 32 bits here; results out of their range \
                     differ",
                    narrow.name()
                ));
            }
            return Ok(results);
        }
    };
    let Some(to) = to else { return Ok(results) };
    for (place, result) in results.iter_mut().enumerate() {
        // The second result of `top_k` is indices.
        let own = result.narrow.is_some() || (place > 0 && matches!(rule, Rule::FirstWrapped));
        if own || cx.ty(result.value).element != ElementType::I32 {
            continue;
        }
        if wraps {
            result.value = to.wrap(cx, result.value)?;
            result.sizes = None;
        }
        result.narrow = Some(to);
    }
    Ok(results)
}
