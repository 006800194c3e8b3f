//! Compares gradients with TensorFlow's, at ordinary points and at points where libraries differ.
//!
//! `tests/goldens/gradients` contains the expressions, the expected numbers and the generator.

use serde_json::Value as Json;
use std::collections::HashMap;
use tfjs_ir::grad::gradients;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::normalize::{BatchNorm, Norm, Normalize, Softmax};
use tfjs_ir::prim::reduce::{ReduceOp, RunningOp};
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::{self, Window};
use tfjs_ir::{Array, Builder, Data, Dim, ElementType, Inputs, Type, Value, interpret};
use tfjs_manifest::Result;

const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/gradients/gradients.json");

/// Functions of the goldens that are not primitives.
const NOT_HERE: &[(&str, &str)] =
    &[("stop_gradient", "no primitive stops gradients"), ("upsample_bilinear", "no primitive resizes yet")];

#[test]
fn every_row_is_what_tensorflow_gives() {
    let text = std::fs::read_to_string(GOLDENS).expect("the goldens are in the repository");
    let goldens: Json = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for row in goldens["rows"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        if !NOT_HERE.iter().any(|(known, _)| *known == name) {
            check(name, row, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(name: &str, row: &Json, wrong: &mut Vec<String>) {
    let mut b = Builder::default();
    let (mut values, mut given, mut names, mut wrt) = (HashMap::new(), Vec::new(), Vec::new(), Vec::new());
    for (input, array) in row["inputs"].as_object().unwrap() {
        let element = match input.as_str() {
            "ids" => ElementType::I64,
            "condition" => ElementType::Bool,
            _ => ElementType::F32,
        };
        let array = array_of(array, element);
        let dims: Vec<Dim> = array.dims().iter().map(|&n| b.number(n)).collect();
        let value = b.input(input, Type::new(element, dims)).unwrap();
        values.insert(input.clone(), value);
        given.push(array);
        if row["gradients"].get(input).is_some() {
            names.push(input.clone());
            wrt.push(value);
        }
    }
    let mut e = Expression { b: &mut b, values };
    let y = match e.of(name) {
        Ok(Some(y)) => y,
        Ok(None) => return wrong.push(format!("{name}: no expression for `{}`", row["op"])),
        Err(error) => return wrong.push(format!("{name}: {error}")),
    };
    let upstream = b.constant(array_of(&row["upstream"], ElementType::F32)).unwrap();
    let product = b.mul(y, upstream).unwrap();
    let axes: Vec<usize> = (0..b.ty(product).rank()).collect();
    let loss = b.reduce(ReduceOp::Sum, product, &axes, false).unwrap();
    let slopes = gradients(&mut b, loss, &wrt).unwrap();
    let outputs = std::iter::once(y).chain(slopes).map(|value| ("value".to_string(), value)).collect();
    let program = b.finish(outputs).unwrap();
    tfjs_ir::verify::verify(&program).unwrap();

    let mut found = interpret(&program, &Inputs::of(given)).unwrap().outputs.into_iter();
    let mut compare = |what: &str, expected: &Json, found: &Array| {
        let found_numbers = found.to_floats().unwrap();
        let expected = match expected.is_null() {
            // TensorFlow returns no gradient for these; the gradient is 0.
            true => vec![0.0; found.elements()],
            false => {
                let expected = array_of(expected, ElementType::F32);
                if expected.dims() != found.dims() {
                    return wrong.push(format!(
                        "{name}: {what}: expected {:?}, found {:?}",
                        expected.dims(),
                        found.dims()
                    ));
                }
                expected.to_floats().unwrap()
            }
        };
        if !expected.iter().zip(&found_numbers).all(|(&a, &b)| close(a, b)) {
            wrong.push(format!("{name}: {what}: expected {expected:?}, found {found_numbers:?}"));
        }
    };
    compare("the value", &row["output"], &found.next().unwrap());
    for (input, found) in names.iter().zip(found) {
        compare(input, &row["gradients"][input], &found);
    }
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 + 2e-5 * a.abs()
}

fn array_of(json: &Json, element: ElementType) -> Array {
    let dims: Vec<usize> = json["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let values = json["values"].as_array().unwrap();
    let data = match element {
        ElementType::I64 => Data::Int(values.iter().map(|n| n.as_f64().unwrap() as i64).collect()),
        ElementType::Bool => {
            Data::Bool(values.iter().map(|b| b.as_bool().unwrap_or_else(|| b.as_f64() != Some(0.0))).collect())
        }
        _ => Data::Float(values.iter().map(number).collect()),
    };
    Array::new(element, dims, data).unwrap()
}

fn number(json: &Json) -> f64 {
    match json.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => json.as_f64().unwrap(),
    }
}

/// Builds the expressions of the goldens.
struct Expression<'a> {
    b: &'a mut Builder,
    values: HashMap<String, Value>,
}

impl Expression<'_> {
    fn get(&self, name: &str) -> Value {
        *self.values.get(name).unwrap_or_else(|| panic!("the row has no input `{name}`"))
    }

    fn x(&self) -> Value {
        self.get("x")
    }

    fn y(&self) -> Value {
        self.get("y")
    }

    fn unary(&mut self, op: UnaryOp, x: Value) -> Result<Value> {
        self.b.unary(op, x)
    }

    fn plain(&mut self, op: BinaryOp, x: Value, number: f64) -> Result<Value> {
        self.b.binary_scalar(op, x, number)
    }

    fn reduce(&mut self, op: ReduceOp, axes: &[usize]) -> Result<Value> {
        self.b.reduce(op, self.x(), axes, false)
    }

    fn reduce_all(&mut self, op: ReduceOp) -> Result<Value> {
        let axes: Vec<usize> = (0..self.b.ty(self.x()).rank()).collect();
        self.reduce(op, &axes)
    }

    fn windows(&self, text: &[&str]) -> Vec<Window> {
        text.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn pool(&mut self, op: PoolOp, text: &[&str]) -> Result<Value> {
        let windows = self.windows(text);
        self.b.pool(op, self.x(), &windows)
    }

    /// A convolution whose window has the size of the kernel `w`.
    fn conv(&mut self, strides: &[usize], dilation: usize, padding: window::Padding, groups: usize) -> Result<Value> {
        let kernel = self.get("w");
        let sizes = self.b.dims_of(kernel);
        let window = |(&stride, &size): (&usize, &Dim)| (stride, size);
        let pairs: Vec<(usize, Dim)> = strides.iter().zip(&sizes).map(window).collect();
        let mut windows = Vec::new();
        for (stride, size) in pairs {
            let size = self.b.dims().known(size).unwrap() as usize;
            windows.push(Window::new(size, stride, dilation, padding)?);
        }
        self.b.conv(self.x(), kernel, &windows, groups)
    }

    /// A depthwise convolution.
    fn depthwise(&mut self, strides: &[usize], padding: window::Padding) -> Result<Value> {
        let kernel = self.get("w");
        let mut dims = self.b.dims_of(kernel);
        let channels = self.b.dims().known(dims[2]).unwrap() as usize;
        dims[3] = self.b.dims().mul(dims[2], dims[3])?;
        dims[2] = Dim::ONE;
        let kernel = self.b.reshape(kernel, &dims)?;
        self.values.insert("w".to_string(), kernel);
        self.conv(strides, 1, padding, channels)
    }

    fn dims(&mut self, lengths: &[usize]) -> Vec<Dim> {
        lengths.iter().map(|&n| self.b.number(n)).collect()
    }

    /// `mean[, axis] of (x - mean)^2`, from primitives.
    fn variance(&mut self, axes: &[usize]) -> Result<Value> {
        let (_, variance) = self.b.moments(self.x(), axes)?;
        let mut dims = self.b.dims_of(variance);
        for &axis in axes.iter().rev() {
            dims.remove(axis);
        }
        self.b.reshape(variance, &dims)
    }

    fn batch_norm(&mut self, mean: Value, variance: Value) -> Result<Value> {
        let norm = BatchNorm { epsilon: 1e-3, scale: true, center: true };
        self.b.one(norm, &[self.x(), mean, variance, self.get("gamma"), self.get("beta")])
    }

    fn trained_norm(&mut self, axes: &[usize]) -> Result<Value> {
        let (mean, variance) = self.b.moments(self.x(), axes)?;
        self.batch_norm(mean, variance)
    }

    /// `x` with each element of an axis repeated.
    fn repeat(&mut self, x: Value, axis: usize, times: usize) -> Result<Value> {
        let dims = self.b.dims_of(x);
        let times = self.b.number(times);
        let mut wide = dims.clone();
        wide.insert(axis + 1, times);
        let axes: Vec<usize> = (0..wide.len()).filter(|&i| i != axis + 1).collect();
        let x = self.b.broadcast(x, &wide, &axes)?;
        let mut long = dims;
        long[axis] = self.b.dims().mul(long[axis], times)?;
        self.b.reshape(x, &long)
    }

    /// The mean over the last axis.
    fn mean_last(&mut self, x: Value) -> Result<Value> {
        let last = self.b.ty(x).rank() - 1;
        self.b.reduce(ReduceOp::Mean, x, &[last], false)
    }

    fn error(&mut self) -> Result<Value> {
        self.b.sub(self.x(), self.get("target"))
    }

    fn where_positive(&mut self, y: Value) -> Result<Value> {
        let condition = self.b.compare_scalar(CompareOp::Gt, self.x(), 0.0)?;
        let zero = self.b.scalar(ElementType::F32, 0.0)?;
        self.b.select(condition, y, zero)
    }

    fn of(&mut self, name: &str) -> Result<Option<Value>> {
        let found = match self.rearrangement(name)? {
            Some(y) => Some(y),
            None => match self.function(name)? {
                Some(y) => Some(y),
                None => self.layer(name)?,
            },
        };
        Ok(found)
    }

    /// Elementwise functions and reductions.
    fn function(&mut self, name: &str) -> Result<Option<Value>> {
        let one_operand = |op: &str| UnaryOp::ALL.iter().copied().find(|known| known.name() == op);
        let y = match name {
            "abs_zero" => self.unary(UnaryOp::Abs, self.x())?,
            "sqrt_zero" => self.unary(UnaryOp::Sqrt, self.x())?,
            "log_zero" => self.unary(UnaryOp::Log, self.x())?,
            "round" => self.unary(UnaryOp::RoundEven, self.x())?,
            "square_zero" => self.b.mul(self.x(), self.x())?,
            "reciprocal" => {
                let one = self.b.scalar(ElementType::F32, 1.0)?;
                self.b.div(one, self.x())?
            }
            "maximum_equal" | "maximum_broadcast" => self.b.binary(BinaryOp::Max, self.x(), self.y())?,
            "minimum_equal" => self.b.binary(BinaryOp::Min, self.x(), self.y())?,
            "maximum_number" => self.plain(BinaryOp::Max, self.x(), 0.0)?,
            "pow" | "pow_zero_base" | "pow_negative_base" => self.b.binary(BinaryOp::Pow, self.x(), self.y())?,
            "pow_number" => self.plain(BinaryOp::Pow, self.x(), 2.0)?,
            "pow_half" => self.plain(BinaryOp::Pow, self.x(), 0.5)?,
            "pow_of_number" => {
                let two = self.b.scalar(ElementType::F32, 2.0)?;
                self.b.binary(BinaryOp::Pow, two, self.x())?
            }
            "divide" | "divide_broadcast" | "divide_by_zero" => self.b.div(self.x(), self.y())?,
            "divide_no_nan" => {
                let zero = self.b.compare_scalar(CompareOp::Eq, self.y(), 0.0)?;
                let (one, none) = (self.b.scalar(ElementType::F32, 1.0)?, self.b.scalar(ElementType::F32, 0.0)?);
                let safe = self.b.select(zero, one, self.y())?;
                let quotient = self.b.div(self.x(), safe)?;
                self.b.select(zero, none, quotient)?
            }
            "squared_difference" => {
                let error = self.b.sub(self.x(), self.y())?;
                self.b.mul(error, error)?
            }
            "floormod" => self.b.binary(BinaryOp::Mod, self.x(), self.y())?,
            "add_outer" => self.b.add(self.x(), self.y())?,
            "multiply_outer" => self.b.mul(self.x(), self.y())?,
            "subtract_rank" => self.b.sub(self.x(), self.y())?,
            "add_itself" => {
                let square = self.b.mul(self.x(), self.x())?;
                self.b.add(self.x(), square)?
            }
            "where" | "where_broadcast" => self.b.select(self.get("condition"), self.x(), self.y())?,
            "where_nan_branch" | "where_nan_branch_sqrt" => {
                let op = if name.ends_with("sqrt") { UnaryOp::Sqrt } else { UnaryOp::Log };
                let y = self.unary(op, self.x())?;
                self.where_positive(y)?
            }
            "where_nan_branch_safe" => {
                let condition = self.b.compare_scalar(CompareOp::Gt, self.x(), 0.0)?;
                let one = self.b.scalar(ElementType::F32, 1.0)?;
                let safe = self.b.select(condition, self.x(), one)?;
                let y = self.unary(UnaryOp::Sqrt, safe)?;
                self.where_positive(y)?
            }
            "saturated" => {
                let sigmoid = self.b.activate(Activation::Sigmoid {}, self.x())?;
                let tanh = self.b.activate(Activation::Tanh {}, self.x())?;
                let softplus = self.b.activate(Activation::Softplus {}, self.x())?;
                let sum = self.b.add(sigmoid, tanh)?;
                self.b.add(sum, softplus)?
            }
            "prelu" => {
                let up = self.b.activate(Activation::RELU, self.x())?;
                let negative = self.unary(UnaryOp::Neg, self.x())?;
                let down = self.b.activate(Activation::RELU, negative)?;
                let down = self.b.mul(self.get("alpha"), down)?;
                self.b.sub(up, down)?
            }
            "reduce_sum" => self.reduce(ReduceOp::Sum, &[0, 2])?,
            "reduce_mean" => self.b.reduce(ReduceOp::Mean, self.x(), &[0, 2], true)?,
            "reduce_max_ties" => self.reduce(ReduceOp::Max, &[1])?,
            "reduce_min_ties" => self.b.reduce(ReduceOp::Min, self.x(), &[0], true)?,
            "reduce_max_all_ties" => self.reduce_all(ReduceOp::Max)?,
            "reduce_prod" | "reduce_prod_zeros" => self.reduce(ReduceOp::Prod, &[1])?,
            "reduce_prod_zero_all" => self.reduce_all(ReduceOp::Prod)?,
            "global_average" => self.reduce(ReduceOp::Mean, &[1, 2])?,
            "global_max_ties" => self.reduce(ReduceOp::Max, &[1, 2])?,
            "reduce_variance" => self.variance(&[1])?,
            "reduce_std_constant" => {
                let variance = self.variance(&[1])?;
                self.unary(UnaryOp::Sqrt, variance)?
            }
            "reduce_logsumexp" => {
                let largest = self.b.reduce(ReduceOp::Max, self.x(), &[1], true)?;
                let rest = self.b.sub(self.x(), largest)?;
                let exp = self.unary(UnaryOp::Exp, rest)?;
                let sum = self.b.reduce(ReduceOp::Sum, exp, &[1], true)?;
                let log = self.unary(UnaryOp::Log, sum)?;
                let y = self.b.add(log, largest)?;
                self.b.remove_axis(y, 1)?
            }
            "norm" => {
                let square = self.b.mul(self.x(), self.x())?;
                let sum = self.b.reduce(ReduceOp::Sum, square, &[1], false)?;
                self.unary(UnaryOp::Sqrt, sum)?
            }
            "cumsum" => self.b.cumulative(RunningOp::Sum, self.x(), 1, false, false)?,
            "cumsum_exclusive_reverse" => self.b.cumulative(RunningOp::Sum, self.x(), 0, true, true)?,
            _ => match (one_operand(name), activation(name)) {
                (_, Some(function)) => self.b.activate(function, self.x())?,
                (Some(op), None) => self.unary(op, self.x())?,
                (None, None) => return Ok(None),
            },
        };
        Ok(Some(y))
    }

    /// Rearrangements.
    fn rearrangement(&mut self, name: &str) -> Result<Option<Value>> {
        let x = self.values.get("x").copied().unwrap_or(Value(0));
        let range = |b: &mut Builder, start, len, step| Range { start: b.number(start), len: b.number(len), step };
        let y = match name {
            "concat" => self.b.concat(&[x, self.y(), x], 1)?,
            "stack" => {
                let (x, y) = (self.b.insert_axis(x, 1)?, self.b.insert_axis(self.y(), 1)?);
                self.b.concat(&[x, y], 1)?
            }
            "slice_strides" => {
                let range = range(self.b, 1, 2, 2);
                self.b.slice_axis(x, 1, range)?
            }
            "slice_backwards" => {
                let (rows, columns) = (range(self.b, 0, 2, 2), range(self.b, 1, 2, 1));
                let turned = self.b.reverse(x, &[0])?;
                self.b.slice(turned, &[rows, columns])?
            }
            "slice_index" => {
                let range = range(self.b, 2, 1, 1);
                self.b.slice_axis(x, 2, range)?
            }
            "split" => {
                let range = range(self.b, 1, 3, 1);
                self.b.slice_axis(x, 1, range)?
            }
            "reverse" => self.b.reverse(x, &[1])?,
            "transpose" => self.b.transpose(x, &[2, 0, 1])?,
            "pad" => {
                let two = self.b.number(2);
                let below = Padding { high: Dim::ONE, ..Padding::NONE };
                self.b.pad(x, &[below, Padding { low: two, ..Padding::NONE }], 0.0)?
            }
            "pad_reflect" => {
                let ids = Array::new(ElementType::I64, [6], Data::Int(vec![2, 1, 0, 1, 2, 1]))?;
                let ids = self.b.constant(ids)?;
                self.b.gather(x, ids, 1, Bounds::Error)?
            }
            "tile" => {
                let wide = self.dims(&[2, 2, 3, 2]);
                let spread = self.b.broadcast(x, &wide, &[1, 3])?;
                let dims = self.dims(&[4, 6]);
                self.b.reshape(spread, &dims)?
            }
            "repeat" => self.repeat(x, 1, 3)?,
            "upsample_nearest" => {
                let tall = self.repeat(x, 1, 2)?;
                self.repeat(tall, 2, 3)?
            }
            "reshape" => {
                let dims = self.dims(&[3, 4]);
                self.b.reshape(x, &dims)?
            }
            "squeeze_expand" => {
                let flat = self.b.remove_axis(x, 1)?;
                self.b.insert_axis(flat, 0)?
            }
            "gather_repeated" => self.b.gather(x, self.get("ids"), 0, Bounds::Error)?,
            "gather_axis_1" => self.b.gather(x, self.get("ids"), 1, Bounds::Error)?,
            _ => return Ok(None),
        };
        Ok(Some(y))
    }

    /// Products, pools, normalizations, losses.
    fn layer(&mut self, name: &str) -> Result<Option<Value>> {
        use window::Padding::{Causal, Same, Valid};
        let y = match name {
            "max_pool_ties" => self.pool(PoolOp::Max, &["2/2:valid", "2/2:valid"])?,
            "max_pool_ties_overlapping" => self.pool(PoolOp::Max, &["3:valid", "3:valid"])?,
            "max_pool_ties_same" => self.pool(PoolOp::Max, &["3/2:same", "3/2:same"])?,
            "max_pool_all_equal" => self.pool(PoolOp::Max, &["2/2:same", "2/2:same"])?,
            "max_pool" => self.pool(PoolOp::Max, &["2/2:same", "3:same"])?,
            "max_pool1d_ties" => self.pool(PoolOp::Max, &["2:valid"])?,
            "average_pool_same" => self.pool(PoolOp::Mean, &["3/2:same", "3/2:same"])?,
            "average_pool_valid" => self.pool(PoolOp::Mean, &["2:valid", "2:valid"])?,
            "l2_normalize" | "l2_normalize_axes" => {
                let axes = if name.ends_with("axes") { vec![1, 2] } else { vec![1] };
                let norm = Normalize { norm: Norm::L2, axes, epsilon: 1e-12, scale: false, center: false };
                self.b.one(norm, &[self.x()])?
            }
            "layer_norm" => {
                let norm = Normalize { norm: Norm::Layer, axes: vec![2], epsilon: 1e-3, scale: true, center: true };
                self.b.one(norm, &[self.x(), self.get("gamma"), self.get("beta")])?
            }
            "softmax" | "softmax_large" => self.b.softmax(self.x(), &[1])?,
            "softmax_axis_1" => self.b.softmax(self.x(), &[1])?,
            "log_softmax" | "log_softmax_large" => self.b.one(Softmax { axes: vec![1], log: true }, &[self.x()])?,
            "batch_norm_training" | "batch_norm_training_one_row" => self.trained_norm(&[0])?,
            "batch_norm_training_rank4" => self.trained_norm(&[0, 1, 2])?,
            "batch_norm_inference" => self.batch_norm(self.get("mean"), self.get("variance"))?,
            "conv2d_same_stride_2" | "conv2d_same_stride_2_even" => self.conv(&[2, 2], 1, Same, 1)?,
            "conv2d_valid" => self.conv(&[1, 2], 1, Valid, 1)?,
            "conv2d_dilated_same" => self.conv(&[1, 1], 2, Same, 1)?,
            "conv2d_groups" => self.conv(&[1, 1], 1, Same, 2)?,
            "conv1d_causal" => self.conv(&[1], 2, Causal, 1)?,
            "depthwise_same_stride_2" => self.depthwise(&[2, 2], Same)?,
            "depthwise_valid" => self.depthwise(&[1, 1], Valid)?,
            "matmul" => self.b.dot(self.x(), self.y(), &[], &[(1, 0)])?,
            "matmul_transpose_a" => self.b.dot(self.x(), self.y(), &[], &[(0, 0)])?,
            "matmul_transpose_b" => self.b.dot(self.x(), self.y(), &[], &[(1, 1)])?,
            "matmul_transpose_both" => self.b.dot(self.x(), self.y(), &[], &[(0, 1)])?,
            "matmul_batch_broadcast" => {
                let y = self.b.remove_axis(self.y(), 0)?;
                self.b.dot(self.x(), y, &[], &[(2, 0)])?
            }
            "dense" => {
                let product = self.b.matmul(self.x(), self.get("w"))?;
                let sum = self.b.add(product, self.get("b"))?;
                self.b.activate(Activation::RELU, sum)?
            }
            "attention" => {
                let scores = self.b.dot(self.get("q"), self.get("k"), &[(0, 0)], &[(2, 2)])?;
                let scores = self.plain(BinaryOp::Div, scores, 2.0)?;
                let weights = self.b.softmax(scores, &[2])?;
                self.b.dot(weights, self.get("v"), &[(0, 0)], &[(2, 1)])?
            }
            _ => return self.loss(name),
        };
        Ok(Some(y))
    }

    fn loss(&mut self, name: &str) -> Result<Option<Value>> {
        let target = self.values.get("target").copied();
        let (Some(name), Some(target)) = (name.strip_prefix("loss_"), target) else { return Ok(None) };
        let clip = Activation::Clip { low: 1e-7, high: 1.0 - 1e-7 };
        let y = match name {
            "categorical_crossentropy" => {
                let sum = self.b.reduce(ReduceOp::Sum, self.get("p"), &[1], true)?;
                let share = self.b.div(self.get("p"), sum)?;
                let clipped = self.b.activate(clip, share)?;
                let log = self.unary(UnaryOp::Log, clipped)?;
                let product = self.b.mul(target, log)?;
                let sum = self.b.reduce(ReduceOp::Sum, product, &[1], false)?;
                self.unary(UnaryOp::Neg, sum)?
            }
            "categorical_crossentropy_logits" => {
                let log = self.b.one(Softmax { axes: vec![1], log: true }, &[self.x()])?;
                let product = self.b.mul(target, log)?;
                let sum = self.b.reduce(ReduceOp::Sum, product, &[1], false)?;
                self.unary(UnaryOp::Neg, sum)?
            }
            "binary_crossentropy" => {
                let p = self.b.activate(clip, self.get("p"))?;
                let one = self.b.scalar(ElementType::F32, 1.0)?;
                let log_of = |e: &mut Self, p: Value, t: Value| {
                    let safe = e.plain(BinaryOp::Add, p, 1e-7)?;
                    let log = e.unary(UnaryOp::Log, safe)?;
                    e.b.mul(t, log)
                };
                let right = log_of(self, p, target)?;
                let (q, other) = (self.b.sub(one, p)?, self.b.sub(one, target)?);
                let wrong = log_of(self, q, other)?;
                let sum = self.b.add(right, wrong)?;
                let sum = self.unary(UnaryOp::Neg, sum)?;
                self.mean_last(sum)?
            }
            "binary_crossentropy_logits" => {
                // softplus(x) - x t
                let softplus = self.b.activate(Activation::Softplus {}, self.x())?;
                let product = self.b.mul(self.x(), target)?;
                self.b.sub(softplus, product)?
            }
            "mean_squared_error" => {
                let error = self.error()?;
                let square = self.b.mul(error, error)?;
                self.mean_last(square)?
            }
            "mean_absolute_error" => {
                let error = self.error()?;
                let size = self.unary(UnaryOp::Abs, error)?;
                self.mean_last(size)?
            }
            "huber" => {
                let error = self.error()?;
                let size = self.unary(UnaryOp::Abs, error)?;
                let near = self.b.compare_scalar(CompareOp::Le, size, 1.0)?;
                let square = self.b.mul(error, error)?;
                let half = self.plain(BinaryOp::Mul, square, 0.5)?;
                let line = self.plain(BinaryOp::Sub, size, 0.5)?;
                let each = self.b.select(near, half, line)?;
                self.mean_last(each)?
            }
            "log_cosh" => {
                // x + softplus(-2 x) - log 2
                let error = self.error()?;
                let double = self.plain(BinaryOp::Mul, error, -2.0)?;
                let softplus = self.b.activate(Activation::Softplus {}, double)?;
                let sum = self.b.add(error, softplus)?;
                let each = self.plain(BinaryOp::Sub, sum, std::f64::consts::LN_2)?;
                self.mean_last(each)?
            }
            _ => return Ok(None),
        };
        Ok(Some(y))
    }
}

/// The activation of a row.
fn activation(name: &str) -> Option<Activation> {
    Some(match name {
        "relu_zero" => Activation::RELU,
        "relu6_bounds" => Activation::RELU6,
        "leaky_relu_zero" => Activation::Relu { max: f64::INFINITY, negative_slope: 0.2, threshold: 0.0 },
        "keras_relu_all" => Activation::Relu { max: 4.0, negative_slope: 0.3, threshold: 1.0 },
        "clip_bounds" => Activation::Clip { low: -1.0, high: 2.0 },
        "sigmoid" => Activation::Sigmoid {},
        "tanh" => Activation::Tanh {},
        "softplus" => Activation::Softplus {},
        "elu" => Activation::Elu { alpha: 1.0 },
        "elu_alpha" => Activation::Elu { alpha: 0.4 },
        "selu" => Activation::Selu {},
        "gelu_exact" => Activation::Gelu {},
        "gelu_approximate" => Activation::GeluTanh {},
        "silu" => Activation::Silu {},
        "mish" => Activation::Mish {},
        "softsign" => Activation::Softsign {},
        "log_sigmoid" => Activation::LogSigmoid {},
        "hard_sigmoid" => Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
        "hard_sigmoid_keras3" => Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 },
        _ => return None,
    })
}
