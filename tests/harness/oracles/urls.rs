//! Parses text as the URL of a model and as the path of a weight file: parsing loses nothing, paths stay in
//! the model's folder, messages show no secrets.

use super::{limits, proper, split};
use std::path::{Component, Path};
use tfjs::Result;
use tfjs::parts::io::{ModelUrl, shard_components};

/// Checks a URL, then a NUL and a path. Invalid UTF-8 is replaced.
///
/// # Errors
/// The error of the URL, or else of the path.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let (url, path) = split(data);
    let url = check_url(&String::from_utf8_lossy(url));
    let path = check_path(&String::from_utf8_lossy(path));
    url.and(path)
}

fn check_url(text: &str) -> Result<()> {
    let url = proper(ModelUrl::parse(text))?;
    assert!(!url.scheme().is_empty() && !url.scheme().chars().any(|c| c.is_ascii_uppercase()));
    assert_eq!(url.as_path().is_some(), url.as_url().is_none());
    let (Some(text), Some((folder, name, query))) = (url.as_url(), url.split()) else {
        assert!(matches!(url.scheme(), "file" | "data"), "a URL with a server can be split: {url:?}");
        return Ok(());
    };
    assert!(!url.to_string().chars().any(char::is_control), "control characters are shown: {url:?}");
    assert_eq!(ModelUrl::parse(text)?, url, "parsing is deterministic");
    assert!(folder.is_empty() || folder.ends_with('/'), "{folder}");
    assert!(!name.is_empty() && !name.contains(['/', '?']), "{name}");
    assert!(query.is_empty() || query.starts_with('?'), "{query}");
    let rebuilt = [format!("{folder}{name}{query}"), format!("{folder}{query}")];
    let whole = rebuilt.iter().any(|r| r == text) || format!("{}{query}", folder.trim_end_matches('/')) == text;
    assert!(whole, "`{text}` was split into {folder}, {name}, {query}");
    no_secret(&url, text);
    Ok(())
}

/// Neither the user information nor values of the query are shown.
fn no_secret(url: &ModelUrl, text: &str) {
    let shown = url.to_string();
    let Some((_, rest)) = text.split_once("://") else { return };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = path.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    // With the mark of what is hidden in it, a secret may be put together from other parts.
    let secrets = user.into_iter().chain(values).filter(|secret| secret.chars().count() > 5 && !secret.contains('…'));
    for secret in secrets {
        let elsewhere = text.matches(secret).count() > 1;
        assert!(elsewhere || !shown.contains(secret), "`{secret}` is shown: {shown}");
    }
}

fn check_path(text: &str) -> Result<()> {
    let limits = limits();
    let parts = proper(shard_components(text, &limits))?;
    assert!(text.chars().count() as u64 <= limits.path_chars);
    assert!(!parts.is_empty());
    let mut spelled = parts.join("/");
    // Also after a server or proxy has decoded it any number of times.
    for _ in 0..text.len() {
        let path = Path::new(&spelled);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        assert!(inside && !spelled.contains(['\\', '\0', '\n']), "`{text}` leads to `{spelled}`");
        assert!(!spelled.split('/').any(|part| part == ".."), "`{text}` leads to `{spelled}`");
        let decoded = decode(&spelled);
        if decoded == spelled {
            break;
        }
        spelled = decoded;
    }
    Ok(())
}

/// Decodes `%41` to `A`; invalid percent-encodings are kept.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
