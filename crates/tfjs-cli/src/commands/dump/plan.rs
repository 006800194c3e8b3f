//! What runs each call of a loaded model, as JSON.

use serde_json::{Value, json};
use tfjs::LayersModel;

/// No engine but the portable one runs anything yet, so it is named for every call.
pub(super) fn of(model: &LayersModel) -> Value {
    let graph = model.graph();
    let node = |node| {
        let layer = graph.layer(node);
        json!({"path": layer.path, "class_name": layer.class_name, "engine": "portable"})
    };
    json!({"engine": model.engine().name(), "nodes": graph.nodes.iter().map(node).collect::<Value>()})
}
