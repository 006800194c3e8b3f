//! A model as its file defines it: layers and the calls between them, not yet flattened or typed.

use crate::call::Call;
use crate::ops::Op;
use crate::producer::Producer;
use crate::registry::Layer;
use crate::types::TensorType;
use serde_json::{Map, Value};
use std::sync::Arc;
use tfjs_manifest::Warnings;

/// A whole file's model.
#[derive(Clone, Debug)]
pub struct ModelDef {
    /// Who wrote it.
    pub producer: Producer,
    /// The model.
    pub root: Submodel,
    /// What was noticed while reading and does not stop the model from loading.
    pub warnings: Warnings,
    /// Bytes of memory spent of [`Limits::model_bytes`](tfjs_manifest::Limits::model_bytes) so far.
    pub built_bytes: u64,
}

/// A model, at any depth.
#[derive(Clone, Debug)]
pub struct Submodel {
    /// Its name.
    pub name: String,
    /// How it was written.
    pub kind: SubmodelKind,
    /// Its layers, in the file's order.
    pub layers: Vec<LayerEntry>,
    /// Its inputs.
    pub inputs: Vec<Port>,
    /// Its outputs.
    pub outputs: Vec<Port>,
}

/// How a model was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmodelKind {
    /// A list of layers, each called with the output of the one before.
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

/// A tensor in a submodel: the output of a call of a layer.
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
    /// The configuration, as written; without `layers`, for a model.
    pub config: Arc<Map<String, Value>>,
    /// What it is.
    pub body: LayerBody,
    /// Its calls.
    pub calls: Vec<Call<TensorRef>>,
}

/// What a layer is.
#[derive(Clone, Debug)]
pub enum LayerBody {
    /// An input of the model; `None` where the file does not say the type.
    Input(Option<TensorType>),
    /// A layer.
    Layer(Layer),
    /// An operation on tensors: a Keras 3 operation node or a Keras 2 `TFOpLambda`.
    Op(Op),
    /// A model in the model.
    Model(Box<Submodel>),
}

impl LayerEntry {
    /// Whether training may change the layer's weights.
    pub fn trainable(&self) -> bool {
        match self.config.get("trainable") {
            Some(Value::Bool(trainable)) => *trainable,
            // Truth values that were written as numbers.
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            _ => true,
        }
    }
}
