//! The URL or path of a model, split by TensorFlow.js's rules. Does not open anything.
//!
//! The rules are those of `parseUrl` in TensorFlow.js's `io/http.ts`: shards live beside the model and
//! inherit its query string.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::{Path, PathBuf};
use tfjs_manifest::{Error, Result};

/// The name of a model's JSON inside its folder.
pub const MODEL_JSON: &str = "model.json";

/// Where a model is: a path on disk or a URL with a scheme.
///
/// `Display` is for messages and logs: it leaves out user names, passwords and the values of the query, where signed
/// URLs carry their secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelUrl(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Path(PathBuf),
    Url { scheme: String, text: String },
}

impl ModelUrl {
    /// Parses a path, a `file://` URL, or any other URL.
    ///
    /// A scheme is two characters or more before `://` (or `data:`), so `C:\m\model.json` and `a:b/model.json` are
    /// paths. As with tfjs-node, a relative path may follow `file://`; `file:///a%20b` and `file://localhost/a` are
    /// accepted as well. A fragment of a URL and spaces around it are dropped; a path is used as it is written.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for an empty text, for a web address without a host, for control
    /// characters in a URL, for a web address with an unescaped `/`, `?` or `#` in its password (which is never shown),
    /// for a `file://` URL without a valid path, and for a text that is nearly a URL, such as `http:/h/m`. A path that
    /// looks like one can be written with `./` in front.
    pub fn parse(text: &str) -> Result<ModelUrl> {
        let path = text;
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::misuse("expected a path or URL of a model, found nothing"));
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            check_path(text)?;
            return Ok(ModelUrl(Repr::Path(PathBuf::from(path))));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" {
            return file_url(text, rest).map(|path| ModelUrl(Repr::Path(path)));
        }
        // For other schemes, such as one in memory, an empty rest can be valid.
        let web = matches!(scheme.as_str(), "http" | "https");
        if web && rest.split(['/', '?', '#']).next().is_none_or(str::is_empty) {
            return Err(Error::misuse(format!("expected a host after `{scheme}://`, found nothing")));
        }
        if web {
            check_authority(rest)?;
        }
        // Such a URL is not valid, and could break a log line in two.
        if text.chars().any(char::is_control) {
            return Err(Error::misuse("a URL has no control characters").in_file(without_secrets(text)));
        }
        let text = match scheme.as_str() {
            "data" => text.split('#').next().unwrap_or(text).trim_end().to_owned(),
            _ => {
                let whole = text.split('#').next().unwrap_or(text).trim_end();
                format!("{scheme}://{}", &whole[scheme.len() + 3..])
            }
        };
        Ok(ModelUrl(Repr::Url { scheme, text }))
    }

    /// A path on disk, even if it looks like a URL.
    pub fn from_path(path: impl Into<PathBuf>) -> ModelUrl {
        ModelUrl(Repr::Path(path.into()))
    }

    /// The scheme in lower case; `file` for paths.
    pub fn scheme(&self) -> &str {
        match &self.0 {
            Repr::Path(_) => "file",
            Repr::Url { scheme, .. } => scheme,
        }
    }

    /// The path on disk, if it is one.
    pub fn as_path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Path(path) => Some(path),
            Repr::Url { .. } => None,
        }
    }

    /// The whole URL, secrets included; `None` for a path.
    pub fn as_url(&self) -> Option<&str> {
        match &self.0 {
            Repr::Path(_) => None,
            Repr::Url { text, .. } => Some(text),
        }
    }

    /// Splits the URL in three: the folder with its trailing `/`, the file's name (`model.json` if the URL ends in
    /// `/`), and the query with its `?`, which may be empty. A `/` after the `?` belongs to the query.
    /// `None` for a path and for a `data:` URL.
    pub fn split(&self) -> Option<(String, String, String)> {
        let text = self.as_url().filter(|_| self.scheme() != "data")?;
        let (path, query) = match text.find('?') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let authority = path.find("://").map_or(0, |at| at + 3);
        let (folder, name) = match path.get(authority..)?.rfind('/') {
            Some(at) => path.split_at(authority + at + 1),
            // `http://host` means `http://host/`.
            None if authority > 0 => {
                let slash = if path.len() > authority { "/" } else { "" };
                return Some((format!("{path}{slash}"), MODEL_JSON.to_owned(), query.to_owned()));
            }
            None => ("", path),
        };
        let name = if name.is_empty() { MODEL_JSON } else { name };
        Some((folder.to_owned(), name.to_owned(), query.to_owned()))
    }
}

impl fmt::Display for ModelUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Path(path) => path.display().fmt(f),
            Repr::Url { text, .. } => f.write_str(&without_secrets(text)),
        }
    }
}

impl fmt::Debug for ModelUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelUrl({self})")
    }
}

impl From<PathBuf> for ModelUrl {
    fn from(path: PathBuf) -> Self {
        ModelUrl::from_path(path)
    }
}

impl std::str::FromStr for ModelUrl {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        ModelUrl::parse(text)
    }
}

/// The URL for a message: without user, password, fragment, and the values of parameters.
pub(crate) fn without_secrets(url: &str) -> String {
    if url.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("data:")) {
        let head = url.split(',').next().unwrap_or(url);
        return format!("{},…", head.chars().take(60).collect::<String>());
    }
    let (whole, fragment) = url.split_once('#').map_or((url, false), |(whole, _)| (whole, true));
    let (path, query) = match whole.find('?') {
        Some(at) => (&whole[..at], Some(&whole[at + 1..])),
        None => (whole, None),
    };
    let mut out = String::with_capacity(url.len());
    match path.find("://").map(|at| path.split_at(at + 3)) {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, tail) = rest.split_at(end);
            let host = authority.rsplit('@').next().unwrap_or(authority);
            out.push_str(scheme);
            match port(host) {
                // Not a port number, so it is part of a password with an unescaped slash.
                Some(port) if !is_port(port) => {
                    out.push('…');
                    return out;
                }
                _ => out.push_str(host),
            }
            for (i, segment) in tail.split('/').enumerate() {
                let (name, parameters) = segment.split_once(';').map_or((segment, ""), |(name, _)| (name, ";…"));
                out.extend([if i > 0 { "/" } else { "" }, name, parameters]);
            }
        }
        None => out.push_str(path),
    }
    for (i, pair) in query.into_iter().flat_map(|q| q.split('&')).enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, value)) if key.len() <= LONGEST_KEY && !value.trim_matches('=').is_empty() => {
                out.extend([key, "=…"]);
            }
            // Without `=`, or with nothing but Base64 padding after the key, the text may be a value.
            _ => out.push('…'),
        }
    }
    if fragment {
        out.push_str("#…");
    }
    out
}

/// Longest key of a query, in bytes, that is shown: a longer one may be a token.
const LONGEST_KEY: usize = 16;

/// The text after the last colon of a host, outside the brackets of an IPv6 address.
fn port(host: &str) -> Option<&str> {
    let behind = host.rfind(']').map_or(host, |at| &host[at + 1..]);
    behind.rsplit_once(':').map(|(_, port)| port)
}

/// Whether this is a port, or nothing, which means the usual one.
fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && (text.is_empty() || text.parse::<u16>().is_ok())
}

/// Whether a host, with or without a port, has none above 65535. For such a port, `http::Uri` has the usual one.
#[cfg(feature = "http")]
pub(crate) fn has_valid_port(authority: &str) -> bool {
    port(authority.rsplit('@').next().unwrap_or(authority)).is_none_or(is_port)
}

/// Rejects a text that may be a user and a password with an unescaped `/`, `?` or `#`: its first part would be taken
/// for a host, resolved and shown.
pub(crate) fn check_authority(rest: &str) -> Result<()> {
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let Some(port) = port(host) else { return Ok(()) };
    if is_port(port) && (authority.contains('@') || !behind.contains('@')) {
        return Ok(());
    }
    Err(Error::misuse(
        "expected a port, at most 65535, after the colon of the host, and no `@` behind it; in a password, write `/` as `%2F`, `?` as \
         `%3F` and `#` as `%23`, and in a path `@` as `%40`",
    ))
}

/// Schemes of URLs that may have secrets in them.
const SCHEMES: &[&str] = &["http", "https", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss"];

/// Rejects a text that is taken for a path and is nearly a URL: messages show paths whole, and a copy would create a
/// folder with a password in its name.
fn check_path(text: &str) -> Result<()> {
    if text.starts_with(['.', '/', '~']) {
        return Ok(());
    }
    let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let scheme = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (scheme, rest) = text.split_at(scheme);
    let known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let scheme = text.contains("://") || known && (rest.starts_with([':', ';']) || rest.starts_with("//"));
    let first = text.split(['/', '\\']).next().unwrap_or(text);
    let password = first.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
    let query = text.split_once('?').is_some_and(|(_, query)| query.contains('='));
    match scheme || password || query {
        true => Err(Error::misuse(
            "this looks like a URL with a mistake in its beginning; write it as `https://host/model.json`, or a path of \
             this name with `./` in front",
        )),
        false => Ok(()),
    }
}

/// Splits a URL into its scheme and the text after `://` (or `data:`).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut chars = scheme.chars();
    let named = scheme.len() >= 2
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'));
    if !named {
        return None;
    }
    match rest.strip_prefix("//") {
        Some(rest) => Some((scheme, rest)),
        None if scheme.eq_ignore_ascii_case("data") => Some((scheme, rest)),
        None => None,
    }
}

/// The path in the text after `file://`.
fn file_url(whole: &str, rest: &str) -> Result<PathBuf> {
    let rest = match rest.get(..10) {
        Some(host) if host.eq_ignore_ascii_case("localhost/") => &rest[9..],
        _ => rest,
    };
    let decoded = percent_decode_str(rest)
        .decode_utf8()
        .map_err(|e| Error::misuse("a `file://` URL must be UTF-8").in_file(whole).with_source(e))?;
    if decoded.is_empty() || decoded.contains('\0') {
        return Err(Error::misuse("expected a path after `file://`").in_file(whole));
    }
    // `file:///C:/m` is `C:/m`.
    let bytes = decoded.as_bytes();
    let drive = cfg!(windows) && bytes.len() >= 3 && bytes[0] == b'/' && bytes[2] == b':';
    Ok(PathBuf::from(if drive { &decoded[1..] } else { &decoded[..] }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check_path(text: &str, path: &str) {
        let url = ModelUrl::parse(text).unwrap();
        assert_eq!(url.as_path(), Some(Path::new(path)), "{text}");
        assert_eq!(url.scheme(), "file");
    }

    #[track_caller]
    fn check_split(text: &str, scheme: &str, parts: [&str; 3]) {
        let url = ModelUrl::parse(text).unwrap();
        assert_eq!(url.scheme(), scheme);
        let (folder, name, query) = url.split().unwrap();
        assert_eq!([&folder[..], &name, &query], parts, "{text}");
    }

    #[test]
    fn paths_and_drive_letters_are_paths() {
        check_path("models/digits", "models/digits");
        check_path("/m/model.json", "/m/model.json");
        check_path("C:\\m\\model.json", "C:\\m\\model.json");
        check_path("C:/m/model.json", "C:/m/model.json");
        check_path("a:b/model.json", "a:b/model.json");
        check_path("ab:c/model.json", "ab:c/model.json");
        check_path(" m?x#y ", " m?x#y ");
        check_path("digits ", "digits ");
        check_path("./http:/u:pw@h/m?a=b", "./http:/u:pw@h/m?a=b");
        check_path("user@host", "user@host");
    }

    #[test]
    fn file_urls_are_paths_relative_ones_too() {
        check_path("file:///m/a%20b/model.json", "/m/a b/model.json");
        check_path("FILE://localhost/m", "/m");
        check_path("file://my/model.json", "my/model.json");
        check_path("file://./model.json", "./model.json");
    }

    #[test]
    fn the_query_is_kept_and_its_slashes_belong_to_it() {
        check_split("https://h/m/model.json", "https", ["https://h/m/", "model.json", ""]);
        check_split("HTTP://h/m/?t=1", "http", ["http://h/m/", "model.json", "?t=1"]);
        check_split("http://h?t=1", "http", ["http://h/", "model.json", "?t=1"]);
        check_split("http://h/a/m.json?u=http://q/z#top", "http", ["http://h/a/", "m.json", "?u=http://q/z"]);
        check_split("s3://bucket/m/model.json", "s3", ["s3://bucket/m/", "model.json", ""]);
        check_split("mem://name", "mem", ["mem://name/", "model.json", ""]);
    }

    #[test]
    fn an_empty_name_and_control_characters_are_misuse() {
        for text in [
            "",
            "  ",
            "file://",
            "file://%00",
            "https://",
            "http://?t=1",
            "http:///a",
            "http://h/a\nb",
            "s3://b/\u{1b}[0m",
        ] {
            assert_eq!(ModelUrl::parse(text).unwrap_err().kind(), Kind::Misuse, "{text:?}");
        }
    }

    #[test]
    fn messages_do_not_show_secrets() {
        let url = ModelUrl::parse("https://me:pw@h/m/model.json?X-Sig=abc&v=2&token").unwrap();
        assert_eq!(url.to_string(), "https://h/m/model.json?X-Sig=…&v=…&…");
        assert!(!format!("{url:?}").contains("abc"));
        assert!(url.as_url().unwrap().contains("me:pw"));
        for (text, shown) in [
            ("https://h/m?c2VjcmV0dG9rZW4=", "https://h/m?…"),
            ("https://h/m?c2VjcmV0dG9rZW4==&a=b", "https://h/m?…&a=…"),
            ("https://h/m?eyJhbGciOiJIUzI1NiJ9=1", "https://h/m?…"),
            ("https://me:p@w@h:80/m", "https://h:80/m"),
            ("https://me:s3cr/etpw@h/m", "https://…"),
            ("https://[::1]:80/m", "https://[::1]:80/m"),
            ("https://h/m/model.json#token=abc", "https://h/m/model.json#…"),
            ("https://h/a;token=abc/m.json;b?c=d", "https://h/a;…/m.json;…?c=…"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }

    #[test]
    fn what_is_nearly_a_url_is_neither_a_path_nor_shown() {
        for text in [
            "http:/u:pw@h/m",
            "https:u:pw@h",
            "http//u:pw@h/m",
            "htt p://u:pw@h/m",
            "HTTP;//u:pw@h/m",
            "\"http://u:pw@h/m\"",
            "\u{feff}http://u:pw@h/m",
            "https:\\\\u:pw@h\\m",
            "u:pw@host/m",
            "h.example/m.json?X-Amz-Signature=pw",
        ] {
            let error = ModelUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse);
            assert!(!format!("{error} {error:?}").contains("pw"), "{error}");
        }
    }

    #[test]
    fn a_password_that_ends_in_the_wrong_place_is_neither_asked_for_nor_shown() {
        for password in ["s3cr/etpw", "s3cr?etpw", "s3cr#etpw", "12/34", "12?34", "123456"] {
            let error = ModelUrl::parse(&format!("http://user:{password}@h/m")).err();
            match password {
                "123456" => assert!(error.is_none(), "this one is whole"),
                _ => {
                    let error = error.expect("its first half is no port");
                    assert_eq!(error.kind(), Kind::Misuse);
                    assert!(!format!("{error} {error:?}").contains("user"), "{error}");
                }
            }
        }
        for text in ["https://h/npm/p@1.2.3/m.json", "https://u@h:80/p@1/m", "http://[::1]/p@1", "http://h:8080/m?a=b"]
        {
            ModelUrl::parse(text).unwrap();
        }
    }

    #[test]
    fn ports_end_at_65535() {
        ModelUrl::parse("http://h:65535/m").unwrap();
        for text in ["http://h:65536/m", "https://me:pw@h:99999/m", "http://[::1]:70000"] {
            let error = ModelUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse, "{text}");
            assert!(error.message().contains("at most 65535"), "{error}");
        }
    }
}
