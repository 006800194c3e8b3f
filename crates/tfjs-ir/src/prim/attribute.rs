//! The text form of attributes: `name=value` pairs. One trait writes and parses them.

use crate::dim::{Dim, Dims};
use crate::program::{Block, ConstId, OpaqueId, Origin, SlotId, StateId};
use crate::ty::{ElementType, Type};
use crate::window::Window;
use std::sync::Arc;
use tfjs_manifest::text::acts;
use tfjs_manifest::{Error, Result};

/// An attribute of a primitive.
pub trait Attribute: Sized {
    /// Writes the value.
    fn write(&self, out: &mut Writer<'_>);

    /// Parses what [`write`](Attribute::write) has written.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for other text.
    fn read(input: &mut Reader<'_>) -> Result<Self>;
}

/// Writes attributes.
#[derive(Debug)]
pub struct Writer<'a> {
    /// The dimension expressions.
    pub dims: &'a Dims,
    /// The origins of nodes.
    pub origins: &'a [Origin],
    /// The text so far.
    pub text: String,
    /// The indentation of nested blocks.
    pub indent: usize,
    first: bool,
}

impl<'a> Writer<'a> {
    /// An empty writer.
    pub fn new(dims: &'a Dims, origins: &'a [Origin], indent: usize) -> Self {
        Writer { dims, origins, text: String::new(), indent, first: true }
    }

    /// Writes `name=value`.
    pub fn attribute(&mut self, name: &str, value: &impl Attribute) {
        if !std::mem::take(&mut self.first) {
            self.text.push_str(", ");
        }
        self.text.push_str(name);
        self.text.push('=');
        value.write(self);
    }

    /// Writes text as it is.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

/// Parses attributes from the text form of a program.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The text that is not parsed yet.
    pub rest: &'a str,
    /// The number of the line, from 1.
    pub line: usize,
    /// The dimension expressions read so far.
    pub dims: Dims,
    /// The origins read so far.
    pub origins: Vec<Origin>,
    first: bool,
}

impl<'a> Reader<'a> {
    /// Reads from `text`.
    pub fn new(text: &'a str) -> Self {
        Reader { rest: text, line: 1, dims: Dims::new(), origins: vec![Origin::default()], first: true }
    }

    /// Starts the attributes of another primitive.
    pub fn restart(&mut self) {
        self.first = true;
    }

    /// Parses `name=value`.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for any other text.
    pub fn attribute<T: Attribute>(&mut self, name: &str) -> Result<T> {
        if !std::mem::take(&mut self.first) {
            self.expect(",")?;
        }
        self.expect(name)?;
        self.expect("=")?;
        T::read(self)
    }

    /// Skips white space and counts lines.
    pub fn skip_space(&mut self) {
        let trimmed = self.rest.trim_start();
        let skipped = &self.rest[..self.rest.len() - trimmed.len()];
        self.line += skipped.matches('\n').count();
        self.rest = trimmed;
    }

    /// Skips this text if it comes next, and returns whether it did.
    pub fn take(&mut self, text: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips this text.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for any other text.
    pub fn expect(&mut self, text: &str) -> Result<()> {
        if self.take(text) { Ok(()) } else { Err(self.error(&format!("`{text}`"))) }
    }

    /// The characters up to the first one that ends a word.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there are none.
    pub fn word(&mut self) -> Result<&'a str> {
        self.skip_space();
        let ends = |c: char| c.is_whitespace() || ",()[]{}=".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(self.error("a word"));
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word)
    }

    /// The text of an expression: up to a comma or an unmatched closing bracket.
    pub fn expression(&mut self) -> &'a str {
        self.skip_space();
        let mut depth = 0usize;
        let end = self.rest.find(|c: char| {
            match c {
                '(' => depth += 1,
                ')' if depth > 0 => depth -= 1,
                ')' | ',' | ']' | '}' | '\n' if depth == 0 => return true,
                _ => {}
            }
            false
        });
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        text.trim_end()
    }

    /// A quoted string, with backslashes before quotes and backslashes.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there is none.
    pub fn quoted(&mut self) -> Result<String> {
        self.expect("\"")?;
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((at, 'u')) if self.rest[at + 1..].starts_with('{') => {
                        let code = self.rest[at + 2..].split_once('}').map(|(code, _)| code);
                        let c = code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?));
                        out.push(c.ok_or_else(|| self.error("a character as `\\u{hex}`"))?);
                        // Skip to after the closing brace.
                        chars.by_ref().take_while(|(_, c)| *c != '}').for_each(drop);
                    }
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(self.error("the end of a string"))
    }

    /// An error that names what was expected and what was found.
    pub fn error(&self, expected: &str) -> Error {
        let found: String = self.rest.lines().next().unwrap_or("").chars().take(40).collect();
        Error::malformed(format!("line {}: expected {expected}, found `{found}`", self.line))
    }
}

/// A quoted string; characters that act on a terminal are written `\u{hex}`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if acts(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

macro_rules! parsed {
    ($($ty:ty = $what:literal;)*) => {$(
        impl Attribute for $ty {
            fn write(&self, out: &mut Writer<'_>) {
                out.text(&self.to_string());
            }

            fn read(input: &mut Reader<'_>) -> Result<Self> {
                let error = input.error($what);
                input.word()?.parse().map_err(|_| error)
            }
        }
    )*};
}
parsed! {
    bool = "`true` or `false`";
    usize = "a number";
    u64 = "a number";
    i64 = "a number";
}

impl Attribute for f64 {
    fn write(&self, out: &mut Writer<'_>) {
        out.text(&format!("{self:?}"));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let error = input.error("a number");
        input.word()?.parse().map_err(|_| error)
    }
}

impl Attribute for String {
    fn write(&self, out: &mut Writer<'_>) {
        out.text(&quote(self));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        input.quoted()
    }
}

impl Attribute for Arc<str> {
    fn write(&self, out: &mut Writer<'_>) {
        out.text(&quote(self));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        input.quoted().map(Into::into)
    }
}

impl Attribute for ElementType {
    fn write(&self, out: &mut Writer<'_>) {
        out.text(self.name());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let error = input.error("an element type");
        ElementType::from_name(input.word()?).ok_or(error)
    }
}

impl Attribute for Dim {
    fn write(&self, out: &mut Writer<'_>) {
        let text = out.dims.describe(*self);
        out.text(&text);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let text = input.expression();
        let line = input.line;
        input.dims.parse(text).map_err(|e| Error::malformed(format!("line {line}: {}", e.message())))
    }
}

impl Attribute for Type {
    fn write(&self, out: &mut Writer<'_>) {
        let text = self.describe(out.dims);
        out.text(&text);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let element = ElementType::read(input)?;
        Ok(Type { element, dims: Vec::read(input)? })
    }
}

impl Attribute for Window {
    fn write(&self, out: &mut Writer<'_>) {
        // In brackets, because explicit padding contains a comma.
        out.text(&format!("({self})"));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        input.expect("(")?;
        let text = input.rest.split(')').next().unwrap_or_default();
        let window = text.parse().map_err(|_| input.error("a window"))?;
        input.rest = &input.rest[text.len()..];
        input.expect(")")?;
        Ok(window)
    }
}

impl<T: Attribute> Attribute for Vec<T> {
    fn write(&self, out: &mut Writer<'_>) {
        out.text("[");
        for (i, item) in self.iter().enumerate() {
            if i > 0 {
                out.text(",");
            }
            item.write(out);
        }
        out.text("]");
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        input.expect("[")?;
        let mut items = Vec::new();
        while !input.take("]") {
            if !items.is_empty() {
                input.expect(",")?;
            }
            items.push(T::read(input)?);
        }
        Ok(items)
    }
}

impl<T: Attribute> Attribute for Option<T> {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Some(value) => value.write(out),
            None => out.text("none"),
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        if input.take("none") { Ok(None) } else { T::read(input).map(Some) }
    }
}

impl<A: Attribute, B: Attribute> Attribute for (A, B) {
    fn write(&self, out: &mut Writer<'_>) {
        out.text("(");
        self.0.write(out);
        out.text(",");
        self.1.write(out);
        out.text(")");
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        input.expect("(")?;
        let a = A::read(input)?;
        input.expect(",")?;
        let b = B::read(input)?;
        input.expect(")")?;
        Ok((a, b))
    }
}

macro_rules! numbered {
    ($($ty:ident = $prefix:literal;)*) => {$(
        impl Attribute for $ty {
            fn write(&self, out: &mut Writer<'_>) {
                out.text(&format!(concat!($prefix, "{}"), self.0));
            }

            fn read(input: &mut Reader<'_>) -> Result<Self> {
                let error = input.error(concat!($prefix, " and a number"));
                input.word()?.strip_prefix($prefix).and_then(|n| n.parse().ok()).map($ty).ok_or(error)
            }
        }
    )*};
}
numbered! {
    SlotId = "slot";
    StateId = "state";
    ConstId = "const";
    OpaqueId = "function";
}

impl Attribute for Arc<Block> {
    fn write(&self, out: &mut Writer<'_>) {
        crate::text::write_block(self, &[], out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        crate::text::read_block(input).map(|(block, _)| Arc::new(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn names_come_back_and_do_not_act_on_a_terminal() {
        for (name, text) in [
            ("a b", r#""a b""#),
            ("a\"\\u{41}\n", r#""a\"\\u{41}\n""#),
            ("e\u{1b}[2J\u{9b}\u{202e}\u{e0041}ü", r#""e\u{1b}[2J\u{9b}\u{202e}\u{e0041}ü""#),
        ] {
            assert_eq!(quote(name), text);
            let mut reader = Reader::new(text);
            assert_eq!(reader.quoted().unwrap(), name);
            assert_eq!(reader.rest, "");
        }
    }

    #[test]
    fn escapes_that_are_no_characters() {
        for text in [r#""\u{}""#, r#""\u{110000}""#, r#""\u{d800}""#, r#""\u{41""#, r#""\u{é}""#, r#""\"#] {
            assert_eq!(Reader::new(text).quoted().unwrap_err().kind(), Kind::Malformed, "{text}");
        }
    }
}
