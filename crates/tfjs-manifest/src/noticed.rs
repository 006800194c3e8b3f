//! Warnings about the envelope: unknown values that predictions do not need (a format, an optimizer, a loss, a metric),
//! and weight files in an order that contradicts their names.

use crate::text::{found, shorten};
use crate::{ModelJson, Warnings};
use serde_json::Value;

/// Names of optimizers, in lower case, without underscores and spaces.
const OPTIMIZERS: &[&str] = &[
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "ftrl",
    "lamb",
    "lion",
    "lossscaleoptimizer",
    "momentum",
    "muon",
    "nadam",
    "rmsprop",
    "sgd",
];

/// Names of losses; all of them are metrics too.
const LOSSES: &[&str] = &[
    "binarycrossentropy",
    "binaryfocalcrossentropy",
    "categoricalcrossentropy",
    "categoricalfocalcrossentropy",
    "categoricalgeneralizedcrossentropy",
    "categoricalhinge",
    "circle",
    "cosine",
    "cosineproximity",
    "cosinesimilarity",
    "ctc",
    "dice",
    "hinge",
    "huber",
    "huberloss",
    "kld",
    "kldivergence",
    "kullbackleiblerdivergence",
    "logcosh",
    "mae",
    "mape",
    "meanabsoluteerror",
    "meanabsolutepercentageerror",
    "meansquarederror",
    "meansquaredlogarithmicerror",
    "mse",
    "msle",
    "poisson",
    "sparsecategoricalcrossentropy",
    "squaredhinge",
    "tversky",
];

const METRICS: &[&str] = &[
    "acc",
    "accuracy",
    "auc",
    "binaryaccuracy",
    "binaryiou",
    "categoricalaccuracy",
    "ce",
    "concordancecorrelation",
    "crossentropy",
    "f1score",
    "falsenegatives",
    "falsepositives",
    "fbetascore",
    "iou",
    "logcosherror",
    "mean",
    "meaniou",
    "meanmetricwrapper",
    "meanrelativeerror",
    "meantensor",
    "onehotiou",
    "onehotmeaniou",
    "pearsoncorrelation",
    "precision",
    "precisionatrecall",
    "r2score",
    "recall",
    "recallatprecision",
    "rootmeansquarederror",
    "sensitivityatspecificity",
    "sparsecategoricalaccuracy",
    "sparsetopkcategoricalaccuracy",
    "specificityatsensitivity",
    "sum",
    "topkcategoricalaccuracy",
    "truenegatives",
    "truepositives",
];

/// Adds the warnings about a model's envelope.
pub(crate) fn note(json: &ModelJson, warnings: &mut Warnings) {
    match json.format.as_deref() {
        None | Some("layers-model") => {}
        Some("graph-model") => {
            warnings.push("`format` says `graph-model`, and the file has layers: read as `layers-model`")
        }
        Some(other) => {
            warnings.push(format!("unknown `format` `{}`: read as `layers-model`", shorten(other)));
        }
    }
    if let Some(metadata) = json.user_defined_metadata.as_ref().filter(|metadata| !metadata.is_object()) {
        warnings.push(format!("`userDefinedMetadata`: expected an object, found {}", found(metadata)));
    }
    for (g, group) in json.weights_manifest.iter().flat_map(|manifest| manifest.groups().iter().enumerate()) {
        if let Some([first, second]) = out_of_order(&group.paths) {
            warnings.push(format!(
                "weight group {g}: `{}` comes before `{}`, so the order of the files contradicts the numbers in their \
                 names; the values of the weights are wrong unless the files were renamed",
                shorten(first),
                shorten(second)
            ));
        }
    }
    let Some(training) = json.training_config() else { return };
    let optimizer = either(training, "optimizer_config", "optimizerConfig");
    for (what, value, known) in [
        ("optimizer", optimizer, &[OPTIMIZERS][..]),
        ("loss", training.get("loss"), &[LOSSES]),
        ("metric", training.get("metrics"), &[LOSSES, METRICS]),
        ("metric", either(training, "weighted_metrics", "weightedMetrics"), &[LOSSES, METRICS]),
    ] {
        let mut names = Vec::new();
        value.into_iter().for_each(|value| collect(value, &mut names));
        for name in names.into_iter().filter(|name| !known.iter().any(|known| known.contains(&&*letters(name)))) {
            warnings.push(format!("unknown {what} `{}`; predicting does not need it", shorten(name)));
        }
    }
}

fn either<'a>(object: &'a Value, snake: &str, camel: &str) -> Option<&'a Value> {
    object.get(snake).or_else(|| object.get(camel))
}

/// Collects the names in a string, in an object with a class name, or in a list or an object (by output) of these. The
/// parser has limited the depth of the JSON.
fn collect<'a>(value: &'a Value, names: &mut Vec<&'a str>) {
    match value {
        Value::String(name) => names.push(name),
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(map) => match either(value, "class_name", "className") {
            Some(Value::String(class)) => match (class.as_str(), value.get("config")) {
                // How Keras writes a function, or a metric that wraps one.
                ("function", Some(Value::String(name))) => names.push(name),
                _ => names.push(class),
            },
            _ => map.values().for_each(|item| collect(item, names)),
        },
        _ => {}
    }
}

/// The first two consecutive files of a group whose shard numbers decrease, if all files have shard numbers.
fn out_of_order(paths: &[String]) -> Option<[&str; 2]> {
    let numbers: Vec<(u64, u64)> = paths.iter().map(|path| shard_number(path)).collect::<Option<_>>()?;
    let found = numbers.windows(2).position(|pair| pair[0].1 == pair[1].1 && pair[0].0 > pair[1].0)?;
    Some([&paths[found], &paths[found + 1]])
}

/// The numbers of `group1-shard2of3.bin`: 2 and 3.
fn shard_number(path: &str) -> Option<(u64, u64)> {
    let (_, rest) = path.rsplit_once("shard")?;
    let (number, rest) = rest.split_once("of")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((number.parse().ok()?, rest[..digits].parse().ok()?))
}

/// A name without its package, underscores, spaces and case.
fn letters(name: &str) -> String {
    let bare = name.rsplit('>').next().unwrap_or(name);
    bare.chars().filter(|c| !matches!(c, '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use serde_json::json;

    #[track_caller]
    fn check(more: Value, expect: &[&str]) {
        let mut file = json!({"modelTopology": {"class_name": "Sequential", "config": {"name": "s", "layers": []}}});
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let json = ModelJson::from_value(file, &Limits::default()).unwrap();
        let mut warnings = Warnings::new();
        note(&json, &mut warnings);
        assert_eq!(warnings.to_lines(), expect);
    }

    #[test]
    fn what_producers_write_is_known() {
        check(json!({"format": "layers-model", "userDefinedMetadata": {}}), &[]);
        let keras = json!({"loss": "sparse_categorical_crossentropy", "metrics": [["accuracy"]],
            "weighted_metrics": null, "loss_weights": null,
            "optimizer_config": {"class_name": "Custom>Adam", "config": {"name": "Adam"}}});
        check(json!({"trainingConfig": keras}), &[]);
        let metric = json!({"class_name": "MeanMetricWrapper", "config": {"name": "acc", "fn": "my_acc"}});
        let by_output = json!({"loss": {"a": "mse", "b": {"class_name": "Huber", "config": {"delta": 1.0}}},
                               "metrics": [[metric]], "optimizer_config": {"class_name": "RMSprop"}});
        check(json!({"trainingConfig": by_output}), &[]);
    }

    #[test]
    fn files_in_an_order_that_their_names_contradict_are_said() {
        let of = |paths: Value| json!({"weightsManifest": [{"paths": paths, "weights": []}]});
        let text = "weight group 0: `a-shard10of11.bin` comes before `a-shard2of11.bin`, so the order of the files \
                    contradicts the numbers in their names; the values of the weights are wrong unless the files were renamed";
        check(of(json!(["a-shard1of11.bin", "a-shard10of11.bin", "a-shard2of11.bin"])), &[text]);
        for paths in [
            json!(["a-shard1of2.bin", "a-shard2of2.bin"]),
            json!(["b-shard1of1", "a-shard1of1"]),
            json!(["a-shard2of3", "a-shard1of2"]),
            json!(["z.bin", "a-shard1of2"]),
            json!([]),
        ] {
            check(of(paths), &[]);
        }
    }

    #[test]
    fn what_nobody_knows_is_said() {
        check(
            json!({"format": "graph-model"}),
            &["`format` says `graph-model`, and the file has layers: read as `layers-model`"],
        );
        check(json!({"format": "layer-model"}), &["unknown `format` `layer-model`: read as `layers-model`"]);
        check(json!({"userDefinedMetadata": [1]}), &["`userDefinedMetadata`: expected an object, found an array of 1"]);
        let training = json!({"loss": {"a": "mse", "b": "my_loss"}, "metrics": ["acc", "f1_m"],
                              "optimizer_config": {"class_name": "Ranger", "config": {}}});
        check(
            json!({"trainingConfig": training}),
            &[
                "unknown optimizer `Ranger`; predicting does not need it",
                "unknown loss `my_loss`; predicting does not need it",
                "unknown metric `f1_m`; predicting does not need it",
            ],
        );
    }
}
