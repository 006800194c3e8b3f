//! Functions of square matrices, and of their triangular factors.
//!
//! Reference: `tf.linalg.expm` (Higham, *The scaling and squaring method for the matrix exponential revisited*),
//! `tf.linalg.sqrtm`, `tf.linalg.lu_solve` and its relatives.

use super::FromOpConfig;
use super::args::Args;
use super::elementary::where_or;
use super::matrices::{self, Batch};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use std::f64::consts::LN_2;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// A function of the matrices in the last two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixFunction {
    /// The function.
    pub kind: MatrixFunctionKind,
    /// No known keys.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixFunctionKind {
    /// The exponential.
    Exponential,
    /// The square root whose eigenvalues have positive real parts.
    Root,
    /// Solves an equation, given the triangular factors of the matrix and its permutation.
    LuSolve,
    /// The product of the triangular factors, with the permutation undone.
    LuReconstruct,
    /// The inverse, given the same.
    LuInverse,
}

impl FromOpConfig for MatrixFunction {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use MatrixFunctionKind as K;
        let kind = match class {
            "MatrixExponential" => K::Exponential,
            "MatrixSquareRoot" => K::Root,
            "LuSolve" => K::LuSolve,
            "LuReconstruct" => K::LuReconstruct,
            "LuMatrixInverse" => K::LuInverse,
            other => return Err(Error::bug(format!("`{other}` is listed as a function of matrices"))),
        };
        Ok(MatrixFunction { kind, params: Params::read(config) })
    }
}

/// The product of matrices `[batch, n, n]`.
fn product(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    cx.dot(a, b, &[(0, 0)], &[(2, 1)])
}

/// The largest norm of single precision whose exponential is approximated without squaring.
const LARGEST_NORM: f64 = 3.925_724_783_138_66;
/// As many squarings as the exponent of a number can require.
const SQUARINGS: usize = 128;
/// The coefficients of the approximation by a fraction, those of the even powers first.
const EVEN: [f64; 4] = [17_297_280.0, 1_995_840.0, 25_200.0, 56.0];
const ODD: [f64; 4] = [8_648_640.0, 277_200.0, 1_512.0, 1.0];

fn exponential(cx: &mut LowerCx<'_>, a: Value, n: Dim) -> Result<Value> {
    let size = cx.unary(UnaryOp::Abs, a)?;
    let sums = cx.reduce(ReduceOp::Sum, size, &[1], true)?;
    let norm = cx.reduce(ReduceOp::Max, sums, &[2], true)?;
    // TensorFlow rounds down.
    let share = cx.binary_scalar(BinaryOp::Div, norm, LARGEST_NORM)?;
    let log = cx.unary(UnaryOp::Log, share)?;
    let log = cx.binary_scalar(BinaryOp::Mul, log, 1.0 / LN_2)?;
    let squarings = cx.unary(UnaryOp::Floor, log)?;
    let squarings = cx.binary_scalar(BinaryOp::Max, squarings, 0.0)?;
    let exponent = cx.binary_scalar(BinaryOp::Mul, squarings, LN_2)?;
    let power = cx.unary(UnaryOp::Exp, exponent)?;
    let power = cx.unary(UnaryOp::RoundEven, power)?;
    let a = cx.div(a, power)?;
    let unit = matrices::units(cx, a, n)?;
    let square = product(cx, a, a)?;
    let fourth = product(cx, square, square)?;
    let sixth = product(cx, fourth, square)?;
    let powers = [unit, square, fourth, sixth];
    let mut sum = |coefficients: [f64; 4]| {
        let mut sum = None;
        for (power, c) in powers.into_iter().zip(coefficients) {
            let term = cx.binary_scalar(BinaryOp::Mul, power, c)?;
            sum = Some(match sum {
                Some(sum) => cx.add(sum, term)?,
                None => term,
            });
        }
        sum.ok_or_else(|| Error::bug("a sum of no powers"))
    };
    let (even, odd) = (sum(EVEN)?, sum(ODD)?);
    let odd = product(cx, a, odd)?;
    let (above, below) = (cx.add(even, odd)?, cx.sub(even, odd)?);
    let value = matrices::solved(cx, below, above)?;
    let length = cx.number(SQUARINGS);
    let numbers = cx.iota(0, &[length], ElementType::F32)?;
    let numbers = cx.cast_like(numbers, a)?;
    let over =
        Loop { carries: &[value], sequences: &[numbers], invariants: &[squarings], length, axis: 0, reverse: false };
    let (finals, _) = cx.scan(over, |b, carries, elements, invariants| {
        let square = b.dot(carries[0], carries[0], &[(0, 0)], &[(2, 1)])?;
        let open = b.compare(CompareOp::Lt, elements[0], invariants[0])?;
        Ok((vec![b.select(open, square, carries[0])?], Vec::new()))
    })?;
    Ok(finals[0])
}

/// Steps of the iteration for the square root. Convergence is quadratic: eight are enough for condition numbers that
/// single precision can represent.
const ROOT_STEPS: usize = 12;

/// The root of the sum of squares of each matrix, `[batch, 1, 1]`.
fn norm(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let squares = cx.mul(x, x)?;
    let sum = cx.reduce(ReduceOp::Sum, squares, &[1, 2], true)?;
    cx.unary(UnaryOp::Sqrt, sum)
}

/// The square root by the product form of the iteration of Denman and Beavers, scaled by norms.
fn root(cx: &mut LowerCx<'_>, a: Value, n: Dim) -> Result<Value> {
    let unit = matrices::units(cx, a, n)?;
    let (mut root, mut rest) = (a, a);
    for _ in 0..ROOT_STEPS {
        let inverse = matrices::solved(cx, rest, unit)?;
        let (of_inverse, of_rest) = (norm(cx, inverse)?, norm(cx, rest)?);
        let ratio = cx.div(of_inverse, of_rest)?;
        let square = cx.unary(UnaryOp::Sqrt, ratio)?;
        let scale = cx.unary(UnaryOp::Sqrt, square)?;
        let (rising, falling) = (cx.mul(rest, square)?, cx.div(inverse, square)?);
        let factor = cx.add(unit, falling)?;
        let next = product(cx, root, factor)?;
        let next = cx.mul(next, scale)?;
        root = cx.binary_scalar(BinaryOp::Mul, next, 0.5)?;
        let mean = cx.add(rising, falling)?;
        let mean = cx.binary_scalar(BinaryOp::Mul, mean, 0.25)?;
        let half = cx.binary_scalar(BinaryOp::Mul, unit, 0.5)?;
        rest = cx.add(mean, half)?;
    }
    // The iteration does not converge for negative eigenvalues, for which there is no real root.
    let square = product(cx, root, root)?;
    let difference = cx.sub(square, a)?;
    let (missed, whole) = (norm(cx, difference)?, norm(cx, a)?);
    let allowed = cx.binary_scalar(BinaryOp::Mul, whole, 1e-2)?;
    let converged = cx.compare(CompareOp::Le, missed, allowed)?;
    where_or(cx, converged, root, f64::NAN)
}

/// Both triangular factors in one matrix, and a permutation.
struct Factors {
    batch: Batch,
    /// The lower factor, with ones on its diagonal.
    lower: Value,
    /// A row for each row of the product of the factors: 1 at the row of the original matrix.
    rows: Value,
}

impl Factors {
    fn read(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Self> {
        let factors = args.need_value(cx, &["lower_upper"], Some(0))?;
        let order = args.need_value(cx, &["perm"], Some(1))?;
        let batch = Batch::square(cx, factors)?;
        let dims = cx.dims_of(order);
        let expected: Vec<Dim> = batch.lead.iter().copied().chain([batch.rows]).collect();
        let fits = dims.len() == expected.len() && dims.iter().zip(&expected).all(|(&a, &b)| cx.same(a, b).is_some());
        if !fits || !cx.ty(order).element.is_integer() {
            let (factors, order) = (cx.shape(factors), cx.shape(order));
            return Err(Error::malformed(format!(
                "shapes {factors} and {order} are not factors and their permutation"
            )));
        }
        let lead = cx.dims_of(batch.value)[0];
        let order = cx.reshape(order, &[lead, batch.rows])?;
        let element = cx.ty(batch.value).element;
        let rows = cx.one_hot(order, batch.rows, element)?;
        let (row, column) = (
            cx.iota(1, &[Dim::ONE, batch.rows, Dim::ONE], ElementType::I64)?,
            cx.iota(2, &[Dim::ONE, Dim::ONE, batch.rows], ElementType::I64)?,
        );
        let below = cx.compare(CompareOp::Gt, row, column)?;
        let unit = matrices::units(cx, batch.value, batch.rows)?;
        let lower = cx.select(below, batch.value, unit)?;
        Ok(Factors { batch, lower, rows })
    }

    fn solved(&self, cx: &mut LowerCx<'_>, right: Value) -> Result<Value> {
        let right = product(cx, self.rows, right)?;
        let first = matrices::solved_triangular(cx, self.lower, right, true)?;
        matrices::solved_triangular(cx, self.batch.value, first, false)
    }

    fn reconstructed(&self, cx: &mut LowerCx<'_>) -> Result<Value> {
        let n = self.batch.rows;
        let (row, column) = (
            cx.iota(1, &[Dim::ONE, n, Dim::ONE], ElementType::I64)?,
            cx.iota(2, &[Dim::ONE, Dim::ONE, n], ElementType::I64)?,
        );
        let kept = cx.compare(CompareOp::Le, row, column)?;
        let zero = cx.scalar_like(self.batch.value, 0.0)?;
        let upper = cx.select(kept, self.batch.value, zero)?;
        let whole = product(cx, self.lower, upper)?;
        cx.dot(self.rows, whole, &[(0, 0)], &[(1, 1)])
    }
}

impl MatrixFunction {
    fn of_factors(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        let factors = Factors::read(cx, args)?;
        let value = match self.kind {
            MatrixFunctionKind::LuReconstruct => factors.reconstructed(cx)?,
            MatrixFunctionKind::LuInverse => {
                let unit = matrices::units(cx, factors.batch.value, factors.batch.rows)?;
                factors.solved(cx, unit)?
            }
            _ => {
                let right = args.need_value(cx, &["rhs"], Some(2))?;
                let right = Batch::of(cx, right)?;
                let lead = &factors.batch.lead;
                let fits = lead.len() == right.lead.len()
                    && lead.iter().zip(&right.lead).all(|(&a, &b)| cx.same(a, b).is_some());
                if !fits || cx.same(factors.batch.rows, right.rows).is_none() {
                    let (a, b) = (cx.shape(factors.batch.value), cx.shape(right.value));
                    let message = format!("shapes {a} and {b} are not the two sides of an equation");
                    return Err(Error::malformed(message));
                }
                let right = cx.cast_like(right.value, factors.batch.value)?;
                factors.solved(cx, right)?
            }
        };
        factors.batch.restore(cx, value)
    }
}

impl LayerDef for MatrixFunction {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use MatrixFunctionKind as K;
        let args = Args::new(&self.params, call);
        args.inert(&["validate_args"]);
        let value = match self.kind {
            K::LuSolve | K::LuReconstruct | K::LuInverse => self.of_factors(cx, &args)?,
            K::Exponential | K::Root => {
                let x = args.numbers(cx, &[])?.value;
                let batch = Batch::square(cx, x)?;
                let of = if self.kind == K::Root { root } else { exponential };
                let value = of(cx, batch.value, batch.rows)?;
                batch.restore(cx, value)?
            }
        };
        args.finish(cx);
        Ok(vec![value.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("MatrixExponential", json!({}), json!(["f:?,?,3,3"]), json!({}), "float32[?,?,3,3]");
        check("MatrixSquareRoot", json!({}), json!(["f:3,3"]), json!({}), "float32[3,3]");
        let factors = || json!(["f:?,3,3", "i:?,3"]);
        check("LuReconstruct", json!({}), factors(), json!({}), "float32[?,3,3]");
        check("LuMatrixInverse", json!({}), factors(), json!({}), "float32[?,3,3]");
        check("LuSolve", json!({}), factors(), json!({"rhs": "f:?,3,2"}), "float32[?,3,2]");
    }

    #[test]
    fn refuses() {
        refused("MatrixExponential", json!(["f:?,3,4"]), "expected square matrices, found shape [?,3,4]");
        let message = "shapes [?,3,3] and [?,4] are not factors and their permutation";
        refused("LuReconstruct", json!(["f:?,3,3", "i:?,4"]), message);
        let message = "shapes [?,3,3] and [?,4,1] are not the two sides of an equation";
        refused("LuSolve", json!(["f:?,3,3", "i:?,3", "f:?,4,1"]), message);
    }
}
