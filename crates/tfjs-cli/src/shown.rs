//! The two streams of a command. They escape every character that [`acts`](tfjs::parts::manifest::text::acts), so that
//! text from a file or a server cannot control the terminal. Line feeds and tabs are written unchanged, as the layout
//! of the output; names are made one line with [`line`].

use std::io::{self, Write};
use tfjs::parts::manifest::text::{self, acts};

/// Text from a file, a server or a user as one line, cut like messages.
pub(crate) fn line(text: &str) -> String {
    text::message(text)
}

/// The stream of a command's output, for text, JSON or bytes.
pub(crate) struct Out<'a> {
    stream: &'a mut dyn Write,
}

impl<'a> Out<'a> {
    pub(crate) fn new(stream: &'a mut dyn Write) -> Out<'a> {
        Out { stream }
    }

    /// For text: characters that act are escaped as `\u{202e}`.
    pub(crate) fn text(&mut self) -> Shown<'_> {
        Shown::text(self.stream)
    }

    /// For JSON: characters that act are escaped as `\u202e`, which does not change the JSON's value.
    pub(crate) fn json(&mut self) -> Shown<'_> {
        Shown::json(self.stream)
    }

    /// For a file of tensors, without escaping.
    pub(crate) fn bytes(&mut self) -> &mut dyn Write {
        self.stream
    }
}

/// Writes UTF-8 text with escaped characters. Bytes that are not UTF-8 are replaced.
pub(crate) struct Shown<'a> {
    stream: &'a mut dyn Write,
    escape: fn(char) -> String,
    /// The first bytes of a character that is not complete yet.
    begun: Vec<u8>,
}

impl<'a> Shown<'a> {
    pub(crate) fn text(stream: &'a mut dyn Write) -> Shown<'a> {
        Shown { stream, escape: |c| c.escape_unicode().to_string(), begun: Vec::new() }
    }

    pub(crate) fn json(stream: &'a mut dyn Write) -> Shown<'a> {
        let escape = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        Shown { stream, escape, begun: Vec::new() }
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| acts(*c) && !matches!(c, '\n' | '\t')) {
            self.stream.write_all(&text.as_bytes()[plain..at])?;
            self.stream.write_all((self.escape)(c).as_bytes())?;
            plain = at + c.len_utf8();
        }
        self.stream.write_all(&text.as_bytes()[plain..])
    }
}

impl Write for Shown<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.begun);
        let text = match text.is_empty() {
            true => bytes,
            false => {
                text.extend(bytes);
                &text
            }
        };
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.show(chunk.valid())?;
            let is_begun = || str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
            match chunk.invalid() {
                [] => {}
                begun if chunks.peek().is_none() && is_begun() => self.begun = begun.to_vec(),
                _ => self.show("\u{fffd}")?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes everything at once, and byte by byte.
    #[track_caller]
    fn check(is_json: bool, bytes: &[u8], expect: &str) {
        for size in [bytes.len(), 1] {
            let mut shown = Vec::new();
            let mut writer = if is_json { Shown::json(&mut shown) } else { Shown::text(&mut shown) };
            bytes.chunks(size).for_each(|part| writer.write_all(part).unwrap());
            assert_eq!(String::from_utf8(shown).unwrap(), expect);
        }
    }

    #[test]
    fn text_has_escapes_of_its_own() {
        check(false, "a\n\tb é 🐕".as_bytes(), "a\n\tb é 🐕");
        check(false, "\u{1b}[2J\r\u{9b}\u{202e}\u{e0041}".as_bytes(), r"\u{1b}[2J\u{d}\u{9b}\u{202e}\u{e0041}");
    }

    #[test]
    fn json_stays_the_same_json() {
        check(
            true,
            "\"\u{7f}\u{85}\u{2028}é🐕\u{e0041}\"\n".as_bytes(),
            "\"\\u007f\\u0085\\u2028é🐕\\udb40\\udc41\"\n",
        );
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let mut shown = Vec::new();
        serde_json::to_writer(Shown::json(&mut shown), &all).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(!shown.chars().any(acts));
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), all);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        check(false, b"a\xff\xc3(b\xf0\x9f\x90", "a\u{fffd}\u{fffd}(b");
    }
}
