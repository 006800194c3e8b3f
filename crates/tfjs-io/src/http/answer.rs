//! Answers: statuses, lengths, and bodies that are decoded, counted and timed. Sends nothing.

use super::client::{HttpClient, timed_out, within};
use crate::files::{Body, OpenOptions, Opened, Purpose, Validator};
use crate::options::Timeouts;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::header::{self, HeaderMap};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as HttpBody;
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Result};
use tower_http::decompression::DecompressionBody;

/// A body after decompression.
pub(super) type Decoded = DecompressionBody<hyper::body::Incoming>;

pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Checks an answer that is not a redirect.
pub(super) fn open(
    response: Response<Decoded>,
    location: String,
    options: &OpenOptions,
    client: &HttpClient,
) -> Result<Opened> {
    let status = response.status();
    let headers = response.headers();
    let partial = status == StatusCode::PARTIAL_CONTENT;
    if status == StatusCode::NOT_MODIFIED && options.if_none_match.is_some() {
        let opened = Opened::new(location, Body::Unchanged);
        return Ok(validator(headers).into_iter().fold(opened, Opened::with_validator));
    }
    // DIFFERENCE: TensorFlow.js checks the status of model.json only, and takes an error page for weights.
    if status != StatusCode::OK && !(partial && options.range.is_some()) {
        return Err(refused(status));
    }
    if let Some(encoding) = text(headers, header::CONTENT_ENCODING).filter(|e| !e.eq_ignore_ascii_case("identity")) {
        // What could be decoded has lost this header.
        return Err(Error::unsupported(format!(
            "the server sends encoding `{encoding}`; expected identity, gzip, br or zstd"
        )));
    }
    let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    if options.purpose == Purpose::Weights && content_type.to_ascii_lowercase().starts_with("text/html") {
        return Err(Error::fetch(
            "the server answered with a page of HTML, not with weights; check that the file is there and needs no login",
        ));
    }
    let len = content_length(headers)?;
    let (offset, file_len) = match (partial, options.range) {
        (true, Some(range)) => content_range(headers, range.start)?,
        _ => (0, len),
    };
    let validator = validator(headers);
    let ranges = partial || text(headers, header::ACCEPT_RANGES).is_some_and(|r| r.eq_ignore_ascii_case("bytes"));
    let body = Body::Stream(timed(response.into_body(), client.timeouts.clone(), client.deadline).boxed());
    let mut opened = Opened::new(location, body).with_part(offset, file_len).with_ranges(ranges);
    // A body that was decoded has lost the length it had.
    opened.len = len;
    opened.validator = validator;
    Ok(opened)
}

fn refused(status: StatusCode) -> Error {
    let hint = match status.as_u16() {
        401 | 403 => "; give credentials in a header",
        404 | 410 => "; check the URL, and that all files of the model were uploaded",
        408 | 429 | 502..=504 => "; the server is busy or down, try again later",
        _ => "",
    };
    Error::fetch(format!("the server answered {status}{hint}"))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    match text(headers, header::CONTENT_LENGTH) {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(len) => Ok(Some(len)),
            Err(_) => Err(Error::fetch(format!("the server sends a content length of `{text}`"))),
        },
    }
}

/// `bytes 4-7/10`, from 4 in a file of 10: a server that answers another range than was asked for would shift
/// the weights.
fn content_range(headers: &HeaderMap, asked: u64) -> Result<(u64, Option<u64>)> {
    let range = text(headers, header::CONTENT_RANGE).unwrap_or("nothing");
    let parts = range.strip_prefix("bytes ").and_then(|r| r.split_once('-')).zip(range.split_once('/'));
    let Some((_, (_, file_len))) = parts.filter(|((start, _), _)| start.trim().parse() == Ok(asked)) else {
        return Err(Error::fetch(format!("asked the server for bytes from {asked}, it answers with `{range}`")));
    };
    // `*` if the server does not know it.
    Ok((asked, file_len.trim().parse().ok()))
}

fn validator(headers: &HeaderMap) -> Option<Validator> {
    if let Some(tag) = text(headers, header::ETAG) {
        return Some(match tag.starts_with("W/") {
            true => Validator::weak(tag),
            false => Validator::strong(tag),
        });
    }
    text(headers, header::LAST_MODIFIED).map(Validator::weak)
}

/// The body with its time-outs: a stream that knows when to give up.
pub(crate) fn timed<B>(
    body: B,
    timeouts: Timeouts,
    deadline: Option<Instant>,
) -> impl stream::Stream<Item = Result<Bytes>> + Send + 'static
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let rate = Rate::new(timeouts.min_rate, timeouts.rate_window);
    let watch = Watch { idle: timeouts.idle, deadline, rate };
    stream::try_unfold((body, watch), |(mut body, mut watch)| async move {
        Ok(watch.next(&mut body).await?.map(|chunk| (chunk, (body, watch))))
    })
}

struct Watch {
    idle: Duration,
    deadline: Option<Instant>,
    rate: Rate,
}

impl Watch {
    async fn next<B>(&mut self, body: &mut B) -> Result<Option<Bytes>>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        loop {
            let (limit, what) = within(self.idle, "no byte came", self.deadline);
            if limit.is_zero() {
                return Err(timed_out(what, limit));
            }
            let asked = Instant::now();
            let frame = match tokio::time::timeout(limit, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => return Ok(None),
                Ok(Some(Err(e))) => {
                    return Err(Error::fetch("the connection broke off within a body").with_source(e));
                }
                Err(_) => return Err(timed_out(what, limit)),
            };
            // Trailers say nothing about weights.
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            self.rate.count(asked.elapsed(), chunk.len() as u64)?;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}

/// A least rate, over time spent waiting for the server: time in which nobody asked for bytes is not its
/// fault.
struct Rate {
    least: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Rate {
    fn new(least: u64, window: Duration) -> Self {
        Rate { least, window, waited: Duration::ZERO, bytes: 0 }
    }

    fn count(&mut self, waited: Duration, bytes: u64) -> Result<()> {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < self.window {
            return Ok(());
        }
        let rate = self.bytes as f64 / self.waited.as_secs_f64();
        if rate < self.least as f64 {
            return Err(Error::fetch(format!(
                "timed out: the server sends {rate:.0} bytes a second, expected {} at least; see `Timeouts::min_rate`",
                self.least
            )));
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn a_trickle_is_given_up_and_a_pause_of_ours_is_not() {
        let second = Duration::from_secs(1);
        let mut rate = Rate::new(100, 3 * second);
        for _ in 0..10 {
            rate.count(second, 100).unwrap();
        }
        rate.count(Duration::ZERO, 1).unwrap();
        let slow = (0..4).find_map(|_| rate.count(second, 10).err()).unwrap();
        assert_eq!(slow.kind(), Kind::Fetch);
    }

    #[test]
    fn another_range_than_was_asked_for_is_refused() {
        let headers = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, header::HeaderValue::from_static(text));
            headers
        };
        assert_eq!(content_range(&headers("bytes 4-7/10"), 4).unwrap(), (4, Some(10)));
        assert_eq!(content_range(&headers("bytes 4-7/*"), 4).unwrap(), (4, None));
        for wrong in ["bytes 0-7/10", "bytes */10", "4-7/10", "bytes 4-7"] {
            assert_eq!(content_range(&headers(wrong), 4).unwrap_err().kind(), Kind::Fetch, "{wrong}");
        }
    }
}
