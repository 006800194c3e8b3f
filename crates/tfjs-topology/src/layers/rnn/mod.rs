//! Recurrent layers: the cells, and the loop over time around them.

pub mod arguments;
pub mod cell;
pub mod recurrent;
mod states;
mod stepped;
