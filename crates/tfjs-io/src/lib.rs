//! Where the bytes of a TensorFlow.js model come from and go to: files, HTTP, memory, custom handlers.
