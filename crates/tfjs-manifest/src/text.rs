//! Formats text from a file or a server for display: escaped, on one line and shortened.
//!
//! [`acts`] decides which characters are escaped, for every message and every writer.

use serde_json::Value;

/// Most characters of file content in a message.
const LONGEST: usize = 96;
/// Most characters of a message or a warning.
pub(crate) const LONGEST_MESSAGE: usize = 1000;

/// Whether a terminal or a log viewer interprets the character instead of showing it, or shows it ambiguously.
///
/// These are Unicode 16's categories Cc (control), Cf (format: directions, joiners, tags), Zl and Zp (separators of
/// lines and paragraphs) and Co (private use: its look depends on the font).
pub fn acts(c: char) -> bool {
    match c {
        '\u{20}'..='\u{7e}' => false,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' => {
            true
        }
        '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}' | '\u{f0000}'.. => true,
        _ => false,
    }
}

/// Appends a character, escaped as `\n`, `\r`, `\t` or `\u{202e}` if it [`acts`].
pub fn push_shown(text: &mut String, c: char) {
    match acts(c) {
        true => text.extend(c.escape_default()),
        false => text.push(c),
    }
}

/// The whole text on one line; characters that [act](acts) are escaped.
pub fn escaped(text: &str) -> String {
    one_line(text, usize::MAX)
}

/// The text on one line, cut after about a hundred characters; characters that [act](acts) are escaped.
pub fn shorten(text: &str) -> String {
    one_line(text, LONGEST)
}

/// The text on one line, cut at the maximum length of a message; characters that [act](acts) are escaped.
pub fn message(text: &str) -> String {
    one_line(text, LONGEST_MESSAGE)
}

/// The text on one line, cut after `most` characters; characters that [act](acts) are escaped.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == most {
            line.push('…');
            break;
        }
        push_shown(&mut line, c);
    }
    line
}

/// Describes a JSON value for `expected ..., found ...`: scalars with their value in backticks, containers by kind.
pub fn found(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) => format!("`\"{}\"`", shorten(text)),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(map) => match map.keys().next() {
            Some(first) => format!("an object with `{}`", shorten(first)),
            None => "an empty object".to_owned(),
        },
    }
}

/// Appends a key to a path in a JSON document: `.key`, or `["odd key"]` if `.key` would be ambiguous.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty()
        && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
        && key.chars().count() <= LONGEST;
    if !plain {
        path.push_str(&format!("[\"{}\"]", shorten(key)));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_stay_on_one_short_line() {
        assert_eq!(shorten("conv1/kernel"), "conv1/kernel");
        assert_eq!(shorten("a\nb\u{0}"), "a\\nb\\u{0}");
        assert_eq!(shorten("a\u{2028}b\u{202e}c"), "a\\u{2028}b\\u{202e}c");
        assert_eq!(shorten(&"é".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn characters_that_act_are_escaped() {
        // At least one of each category and range, with the names in the Unicode Character Database.
        let act = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{600}\u{61c}\u{6dd}\u{70f}\u{891}\u{8e2}\u{180e}\u{200b}\u{200d}\
            \u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{206f}\u{e000}\u{f8ff}\u{feff}\u{fff9}\
            \u{110bd}\u{13430}\u{1bca0}\u{1d173}\u{e0001}\u{e0041}\u{e007f}\u{f0000}\u{10ffff}";
        for c in act.chars() {
            assert!(acts(c), "{c:?}");
            let shown = shorten(&c.to_string());
            assert!(shown.starts_with('\\') && shown.is_ascii(), "{c:?} is shown as {shown}");
        }
        for c in " ~a\\é\u{a0}ßЖ字한🐕\u{301}\u{2027}\u{202f}\u{2026}\u{fffd}".chars() {
            assert!(!acts(c), "{c:?}");
        }
    }

    #[test]
    fn containers_are_named_not_printed() {
        assert_eq!(found(&json!("a")), "`\"a\"`");
        assert_eq!(found(&json!(1.5)), "`1.5`");
        assert_eq!(found(&json!(null)), "`null`");
        assert_eq!(found(&json!([1, 2])), "an array of 2");
        assert_eq!(found(&json!({"a": 1})), "an object with `a`");
        assert_eq!(found(&json!({})), "an empty object");
    }

    #[test]
    fn odd_keys_are_bracketed() {
        let mut path = "config".to_owned();
        push_key(&mut path, "units");
        push_key(&mut path, "a.b");
        assert_eq!(path, "config.units[\"a.b\"]");
    }
}
