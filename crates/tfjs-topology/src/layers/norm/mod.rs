//! Normalizations.

pub mod batch;
pub mod layer;
