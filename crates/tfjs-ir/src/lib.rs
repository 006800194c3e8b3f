//! The program a Keras model is: typed primitives on symbolic shapes; no layer, no tensor, no device.

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
pub mod array;
pub mod build;
pub mod cost;
pub mod dim;
pub mod expand;
pub mod interpret;
pub mod math;
pub mod pass;
pub mod prim;
pub mod program;
pub mod random;
mod rewrite;
pub mod text;
pub mod ty;
pub mod verify;
pub mod window;

pub use array::{Array, Data};
pub use build::{Builder, Loop};
pub use cost::{Cost, cost, work};
pub use dim::{Bound, Dim, Dims, Relation};
pub use expand::expand;
pub use interpret::{Budget, Inputs, Outcome, evaluate_node, interpret, interpret_within};
pub use prim::{Class, Prim, PrimKind};
pub use program::{
    Block, Check, ConstId, Guard, Input, InputRole, Node, OpaqueId, Origin, OriginId, Program, Slot, SlotId, State,
    StateId, Target, Update, Value,
};
pub use ty::{ElementType, Type};
