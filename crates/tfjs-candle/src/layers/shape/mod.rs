//! Layers that move, repeat or drop elements.

pub mod crop;
pub mod flatten;
pub mod pad;
pub mod permute;
pub mod repeat;
pub mod reshape;
pub mod upsample;
