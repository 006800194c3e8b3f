//! Helpers for the tests of operations.

use crate::call::{Arg, Call};
use crate::lower::LowerCx;
use crate::ops::Op;
use crate::producer::{Family, Producer};
use crate::read::ReadCx;
use crate::types::{TensorType, ValueType};
use serde_json::Value;
use tfjs_manifest::Result;

/// `"f:?,3"` is a float tensor; `i`, `l`, `b`, `s` are the other types. A list that contains tensors is an argument
/// list.
fn arg(value: &Value) -> Arg<TensorType> {
    match value {
        Value::String(text) if text.get(1..2) == Some(":") => {
            let dtype = match &text[..1] {
                "f" => ValueType::Float,
                "i" => ValueType::Int32,
                "l" => ValueType::Int64,
                "b" => ValueType::Bool,
                _ => ValueType::String,
            };
            Arg::Tensor(TensorType { shape: text[2..].parse().unwrap(), dtype })
        }
        Value::Array(items) => {
            let args: Vec<_> = items.iter().map(arg).collect();
            let constant = args.iter().all(|a| matches!(a, Arg::Const(_)));
            if constant { Arg::Const(value.clone().into()) } else { Arg::List(args) }
        }
        other => Arg::Const(other.clone().into()),
    }
}

pub(crate) fn call(args: &Value, kwargs: &Value) -> Call<TensorType> {
    Call {
        args: args.as_array().unwrap().iter().map(arg).collect(),
        kwargs: kwargs.as_object().unwrap().iter().map(|(k, v)| (k.clone(), arg(v))).collect(),
    }
}

fn infer(op: &str, config: Value, args: &Value, kwargs: &Value) -> Result<Vec<TensorType>> {
    let producer = Producer::of(Family::Keras3);
    let cx = ReadCx::new(&producer);
    let op = Op::read(op, config.as_object().unwrap(), &cx)?;
    let call = call(args, kwargs);
    LowerCx::alone(op.def(), &call).map(|(types, _)| types)
}

/// Checks the type of the only output.
#[track_caller]
pub(crate) fn check(op: &str, config: Value, args: Value, kwargs: Value, expect: &str) {
    let types = infer(op, config, &args, &kwargs).unwrap();
    assert_eq!(types.iter().map(ToString::to_string).collect::<Vec<_>>(), [expect]);
}

/// Checks the types of the outputs.
#[track_caller]
pub(crate) fn check_all(op: &str, config: Value, args: Value, kwargs: Value, expect: &[&str]) {
    let types = infer(op, config, &args, &kwargs).unwrap();
    assert_eq!(types.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
}

/// Checks the message with which inference fails.
#[track_caller]
pub(crate) fn refused(op: &str, args: Value, message: &str) {
    refused_with(op, serde_json::json!({}), args, message);
}

/// Checks the message with which inference fails, for a configuration.
#[track_caller]
pub(crate) fn refused_with(op: &str, config: Value, args: Value, message: &str) {
    let error = infer(op, config, &args, &serde_json::json!({})).expect_err("this is to be refused");
    assert_eq!(error.to_string(), message);
}
