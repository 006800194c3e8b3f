//! How file content is quoted in messages: on one line, short, in backticks; never a whole document.

use serde_json::Value;

/// The most characters of file content that a message repeats.
const LONGEST: usize = 96;

/// The text on one line, cut after about a hundred characters; control characters are escaped.
pub fn shorten(text: &str) -> String {
    one_line(text, LONGEST)
}

/// The text on one line, cut after so many characters. Besides control characters those are escaped that end a
/// line or turn the direction of what follows.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == most {
            line.push('…');
            break;
        }
        match c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// What a JSON value is, for `expected ..., found ...`: scalars themselves in backticks, containers by kind.
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

/// One more step of a path in a JSON document: `.key`, or `["odd key"]` where a dot would mislead.
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
