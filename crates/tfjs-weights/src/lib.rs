//! Bytes to values and back for TensorFlow.js weights: zero-copy views, dequantization, strings, encoding.
