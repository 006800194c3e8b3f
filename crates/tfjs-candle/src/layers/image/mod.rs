//! Preprocessing of images inside a model.

pub mod rescaling;
