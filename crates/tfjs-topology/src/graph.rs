//! The calls of a model's layers in execution order, with the type of every value and a slot for every weight.

use crate::call::Call;
use crate::layer::{LayerDef, Scope, ScopeKind, WeightDecl};
use crate::ops::Op;
use crate::producer::Backend;
use crate::registry::Layer;
use crate::types::TensorType;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Index of a value in [`ModelGraph::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// Index of a layer in [`ModelGraph::layers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub usize);

/// Index of a weight slot in [`ModelGraph::slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub usize);

/// A flat graph: nested models are inlined, shared layers appear once and are called by several nodes.
#[derive(Clone, Debug, Default)]
pub struct ModelGraph {
    /// The model's name.
    pub name: String,
    /// Every layer instance that is called.
    pub layers: Vec<GraphLayer>,
    /// The calls, in an order in which every input is computed before it is needed.
    pub nodes: Vec<Node>,
    /// Every value: the inputs, then the outputs of the nodes.
    pub values: Vec<ValueInfo>,
    /// Every weight, in the order of the layers.
    pub slots: Vec<WeightSlot>,
    /// Whether the file may have its weights under the names and in the layouts of Keras 1.
    pub keras1: bool,
    /// What the model ran on, when the file says it: Theano's has the kernels of convolutions turned around.
    pub backend: Option<Backend>,
    /// Names under which a `.keras` file may have a weight a second time: where a wrapper holds one of its layer's.
    pub repeated: Vec<String>,
    /// The model's inputs.
    pub inputs: Vec<GraphPort>,
    /// The model's outputs.
    pub outputs: Vec<GraphPort>,
    /// The number of calls in one prediction: the nodes, those inside wrappers, and the inlined nested models.
    pub expanded: u64,
}

/// An input or output of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphPort {
    /// Its name; a repeated name has `:1`, `:2`, ... from the second on.
    pub name: String,
    /// The key of a model built from a dictionary, if it is another name and that of one port only.
    pub key: Option<String>,
    /// The value.
    pub value: ValueId,
}

/// The index of the port that a caller names: by its key, or by its own name.
pub fn port_named<'a>(
    mut ports: impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone,
    name: &str,
) -> Option<usize> {
    ports.clone().position(|(_, key)| key == Some(name)).or_else(|| ports.position(|(own, _)| own == name))
}

/// A value of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueInfo {
    /// Shape and element type.
    pub ty: TensorType,
    /// The node that computes it; `None` for an input.
    pub node: Option<usize>,
    /// Whether it has a mask.
    pub masked: bool,
}

/// One call of a layer.
#[derive(Clone, Debug)]
pub struct Node {
    /// The layer that is called.
    pub layer: LayerId,
    /// The arguments.
    pub call: Call<ValueId>,
    /// Its outputs.
    pub outputs: Vec<ValueId>,
}

/// A layer or an operation.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A layer.
    Layer(Layer),
    /// An operation.
    Op(Op),
}

impl Callee {
    /// The layer definition.
    pub fn def(&self) -> &dyn LayerDef {
        match self {
            Callee::Layer(layer) => layer.def(),
            Callee::Op(op) => op.def(),
        }
    }
}

/// A layer instance.
#[derive(Clone, Debug)]
pub struct GraphLayer {
    /// The names of the models around it and its own, joined by `/`.
    pub path: String,
    /// Its own name.
    pub name: String,
    /// The class, as written.
    pub class_name: String,
    /// The configuration, as written.
    pub config: Arc<Map<String, Value>>,
    /// The layer or operation.
    pub callee: Callee,
    /// Its weights.
    pub slots: Vec<SlotId>,
    /// Whether training may change its weights.
    pub trainable: bool,
}

#[cfg(test)]
impl GraphLayer {
    /// A layer for tests that lower a single layer.
    pub(crate) fn unnamed() -> Self {
        let layer = crate::testing::read_layer("Dense", serde_json::json!({"units": 1})).expect("a layer of one unit");
        GraphLayer {
            path: String::new(),
            name: String::new(),
            class_name: String::new(),
            config: Arc::default(),
            callee: Callee::Layer(layer),
            slots: Vec::new(),
            trainable: true,
        }
    }
}

/// A slot for a weight.
#[derive(Clone, Debug)]
pub struct WeightSlot {
    /// The layer it belongs to.
    pub layer: LayerId,
    /// The models around the layer, outermost (the root) first.
    pub models: Vec<ModelScope>,
    /// The layer's name.
    pub layer_name: String,
    /// The layer's object path, as `.keras` files write it: `layers/dense_1`, `layers/functional/layers/conv2d`.
    pub object_path: String,
    /// The layer's declaration of the weight.
    pub decl: WeightDecl,
    /// The index of the variable in the object that holds it: the `1` of `vars/1`.
    pub index: usize,
    /// Whether training may change it.
    pub trainable: bool,
}

/// A model around a layer, for the names of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelScope {
    /// Its name.
    pub name: String,
    /// Whether it is a `Sequential`, whose name Keras 3 writes into the names of weights.
    pub sequential: bool,
}

impl WeightSlot {
    /// TensorFlow.js's name of the weight: the layer's, then those of inner objects that it writes, then the
    /// variable's.
    pub fn name(&self) -> String {
        let mut name = self.layer_name.clone();
        for scope in &self.decl.scope {
            match scope.kind {
                ScopeKind::Always => {
                    name.push('/');
                    name.push_str(&scope.name);
                }
                ScopeKind::Restart => name.clone_from(&scope.name),
                ScopeKind::Cell | ScopeKind::Wrapped | ScopeKind::Around => {}
            }
        }
        name.push('/');
        name.push_str(&self.decl.name);
        name
    }

    /// Bytes of memory that it takes, including the names under which it is looked up: with each of the surrounding
    /// models, in each spelling.
    pub(crate) fn bytes(&self) -> u64 {
        let models: usize = self.models.iter().map(|model| model.name.len() + size_of::<ModelScope>()).sum();
        let scopes: usize =
            self.decl.scope.iter().map(|scope| scope.name.len() + scope.attr.len() + size_of::<Scope>()).sum();
        let own = models + scopes + self.layer_name.len() + self.object_path.len();
        let names = (2 * self.models.len() + 2).saturating_mul(1 + self.decl.aliases.len());
        (size_of::<WeightSlot>() as u64).saturating_add(own.saturating_mul(names) as u64)
    }
}

impl ModelGraph {
    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        &self.values[value.0].ty
    }

    /// The layer that a node calls.
    pub fn layer(&self, node: &Node) -> &GraphLayer {
        &self.layers[node.layer.0]
    }
}
