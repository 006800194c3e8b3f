//! Layers with text inputs or outputs, and layers that encode categories as numbers.

pub mod category;
pub mod crossing;
pub mod discretization;
pub mod hashing;
pub mod lookup;
pub mod rows;
pub mod vectorization;
pub mod vocabulary;
