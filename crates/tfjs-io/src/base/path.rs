//! Validates the paths of weight files that come from a manifest; never touches a disk or a network.
//!
//! A manifest is not trusted: its paths must name files inside the model's folder. The rules are the same on every
//! platform, so that a model that is accepted on one machine is safe on all.

use super::url::without_secrets;
use percent_encoding::percent_decode_str;
use tfjs_manifest::text::acts;
use tfjs_manifest::{Error, Limits, Result};

/// The components of a path from a manifest: at least one, none of them empty, `.` or `..`.
///
/// # Errors
/// [`Malformed`](tfjs_manifest::Kind::Malformed) for a path that could leave the folder, as written or
/// percent-decoded; [`Limit`](tfjs_manifest::Kind::Limit) for one that is too long.
pub fn shard_components<'a>(path: &'a str, limits: &Limits) -> Result<Vec<&'a str>> {
    components(path, "weight file path", limits).map_err(|e| e.in_file(shown(path)))
}

/// Whether a name begins with a dot. Tools such as git, shells and ssh read settings, and some commands, from such
/// files. Leading characters that a file system may ignore are skipped.
pub(crate) fn is_hidden(name: &str) -> bool {
    // The characters that HFS+ ignores.
    let ignored =
        |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    name.trim_start_matches(ignored).starts_with('.')
}

/// The error of a path that contains a hidden name.
pub(crate) fn hidden() -> Error {
    Error::unsupported("names and folders that begin with a dot are never written or removed; expected another name")
}

/// Checks that no name in the path begins with a dot; such files are never written or removed.
pub(crate) fn check_not_hidden(path: &str) -> Result<()> {
    let mut names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    if names.any(is_hidden) { Err(hidden()) } else { Ok(()) }
}

/// Checks the path of a new weight file: no name in it may have a meaning for a shell, a terminal or another system,
/// and it may not be taken for a model's JSON. Files that exist may have such names.
pub(crate) fn check_new(path: &str) -> Result<()> {
    check_not_hidden(path)?;
    let why = path.split('/').filter(|name| !matches!(*name, "" | ".")).find_map(odd);
    let json = path.rsplit_once('.').is_some_and(|(_, ending)| ending.trim_end().eq_ignore_ascii_case("json"));
    match why.or(json.then_some("ends in `.json`")) {
        Some(why) => Err(Error::unsupported(format!("a name that {why} is never written; expected another name"))),
        None => Ok(()),
    }
}

/// What is unusual about the name of a file or a folder.
fn odd(name: &str) -> Option<&'static str> {
    // Commands read it as an option or as a home folder, for example in `tar c *`.
    if name.starts_with(['-', '~']) {
        return Some("begins with `-` or `~`");
    }
    if name.chars().any(acts) {
        return Some("has control or format characters");
    }
    // Windows removes them.
    if name.ends_with(['.', ' ']) {
        return Some("ends with a dot or a space");
    }
    // `git~1` is another name of `.git` on Windows.
    let stem = name.split('.').next().unwrap_or(name);
    if stem.rsplit_once('~').is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
        return Some("is a short name of Windows");
    }
    let device = stem.trim_end().to_ascii_uppercase();
    let numbered = device.strip_prefix("COM").or_else(|| device.strip_prefix("LPT"));
    let is_number = |n: &str| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit());
    if matches!(&*device, "CON" | "PRN" | "AUX" | "NUL") || numbered.is_some_and(is_number) {
        return Some("is a device of Windows");
    }
    None
}

/// The path as shown in a message, without the values of its query, which may be a signature.
pub(crate) fn shown(path: &str) -> String {
    without_secrets(path).chars().take(200).collect::<String>().escape_debug().to_string()
}

/// The components of an untrusted path. `what` names the kind of path in messages.
pub(crate) fn components<'a>(path: &'a str, what: &str, limits: &Limits) -> Result<Vec<&'a str>> {
    let refuse =
        |why: &str| Err(Error::malformed(format!("{what} {why}; expected a relative path inside the model's folder")));
    let chars = path.chars().count() as u64;
    Limits::check("path_chars", chars, limits.path_chars)?;
    // Servers decode once. Decoding until nothing changes also covers proxies that decode again.
    let mut decoded = path.to_owned();
    loop {
        if let Some(why) = escapes(&decoded) {
            return refuse(why);
        }
        let next = match percent_decode_str(&decoded).decode_utf8() {
            Ok(next) => next.into_owned(),
            Err(_) => return refuse("is not UTF-8 once percent-decoded"),
        };
        if next == decoded {
            break;
        }
        decoded = next;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() {
        return refuse("does not name a file");
    }
    Ok(parts)
}

/// The reason why a path could leave the folder; `None` if it cannot.
fn escapes(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("is empty");
    }
    if path.chars().any(char::is_control) {
        return Some("has a control character");
    }
    if path.contains('\\') {
        return Some("has a backslash");
    }
    if path.starts_with('/') {
        return Some("is absolute");
    }
    let first = path.split('/').find(|part| !matches!(*part, "" | ".")).unwrap_or(path);
    if let Some((scheme, _)) = first.split_once(':') {
        let named = !scheme.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'));
        if named {
            return Some("is a URL or has a drive letter");
        }
    }
    if cfg!(windows) && path.contains(':') {
        return Some("has a colon");
    }
    // Windows drops dots and spaces at the end of a name, which makes `.. ` another spelling of `..`.
    let only_dots = |part: &str| !matches!(part, "" | ".") && part.chars().all(|c| matches!(c, '.' | ' '));
    if path.split('/').any(only_dots) {
        return Some("leaves the model's folder");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check_refused(path: &str, kind: Kind) {
        let error = shard_components(path, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{path:?}: {error}");
        assert!(error.place().file.is_some());
    }

    #[test]
    fn ordinary_paths_and_those_tensorflow_js_writes() {
        let limits = Limits::default();
        for (path, parts) in [
            ("group1-shard1of2.bin", &["group1-shard1of2.bin"][..]),
            ("./model.weights.bin", &["model.weights.bin"]),
            ("a//b/./c d%20e.bin", &["a", "b", "c d%20e.bin"]),
            ("..a/b..", &["..a", "b.."]),
            ("50%.bin", &["50%.bin"]),
        ] {
            assert_eq!(shard_components(path, &limits).unwrap(), parts, "{path}");
        }
    }

    #[test]
    fn dot_dot_is_refused_in_every_spelling() {
        for path in
            ["../x", "a/../../x", "..", "%2e%2e/x", "a/%2E%2e%2fx", "%252e%252e/x", "..%2fx", ".. /x", "a/%2e%20./x"]
        {
            check_refused(path, Kind::Malformed);
        }
    }

    #[test]
    fn absolute_paths_urls_drives_and_backslashes_are_refused() {
        for path in [
            "/etc/passwd",
            "//h/x",
            "%2fetc/passwd",
            "http://h/x",
            "http:x",
            "data:,x",
            "C:\\x",
            "C:x",
            "a\\b",
            "a%5cb",
        ] {
            check_refused(path, Kind::Malformed);
        }
    }

    #[test]
    fn nothing_at_all_control_characters_and_bad_utf8_are_refused() {
        for path in ["", ".", "./", "a\0b", "a%00b", "a\nb", "a%ff"] {
            check_refused(path, Kind::Malformed);
        }
    }

    #[test]
    fn names_that_begin_with_a_dot_are_hidden() {
        for path in [".git/config", "a/.ssh/key", ".bashrc", "./.envrc", "\u{200c}.git/config", "..a/b"] {
            assert_eq!(check_not_hidden(path).unwrap_err().kind(), Kind::Unsupported, "{path}");
        }
        for path in ["a.bin", "./a.bin", "a/b.c/d", "a//b"] {
            assert!(check_not_hidden(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn names_with_a_meaning_for_shells_and_other_systems_are_not_written() {
        for path in [
            "-rf",
            "a/--checkpoint-action=exec=sh x",
            "~/x",
            "a\u{202e}txt.exe",
            "a\u{2028}b",
            "git~1/hooks/post-checkout",
            "GIT~12.x",
            "NUL",
            "aux.bin",
            "a/com1 .bin",
            "LPT9",
            "a./b",
            "a /b",
            "w.bin ",
            "w.bin.",
            "x.json",
            "a/x.JSON",
            ".git/config",
        ] {
            assert_eq!(check_new(path).unwrap_err().kind(), Kind::Unsupported, "{path:?}");
        }
        for path in [
            "./group1-shard1of2.bin",
            "a-b/c~d.bin",
            "model.weights.bin",
            "COMMON",
            "com10.bin",
            "nul2",
            "é 漢.bin",
            "x.json.bin",
        ] {
            assert!(check_new(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_path_too_long_is_over_the_limit() {
        check_refused(&"a".repeat(1025), Kind::Limit);
        assert!(shard_components(&"é".repeat(1024), &Limits::default()).is_ok());
    }
}
