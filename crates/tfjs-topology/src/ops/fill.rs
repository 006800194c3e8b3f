//! `Fill`, `Zeros`, `Ones`, `BroadcastTo`, `Range`: values whose shape is an argument.
//!
//! Reference: `tf.fill` and its relatives, `keras.ops.broadcast_to`.

use super::FromOpConfig;
use super::args::{self, Args, is_integer, to_type};
use super::params::{Constant, Params};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Fills a shape with one value, or broadcasts a tensor to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// The content.
    pub kind: FillKind,
    /// `shape`, `dims`, `value`, `dtype`.
    pub params: Params,
}

/// The content of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillKind {
    /// A number, which is an argument.
    Value,
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// A tensor, which is broadcast.
    Broadcast,
    /// A number, in the shape of a tensor.
    Like,
    /// Identity matrices: ones on the diagonal and zeros elsewhere.
    Identity,
}

impl FromOpConfig for Fill {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Fill" | "Full" => FillKind::Value,
            "Zeros" => FillKind::Zeros,
            "Ones" => FillKind::Ones,
            "BroadcastTo" => FillKind::Broadcast,
            "FullLike" => FillKind::Like,
            "Eye" => FillKind::Identity,
            other => return Err(Error::bug(format!("`{other}` fills no shape"))),
        };
        Ok(Fill { kind, params: Params::read(config) })
    }
}

impl Fill {
    /// Fills a shape with a number. The shape is the first argument, which Keras 2 writes as one argument for each of
    /// its items.
    fn filled(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        let dims = match args.positional() {
            [] | [_] => args.sizes(cx, &["dims", "shape"], Some(0))?,
            items => sizes::of_args(cx, items)?,
        };
        let dims = dims.ok_or_else(|| Error::unsupported("a shape that depends on data is not supported"))?;
        check_shape(cx, &dims)?;
        let dtype = sizes::dtype(args, &["dtype"], None)?;
        let number = match self.kind {
            FillKind::Ones => 1.0,
            FillKind::Zeros => 0.0,
            _ => match args.keyword(&["value"]) {
                Some(Arg::Const(value)) => {
                    let constant = Constant::read(value)?;
                    let value = constant.lower(cx, dtype.unwrap_or(constant.dtype))?;
                    return cx.broadcast_to(value, &dims);
                }
                Some(Arg::Tensor(value)) if cx.ty(value.value).rank() == 0 => {
                    return cx.broadcast_to(value.value, &dims);
                }
                _ => return Err(Error::malformed("expected a number as `value`")),
            },
        };
        cx.full(element(dtype.unwrap_or(ValueType::Float)), &dims, number)
    }

    /// Fills the shape of a tensor with a number.
    fn like(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        let input = args.subject(&[])?.value;
        let number = args.need_value(cx, &["fill_value"], Some(1))?;
        let dtype = sizes::dtype(args, &["dtype"], None)?;
        let to = dtype.map_or(cx.ty(input).element, element);
        let number = cx.cast(number, to)?;
        let dims = cx.dims_of(input);
        cx.broadcast_to(number, &dims)
    }

    /// Identity matrices.
    fn identity(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        let mut one = |name: &'static str, position| -> Result<Option<Dim>> {
            match args.sizes(cx, &[name], position)?.as_deref() {
                None => Ok(None),
                Some(&[size]) => Ok(Some(size)),
                Some(_) => Err(Error::malformed("expected a number, found several").at_json(name)),
            }
        };
        let rows = one("num_rows", Some(0))?.ok_or_else(|| args::missing(&["num_rows"]))?;
        let columns = one("num_columns", Some(1))?.unwrap_or(rows);
        let mut dims = args.sizes(cx, &["batch_shape"], Some(2))?.unwrap_or_default();
        let dtype = sizes::dtype(args, &["dtype"], None)?.unwrap_or(ValueType::Float);
        check_shape(cx, &[rows, columns])?;
        check_shape(cx, &dims)?;
        dims.extend([rows, columns]);
        let (row, column) =
            (cx.iota(0, &[rows, Dim::ONE], ElementType::I64)?, cx.iota(1, &[Dim::ONE, columns], ElementType::I64)?);
        let ones = cx.compare(CompareOp::Eq, row, column)?;
        let ones = cx.cast(ones, element(dtype))?;
        cx.broadcast_to(ones, &dims)
    }

    fn broadcast(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        let input = args.subject(&[])?.value;
        let Some(dims) = args.sizes(cx, &["shape"], Some(1))? else { return Err(Error::malformed("missing `shape`")) };
        check_shape(cx, &dims)?;
        if cx.ty(input).rank() > dims.len() {
            let (from, to) = (cx.shape(input), sizes::text(cx, &dims));
            return Err(Error::malformed(format!("shape {from} does not broadcast to {to}")));
        }
        if cx.ty(input).dims.first() != dims.first() {
            cx.mixes_batch();
        }
        stretched(cx, input, &dims)
    }
}

/// Broadcasts to a shape. An open axis may have length 1 or that of the shape.
fn stretched(cx: &mut LowerCx<'_>, x: Value, dims: &[Dim]) -> Result<Value> {
    let from = cx.dims_of(x);
    let open = |cx: &LowerCx<'_>, from: Dim, to: Dim| from != to && cx.known_dim(from).is_none();
    let axes = dims.iter().skip(dims.len().saturating_sub(from.len()));
    if !from.iter().zip(axes).any(|(&from, &to)| open(cx, from, to)) {
        return cx.broadcast_to(x, dims);
    }
    let everywhere = cx.full(ElementType::Bool, dims, 1.0)?;
    let wide = cx.select(everywhere, x, x)?;
    let found = cx.dims_of(wide);
    if found.len() != dims.len() || !found.iter().zip(dims).all(|(&a, &b)| cx.same(a, b).is_some()) {
        let (from, to) = (cx.shape(x), sizes::text(cx, dims));
        return Err(Error::malformed(format!("shape {from} does not broadcast to {to}")));
    }
    cx.reshape(wide, dims)
}

/// Fails for a shape with a negative dimension.
fn check_shape(cx: &mut LowerCx<'_>, dims: &[Dim]) -> Result<()> {
    for &dim in dims {
        if !cx.at_least(dim, Dim::ZERO) {
            let dims = sizes::text(cx, dims);
            return Err(Error::malformed(format!("expected dimensions of at least 0, found {dims}")));
        }
    }
    Ok(())
}

impl LayerDef for Fill {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["layout"]);
        let value = match self.kind {
            FillKind::Broadcast => self.broadcast(cx, &args)?,
            FillKind::Like => Self::like(cx, &args)?,
            FillKind::Identity => Self::identity(cx, &args)?,
            _ => self.filled(cx, &args)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

/// `start, start + delta, ...` up to a limit, which is excluded.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// `start`, `limit`, `delta`, `dtype`.
    pub params: Params,
}

impl FromOpConfig for Range {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Range { params: Params::read(config) })
    }
}

impl LayerDef for Range {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let mut one = |names: &[&'static str], position| -> Result<Option<Dim>> {
            let sizes = args.sizes(cx, names, position)?;
            sizes
                .map(|sizes| <[Dim; 1]>::try_from(sizes).map(|[size]| size))
                .transpose()
                .map_err(|_| Error::malformed("expected a number, found several").at_json(names[0]))
        };
        // A single argument is the limit.
        let (first, limit) = (one(&["start"], Some(0))?, one(&["limit", "stop"], Some(1))?);
        let delta = one(&["delta", "step"], Some(2))?;
        let (start, limit) = match (first, limit) {
            (Some(limit), None) => (Dim::ZERO, limit),
            (start, Some(limit)) => (start.unwrap_or(Dim::ZERO), limit),
            (None, None) => return Err(Error::malformed("missing `limit`")),
        };
        let delta = delta.unwrap_or(Dim::ONE);
        let step = signed(cx, delta)?.filter(|&step| step != 0);
        let step = step.ok_or_else(|| Error::unsupported("a `delta` other than a number is not supported"))?;
        let dtype = sizes::dtype(&args, &["dtype"], Some(3))?.unwrap_or(ValueType::Int32);
        let counted_in = if is_integer(dtype) { dtype } else { ValueType::Int32 };

        let (from, to) = if step > 0 { (start, limit) } else { (limit, start) };
        let distance = cx.dims().sub(to, from)?;
        let distance = cx.dims().max(distance, Dim::ZERO)?;
        let count = cx.dims().div_ceil(distance, step.unsigned_abs())?;
        let mut value = cx.iota(0, &[count], element(counted_in))?;
        if step != 1 {
            let step = cx.scalar(element(counted_in), step as f64)?;
            value = cx.mul(value, step)?;
        }
        if start != Dim::ZERO {
            let start = start_of(cx, start, counted_in)?;
            value = cx.add(value, start)?;
        }
        let value = to_type(cx, value, dtype)?;
        args::numeric(cx, value)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

/// The value of a size, if it is known; it may be negative.
fn signed(cx: &mut LowerCx<'_>, size: Dim) -> Result<Option<i64>> {
    let negative = cx.dims().sub(Dim::ZERO, size)?;
    let known = |cx: &LowerCx<'_>, size| cx.program().dims.known(size).and_then(|n| i64::try_from(n).ok());
    Ok(known(cx, size).or_else(|| known(cx, negative).map(|n| -n)))
}

/// The first number. A negative one cannot be a size.
fn start_of(cx: &mut LowerCx<'_>, start: Dim, dtype: ValueType) -> Result<Value> {
    match cx.program().dims.display(start).parse::<f64>() {
        Ok(number) => cx.scalar(element(dtype), number),
        Err(_) => cx.size(start, element(dtype)),
    }
}
