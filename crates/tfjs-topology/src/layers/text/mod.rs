//! Layers that take or give text, and those that make numbers of categories.

pub mod category;
pub mod crossing;
pub mod discretization;
pub mod hashing;
pub mod lookup;
pub mod rows;
pub mod vectorization;
pub mod vocabulary;
