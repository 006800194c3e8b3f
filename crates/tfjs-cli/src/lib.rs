//! The tfjs command: inspect, predict with, and dump TensorFlow.js and Keras models.
