//! Errors of rules.

use crate::engine::error::of_candle;
use candle_core::Error as CandleError;
use tfjs_manifest::Error;

/// The error of a rule.
#[derive(Debug)]
pub(super) enum Failure {
    /// candle rejected an operation.
    Candle(CandleError),
    /// Anything else.
    Error(Error),
}

/// The result of a rule: `?` converts candle's errors and ours. The executor adds the layer.
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
