//! Activation functions with parameters or weights, as layers.

pub mod relu;
