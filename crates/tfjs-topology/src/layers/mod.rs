//! The describing half of every layer: one folder a family, one file a behaviour, rank variants together.

pub mod activation;
pub mod attention;
pub mod axes;
pub mod conv;
pub mod core;
pub mod image;
pub mod language;
pub mod masks;
pub mod merge;
pub mod norm;
pub mod pool;
pub(crate) mod random;
pub mod resample;
pub mod rnn;
pub mod shape;
pub mod signal;
pub mod spatial;
pub mod text;
pub mod wrap;
