//! Decompositions of matrices by their eigenvalues and singular values, and what is computed from these: the rank, the
//! pseudoinverse, least squares.
//!
//! Reference: `keras.ops.linalg`, `tf.linalg`. The sign of an eigenvector or of a pair of singular vectors is arbitrary,
//! and may differ from that of LAPACK.

use super::FromOpConfig;
use super::args::Args;
use super::jacobi::{self, Singular};
use super::matrices::{self, Batch};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An operation by eigenvalues or singular values of the matrices in the last two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Decompose {
    /// The operation.
    pub kind: DecomposeKind,
    /// `full_matrices`, `compute_uv`, `rcond`, `tol`, `fast`, `l2_regularizer`, `select`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecomposeKind {
    /// The eigenvalues and eigenvectors of symmetric matrices.
    Symmetric,
    /// The eigenvalues of symmetric matrices.
    SymmetricValues,
    /// The eigenvalues of symmetric matrices, given their diagonal and the one beside it, and the eigenvectors if they are
    /// wanted.
    Tridiagonal,
    /// The singular value decomposition.
    Singular {
        /// Whether the values come first, and the right vectors are columns; otherwise they are second, and the right
        /// vectors are rows.
        values_first: bool,
    },
    /// The pseudoinverse.
    PseudoInverse,
    /// The number of singular values that are not nearly 0.
    Rank,
    /// Least squares by the pseudoinverse, of one matrix.
    LeastSquares,
    /// Least squares of TensorFlow, by the normal equations or the pseudoinverse.
    NormalEquations,
}

impl FromOpConfig for Decompose {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use DecomposeKind as K;
        let kind = match class {
            "Eigh" => K::Symmetric,
            "Eigvalsh" => K::SymmetricValues,
            "EighTridiagonal" => K::Tridiagonal,
            "SVD" => K::Singular { values_first: false },
            "SingularValuesFirst" => K::Singular { values_first: true },
            "Pinv" => K::PseudoInverse,
            "MatrixRank" => K::Rank,
            "Lstsq" => K::LeastSquares,
            "NormalEquations" => K::NormalEquations,
            other => return Err(Error::bug(format!("`{other}` is listed as a decomposition"))),
        };
        Ok(Decompose { kind, params: Params::read(config) })
    }
}

const EPSILON: f64 = f32::EPSILON as f64;

/// Matrices in single precision, of known size.
struct Sized {
    batch: Batch,
    rows: usize,
    columns: usize,
    /// The element type of the results.
    element: ElementType,
}

impl Sized {
    fn of(cx: &mut LowerCx<'_>, x: Value) -> Result<Self> {
        let mut batch = Batch::of(cx, x)?;
        let element = cx.ty(batch.value).element;
        batch.value = cx.cast(batch.value, ElementType::F32)?;
        let what = "the size of matrices whose eigenvalues or singular values are computed";
        let (rows, columns) = (cx.known(batch.rows, what, x)?, cx.known(batch.columns, what, x)?);
        if rows == 0 || columns == 0 {
            return Err(Error::malformed(format!("expected matrices with elements, found shape {}", cx.shape(x))));
        }
        Ok(Sized { batch, rows, columns, element })
    }

    /// Whether there are more columns than rows, so that the transpose is decomposed.
    fn is_wide(&self) -> bool {
        self.columns > self.rows
    }

    fn largest(&self) -> f64 {
        self.rows.max(self.columns) as f64
    }

    /// The decomposition of the matrix, or of its transpose if that has fewer columns.
    fn singular(&self, cx: &mut LowerCx<'_>, vectors: bool) -> Result<Singular> {
        let (wide, n) = (self.is_wide(), self.rows.min(self.columns));
        let tall = if wide { cx.transpose(self.batch.value, &[0, 2, 1])? } else { self.batch.value };
        jacobi::singular(cx, tall, n, vectors)
    }

    fn restore(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let x = self.batch.restore(cx, x)?;
        cx.cast(x, self.element)
    }

    /// The pseudoinverse `[batch, columns, rows]`. Singular values are 0 unless they compare to `share` of the largest
    /// as `op`.
    fn inverse(&self, cx: &mut LowerCx<'_>, op: CompareOp, share: f64) -> Result<Value> {
        let Singular { scale, values, vectors } = self.singular(cx, true)?;
        let (right, products) = vectors.ok_or_else(|| Error::bug("a decomposition without its vectors"))?;
        let most = cx.reduce(ReduceOp::Max, values, &[1], true)?;
        let least = cx.binary_scalar(BinaryOp::Mul, most, share)?;
        let kept = cx.compare(op, values, least)?;
        // The products with a scaled matrix are left vectors times scaled values: two divisions by the values are left.
        let scale = cx.remove_axis(scale, 2)?;
        let scaled = cx.div(values, scale)?;
        let square = cx.mul(scaled, scaled)?;
        let square = cx.mul(square, scale)?;
        let (one, zero) = (cx.scalar_like(square, 1.0)?, cx.scalar_like(square, 0.0)?);
        let divisor = cx.select(kept, square, one)?;
        let inverse = cx.div(one, divisor)?;
        let inverse = cx.select(kept, inverse, zero)?;
        let inverse = cx.insert_axis(inverse, 1)?;
        let right = cx.mul(right, inverse)?;
        if self.is_wide() {
            cx.dot(products, right, &[(0, 0)], &[(2, 2)])
        } else {
            cx.dot(right, products, &[(0, 0)], &[(2, 2)])
        }
    }
}

/// The singular values of the matrices in two axes, `[.., n]` after the other axes.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for matrices of unknown size.
pub(super) fn singular_values(cx: &mut LowerCx<'_>, x: Value, [low, high]: [usize; 2]) -> Result<Value> {
    let rank = cx.ty(x).rank();
    let order: Vec<usize> = (0..rank).filter(|axis| ![low, high].contains(axis)).chain([low, high]).collect();
    let x = cx.transpose(x, &order)?;
    let sized = Sized::of(cx, x)?;
    let values = sized.singular(cx, false)?.values;
    sized.restore(cx, values)
}

/// A symmetric matrix from the lower half of a square one, as LAPACK reads it.
fn symmetric(cx: &mut LowerCx<'_>, x: Value) -> Result<Sized> {
    let mut sized = Sized::of(cx, x)?;
    if sized.rows != sized.columns {
        return Err(Error::malformed(format!("expected square matrices, found shape {}", cx.shape(x))));
    }
    let n = sized.batch.rows;
    let row = cx.iota(1, &[Dim::ONE, n, Dim::ONE], ElementType::I64)?;
    let column = cx.iota(2, &[Dim::ONE, Dim::ONE, n], ElementType::I64)?;
    let lower = cx.compare(CompareOp::Ge, row, column)?;
    let turned = cx.transpose(sized.batch.value, &[0, 2, 1])?;
    sized.batch.value = cx.select(lower, sized.batch.value, turned)?;
    Ok(sized)
}

/// Symmetric matrices with this diagonal `[.., n]`, and this one beside it `[.., n - 1]`.
fn tridiagonal(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let alpha = args.need_value(cx, &["alpha"], Some(0))?;
    let beta = args.need_value(cx, &["beta"], Some(1))?;
    args.inert(&["tol"]);
    let (alpha, beta) = (cx.to_float(alpha)?, cx.to_float(beta)?);
    let beta = cx.cast_like(beta, alpha)?;
    let last = cx.axis(-1, alpha)?;
    cx.axis(-1, beta)?;
    let n = cx.dims_of(alpha)[last];
    // Row i holds the element beside the diagonal at column i - 1.
    let mut padding = vec![tfjs_ir::prim::layout::Padding::NONE; cx.ty(beta).rank()];
    padding[cx.axis(-1, beta)?].low = Dim::ONE;
    let beta = cx.pad(beta, &padding, 0.0)?;
    let (a, b) = (cx.dims_of(alpha), cx.dims_of(beta));
    if a.len() != b.len() || a.iter().zip(&b).any(|(&a, &b)| cx.same(a, b).is_none()) {
        return Err(Error::malformed("expected one element less beside the diagonal than on it"));
    }
    let row = cx.iota(0, &[n, Dim::ONE], ElementType::I64)?;
    let column = cx.iota(1, &[Dim::ONE, n], ElementType::I64)?;
    let next = cx.binary_scalar(BinaryOp::Add, column, 1.0)?;
    let (on, beside) = (cx.compare(CompareOp::Eq, row, column)?, cx.compare(CompareOp::Eq, row, next)?);
    let (alpha, beta) = (cx.insert_axis(alpha, last + 1)?, cx.insert_axis(beta, last + 1)?);
    let zero = cx.scalar_like(alpha, 0.0)?;
    let rest = cx.select(beside, beta, zero)?;
    cx.select(on, alpha, rest)
}

/// The eigenvalues in `select_range`, and their eigenvectors, if there are some: all with `select` "a".
fn selected(cx: &mut LowerCx<'_>, args: &Args<'_>, results: Vec<Value>, n: usize) -> Result<Vec<Value>> {
    let range = args.opt::<Vec<usize>>(&["select_range"], Some(4))?;
    let select = args.or(&["select"], Some(3), String::from("a"))?;
    let (low, high) = match (select.as_str(), range.as_deref()) {
        ("a", _) => return Ok(results),
        ("i", Some(&[low, high])) if low <= high && high < n => (low, high),
        ("i", _) => return Err(Error::malformed("expected the first and the last index").at_json("select_range")),
        (other, _) => {
            let message = format!("`select` `{other}` is not supported: how many are selected depends on data");
            return Err(Error::unsupported(message));
        }
    };
    let (start, len) = (cx.number(low), cx.number(high - low + 1));
    results.into_iter().map(|x| cx.columns(x, start, len)).collect()
}

/// The left and the right singular vectors of a decomposition as columns. The left ones are completed to an orthogonal
/// matrix if `full`; so they are orthogonal even where singular values are 0.
fn vectors(cx: &mut LowerCx<'_>, sized: &Sized, found: &Singular, full: bool) -> Result<(Value, Value)> {
    let (right, products) = found.vectors.ok_or_else(|| Error::bug("a decomposition without its vectors"))?;
    let (orthogonal, upper) = matrices::reflected(cx, products)?;
    // The triangular factor is diagonal, up to signs the singular values.
    let pivots = matrices::diagonal(cx, upper)?;
    let below = cx.compare_scalar(CompareOp::Lt, pivots, 0.0)?;
    let (one, other) = (cx.scalar_like(pivots, 1.0)?, cx.scalar_like(pivots, -1.0)?);
    let signs = cx.select(below, other, one)?;
    let signs = cx.insert_axis(signs, 1)?;
    let mut left = cx.mul(orthogonal, signs)?;
    if !full {
        let len = cx.number(sized.rows.min(sized.columns));
        left = cx.slice_axis(left, 2, Range { start: Dim::ZERO, len, step: 1 })?;
    }
    Ok(if sized.is_wide() { (right, left) } else { (left, right) })
}

fn singular(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, values_first: bool) -> Result<Vec<Value>> {
    // The default is whole matrices in Keras, and only those for the values in TensorFlow.
    let full = args.or(&["full_matrices"], Some(1), !values_first)?;
    let wanted = args.or(&["compute_uv"], Some(2), true)?;
    let sized = Sized::of(cx, x)?;
    let found = sized.singular(cx, wanted)?;
    let values = sized.restore(cx, found.values)?;
    if !wanted {
        return Ok(vec![values]);
    }
    let (left, mut right) = vectors(cx, &sized, &found, full)?;
    if !values_first {
        right = cx.transpose(right, &[0, 2, 1])?;
    }
    let (left, right) = (sized.restore(cx, left)?, sized.restore(cx, right)?);
    Ok(if values_first { vec![values, left, right] } else { vec![left, values, right] })
}

/// A number that is not a tensor.
fn number(args: &Args<'_>, names: &[&'static str], place: Option<usize>) -> Result<Option<f64>> {
    args.opt::<f64>(names, place)
}

fn rank(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let sized = Sized::of(cx, x)?;
    let values = sized.singular(cx, false)?.values;
    let least = match number(args, &["tol"], Some(1))? {
        Some(tol) => cx.scalar_like(values, tol)?,
        None => {
            let most = cx.reduce(ReduceOp::Max, values, &[1], true)?;
            cx.binary_scalar(BinaryOp::Mul, most, EPSILON * sized.largest())?
        }
    };
    let kept = cx.compare(CompareOp::Gt, values, least)?;
    let kept = cx.cast(kept, ElementType::I32)?;
    let count = cx.reduce(ReduceOp::Sum, kept, &[1], false)?;
    sized.batch.restore(cx, count)
}

/// The matrix `a [.., m, n]` and the right side `b [.., m, k]`, whose sizes and batch axes fit.
fn sides(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<(Sized, Batch)> {
    let (a, mut b) = (Sized::of(cx, a)?, Batch::of(cx, b)?);
    let (one, other) = (&a.batch.lead, &b.lead);
    let fits = one.len() == other.len() && one.iter().zip(other).all(|(&a, &b)| cx.same(a, b).is_some());
    if !fits || cx.same(a.batch.rows, b.rows).is_none() {
        let (a, b) = (cx.shape(a.batch.value), cx.shape(b.value));
        return Err(Error::malformed(format!("shapes {a} and {b} are not the two sides of an equation")));
    }
    b.value = cx.cast(b.value, ElementType::F32)?;
    Ok((a, b))
}

/// Keras's least squares.
fn least_squares(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let a = args.need_value(cx, &["a"], Some(0))?;
    let mut b = args.need_value(cx, &["b"], Some(1))?;
    let vector = cx.ty(b).rank() == 1;
    if vector {
        b = cx.insert_axis(b, 1)?;
    }
    let (a, b) = sides(cx, a, b)?;
    let share = match number(args, &["rcond"], Some(2))? {
        None => EPSILON * a.largest(),
        Some(share) if share < 0.0 => EPSILON,
        Some(share) => share,
    };
    let inverse = a.inverse(cx, CompareOp::Ge, share)?;
    let x = cx.dot(inverse, b.value, &[(0, 0)], &[(2, 1)])?;
    let x = a.restore(cx, x)?;
    if !vector {
        return Ok(x);
    }
    let last = cx.axis(-1, x)?;
    cx.remove_axis(x, last)
}

/// TensorFlow's least squares: `(a' a + l I)^-1 a' b`, or `a' (a a' + l I)^-1 b` for more columns than rows; the
/// pseudoinverse if not `fast`.
fn normal_equations(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let a = args.need_value(cx, &["matrix"], Some(0))?;
    let b = args.need_value(cx, &["rhs"], Some(1))?;
    let (a, b) = sides(cx, a, b)?;
    let added = number(args, &["l2_regularizer"], Some(2))?.unwrap_or(0.0);
    if !args.or(&["fast"], Some(3), true)? {
        let share = EPSILON * a.rows.min(a.columns) as f64;
        let inverse = a.inverse(cx, CompareOp::Gt, share)?;
        let x = cx.dot(inverse, b.value, &[(0, 0)], &[(2, 1)])?;
        return a.restore(cx, x);
    }
    let (value, wide) = (a.batch.value, a.is_wide());
    let inner = if wide { 2 } else { 1 };
    let square = cx.dot(value, value, &[(0, 0)], &[(inner, inner)])?;
    let unit = matrices::units(cx, square, if wide { a.batch.rows } else { a.batch.columns })?;
    let more = cx.binary_scalar(BinaryOp::Mul, unit, added)?;
    let square = cx.add(square, more)?;
    let right = if wide { b.value } else { cx.dot(value, b.value, &[(0, 0)], &[(1, 1)])? };
    let factor = matrices::cholesky(cx, square)?;
    let first = matrices::solved_triangular(cx, factor, right, true)?;
    let upper = cx.transpose(factor, &[0, 2, 1])?;
    let mut x = matrices::solved_triangular(cx, upper, first, false)?;
    if wide {
        x = cx.dot(value, x, &[(0, 0)], &[(1, 1)])?;
    }
    a.restore(cx, x)
}

impl Decompose {
    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
        use DecomposeKind as K;
        let x = match self.kind {
            K::LeastSquares => return Ok(vec![least_squares(cx, args)?]),
            K::NormalEquations => return Ok(vec![normal_equations(cx, args)?]),
            K::Tridiagonal => tridiagonal(cx, args)?,
            _ => args.numbers(cx, &["a"])?.value,
        };
        match self.kind {
            K::Symmetric | K::SymmetricValues | K::Tridiagonal => {
                let wanted = match self.kind {
                    K::Symmetric => args.or(&["compute_v"], None, true)?,
                    K::SymmetricValues => false,
                    _ => !args.or(&["eigvals_only"], Some(2), true)?,
                };
                let sized = symmetric(cx, x)?;
                let (values, vectors) = jacobi::eigen(cx, sized.batch.value, sized.rows, wanted)?;
                let results = [Some(values), vectors].into_iter().flatten().map(|x| sized.restore(cx, x));
                let results = results.collect::<Result<Vec<_>>>()?;
                if self.kind == K::Tridiagonal { selected(cx, args, results, sized.rows) } else { Ok(results) }
            }
            K::Singular { values_first } => singular(cx, args, x, values_first),
            K::Rank => Ok(vec![rank(cx, args, x)?]),
            K::PseudoInverse => {
                let sized = Sized::of(cx, x)?;
                let share = number(args, &["rcond"], Some(1))?.unwrap_or(10.0 * EPSILON * sized.largest());
                let inverse = sized.inverse(cx, CompareOp::Gt, share)?;
                Ok(vec![sized.restore(cx, inverse)?])
            }
            K::LeastSquares | K::NormalEquations => Err(Error::bug("least squares of one matrix")),
        }
    }
}

impl LayerDef for Decompose {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["tensor", "validate_args"]);
        let results = self.compute(cx, &args)?;
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, check_all, refused, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check_all("Eigh", json!({}), json!(["f:?,3,3"]), json!({}), &["float32[?,3]", "float32[?,3,3]"]);
        check("Eigvalsh", json!({}), json!(["f:?,2,4,4"]), json!({}), "float32[?,2,4]");
        check("EighTridiagonal", json!({}), json!(["f:?,4", "f:?,3"]), json!({}), "float32[?,4]");
        let config = json!({"eigvals_only": false, "select": "i", "select_range": [1, 2]});
        let types = ["float32[?,2]", "float32[?,4,2]"];
        check_all("EighTridiagonal", config, json!(["f:?,4", "f:?,3"]), json!({}), &types);
        let types = ["float32[?,5,5]", "float32[?,3]", "float32[?,3,3]"];
        check_all("SVD", json!({}), json!(["f:?,5,3"]), json!({}), &types);
        let types = ["float32[?,3,3]", "float32[?,3]", "float32[?,3,5]"];
        check_all("SVD", json!({"full_matrices": false}), json!(["f:?,3,5"]), json!({}), &types);
        let types = ["float32[?,3]", "float32[?,3,3]", "float32[?,5,3]"];
        check_all("SingularValuesFirst", json!({}), json!(["f:?,3,5"]), json!({}), &types);
        check("SVD", json!({"compute_uv": false}), json!(["f:?,3,5"]), json!({}), "float32[?,3]");
        check("Pinv", json!({"rcond": 0.1}), json!(["f:?,3,5"]), json!({}), "float32[?,5,3]");
        check("MatrixRank", json!({}), json!(["f:?,3,5"]), json!({}), "int32[?]");
        check("Lstsq", json!({}), json!(["f:5,3", "f:5"]), json!({}), "float32[3]");
        check("NormalEquations", json!({}), json!(["f:?,3,5", "f:?,3,2"]), json!({}), "float32[?,5,2]");
    }

    #[test]
    fn refuses() {
        refused("Eigh", json!(["f:?,3,4"]), "expected square matrices, found shape [?,3,4]");
        let message = "the size of matrices whose eigenvalues or singular values are computed must be known, found shape \
                       [?,?,3]";
        refused("SVD", json!(["f:?,?,3"]), message);
        let message = "expected matrices of at most 1024 columns for eigenvalues or singular values, found 2000";
        refused("Eigvalsh", json!(["f:2000,2000"]), message);
        refused("Pinv", json!(["f:?,0,3"]), "expected matrices with elements, found shape [?,0,3]");
        let message = "shapes [1,5,3] and [1,4,1] are not the two sides of an equation";
        refused("Lstsq", json!(["f:5,3", "f:4"]), message);
        let message = "`select` `v` is not supported: how many are selected depends on data";
        refused_with("EighTridiagonal", json!({"select": "v"}), json!(["f:?,4", "f:?,3"]), message);
        let config = json!({"select": "i", "select_range": [2, 4]});
        let message = "`select_range`: expected the first and the last index";
        refused_with("EighTridiagonal", config, json!(["f:?,4", "f:?,3"]), message);
    }
}
