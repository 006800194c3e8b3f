//! Sizes: integers that a graph computes from the shapes of its tensors, and that may be used instead of numbers.
//!
//! Reference: `tf.shape`, `keras.ops.shape`. A size may be negative: `x[:, -tf.shape(y)[1]:]`.

use super::FromOpConfig;
use super::args::Args;
use super::binary::BinaryKind;
use super::params::{Constant, Numbers, Params};
use crate::call::{Arg, Call};
use crate::config::{Config, FromJson};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element};
use crate::types::ValueType;
use serde_json::Value as Json;
use std::cmp::Ordering;
use tfjs_ir::Dim;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_manifest::{Error, Result};

/// The dimensions of a tensor as integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The result.
    pub kind: ShapeKind,
    /// `out_type`.
    pub params: Params,
}

/// What is returned of the dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeKind {
    /// All dimensions, as a vector.
    Each,
    /// Their product.
    Elements,
    /// Their number.
    Rank,
}

impl FromOpConfig for Shape {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Size" => ShapeKind::Elements,
            "Rank" | "Ndim" => ShapeKind::Rank,
            _ => ShapeKind::Each,
        };
        Ok(Shape { kind, params: Params::read(config) })
    }
}

impl LayerDef for Shape {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.subject(&[])?;
        let dtype = dtype(&args, &["out_type", "dtype"], None)?.unwrap_or(ValueType::Int32);
        if !matches!(dtype, ValueType::Int32 | ValueType::Int64) {
            return Err(Error::unsupported(format!("a shape as `{}` is not supported", dtype.name())));
        }
        let mut dims = cx.dims_of(input.value);
        let value = match self.kind {
            ShapeKind::Each => cx.sizes(&dims, element(dtype))?,
            ShapeKind::Elements => {
                dims = vec![cx.dims().product(&dims)?];
                cx.size(dims[0], element(dtype))?
            }
            ShapeKind::Rank => {
                dims = vec![cx.number(dims.len())];
                cx.size(dims[0], element(dtype))?
            }
        };
        // The result depends on the size of the batch, and so on its other entries.
        cx.mixes_batch();
        args.finish(cx);
        Ok(vec![KerasTensor { sizes: Some(dims), ..KerasTensor::from(value) }])
    }
}

/// A parameter that is a type.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an unknown type.
pub(crate) fn dtype(args: &Args<'_>, names: &[&'static str], position: Option<usize>) -> Result<Option<ValueType>> {
    let Some(name) = args.opt::<String>(names, position)? else { return Ok(None) };
    let known = ValueType::from_keras(&name).filter(|&t| t != ValueType::String);
    known.map(Some).ok_or_else(|| Error::unsupported(format!("unknown `dtype` `{name}`")))
}

/// A constant, which may be negative.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if it is too large.
pub(crate) fn number(cx: &mut LowerCx<'_>, n: i64) -> Result<Dim> {
    let magnitude = cx.dims().number(n.unsigned_abs());
    if n < 0 { cx.dims().sub(Dim::ZERO, magnitude) } else { Ok(magnitude) }
}

/// Reads one number or a list of them.
///
/// # Errors
/// Anything that is not an integer.
pub(crate) fn of_json(cx: &mut LowerCx<'_>, value: &Json) -> Result<Vec<Dim>> {
    let Numbers(numbers) = Numbers::from_json(value)?;
    numbers.into_iter().map(|n| number(cx, n)).collect()
}

/// The sizes in an argument; `None` if a tensor's numbers depend on data.
///
/// # Errors
/// Anything that is not an integer.
pub(crate) fn of_arg(cx: &mut LowerCx<'_>, arg: &Arg<KerasTensor>) -> Result<Option<Vec<Dim>>> {
    match arg {
        Arg::Tensor(tensor) => Ok(tensor.sizes.clone()),
        Arg::Const(value) => of_json(cx, value).map(Some),
        Arg::List(items) => of_args(cx, items),
        Arg::Dict(_) => Ok(None),
    }
}

/// The sizes in several arguments, concatenated.
///
/// # Errors
/// As [`of_arg`].
pub(crate) fn of_args(cx: &mut LowerCx<'_>, args: &[Arg<KerasTensor>]) -> Result<Option<Vec<Dim>>> {
    let mut sizes = Vec::with_capacity(args.len());
    for arg in args {
        let Some(more) = of_arg(cx, arg)? else { return Ok(None) };
        sizes.extend(more);
        if !is_few(cx, sizes.len()) {
            return Ok(None);
        }
    }
    Ok(Some(sizes))
}

/// Whether a shape can have this many sizes. A longer vector is treated as data, and its numbers are not tracked.
pub(crate) fn is_few(cx: &LowerCx<'_>, sizes: usize) -> bool {
    sizes as u64 <= cx.limits().rank
}

/// The sizes in a constant, if it is an integer or a list of integers.
pub(crate) fn of_constant(cx: &mut LowerCx<'_>, constant: &Constant) -> Option<Vec<Dim>> {
    if constant.shape.dims().len() > 1 || !is_few(cx, constant.values.len()) {
        return None;
    }
    constant.values.iter().map(|&x| number(cx, x as i64).ok()).collect()
}

/// Arithmetic on sizes, which broadcast like vectors. `None` if the result is not an expression of dimensions.
pub(crate) fn binary(cx: &mut LowerCx<'_>, kind: BinaryKind, a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let length = match (a.len(), b.len()) {
        (a, b) if a == b => a,
        (1, n) | (n, 1) => n,
        _ => return None,
    };
    if !is_few(cx, length) {
        return None;
    }
    let at = |sizes: &[Dim], i: usize| sizes[if sizes.len() == 1 { 0 } else { i }];
    (0..length).map(|i| of_pair(cx, kind, at(a, i), at(b, i))).collect()
}

fn of_pair(cx: &mut LowerCx<'_>, kind: BinaryKind, a: Dim, b: Dim) -> Option<Dim> {
    let divisor = cx.program().dims.known(b);
    let dims = cx.dims();
    match (kind, divisor) {
        (BinaryKind::Add, _) => dims.add(a, b).ok(),
        (BinaryKind::Subtract, _) => dims.sub(a, b).ok(),
        (BinaryKind::Multiply, _) => dims.mul(a, b).ok(),
        (BinaryKind::Maximum, _) => dims.max(a, b).ok(),
        (BinaryKind::Minimum, _) => dims.min(a, b).ok(),
        (BinaryKind::FloorDivide, Some(divisor)) => dims.div_floor(a, divisor).ok(),
        (BinaryKind::FloorDivide, None) => dims.div_exact(a, b),
        (BinaryKind::Mod, Some(divisor)) => {
            let quotient = dims.div_floor(a, divisor).ok()?;
            let whole = dims.mul(quotient, b).ok()?;
            dims.sub(a, whole).ok()
        }
        _ => None,
    }
}

/// The result of comparing sizes, as 0 and 1. `None` if it is not known before the model runs.
pub(crate) fn compared(cx: &mut LowerCx<'_>, op: CompareOp, a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let differences = binary(cx, BinaryKind::Subtract, a, b)?;
    let truth = |difference| {
        let above = cx.program().dims.known(difference);
        let below = cx.dims().sub(Dim::ZERO, difference).ok().and_then(|n| cx.program().dims.known(n));
        let order = match (above, below) {
            (Some(0), _) => Ordering::Equal,
            (Some(_), _) => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (None, None) => return None,
        };
        let holds = match op {
            CompareOp::Eq => order.is_eq(),
            CompareOp::Ne => order.is_ne(),
            CompareOp::Lt => order.is_lt(),
            CompareOp::Le => order.is_le(),
            CompareOp::Gt => order.is_gt(),
            CompareOp::Ge => order.is_ge(),
        };
        Some(if holds { Dim::ONE } else { Dim::ZERO })
    };
    differences.into_iter().map(truth).collect()
}

/// Selects each size from `a` or `b` by a condition that is 1 or 0.
pub(crate) fn chosen(conditions: &[Dim], a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let length = conditions.len().max(a.len()).max(b.len());
    let at = |sizes: &[Dim], i: usize| match sizes {
        [one] => Some(*one),
        sizes if sizes.len() == length => sizes.get(i).copied(),
        _ => None,
    };
    let of = |i| match at(conditions, i)? {
        Dim::ONE => at(a, i),
        Dim::ZERO => at(b, i),
        _ => None,
    };
    (0..length).map(of).collect()
}

/// Sizes as shown in messages: numbers, `?` for everything else.
pub(crate) fn text(cx: &LowerCx<'_>, sizes: &[Dim]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|&size| cx.program().dims.display(size)).collect();
    format!("[{}]", sizes.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::lower::testing::{Layer, check_program, check_type, functional};
    use crate::producer::Family;
    use expect_test::expect;
    use serde_json::{Value, json};

    /// A TensorFlow function called with `first` and keyword arguments.
    fn call<'a>(name: &'a str, function: &str, first: Value, kwargs: Value) -> Layer<'a> {
        // Keras 2 writes a list in the first argument as one entry for each item.
        let node = if first.is_array() { first } else { json!([first, 0, 0, kwargs]) };
        (name, "TFOpLambda", json!({"function": function}), json!([node]))
    }

    fn shape<'a>(name: &'a str, of: &str) -> Layer<'a> {
        call(name, "compat.v1.shape", json!(of), json!({"name": null, "out_type": "int32"}))
    }

    fn item<'a>(name: &'a str, of: &str, spec: Value) -> Layer<'a> {
        (
            name,
            "SlicingOpLambda",
            json!({"function": "__operators__.getitem"}),
            json!([[of, 0, 0, {"slice_spec": spec}]]),
        )
    }

    fn series() -> [(&'static str, Value); 1] {
        [("x", json!([null, null, 4]))]
    }

    #[test]
    fn a_list_of_sizes_and_numbers() {
        let target = json!([["batch", 0, 0], ["half", 0, 0], 8]);
        let layers = [
            shape("s", "x"),
            item("batch", "s", json!(0)),
            item("time", "s", json!(-2)),
            call("half", "compat.v1.floor_div", json!("time"), json!({"y": 2, "name": null})),
            call("y", "reshape", json!("x"), json!({"shape": target})),
        ];
        check_program(
            &series(),
            &layers,
            &expect![[r#"
            input "x": f32[batch,x.1,4]
            const const0: i32[] = [2]
            guard equal(4*batch*x.1, 8*batch*floor(x.1/2)) @ "y" 4
            {
              %0 = input() {port=0} : f32[batch,x.1,4]
              %1 = sizes() {sizes=[batch,x.1,4], scalar=false, element=i32} : i32[3] @ "s" 0
              %2 = slice(%1) {ranges=[0|1|1]} : i32[1] @ "batch" 1
              %3 = reshape(%2) {dims=[]} : i32[] @ "batch" 1
              %4 = slice(%1) {ranges=[1|1|1]} : i32[1] @ "time" 2
              %5 = reshape(%4) {dims=[]} : i32[] @ "time" 2
              %6 = const() {constant=const0} : i32[] @ "half" 3
              %7 = binary(%5, %6) {op=floor_div} : i32[] @ "half" 3
              %8 = reshape(%0) {dims=[batch,floor(x.1/2),8]} : f32[batch,floor(x.1/2),8] @ "y" 4
              return %8 "y"
            }
        "#]],
        );
    }

    #[test]
    fn a_shape_that_is_sliced_and_joined() {
        let constants = json!([["_CONSTANT_VALUE", -1, 2, {"axis": 0}], ["_CONSTANT_VALUE", -1, 2, {"axis": 0}]]);
        let layers = [
            shape("s", "x"),
            item("front", "s", json!({"start": null, "stop": -1, "step": null})),
            call("joined", "concat", json!([["front", 0, 0, {"axis": 0}], constants]), Value::Null),
            call("y", "reshape", json!("x"), json!({"shape": ["joined", 0, 0]})),
        ];
        check_type(&series(), &layers, "f32[batch,x.1,2,2]");
        let layers = [
            shape("s", "x"),
            item("batch", "s", json!(0)),
            call("stacked", "stack", json!([["batch", 0, 0, {}], ["_CONSTANT_VALUE", -1, -1, {}]]), Value::Null),
            call("y", "reshape", json!("x"), json!({"shape": ["stacked", 0, 0]})),
        ];
        check_type(&series(), &layers, "f32[batch,4*x.1]");
        let layers = [
            shape("s", "x"),
            item("front", "s", json!({"start": null, "stop": 2, "step": null})),
            call("parts", "unstack", json!("front"), json!({"num": 2})),
            (
                "double",
                "TFOpLambda",
                json!({"function": "math.multiply"}),
                json!([["parts", 0, 1, {"y": 4, "name": null}]]),
            ),
            call("y", "reshape", json!("x"), json!({"shape": [["parts", 0, 0], ["double", 0, 0]]})),
        ];
        check_type(&series(), &layers, "f32[batch,4*x.1]");
    }

    #[test]
    fn what_takes_sizes() {
        let two = [("x", json!([null, null, 4])), ("y", json!([null, 4]))];
        let with = |more: &[Layer<'static>]| {
            let mut layers = vec![shape("s", "x"), item("time", "s", json!(1))];
            layers.extend(more.iter().cloned());
            layers
        };
        let row = call("row", "expand_dims", json!("y"), json!({"axis": 1}));
        let times = json!({"multiples": [1, ["time", 0, 0], 1]});
        check_type(&two, &with(&[row.clone(), call("t", "tile", json!("row"), times)]), "f32[batch,x.1,4]");
        let to = json!({"shape": ["s", 0, 0]});
        check_type(&two, &with(&[row, call("b", "broadcast_to", json!("row"), to)]), "f32[batch,x.1,4]");
        check_type(&two, &with(&[call("r", "range", json!("time"), json!({}))]), "i32[x.1]");
        let from = json!([["_CONSTANT_VALUE", -1, 1, {"limit": ["time", 0, 0], "delta": 2}]]);
        let range = ("r", "TFOpLambda", json!({"function": "range"}), from);
        check_type(&two, &with(&[range]), "i32[floor((max(0,x.1-1)+1)/2)]");
        let filled = call("f", "fill", json!("s"), json!({"value": 0.5}));
        check_type(&two, &with(&[filled]), "f32[batch,x.1,4]");
        let zeros = json!([["time", 0, 0, {"dtype": "int32"}], ["_CONSTANT_VALUE", -1, 3, {"dtype": "int32"}]]);
        check_type(&two, &with(&[call("z", "zeros", zeros, Value::Null)]), "i32[x.1,3]");
    }

    #[test]
    fn a_slice_ends_where_another_tensor_does() {
        let two = [("x", json!([null, null, 4])), ("y", json!([null, null, 4]))];
        let all = json!({"start": null, "stop": null, "step": null});
        let to_other = json!([all, {"start": null, "stop": ["time", 0, 0], "step": null}]);
        let layers = [shape("s", "y"), item("time", "s", json!(1)), item("part", "x", to_other)];
        check_type(&two, &layers, "f32[batch,min(x.1,y.1),4]");
        // All of `x` if `y` has no steps, because `x[:, -0:]` is all of it.
        let from_end = json!([all, {"start": ["minus", 0, 0], "stop": null, "step": null}]);
        let layers = [
            shape("s", "y"),
            item("time", "s", json!(1)),
            call("minus", "math.negative", json!("time"), json!({"name": null})),
            item("part", "x", from_end),
        ];
        check_type(&two, &layers, "f32[batch,max(0,min(-min(1,y.1)*x.1+x.1+y.1,x.1)),4]");
    }

    #[test]
    fn sizes_are_numbers_too() {
        let layers = [
            shape("s", "x"),
            item("time", "s", json!(1)),
            call("t", "cast", json!("time"), json!({"dtype": "float32"})),
            call("sum", "math.reduce_sum", json!("x"), json!({"axis": 1})),
            call("mean", "math.truediv", json!("sum"), json!({"y": ["t", 0, 0], "name": null})),
        ];
        check_program(
            &series(),
            &layers,
            &expect![[r#"
            input "x": f32[batch,x.1,4]
            {
              %0 = input() {port=0} : f32[batch,x.1,4]
              %1 = sizes() {sizes=[batch,x.1,4], scalar=false, element=i32} : i32[3] @ "s" 0
              %2 = slice(%1) {ranges=[1|1|1]} : i32[1] @ "time" 1
              %3 = reshape(%2) {dims=[]} : i32[] @ "time" 1
              %4 = cast(%3) {to=f32} : f32[] @ "t" 2
              %5 = reduce(%0) {op=sum, axes=[1], keep=false} : f32[batch,4] @ "sum" 3
              %6 = binary(%5, %4) {op=div} : f32[batch,4] @ "mean" 4
              return %6 "mean"
            }
        "#]],
        );
    }

    #[test]
    fn sizes_that_follow_from_data_are_refused() {
        let layers = [
            call("n", "math.reduce_max", json!("i"), json!({"axis": [0, 1]})),
            call("y", "reshape", json!("i"), json!({"shape": [["n", 0, 0], -1]})),
        ];
        let error = functional(Family::Keras2, &[("i", json!([null, 2]))], &layers).unwrap_err();
        assert_eq!(error.to_string(), "layer `y`: `newshape` is a tensor, which is not supported");
    }

    #[test]
    fn unknown_arguments_are_reported() {
        let layers = [
            call("y", "math.add", json!("x"), json!({"y": 1.0, "name": "sum", "foo": 3, "bar": null})),
            call("z", "reshape", json!("y"), json!({"shape": [-1, 2], "order": "F"})),
        ];
        let warnings = functional(Family::Keras2, &series(), &layers).unwrap().warnings.to_lines();
        let expected = [
            "operation `y` (TFOpLambda): argument without a known meaning: `foo`",
            "operation `z` (TFOpLambda): argument without a known meaning: `order`",
        ];
        assert_eq!(warnings, expected);
    }
}
