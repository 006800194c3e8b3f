//! Failures of rules, and the one place where candle's errors become ours.

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

/// What drivers say when a device has no memory left: CUDA, cuBLAS, Metal.
const OUT_OF_MEMORY: [&str; 5] =
    ["out of memory", "out_of_memory", "outofmemory", "alloc_failed", "failed to create metal resource"];

/// An error of candle in our vocabulary: a device without memory is a limit, everything else a bug of ours, because
/// inference has accepted the shapes.
fn of_candle(error: &CandleError) -> Error {
    let text = without_backtrace(error).to_string();
    let lower = text.to_lowercase();
    if OUT_OF_MEMORY.iter().any(|words| lower.contains(words)) {
        return Error::limit(format!("the device is out of memory; predict fewer examples at once: {text}"));
    }
    Error::bug(format!("the tensor library refused an operation: {text}"))
}

/// The error itself: a message is one line, whatever the environment wants to see of the stack.
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
            let error = Error::from(Failure::from(CandleError::Cuda(text.into())));
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
        let error = Error::from(Failure::from(error));
        assert_eq!(error.kind(), Kind::Bug);
        assert_eq!(error.message(), "the tensor library refused an operation: unexpected striding");
    }
}
