//! Numbers that are finite in a file and infinite in single precision, which is what everything computes in. The
//! producers take them without a word, so a model may hold them; it is said, since what comes of them is seldom meant.

use crate::call::{Arg, Call};
use crate::config::is_inert;
use crate::read::ReadCx;
use serde_json::{Map, Number, Value};
use tfjs_manifest::text::shorten;

/// Warns of each key of a layer's configuration with such a number.
pub(super) fn check_config(name: &str, class: &str, config: &Map<String, Value>, cx: &ReadCx<'_>) {
    for (key, value) in config.iter().filter(|(key, _)| !is_inert(key)) {
        if let Some(number) = beyond(value) {
            warn(name, class, &format!("`config.{}`", shorten(key)), number, cx);
        }
    }
}

/// Warns of each constant argument of a layer's calls with such a number.
pub(super) fn check_calls<T>(name: &str, class: &str, calls: &[Call<T>], cx: &ReadCx<'_>) {
    for call in calls {
        let positional = call.args.iter().filter_map(beyond_in).map(|n| ("an argument".to_string(), n));
        let keywords =
            call.kwargs.iter().filter_map(|(key, arg)| Some((format!("`{}`", shorten(key)), beyond_in(arg)?)));
        for (place, number) in positional.chain(keywords) {
            warn(name, class, &format!("{place} of its call"), number, cx);
        }
    }
}

fn warn(name: &str, class: &str, place: &str, number: &Number, cx: &ReadCx<'_>) {
    cx.warn(format!("layer `{name}` ({class}): {place} is {number}, which is infinite in single precision"));
}

fn beyond_in<T>(arg: &Arg<T>) -> Option<&Number> {
    match arg {
        Arg::Tensor(_) => None,
        Arg::List(items) => items.iter().find_map(beyond_in),
        Arg::Dict(items) => items.iter().find_map(|(_, arg)| beyond_in(arg)),
        Arg::Const(value) => beyond(value),
    }
}

/// The first such number. Layers and other objects with a class inside are looked at where they are read.
fn beyond(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => number.as_f64().filter(|n| (*n as f32).is_infinite()).map(|_| number),
        Value::Array(items) => items.iter().find_map(beyond),
        Value::Object(map) if !map.contains_key("class_name") && !map.contains_key("className") => {
            map.values().find_map(beyond)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;
    use crate::producer::{Family, Producer};
    use crate::read::CustomDefs;
    use serde_json::{Value, json};
    use tfjs_manifest::Limits;

    fn warnings(layer: Value) -> Vec<String> {
        let input = json!({"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
                           "config": {"name": "i", "batch_input_shape": [null, 2]}});
        let config = json!({"name": "m", "layers": [input, layer], "input_layers": [["i", 0, 0]],
                            "output_layers": [["l", 0, 0]]});
        let model = json!({"class_name": "Functional", "config": config});
        let limits = Limits::default();
        parse(&model, Producer::of(Family::Keras2), &CustomDefs::default(), &limits).unwrap().warnings.to_lines()
    }

    fn leaky(alpha: Value) -> Value {
        json!({"class_name": "LeakyReLU", "name": "l", "config": {"name": "l", "alpha": alpha},
               "inbound_nodes": [[["i", 0, 0, {}]]]})
    }

    #[test]
    fn of_a_configuration() {
        assert_eq!(
            warnings(leaky(json!(1e308))),
            ["layer `l` (LeakyReLU): `config.alpha` is 1e+308, which is infinite in single precision"]
        );
        assert_eq!(warnings(leaky(json!({"type": "ndarray", "value": -1e39}))).len(), 1);
        assert_eq!(warnings(leaky(json!(f32::MAX))), [""; 0]);
        assert_eq!(warnings(leaky(json!(1e-300))), [""; 0]);
    }

    #[test]
    fn of_a_call() {
        let add = |y: Value| {
            json!({"class_name": "TFOpLambda", "name": "l", "config": {"name": "l", "function": "math.add"},
                   "inbound_nodes": [["i", 0, 0, {"y": y}]]})
        };
        let expect = ["layer `l` (TFOpLambda): `y` of its call is 1e+39, which is infinite in single precision"];
        assert_eq!(warnings(add(json!([0.5, 1e39]))), expect);
        assert_eq!(warnings(add(json!([0.5, 1e38]))), [""; 0]);
    }
}
