//! The trait that defines layers.

use crate::call::Call;
use crate::encode::{Encoding, Target};
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{DType, Result, Shape};

/// A layer: defines its computation once, in primitives.
pub trait LayerDef: fmt::Debug + Send + Sync + Any {
    /// Builds the layer's computation: the outputs, with their masks, for these inputs. It also declares the weights,
    /// in the order of Keras's `layer.weights`.
    ///
    /// Lowering never branches on an unknown dimension: a condition on one becomes a guard, which is checked
    /// when the inputs are known.
    ///
    /// # Errors
    /// Inputs that the layer rejects: their number, their rank, or a dimension.
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>>;

    /// Writes the layer for a target, where that differs from its file: `out` starts from the file's configuration,
    /// with the keys that all layers share already translated. What the target cannot represent or computes differently
    /// must be a warning.
    ///
    /// A custom layer starts from its unchanged configuration.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a layer that does not match its own configuration.
    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let _ = (target, out);
        Ok(())
    }

    /// The same layer, running from the last step of a sequence to the first, for `Bidirectional`; `None` for a layer
    /// without a direction.
    fn turned(&self) -> Option<Arc<dyn LayerDef>> {
        None
    }

    /// Whether the layer supports complex tensors. Others are never called with one.
    fn takes_complex(&self) -> bool {
        false
    }

    /// Whether the layer accepts rows of different lengths. Other layers are never given them.
    fn takes_ragged(&self) -> bool {
        false
    }

    /// The element type that the layer requires of its input, if it is not floating point.
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
    /// The value that replaces it if the file lacks it and is loaded without `strict`.
    pub fill: Fill,
    /// Whether some files of the layer do not have it: it is what `fill` says then.
    pub optional: bool,
    /// The objects between the layer and the variable, outermost first.
    pub scope: Vec<Scope>,
}

/// The value of a weight that is not in the file.
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
    /// The rule by which producers include the name in a weight's name.
    pub kind: ScopeKind,
}

/// The producers that include a [`Scope`]'s name in the names of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// All producers: a direction of Bidirectional, a projection of an attention layer.
    Always,
    /// Keras, but not TensorFlow.js: a recurrent cell.
    Cell,
    /// Keras 3, but not Keras 2 or TensorFlow.js: the layer inside TimeDistributed.
    Wrapped,
    /// Some names in Keras 3: a model inside a wrapped model.
    Around,
    /// A layer of a wrapped model: in Keras 2 and TensorFlow.js the weight's name starts again with it.
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
            optional: false,
            scope: Vec::new(),
        }
    }

    /// The same weight, not trainable.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.trainable = false;
        self
    }

    /// The same weight, filled with ones if it is not in the file.
    #[must_use]
    pub fn ones(mut self) -> Self {
        self.fill = Fill::Ones;
        self
    }

    /// The same weight, which a file need not have.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
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
