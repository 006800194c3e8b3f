//! Layers for sound.

pub mod mel;
pub mod stft;
