//! Layers that take or give text.

pub mod lookup;
