//! Settings for the builders of `object_store` that all clouds share: keys and values, retries, and checks of values
//! that would make the builders panic later. Reads no files and sends no requests.

use crate::base::retry::Retry;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig};
use std::str::FromStr;
use tfjs_manifest::{Error, Result};

/// Connection options. `object_store`'s time-outs are disabled, because this crate's connections have their own.
pub(super) fn client_options() -> ClientOptions {
    let options = ClientOptions::new().with_timeout_disabled().with_connect_timeout_disabled();
    options
        .with_content_type_for_suffix("json", "application/json")
        .with_default_content_type("application/octet-stream")
}

/// Sets the values of environment variables that are settings of stores.
pub(super) fn from_environment<B, K: FromStr>(
    builder: B,
    variables: Vec<(String, String)>,
    set: impl Fn(B, K, String) -> B,
) -> B {
    variables.into_iter().fold(builder, |builder, (name, value)| match name.to_ascii_lowercase().parse() {
        Ok(key) => set(builder, key, value),
        Err(_) => builder,
    })
}

/// Sets the caller's settings. An unknown key and a key for connections are errors.
pub(super) fn from_caller<B, K: FromStr>(
    builder: B,
    config: &[(String, String)],
    set: impl Fn(B, K, String) -> B,
) -> Result<B> {
    config.iter().try_fold(builder, |builder, (name, value)| {
        let name = name.to_ascii_lowercase();
        let bare = ["aws_", "google_", "azure_"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(&name);
        if bare.parse().is_ok_and(|key: ClientConfigKey| key != ClientConfigKey::AllowHttp) {
            return Err(Error::misuse(format!(
                "`{name}` is a setting of connections, not of a store: see `IoOptions`"
            )));
        }
        match name.parse() {
            Ok(key) => Ok(set(builder, key, value.clone())),
            Err(_) => Err(Error::misuse(format!("`{name}` is not a setting of this store"))),
        }
    })
}

/// The caller's retry options for `object_store`.
pub(super) fn retry_config(retry: &Retry) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: retry.first_delay, max_backoff: retry.longest_delay, base: 2.0 },
        max_retries: retry.tries.saturating_sub(1) as usize,
        retry_timeout: retry.total,
    }
}

/// Converts the error of a builder: inconsistent settings, or credential files that cannot be read.
pub(super) fn cannot_build(e: object_store::Error) -> Error {
    let text = e.to_string();
    let why = text.split_once("error: ").map_or(&*text, |(_, why)| why);
    let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(240).collect();
    Error::misuse(format!("the store cannot be used as it is configured: {why}"))
}

/// Checks the name of a bucket, an account or a region, which is part of a URL's host or path.
pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '$');
    if name.is_empty() || !name.chars().all(known) {
        let name: String = name.escape_debug().take(80).collect();
        return Err(Error::misuse(format!("expected the name of a {what}, found `{name}`")));
    }
    Ok(())
}

/// Checks the URL of an endpoint, if there is one.
pub(super) fn check_url(what: &str, url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    let parsed = url.parse::<http::Uri>().ok();
    let good = parsed.is_some_and(|uri| {
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        scheme && uri.query().is_none() && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
    });
    if good {
        return Ok(());
    }
    Err(Error::misuse(format!("expected {what} to be a URL with `https://`, without user or query")))
}

/// Checks that a secret, if there is one, is valid in a header. It is not shown.
pub(super) fn check_secret(what: &str, secret: Option<&str>) -> Result<()> {
    if secret.is_none_or(|secret| secret.bytes().all(|b| b.is_ascii_graphic())) {
        return Ok(());
    }
    Err(Error::misuse(format!("{what} has invalid characters, such as a space or a line break")))
}

/// Checks that a secret is a valid header value. It is not shown.
#[cfg(feature = "s3")]
pub(super) fn check_header(what: &str, secret: &str) -> Result<()> {
    if http::HeaderValue::from_str(secret).is_ok() {
        return Ok(());
    }
    Err(Error::misuse(format!("{what} has invalid characters, such as a line break; remove them")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tfjs_manifest::Kind;

    #[derive(Debug)]
    struct Key;

    impl FromStr for Key {
        type Err = ();
        fn from_str(text: &str) -> std::result::Result<Self, ()> {
            if matches!(text, "aws_region" | "region" | "allow_http") { Ok(Key) } else { Err(()) }
        }
    }

    fn given(name: &str) -> Result<Vec<String>> {
        let set = |mut all: Vec<String>, _: Key, value| {
            all.push(value);
            all
        };
        from_caller(Vec::new(), &[(name.to_owned(), "v".to_owned())], set)
    }

    #[test]
    fn settings_of_connections_and_unknown_ones_are_misuse() {
        for name in ["region", "AWS_REGION", "allow_http"] {
            assert_eq!(given(name).unwrap(), ["v"], "{name}");
        }
        for (name, says) in
            [("timeout", "see `IoOptions`"), ("aws_proxy_url", "see `IoOptions`"), ("rigeon", "`rigeon`")]
        {
            let error = given(name).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse);
            assert!(error.message().contains(says), "{error}");
        }
    }

    #[test]
    fn what_would_panic_later_is_refused() {
        for name in ["", "a b", "a/b", "a?b", "é", "a@b"] {
            assert_eq!(check_name("bucket", name).unwrap_err().kind(), Kind::Misuse, "{name:?}");
        }
        for url in ["localhost:9000", "ftp://h", "http://", "https://u:p@h/", "https://h/?q", "http://h h", "/x"] {
            assert_eq!(check_url("the endpoint", Some(url)).unwrap_err().kind(), Kind::Misuse, "{url:?}");
        }
        check_url("the endpoint", Some("http://127.0.0.1:9000/base")).unwrap();
        let error = check_secret("the token", Some("hunter2\n")).unwrap_err();
        assert!(error.kind() == Kind::Misuse && !error.to_string().contains("hunter2"));
    }

    #[test]
    fn tries_count_the_first_one() {
        let retry = Retry::default().with_delays(Duration::from_millis(1), Duration::from_millis(9));
        let config = retry_config(&retry);
        assert_eq!((config.max_retries, config.retry_timeout), (4, retry.total));
        assert_eq!((config.backoff.init_backoff, config.backoff.max_backoff), (retry.first_delay, retry.longest_delay));
        assert_eq!(retry_config(&Retry::never()).max_retries, 0);
    }
}
