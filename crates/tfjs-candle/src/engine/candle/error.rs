//! Failures of rules.

use crate::engine::error::of_candle;
use candle_core::Error as CandleError;
use tfjs_manifest::Error;

/// Why a rule has failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// candle rejects an operation.
    Candle(CandleError),
    /// Anything else.
    Error(Error),
}

/// What rules return: `?` takes candle's errors and ours. The executor adds the layer.
pub(super) type Result<T> = std::result::Result<T, Failure>;

impl From<CandleError> for Failure {
    fn from(error: CandleError) -> Self {
        Failure::Candle(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Candle(error) => of_candle(&error),
            Failure::Error(error) => error,
        }
    }
}
