//! Diagonals and triangles of matrices, which are in the last two axes by default.
//!
//! Reference: `keras.ops.tril`, `keras.ops.diagonal` and their relatives; `tf.linalg.band_part`, `tf.linalg.diag`,
//! `tf.linalg.tensor_diag`.

use super::FromOpConfig;
use super::args::{Args, flat, to_type};
use super::params::{Numbers, Params};
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

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

/// Each diagonal adds nodes and dimensions to the program.
fn check_number(lowest: i64, highest: i64) -> Result<()> {
    Limits::check("diagonals", highest.abs_diff(lowest).saturating_add(1), 1 << 10)
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

/// The end of a row at which a diagonal that is shorter than others has its elements.
#[derive(Clone, Copy, Debug)]
struct Alignment {
    /// Whether the main diagonal and those above it are at the right end.
    upper_right: bool,
    /// Whether those below it are.
    lower_right: bool,
}

impl Alignment {
    fn read(args: &Args<'_>) -> Result<Self> {
        let name: Option<String> = args.opt(&["align"], None)?;
        let (upper_right, lower_right) = match name.as_deref() {
            None | Some("RIGHT_LEFT") => (true, false),
            Some("LEFT_RIGHT") => (false, true),
            Some("LEFT_LEFT") => (false, false),
            Some("RIGHT_RIGHT") => (true, true),
            Some(other) => {
                let message = format!("unknown alignment `{}`", tfjs_manifest::text::shorten(other));
                return Err(Error::malformed(message).at_json("align"));
            }
        };
        Ok(Alignment { upper_right, lower_right })
    }

    fn is_right(self, offset: i64) -> bool {
        if offset < 0 { self.lower_right } else { self.upper_right }
    }
}

/// Fails unless a diagonal is inside matrices of these dimensions.
fn inside(cx: &mut LowerCx<'_>, [rows, columns]: [Dim; 2], offset: i64) -> Result<()> {
    let away = cx.number(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX));
    let next = cx.dims().add(away, Dim::ONE)?;
    if cx.at_least(if offset < 0 { rows } else { columns }, next) {
        return Ok(());
    }
    Err(Error::malformed(format!("the diagonal {offset} is outside of the matrices")))
}

/// Several diagonals as rows, from the highest to the lowest, padded to equal lengths.
fn parts(
    cx: &mut LowerCx<'_>,
    x: Value,
    (lowest, highest): (i64, i64),
    alignment: Alignment,
    padding: f64,
) -> Result<Value> {
    let (rows, columns) = matrix_dims(cx, x)?;
    inside(cx, [rows, columns], lowest)?;
    inside(cx, [rows, columns], highest)?;
    let longest = length(cx, rows, columns, 0_i64.clamp(lowest, highest))?;
    check_number(lowest, highest)?;
    let mut found = Vec::new();
    for offset in (lowest..=highest).rev() {
        let diagonal = part(cx, x, offset)?;
        let last = cx.ty(diagonal).rank() - 1;
        let own = cx.dims_of(diagonal)[last];
        // SIZE: the rank.
        let mut margins = vec![Padding::NONE; last + 1];
        let less = cx.dims().sub(longest, own)?;
        let side = &mut margins[last];
        *(if alignment.is_right(offset) { &mut side.low } else { &mut side.high }) = less;
        let diagonal = if own == longest { diagonal } else { cx.pad(diagonal, &margins, padding)? };
        found.push(cx.insert_axis(diagonal, last)?);
    }
    let axis = cx.axis(-2, found[0])?;
    cx.concat(&found, axis)
}

/// Replaces one diagonal.
fn set(cx: &mut LowerCx<'_>, x: Value, diagonal: Value, offset: i64) -> Result<Value> {
    let (rows, columns) = matrix_dims(cx, x)?;
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

/// Replaces diagonals: one, or those that are rows as [`parts`] makes them.
fn set_all(
    cx: &mut LowerCx<'_>,
    x: Value,
    diagonals: Value,
    (lowest, highest): (i64, i64),
    alignment: Alignment,
) -> Result<Value> {
    if lowest == highest {
        return set(cx, x, diagonals, highest);
    }
    let (rows, columns) = matrix_dims(cx, x)?;
    inside(cx, [rows, columns], lowest)?;
    inside(cx, [rows, columns], highest)?;
    let (count, longest) = matrix_dims(cx, diagonals)?;
    let known = cx.number(usize::try_from(highest.abs_diff(lowest)).unwrap_or(usize::MAX));
    let known = cx.dims().add(known, Dim::ONE)?;
    let wanted = length(cx, rows, columns, 0_i64.clamp(lowest, highest))?;
    if cx.same(count, known).is_none() || cx.same(longest, wanted).is_none() {
        let (matrix, shape) = (cx.shape(x), cx.shape(diagonals));
        return Err(Error::malformed(format!("diagonals of shape {shape} do not fit {matrix}")));
    }
    check_number(lowest, highest)?;
    let last = cx.axis(-1, diagonals)?;
    let mut out = x;
    for (place, offset) in (lowest..=highest).rev().enumerate() {
        let start = cx.number(place);
        let row = cx.slice_axis(diagonals, last - 1, Range { start, len: Dim::ONE, step: 1 })?;
        let row = cx.remove_axis(row, last - 1)?;
        let own = length(cx, rows, columns, offset)?;
        let start = if alignment.is_right(offset) { cx.dims().sub(longest, own)? } else { Dim::ZERO };
        let row = cx.slice_axis(row, last - 1, Range { start, len: own, step: 1 })?;
        out = set(cx, out, row, offset)?;
    }
    Ok(out)
}

/// Matrices with given diagonals and a number elsewhere. Lengths that are not given are the smallest possible.
fn matrix_of_all(
    cx: &mut LowerCx<'_>,
    x: Value,
    (lowest, highest): (i64, i64),
    alignment: Alignment,
    size: [Option<Dim>; 2],
    padding: f64,
) -> Result<Value> {
    let own = if lowest == highest { 1 } else { 2 };
    let Some(first) = cx.ty(x).rank().checked_sub(own) else {
        let shape = cx.shape(x);
        return Err(Error::malformed(format!("expected {own} axes of diagonals, found shape {shape}")));
    };
    let mut dims = cx.dims_of(x);
    let longest = dims[first + own - 1];
    let mut reach = |offset: i64| {
        let away = cx.number(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX));
        cx.dims().add(longest, away)
    };
    let (least_rows, least_columns) = (reach(highest.min(0))?, reach(lowest.max(0))?);
    let (rows, columns) = match size {
        [Some(rows), Some(columns)] => (rows, columns),
        [Some(rows), None] => (rows, least_columns),
        [None, Some(columns)] => (least_rows, columns),
        [None, None] => {
            let side = cx.dims().max(least_rows, least_columns)?;
            (side, side)
        }
    };
    dims.truncate(first);
    dims.extend([rows, columns]);
    let element = cx.ty(x).element;
    let empty = cx.full(element, &dims, padding)?;
    set_all(cx, empty, x, (lowest, highest), alignment)
}

/// Sets elements outside a band around the main diagonal to zero; negative numbers keep all on their side.
fn around(cx: &mut LowerCx<'_>, x: Value, lower: Value, upper: Value) -> Result<Value> {
    let (rows, columns) = matrix_dims(cx, x)?;
    let offset = offsets(cx, rows, columns)?;
    let below = cx.unary(UnaryOp::Neg, offset)?;
    let mut inside = None;
    for (reach, distance) in [(lower, below), (upper, offset)] {
        if cx.ty(reach).rank() > 0 {
            return Err(Error::malformed("expected one number of diagonals of a band, found several"));
        }
        let reach = cx.cast(reach, ElementType::I64)?;
        let all = cx.compare_scalar(CompareOp::Lt, reach, 0.0)?;
        let near = cx.compare(CompareOp::Le, distance, reach)?;
        let fits = cx.binary(BinaryOp::Or, near, all)?;
        inside = Some(match inside {
            Some(both) => cx.binary(BinaryOp::And, both, fits)?,
            None => fits,
        });
    }
    let Some(inside) = inside else { return Ok(x) };
    let nothing = cx.scalar_like(x, 0.0)?;
    cx.select(inside, x, nothing)
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
        let (lowest, offset) = match args.opt(&["k", "offset"], Some(position))? {
            None => (0, 0),
            Some(Numbers(offsets)) => match offsets[..] {
                [offset] => (offset, offset),
                [lowest, highest] if lowest <= highest => (lowest, highest),
                _ => {
                    return Err(Error::malformed("expected a diagonal, or the lowest and the highest one").at_json("k"));
                }
            },
        };
        let alignment = Alignment::read(args)?;
        let several = lowest != offset;
        if several && !matches!(self.kind, K::Part | K::Matrix | K::Set) {
            return Err(Error::malformed("expected one diagonal, found two numbers").at_json("k"));
        }
        match self.kind {
            K::Lower => band(cx, x, None, Some(offset)),
            K::Upper => band(cx, x, Some(offset), None),
            K::Band => {
                let lower = args.need_value(cx, &["num_lower"], Some(1))?;
                let upper = args.need_value(cx, &["num_upper"], Some(2))?;
                around(cx, x, lower, upper)
            }
            K::Part | K::Trace => {
                let x = if self.params.configured("axis1").is_some() { axes_last(cx, args, x)? } else { x };
                if several {
                    let padding = args.or(&["padding_value"], Some(2), 0.0)?;
                    return parts(cx, x, (lowest, offset), alignment, padding);
                }
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
                let mut size = |name: &'static str, position| -> Result<Option<Dim>> {
                    let minus_one = sizes::number(cx, -1)?;
                    match args.sizes(cx, &[name], Some(position))?.as_deref() {
                        None => Ok(None),
                        Some(&[size]) if size == minus_one => Ok(None),
                        Some(&[size]) if cx.at_least(size, Dim::ZERO) => Ok(Some(size)),
                        Some(_) => Err(Error::malformed("expected a length of at least 0").at_json(name)),
                    }
                };
                let (rows, columns) = (size("num_rows", 2)?, size("num_cols", 3)?);
                let padding: f64 = args.or(&["padding_value"], Some(4), 0.0)?;
                if !several && rows.is_none() && columns.is_none() && padding == 0.0 {
                    return matrix(cx, x, offset);
                }
                matrix_of_all(cx, x, (lowest, offset), alignment, [rows, columns], padding)
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
                matrix_dims(cx, x)?;
                let diagonal = args.need_value(cx, &["diagonal"], Some(1))?;
                let diagonal = cx.cast_like(diagonal, x)?;
                set_all(cx, x, diagonal, (lowest, offset), alignment)
            }
        }
    }
}

impl LayerDef for Diagonal {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["padding_value"]);
        let x = args.numbers(cx, &["diagonal", "input"])?.value;
        let value = self.compute(cx, &args, x)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused, refused_with};
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
        check("MatrixDiag", json!({}), json!(["f:?,3,3"]), json!({"k": [-1, 1]}), "float32[?,3,3]");
        let bands = json!({"offset": [-1, 2], "align": "LEFT_RIGHT"});
        check("Diagonal", bands, json!(["f:?,3,4"]), json!({}), "float32[?,4,3]");
        check("SetDiag", json!({"k": [0, 1]}), json!(["f:?,3,4", "f:?,2,3"]), json!({}), "float32[?,3,4]");
        check("TensorDiag", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3,?,3]");
        check("TensorDiagPart", json!({}), json!(["f:2,3,2,3"]), json!({}), "float32[2,3]");
    }

    #[test]
    fn refuses() {
        let outside = "the diagonal -3 is outside of the matrices";
        refused_with("Diagonal", json!({"offset": [-3, 0]}), json!(["f:?,3,4"]), outside);
        refused_with(
            "Diagonal",
            json!({"offset": [1, 0]}),
            json!(["f:?,3,4"]),
            "`k`: expected a diagonal, or the lowest and the highest one",
        );
        refused("Tril", json!(["f:?"]), "expected matrices, found shape [?]");
        refused("TensorDiagPart", json!(["f:2,3,2"]), "expected a shape of two equal halves, found [2,3,2]");
    }
}
