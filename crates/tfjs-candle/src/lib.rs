//! A candle runtime for Keras models: layers, engines, LayersModel.
