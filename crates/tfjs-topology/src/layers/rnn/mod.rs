//! Recurrent layers: the cells, and the loop over time around them.

pub(crate) mod arguments;
pub mod cell;
pub mod recurrent;
mod states;
mod stepped;
