//! Decodes bodies: gzip, brotli, zstd. The reader of the body checks limits.

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tower::Service;
use tower_http::decompression::{Decompression, DecompressionBody};

/// A body after decompression.
pub(super) type Decoded = DecompressionBody<Counted>;

/// The number of bytes of a body received so far, before decoding.
pub(super) type Packed = Arc<AtomicU64>;

/// Makes the body of a response decode as it is read, and removes the headers for its encoding and encoded length. A
/// response with an unknown encoding is unchanged.
pub(super) async fn decoded(response: Response<Incoming>) -> (Response<Decoded>, Packed) {
    let packed = Packed::default();
    let response = response.map(|body| Counted { body, packed: packed.clone() });
    match Decompression::new(Answer(Some(response))).call(Request::new(())).await {
        Ok(response) => (response, packed),
        Err(never) => match never {},
    }
}

/// A body that counts its bytes as they arrive.
pub(super) struct Counted {
    body: Incoming,
    packed: Packed,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let len = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.packed.fetch_add(len, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A service that returns this response, because the decoder wraps services.
struct Answer(Option<Response<Counted>>);

impl Service<Request<()>> for Answer {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().expect("called once, right above")))
    }
}
