//! Keras topologies: typed layers, lowered to programs and the table of their calls; weight slots, name binding; no
//! tensor anywhere.

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
