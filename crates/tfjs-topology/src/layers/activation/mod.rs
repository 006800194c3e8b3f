//! Activation functions with parameters or weights, as layers.

pub mod elu;
pub mod last;
pub mod prelu;
pub mod relu;
pub mod softmax;
