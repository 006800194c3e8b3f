//! CPU kernels on slices for neural network layers.
