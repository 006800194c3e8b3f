//! What a layer is, without running it: the trait every layer description implements.

use crate::call::Call;
use crate::encode::{Encoding, Target};
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{DType, Result, Shape};

/// A layer: what it computes, said once, in primitives.
pub trait LayerDef: fmt::Debug + Send + Sync + Any {
    /// Builds what the layer computes: the outputs, with their masks, for these inputs. Weights are declared on the way,
    /// in the order of Keras's `layer.weights`.
    ///
    /// Lowering never branches on a dimension that is not known: what must hold of one is a guard, which is checked
    /// when inputs are given.
    ///
    /// # Errors
    /// Inputs this layer cannot take: their number, rank, or a dimension.
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>>;

    /// Says how the layer is written for a target, where that differs from its file: `out` starts from what the file said,
    /// with what all layers share already translated. What the target cannot say or computes differently is a warning.
    ///
    /// A layer of the caller's own starts from its configuration as it is.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a layer that does not fit its own configuration.
    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let _ = (target, out);
        Ok(())
    }

    /// The layer as it runs from the last step of a sequence to the first, for `Bidirectional`; `None` for a layer that
    /// has no direction.
    fn turned(&self) -> Option<Arc<dyn LayerDef>> {
        None
    }

    /// Whether the layer knows what to do with complex tensors. Others are never given one.
    fn takes_complex(&self) -> bool {
        false
    }

    /// Whether the layer knows what to do with rows of different lengths. Others are never given them.
    fn takes_ragged(&self) -> bool {
        false
    }

    /// The element type the layer wants its input to have, where it is not floating point.
    fn input_type(&self) -> Option<ValueType> {
        None
    }
}

/// One weight of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightDecl {
    /// Name of the variable: `kernel`, `gamma`, ...
    pub name: String,
    /// Other names of the same variable, by other producers.
    pub aliases: Vec<&'static str>,
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
    /// Whether training changes it (as long as the layer is trainable).
    pub trainable: bool,
    /// What it holds when a file loaded without `strict` does not have it.
    pub fill: Fill,
    /// The objects between the layer and the variable, outermost first.
    pub scope: Vec<Scope>,
}

/// The value of a weight a file does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Zeros,
    /// Ones: scales and variances.
    Ones,
}

/// An object inside a layer that holds a variable, as the producers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The object's own name: `lstm_cell`, `forward_lstm`, `query`.
    pub name: String,
    /// The attribute that holds it, as `.keras` files name it: `cell`, `forward_layer`, `query_dense`.
    pub attr: String,
    /// Which producers write the name into a weight's name.
    pub kind: ScopeKind,
}

/// Which producers write a [`Scope`]'s name into the names of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// All of them: a direction of Bidirectional, a projection of an attention layer.
    Always,
    /// Keras does, TensorFlow.js does not: a recurrent cell.
    Cell,
    /// Keras 3 does, Keras 2 and TensorFlow.js do not: the layer inside TimeDistributed.
    Wrapped,
    /// A layer of a wrapped model: Keras 2 and TensorFlow.js start the weight's name anew with it.
    Restart,
}

impl WeightDecl {
    /// A trainable float weight filled with zeros.
    pub fn new(name: &str, shape: Shape) -> Self {
        WeightDecl {
            name: name.to_string(),
            aliases: Vec::new(),
            shape,
            dtype: DType::Float32,
            trainable: true,
            fill: Fill::Zeros,
            scope: Vec::new(),
        }
    }

    /// The same weight, not changed by training's gradients.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.trainable = false;
        self
    }

    /// The same weight, ones when a file does not have it.
    #[must_use]
    pub fn ones(mut self) -> Self {
        self.fill = Fill::Ones;
        self
    }

    /// The same weight, known by another name too.
    #[must_use]
    pub fn alias(mut self, name: &'static str) -> Self {
        self.aliases.push(name);
        self
    }

    /// The same weight, held by an object of the layer.
    #[must_use]
    pub fn inside(mut self, scope: Scope) -> Self {
        self.scope.insert(0, scope);
        self
    }
}
