//! Pools: the largest or mean value of a window, or of the whole input.

pub mod global;
pub mod window;
