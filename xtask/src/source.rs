//! A minimal lexer for Rust, which separates code from comments and strings.
//!
//! It does not parse, and macro expansions are not seen.

/// The code and the comments of a file.
#[derive(Debug, Default)]
pub struct Source<'a> {
    /// Identifiers, numbers and punctuation (`::` is one token), in order. String literals are left out.
    pub tokens: Vec<Token<'a>>,
    /// The comments, as written.
    pub comments: Vec<Token<'a>>,
}

/// A token of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The text, as written.
    pub text: &'a str,
    /// Its line, from 1.
    pub line: usize,
}

impl<'a> Source<'a> {
    /// Splits a file.
    pub fn new(text: &'a str) -> Self {
        let mut source = Source::default();
        let (mut at, mut line) = (0, 1);
        while let Some(first) = text[at..].chars().next() {
            let (len, kind) = piece(&text[at..], first);
            let token = Token { text: &text[at..at + len], line };
            match kind {
                Kind::Code => source.tokens.push(token),
                Kind::Comment => source.comments.push(token),
                Kind::Nothing => {}
            }
            line += token.text.matches('\n').count();
            at += len;
        }
        source
    }

    /// The tokens outside `#[cfg(test)] mod ... { ... }`.
    pub fn without_tests(&self) -> Vec<Token<'a>> {
        const MARK: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
        let mut kept = Vec::new();
        let mut rest = &self.tokens[..];
        while let Some(token) = rest.first() {
            let marked = rest.len() >= MARK.len() && MARK.iter().zip(rest).all(|(mark, token)| *mark == token.text);
            if marked && rest.get(MARK.len() + 1).is_some_and(|t| t.text == "{") {
                rest = after_block(&rest[MARK.len() + 1..]);
            } else {
                kept.push(*token);
                rest = &rest[1..];
            }
        }
        kept
    }
}

/// The places where `root::member` is named, for any of the members: as a path, or in the braces of a `use`.
pub fn path_uses<'a>(tokens: &[Token<'a>], root: &str, members: &[&str]) -> Vec<Token<'a>> {
    let mut uses = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let is_root = token.text == root && tokens.get(i + 1).is_some_and(|t| t.text == "::");
        if !is_root {
            continue;
        }
        match tokens.get(i + 2) {
            Some(member) if members.contains(&member.text) => uses.push(*member),
            Some(brace) if brace.text == "{" => uses.extend(first_names(&tokens[i + 2..], members)),
            _ => {}
        }
    }
    uses
}

/// The members among the first names of the items in a brace group.
fn first_names<'a>(group: &[Token<'a>], members: &[&str]) -> Vec<Token<'a>> {
    let mut depth = 0;
    let mut found = Vec::new();
    for (i, token) in group.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let first = i > 0 && matches!(group[i - 1].text, "{" | ",");
        if depth == 1 && first && members.contains(&token.text) {
            found.push(*token);
        }
    }
    found
}

fn after_block<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &tokens[i + 1..];
        }
    }
    &[]
}

enum Kind {
    Code,
    Comment,
    Nothing,
}

/// The length of the next piece, at least 1, and its kind.
fn piece(rest: &str, first: char) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if let Some(len) = string(rest) {
        return (len, Kind::Nothing);
    }
    if first == '\'' {
        return (quote(rest), Kind::Nothing);
    }
    if first.is_alphanumeric() || first == '_' {
        return (rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()), Kind::Code);
    }
    if first.is_whitespace() {
        return (first.len_utf8(), Kind::Nothing);
    }
    (if rest.starts_with("::") { 2 } else { first.len_utf8() }, Kind::Code)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string literal: `"`, `b"`, `c"`, `r"`, `r#"`, `br"`, ...; `None` if there is none.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r')).filter(|len| *len <= 2)?;
    let after = &rest[prefix..];
    if rest[..prefix].ends_with('r') {
        let hashes = after.len() - after.trim_start_matches('#').len();
        let body = after[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let len = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(prefix + hashes + 1 + len);
    }
    after.strip_prefix('"')?;
    Some(prefix + escaped(after, '"'))
}

/// The length of a character literal, or of a lifetime's quote mark.
fn quote(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => escaped(rest, '\''),
        _ => 1,
    }
}

/// The length up to the closing mark; `rest` begins with the opening one.
fn escaped(rest: &str, mark: char) -> usize {
    let mut skip = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if skip => skip = false,
            '\\' => skip = true,
            c if c == mark => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        Source::new(text).tokens.iter().map(|t| t.text).collect()
    }

    #[test]
    fn comments_and_text_are_no_code() {
        let text = "a // b \"\n/* c /* d */ \" */ e \"f \\\" g\" r#\"h \" i\"# b\"j\" 'k' '\\'' '\"' l";
        assert_eq!(words(text), ["a", "e", "l"]);
        assert_eq!(words("fn f<'a>(x: &'a str) {}").join(" "), "fn f < a > ( x : & a str ) { }");
        assert_eq!(words("r::b"), ["r", "::", "b"]);
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let source = Source::new("\"a\nb\"\n/* c\n*/ d // e");
        assert_eq!(source.tokens, [Token { text: "d", line: 4 }]);
        assert_eq!(source.comments.last(), Some(&Token { text: "// e", line: 4 }));
    }

    #[test]
    fn unit_tests_are_told_apart() {
        let source = Source::new("a #[cfg(test)] mod tests { b { c } } d #[cfg(test)] mod other; e");
        let kept: Vec<&str> = source.without_tests().iter().map(|t| t.text).collect();
        assert_eq!(kept.join(" "), "a d # [ cfg ( test ) ] mod other ; e");
    }

    #[test]
    fn paths_are_found_in_every_form() {
        for (text, found) in [
            ("use std::fs;", 1),
            ("let f = std::fs::read(path);", 1),
            ("use ::std::net::TcpStream;", 1),
            ("use std::{io, fs::{self, File}, net};", 2),
            ("use std::io::{self, fs};", 0),
            ("// std::fs\n\"std::fs\"", 0),
        ] {
            let source = Source::new(text);
            assert_eq!(path_uses(&source.tokens, "std", &["fs", "net"]).len(), found, "{text}");
        }
    }
}
