//! What loading did and noticed.

use std::collections::BTreeMap;
use std::time::Duration;
use tfjs_topology::bind::Rule;
use tfjs_topology::producer::Producer;

/// What loading did and noticed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadReport {
    /// Where the model came from.
    pub location: String,
    /// Who wrote it.
    pub producer: Option<Producer>,
    /// Bytes of `model.json`.
    pub model_json_bytes: u64,
    /// Bytes of the weight files.
    pub weight_file_bytes: u64,
    /// Bytes of the weights as values.
    pub weight_bytes: u64,
    /// Number of weight files.
    pub files: usize,
    /// How many weights were found by which rule.
    pub matched: BTreeMap<Rule, usize>,
    /// Weights of the file that no layer uses.
    pub unused: Vec<String>,
    /// Layers some of whose primitives have no kernel in the native engine and run by the slow reference, by path.
    pub reference_layers: Vec<String>,
    /// Custom layers that are functions on tensors, by path: the engines call them and cannot fuse or differentiate them.
    pub opaque_layers: Vec<String>,
    /// How long each phase took: `model.json`, `resolve`, `weights`, `build`.
    pub times: Vec<(&'static str, Duration)>,
    /// What did not stop the model from loading and may matter.
    pub warnings: Vec<String>,
}
