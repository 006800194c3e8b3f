//! Dense, embeddings, activations, masks, and layers that only affect training.

pub mod activation;
pub mod activity;
pub mod alpha_dropout;
pub mod dense;
pub mod dropout;
pub mod einsum_dense;
pub mod embedding;
pub mod highway;
pub mod identity;
pub mod masking;
pub mod maxout;
pub mod noise;
