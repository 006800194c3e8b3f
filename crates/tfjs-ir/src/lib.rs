//! The intermediate representation (IR) of a Keras model: a program of typed primitives on symbolic shapes. It contains
//! no layers, tensors or devices.
//!
//! In JAX's terms, a [`Program`] is a `jaxpr` whose dimensions may be expressions; in ONNX's terms, a graph in static
//! single assignment form with a small, closed set of operators. Its nodes apply [primitives](prim) to values; a value
//! has a [`Type`], an element type and dimensions; a dimension is a number or an expression over [symbols](Dims), such
//! as `floor((h-1)/2)`. A condition that can be checked only when the inputs are known is a [`Guard`].
//!
//! * A [`Builder`] infers and checks while it builds, with calls that resemble NumPy's.
//! * [`interpret`](interpret::interpret) defines every primitive by a slow and simple evaluation.
//! * *Composites* such as `softmax`, `rnn` and `batch_norm` are primitives that [`expand`](expand::expand) rewrites in
//!   simpler ones, so that an engine needs kernels only for those where they pay off.
//! * [`grad`] differentiates a program into a program. [`pass`] simplifies. [`verify`](verify::verify) checks.
//! * A program prints as [text], which can be parsed again.
//!
//! A dense layer, its gradient, and both evaluated:
//!
//! ```
//! use tfjs_ir::interpret::{Inputs, interpret};
//! use tfjs_ir::prim::activate::Activation;
//! use tfjs_ir::prim::reduce::ReduceOp;
//! use tfjs_ir::{Array, Builder, ElementType, Program, Target, Type, Wrt, grad::grad};
//!
//! // mean(relu(x w)^2), for any number of rows.
//! let mut b = Builder::default();
//! let (batch, two, three) = (b.dims().symbol("batch"), b.number(2), b.number(3));
//! let x = b.input("x", Type::new(ElementType::F32, [batch, two]))?;
//! let kernel = b.slot("kernel", Type::new(ElementType::F32, [two, three]))?;
//! let w = b.get(Target::Slot(kernel))?;
//! let y = b.matmul(x, w)?;
//! let y = b.activate(Activation::RELU, y)?;
//! let squares = b.mul(y, y)?;
//! let loss = b.reduce(ReduceOp::Mean, squares, &[0, 1], false)?;
//! let program = b.finish(vec![("loss".into(), loss)])?;
//!
//! let text = program.to_string();
//! assert!(text.contains("%2 = dot(%0, %1) {batch=[], contract=[(1,0)]} : f32[batch,3]"), "{text}");
//! assert_eq!(text.parse::<Program>()?.to_string(), text);
//!
//! let with_gradient = grad(&program, "loss", &[Wrt::Slot(kernel)])?;
//! let kernel = Array::floats([2, 3], [1.0, -1.0, 0.0, 0.0, 1.0, 2.0])?;
//! let rows = Array::floats([1, 2], [1.0, 0.5])?;
//! let result = interpret(&with_gradient, &Inputs { slots: vec![kernel], ..Inputs::of([rows]) })?;
//! assert_eq!(result.outputs[0].to_floats()?, [f64::from(2.0f32 / 3.0)]);
//! assert_eq!(result.outputs[1].dims(), [2, 3]);
//! # Ok::<(), tfjs_manifest::Error>(())
//! ```

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
pub mod array;
pub mod build;
pub mod clock;
pub mod cost;
pub mod dim;
pub mod expand;
pub mod grad;
pub mod hash;
pub mod interpret;
pub mod math;
pub mod pass;
pub mod prim;
pub mod program;
pub mod random;
pub mod rewrite;
pub mod sort;
pub mod text;
pub mod tokens;
pub mod ty;
pub mod verify;
pub mod window;

pub use array::{Array, Data};
pub use build::{Builder, Loop};
pub use clock::{Clock, check_deadline};
pub use cost::{Cost, cost, work};
pub use dim::{Bound, Dim, Dims, Relation};
pub use expand::expand;
pub use grad::{Wrt, gradients};
pub use interpret::{Budget, Inputs, Outcome, evaluate_node, interpret, interpret_within};
pub use prim::{Class, Prim, PrimKind};
pub use program::{
    Block, Check, ConstId, Guard, Input, InputRole, Node, OpaqueId, Origin, OriginId, Program, Slot, SlotId, State,
    StateId, Target, Update, Value,
};
pub use ty::{ElementType, Type};
