//! Bytes as a model without weights: read, resolved within its limits, inferred, printed, bound, and written
//! as TensorFlow.js writes it.

use super::inputs::concrete;
use super::{limits, proper};
use tfjs::parts::manifest::ModelJson;
use tfjs::parts::topology::def::ModelDef;
use tfjs::parts::topology::encode::{encode, weight_names};
use tfjs::parts::topology::graph::ModelGraph;
use tfjs::parts::topology::producer::Family;
use tfjs::parts::topology::read::CustomDefs;
use tfjs::parts::topology::resolve::{ResolveOptions, resolve};
use tfjs::parts::topology::summary::summary;
use tfjs::parts::topology::types::TensorType;
use tfjs::{Kind, Limits, LoadOptions, Producer, Result};

/// Checks what can be known of a model without its weights.
///
/// # Errors
/// What the readers refuse.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let options = LoadOptions::new().with_limits(limits());
    let limits = &options.limits;
    let json = proper(ModelJson::from_slice(data, limits))?;
    let def = proper(tfjs::parse(&json, &options))?;
    let resolved = proper(resolve_with(&def, limits));
    check_encoded(&def, resolved.as_ref().ok(), limits);
    let graph = resolved?;

    assert!(graph.layers.len() as u64 <= limits.nodes && graph.nodes.len() as u64 <= graph.expanded);
    assert!(graph.expanded <= limits.nodes && graph.slots.len() as u64 <= limits.tensors);
    graph.values.iter().for_each(|value| value.ty.check_size(limits).expect("every value is within the limits"));
    order(&graph);
    infer(&graph, limits);
    for width in [None, Some(1), Some(40)] {
        assert!(!summary(&def, &graph, width).is_empty());
    }
    let lenient = graph.bind(json.weights_manifest.as_ref(), false);
    let strict = proper(graph.bind(json.weights_manifest.as_ref(), true));
    if let Ok(strict) = &strict {
        let lenient = proper(lenient)?;
        assert_eq!(strict.slots.len(), graph.slots.len());
        assert_eq!(strict.slots, lenient.slots, "leniency changes nothing where nothing is missing");
    }
    strict.map(drop)
}

fn resolve_with(def: &ModelDef, limits: &Limits) -> Result<ModelGraph> {
    resolve(def, &ResolveOptions { limits: limits.clone(), ..ResolveOptions::default() })
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

/// What is inferred of whole shapes is an instance of what was inferred of shapes in part.
fn infer(graph: &ModelGraph, limits: &Limits) {
    for unknown in [1, 6] {
        let inputs: Option<Vec<TensorType>> = graph
            .inputs
            .iter()
            .map(|port| {
                let dims = concrete(&graph.ty(port.value).shape, unknown)?;
                Some(graph.ty(port.value).with_shape(dims.into_iter().map(Some).collect::<Vec<_>>()))
            })
            .collect();
        let Some(Ok(types)) = inputs.map(|inputs| proper(graph.infer(&inputs, limits))) else { continue };
        for (value, ty) in graph.values.iter().zip(&types) {
            let (part, whole) = (value.ty.shape.dims(), ty.shape.dims());
            let instance = part.len() == whole.len() && part.iter().zip(whole).all(|(p, w)| p.is_none() || p == w);
            assert!(instance, "{} for inputs of part of a shape, {ty} for whole ones", value.ty);
            assert_eq!(value.ty.dtype, ty.dtype);
        }
    }
}

/// What TensorFlow.js is given is read back, and written again is the same, unless it has no words for it.
fn check_encoded(def: &ModelDef, graph: Option<&ModelGraph>, limits: &Limits) {
    let Ok(encoded) = proper(encode(def)) else { return };
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
    let twice = proper(encode(&again)).expect("what was written is written again");
    if encoded.warnings.is_empty() {
        assert_eq!(twice.topology, encoded.topology, "written again it is not the same");
    }
}
