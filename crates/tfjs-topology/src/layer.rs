//! What a layer is, without running it: the trait every layer description implements.

use crate::call::Call;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::{TensorType, ValueType};
use std::any::Any;
use std::fmt;
use tfjs_manifest::{DType, Error, Result, Shape};

/// The describing half of a layer. The running half lives at the same path in `tfjs-candle`.
pub trait LayerDef: fmt::Debug + Send + Sync + Any {
    /// The types of the outputs for these inputs.
    ///
    /// # Errors
    /// Inputs this layer cannot take: their number, rank, or a dimension. What `infer` accepts, running accepts.
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>>;

    /// Builds what the layer computes in primitives: the outputs, with their masks, for these inputs.
    ///
    /// # Errors
    /// Inputs this layer cannot take: their number, rank, or a dimension.
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let _ = (cx, call);
        Err(Error::unsupported("the layer has no lowering"))
    }

    /// The weights for these inputs, in the order of Keras's `layer.weights`.
    ///
    /// # Errors
    /// Inputs from which the shapes of the weights do not follow.
    fn weights(&self, call: &Call<TensorType>) -> Result<Vec<WeightDecl>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// How many calls one call makes: more than one for wrappers. [`Limits::nodes`](tfjs_manifest::Limits::nodes)
    /// is spent on it, so that a small file cannot ask for endless work.
    ///
    /// # Errors
    /// Inputs the layer cannot take.
    fn expanded(&self, call: &Call<TensorType>) -> Result<u64> {
        let _ = call;
        Ok(1)
    }

    /// What happens to a mask of the inputs.
    fn mask(&self) -> MaskRule {
        MaskRule::Stop
    }

    /// How exactly the layer's arithmetic is determined.
    fn exactness(&self) -> Exactness {
        Exactness::Rounded
    }

    /// The element type the layer wants its input to have, where it is not floating point.
    fn input_type(&self) -> Option<ValueType> {
        None
    }

    /// Whether the layer leaves its input unchanged at inference.
    fn is_identity(&self) -> bool {
        false
    }
}

/// What happens to the masks of a layer's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaskRule {
    /// The outputs have no mask.
    Stop,
    /// Every output has the mask of the first input.
    Pass,
    /// The outputs' mask is the AND of the masks there are: merge layers of Keras 1 and 2.
    And,
    /// The outputs' mask is the OR of all masks, none if one is missing: merge layers of Keras 3.
    Or,
    /// The running half computes the mask.
    Compute,
}

/// How close two right implementations of a layer are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// Bit for bit: the layer moves or selects values.
    Exact,
    /// Up to rounding of sums and transcendental functions.
    Rounded,
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

/// The only input of a call.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the call has none or several.
pub fn single(call: &Call<TensorType>) -> Result<&TensorType> {
    let inputs = call.inputs();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(Error::malformed(format!("expected one input, found {}", inputs.len()))),
    }
}

/// The only input of a call, which has this rank.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it has another, or the call several inputs.
pub fn single_of_rank(call: &Call<TensorType>, rank: usize) -> Result<&TensorType> {
    let input = single(call)?;
    if input.shape.rank() == rank {
        return Ok(input);
    }
    Err(Error::malformed(format!("expected an input of rank {rank}, found shape {}", input.shape)))
}

/// A dimension that must be known because a weight's shape follows from it.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is unknown.
pub fn known(dim: Option<usize>, what: &str, shape: &crate::types::SymShape) -> Result<usize> {
    dim.ok_or_else(|| Error::malformed(format!("{what} must be known, found shape {shape}")))
}
