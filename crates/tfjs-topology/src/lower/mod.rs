//! A [`ModelDef`](crate::def::ModelDef) becomes a [`Model`]: the calls of its layers, the slots of its weights, and the
//! program that all of it computes, in primitives. Nested models and wrappers are dissolved; shared layers are called
//! several times.

mod activation;
#[cfg(test)]
mod alone;
mod call;
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

/// What a layer is lowered with: the builder of the program (to which it dereferences), and what Keras knows beside it:
/// weights, masks, whether the model trains.
pub struct LowerCx<'a> {
    builder: Builder,
    limits: &'a Limits,
    phase: Phase,
    /// Whether the producer obeys the `training` argument of a call when it predicts.
    obeys_training: bool,
    /// Whether the producer runs the calls of a model by their depth: Keras.
    calls_by_depth: bool,
    /// The `training` arguments of the calls around what is lowered, innermost last.
    training: Vec<bool>,
    graph: ModelGraph,
    /// The value of the program for each value of the call table.
    values: Vec<Value>,
    instances: HashMap<(usize, *const LayerEntry), usize>,
    known: Vec<Instance>,
    /// The layers that are being lowered: the one of the call table, then those inside of it.
    frames: Vec<Frame>,
    /// Variables seen in each object of a layer, which are counted there.
    counters: HashMap<(LayerId, Vec<String>), usize>,
    /// Where the weights of each layer of the call table stand.
    places: HashMap<LayerId, scope::Place>,
    opaques: Vec<Arc<dyn Any + Send + Sync>>,
    /// The states of each instance, by their position.
    states: HashMap<(usize, usize), StateId>,
    /// Whether a layer would keep states if the batch were a number.
    keeps_states: bool,
    /// What was noticed and does not stop the model from loading.
    warnings: Warnings,
    /// Memory spent on what is built from the file.
    account: Account,
    /// The memory of the program that is paid for.
    paid: u64,
    /// Values whose mask an attention layer of Keras 3 took away: later calls find none.
    forgotten: HashSet<Value>,
    /// The order of the calls of each model, found once however often the model is called.
    routes: HashMap<*const Submodel, Rc<Route>>,
}

/// A layer with its weights: one for each place in the file, however often it is called.
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
    /// The weights taken so far in this call.
    taken: usize,
    /// The objects around its weights inside of the layer of the call table, outermost first.
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
    fn new(limits: &'a Limits, phase: Phase, obeys_training: bool) -> Self {
        LowerCx {
            builder: Builder::new(limits.primitives),
            limits,
            phase,
            obeys_training,
            calls_by_depth: false,
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

    /// The budgets.
    pub fn limits(&self) -> &Limits {
        self.limits
    }

    /// Whether this call trains: dropout drops, and batch normalization uses the batch. A `training` argument of the call
    /// or of a call around it decides where the producer obeys it; otherwise the phase does.
    pub fn training(&self) -> bool {
        self.training.last().copied().unwrap_or(self.phase == Phase::Train)
    }

    /// What the model is lowered for.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether training may change the weights of the layer that is being lowered: it and the wrappers around it are
    /// trainable.
    pub fn trainable(&self) -> bool {
        self.frames.iter().all(|frame| frame.trainable)
    }

    /// Records something that does not stop the model from loading; once, however often it is noticed.
    pub fn warn(&mut self, warning: impl AsRef<str>) {
        self.warnings.push(warning);
    }

    /// Takes away the masks of these tensors: calls that are lowered later find none, unless they are given one.
    pub(crate) fn forget_masks<'t>(&mut self, tensors: impl IntoIterator<Item = &'t KerasTensor>) {
        self.forgotten.extend(tensors.into_iter().map(|tensor| tensor.value));
    }

    /// The layer of the call table that is being lowered, or whose inside is.
    pub(crate) fn current_layer(&self) -> Option<&GraphLayer> {
        let frame = self.frames.last()?;
        self.graph.layers.get(self.known[frame.instance].layer.0)
    }

    /// Runs `f` and tells whether what it built treats each entry of the batch by itself.
    ///
    /// # Errors
    /// What `f` says.
    pub fn is_pointwise<R>(&mut self, f: impl FnOnce(&mut Self) -> Result<R>) -> Result<(R, bool)> {
        let outer = self.builder.watch_batch();
        let result = f(self);
        let inner = self.builder.unwatch_batch(outer);
        Ok((result?, inner))
    }

    /// Floating point, whatever the numbers were.
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

    /// A number without dimensions, of the element type of `like`.
    ///
    /// # Errors
    /// As [`Builder::scalar`].
    pub fn scalar_like(&mut self, like: Value, number: f64) -> Result<Value> {
        let element = self.ty(like).element;
        self.scalar(element, number)
    }

    /// The value with the element type of `like`.
    ///
    /// # Errors
    /// As [`Builder::push`].
    pub fn cast_like(&mut self, x: Value, like: Value) -> Result<Value> {
        let element = self.ty(like).element;
        self.cast(x, element)
    }

    /// The number a dimension is, if it is one.
    pub fn known_dim(&self, dim: Dim) -> Option<usize> {
        self.program().dims.known(dim).and_then(|n| usize::try_from(n).ok())
    }
}
