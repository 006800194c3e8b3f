//! Bodies of requests with the time of their last piece, so that a long upload is told from a silent server.

use super::client::RequestBody;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// When the last piece of a body went out; before that, when it was made.
pub(super) struct Sent(Arc<Mutex<Instant>>);

impl Sent {
    pub(super) fn elapsed(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The request with its body watched.
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
        // The connection asks for the next piece when it has sent those before.
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
