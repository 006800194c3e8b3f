//! Layers of sound.

pub mod mel;
pub mod stft;
