//! Dimension expressions as text: `2*batch*floor((h+1)/2)-3`.
//!
//! ```text
//! sum     = ["-"] product { ("+" | "-") product }
//! product = factor { "*" factor }
//! factor  = number | symbol | "(" sum ")" | ("floor" | "ceil") "(" sum "/" number ")"
//!         | ("max" | "min" | "broadcast") "(" sum "," sum ")"
//! symbol  = letter or "_", then letters, digits, "_" and "." | '"' any text '"'
//! ```
//!
//! In a quoted symbol, `"`, `\` and characters that act on a terminal are written `\u{hex}`. Spaces between tokens are skipped.

use super::poly::Poly;
use super::{Atom, Dim, Dims, MAX_DEPTH, Pair};
use std::fmt::Write;
use tfjs_manifest::text::acts;
use tfjs_manifest::{Error, Result};

impl Dims {
    /// The dimension as shown in messages to users: a number, or `?` for any other expression.
    pub fn display(&self, d: Dim) -> String {
        self.constant(d).map_or_else(|| "?".to_owned(), |n| n.to_string())
    }

    /// The expression as text, which [`parse`](Dims::parse) reads back. The text depends on the expression alone, not
    /// on the order in which its parts were made.
    pub fn describe(&self, d: Dim) -> String {
        let terms = self.entry(d).poly.terms().iter().map(|(monomial, coefficient)| {
            let mut factors: Vec<String> = monomial.factors().iter().map(|&f| self.describe_atom(f)).collect();
            factors.sort_unstable();
            (factors.len(), factors.join("*"), *coefficient)
        });
        let mut terms: Vec<_> = terms.collect();
        terms.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut text = String::new();
        for (degree, factors, coefficient) in terms {
            match (coefficient < 0, text.is_empty()) {
                (true, _) => text.push('-'),
                (false, false) => text.push('+'),
                (false, true) => {}
            }
            match (degree, coefficient.unsigned_abs()) {
                (0, n) => text += &n.to_string(),
                (_, 1) => text += &factors,
                (_, n) => text += &format!("{n}*{factors}"),
            }
        }
        if text.is_empty() { "0".to_owned() } else { text }
    }

    fn describe_atom(&self, d: Dim) -> String {
        match self.entry(d).atom {
            Some(Atom::Symbol(i)) => quoted_if_needed(self.symbol_name(i)),
            Some(Atom::Floor(x, n)) if self.entry(x).poly.terms().len() > 1 => {
                format!("floor(({})/{n})", self.describe(x))
            }
            Some(Atom::Floor(x, n)) => format!("floor({}/{n})", self.describe(x)),
            Some(Atom::Pair(pair, a, b)) => {
                let mut operands = [self.describe(a), self.describe(b)];
                operands.sort_unstable();
                format!("{}({})", pair.name(), operands.join(","))
            }
            None => self.describe(d),
        }
    }

    /// Parses an expression. New symbols are added.
    ///
    /// # Errors
    /// - [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the text is not an expression;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the expression is too large.
    pub fn parse(&mut self, text: &str) -> Result<Dim> {
        let mut parser = Parser { dims: self, text, rest: text.trim_start(), depth: 0 };
        let poly = parser.sum()?;
        if !parser.rest.is_empty() {
            return Err(parser.expected("an operator or the end"));
        }
        self.intern(poly)
    }
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// A symbol's name, quoted if the grammar requires it.
fn quoted_if_needed(name: &str) -> String {
    if name.starts_with(is_name_start) && name.chars().all(is_name) {
        return name.to_owned();
    }
    let mut text = String::from('"');
    for c in name.chars() {
        if acts(c) || c == '"' || c == '\\' {
            write!(text, "\\u{{{:x}}}", u32::from(c)).expect("a string accepts all text");
        } else {
            text.push(c);
        }
    }
    text.push('"');
    text
}

/// A recursive-descent parser of the grammar above.
struct Parser<'a> {
    dims: &'a mut Dims,
    /// The whole text, for messages.
    text: &'a str,
    /// The unread part, without leading spaces.
    rest: &'a str,
    depth: u32,
}

impl<'a> Parser<'a> {
    #[cold]
    fn expected(&self, what: &str) -> Error {
        let at = self.text.len() - self.rest.len();
        Error::malformed(format!("expected {what} at byte {at} of the dimension `{}`", self.text))
    }

    /// Reads `bytes` bytes and the spaces after them.
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (token, rest) = self.rest.split_at(bytes);
        self.rest = rest.trim_start();
        token
    }

    /// Reads one character if it comes next.
    fn eat(&mut self, token: char) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.advance(token.len_utf8());
        }
        found
    }

    fn expect(&mut self, token: char) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }

    /// Reads all characters that belong to a token.
    fn take_while(&mut self, belongs: fn(char) -> bool) -> &'a str {
        self.advance(self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len()))
    }

    fn sum(&mut self) -> Result<Poly> {
        // A floor of a sum adds two levels of nesting for one level of the expression.
        const MAX_NESTING: u32 = 2 * MAX_DEPTH + 2;
        if self.depth == MAX_NESTING {
            return Err(Error::limit(format!("a dimension nests its parentheses deeper than {MAX_NESTING}")));
        }
        self.depth += 1;
        let sign = if self.eat('-') { -1 } else { 1 };
        let mut sum = Poly::default().plus(sign, &self.product()?)?;
        loop {
            let sign = match (self.eat('+'), self.eat('-')) {
                (true, false) => 1,
                (false, true) => -1,
                (true, true) => return Err(self.expected("a term")),
                (false, false) => break,
            };
            sum = sum.plus(sign, &self.product()?)?;
        }
        self.depth -= 1;
        Ok(sum)
    }

    fn product(&mut self) -> Result<Poly> {
        let mut product = self.factor()?;
        while self.eat('*') {
            product = product.times(&self.factor()?)?;
        }
        Ok(product)
    }

    fn factor(&mut self) -> Result<Poly> {
        match self.rest.chars().next() {
            Some('(') => {
                self.advance(1);
                let sum = self.sum()?;
                self.expect(')')?;
                Ok(sum)
            }
            Some('"') => self.quoted_symbol(),
            Some(c) if c.is_ascii_digit() => Ok(Poly::number(i128::from(self.number()?))),
            Some(c) if is_name_start(c) => {
                let name = self.take_while(is_name);
                if self.eat('(') { self.function(name) } else { Ok(Poly::atom(self.dims.symbol(name))) }
            }
            _ => Err(self.expected("a number, a symbol or `(`")),
        }
    }

    fn number(&mut self) -> Result<u64> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.expected("a number"));
        }
        digits.parse().map_err(|_| super::poly::overflow())
    }

    /// Reads the operands of a function and the closing parenthesis.
    fn function(&mut self, name: &str) -> Result<Poly> {
        let value = match name {
            "floor" | "ceil" => {
                let sum = self.sum()?;
                self.expect('/')?;
                let n = self.number()?;
                if name == "ceil" { self.dims.ceil(&sum, n)? } else { self.dims.floor(&sum, n)? }
            }
            _ => {
                let Some(pair) = Pair::ALL.into_iter().find(|pair| pair.name() == name) else {
                    return Err(self.expected(&format!("a known function instead of `{name}`")));
                };
                let a = self.sum()?;
                self.expect(',')?;
                let b = self.sum()?;
                let (a, b) = (self.dims.intern(a)?, self.dims.intern(b)?);
                let d = self.dims.pair(pair, a, b)?;
                self.dims.entry(d).poly.clone()
            }
        };
        self.expect(')')?;
        Ok(value)
    }

    fn quoted_symbol(&mut self) -> Result<Poly> {
        let Some(end) = self.rest[1..].find('"') else { return Err(self.expected("a closing `\"`")) };
        let mut quoted = &self.rest[1..=end];
        let mut name = String::with_capacity(quoted.len());
        while let Some((before, escape)) = quoted.split_once('\\') {
            let code = escape.strip_prefix("u{").and_then(|code| code.split_once('}'));
            let decoded = code
                .and_then(|(hex, after)| Some((u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?, after)));
            let Some((c, after)) = decoded else { return Err(self.expected("a name whose escapes are `\\u{hex}`")) };
            name.push_str(before);
            name.push(c);
            quoted = after;
        }
        name.push_str(quoted);
        self.advance(end + 2);
        Ok(Poly::atom(self.dims.symbol(&name)))
    }
}
