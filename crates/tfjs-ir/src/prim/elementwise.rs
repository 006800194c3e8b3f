//! Elementwise functions of one and two operands, comparisons, selections, casts. Shapes broadcast by NumPy's rule.

use super::infer::{of_element, same_element, take};
use super::{primitive, words};
use crate::ty::{ElementType, Type};
use tfjs_manifest::Error;

words! {
    /// A function of one number.
    UnaryOp {
        /// `-x`; integers wrap.
        Neg = "neg",
        /// `|x|`.
        Abs = "abs",
        /// -1, 0 or 1; NaN stays NaN.
        Sign = "sign",
        /// The largest whole number that is not larger.
        Floor = "floor",
        /// The smallest whole number that is not smaller.
        Ceil = "ceil",
        /// The nearest whole number, ties to even.
        RoundEven = "round_even",
        /// `exp(x)`.
        Exp = "exp",
        /// `exp(x) - 1`, exact near 0.
        Expm1 = "expm1",
        /// The natural logarithm.
        Log = "log",
        /// `log(1 + x)`, exact near 0.
        Log1p = "log1p",
        /// The square root.
        Sqrt = "sqrt",
        /// One over the square root.
        Rsqrt = "rsqrt",
        /// The sine.
        Sin = "sin",
        /// The cosine.
        Cos = "cos",
        /// The tangent.
        Tan = "tan",
        /// The inverse of the sine.
        Asin = "asin",
        /// The inverse of the cosine.
        Acos = "acos",
        /// The inverse of the tangent.
        Atan = "atan",
        /// The hyperbolic sine.
        Sinh = "sinh",
        /// The hyperbolic cosine.
        Cosh = "cosh",
        /// The hyperbolic tangent.
        Tanh = "tanh",
        /// The inverse of the hyperbolic sine.
        Asinh = "asinh",
        /// The inverse of the hyperbolic cosine.
        Acosh = "acosh",
        /// The inverse of the hyperbolic tangent.
        Atanh = "atanh",
        /// The error function.
        Erf = "erf",
        /// Logical negation, of truth values.
        Not = "not",
        /// Whether the number is NaN. The result is a truth value.
        IsNan = "is_nan",
        /// Whether the number is neither NaN nor infinite. The result is a truth value.
        IsFinite = "is_finite",
    }
}

primitive! {
    /// Applies a function to each element.
    Unary {
        /// The function.
        op: UnaryOp,
    }
    infer(self, _cx, operands) {
        let [x] = take(operands)?;
        let integers = matches!(self.op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign);
        let fits = match self.op {
            UnaryOp::Not => x.element == ElementType::Bool,
            _ => x.element.is_float() || (integers && x.element.is_integer()),
        };
        if !fits {
            return Err(Error::bug(format!("`{}` of `{}`", self.op.name(), x.element)));
        }
        let truth = matches!(self.op, UnaryOp::IsNan | UnaryOp::IsFinite);
        Ok(vec![if truth { x.with_element(ElementType::Bool) } else { x.clone() }])
    }
}

words! {
    /// A function of two numbers.
    BinaryOp {
        /// `a + b`.
        Add = "add",
        /// `a - b`.
        Sub = "sub",
        /// `a * b`.
        Mul = "mul",
        /// `a / b`; floating point only.
        Div = "div",
        /// `floor(a / b)`. For integers, 0 if `b` is 0.
        FloorDiv = "floor_div",
        /// `a - b * floor(a / b)`: the sign of the divisor, as in Python. For integers, 0 if `b` is 0.
        Mod = "mod",
        /// `a ^ b`.
        Pow = "pow",
        /// The larger; NaN if either is NaN.
        Max = "max",
        /// The smaller; NaN if either is NaN.
        Min = "min",
        /// The angle of the point `(b, a)`; floating point only.
        Atan2 = "atan2",
        /// Both: logical for truth values, bitwise for integers.
        And = "and",
        /// One or both: logical for truth values, bitwise for integers.
        Or = "or",
        /// Exactly one: logical for truth values, bitwise for integers.
        Xor = "xor",
    }
}

primitive! {
    /// Applies a function to pairs of elements.
    Binary {
        /// The function.
        op: BinaryOp,
    }
    infer(self, cx, operands) {
        let [a, b] = take(operands)?;
        let element = same_element(a, b)?;
        let logic = matches!(self.op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
        let fits = match self.op {
            _ if logic => element == ElementType::Bool || element.is_integer(),
            BinaryOp::Div | BinaryOp::Atan2 => element.is_float(),
            _ => element.is_float() || element.is_integer(),
        };
        if !fits {
            return Err(Error::bug(format!("`{}` of `{element}`", self.op.name())));
        }
        Ok(vec![Type::new(element, cx.broadcast_all(&a.dims, &b.dims)?)])
    }
}

words! {
    /// A comparison.
    CompareOp {
        /// `a == b`.
        Eq = "eq",
        /// `a != b`; true if one is NaN.
        Ne = "ne",
        /// `a < b`.
        Lt = "lt",
        /// `a <= b`.
        Le = "le",
        /// `a > b`.
        Gt = "gt",
        /// `a >= b`.
        Ge = "ge",
    }
}

primitive! {
    /// Compares pairs of elements.
    Compare {
        /// The comparison.
        op: CompareOp,
    }
    infer(self, cx, operands) {
        let [a, b] = take(operands)?;
        same_element(a, b)?;
        Ok(vec![Type::new(ElementType::Bool, cx.broadcast_all(&a.dims, &b.dims)?)])
    }
}

primitive! {
    /// `condition ? a : b`. Operands: condition (truth values), a, b.
    Select {}
    infer(self, cx, operands) {
        let [condition, a, b] = take(operands)?;
        of_element(condition, ElementType::Bool)?;
        let element = same_element(a, b)?;
        let values = cx.broadcast_all(&a.dims, &b.dims)?;
        Ok(vec![Type::new(element, cx.broadcast_all(&condition.dims, &values)?)])
    }
}

primitive! {
    /// Converts elements to another type. Floating point is truncated towards zero to an integer; NaN becomes 0 and
    /// numbers out of range are clamped. Truth values become 0 and 1; numbers other than 0 become true.
    Cast {
        /// The element type of the result.
        to: ElementType,
    }
    infer(self, _cx, operands) {
        let [x] = take(operands)?;
        if x.element == ElementType::String || self.to == ElementType::String {
            return Err(Error::bug("text is not cast"));
        }
        Ok(vec![x.with_element(self.to)])
    }
}
