//! Resolves the target of a `Location` by RFC 3986, and compares origins. Does not follow redirects.

use crate::base::url::has_valid_port;
use http::Uri;
use http::uri::Scheme;
use tfjs_manifest::{Error, Result};

/// The target of a redirect from `base`.
pub(super) fn target(base: &Uri, location: &str) -> Result<Uri> {
    let location = location.split('#').next().unwrap_or_default().trim();
    let scheme = base.scheme_str().unwrap_or("http");
    let authority = base.authority().map_or("", |a| a.as_str());
    let text = if is_absolute(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{}", without_dots(location))
    } else if location.starts_with('?') || location.is_empty() {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else {
        let folder = base.path().rfind('/').map_or("/", |at| &base.path()[..=at]);
        format!("{scheme}://{authority}{}", without_dots(&format!("{folder}{location}")))
    };
    let uri: Uri = super::request::encoded(&text)
        .parse()
        .map_err(|e| Error::fetch("the server redirects to an invalid URL").with_source(e))?;
    if uri.authority().is_some_and(|authority| !has_valid_port(authority.as_str())) {
        return Err(Error::fetch("the server redirects to an invalid URL, with a port above 65535"));
    }
    let from_tls = base.scheme() == Some(&Scheme::HTTPS);
    match uri.scheme() {
        Some(s) if *s == Scheme::HTTPS => Ok(uri),
        Some(s) if *s == Scheme::HTTP && from_tls => {
            Err(Error::fetch("the server redirects from https to http, which is not followed"))
        }
        Some(s) if *s == Scheme::HTTP => Ok(uri),
        other => Err(Error::fetch(format!(
            "the server redirects to scheme `{}`, expected http or https",
            other.map_or("none", Scheme::as_str)
        ))),
    }
}

/// Whether two URLs have the same scheme, host and port, so that the caller's headers may be sent to both.
pub(super) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or(match uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    })
}

fn is_absolute(location: &str) -> bool {
    let Some((scheme, _)) = location.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Removes `.` and `..` from the path; the query is unchanged.
fn without_dots(path_and_query: &str) -> String {
    let (path, query) = match path_and_query.find('?') {
        Some(at) => path_and_query.split_at(at),
        None => (path_and_query, ""),
    };
    let mut out: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => {
                out.pop();
            }
            part => {
                out.push(part);
                continue;
            }
        }
        if last {
            out.push("");
        }
    }
    format!("/{}{query}", out.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check(base: &str, location: &str, expected: &str) {
        let uri = target(&base.parse().unwrap(), location).unwrap();
        assert_eq!(uri.to_string(), expected, "{location}");
    }

    #[test]
    fn locations_are_resolved_as_rfc_3986_says() {
        let base = "http://h:8080/a/b/c?q=1";
        check(base, "https://x/y?z#f", "https://x/y?z");
        check(base, "//x/y", "http://x/y");
        check(base, "/y", "http://h:8080/y");
        check(base, "y", "http://h:8080/a/b/y");
        check(base, "../y", "http://h:8080/a/y");
        check(base, "../../../y/.", "http://h:8080/y/");
        check(base, "./..", "http://h:8080/a/");
        check(base, "?r=http://x/../y", "http://h:8080/a/b/c?r=http://x/../y");
        check(base, "y z/é", "http://h:8080/a/b/y%20z/%C3%A9");
    }

    #[test]
    fn downgrades_and_other_schemes_are_refused() {
        for (base, location) in [
            ("https://h/", "http://h/"),
            ("http://h/", "file:///etc/passwd"),
            ("http://h/", "gopher://x/"),
            ("http://h/", "//x:65536/"),
        ] {
            let error = target(&base.parse().unwrap(), location).unwrap_err();
            assert_eq!(error.kind(), Kind::Fetch, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("http://H/a", "http://h:80/b"));
        assert!(!same("http://h/", "https://h/"));
        assert!(!same("http://h/", "http://h:81/"));
        assert!(!same("http://h/", "http://h.x/"));
    }
}
