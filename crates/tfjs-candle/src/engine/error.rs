//! Converts candle's errors into ours.

use candle_core::Error as CandleError;
use tfjs_manifest::{Error, Result};

/// Converts candle's errors into ours.
pub trait CandleResultExt<T> {
    /// The value, or candle's error: as [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the device is out of memory, and
    /// as [`Kind::Bug`](tfjs_manifest::Kind::Bug) otherwise, because inference has accepted the shapes.
    ///
    /// # Errors
    /// candle's error, without its backtrace.
    fn or_error(self) -> Result<T>;
}

impl<T> CandleResultExt<T> for candle_core::Result<T> {
    fn or_error(self) -> Result<T> {
        self.map_err(|error| of_candle(&error))
    }
}

/// Parts of the messages of drivers that are out of memory: CUDA, cuBLAS, Metal.
const OUT_OF_MEMORY: [&str; 5] =
    ["out of memory", "out_of_memory", "outofmemory", "alloc_failed", "failed to create metal resource"];

/// Converts an error of candle.
pub(crate) fn of_candle(error: &CandleError) -> Error {
    let text = without_backtrace(error).to_string();
    let lower = text.to_lowercase();
    if OUT_OF_MEMORY.iter().any(|words| lower.contains(words)) {
        return Error::limit(format!("the device is out of memory; predict fewer examples at once: {text}"));
    }
    Error::bug(format!("the tensor library rejected an operation: {text}"))
}

/// The error without its backtrace, because a message is one line.
fn without_backtrace(error: &CandleError) -> &CandleError {
    match error {
        CandleError::WithBacktrace { inner, .. } => without_backtrace(inner),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn a_device_without_memory_is_a_limit() {
        for text in [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)",
            "Failed to create metal resource: Buffer",
        ] {
            let error = of_candle(&CandleError::Cuda(text.into()));
            assert_eq!(error.kind(), Kind::Limit, "{text}");
            assert!(error.message().starts_with("the device is out of memory"), "{error}");
        }
    }

    #[test]
    fn everything_else_is_a_bug_without_a_backtrace() {
        let error = CandleError::WithBacktrace {
            inner: Box::new(CandleError::Msg("unexpected striding".into())),
            backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
        };
        let error = of_candle(&error);
        assert_eq!(error.kind(), Kind::Bug);
        assert_eq!(error.message(), "the tensor library rejected an operation: unexpected striding");
    }
}
