//! Checks responses: statuses and lengths, and bodies that are decoded, counted and timed. Sends nothing.

use super::client::{HttpClient, Patience};
use super::decode::{Decoded, Packed};
use super::failure;
use crate::base::files::{Body, ByteRange, OpenOptions, Opened, Purpose, Validator};
use crate::base::inflation::Inflated;
use crate::base::network::Timeouts;
use bytes::Bytes;
use futures_util::stream;
use futures_util::{StreamExt, TryStreamExt};
use http::header::{self, HeaderMap};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as HttpBody;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tfjs_manifest::{Error, Limits, Result};

/// Whether the response to a request for a range means that the file has no such range, or that it is compressed.
pub(super) fn has_no_such_part<B>(response: &Response<B>, options: &OpenOptions) -> bool {
    match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => options.range.is_some(),
        StatusCode::PARTIAL_CONTENT => options.range.is_some() && encoding(response.headers()).is_some(),
        _ => false,
    }
}

pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Checks a response that is not a redirect. `packed` counts the bytes of an encoded body before decoding.
pub(super) fn open(
    response: Response<Decoded>,
    packed: Option<Packed>,
    location: String,
    options: &OpenOptions,
    client: &HttpClient,
) -> Result<Opened> {
    let status = response.status();
    let headers = response.headers();
    let part = options.range.filter(|_| status == StatusCode::PARTIAL_CONTENT);
    if status == StatusCode::NOT_MODIFIED && options.if_none_match.is_some() {
        let opened = Opened::new(location, Body::Unchanged);
        return Ok(validator(headers).into_iter().fold(opened, Opened::with_validator));
    }
    if has_no_such_part(&response, options) {
        return Err(Error::mismatch(
            "the server does not have this range of the file; the file became shorter, or is stored compressed",
        ));
    }
    // DIFFERENCE: TensorFlow.js checks the status of model.json only, and takes an error page for weights.
    if status != StatusCode::OK && part.is_none() {
        return Err(refused(status, headers));
    }
    if let Some(encoding) = encoding(headers) {
        // The decoder removes this header, so it is an encoding that cannot be decoded.
        return Err(Error::unsupported(format!(
            "the server sends encoding `{encoding}`; expected identity, gzip, br or zstd"
        )));
    }
    let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    if options.purpose == Purpose::Weights && content_type.to_ascii_lowercase().starts_with("text/html") {
        return Err(Error::fetch(
            "the server returned an HTML page instead of weights; check that the file exists and needs no login",
        ));
    }
    // The decoder removes the length, which is that of the encoded body.
    let len = content_length(headers)?;
    let (offset, len, file_len) = match part {
        Some(range) => content_range(headers, range, len)?,
        None => (0, len, len),
    };
    let validator = validator(headers);
    let announced = text(headers, header::ACCEPT_RANGES).is_some_and(|r| r.eq_ignore_ascii_case("bytes"));
    let ranges = packed.is_none() && (part.is_some() || announced);
    let stream = timed(response.into_body(), client.timeouts.clone(), client.deadline).boxed();
    let body = Body::Stream(match packed.filter(|_| options.purpose == Purpose::Weights) {
        Some(packed) => dense(stream, packed, client.inflation.file(), client.limits.clone()).boxed(),
        None => stream,
    });
    let mut opened = Opened::new(location, body).with_part(offset, file_len).with_ranges(ranges);
    opened.len = len;
    opened.validator = validator;
    Ok(opened)
}

/// Checks the inflation of compressed weights against its limit.
fn dense<S>(
    stream: S,
    packed: Packed,
    inflated: Inflated,
    limits: Limits,
) -> impl stream::Stream<Item = Result<Bytes>> + Send + 'static
where
    S: stream::Stream<Item = Result<Bytes>> + Send + 'static,
{
    stream::try_unfold((stream.boxed(), inflated, 0u64), move |(mut stream, mut inflated, bytes)| {
        let (packed, limits) = (packed.clone(), limits.clone());
        async move {
            let Some(chunk) = stream.try_next().await? else {
                inflated.end();
                return Ok(None);
            };
            let bytes = bytes.saturating_add(chunk.len() as u64);
            inflated.check(packed.load(Ordering::Relaxed), bytes, &limits)?;
            Ok(Some((chunk, (stream, inflated, bytes))))
        }
    })
}

/// The encoding of the body, if it has one.
pub(super) fn encoding(headers: &HeaderMap) -> Option<&str> {
    text(headers, header::CONTENT_ENCODING).filter(|e| !e.eq_ignore_ascii_case("identity"))
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Error {
    let hint = match status.as_u16() {
        401 | 403 => "; set credentials in a header",
        407 => "; add a user and a password to the proxy's URL",
        404 | 410 => "; check the URL, and that all files of the model were uploaded",
        408 | 429 | 502..=504 => "; the server is busy or down, try again later",
        _ => "",
    };
    let error = Error::fetch(format!("the server answered {status}{hint}"));
    match status.as_u16() {
        408 | 429 | 500 | 502..=504 => match retry_after(headers) {
            Some(wait) => error.transient_after(wait),
            None => error.transient(),
        },
        _ => error,
    }
}

/// The time to wait from `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, header::RETRY_AFTER)?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    // Relative to the server's clock, if it sends its date.
    let now = date(headers, header::DATE).unwrap_or_else(SystemTime::now);
    Some(then.duration_since(now).unwrap_or_default())
}

fn date(headers: &HeaderMap, name: header::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
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

/// Parses `bytes 4-7/10` to the offset 4, the length 4 and the length of the file, 10. Another range than the requested
/// one is an error, because it would shift the weights.
fn content_range(headers: &HeaderMap, asked: ByteRange, len: Option<u64>) -> Result<(u64, Option<u64>, Option<u64>)> {
    let text = text(headers, header::CONTENT_RANGE).unwrap_or("nothing");
    let wrong = || {
        let length = len.map_or(String::new(), |len| format!(" and a body of {len} bytes"));
        Error::fetch(format!("requested bytes from {}, the server returned `{text}`{length}", asked.start))
    };
    let parts = text.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
    let (range, file_len) = parts.ok_or_else(wrong)?;
    let (start, last) = range.split_once('-').ok_or_else(wrong)?;
    // `*` if the server does not know the length.
    let file_len: Option<u64> = file_len.trim().parse().ok();
    let last: u64 = last.trim().parse().map_err(|_| wrong())?;
    let found = last.checked_sub(asked.start).and_then(|n| n.checked_add(1)).ok_or_else(wrong)?;
    let good = start.trim().parse() == Ok(asked.start)
        && asked.end.is_none_or(|end| last < end)
        && file_len.is_none_or(|all| last < all)
        && len.is_none_or(|len| len == found);
    if good { Ok((asked.start, Some(found), file_len)) } else { Err(wrong()) }
}

/// The validator of the file: its entity tag, or its modification date.
fn validator(headers: &HeaderMap) -> Option<Validator> {
    if let Some(tag) = text(headers, header::ETAG) {
        return Some(match tag.starts_with("W/") {
            true => Validator::weak(tag),
            false => Validator::strong(tag),
        });
    }
    let modified = text(headers, header::LAST_MODIFIED)?;
    // RFC 9110, 8.8.2.2: a date that was at least a minute old when the response was sent is a strong validator,
    // because a later change would have changed it.
    let quiet = date(headers, header::DATE)
        .zip(date(headers, header::LAST_MODIFIED))
        .and_then(|(sent, modified)| sent.duration_since(modified).ok())
        .is_some_and(|quiet| quiet >= Duration::from_secs(60));
    Some(if quiet { Validator::strong(modified) } else { Validator::weak(modified) })
}

/// The body as a stream with time-outs.
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
            let patience = Patience::new(self.idle, "no data arrived", self.deadline);
            if patience.time.is_zero() {
                return Err(patience.over().error);
            }
            let asked = Instant::now();
            let frame = match tokio::time::timeout(patience.time, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => return Ok(None),
                Ok(Some(Err(e))) => return Err(failure::of_body(e.into())),
                Err(_) => return Err(patience.over().error),
            };
            // Trailers are ignored.
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

/// A minimum rate over the time spent waiting for the server. Time in which no bytes were requested does not count.
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
            let least = self.least;
            return Err(Error::fetch(format!(
                "timed out: the server sends {rate:.0} bytes per second, expected at least {least}; see `Timeouts::min_rate`"
            ))
            .transient());
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
        let asked = ByteRange { start: 4, end: Some(9) };
        let read = |text, len| content_range(&headers(text), asked, len);
        assert_eq!(read("bytes 4-8/10", None).unwrap(), (4, Some(5), Some(10)));
        assert_eq!(read("bytes 4-7/10", Some(4)).unwrap(), (4, Some(4), Some(10)));
        assert_eq!(read("bytes 4-7/*", None).unwrap(), (4, Some(4), None));
        for wrong in
            ["bytes 0-7/10", "bytes */10", "4-7/10", "bytes 4-7", "bytes 4-9/10", "bytes 4-8/8", "bytes 4-3/10", ""]
        {
            assert_eq!(read(wrong, None).unwrap_err().kind(), Kind::Fetch, "{wrong}");
        }
        assert_eq!(read("bytes 4-7/10", Some(5)).unwrap_err().kind(), Kind::Fetch);
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let value = header::HeaderValue::from_static;
        pairs.iter().map(|&(name, text)| (header::HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn only_a_date_that_was_old_when_it_was_sent_is_strong() {
        let at = |date| {
            let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
            validator(&headers(&[modified, ("date", date)])).unwrap()
        };
        assert!(at("Sun, 06 Nov 1994 08:50:37 GMT").is_strong());
        assert!(!at("Sun, 06 Nov 1994 08:50:36 GMT").is_strong());
        assert!(!at("Sun, 06 Nov 1994 08:49:36 GMT").is_strong());
        assert!(!at("yesterday").is_strong());
        assert!(!validator(&headers(&[("etag", "W/\"a\"")])).unwrap().is_strong());
        assert!(validator(&headers(&[("etag", "\"a\"")])).unwrap().is_strong());
    }

    #[test]
    fn a_wait_is_in_seconds_or_until_a_time() {
        let asked = |text, date| retry_after(&headers(&[("retry-after", text), ("date", date)]));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(asked("120", date), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:39 GMT", date), Some(Duration::from_secs(2)));
        assert_eq!(asked("Sunday, 06-Nov-94 08:49:40 GMT", date), Some(Duration::from_secs(3)));
        assert_eq!(asked("Sun Nov  6 08:49:00 1994", date), Some(Duration::ZERO));
        assert_eq!(asked("soon", date), None);
    }
}
