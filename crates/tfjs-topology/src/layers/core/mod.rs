//! Dense, activations, and layers that only training knows.

pub mod activation;
pub mod dense;
pub mod identity;
