//! Recurrent layers: the cells, and the loop over time around them.

pub(crate) mod arguments;
pub mod cell;
mod cells;
pub mod conv_lstm;
mod cudnn;
pub mod recurrent;
mod states;
mod stepped;
pub mod steps;
