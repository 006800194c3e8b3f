//! Reads bytes as a model without weights: parsed and lowered within the limits, inferred, printed, bound, and written
//! as TensorFlow.js writes it.

use super::inputs::concrete;
use super::{limits, proper};
use tfjs::parts::ir::verify::verify;
use tfjs::parts::ir::{Dim, Input, InputRole, Program, Value};
use tfjs::parts::manifest::ModelJson;
use tfjs::parts::topology::def::ModelDef;
use tfjs::parts::topology::encode::{Target, encode, weight_names};
use tfjs::parts::topology::graph::ModelGraph;
use tfjs::parts::topology::lower::{LowerOptions, Model, lower};
use tfjs::parts::topology::producer::Family;
use tfjs::parts::topology::read::CustomDefs;
use tfjs::parts::topology::summary::summary;
use tfjs::{Kind, Limits, LoadOptions, Producer, Result, SymShape};

/// Checks everything that needs no weights.
///
/// # Errors
/// Those of the readers.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let options = LoadOptions::new().with_limits(limits());
    let limits = &options.limits;
    let json = proper(ModelJson::from_slice(data, limits))?;
    let def = proper(tfjs::parse(&json, &options))?;
    let lowered = proper(lower_with(&def, limits));
    check_encoded(&def, lowered.as_ref().ok().map(|model| &model.graph), limits);
    let model = lowered?;
    verify(&model.program).expect("the program of an accepted file verifies");
    instances(&def, &model, limits);
    let graph = model.graph;

    assert!(graph.layers.len() as u64 <= limits.nodes && graph.nodes.len() as u64 <= graph.expanded);
    assert!(graph.expanded <= limits.nodes && graph.slots.len() as u64 <= limits.tensors);
    graph.values.iter().for_each(|value| value.ty.check_size(limits).expect("every value is within the limits"));
    order(&graph);
    for width in [None, Some(1), Some(40)] {
        assert!(!summary(&def, &graph, width).is_empty());
    }
    let lenient = graph.bind(json.weights_manifest.as_ref(), false);
    let strict = proper(graph.bind(json.weights_manifest.as_ref(), true));
    if let Ok(strict) = &strict {
        let lenient = proper(lenient)?;
        assert_eq!(strict.slots.len(), graph.slots.len());
        assert_eq!(strict.slots, lenient.slots, "without `strict` nothing changes if no weight is missing");
    }
    strict.map(drop)
}

fn lower_with(def: &ModelDef, limits: &Limits) -> Result<Model> {
    lower(def, &LowerOptions { limits: limits.clone(), ..LowerOptions::default() })
}

/// Every value is computed before it is needed.
fn order(graph: &ModelGraph) {
    let mut known = vec![false; graph.values.len()];
    graph.inputs.iter().for_each(|port| known[port.value.0] = true);
    for node in &graph.nodes {
        assert!(node.call.tensors().into_iter().all(|value| known[value.0]), "a value is needed before its node");
        node.outputs.iter().for_each(|value| known[value.0] = true);
    }
    assert!(graph.outputs.iter().all(|port| known[port.value.0]), "an output is never computed");
}

/// A program bound to known shapes has the same types as the model lowered for these shapes, and is rejected for the
/// same shapes.
fn instances(def: &ModelDef, model: &Model, limits: &Limits) {
    let (graph, program) = (&model.graph, &model.program);
    for unknown in [1, 6] {
        let shapes: Option<Vec<Vec<usize>>> =
            graph.inputs.iter().map(|port| concrete(&graph.ty(port.value).shape, unknown)).collect();
        let Some(shapes) = shapes else { continue };
        let mut options = LowerOptions { limits: limits.clone(), ..LowerOptions::default() };
        for (port, shape) in graph.inputs.iter().zip(&shapes) {
            let shape = SymShape(shape.iter().copied().map(Some).collect());
            options.input_shapes.insert(port.key.as_ref().unwrap_or(&port.name).clone(), shape);
        }
        let whole = proper(lower(def, &options));
        let given = given(program, &shapes);
        let bound = proper(program.bind(&given.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        let (Ok(bound), Ok(whole)) = (&bound, &whole) else {
            // A limit, or a layer that does not support a batch of this size.
            let refused = whole.as_ref().is_err_and(|e| matches!(e.kind(), Kind::Limit | Kind::Unsupported));
            assert!(bound.is_err() == whole.is_err() || refused, "bound: {bound:?}, lowered: {whole:?}");
            continue;
        };
        let has_tokens = program.inputs.iter().any(|input| matches!(input.role, InputRole::Tokens { .. }));
        for ((value, of_whole), ty) in model.values.iter().zip(&whole.values).zip(&graph.values) {
            let dims = |program: &Program, value: Value| -> Vec<Option<usize>> {
                program.ty(value).dims.iter().map(|&dim| bound.get(dim).ok()).collect()
            };
            let known: Vec<Option<usize>> = whole
                .program
                .ty(*of_whole)
                .dims
                .iter()
                .map(|&dim| whole.program.dims.known(dim).map(|n| n as usize))
                .collect();
            let found = dims(program, *value);
            // The number of tokens of a text is unknown to both.
            let same = found.iter().zip(&known).all(|(found, known)| known.is_none() || found == known);
            assert!(same && found.len() == known.len(), "{}: bound {found:?}, lowered {known:?}", ty.ty);
            assert!(has_tokens || !known.contains(&None), "{}: lowered {known:?}", ty.ty);
            assert_eq!(program.ty(*value).element, whole.program.ty(*of_whole).element);
        }
    }
}

/// The shapes of all inputs of the program for these shapes of the model's inputs; seeds are scalars, and each text has
/// five tokens.
fn given(program: &Program, shapes: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let shape = |(i, input): (usize, &Input)| match &input.role {
        InputRole::Tokens { of, .. } => {
            let text = shapes.get(*of).map_or(&[][..], Vec::as_slice);
            let known = |&dim: &Dim| program.dims.known(dim).map(|n| n as usize);
            let dims = input.ty.dims.iter().enumerate();
            let last = input.ty.rank().saturating_sub(1);
            let length = |(axis, dim)| known(dim).or(text.get(axis).copied().filter(|_| axis < last)).unwrap_or(5);
            if input.ty.dims == program.inputs[*of].ty.dims { text.to_vec() } else { dims.map(length).collect() }
        }
        _ => shapes.get(i).cloned().unwrap_or_default(),
    };
    program.inputs.iter().enumerate().map(shape).collect()
}

/// The topology written for TensorFlow.js can be read, and gives the same topology when written again, unless there
/// were warnings.
fn check_encoded(def: &ModelDef, graph: Option<&ModelGraph>, limits: &Limits) {
    let Ok(encoded) = proper(encode(def, Target::TensorFlowJs, limits)) else { return };
    for warning in &encoded.warnings {
        assert!(!warning.chars().any(char::is_control), "a warning is one line: {warning:?}");
    }
    if let Some(graph) = graph {
        let names = proper(weight_names(graph, &encoded.topology, &CustomDefs::default(), limits));
        match names {
            Ok(names) => assert_eq!(names.names.len(), graph.slots.len()),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unsupported, "{error}");
                return;
            }
        }
    }
    let read = |topology| {
        let def = tfjs::parts::topology::parse::parse(
            topology,
            Producer::of(Family::TensorFlowJs),
            &CustomDefs::default(),
            limits,
        );
        proper(def)
    };
    let Ok(again) = read(&encoded.topology) else { return };
    let twice = proper(encode(&again, Target::TensorFlowJs, limits));
    if encoded.warnings.is_empty() {
        let twice = twice.expect("it can be written again");
        assert_eq!(twice.topology, encoded.topology, "writing it again gives another topology");
    }
}
