//! Bodies without their encoding: gzip, brotli, zstd. Their reader checks the limits.

use http::{Request, Response};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tower::Service;
use tower_http::decompression::{Decompression, DecompressionBody};

/// A body after decompression.
pub(super) type Decoded = DecompressionBody<Incoming>;

/// The answer with a body that is decoded as it is read, without the header of its encoding and without
/// the length that the encoded body has. An encoding that is not known stays as it is.
pub(super) async fn decoded(response: Response<Incoming>) -> Response<Decoded> {
    match Decompression::new(Answer(Some(response))).call(Request::new(())).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The answer to any request.
struct Answer(Option<Response<Incoming>>);

impl Service<Request<()>> for Answer {
    type Response = Response<Incoming>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().expect("called once, right above")))
    }
}
