//! Decodes objects that are stored compressed, with a `Content-Encoding`, as some upload tools do for text. The reader
//! checks limits.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use tfjs_manifest::{Error, Result};

/// The decoded bytes of an object.
#[cfg(not(feature = "http"))]
pub(super) async fn decoded(
    encoding: &str,
    _: BoxStream<'static, Result<Bytes>>,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let text = format!("the object is stored with encoding `{encoding}`, which needs the feature `http`");
    Err(Error::unsupported(text))
}

/// The decoded bytes of an object.
#[cfg(feature = "http")]
pub(super) async fn decoded(
    encoding: &str,
    body: BoxStream<'static, Result<Bytes>>,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    use futures_util::{StreamExt, TryStreamExt};
    use http::{HeaderValue, Request, Response, header::CONTENT_ENCODING};
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::Frame;
    use tower::Service;
    use tower_http::decompression::Decompression;

    let unknown = || Error::unsupported(format!("the object is stored with encoding `{}`", encoding.escape_debug()));
    let mut stored = Response::new(StreamBody::new(body.map_ok(Frame::data)));
    stored.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).map_err(|_| unknown())?);
    let Ok(response) = Decompression::new(Stored(Some(stored))).call(Request::new(())).await;
    // The decoder removes this header, so it is an encoding that cannot be decoded.
    if response.headers().contains_key(CONTENT_ENCODING) {
        return Err(unknown());
    }
    let bytes = response.into_body().into_data_stream();
    let error = |e: Box<dyn std::error::Error + Send + Sync>| match e.downcast::<Error>() {
        Ok(ours) => *ours,
        Err(e) => {
            Error::malformed("the object cannot be decoded with the encoding that its store reports").with_source(e)
        }
    };
    Ok(bytes.map_err(error).boxed())
}

/// A service that returns one response, because the decoder wraps services.
#[cfg(feature = "http")]
struct Stored<T>(Option<T>);

#[cfg(feature = "http")]
impl<T> tower::Service<http::Request<()>> for Stored<T> {
    type Response = T;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<std::result::Result<T, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<std::result::Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<()>) -> Self::Future {
        std::future::ready(Ok(self.0.take().expect("it is called once, above")))
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;
    use futures_util::{StreamExt, TryStreamExt, stream};
    use tfjs_manifest::Kind;

    async fn decode(encoding: &str, parts: Vec<Result<Bytes>>) -> Result<Vec<u8>> {
        let bytes: Vec<Bytes> = decoded(encoding, stream::iter(parts).boxed()).await?.try_collect().await?;
        Ok(bytes.concat())
    }

    /// `hello` in gzip format, without compression.
    const GZIP: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, 5, 0, 0xfa, 0xff, b'h', b'e', b'l', b'l', b'o', 0x86, 0xa6, 0x10,
        0x36, 5, 0, 0, 0,
    ];

    #[tokio::test]
    async fn gzip_is_decoded_and_what_is_not_gzip_is_malformed() {
        let halves = vec![Ok(Bytes::from_static(&GZIP[..9])), Ok(Bytes::from_static(&GZIP[9..]))];
        assert_eq!(decode("gzip", halves).await.unwrap(), b"hello");
        let error = decode("gzip", vec![Ok(Bytes::from_static(b"hello"))]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        let error = decode("compress", vec![]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("`compress`"));
    }

    #[tokio::test]
    async fn an_error_on_the_way_stays_what_it_is() {
        let parts = vec![Ok(Bytes::from_static(&GZIP[..12])), Err(Error::fetch("the line is cut"))];
        let error = decode("gzip", parts).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Fetch, "the line is cut"));
    }
}
