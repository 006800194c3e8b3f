//! A [`ModelDef`] becomes a [`Model`]: the calls of its layers, the slots of its weights, and the program that all of it
//! computes, in primitives. Nested models and wrappers are dissolved; shared layers are called several times.

mod activation;
mod call;
mod inline;
mod model;
mod scope;
mod state;
mod tensor;
#[cfg(test)]
pub(crate) mod testing;
mod weights;

pub use model::{LowerOptions, Model, Phase, lower};
pub use scope::Scoped;
pub use tensor::{KerasTensor, element, value_type};

use crate::def::LayerEntry;
use crate::graph::{GraphLayer, LayerId, ModelGraph, SlotId};
use crate::layer::Scope;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tfjs_ir::{Builder, Dim, StateId, Value};
use tfjs_manifest::{Limits, Result};

/// What a layer is lowered with: the builder of the program (to which it dereferences), and what Keras knows beside it:
/// weights, masks, whether the model trains.
pub struct LowerCx<'a> {
    builder: Builder,
    limits: &'a Limits,
    phase: Phase,
    /// Whether the producer obeys the `training` argument of a call when it predicts.
    obeys_training: bool,
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
    /// What was noticed and does not stop the model from loading.
    warnings: Vec<String>,
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
            warnings: Vec::new(),
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

    /// Records something that does not stop the model from loading; once, however often it is noticed.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
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
    /// As [`Builder::push`].
    pub fn to_float(&mut self, x: Value) -> Result<Value> {
        match self.ty(x).element.is_float() {
            true => Ok(x),
            false => self.cast(x, tfjs_ir::ElementType::F32),
        }
    }

    /// Lowers one layer by itself, for tests: the types of its outputs, and its weights.
    #[cfg(test)]
    pub(crate) fn alone(
        def: &dyn crate::layer::LayerDef,
        call: &crate::call::Call<crate::types::TensorType>,
    ) -> Result<(Vec<crate::types::TensorType>, Vec<crate::layer::WeightDecl>)> {
        let limits = Limits::default();
        let mut cx = LowerCx::new(&limits, Phase::Predict, false);
        let mut inputs = 0;
        let call = call.try_map(|ty| {
            inputs += 1;
            cx.root_edge(&format!("x{inputs}"), ty.clone()).map(|edge| edge.tensor)
        })?;
        let layer = LayerId(0);
        cx.graph.layers.push(crate::graph::GraphLayer::unnamed());
        cx.known.push(Instance { layer, slots: Vec::new() });
        cx.frames.push(Frame { instance: 0, taken: 0, prefix: Vec::new(), trainable: true });
        let outputs = def.lower(&mut cx, &call)?;
        let types = outputs.iter().map(|tensor| cx.keras_type(cx.ty(tensor.value))).collect();
        let weights = cx.graph.slots.iter().map(|slot| slot.decl.clone()).collect();
        let outputs = outputs.into_iter().enumerate().map(|(i, tensor)| (format!("y{i}"), tensor.value)).collect();
        tfjs_ir::verify::verify(&cx.builder.finish(outputs)?)?;
        Ok((types, weights))
    }

    /// The number a dimension is, if it is one.
    pub fn known_dim(&self, dim: Dim) -> Option<usize> {
        self.program().dims.known(dim).and_then(|n| usize::try_from(n).ok())
    }
}
