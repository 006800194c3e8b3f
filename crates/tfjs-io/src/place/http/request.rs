//! Builds requests: URL, the caller's headers, byte range. Sends nothing.

use super::redirect::same_origin;
use crate::base::files::{ByteRange, OpenOptions, Purpose, Validator};
use crate::base::network::{Signature, Signer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tfjs_manifest::{Error, Result};

/// The default user agent.
pub(super) const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("tfjs-rs/", env!("CARGO_PKG_VERSION")));

/// A request for a file, without a body.
pub(super) fn get<B>(uri: &Uri, headers: &HeaderMap, options: &OpenOptions, body: B) -> Result<Request<B>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri.clone();
    let all = request.headers_mut();
    all.extend(headers.clone());
    all.entry(header::USER_AGENT).or_insert(USER_AGENT);
    all.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    // Weights hardly compress, and an encoded body has no known length; a range of an encoded body cannot be
    // decoded.
    let plain = options.purpose == Purpose::Weights || options.range.is_some();
    let encodings = if plain { "identity" } else { "gzip, br, zstd" };
    all.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings));
    if let Some(range) = options.range {
        all.insert(header::RANGE, range_header(range)?);
        if let Some(validator) = &options.if_range {
            all.insert(header::IF_RANGE, validator_header(validator)?);
        }
    }
    if let Some(validator) = &options.if_none_match {
        let name = if is_tag(validator) { header::IF_NONE_MATCH } else { header::IF_MODIFIED_SINCE };
        all.insert(name, validator_header(validator)?);
    }
    Ok(request)
}

/// Whether a validator is an entity tag; otherwise it is a date.
fn is_tag(validator: &Validator) -> bool {
    validator.as_str().ends_with('"')
}

fn validator_header(validator: &Validator) -> Result<HeaderValue> {
    HeaderValue::from_str(validator.as_str())
        .map_err(|e| Error::misuse("the validator is not a valid header value").with_source(e))
}

fn range_header(range: ByteRange) -> Result<HeaderValue> {
    let text = match range.end {
        // The header has the last byte, not the one after it.
        Some(end) if end > range.start => format!("bytes={}-{}", range.start, end - 1),
        Some(_) => return Err(Error::misuse("an empty range cannot be requested")),
        None => format!("bytes={}-", range.start),
    };
    HeaderValue::from_str(&text).map_err(|e| Error::bug("the range is not a valid header value").with_source(e))
}

/// Parses the caller's headers. Headers that this module sets are errors.
pub(super) fn user_headers(headers: &[(String, String)]) -> Result<HeaderMap> {
    const OURS: [HeaderName; 9] = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::RANGE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let mut out = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            // It may be a secret in front of a colon.
            .map_err(|e| {
                Error::misuse("a header's name is not valid; expected letters, digits and `-`").with_source(e)
            })?;
        if OURS.contains(&name) {
            return Err(Error::misuse(format!("header `{name}` is set by the transfer itself")));
        }
        // The value is not shown, because it may be a secret.
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|e| Error::misuse(format!("the value of header `{name}` is not valid")).with_source(e))?;
        value.set_sensitive(true);
        out.append(name, value);
    }
    Ok(out)
}

/// Signs a request: adds the signature's headers, and returns the URL to request.
pub(super) async fn sign(signer: &Signer, uri: Uri, headers: &mut HeaderMap) -> Result<Uri> {
    let Signature { headers: signed, url } = signer(&uri.to_string()).await?;
    let target = match url {
        None => uri,
        Some(url) => {
            let (target, user_info) = parse(&url)?;
            // The caller's headers are not sent to another server.
            if !same_origin(&uri, &target) {
                headers.clear();
            }
            if let Some(basic) = user_info {
                headers.insert(header::AUTHORIZATION, basic);
            }
            target
        }
    };
    // Signed headers replace all headers of the same name.
    let signed = user_headers(&signed)?;
    for name in signed.keys() {
        headers.remove(name);
    }
    headers.extend(signed);
    Ok(target)
}

/// Splits a URL into the URL without its user, and an authorization header for the user.
pub(super) fn parse(url: &str) -> Result<(Uri, Option<HeaderValue>)> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let uri: Uri = encoded(&format!("{scheme}://{host}{path}")).parse().map_err(|e| {
        Error::misuse("this is not a valid URL; a host name that is not ASCII must be written in punycode")
            .with_source(e)
    })?;
    let Some(user) = user else {
        return Ok((uri, None));
    };
    let user: Vec<u8> = percent_decode_str(user).collect();
    let mut basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(&user)))
        .map_err(|e| Error::bug("Base64 is not a valid header value").with_source(e))?;
    basic.set_sensitive(true);
    Ok((uri, Some(basic)))
}

/// Percent-encodes the characters that a URL cannot contain, as browsers do.
pub(super) fn encoded(url: &str) -> String {
    const NOT_IN_URL: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|').add(b'\\').add(b'^');
    utf8_percent_encode(url, NOT_IN_URL).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn a_user_in_the_url_becomes_a_header() {
        let (uri, basic) = parse("http://me:p%40ss@h:1/a b?q=@").unwrap();
        assert_eq!(uri.to_string(), "http://h:1/a%20b?q=@");
        assert_eq!(basic.unwrap().to_str().unwrap(), "Basic bWU6cEBzcw==");
        assert_eq!(parse("http:///x").unwrap_err().kind(), Kind::Misuse);
    }

    #[test]
    fn headers_of_the_transfer_cannot_be_set() {
        let header = |name: &str, value: &str| user_headers(&[(name.to_owned(), value.to_owned())]);
        assert!(header("Authorization", "Bearer x").is_ok());
        for (name, value) in [("Range", "bytes=0-1"), ("accept-encoding", "gzip"), ("a b", "x"), ("x", "a\r\nb: c")] {
            assert_eq!(header(name, value).unwrap_err().kind(), Kind::Misuse, "{name}");
        }
    }

    #[track_caller]
    fn check_conditional(validator: Validator, name: &str) {
        let options = OpenOptions::new(Purpose::Json).with_if_none_match(validator.clone());
        let uri = "http://h/".parse().unwrap();
        let request = get(&uri, &HeaderMap::new(), &options, ()).unwrap();
        assert_eq!(request.headers()[name], validator.as_str());
    }

    #[test]
    fn tags_and_dates_have_headers_of_their_own() {
        check_conditional(Validator::strong("\"a\""), "if-none-match");
        check_conditional(Validator::weak("W/\"a\""), "if-none-match");
        check_conditional(Validator::weak("Thu, 01 Jan 1970 00:00:00 GMT"), "if-modified-since");
    }
}
