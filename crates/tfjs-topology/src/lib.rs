//! Keras topologies: parses typed layers, lowers them to programs and a table of calls, and binds weight slots by name.
//! There are no tensors in this crate.

pub mod activation;
pub mod bind;
pub mod call;
pub mod config;
pub mod def;
pub mod einsum;
pub mod encode;
pub mod graph;
pub mod layer;
pub mod layers;
pub mod lower;
pub mod ops;
pub mod parse;
pub mod producer;
pub mod read;
pub mod registry;
pub(crate) mod suggest;
pub mod summary;
pub mod types;

#[cfg(test)]
mod extremes;
#[cfg(test)]
pub(crate) mod testing;
