//! Which names of weight files are harmless: relative, without a way out of the model's folder.
//!
//! The manifest keeps paths as they are written, since a caller may map them to anything; whoever opens a
//! file or joins a URL asks here first.

use crate::text::shorten;
use crate::{Error, Result};

/// Whether a weight file's path stays where the model is, on every system and however it is read.
///
/// The rules hold for the path as written and percent-decoded: no scheme or drive letter, no root, no
/// backslash, no NUL, no component `..`, none made of dots and spaces only, and a file name at the end. A
/// leading `./`, which TensorFlow.js writes, is fine.
///
/// # Errors
/// [`Kind::Malformed`](crate::Kind::Malformed) with the rule that is broken.
pub fn check_weight_path(path: &str) -> Result<()> {
    let broken = rule_broken(path.as_bytes()).or_else(|| match path.contains('%') {
        true => rule_broken(&percent_decoded(path.as_bytes())),
        false => None,
    });
    match broken {
        None => Ok(()),
        Some(rule) => Err(Error::malformed(format!(
            "weight file `{}`: expected a path inside the model's folder, found {rule}",
            shorten(path)
        ))),
    }
}

fn rule_broken(path: &[u8]) -> Option<&'static str> {
    if path.contains(&0) {
        return Some("a NUL character");
    }
    if path.contains(&b'\\') {
        return Some("a backslash");
    }
    if path.starts_with(b"/") {
        return Some("an absolute path");
    }
    if has_scheme(path) {
        return Some("a URL or a drive letter");
    }
    let mut components = path.split(|&b| b == b'/').skip_while(|&c| c == b".").peekable();
    if components.peek().is_none() {
        return Some("no file name");
    }
    let mut last: &[u8] = b"";
    for component in components {
        // Windows drops trailing dots and spaces, which makes `.. ` another spelling of `..`.
        let only_dots = component.iter().all(|b| matches!(b, b'.' | b' '));
        if only_dots && !component.is_empty() && component != b"." {
            return Some("a component that leaves the folder");
        }
        last = component;
    }
    match last {
        b"" | b"." => Some("no file name"),
        _ => None,
    }
}

/// A letter, then letters, digits, `+`, `-`, `.`, then a colon: a URL's scheme, or a drive.
fn has_scheme(path: &[u8]) -> bool {
    let Some(colon) = path.iter().position(|&b| b == b':') else {
        return false;
    };
    let scheme = path.get(..colon).unwrap_or_default();
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
}

/// Decoded once, as a URL is; what is not a `%` and two hexadecimal digits stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&b| char::from(b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[track_caller]
    fn check_refused(path: &str, rule: &str) {
        let error = check_weight_path(path).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.message().contains(rule), "{error}");
    }

    #[test]
    fn ordinary_names() {
        for path in [
            "group1-shard1of4.bin",
            "./model.weights.bin",
            "weights/a b.bin",
            "a..b/..c",
            "50%.bin",
            "caf%C3%A9.bin",
            "a//b.bin",
            "x/layer:0.bin",
        ] {
            check_weight_path(path).unwrap();
        }
    }

    #[test]
    fn traversal() {
        for path in ["../w.bin", "a/../../w.bin", "./../w.bin", "..", "a/..", ".. /w.bin", "... /w.bin"] {
            check_refused(path, "leaves the folder");
        }
    }

    #[test]
    fn encoded_traversal() {
        for path in ["%2e%2e/w.bin", "a%2f..%2f..%2fw.bin", "%2E%2E%2Fw.bin", "..%2fw.bin"] {
            check_refused(path, "leaves the folder");
        }
        check_refused("a%5c..%5cw.bin", "backslash");
        check_refused("%2fetc/passwd", "absolute");
        check_refused("a%00.bin", "NUL");
    }

    #[test]
    fn absolute_and_windows() {
        check_refused("/etc/passwd", "absolute");
        check_refused("//host/w.bin", "absolute");
        check_refused("C:/w.bin", "drive letter");
        check_refused("C:w.bin", "drive letter");
        check_refused("..\\w.bin", "backslash");
    }

    #[test]
    fn urls() {
        check_refused("http://host/w.bin", "a URL");
        check_refused("file:///etc/passwd", "a URL");
        check_refused("data:,x", "a URL");
    }

    #[test]
    fn no_name() {
        for path in ["", ".", "./", "a/", "a/."] {
            check_refused(path, "no file name");
        }
    }
}
