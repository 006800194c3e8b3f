//! The running half of every layer, at the same path as its description in `tfjs-topology`.

pub mod activation;
pub mod core;
pub mod rnn;
pub mod text;
pub mod wrap;
