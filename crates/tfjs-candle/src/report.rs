//! The report of a load.

use std::collections::BTreeMap;
use std::time::Duration;
use tfjs_topology::bind::Rule;
use tfjs_topology::producer::Producer;

/// The report of a load.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadReport {
    /// Where the model came from.
    pub location: String,
    /// The software that wrote it.
    pub producer: Option<Producer>,
    /// Bytes of `model.json`.
    pub model_json_bytes: u64,
    /// Bytes of the weight files.
    pub weight_file_bytes: u64,
    /// Bytes of the weights in memory.
    pub weight_bytes: u64,
    /// Number of weight files.
    pub files: usize,
    /// For each matching rule, the number of weights it found.
    pub matched: BTreeMap<Rule, usize>,
    /// Weights of the file that no layer uses.
    pub unused: Vec<String>,
    /// The paths of layers with primitives that have no kernel in the native engine and run in the slow interpreter.
    pub reference_layers: Vec<String>,
    /// The paths of custom layers that are functions on tensors: engines call them and cannot fuse or differentiate
    /// them.
    pub opaque_layers: Vec<String>,
    /// The time of each phase: `model.json`, `resolve`, `weights`, `build`.
    pub times: Vec<(&'static str, Duration)>,
    /// Findings that did not stop the load but may matter.
    pub warnings: Vec<String>,
}
