//! The inputs of a model: tensors or strings, by position or by name, checked before anything runs.

use crate::engine::CandleResultExt;
use crate::value::{Data, Strings};
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;
use tfjs_ir::{Dim, InputRole, Program};
use tfjs_manifest::{Error, Result, Shape};
use tfjs_topology::graph::{ModelGraph, port_named};
use tfjs_topology::lower::value_type;
use tfjs_topology::types::{SymShape, TensorType, ValueType};

/// One input: a tensor, or strings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Numbers, of any dtype that converts to the model's without loss of meaning.
    Tensor(Tensor),
    /// Strings, for models that take text.
    Strings(Arc<Strings>),
}

impl Input {
    /// Numbers in row-major order with a shape, whose first axis is the batch.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if their number does not match the shape.
    pub fn new(values: impl Into<Vec<f32>>, shape: impl Into<Vec<usize>>) -> Result<Self> {
        let (values, shape) = (values.into(), Shape::new(shape.into())?);
        if values.len() != shape.elements() {
            let message = format!("shape {shape} has {} elements, found {} values", shape.elements(), values.len());
            return Err(Error::misuse(message));
        }
        Tensor::from_vec(values, shape.dims(), &Device::Cpu).or_error().map(Input::Tensor)
    }

    /// Strings in row-major order with a shape, whose first axis is the batch.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if their number does not match the shape.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>, shape: impl Into<Vec<usize>>) -> Result<Self> {
        let items = items.into_iter().map(|item| Arc::<str>::from(item.as_ref()));
        Strings::new(Shape::new(shape.into())?, items).map(|s| Input::Strings(Arc::new(s)))
    }

    fn dims(&self) -> &[usize] {
        match self {
            Input::Tensor(tensor) => tensor.dims(),
            Input::Strings(strings) => strings.shape().dims(),
        }
    }
}

impl From<Tensor> for Input {
    fn from(tensor: Tensor) -> Self {
        Input::Tensor(tensor)
    }
}

impl From<&Tensor> for Input {
    fn from(tensor: &Tensor) -> Self {
        Input::Tensor(tensor.clone())
    }
}

/// The inputs of one prediction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inputs {
    /// In the order of the model's inputs.
    Positional(Vec<Input>),
    /// By the names of the model's inputs, in any order.
    Named(Vec<(String, Input)>),
}

impl<T: Into<Input>> From<T> for Inputs {
    fn from(input: T) -> Self {
        Inputs::Positional(vec![input.into()])
    }
}

impl<T: Into<Input>> From<Vec<T>> for Inputs {
    fn from(inputs: Vec<T>) -> Self {
        Inputs::Positional(inputs.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Input>, const N: usize> From<[T; N]> for Inputs {
    fn from(inputs: [T; N]) -> Self {
        Inputs::Positional(inputs.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>, T: Into<Input>> FromIterator<(S, T)> for Inputs {
    fn from_iter<I: IntoIterator<Item = (S, T)>>(inputs: I) -> Self {
        Inputs::Named(inputs.into_iter().map(|(name, input)| (name.into(), input.into())).collect())
    }
}

/// Converts inputs to the model's order, types and device. For a stateful model, the number of examples may be any
/// multiple of the batch size.
pub(crate) fn check(graph: &ModelGraph, inputs: Inputs, device: &Device, stateful: bool) -> Result<Vec<Data>> {
    let ports: Vec<Port<'_>> =
        graph.inputs.iter().map(|port| (&*port.name, port.key.as_deref(), graph.ty(port.value))).collect();
    let values = checked("the model", &ports, inputs, device, stateful)?;
    let batches: Vec<Option<&usize>> = values.iter().map(|v| v.dims().first()).collect();
    if let Some(other) = batches.iter().position(|b| *b != batches[0]) {
        return Err(Error::mismatch(format!(
            "input `{}` has batch {}, input `{}` has {}",
            graph.inputs[0].name,
            values[0].dims().first().unwrap_or(&0),
            graph.inputs[other].name,
            values[other].dims().first().unwrap_or(&0)
        )));
    }
    Ok(values)
}

/// Converts arguments to a program's order and types, on a device.
pub(crate) fn check_arguments(program: &Program, inputs: Inputs, device: &Device) -> Result<Vec<Data>> {
    let arguments = || program.inputs.iter().filter(|input| input.role == InputRole::Argument);
    let known = |&dim: &Dim| program.dims.known(dim).and_then(|n| usize::try_from(n).ok());
    let types = arguments().map(|input| TensorType {
        shape: SymShape(input.ty.dims.iter().map(known).collect()),
        dtype: value_type(input.ty.element),
    });
    let types: Vec<TensorType> = types.collect();
    let ports: Vec<Port<'_>> = arguments().zip(&types).map(|(input, ty)| (&*input.name, None, ty)).collect();
    checked("the step", &ports, inputs, device, false)
}

/// The name, the other name and the type of an input.
type Port<'a> = (&'a str, Option<&'a str>, &'a TensorType);

fn checked(owner: &str, ports: &[Port<'_>], inputs: Inputs, device: &Device, stateful: bool) -> Result<Vec<Data>> {
    let ordered = order(owner, ports, inputs)?;
    let ordered = ports.iter().zip(ordered);
    ordered.map(|((name, _, ty), input)| convert(input, ty, device, stateful).map_err(|e| e.at_value(name))).collect()
}

fn order(owner: &str, ports: &[Port<'_>], inputs: Inputs) -> Result<Vec<Input>> {
    let known = || {
        let names: Vec<String> =
            ports.iter().map(|(name, key, ty)| format!("`{}` {ty}", key.unwrap_or(name))).collect();
        names.join(", ")
    };
    match inputs {
        Inputs::Positional(inputs) if inputs.len() == ports.len() => Ok(inputs),
        Inputs::Positional(inputs) => {
            Err(Error::mismatch(format!("{owner} has {} inputs ({}), found {}", ports.len(), known(), inputs.len())))
        }
        Inputs::Named(inputs) => {
            // SIZE: the number of inputs of the model.
            let mut placed: Vec<Option<Input>> = vec![None; ports.len()];
            let mut left = None;
            for (name, input) in inputs {
                let place = port_named(ports.iter().map(|(name, key, _)| (*name, *key)), &name);
                match place.and_then(|place| placed.get_mut(place)) {
                    Some(empty @ None) => *empty = Some(input),
                    _ => left = left.or(Some(name)),
                }
            }
            let ordered = ports.iter().zip(placed).map(|((name, key, _), input)| {
                let expected = key.unwrap_or(name);
                let missing = || Error::mismatch(format!("input `{expected}` is missing; {owner} has {}", known()));
                input.ok_or_else(missing)
            });
            let ordered = ordered.collect::<Result<Vec<Input>>>()?;
            match left {
                Some(name) => Err(Error::mismatch(format!("{owner} has no input `{name}` left; it has {}", known()))),
                None => Ok(ordered),
            }
        }
    }
}

fn convert(input: Input, ty: &TensorType, device: &Device, stateful: bool) -> Result<Data> {
    let given: Vec<usize> = input.dims().to_vec();
    let input = expand(input, &ty.shape)?;
    // DIFFERENCE: TensorFlow.js does not require the batch size that the model fixes.
    let fits = ty.shape.admits(input.dims()) || (stateful && batches_of(&ty.shape, input.dims()));
    if !fits {
        let found = SymShape(given.iter().copied().map(Some).collect());
        let one: Vec<usize> = std::iter::once(1).chain(given.iter().copied()).collect();
        let what_to_do = match ty.shape.dims().first() {
            Some(Some(batch)) if stateful => {
                format!("; a stateful layer needs whole batches of {batch}: pad the last one")
            }
            _ if ty.shape.admits(&one) => format!("; the first axis is the batch: give one example as {one:?}"),
            _ => String::new(),
        };
        return Err(Error::mismatch(format!("expected shape {}, found {found}{what_to_do}", ty.shape)));
    }
    Ok(match (input, ty.dtype) {
        (Input::Strings(strings), ValueType::String) => Data::Strings(strings),
        (Input::Strings(_), dtype) => {
            return Err(Error::mismatch(format!("expected `{}`, found strings", dtype.name())));
        }
        (Input::Tensor(_), ValueType::String) => return Err(Error::mismatch("expected strings, found numbers")),
        (Input::Tensor(tensor), dtype) => Data::Tensor(to_type(&tensor, dtype)?.to_device(device).or_error()?),
    })
}

/// Whether a shape consists of several batches of the size that the model fixes.
fn batches_of(shape: &SymShape, dims: &[usize]) -> bool {
    let (Some(Some(batch)), Some(&total)) = (shape.dims().first(), dims.first()) else { return false };
    let one: Vec<usize> = std::iter::once(*batch).chain(dims.iter().skip(1).copied()).collect();
    total > 0 && total.checked_rem(*batch) == Some(0) && shape.admits(&one)
}

/// Reads a vector as a batch of single numbers, as Keras and TensorFlow.js do.
fn expand(input: Input, shape: &SymShape) -> Result<Input> {
    match input {
        Input::Tensor(t) if t.rank() == 1 && shape.rank() == 2 => t.unsqueeze(1).or_error().map(Input::Tensor),
        Input::Strings(s) if s.shape().rank() == 1 && shape.rank() == 2 => {
            let dims = [s.shape().dims()[0], 1];
            Ok(Input::Strings(Arc::new(Strings::new(Shape::new(dims)?, s.items().iter().cloned())?)))
        }
        other => Ok(other),
    }
}

fn to_type(tensor: &Tensor, ty: ValueType) -> Result<Tensor> {
    let wanted = match ty {
        ValueType::Int32 => DType::I32,
        ValueType::Int64 => DType::I64,
        ValueType::Bool => DType::U8,
        _ => DType::F32,
    };
    if tensor.dtype() == wanted {
        return Ok(tensor.clone());
    }
    if !wanted.is_float() {
        refuse_loss(tensor, ty)?;
    }
    let converted = tensor.to_dtype(wanted).or_error()?;
    if wanted == DType::F32 && tensor.dtype() == DType::F64 {
        refuse_overflow(tensor, &converted)?;
    }
    Ok(converted)
}

/// Fails if a finite double-precision number becomes infinite, instead of passing it on silently.
fn refuse_overflow(wide: &Tensor, converted: &Tensor) -> Result<()> {
    let wide = wide.flatten_all().and_then(|t| t.to_vec1::<f64>()).or_error()?;
    let converted = converted.flatten_all().and_then(|t| t.to_vec1::<f32>()).or_error()?;
    match wide.iter().zip(&converted).find(|(wide, converted)| wide.is_finite() && !converted.is_finite()) {
        Some((wide, _)) => Err(Error::mismatch(format!(
            "expected `{}`, found the value out of range `{wide:e}`",
            ValueType::Float.name()
        ))),
        None => Ok(()),
    }
}

/// Fails if a number is lost by conversion to an integer. Ids often arrive as floats or wider integers; fractions are
/// truncated, as by the producers. NaN and numbers out of range must not silently become other numbers.
fn refuse_loss(tensor: &Tensor, ty: ValueType) -> Result<()> {
    let range = match ty {
        ValueType::Int32 => f64::from(i32::MIN)..=f64::from(i32::MAX),
        ValueType::Bool => 0.0..=1.0,
        // As a float, `i64::MAX` is rounded up.
        _ => i64::MIN as f64..=(i64::MAX as f64).next_down(),
    };
    let values =
        tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f64>()).or_error()?;
    for value in values {
        let what = if !value.is_finite() {
            "non-finite value"
        } else if value.fract() != 0.0 && matches!(ty, ValueType::Bool) {
            "fractional value"
        } else if !range.contains(&value) {
            "value out of range"
        } else {
            continue;
        };
        return Err(Error::mismatch(format!("expected `{}`, found the {what} `{value}`", ty.name())));
    }
    Ok(())
}
