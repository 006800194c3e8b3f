//! Runs blocking work on tokio's blocking threads. Without a tokio runtime that is an error, not a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tfjs_manifest::{Error, Result};
use tokio::runtime::Handle;

/// Runs `work` on a thread that may block.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let handle = runtime("files are read")?;
    match handle.spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_panic() => Err(Error::bug("a thread that reads files panicked").with_source(e)),
        Err(e) => Err(Error::misuse("the tokio runtime was shut down during a load").with_source(e)),
    }
}

/// The current tokio runtime. `what` begins the error message if there is none.
pub(crate) fn runtime(what: &str) -> Result<Handle> {
    Handle::try_current().map_err(|e| {
        Error::misuse(format!(
            "{what} on a tokio runtime, and there is none here; call this from one, or use the blocking functions"
        ))
        .with_source(e)
    })
}

/// A flag that is set when the load is dropped. Reading threads check it between chunks.
#[derive(Default)]
pub(crate) struct CancelOnDrop(pub(crate) Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn without_a_runtime_it_is_misuse_and_no_panic() {
        let mut future = Box::pin(run(|| Ok(())));
        let waker = futures_util::task::noop_waker();
        let mut cx = std::task::Context::from_waker(&waker);
        let std::task::Poll::Ready(result) = future.as_mut().poll(&mut cx) else {
            panic!("expected an answer at once");
        };
        assert_eq!(result.unwrap_err().kind(), Kind::Misuse);
    }
}
