//! The engines: what runs a graph.
//!
//! The portable engine runs every layer in differentiable candle operations on any device; it is the base of
//! training and the reference. The native engine runs a plan of fused CPU kernels and hands what it cannot
//! to the portable one.

pub(crate) mod call;
// Nothing calls it before models run on programs.
#[allow(dead_code)]
pub(crate) mod candle;
pub(crate) mod native;
pub mod portable;

/// Which engine runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Fused kernels for inference on the CPU; the default there.
    #[default]
    Native,
    /// candle operations, on any device.
    Portable,
}

impl Engine {
    /// Reads `native` or `portable`.
    pub fn from_name(name: &str) -> Option<Engine> {
        match name {
            "native" => Some(Engine::Native),
            "portable" => Some(Engine::Portable),
            _ => None,
        }
    }

    /// `native` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Portable => "portable",
        }
    }
}
