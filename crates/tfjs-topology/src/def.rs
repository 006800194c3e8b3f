//! The definition of a model in its file: layers and the calls between them, not yet flattened or typed.

use crate::call::Call;
use crate::ops::Op;
use crate::producer::Producer;
use crate::registry::Layer;
use crate::types::TensorType;
use serde_json::{Map, Value};
use std::sync::Arc;
use tfjs_manifest::Warnings;

/// The model of a whole file.
#[derive(Clone, Debug)]
pub struct ModelDef {
    /// The software that wrote the file.
    pub producer: Producer,
    /// The model.
    pub root: Submodel,
    /// Findings of parsing that do not stop the model from loading.
    pub warnings: Warnings,
    /// Bytes of memory spent so far of [`Limits::model_bytes`](tfjs_manifest::Limits::model_bytes).
    pub built_bytes: u64,
}

/// A model at any nesting depth.
#[derive(Clone, Debug)]
pub struct Submodel {
    /// Its name.
    pub name: String,
    /// The form in which it was written.
    pub kind: SubmodelKind,
    /// Its layers, in the file's order.
    pub layers: Vec<LayerEntry>,
    /// Its inputs.
    pub inputs: Vec<Port>,
    /// Its outputs.
    pub outputs: Vec<Port>,
    /// The indices of the outputs in the order in which a call of the model returns them: Keras sorts the keys of a
    /// dictionary.
    pub returned: Vec<usize>,
}

/// The form in which a model was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmodelKind {
    /// A list of layers, each called with the output of the previous one.
    Sequential,
    /// Layers and their calls: `Functional`, or `Model` in older files.
    Functional,
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name, as the framework lists it.
    pub name: String,
    /// The key, in a model built from a dict.
    pub key: Option<String>,
    /// The tensor.
    pub tensor: TensorRef,
}

/// A tensor in a submodel: an output of a layer's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorRef {
    /// Index in [`Submodel::layers`].
    pub layer: usize,
    /// Index in [`LayerEntry::calls`]; 0 for an input.
    pub call: usize,
    /// Index among the outputs of the call.
    pub tensor: usize,
}

/// One layer of a submodel.
#[derive(Clone, Debug)]
pub struct LayerEntry {
    /// Its name, unique in the submodel.
    pub name: String,
    /// The class, as written.
    pub class_name: String,
    /// The configuration, as written; for a model, without `layers`.
    pub config: Arc<Map<String, Value>>,
    /// The parsed layer, operation or model.
    pub body: LayerBody,
    /// Its calls.
    pub calls: Vec<Call<TensorRef>>,
}

/// The kinds of entries in a model.
#[derive(Clone, Debug)]
pub enum LayerBody {
    /// An input of the model; `None` if the file does not declare the type.
    Input(Option<TensorType>),
    /// A layer.
    Layer(Layer),
    /// An operation on tensors: a Keras 3 operation node or a Keras 2 `TFOpLambda`.
    Op(Op),
    /// A nested model.
    Model(Box<Submodel>),
}

impl LayerEntry {
    /// Whether training may change the layer's weights.
    pub fn trainable(&self) -> bool {
        match self.config.get("trainable") {
            Some(Value::Bool(trainable)) => *trainable,
            // A truth value that was written as a number.
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            _ => true,
        }
    }
}
