//! The running half of a layer: the trait, and the dispatch generated from the one list of layers.
//!
//! A layer runs on the description `tfjs-topology` read, and on its weights as they are at the moment of the
//! call: nothing is prepared ahead, so the same code serves inference and training, on every device.

use crate::custom::CustomLayers;
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::graph::Callee;
use tfjs_topology::ops::Op;
use tfjs_topology::registry::Layer;
use tfjs_topology::{for_each_layer, for_each_op};

/// What a layer needs besides its arguments.
#[derive(Clone, Copy, Debug)]
pub struct RunCx<'a> {
    /// The layer's weights, in the order its description declares them.
    pub weights: &'a [Tensor],
    /// Whether dropout drops and batch normalization uses the batch.
    pub training: bool,
    /// The caller's own layers.
    pub custom: &'a CustomLayers,
}

impl<'a> RunCx<'a> {
    /// A weight by its position in the declaration.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug): binding gives every declared weight.
    pub fn weight(&self, index: usize) -> Result<&'a Tensor> {
        self.weights
            .get(index)
            .ok_or_else(|| Error::bug(format!("weight {index} of {} was not bound", self.weights.len())))
    }

    /// The same context with other weights: for what a wrapper holds.
    #[must_use]
    pub fn with_weights(self, weights: &'a [Tensor]) -> Self {
        RunCx { weights, ..self }
    }
}

/// The running half of a layer, at the same path in this crate as its description.
pub trait Run {
    /// The outputs, in the order of the description's `infer`. The engine puts the masks on them, except
    /// where the description says [`Compute`](tfjs_topology::layer::MaskRule::Compute): then the layer does.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for what `infer` should have refused.
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>>;
}

macro_rules! run_layer {
    ($($family:ident :: $file:ident :: $type:ident = $($class:literal)|+ ;)*) => {
        fn run_layer(layer: &Layer, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
            match layer {
                $(Layer::$type(layer) => <tfjs_topology::layers::$family::$file::$type as Run>::run(layer, cx, call),)*
                Layer::Custom(layer) => cx.custom.run(&**layer, cx, call),
                other => Err(Error::bug(format!("no running half for {other:?}"))),
            }
        }
    };
}
for_each_layer!(run_layer);

macro_rules! run_op {
    ($($file:ident :: $type:ident = $($class:literal)|+ ;)*) => {
        fn run_op(op: &Op, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
            match op {
                $(Op::$type(op) => <tfjs_topology::ops::$file::$type as Run>::run(op, cx, call),)*
                other => Err(Error::bug(format!("no running half for {other:?}"))),
            }
        }
    };
}
for_each_op!(run_op);

/// Runs a layer or an operation.
///
/// # Errors
/// What the running half says.
pub fn run(callee: &Callee, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
    match callee {
        Callee::Layer(layer) => run_layer(layer, cx, call),
        Callee::Op(op) => run_op(op, cx, call),
    }
}

/// The only input of a call, as a tensor.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if there is another number of inputs.
pub fn single(call: &Call<Value>) -> Result<&Tensor> {
    match call.inputs()[..] {
        [value] => value.tensor(),
        ref inputs => Err(Error::bug(format!("expected one input, found {}", inputs.len()))),
    }
}

/// One output.
///
/// # Errors
/// Never; the shape of a `run`'s last line.
pub fn one(tensor: Tensor) -> Result<Vec<Value>> {
    Ok(vec![Value::new(tensor)])
}

/// candle's errors in our vocabulary.
pub trait OrBug<T> {
    /// A failure of candle on shapes `infer` has accepted is a bug of ours.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) with what candle says, without its backtrace.
    fn or_bug(self) -> Result<T>;
}

impl<T> OrBug<T> for candle_core::Result<T> {
    fn or_bug(self) -> Result<T> {
        self.map_err(|e| Error::bug(format!("the tensor library refused an operation: {}", without_backtrace(&e))))
    }
}

/// A message is one line, whatever the environment wants to see of the stack.
fn without_backtrace(error: &candle_core::Error) -> &candle_core::Error {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        error => error,
    }
}
