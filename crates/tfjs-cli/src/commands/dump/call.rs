//! The arguments of a call as JSON, generic over the representation of tensors.

use serde_json::{Map, Value, json};
use tfjs::layer::{Arg, Call};

/// `{"args": [...], "kwargs": {...}}`; tensors as `{"tensor": ...}`, constants as `{"const": ...}`.
pub(super) fn of<T>(call: &Call<T>, tensor: &dyn Fn(&T) -> Value) -> Value {
    let kwargs: Map<String, Value> = call.kwargs.iter().map(|(key, arg)| (key.clone(), of_arg(arg, tensor))).collect();
    json!({"args": call.args.iter().map(|arg| of_arg(arg, tensor)).collect::<Value>(), "kwargs": kwargs})
}

fn of_arg<T>(arg: &Arg<T>, tensor: &dyn Fn(&T) -> Value) -> Value {
    match arg {
        Arg::Tensor(t) => json!({"tensor": tensor(t)}),
        Arg::List(items) => items.iter().map(|item| of_arg(item, tensor)).collect(),
        Arg::Dict(items) => {
            let items: Map<String, Value> =
                items.iter().map(|(key, item)| (key.clone(), of_arg(item, tensor))).collect();
            json!({"dict": items})
        }
        Arg::Const(value) => json!({"const": **value}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_constants_cannot_be_mistaken_for_each_other() {
        let call = Call {
            args: vec![Arg::List(vec![Arg::Tensor(3), Arg::Const(json!(3).into())])],
            kwargs: vec![("mask".to_owned(), Arg::Dict(vec![("a".to_owned(), Arg::Tensor(4))]))],
        };
        let expect =
            json!({"args": [[{"tensor": 3}, {"const": 3}]], "kwargs": {"mask": {"dict": {"a": {"tensor": 4}}}}});
        assert_eq!(of(&call, &|t| json!(t)), expect);
    }
}
