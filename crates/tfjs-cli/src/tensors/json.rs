//! Tensors as JSON: an object from name to nested arrays of numbers, booleans or strings. The model's input determines
//! the type. Numbers that JSON cannot represent are read and written as the strings `NaN`, `Infinity` and `-Infinity`.

use super::{Data, Output, check_rank};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::shown::Shown;
use serde_json::Value;
use std::fmt::Display;
use std::io::{BufWriter, Write};
use tfjs::layer::CandleResultExt;
use tfjs::parts::manifest::text::{found, shorten};
use tfjs::parts::manifest::{self, Shape};
use tfjs::parts::topology::graph::port_named;
use tfjs::{DType, Device, Error, Input, Limits, Port, Result, Tensor, ValueType};

/// The contents of a file.
#[derive(Debug)]
pub(super) enum Document {
    /// An array without a name, for a model with one input.
    Bare(Input),
    /// Arrays by name.
    Named(Vec<(String, Input)>),
}

/// Reads the tensors of a file, with the types of the model's inputs.
pub(super) fn read(bytes: &[u8], ports: &[Port<'_>]) -> Result<Document> {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(b));
    if !matches!(first, Some(b'{' | b'[')) {
        return Err(Error::malformed("expected JSON: an object from input name to nested arrays"));
    }
    match manifest::json::parse(bytes, &Limits::unlimited())? {
        Value::Object(map) => {
            let sole = if map.len() == 1 && ports.len() == 1 { ports.first() } else { None };
            let named = map.into_iter().map(|(name, value)| {
                let place = port_named(ports.iter().map(|port| (port.name, port.key)), &name);
                let port = place.and_then(|place| ports.get(place)).or(sole).ok_or_else(|| unknown(&name, ports))?;
                let input = tensor(&value, port.dtype).map_err(|e| e.at_json(shorten(&name)))?;
                Ok((name, input))
            });
            named.collect::<Result<_>>().map(Document::Named)
        }
        value => tensor(&value, ports.first().map(|p| p.dtype).unwrap_or_default()).map(Document::Bare),
    }
}

#[cold]
fn unknown(name: &str, ports: &[Port<'_>]) -> Error {
    let known: Vec<String> = ports.iter().map(|p| format!("`{}` {}{}", p.name, p.dtype.name(), p.shape)).collect();
    Error::mismatch(format!("the model has no input `{}`; it has {}", shorten(name), known.join(", ")))
}

fn tensor(value: &Value, dtype: ValueType) -> Result<Input> {
    let mut dims = Vec::new();
    let mut inner = value;
    while let Value::Array(items) = inner {
        dims.push(items.len());
        let Some(first) = items.first() else { break };
        inner = first;
    }
    check_rank(dims.len())?;
    let mut leaves = Vec::new();
    collect(value, &dims, &mut leaves)?;
    let device = &Device::Cpu;
    // The dimensions were counted, so their product is the number of leaves.
    let tensor = match dtype {
        ValueType::String => {
            let strings: Vec<&str> = each(&leaves, &dims, |v| v.as_str().ok_or("a string"))?;
            return Input::strings(strings, dims);
        }
        ValueType::Int32 => Tensor::from_vec(each(&leaves, &dims, int32)?, dims, device),
        ValueType::Int64 => Tensor::from_vec(each(&leaves, &dims, int64)?, dims, device),
        ValueType::Bool => Tensor::from_vec(each(&leaves, &dims, truth)?, dims, device),
        _ => Tensor::from_vec(each(&leaves, &dims, float)?, dims, device),
    };
    tensor.or_error().map(Input::Tensor)
}

/// Collects all scalars in order. Arrays at the same level must have equal lengths.
fn collect<'a>(value: &'a Value, dims: &[usize], leaves: &mut Vec<&'a Value>) -> Result<()> {
    match (value, dims) {
        (Value::Array(items), [len, inner @ ..]) if items.len() == *len => {
            for (i, item) in items.iter().enumerate() {
                collect(item, inner, leaves).map_err(|e| e.at_json(format!("[{i}]")))?;
            }
            Ok(())
        }
        (Value::Array(_), []) => Err(Error::malformed(format!("expected a value, found {}", found(value)))),
        (Value::Array(_) | Value::Object(_), [len, ..]) => {
            Err(Error::malformed(format!("expected an array of {len}, found {}", found(value))))
        }
        (_, [len, ..]) => Err(Error::malformed(format!("expected an array of {len}, found {}", found(value)))),
        (scalar, []) => {
            leaves.push(scalar);
            Ok(())
        }
    }
}

fn each<'a, T>(
    leaves: &[&'a Value],
    dims: &[usize],
    read: impl Fn(&'a Value) -> Result<T, &'static str>,
) -> Result<Vec<T>> {
    let read = |(i, value): (usize, &&'a Value)| {
        read(value).map_err(|wanted| {
            Error::mismatch(format!("expected {wanted}, found {}", found(value))).at_json(place(i, dims))
        })
    };
    leaves.iter().enumerate().map(read).collect()
}

/// The JSON path of the leaf with this number, such as `[0][3]`.
fn place(leaf: usize, dims: &[usize]) -> String {
    let mut rest = leaf;
    let index = |len: &usize| {
        let at = rest % len.max(&1);
        rest /= len.max(&1);
        format!("[{at}]")
    };
    let inner_first: Vec<String> = dims.iter().rev().map(index).collect();
    inner_first.into_iter().rev().collect()
}

fn float(value: &Value) -> Result<f32, &'static str> {
    match value {
        // Parsed from the text, so that the number is rounded only once.
        Value::Number(number) => match number.to_string().parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err("a number of single precision, up to 3.4e38; or the string \"Infinity\""),
        },
        Value::Bool(truth) => Ok(f32::from(u8::from(*truth))),
        Value::String(text) => match text.as_str() {
            "NaN" => Ok(f32::NAN),
            "Infinity" => Ok(f32::INFINITY),
            "-Infinity" => Ok(f32::NEG_INFINITY),
            _ => Err("a number"),
        },
        _ => Err("a number"),
    }
}

fn int64(value: &Value) -> Result<i64, &'static str> {
    // A fraction is truncated, as the producers do with ids.
    let whole = |x: f64| (x.abs() < 9e15).then_some(x as i64);
    match value {
        Value::Number(number) if number.is_u64() => number.as_i64().ok_or("a whole number of 64 bits"),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)).ok_or("a whole number"),
        Value::Bool(truth) => Ok(i64::from(*truth)),
        _ => Err("a whole number"),
    }
}

fn int32(value: &Value) -> Result<i32, &'static str> {
    int64(value).and_then(|n| i32::try_from(n).map_err(|_| "a whole number of 32 bits"))
}

fn truth(value: &Value) -> Result<u8, &'static str> {
    match int64(value) {
        Ok(bit @ (0 | 1)) => Ok(bit as u8),
        _ => Err("true or false"),
    }
}

/// Writes the outputs as one object, one line each, piece by piece: the whole text is never in memory.
pub(super) fn write(outputs: &[Output], stream: Shown<'_>, clock: Clock) -> Result<(), Failure> {
    let mut text = BufWriter::with_capacity(1 << 16, clock.stream(stream));
    text.write_all(b"{")?;
    for (i, output) in outputs.iter().enumerate() {
        let separator = if i == 0 { "" } else { "," };
        write!(text, "{separator}\n  {}: ", Value::from(output.name.as_str()))?;
        values(output, &mut text).map_err(|failure| match failure {
            Failure::Error(e) => Failure::Error(e.at_value(&output.name)),
            other => other,
        })?;
    }
    text.write_all(b"\n}\n")?;
    Ok(text.flush()?)
}

/// Number of values that are copied from a tensor at a time.
const AT_A_TIME: usize = 1 << 14;

fn values(output: &Output, text: &mut dyn Write) -> Result<(), Failure> {
    let tensor = match &output.data {
        Data::Strings(strings) => {
            let items = strings.items().iter().map(|s| Ok(Value::from(&**s)));
            return nest(strings.shape(), items, text);
        }
        Data::Numbers(tensor) => tensor,
    };
    let dims = &Shape::new(tensor.dims())?;
    let flat = tensor.flatten_all().or_error()?;
    match flat.dtype() {
        DType::F32 => nest(dims, pieces(&flat, |t| t.to_vec1::<f32>().or_error()).map(|x| x.map(single)), text),
        DType::U8 if output.dtype == ValueType::Bool => {
            nest(dims, pieces(&flat, |t| t.to_vec1::<u8>().or_error()).map(|b| b.map(|b| b != 0)), text)
        }
        DType::I32 => nest(dims, pieces(&flat, |t| t.to_vec1::<i32>().or_error()), text),
        DType::I64 => nest(dims, pieces(&flat, |t| t.to_vec1::<i64>().or_error()), text),
        _ => {
            let wide = |t: &Tensor| t.to_dtype(DType::F64).and_then(|t| t.to_vec1::<f64>()).or_error();
            nest(dims, pieces(&flat, wide).map(|x| x.map(double)), text)
        }
    }
}

/// The values of a flat tensor, copied piece by piece.
fn pieces<T>(flat: &Tensor, read: impl Fn(&Tensor) -> Result<Vec<T>>) -> impl Iterator<Item = Result<T>> {
    let elements = flat.elem_count();
    (0..elements).step_by(AT_A_TIME).flat_map(move |at| {
        let piece = flat.narrow(0, at, AT_A_TIME.min(elements - at)).or_error();
        match piece.and_then(|piece| read(&piece)) {
            Ok(values) => values.into_iter().map(Ok).collect(),
            Err(e) => vec![Err(e)],
        }
    })
}

/// Most empty arrays in the JSON of a tensor without elements.
const MOST_EMPTY: u64 = 1 << 20;

/// Writes nested arrays of this shape with the items in order.
fn nest<T: Display>(
    dims: &[usize],
    mut items: impl Iterator<Item = Result<T>>,
    text: &mut dyn Write,
) -> Result<(), Failure> {
    fn level<T: Display>(
        dims: &[usize],
        items: &mut impl Iterator<Item = Result<T>>,
        text: &mut dyn Write,
    ) -> Result<(), Failure> {
        let Some((len, inner)) = dims.split_first() else {
            if let Some(item) = items.next() {
                write!(text, "{}", item?)?;
            }
            return Ok(());
        };
        text.write_all(b"[")?;
        for i in 0..*len {
            text.write_all(if i == 0 { b"" } else { b", " })?;
            level(inner, items, text)?;
        }
        Ok(text.write_all(b"]")?)
    }
    // The JSON of shape `[1000000, 0]` is a million empty arrays, although the tensor has no elements.
    let lists = dims.iter().take_while(|&&dim| dim > 0).fold(1u64, |n, &dim| n.saturating_mul(dim as u64));
    if dims.contains(&0) && lists > MOST_EMPTY {
        let message = format!("a tensor of shape {dims:?} as JSON has {lists} empty arrays; use .npy or .safetensors");
        return Err(Error::limit(message).into());
    }
    level(dims, &mut items, text)
}

/// The shortest text that parses to the same single-precision number.
fn single(x: f32) -> String {
    odd(x.into()).unwrap_or_else(|| format!("{x:?}"))
}

fn double(x: f64) -> String {
    odd(x).unwrap_or_else(|| format!("{x:?}"))
}

fn odd(x: f64) -> Option<String> {
    let name = match x {
        _ if x.is_nan() => "\"NaN\"",
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arrays_end() {
        let written = |dims: &[usize]| {
            let mut text = Vec::new();
            nest(dims, std::iter::empty::<Result<f32>>(), &mut text).map(|()| String::from_utf8(text).unwrap())
        };
        assert_eq!(written(&[2, 0]).unwrap(), "[[], []]");
        assert_eq!(written(&[0, 1 << 40]).unwrap(), "[]");
        assert!(written(&[1 << 40, 0]).is_err());
    }

    use tfjs::{Kind, SymShape};

    #[track_caller]
    fn parse(text: &str, inputs: &[(&str, ValueType)]) -> Result<Vec<(String, Input)>> {
        let shape = SymShape::default();
        let ports: Vec<Port<'_>> =
            inputs.iter().map(|(name, dtype)| Port { name, key: None, shape: &shape, dtype: *dtype }).collect();
        match read(text.as_bytes(), &ports)? {
            Document::Bare(input) => Ok(vec![(String::new(), input)]),
            Document::Named(named) => Ok(named),
        }
    }

    #[track_caller]
    fn check_error(text: &str, dtype: ValueType, kind: Kind, json: Option<&str>, message: &str) {
        let error = parse(text, &[("x", dtype)]).unwrap_err();
        assert_eq!((error.kind(), error.place().json.as_deref()), (kind, json), "{error}");
        assert!(error.message().contains(message), "{error}");
    }

    fn tensor_of(input: &Input) -> &Tensor {
        match input {
            Input::Tensor(tensor) => tensor,
            other => panic!("expected numbers, found {other:?}"),
        }
    }

    #[test]
    fn types_follow_the_models_inputs() {
        let text = r#"{"a": [[1, 2.5], ["NaN", true]], "b": [3.0], "c": ["x"]}"#;
        let inputs = [("a", ValueType::Float), ("b", ValueType::Int32), ("c", ValueType::String)];
        let named = parse(text, &inputs).unwrap();
        let a = tensor_of(&named[0].1).to_vec2::<f32>().unwrap();
        assert_eq!((a[0][1], a[1][0].is_nan(), a[1][1]), (2.5, true, 1.0));
        assert_eq!(tensor_of(&named[1].1).to_vec1::<i32>().unwrap(), [3]);
        assert!(matches!(&named[2].1, Input::Strings(s) if s.items() == ["x".into()]));
    }

    #[test]
    fn an_array_by_itself_and_a_single_key_fit_one_input() {
        assert_eq!(tensor_of(&parse("[[1], [2]]", &[("x", ValueType::Float)]).unwrap()[0].1).dims(), [2, 1]);
        assert_eq!(tensor_of(&parse(r#"{"y": [[1]]}"#, &[("x", ValueType::Int64)]).unwrap()[0].1).dims(), [1, 1]);
        assert_eq!(tensor_of(&parse("[]", &[("x", ValueType::Float)]).unwrap()[0].1).dims(), [0]);
    }

    #[test]
    fn ragged_arrays() {
        check_error("[[1, 2], [3]]", ValueType::Float, Kind::Malformed, Some("[1]"), "expected an array of 2");
        check_error("[[1], 2]", ValueType::Float, Kind::Malformed, Some("[1]"), "expected an array of 1, found `2`");
        check_error("[1, [2]]", ValueType::Float, Kind::Malformed, Some("[1]"), "expected a value");
    }

    #[test]
    fn values_of_another_type() {
        let first = Some("[0]");
        check_error(r#"["a"]"#, ValueType::Float, Kind::Mismatch, first, "expected a number, found `\"a\"`");
        check_error(r#"["1"]"#, ValueType::Int32, Kind::Mismatch, first, "expected a whole number");
        check_error("[1]", ValueType::String, Kind::Mismatch, first, "expected a string");
        check_error("[2]", ValueType::Bool, Kind::Mismatch, first, "true or false");
        check_error("[null]", ValueType::Float, Kind::Mismatch, first, "found `null`");
        check_error("[[0, 1, 2], [3, null, 5]]", ValueType::Float, Kind::Mismatch, Some("[1][1]"), "found `null`");
        check_error(r#"{"x": [[0], [null]]}"#, ValueType::Float, Kind::Mismatch, Some("x[1][0]"), "found `null`");
        check_error("null", ValueType::Float, Kind::Malformed, None, "expected JSON");
    }

    #[test]
    fn arrays_inside_each_other_without_end() {
        let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(tensor_of(&parse(&deep(8), &[("x", ValueType::Float)]).unwrap()[0].1).rank(), 8);
        check_error(&deep(9), ValueType::Float, Kind::Limit, None, "at most 8 dimensions");
        check_error(&deep(200), ValueType::Float, Kind::Limit, Some(&"[0]".repeat(127)), "");
    }

    #[test]
    fn numbers_that_do_not_fit() {
        let wrong = [
            ("[[0, 1e39]]", ValueType::Float, "single precision"),
            ("[[0, -3.5e38]]", ValueType::Float, "single precision"),
            ("[[0, 3000000000]]", ValueType::Int32, "32 bits"),
            ("[[0, -2147483649]]", ValueType::Int32, "32 bits"),
            ("[[0, 1e300]]", ValueType::Int64, "whole number"),
            ("[[0, 9223372036854775808]]", ValueType::Int64, "64 bits"),
            ("[[0, -9223372036854775809]]", ValueType::Int64, "whole number"),
        ];
        for (text, dtype, message) in wrong {
            check_error(text, dtype, Kind::Mismatch, Some("[0][1]"), message);
        }
        for text in ["[NaN]", "[1e999]"] {
            check_error(text, ValueType::Float, Kind::Malformed, Some("[0]"), "");
        }
        let tensor = parse("[3.4028235e38, -9223372036854775808, 1e-60]", &[("x", ValueType::Float)]).unwrap();
        assert_eq!(tensor_of(&tensor[0].1).to_vec1::<f32>().unwrap(), [f32::MAX, -9.223372e18, 0.0]);
    }

    #[test]
    fn names_the_model_does_not_have() {
        let error = parse(r#"{"z": [1]}"#, &[("x", ValueType::Float), ("y", ValueType::Float)]).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(error.message().contains("`z`") && error.message().contains("`x` float32"), "{error}");
    }

    #[test]
    fn what_is_no_json() {
        check_error("", ValueType::Float, Kind::Malformed, None, "expected JSON");
        check_error("<html>", ValueType::Float, Kind::Malformed, None, "expected JSON");
        assert_eq!(parse(r#"{"x": [1], "x": [2]}"#, &[("x", ValueType::Float)]).unwrap_err().kind(), Kind::Malformed);
    }

    fn written(outputs: &[Output]) -> String {
        let mut text = Vec::new();
        write(outputs, Shown::json(&mut text), Clock::default()).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn outputs_longer_than_a_piece_come_whole() {
        let count = AT_A_TIME * 2 + 3;
        let numbers: Vec<i64> = (0..count as i64).collect();
        let tensor = Tensor::from_vec(numbers.clone(), (1, count), &Device::Cpu).unwrap();
        let output = Output { name: "y".into(), dtype: ValueType::Int64, data: Data::Numbers(tensor) };
        let value: Value = serde_json::from_str(&written(&[output])).unwrap();
        assert_eq!(value, serde_json::json!({"y": [numbers]}));
    }

    #[test]
    fn names_and_strings_do_not_act_and_stay_the_same() {
        let (name, text) = ("y\u{202e}\u{9b}", "a\u{1b}b\u{2028}");
        let strings = tfjs::Strings::new(Shape::new([1]).unwrap(), vec![text.to_owned()]).unwrap();
        let output = Output { name: name.into(), dtype: ValueType::String, data: Data::Strings(strings.into()) };
        let json = written(&[output]);
        assert_eq!(json, "{\n  \"y\\u202e\\u009b\": [\"a\\u001bb\\u2028\"]\n}\n");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), serde_json::json!({name: [text]}));
    }

    #[test]
    fn outputs_are_valid_json_whatever_their_values() {
        let tensor = Tensor::new(&[[0.1f32, f32::NAN], [f32::INFINITY, 1e-20]], &Device::Cpu).unwrap();
        let output = Output { name: "y\"".into(), dtype: ValueType::Float, data: Data::Numbers(tensor) };
        let text = written(&[output]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["y\""], serde_json::json!([[0.1, "NaN"], ["Infinity", 1e-20]]));
        let truths = Tensor::new(&[1u8], &Device::Cpu).unwrap();
        let output = Output { name: "b".into(), dtype: ValueType::Bool, data: Data::Numbers(truths) };
        assert_eq!(written(&[output]), "{\n  \"b\": [true]\n}\n");
    }
}
