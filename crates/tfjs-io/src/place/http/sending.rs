//! Records when the last piece of a request's body was sent, to distinguish a long upload from a silent server.

use super::client::RequestBody;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// When the last piece of a body was sent; before the first one, when the body was created.
pub(super) struct Sent(Arc<Mutex<Instant>>);

impl Sent {
    pub(super) fn elapsed(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Wraps the body of a request, to record the times.
pub(super) fn watched(request: Request<RequestBody>) -> (Request<RequestBody>, Sent) {
    let last = Arc::new(Mutex::new(Instant::now()));
    let request = request.map(|body| Watched { body, last: last.clone() }.boxed_unsync());
    (request, Sent(last))
}

struct Watched {
    body: RequestBody,
    last: Arc<Mutex<Instant>>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = <RequestBody as Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // The connection polls for the next piece when it has sent the previous ones.
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
