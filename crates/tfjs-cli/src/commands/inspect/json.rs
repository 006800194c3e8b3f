//! An inspection as JSON.

use super::{Inspection, files, parameters, rows, stored};
use crate::commands::dump::{dims, family, rule};
use crate::failure::causes;
use serde_json::{Value, json};
use tfjs::parts::topology::graph::{GraphPort, ModelGraph};
use tfjs::parts::topology::types::TensorType;
use tfjs::{Error, LoadReport};

pub(super) fn of(inspection: &Inspection, verify: bool) -> Value {
    let Inspection { location, json_bytes, json, producer, graph, report, warnings, problems } = inspection;
    let manifest = json.weights_manifest.as_ref();
    let kinds = manifest.map(stored).unwrap_or_default();
    let weights = json!({
        "tensors": manifest.map_or(0, |m| m.specs().count()),
        "files": files(json),
        "bytes": kinds.iter().fold(0u64, |sum, s| sum.saturating_add(s.bytes)),
        "dtypes": kinds.iter().map(|s| (s.kind.clone(), json!({"tensors": s.tensors, "bytes": s.bytes})))
            .collect::<serde_json::Map<_, _>>(),
    });
    json!({
        "location": location,
        "name": graph.as_ref().map(|g| &g.name),
        "class_name": json.class_name(),
        "producer": {
            "family": family(producer),
            "version": producer.version,
            "text": producer.to_string(),
        },
        "format": json.format,
        "generated_by": json.generated_by,
        "converted_by": json.converted_by,
        "model_json_bytes": json_bytes,
        "inputs": graph.as_ref().map(|g| ports(&g.inputs, g)),
        "outputs": graph.as_ref().map(|g| ports(&g.outputs, g)),
        "layers": graph.as_ref().map(layers),
        "parameters": graph.as_ref().map(|g| {
            let sum = parameters(g);
            json!({"total": sum.total, "trainable": sum.trainable, "non_trainable": sum.total - sum.trainable})
        }),
        "weights": weights,
        "metadata": json.user_defined_metadata,
        "compiled": json.training_config().is_some(),
        "warnings": warnings,
        "problems": problems.iter().map(problem).collect::<Value>(),
        "verified": if verify { json!(report.is_some()) } else { Value::Null },
        "report": report.as_ref().map(load_report),
    })
}

fn ports(ports: &[GraphPort], graph: &ModelGraph) -> Value {
    let port = |port: &GraphPort| {
        let TensorType { shape, dtype } = graph.ty(port.value);
        json!({"name": port.name, "shape": dims(shape), "dtype": dtype.name()})
    };
    ports.iter().map(port).collect()
}

fn layers(graph: &ModelGraph) -> Value {
    let rows = rows(graph).into_iter().map(|row| {
        json!({
            "path": row.layer.path,
            "class_name": row.layer.class_name,
            "outputs": row.outputs.iter().map(|ty| json!({"shape": dims(&ty.shape), "dtype": ty.dtype.name()}))
                .collect::<Value>(),
            "parameters": row.parameters,
            "trainable": row.layer.trainable,
        })
    });
    rows.collect()
}

fn load_report(report: &LoadReport) -> Value {
    json!({
        "matched": report.matched.iter().map(|(by, count)| (rule(*by).to_owned(), json!(count)))
            .collect::<serde_json::Map<_, _>>(),
        "unused": report.unused,
        "reference_layers": report.reference_layers,
        "opaque_layers": report.opaque_layers,
        "weight_bytes": report.weight_bytes,
        "times_ms": report.times.iter().map(|(phase, time)| ((*phase).to_owned(), json!(time.as_secs_f64() * 1e3)))
            .collect::<serde_json::Map<_, _>>(),
    })
}

fn problem(error: &Error) -> Value {
    let place = error.place();
    json!({
        "kind": error.kind().to_string(),
        "message": error.message(),
        "place": {
            "file": place.file, "json": place.json, "layer": place.layer, "weight": place.weight, "value": place.value,
        },
        "causes": causes(error),
    })
}
