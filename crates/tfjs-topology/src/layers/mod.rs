//! The describing half of every layer: one folder a family, one file a behaviour, rank variants together.

pub mod activation;
pub mod core;
pub mod rnn;
pub mod text;
pub mod wrap;
