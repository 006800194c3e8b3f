//! `tfjs inspect`: describes a model from its JSON alone; with `--verify` it also checks every byte of the weights.

mod json;
pub(crate) mod text;

use crate::args::InspectArgs;
use crate::clock::Clock;
use crate::commands::verify;
use crate::failure::{Failure, print_error, print_warning};
use crate::options::load_options;
use crate::shown::Out;
use crate::stages;
use std::collections::HashMap;
use std::io::Write;
use tfjs::parts::manifest::{Findings, ModelJson, Warnings, WeightsManifest};
use tfjs::parts::topology::graph::{GraphLayer, LayerId, ModelGraph, Node};
use tfjs::parts::topology::types::TensorType;
use tfjs::{Error, LoadReport, Producer, Result};

/// The result of an inspection. Values that could not be determined are `None`, with an error in `problems`.
struct Inspection {
    location: String,
    json_bytes: u64,
    json: ModelJson,
    producer: Producer,
    graph: Option<ModelGraph>,
    /// The report of the load for `--verify`.
    report: Option<LoadReport>,
    warnings: Vec<String>,
    problems: Vec<Error>,
}

pub(crate) fn run(args: &InspectArgs, clock: Clock, out: &mut Out<'_>, err: &mut dyn Write) -> Result<(), Failure> {
    let inspection = inspect(args, clock)?;
    match args.json {
        true => writeln!(out.json(), "{:#}", json::of(&inspection, args.verify))?,
        false => text::print(&inspection, args.verify, &mut out.text())?,
    }
    for warning in &inspection.warnings {
        print_warning(warning, err)?;
    }
    for problem in &inspection.problems {
        print_error(problem, err)?;
    }
    if inspection.problems.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

fn inspect(args: &InspectArgs, clock: Clock) -> Result<Inspection> {
    let options = load_options(&args.model, clock)?;
    let mut fetched = stages::fetch(&args.model.model, &options, clock)?;
    let mut warnings = Vec::new();
    // First, so that the JSON and the model are not in memory twice.
    let built = args.verify.then(|| verify::build(&fetched, &options, &mut warnings));
    let json = fetched.json(&options)?;

    let mut findings = Findings::new();
    let def = findings.take(tfjs::parse(&json, &options));
    let model = def.as_ref().and_then(|def| findings.take(stages::lower(def, &options)));
    let (graph, noticed) = model.map(|model| (model.graph, model.warnings)).unzip();
    let binding = graph.as_ref().and_then(|graph| findings.take(tfjs::bind(graph, &json, &options)));
    findings.take(tfjs::layout(&json, &options.limits));
    let report = built.and_then(|built| verify::verify(&fetched, &json, &options, built, &mut findings));
    if report.is_none() {
        let mut noticed_here = Warnings::new();
        let noticed = [def.as_ref().map(|d| &d.warnings), noticed.as_ref(), binding.as_ref().map(|b| &b.warnings)];
        noticed.into_iter().flatten().for_each(|more| noticed_here.extend(more));
        warnings = noticed_here.to_lines();
    }
    let of_transport: Vec<String> = fetched.warnings().into_iter().filter(|w| !warnings.contains(w)).collect();
    warnings.extend(of_transport);
    let detected = || Producer::detect(json.keras_version(), json.generated_by.as_deref(), json.topology());
    let producer = def.map(|def| def.producer).or_else(|| options.producer.clone()).unwrap_or_else(detected);
    Ok(Inspection {
        location: fetched.artifacts.location.clone(),
        json_bytes: fetched.artifacts.model_json.len() as u64,
        producer,
        graph,
        report,
        warnings,
        problems: flat(findings).into_iter().map(|e| fetched.place(e)).collect(),
        json,
    })
}

/// All findings as single errors, including those inside reports.
fn flat(findings: Findings) -> Vec<Error> {
    let Err(error) = findings.finish("the model has errors") else { return Vec::new() };
    let several = |e: Error| if e.details().is_empty() { vec![e] } else { e.into_details() };
    several(error).into_iter().flat_map(several).collect()
}

/// A row of the table of layers.
struct Row<'a> {
    layer: &'a GraphLayer,
    /// The types of the outputs of its first call.
    outputs: Vec<&'a TensorType>,
    parameters: u64,
}

/// The number of parameters, and of those that are trainable.
#[derive(Clone, Copy, Debug, Default)]
struct Parameters {
    total: u64,
    trainable: u64,
}

fn rows(graph: &ModelGraph) -> Vec<Row<'_>> {
    let mut rows = Vec::with_capacity(graph.layers.len());
    let mut first_calls: HashMap<LayerId, &Node> = HashMap::with_capacity(graph.layers.len());
    for node in &graph.nodes {
        first_calls.entry(node.layer).or_insert(node);
    }
    for (i, layer) in graph.layers.iter().enumerate() {
        let node = first_calls.get(&LayerId(i));
        let outputs = node.iter().flat_map(|node| &node.outputs).map(|&value| graph.ty(value)).collect();
        let slots = layer.slots.iter().filter_map(|slot| graph.slots.get(slot.0));
        rows.push(Row { layer, outputs, parameters: slots.map(|slot| slot.decl.shape.elements() as u64).sum() });
    }
    rows
}

fn parameters(graph: &ModelGraph) -> Parameters {
    graph.slots.iter().fold(Parameters::default(), |sum, slot| {
        let elements = slot.decl.shape.elements() as u64;
        let trainable = if slot.trainable { elements } else { 0 };
        Parameters { total: sum.total.saturating_add(elements), trainable: sum.trainable.saturating_add(trainable) }
    })
}

/// The number of tensors and bytes that a file stores for one element type.
#[derive(Clone, Debug, Default)]
struct Stored {
    /// `float32`, or `float32 as uint8` if quantized.
    kind: String,
    tensors: u64,
    bytes: u64,
}

fn stored(manifest: &WeightsManifest) -> Vec<Stored> {
    let mut kinds: Vec<Stored> = Vec::new();
    for (_, _, spec) in manifest.specs() {
        let kind = match spec.stored() {
            stored if stored == spec.dtype => stored.to_string(),
            stored => format!("{} as {stored}", spec.dtype),
        };
        let at = kinds.iter().position(|known| known.kind == kind).unwrap_or_else(|| {
            kinds.push(Stored { kind, ..Stored::default() });
            kinds.len() - 1
        });
        kinds[at].tensors += 1;
        // The sizes of strings are only in the weight files.
        kinds[at].bytes = kinds[at].bytes.saturating_add(spec.stored_bytes().ok().flatten().unwrap_or(0));
    }
    kinds
}

fn files(json: &ModelJson) -> usize {
    json.weights_manifest.iter().flat_map(|m| m.groups()).map(|group| group.paths.len()).sum()
}
