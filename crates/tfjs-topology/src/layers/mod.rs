//! The layers: one folder for each family, one file for each behaviour, with the variants of all ranks together.

pub mod activation;
pub mod attention;
pub mod axes;
pub mod conv;
pub mod core;
pub mod image;
pub mod language;
pub mod low_rank;
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
