//! `tfjs dump`: one stage of a load as JSON, or the program as text, so that a failure can be cut there and kept.
//! Stable: keys are added, never changed.

mod binding;
mod call;
mod def;
mod graph;

use crate::args::{DumpArgs, Stage};
use crate::failure::Failure;
use crate::options::load_options;
use crate::road::{self, Fetched};
use crate::shown::Out;
use serde_json::{Value, json};
use std::io::Write;
use tfjs::parts::io::WeightSource;
use tfjs::parts::topology::bind::Rule;
use tfjs::parts::topology::producer::Family;
use tfjs::parts::topology::types::{SymShape, TensorType};
use tfjs::{LayersModel, LoadOptions, Producer, Result};

pub(crate) fn run(args: &DumpArgs, out: &mut Out<'_>) -> Result<(), Failure> {
    let options = load_options(&args.model)?;
    if args.stage == Stage::Plan {
        let plan = plan(&road::load(&args.model.model, options)?)?;
        return Ok(writeln!(out.json(), "{plan:#}")?);
    }
    let fetched = road::fetch(&args.model.model, &options)?;
    if args.stage == Stage::Program {
        // The text form, which `tfjs_ir::text` reads back.
        let program = program(&fetched, &options).map_err(|e| fetched.place(e))?;
        return Ok(write!(out.text(), "{program}")?);
    }
    let dump = to_stage(args.stage, &fetched, &options).map_err(|e| fetched.place(e))?;
    Ok(writeln!(out.json(), "{dump:#}")?)
}

fn to_stage(stage: Stage, fetched: &Fetched, options: &LoadOptions) -> Result<Value> {
    if stage == Stage::Artifacts {
        return Ok(artifacts(fetched, options));
    }
    let json = fetched.json(options)?;
    if stage == Stage::Layout {
        return tfjs::layout(&json, &options.limits).map(|layout| layout.to_json());
    }
    let def = tfjs::parse(&json, options)?;
    if stage == Stage::Def {
        return Ok(def::of(&def));
    }
    let graph = road::lower(&def, options)?.graph;
    if stage == Stage::Graph {
        return Ok(graph::of(&graph));
    }
    let binding = tfjs::bind(&graph, &json, options)?;
    Ok(binding::of(&graph, &json, &binding))
}

/// What the model computes, in primitives.
fn program(fetched: &Fetched, options: &LoadOptions) -> Result<String> {
    let def = tfjs::parse(&fetched.json(options)?, options)?;
    Ok(road::lower(&def, options)?.program.to_string())
}

/// What was fetched, understood or not: this stage is for files that go wrong later.
fn artifacts(fetched: &Fetched, options: &LoadOptions) -> Value {
    let bytes = &fetched.artifacts.model_json[..];
    let envelope = fetched.json(options).ok();
    let manifest = envelope.as_ref().and_then(|json| json.weights_manifest.as_ref());
    let groups = manifest.map(|m| m.groups().iter().map(|group| json!(group.paths)).collect::<Value>());
    let document = serde_json::from_slice::<Value>(bytes).ok();
    let text = document.is_none().then(|| String::from_utf8_lossy(bytes).into_owned());
    json!({
        "location": fetched.artifacts.location,
        "model_json_bytes": bytes.len(),
        "weights": match fetched.artifacts.weights {
            WeightSource::None => "none",
            WeightSource::Whole(_) => "memory",
            _ => "files",
        },
        "weight_files": groups,
        "model_json": document,
        "model_json_text": text,
    })
}

/// What runs each step of a loaded model.
fn plan(model: &LayersModel) -> Result<Value> {
    let mut plan = json!({"engine": model.engine().name()});
    if let (Some(plan), Value::Object(steps)) = (plan.as_object_mut(), model.plan_json()?) {
        plan.extend(steps);
    }
    Ok(plan)
}

/// A producer's family in one word.
pub(crate) fn family(producer: &Producer) -> &'static str {
    match producer.family {
        Family::TensorFlowJs => "tfjs",
        Family::Keras1 => "keras1",
        Family::Keras2 => "keras2",
        Family::Keras3 => "keras3",
        _ => "other",
    }
}

/// A rule of binding in one word.
pub(crate) fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Name => "name",
        Rule::InnerName => "inner_name",
        Rule::ModelName => "model_name",
        Rule::ObjectPath => "object_path",
        Rule::Bare => "bare",
        Rule::Order => "order",
        _ => "other",
    }
}

/// A shape: `null` for what is not known.
pub(crate) fn dims(shape: &SymShape) -> Value {
    shape.dims().iter().map(|d| json!(d)).collect()
}

fn tensor_type(ty: &TensorType) -> Value {
    json!({"shape": dims(&ty.shape), "dtype": ty.dtype.name()})
}
