//! Checks the training-only keys of a layer's configuration: an unknown name there shows that the file was written by
//! unexpected code. Each is a warning, because prediction does not need them.

use crate::config::snake_case;
use crate::read::ReadCx;
use serde_json::{Map, Value};
use tfjs_manifest::text::shorten;

/// Names of initializers, in lower case without underscores.
const INITIALIZERS: &[&str] = &[
    "constant",
    "eye",
    "glorotnormal",
    "glorotuniform",
    "henormal",
    "heuniform",
    "identity",
    "identityinitializer",
    "lecunnormal",
    "lecununiform",
    "normal",
    "one",
    "ones",
    "orthogonal",
    "orthogonalinitializer",
    "randomnormal",
    "randomuniform",
    "stft",
    "stftinitializer",
    "truncatednormal",
    "uniform",
    "variancescaling",
    "zero",
    "zeros",
];
const REGULARIZERS: &[&str] = &["l1", "l1l2", "l2", "orthogonalregularizer"];
const CONSTRAINTS: &[&str] = &["maxnorm", "minmaxnorm", "nonneg", "nonnegative", "radialconstraint", "unitnorm"];

/// Warns of names in a layer's training configuration that no producer has.
pub(super) fn check(name: &str, class: &str, config: &Map<String, Value>, cx: &ReadCx<'_>) {
    for (key, value) in config {
        let snake = snake_case(key);
        let (what, known) = match snake.rsplit('_').next() {
            Some("initializer") => ("initializer", INITIALIZERS),
            Some("regularizer") => ("regularizer", REGULARIZERS),
            Some("constraint") => ("constraint", CONSTRAINTS),
            Some("dtype") if asks_for_double(value) => {
                cx.warn(format!("layer `{name}` ({class}): asks for float64, is computed as float32"));
                continue;
            }
            _ => continue,
        };
        if let Some(named) = unknown(value, known) {
            cx.warn(format!(
                "layer `{name}` ({class}): unknown {what} `{}` in `{key}`; predicting does not need it",
                shorten(named)
            ));
        }
    }
}

/// The name in `"zeros"` or `{"class_name": "Zeros", "config": ...}`, if it is unknown.
fn unknown<'a>(value: &'a Value, known: &[&str]) -> Option<&'a str> {
    let class = || value.get("class_name").or_else(|| value.get("className")).and_then(Value::as_str);
    let name = value.as_str().or_else(class)?;
    let bare = name.rsplit('>').next().unwrap_or(name);
    let letters: String = bare.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
    // TensorFlow 1 and 2 have names such as `GlorotUniformV2`.
    let letters = letters.strip_suffix("v1").or_else(|| letters.strip_suffix("v2")).unwrap_or(&letters);
    (!known.contains(&letters)).then_some(name)
}

/// Whether a dtype, or a policy with one, is float64.
fn asks_for_double(value: &Value) -> bool {
    let policy = || value.get("config")?.get("name")?.as_str();
    value.as_str().or_else(policy) == Some("float64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::producer::{Family, Producer};
    use crate::read::CustomDefs;
    use serde_json::json;
    use tfjs_manifest::Limits;

    #[track_caller]
    fn check_dense(more: Value, expect: &[&str]) {
        let mut config = json!({"name": "d", "units": 1, "batch_input_shape": [null, 2]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let model = json!({"class_name": "Sequential",
                           "config": {"name": "m", "layers": [{"class_name": "Dense", "config": config}]}});
        let def = parse(&model, Producer::of(Family::Keras2), &CustomDefs::default(), &Limits::default()).unwrap();
        assert_eq!(def.warnings.to_lines(), expect);
    }

    #[test]
    fn names_that_producers_write_are_known() {
        check_dense(json!({"kernel_initializer": "glorot_uniform", "biasInitializer": {"className": "Zeros"}}), &[]);
        check_dense(json!({"kernel_initializer": {"class_name": "keras.initializers>HeNormal", "config": {}}}), &[]);
        check_dense(json!({"kernel_initializer": {"class_name": "GlorotUniformV2", "config": {}}}), &[]);
        let l2 = json!({"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.01}});
        check_dense(
            json!({"kernel_regularizer": l2, "activity_regularizer": null, "kernel_constraint": "max_norm"}),
            &[],
        );
        check_dense(json!({"dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}}), &[]);
    }

    #[test]
    fn unknown_names_are_reported() {
        check_dense(
            json!({"kernel_initializer": {"class_name": "Team>Spiral", "config": {}}}),
            &[
                "layer `d` (Dense): unknown initializer `Team>Spiral` in `kernel_initializer`; predicting does not need it",
            ],
        );
        check_dense(
            json!({"activityRegularizer": "l3", "bias_constraint": "positive"}),
            &[
                "layer `d` (Dense): unknown regularizer `l3` in `activityRegularizer`; predicting does not need it",
                "layer `d` (Dense): unknown constraint `positive` in `bias_constraint`; predicting does not need it",
            ],
        );
        let policy = json!({"class_name": "Policy", "config": {"name": "float64"}});
        for dtype in [json!("float64"), policy] {
            check_dense(json!({"dtype": dtype}), &["layer `d` (Dense): asks for float64, is computed as float32"]);
        }
    }
}
