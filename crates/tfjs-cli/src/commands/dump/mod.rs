//! `tfjs dump`: one stage of a load as JSON, or the program as text, to reproduce and compare failures.
//! The format is stable: keys are added, never changed.

mod binding;
mod call;
mod def;
mod graph;

use crate::args::{DumpArgs, Stage};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::options::load_options;
use crate::shown::Out;
use crate::stages::{self, Fetched};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use tfjs::parts::io::WeightSource;
use tfjs::parts::topology::bind::Rule;
use tfjs::parts::topology::lower::Model;
use tfjs::parts::topology::producer::Family;
use tfjs::parts::topology::types::{SymShape, TensorType};
use tfjs::{LayersModel, LoadOptions, Producer, Result};

pub(crate) fn run(args: &DumpArgs, clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    let options = load_options(&args.model, clock)?;
    if args.stage == Stage::Plan {
        let plan = plan(&stages::load(&args.model.model, options, clock)?)?;
        return Ok(writeln!(out.json(), "{plan:#}")?);
    }
    let mut fetched = stages::fetch(&args.model.model, &options, clock)?;
    if args.stage == Stage::Program {
        // The text form, which `tfjs_ir::text` reads back.
        let program = lowered(&mut fetched, &options).map_err(|e| fetched.place(e))?.program;
        return Ok(write!(out.text(), "{program}")?);
    }
    if args.stage == Stage::Graph {
        let graph = lowered(&mut fetched, &options).map_err(|e| fetched.place(e))?.graph;
        let mut json = BufWriter::new(out.json());
        // Only the stream can fail, because all these types have JSON.
        serde_json::to_writer_pretty(&mut json, &graph::Graph(&graph)).map_err(io::Error::from)?;
        return Ok(writeln!(json).and_then(|()| json.flush())?);
    }
    let dump = to_stage(args.stage, &mut fetched, &options).map_err(|e| fetched.place(e))?;
    Ok(writeln!(out.json(), "{dump:#}")?)
}

fn to_stage(stage: Stage, fetched: &mut Fetched, options: &LoadOptions) -> Result<Value> {
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
    let graph = stages::lower(&def, options)?.graph;
    let binding = tfjs::bind(&graph, &json, options)?;
    Ok(binding::of(&graph, &json, &binding))
}

/// The lowered model: its calls, and its program of primitives.
fn lowered(fetched: &mut Fetched, options: &LoadOptions) -> Result<Model> {
    stages::lower(&tfjs::parse(&fetched.json(options)?, options)?, options)
}

/// The fetched files, even if they cannot be parsed: this stage helps with files that fail later.
fn artifacts(fetched: &mut Fetched, options: &LoadOptions) -> Value {
    let envelope = fetched.json(options).ok();
    let bytes = &fetched.artifacts.model_json[..];
    let manifest = envelope.as_ref().and_then(|json| json.weights_manifest.as_ref());
    let groups = manifest.map(|m| m.groups().iter().map(|group| json!(group.paths)).collect::<Value>());
    let document = tfjs::parts::manifest::json::parse(bytes, &options.limits).ok();
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

/// The kernel that runs each step of a loaded model.
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
        Rule::OldName => "old_name",
        Rule::Bare => "bare",
        Rule::Order => "order",
        Rule::LayerOrder => "layer_order",
        _ => "other",
    }
}

/// A shape, with `null` for unknown dimensions.
pub(crate) fn dims(shape: &SymShape) -> Value {
    shape.dims().iter().map(|d| json!(d)).collect()
}

fn tensor_type(ty: &TensorType) -> Value {
    json!({"shape": dims(&ty.shape), "dtype": ty.dtype.name()})
}
