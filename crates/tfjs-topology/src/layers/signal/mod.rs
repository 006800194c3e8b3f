//! Layers of sound.

pub mod stft;
