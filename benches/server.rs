//! A plain HTTP server for the files of one folder, with ETags and ranges, for benches of the transport. It runs in
//! a separate process, so that its memory and time are not counted as the client's.

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a file read and sent at once.
const CHUNK: u64 = 512 << 10;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Serves the folder on a free port of loopback until the process is killed; prints the port and a line feed first.
///
/// # Errors
/// The socket cannot be opened.
pub(crate) fn serve(folder: &Path) -> io::Result<()> {
    let folder: Arc<Path> = folder.into();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let folder = folder.clone();
            let service = service_fn(move |request| std::future::ready(answer(&folder, &request)));
            // Errors of a connection, such as a client that disconnects, are ignored.
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

fn answer(folder: &Path, request: &Request<hyper::body::Incoming>) -> Result<Response<Body>, hyper::http::Error> {
    let file = request.uri().path().strip_prefix('/').filter(|name| !name.contains('/'));
    let file = file.and_then(|name| std::fs::File::open(folder.join(name)).ok());
    let Some((file, len)) = file.and_then(|file| Some((file.metadata().ok()?.len(), file))).map(|(l, f)| (f, l)) else {
        return Response::builder().status(StatusCode::NOT_FOUND).body(nothing());
    };
    let range = range(request.headers(), len);
    let sent = range.clone().unwrap_or(0..len);
    let mut response = Response::builder()
        .header(header::ETAG, format!("\"{len}\""))
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, sent.end - sent.start);
    if range.is_some() {
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {}-{}/{len}", sent.start, sent.end - 1));
    }
    response.body(body(file, sent))
}

/// `Range: bytes=4-7`; other forms are answered with the whole file.
fn range(headers: &HeaderMap, len: u64) -> Option<Range<u64>> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (start, end) = text.split_once('-')?;
    let end = if end.is_empty() { len } else { end.parse::<u64>().ok()?.saturating_add(1).min(len) };
    let start = start.parse().ok()?;
    (start < end).then_some(start..end)
}

fn body(file: std::fs::File, range: Range<u64>) -> Body {
    let chunks = range.clone().step_by(CHUNK as usize).map(move |at| {
        let mut bytes = vec![0; CHUNK.min(range.end - at) as usize];
        file.read_exact_at(&mut bytes, at).map(|()| Frame::data(Bytes::from(bytes)))
    });
    BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::iter(chunks)))
}

fn nothing() -> Body {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_file() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            range(&headers, 10)
        };
        assert_eq!(asked("bytes=4-7"), Some(4..8));
        assert_eq!(asked("bytes=4-"), Some(4..10));
        assert_eq!(asked("bytes=0-99"), Some(0..10));
        for other in ["bytes=10-", "bytes=-3", "lines=1-2", "bytes=x-"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }
}
