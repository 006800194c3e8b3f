//! The engines: what runs a program.
//!
//! The native engine runs a plan of fused CPU kernels. The candle engine runs each primitive in candle operations, on
//! any device. Both know primitives and no layer.

mod call;
pub(crate) mod candle;
mod error;

pub use call::OpaqueFunction;
pub(crate) use call::{Call, Outcome};
pub use error::CandleResultExt;

/// Which engine runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Fused kernels for inference on the CPU; the default there.
    #[default]
    Native,
    /// candle operations, on any device.
    Candle,
}

impl Engine {
    /// Reads `native` or `candle`.
    pub fn from_name(name: &str) -> Option<Engine> {
        match name {
            "native" => Some(Engine::Native),
            // What it was called before.
            "candle" | "portable" => Some(Engine::Candle),
            _ => None,
        }
    }

    /// `native` or `candle`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Candle => "candle",
        }
    }
}
