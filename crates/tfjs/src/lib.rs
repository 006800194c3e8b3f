//! tf.loadLayersModel for Rust: load TensorFlow.js and Keras model.json files, predict and train.
