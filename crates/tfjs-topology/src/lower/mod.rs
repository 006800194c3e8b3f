//! Lowering: converts a [`ModelDef`](crate::def::ModelDef) to a [`Model`]: the calls of its layers, the slots of its
//! weights, and the program that computes them, in primitives. Nested models and wrappers are inlined; shared layers
//! are called several times.

mod activation;
#[cfg(test)]
mod alone;
mod call;
mod constants;
mod einsum;
mod inline;
mod model;
mod opaque;
mod order;
mod scope;
mod state;
mod tensor;
#[cfg(test)]
pub(crate) mod testing;
mod weights;

pub(crate) use activation::sparsemax;
#[cfg(test)]
pub(crate) use alone::Alone;
pub(crate) use model::lower_entry;
pub use model::{LowerOptions, Model, Phase, lower};
use order::Route;
pub(crate) use order::execution_order;
pub use tensor::KerasTensor;
pub(crate) use tensor::element;
pub use tensor::value_type;

use crate::def::{LayerEntry, Submodel};
use crate::graph::{GraphLayer, LayerId, ModelGraph, SlotId};
use crate::layer::Scope;
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use tfjs_ir::{Builder, Dim, ElementType, StateId, Value};
use tfjs_manifest::{Account, Error, Limits, Result, Warnings};

/// The context of lowering: the builder of the program (to which it dereferences), and Keras's own concepts: weights,
/// masks, training.
pub struct LowerCx<'a> {
    builder: Builder,
    limits: &'a Limits,
    phase: Phase,
    /// Whether the producer uses the `training` argument of a call in prediction.
    obeys_training: bool,
    /// Whether the producer runs the calls of a model by their depth: Keras.
    calls_by_depth: bool,
    /// Whether the inputs of a call are written one after the other, so that a number among them is a tensor: all
    /// producers but Keras 3.
    flat_inputs: bool,
    /// The `training` arguments of the calls around what is lowered, innermost last.
    training: Vec<bool>,
    graph: ModelGraph,
    /// The program's value for each value of the call table.
    values: Vec<Value>,
    instances: HashMap<(usize, *const LayerEntry), usize>,
    known: Vec<Instance>,
    /// The layers that are being lowered: the one in the call table, then those inside it.
    frames: Vec<Frame>,
    /// The number of variables so far in each object of a layer.
    counters: HashMap<(LayerId, Vec<String>), usize>,
    /// The position in the model of each layer of the call table, for the names of its weights.
    places: HashMap<LayerId, scope::Place>,
    opaques: Vec<Arc<dyn Any + Send + Sync>>,
    /// The states of each instance, by their index.
    states: HashMap<(usize, usize), StateId>,
    /// Whether a layer would keep states if the batch size were known.
    keeps_states: bool,
    /// Findings that do not stop the model from loading.
    warnings: Warnings,
    /// Memory spent on structures built from the file.
    account: Account,
    /// The memory of the program that has been spent.
    paid: u64,
    /// Values whose mask an attention layer of Keras 3 removed: later calls do not see it.
    forgotten: HashSet<Value>,
    /// The order of the calls of each model, computed once even if the model is called several times.
    routes: HashMap<*const Submodel, Rc<Route>>,
}

/// A layer with its weights, for each place in the file; it may be called several times.
#[derive(Debug)]
struct Instance {
    /// The layer of the call table that holds it.
    layer: LayerId,
    slots: Vec<SlotId>,
}

/// A layer that is being lowered.
#[derive(Debug)]
struct Frame {
    instance: usize,
    /// The number of weights used so far in this call.
    taken: usize,
    /// The objects around its weights, inside the layer of the call table, outermost first.
    prefix: Vec<Scope>,
    /// Whether training may change its weights.
    trainable: bool,
}

impl Deref for LowerCx<'_> {
    type Target = Builder;

    fn deref(&self) -> &Builder {
        &self.builder
    }
}

impl DerefMut for LowerCx<'_> {
    fn deref_mut(&mut self) -> &mut Builder {
        &mut self.builder
    }
}

impl fmt::Debug for LowerCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LowerCx").field("builder", &self.builder).field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl<'a> LowerCx<'a> {
    /// Whether the producer is Keras 3.
    pub(crate) fn is_keras3(&self) -> bool {
        !self.flat_inputs
    }

    fn new(limits: &'a Limits, phase: Phase, obeys_training: bool) -> Self {
        LowerCx {
            builder: Builder::new(limits.primitives),
            limits,
            phase,
            obeys_training,
            calls_by_depth: false,
            flat_inputs: true,
            training: Vec::new(),
            graph: ModelGraph::default(),
            values: Vec::new(),
            instances: HashMap::new(),
            known: Vec::new(),
            frames: Vec::new(),
            counters: HashMap::new(),
            places: HashMap::new(),
            opaques: Vec::new(),
            states: HashMap::new(),
            keeps_states: false,
            warnings: Warnings::new(),
            account: Account::new(limits),
            paid: 0,
            forgotten: HashSet::new(),
            routes: HashMap::new(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        self.limits
    }

    /// Whether this call trains: dropout drops, and batch normalization uses the batch. If the producer uses the
    /// `training` argument, that of the innermost call that has it decides; otherwise the phase does.
    pub fn training(&self) -> bool {
        self.training.last().copied().unwrap_or(self.phase == Phase::Train)
    }

    /// The phase that the model is lowered for.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether training may change the weights of the layer that is being lowered: it and all wrappers around it must
    /// be trainable.
    pub fn trainable(&self) -> bool {
        self.frames.iter().all(|frame| frame.trainable)
    }

    /// Records a finding that does not stop the model from loading. Repeated findings are recorded once.
    pub fn warn(&mut self, warning: impl AsRef<str>) {
        self.warnings.push(warning);
    }

    /// Removes the masks of these tensors for all later calls, except calls with an explicit mask.
    pub(crate) fn forget_masks<'t>(&mut self, tensors: impl IntoIterator<Item = &'t KerasTensor>) {
        self.forgotten.extend(tensors.into_iter().map(|tensor| tensor.value));
    }

    /// The layer of the call table that is being lowered, or that contains the layer being lowered.
    pub(crate) fn current_layer(&self) -> Option<&GraphLayer> {
        let frame = self.frames.last()?;
        self.graph.layers.get(self.known[frame.instance].layer.0)
    }

    /// Runs `f` and returns whether the nodes it built treat each entry of the batch independently.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn is_pointwise<R>(&mut self, f: impl FnOnce(&mut Self) -> Result<R>) -> Result<(R, bool)> {
        let outer = self.builder.watch_batch();
        let result = f(self);
        let inner = self.builder.unwatch_batch(outer);
        Ok((result?, inner))
    }

    /// Casts a value to floating point, unless it is floating point already.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for text.
    pub fn to_float(&mut self, x: Value) -> Result<Value> {
        match self.ty(x).element {
            element if element.is_float() => Ok(x),
            ElementType::String => Err(Error::malformed("expected numbers, found strings")),
            _ => self.cast(x, ElementType::F32),
        }
    }

    /// A scalar of the element type of `like`.
    ///
    /// # Errors
    /// As [`Builder::scalar`].
    pub fn scalar_like(&mut self, like: Value, number: f64) -> Result<Value> {
        let element = self.ty(like).element;
        self.scalar(element, number)
    }

    /// Casts a value to the element type of `like`.
    ///
    /// # Errors
    /// As [`Builder::push`].
    pub fn cast_like(&mut self, x: Value, like: Value) -> Result<Value> {
        let element = self.ty(like).element;
        self.cast(x, element)
    }

    /// The length of a dimension, if it is known.
    pub fn known_dim(&self, dim: Dim) -> Option<usize> {
        self.program().dims.known(dim).and_then(|n| usize::try_from(n).ok())
    }
}
