//! Attention layers: each position of one sequence takes a weighted mean of the positions of another.

pub(crate) mod arguments;
pub mod dense;
pub mod grouped;
pub(crate) mod mask;
pub mod multi_head;
pub(crate) mod project;
