//! Diagonals and triangles of matrices, which are in the last two axes by default.
//!
//! Reference: `keras.ops.tril`, `keras.ops.diagonal` and their relatives; `tf.linalg.band_part`, `tf.linalg.diag`,
//! `tf.linalg.tensor_diag`.

use super::FromOpConfig;
use super::args::{Args, flat, to_type};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An operation on the diagonals of matrices.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagonal {
    /// The operation.
    pub kind: DiagonalKind,
    /// `k` or `offset`, `axis1`, `axis2`, `num_lower`, `num_upper`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagonalKind {
    /// Sets elements above a diagonal to zero.
    Lower,
    /// Sets elements below a diagonal to zero.
    Upper,
    /// Sets elements outside a band around the main diagonal to zero.
    Band,
    /// The elements of a diagonal.
    Part,
    /// The sum of a diagonal.
    Trace,
    /// Matrices with a given diagonal and zeros elsewhere, from vectors along the last axis.
    Matrix,
    /// [`Matrix`](DiagonalKind::Matrix) for a vector, [`Part`](DiagonalKind::Part) for a matrix.
    MatrixOrPart,
    /// [`Matrix`](DiagonalKind::Matrix) of all elements.
    OfAll,
    /// Replaces the diagonal.
    Set,
    /// A tensor of twice the rank, with the elements where both halves of the index are equal.
    OfTensor,
    /// The elements where both halves of the index are equal.
    PartOfTensor,
}

impl FromOpConfig for Diagonal {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use DiagonalKind as K;
        let kind = match class {
            "Tril" => K::Lower,
            "Triu" => K::Upper,
            "BandPart" => K::Band,
            "Diagonal" => K::Part,
            "Trace" => K::Trace,
            "MatrixDiag" => K::Matrix,
            "Diag" => K::MatrixOrPart,
            "Diagflat" => K::OfAll,
            "SetDiag" => K::Set,
            "TensorDiag" => K::OfTensor,
            "TensorDiagPart" => K::PartOfTensor,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on diagonals"))),
        };
        Ok(Diagonal { kind, params: Params::read(config) })
    }
}

/// The column index minus the row index for each element of matrices of these dimensions.
fn offsets(cx: &mut LowerCx<'_>, rows: Dim, columns: Dim) -> Result<Value> {
    let row = cx.iota(0, &[rows, Dim::ONE], ElementType::I64)?;
    let column = cx.iota(1, &[Dim::ONE, columns], ElementType::I64)?;
    cx.sub(column, row)
}

/// The numbers of rows and columns of matrices.
fn matrix_dims(cx: &LowerCx<'_>, x: Value) -> Result<(Dim, Dim)> {
    match cx.ty(x).dims[..] {
        [.., rows, columns] => Ok((rows, columns)),
        _ => Err(Error::malformed(format!("expected matrices, found shape {}", cx.shape(x)))),
    }
}

/// Whether the diagonal of each element is between these offsets.
fn band(cx: &mut LowerCx<'_>, x: Value, lowest: Option<i64>, highest: Option<i64>) -> Result<Value> {
    let (rows, columns) = matrix_dims(cx, x)?;
    let offset = offsets(cx, rows, columns)?;
    let mut inside = None;
    for (bound, op) in [(lowest, CompareOp::Ge), (highest, CompareOp::Le)] {
        let Some(bound) = bound else { continue };
        let fits = cx.compare_scalar(op, offset, bound as f64)?;
        inside = Some(match inside {
            Some(both) => cx.binary(BinaryOp::And, both, fits)?,
            None => fits,
        });
    }
    let Some(inside) = inside else { return Ok(x) };
    let nothing = cx.scalar_like(x, 0.0)?;
    cx.select(inside, x, nothing)
}

/// The elements of the diagonal of a matrix whose column is the row plus `offset`.
fn length(cx: &mut LowerCx<'_>, rows: Dim, columns: Dim, offset: i64) -> Result<Dim> {
    let away = cx.number(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX));
    let (high, wide) =
        if offset < 0 { (cx.dims().sub(rows, away)?, columns) } else { (rows, cx.dims().sub(columns, away)?) };
    let len = cx.dims().min(high, wide)?;
    cx.dims().max(len, Dim::ZERO)
}

/// The diagonal of the last two axes whose column is the row plus `offset`, as the last axis.
fn part(cx: &mut LowerCx<'_>, x: Value, offset: i64) -> Result<Value> {
    let mut dims = cx.dims_of(x);
    let (rows, columns) = matrix_dims(cx, x)?;
    let len = length(cx, rows, columns, offset)?;
    let away = cx.number(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX));
    let Some(width) = cx.known_dim(columns) else {
        // The step from one element to the next is not known: each row gives its one element instead.
        let place = offsets(cx, rows, columns)?;
        let on = cx.compare_scalar(CompareOp::Eq, place, offset as f64)?;
        let nothing = cx.scalar_like(x, 0.0)?;
        let alone = cx.select(on, x, nothing)?;
        let how = if cx.ty(x).element == ElementType::Bool { ReduceOp::Any } else { ReduceOp::Sum };
        let alone = cx.reduce(how, alone, &[dims.len() - 1], false)?;
        let start = if offset < 0 { cx.dims().min(away, rows)? } else { Dim::ZERO };
        return cx.slice_axis(alone, dims.len() - 2, Range { start, len, step: 1 });
    };
    dims.truncate(dims.len() - 2);
    let start = if offset < 0 { cx.dims().mul(away, columns)? } else { away };
    let all = cx.dims().mul(rows, columns)?;
    // A diagonal outside the matrix is empty.
    let start = cx.dims().min(start, all)?;
    dims.push(all);
    let x = cx.reshape(x, &dims)?;
    cx.slice_axis(x, dims.len() - 1, Range { start, len, step: width as u64 + 1 })
}

/// Matrices whose diagonal at `offset` is the last axis.
fn matrix(cx: &mut LowerCx<'_>, x: Value, offset: i64) -> Result<Value> {
    let Some(last) = cx.ty(x).rank().checked_sub(1) else {
        return Err(Error::malformed("expected a vector for a diagonal, found a number"));
    };
    let away = cx.number(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX));
    let mut padding = vec![Padding::NONE; cx.ty(x).rank()];
    padding[last].high = away;
    let x = cx.pad(x, &padding, 0.0)?;
    let length = cx.dims_of(x)[last];
    // On and above the main diagonal the row is the index of the element, below it the column is.
    let spread = cx.insert_axis(x, if offset < 0 { last } else { last + 1 })?;
    let place = offsets(cx, length, length)?;
    let on = cx.compare_scalar(CompareOp::Eq, place, offset as f64)?;
    let nothing = cx.scalar_like(x, 0.0)?;
    cx.select(on, spread, nothing)
}

/// Moves the two named axes to the end.
fn axes_last(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let first = cx.axis(args.or(&["axis1"], Some(2), 0)?, x)?;
    let second = cx.axis(args.or(&["axis2"], Some(3), 1)?, x)?;
    if first == second {
        return Err(Error::malformed("an axis is given twice"));
    }
    if first == 0 || second == 0 {
        cx.mixes_batch();
    }
    let others = (0..cx.ty(x).rank()).filter(|&axis| axis != first && axis != second);
    let order: Vec<usize> = others.chain([first, second]).collect();
    cx.transpose(x, &order)
}

impl Diagonal {
    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        use DiagonalKind as K;
        let position = if self.kind == K::Set { 2 } else { 1 };
        let offset: i64 = args.or(&["k", "offset"], Some(position), 0)?;
        match self.kind {
            K::Lower => band(cx, x, None, Some(offset)),
            K::Upper => band(cx, x, Some(offset), None),
            K::Band => {
                let (lower, upper): (i64, i64) =
                    (args.need(&["num_lower"], Some(1))?, args.need(&["num_upper"], Some(2))?);
                band(cx, x, (lower >= 0).then_some(-lower), (upper >= 0).then_some(upper))
            }
            K::Part | K::Trace => {
                let x = if self.params.configured("axis1").is_some() { axes_last(cx, args, x)? } else { x };
                let diagonal = part(cx, x, offset)?;
                if self.kind == K::Part {
                    return Ok(diagonal);
                }
                let dtype = match value_type(cx.ty(diagonal).element) {
                    ValueType::Bool => ValueType::Int32,
                    other => other,
                };
                let diagonal = to_type(cx, diagonal, dtype)?;
                let last = cx.ty(diagonal).rank() - 1;
                cx.reduce(ReduceOp::Sum, diagonal, &[last], false)
            }
            K::Matrix => {
                for (name, position, default) in
                    [("num_rows", 2, -1.0), ("num_cols", 3, -1.0), ("padding_value", 4, 0.0)]
                {
                    let found: f64 = args.or(&[name], Some(position), default)?;
                    if found != default {
                        return Err(Error::unsupported(format!("`{name}` {found} of a diagonal is not supported")));
                    }
                }
                matrix(cx, x, offset)
            }
            K::MatrixOrPart => {
                cx.mixes_batch();
                if cx.ty(x).rank() == 1 { matrix(cx, x, offset) } else { part(cx, x, offset) }
            }
            K::OfAll => {
                let all = flat(cx, x)?;
                matrix(cx, all, offset)
            }
            K::OfTensor => {
                let dims = cx.dims_of(x);
                let all = flat(cx, x)?;
                let square = matrix(cx, all, 0)?;
                cx.reshape(square, &[&dims[..], &dims[..]].concat())
            }
            K::PartOfTensor => {
                let dims = cx.dims_of(x);
                let (first, second) = dims.split_at(dims.len() / 2);
                let fits =
                    first.len() == second.len() && first.iter().zip(second).all(|(&a, &b)| cx.same(a, b).is_some());
                if first.is_empty() || !fits {
                    let shape = cx.shape(x);
                    return Err(Error::malformed(format!("expected a shape of two equal halves, found {shape}")));
                }
                let side = cx.dims().product(first)?;
                cx.mixes_batch();
                let square = cx.reshape(x, &[side, side])?;
                let diagonal = part(cx, square, 0)?;
                cx.reshape(diagonal, first)
            }
            K::Set => {
                let (rows, columns) = matrix_dims(cx, x)?;
                let diagonal = args.need_value(cx, &["diagonal"], Some(1))?;
                let diagonal = cx.cast_like(diagonal, x)?;
                let Some(last) = cx.ty(diagonal).rank().checked_sub(1) else {
                    return Err(Error::malformed("expected a vector for a diagonal, found a number"));
                };
                let length = length(cx, rows, columns, offset)?;
                let found = cx.dims_of(diagonal)[last];
                if cx.same(found, length).is_none() {
                    let (matrix, shape) = (cx.shape(x), cx.shape(diagonal));
                    return Err(Error::malformed(format!("a diagonal of shape {shape} does not fit {matrix}")));
                }
                // As in `matrix`, what is left of the row or column has no element.
                let side = if offset < 0 { columns } else { rows };
                // SIZE: the rank of the diagonal.
                let mut padding = vec![Padding::NONE; last + 1];
                padding[last].high = cx.dims().sub(side, length)?;
                let diagonal = if side == length { diagonal } else { cx.pad(diagonal, &padding, 0.0)? };
                let spread = cx.insert_axis(diagonal, if offset < 0 { last } else { last + 1 })?;
                let place = offsets(cx, rows, columns)?;
                let on = cx.compare_scalar(CompareOp::Eq, place, offset as f64)?;
                cx.select(on, spread, x)
            }
        }
    }
}

impl LayerDef for Diagonal {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["padding_value", "align"]);
        let x = args.numbers(cx, &["diagonal", "input"])?.value;
        let value = self.compute(cx, &args, x)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Tril", json!({"k": -1}), json!(["f:?,3,4"]), json!({}), "float32[?,3,4]");
        check("BandPart", json!({}), json!(["i:?,3,4"]), json!({"num_lower": -1, "num_upper": 0}), "int32[?,3,4]");
        let config = json!({"offset": 1, "axis1": 1, "axis2": 2});
        check("Diagonal", config, json!(["f:?,3,4"]), json!({}), "float32[?,3]");
        let config = json!({"offset": -9, "axis1": 1, "axis2": 2});
        check("Diagonal", config, json!(["f:?,3,4"]), json!({}), "float32[?,0]");
        check("Trace", json!({"offset": 0, "axis1": 1, "axis2": 2}), json!(["b:?,3,4"]), json!({}), "int32[?]");
        check("Diag", json!({"k": -1}), json!(["f:3"]), json!({}), "float32[4,4]");
        check("Diagflat", json!({"k": 2}), json!(["f:2,2"]), json!({}), "float32[6,6]");
        check("Diag", json!({"k": 1}), json!(["f:3,?"]), json!({}), "float32[?]");
        check("Trace", json!({"axis1": 1, "axis2": 2}), json!(["b:?,3,?"]), json!({}), "int32[?]");
        check("MatrixDiag", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3,3]");
        check("TensorDiag", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3,?,3]");
        check("TensorDiagPart", json!({}), json!(["f:2,3,2,3"]), json!({}), "float32[2,3]");
    }

    #[test]
    fn refuses() {
        refused("Tril", json!(["f:?"]), "expected matrices, found shape [?]");
        refused("TensorDiagPart", json!(["f:2,3,2"]), "expected a shape of two equal halves, found [2,3,2]");
    }
}
