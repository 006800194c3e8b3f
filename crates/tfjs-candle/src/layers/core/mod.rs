//! Dense, embeddings, activations, masks, and layers that only training knows.

pub mod activation;
pub mod dense;
pub mod embedding;
pub mod identity;
pub mod masking;
