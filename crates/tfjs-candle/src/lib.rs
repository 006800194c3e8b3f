//! A candle runtime for Keras models: layers, engines, LayersModel.

pub mod activation;
pub mod custom;
pub mod layers;
pub mod ops;
pub mod run;
pub mod value;
