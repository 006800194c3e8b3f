//! The engines, which run programs.
//!
//! The native engine runs a plan of fused CPU kernels. The candle engine runs each primitive in candle operations, on
//! any device. Both run primitives and have no code for layers.

pub(crate) mod call;
pub(crate) mod candle;
pub(crate) mod error;
mod states;

pub use call::OpaqueFunction;
pub(crate) use call::{Call, Outcome};
pub use error::CandleResultExt;
pub(crate) use states::initial_states;

use candle_core::Device;
use tfjs_manifest::{Error, Result};

/// The engine that runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Fused kernels on the CPU; the default there.
    #[default]
    Native,
    /// candle operations, on any device.
    Candle,
}

impl Engine {
    /// Parses `native` or `candle`.
    pub fn from_name(name: &str) -> Option<Engine> {
        match name {
            "native" => Some(Engine::Native),
            // `portable` is its former name.
            "candle" | "portable" => Some(Engine::Candle),
            _ => None,
        }
    }

    /// The requested engine, or the default one for a device.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for the native engine on another device than the CPU.
    pub(crate) fn on(device: &Device, asked: Option<Engine>) -> Result<Engine> {
        match asked {
            Some(Engine::Native) if !device.is_cpu() => {
                Err(Error::misuse("the native engine runs on the CPU; use the candle engine on other devices"))
            }
            Some(asked) => Ok(asked),
            None if device.is_cpu() => Ok(Engine::Native),
            None => Ok(Engine::Candle),
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
