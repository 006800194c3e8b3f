//! Parses JSON from files, for all crates of this workspace.
//!
//! A byte-order mark is skipped. Duplicate keys are errors; most parsers silently take the last one. Floats are parsed
//! exactly. The contents are not checked here.
//!
//! Python's `Infinity` and `-Infinity`, which Keras writes for infinite arguments, are no JSON: they are read as strings
//! of these words. `NaN` is an error.

use crate::account::{ALLOCATION, Account, slot_bytes, text_bytes};
use crate::text::{push_key, shorten};
use crate::{Error, Limits, Result, foreign};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// Parses one JSON document.
///
/// # Errors
/// [`Kind::Limit`](crate::Kind::Limit) for more bytes than `limits.model_json_bytes`, for values that take more memory
/// than `limits.model_bytes`, or for nesting deeper than 127 levels; [`Kind::Malformed`](crate::Kind::Malformed), with
/// line and column, for anything that is not one JSON document with unique keys. If the bytes are another known format,
/// the error names it.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value> {
    Limits::check("model_json_bytes", bytes.len() as u64, limits.model_json_bytes)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    foreign::refuse(text)?;

    let found = read(text, limits);
    match found.as_ref().err().and_then(|_| with_quoted_infinities(text)) {
        Some(quoted) => read(&quoted, limits),
        None => found,
    }
}

fn read(text: &[u8], limits: &Limits) -> Result<Value> {
    let read = Reading { trail: RefCell::default(), account: Account::new(limits) };
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Node(&read).deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    value.map_err(|error| describe(error, text, read.trail.into_inner()))
}

/// The text with quotes around each `Infinity` and `-Infinity` outside of strings; `None` if there is none.
fn with_quoted_infinities(text: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 2] = [b"-Infinity", b"Infinity"];
    let (mut quoted, mut rest, mut found) = (Vec::new(), text, false);
    while let Some((&byte, after)) = rest.split_first() {
        let length = match WORDS.iter().find(|word| rest.starts_with(word)) {
            Some(word) => {
                found = true;
                quoted.push(b'"');
                quoted.extend_from_slice(word);
                quoted.push(b'"');
                rest = &rest[word.len()..];
                continue;
            }
            None if byte == b'"' => 1 + string_length(after),
            None => 1,
        };
        let (copied, others) = rest.split_at(length.min(rest.len()));
        quoted.extend_from_slice(copied);
        rest = others;
    }
    found.then_some(quoted)
}

/// The length of the rest of a string, with the quote at its end.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

/// The state of the parser.
struct Reading {
    trail: RefCell<Trail>,
    account: Account,
}

/// The path of the value at which the parser failed. Filled while the error is returned, so valid documents cost
/// nothing.
#[derive(Default)]
struct Trail {
    /// Innermost first.
    steps: Vec<Step>,
    duplicate: bool,
    /// The error, if a limit was exceeded.
    limit: Option<Error>,
}

enum Step {
    Key(String),
    Index(usize),
}

impl Trail {
    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Key(key) => push_key(&mut path, key),
                Step::Index(i) => path.push_str(&format!("[{i}]")),
            }
        }
        path
    }
}

/// Builds a `Value` as `serde_json` does, except that a repeated key is an error.
struct Node<'a>(&'a Reading);

impl Node<'_> {
    fn step(&self, step: Step) {
        self.0.trail.borrow_mut().steps.push(step);
    }

    fn charge<E: serde::de::Error>(&self, bytes: u64) -> Result<(), E> {
        self.0.account.charge(bytes).map_err(|limit| {
            self.0.trail.borrow_mut().limit = Some(limit);
            E::custom("too large")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        self.charge(size_of::<Value>() as u64)?;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Value::Number(number))
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.charge(text_bytes(value))?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.charge(ALLOCATION)?;
        let mut array = Vec::new();
        loop {
            match items.next_element_seed(Node(self.0)) {
                Ok(Some(item)) => array.push(item),
                Ok(None) => {
                    // The array lives as long as the model, so spare capacity is released.
                    array.shrink_to_fit();
                    return Ok(Value::Array(array));
                }
                Err(error) => {
                    self.step(Step::Index(array.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.charge(ALLOCATION)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.charge(text_bytes(&key) + slot_bytes(map.len()))?;
            if map.contains_key(&key) {
                self.0.trail.borrow_mut().duplicate = true;
                self.step(Step::Key(key));
                return Err(A::Error::custom("duplicate key"));
            }
            match entries.next_value_seed(Node(self.0)) {
                Ok(value) => map.insert(key, value),
                Err(error) => {
                    self.step(Step::Key(key));
                    return Err(error);
                }
            };
        }
        Ok(Value::Object(map))
    }
}

fn describe(error: serde_json::Error, text: &[u8], trail: Trail) -> Error {
    if let Some(limit) = trail.limit {
        return limit;
    }
    let (line, column) = (error.line(), error.column());
    let whole = error.to_string();
    let what = whole.split(" at line ").next().unwrap_or(&whole);

    let described = if trail.duplicate {
        Error::malformed(format!(
            "duplicate key, the second time at line {line} column {column}; readers disagree on which one counts"
        ))
    } else if what == "recursion limit exceeded" {
        Error::limit(format!("more than 127 nested arrays and objects at line {line} column {column}"))
    } else if error.classify() == Category::Eof {
        Error::malformed(format!("the JSON ends too early, at line {line} column {column}: the file is truncated"))
    } else if is_nan(text, line, column) {
        Error::malformed(format!(
            "`NaN` at line {line} column {column} is Python's, not JSON: replace it by a number or `null`, or in a file \
             of tensors by the text \"NaN\""
        ))
    } else {
        Error::malformed(format!("not valid JSON at line {line} column {column}: {}", shorten(what)))
    };
    match trail.steps.is_empty() {
        true => described,
        false => described.at_json(trail.path()),
    }
}

/// Whether parsing failed at `NaN`, which Python's `json.dumps` writes.
fn is_nan(text: &[u8], line: usize, column: usize) -> bool {
    const WORD: &[u8] = b"NaN";
    let line = line.checked_sub(1).and_then(|before| text.split(|&b| b == b'\n').nth(before));
    // The reported column is that of the invalid byte or of the byte before it.
    let near = line.and_then(|line| line.get(column.saturating_sub(2)..)).unwrap_or_default();
    near.windows(WORD.len()).take(3).any(|found| found == WORD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use serde_json::json;

    #[track_caller]
    fn check_error(text: &str, kind: Kind, path: Option<&str>, says: &str) {
        let error = parse(text.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!((error.kind(), error.place().json.as_deref()), (kind, path), "{error}");
        assert!(error.message().contains(says), "{error}");
    }

    #[test]
    fn reads_what_json_has() {
        let text = r#"{"b": [1, -2, 0.1, null, true, "é\n"], "a": {}, "n": 18446744073709551615}"#;
        let expected = json!({"b": [1, -2, 0.1, null, true, "é\n"], "a": {}, "n": u64::MAX});
        let value = parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(value, expected);
        let keys: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["b", "a", "n"], "the file's order is kept");
    }

    #[test]
    fn byte_order_mark_is_skipped() {
        assert_eq!(parse(b"\xef\xbb\xbf{}", &Limits::default()).unwrap(), json!({}));
    }

    #[test]
    fn floats_are_exact() {
        // A number that made parsers hang or err for years, and the smallest and the largest double.
        let text = b"[2.2250738585072011e-308, 5e-324, 1.7976931348623157e308, 0.1]";
        let value = parse(text, &Limits::default()).unwrap();
        let bits: Vec<_> = value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap().to_bits()).collect();
        assert_eq!(bits, [0x000f_ffff_ffff_ffff, 1, 0x7fef_ffff_ffff_ffff, 0x3fb9_9999_9999_999a]);
    }

    #[test]
    fn pythons_infinities() {
        let text = br#"{"max_value": Infinity, "Infinity": [-Infinity, 1, "a\\", "\"-Infinity "]}"#;
        let expected = json!({"max_value": "Infinity", "Infinity": ["-Infinity", 1, "a\\", "\"-Infinity "]});
        assert_eq!(parse(text, &Limits::default()).unwrap(), expected);
    }

    #[test]
    fn duplicate_key() {
        check_error(r#"{"a": {"l": [1, {"x": 1, "x": 2}]}}"#, Kind::Malformed, Some("a.l[1].x"), "duplicate key");
    }

    #[test]
    fn deep_nesting() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let error = parse(deep.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
        let fine = format!("{}{}", "[".repeat(127), "]".repeat(127));
        parse(fine.as_bytes(), &Limits::default()).unwrap();
    }

    #[test]
    fn too_many_bytes() {
        let limits = Limits { model_json_bytes: 3, ..Limits::default() };
        assert_eq!(parse(b"[1]", &limits).unwrap(), json!([1]));
        assert_eq!(parse(b"[1 ]", &limits).unwrap_err().kind(), Kind::Limit);
    }

    #[test]
    fn cut_short() {
        check_error("{\"a\": [1,\n 2", Kind::Malformed, Some("a[2]"), "line 2 column 2: the file is truncated");
    }

    #[test]
    fn syntax_error() {
        check_error("{\n\"a\": [1,]}", Kind::Malformed, Some("a[1]"), "line 2 column 9: trailing comma");
        check_error("{} {}", Kind::Malformed, None, "trailing characters");
        check_error("nonsense", Kind::Malformed, None, "line 1 column 2");
    }

    #[test]
    fn pythons_non_numbers() {
        check_error(r#"{"max_value": NaN}"#, Kind::Malformed, Some("max_value"), "`NaN`");
        check_error(r#"[Infinity, NaN]"#, Kind::Malformed, Some("[1]"), "`NaN`");
        check_error("[Infinit]", Kind::Malformed, Some("[0]"), "not valid JSON");
        check_error("[0, Infinity", Kind::Malformed, Some("[2]"), "truncated");
        check_error("[1e999]", Kind::Malformed, Some("[0]"), "out of range");
    }

    #[test]
    fn invalid_text() {
        assert_eq!(parse(b"[\"\xff\"]", &Limits::default()).unwrap_err().kind(), Kind::Malformed);
        check_error(r#"["\ud800"]"#, Kind::Malformed, Some("[0]"), "line 1");
    }
}
