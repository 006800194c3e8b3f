//! Runs the cases on both engines and prints, for each class, how many pass and how far off they are at most;
//! `cargo xtask conformance` runs it. `--write FILE` also keeps the results, which docs/LAYERS.md shows; `--cases FOLDER`
//! runs other cases than those that are checked in.

use harness::cases::{Case, all_cases, cases_in, json};
use harness::expectations::Expectations;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use tfjs::Engine;
use tfjs::parts::topology::registry::is_in_tensorflow_js;

const ENGINES: [Engine; 2] = [Engine::Native, Engine::Candle];

/// The results of the cases of a class by one producer.
#[derive(Default)]
struct Cell {
    cases: usize,
    /// The number of cases for which the native engine has kernels for all steps.
    without_fallback: usize,
    /// By engine: the number of cases that passed, and the largest difference among them.
    engines: [(usize, f64); 2],
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut filter, mut kept, mut folder) = (String::new(), None, None);
    while let Some(arg) = args.next() {
        if arg == "--write" {
            kept = args.next();
        } else if arg == "--cases" {
            folder = args.next();
        } else {
            filter = arg;
        }
    }
    let cases = folder.map_or_else(all_cases, |folder| cases_in(Path::new(&folder)));
    let cases: Vec<Case> = cases.into_iter().filter(|c| c.id.contains(&filter)).collect();
    let mut table: BTreeMap<(String, String), Cell> = BTreeMap::new();
    let expectations = Expectations::read();
    let (mut failures, mut without_fallback) = (Vec::new(), 0);
    for case in &cases {
        let producer = case.id.split('/').next().unwrap_or_default();
        let results = ENGINES.map(|engine| case.run(engine));
        let falls_back = case.load().is_ok_and(|model| !model.report().reference_layers.is_empty());
        without_fallback += usize::from(!falls_back);
        for class in classes(case) {
            let cell = table.entry((class, producer.to_owned())).or_default();
            cell.cases += 1;
            cell.without_fallback += usize::from(!falls_back);
            for ((passed, worst), result) in cell.engines.iter_mut().zip(&results) {
                if let Ok(difference) = result {
                    (*passed, *worst) = (*passed + 1, worst.max(*difference));
                }
            }
        }
        for (engine, result) in ENGINES.iter().zip(results) {
            let verdict = expectations.judge(&case.id, result);
            failures.extend(verdict.err().map(|why| format!("{} ({}): {why}", case.id, engine.name())));
        }
    }
    println!(
        "{:<32} {:<9} {:>6} {:>14} {:>19} {:>19}",
        "class", "producer", "cases", "native kernels", "native", "candle"
    );
    for ((class, producer), cell) in &table {
        let engines = cell.engines.map(|(passed, worst)| format!("{passed:>4}, off by {worst:.0e}"));
        let [native, candle] = &engines;
        println!("{class:<32} {producer:<9} {:>6} {:>14} {native:>19} {candle:>19}", cell.cases, cell.without_fallback);
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    let all = cases.len();
    println!("{all} cases, {} runs failed; {without_fallback} run on native kernels alone", failures.len());
    let written = kept.map_or(Ok(()), |path| std::fs::write(path, results(&table, all, without_fallback)));
    if let Err(why) = &written {
        eprintln!("the results cannot be written: {why}");
    }
    if failures.is_empty() && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Classes that are models or inputs.
const MODELS: [&str; 5] = ["Sequential", "Functional", "Model", "Pipeline", "InputLayer"];

/// The layer classes that a case is about, its models and cells, the operation nodes in it, the TensorFlow functions it
/// calls as `tf.NAME`, and the activations it names as `activation.NAME`.
fn classes(case: &Case) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = case.about.layers.iter().cloned().collect();
    let text = std::fs::read(case.folder.join("model.json")).expect("every case has a model.json");
    in_graph(&json(&text), &mut found);
    found
}

fn in_graph(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let class = map.get("class_name").and_then(Value::as_str);
            let function = map.get("config").and_then(|config| config.get("function")).and_then(Value::as_str);
            match (class, function) {
                (Some("TFOpLambda" | "SlicingOpLambda"), Some(function)) => {
                    found.extend([format!("tf.{function}")]);
                }
                (Some(class), _) if map.contains_key("inbound_nodes") => found.extend([class.to_owned()]),
                (Some(class), _) if MODELS.contains(&class) || class.ends_with("Cell") || class.ends_with("Cells") => {
                    found.extend([class.to_owned()]);
                }
                _ => {}
            }
            let activations = ["activation", "recurrent_activation"].into_iter().filter_map(|key| map.get(key));
            found.extend(activations.filter_map(activation).map(|name| format!("activation.{name}")));
            map.values().for_each(|value| in_graph(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| in_graph(value, found)),
        _ => {}
    }
}

/// The name of an activation: a text, or the function or layer that Keras wrote as an object.
fn activation(value: &Value) -> Option<&str> {
    let inside = || value.get("config").and_then(Value::as_str);
    let name = value.as_str().or_else(inside).or_else(|| value.get("class_name").and_then(Value::as_str));
    name.filter(|name| !name.is_empty())
}

/// The results as JSON with a line for each class, so that a diff is readable.
fn results(table: &BTreeMap<(String, String), Cell>, cases: usize, without_fallback: usize) -> String {
    let mut classes: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    for ((class, producer), cell) in table {
        let [native, candle] = cell.engines.map(|(passed, worst)| json!([passed, format!("{worst:.0e}")]));
        let cell = json!({"cases": cell.cases, "kernels": cell.without_fallback, "native": native, "candle": candle});
        classes.entry(class).or_default().insert(producer.clone(), cell);
    }
    let line = |(class, by): (&str, serde_json::Map<String, Value>)| {
        format!("{}: {}", json!(class), json!({"tensorflow_js": is_in_tensorflow_js(class), "by": by}))
    };
    let lines: Vec<String> = classes.into_iter().map(line).collect();
    format!("{{\"cases\": {cases}, \"kernels\": {without_fallback}, \"classes\": {{\n{}\n}}}}\n", lines.join(",\n"))
}
