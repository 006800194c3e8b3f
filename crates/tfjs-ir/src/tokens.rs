//! Tokenization of text: standardize, split, join to n-grams.
//!
//! The number of tokens depends on the text, but a program's dimensions must be known before it runs. The runtime
//! therefore computes the tokens before it [binds](crate::Program::bind) the program, and passes them as one more
//! input; see [`InputRole::Tokens`](crate::InputRole::Tokens).
//!
//! The results are those of TensorFlow's `strings.lower`, `strings.regex_replace`, `strings.split`,
//! `strings.unicode_split` and `strings.ngrams`, as Keras's `TextVectorization` calls them.

use crate::clock::Clock;
use crate::dim::Dim;
use crate::prim::attribute::{Attribute, Reader, Writer};
use crate::prim::words;
use crate::ty::{ElementType, Type};
use std::mem::size_of;
use std::sync::Arc;
use std::time::Instant;
use tfjs_manifest::{Error, Limits, Result, Shape};

words! {
    /// How a text is split.
    Split {
        /// Not at all: each text is one token.
        Whole = "whole",
        /// At ASCII white space.
        Whitespace = "whitespace",
        /// Into its code points.
        Characters = "characters",
    }
}

/// Which consecutive tokens are joined, separated by a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ngrams {
    /// None.
    No,
    /// First every token, then every pair, and so on up to this width.
    UpTo(usize),
    /// All n-grams of the first width, then all of the second, and so on.
    Widths(Vec<usize>),
}

impl Attribute for Ngrams {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Ngrams::No => out.text("no"),
            Ngrams::UpTo(n) => n.write(out),
            Ngrams::Widths(widths) => widths.write(out),
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        if input.take("no") {
            return Ok(Ngrams::No);
        }
        let is_list = input.rest.trim_start().starts_with('[');
        if is_list { Vec::read(input).map(Ngrams::Widths) } else { usize::read(input).map(Ngrams::UpTo) }
    }
}

/// How a text is tokenized.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tokenizer {
    /// Whether ASCII letters are lowercased.
    pub lower: bool,
    /// Whether ASCII punctuation is removed.
    pub strip: bool,
    /// How a text is split.
    pub split: Split,
    /// Which tokens are joined.
    pub ngrams: Ngrams,
    /// The number of tokens of each row: longer rows are truncated, shorter ones padded with empty tokens. By default
    /// the length of the longest row.
    pub length: Option<usize>,
}

/// The memory and time that all tokens of a call may take together.
#[derive(Debug)]
pub struct TokenBudget {
    elements: u64,
    bytes: u64,
    spent: u64,
    clock: Clock,
}

/// Bytes that the allocation of a token takes besides its characters: the counters, and the rounding of its size.
const ALLOCATION: usize = 32;

impl TokenBudget {
    /// At most `elements` tokens of each text, and `bytes` for the tokens of all.
    pub fn new(elements: u64, bytes: u64, deadline: Option<Instant>) -> Self {
        TokenBudget { elements, bytes, spent: 0, clock: Clock::new(deadline) }
    }

    /// Bytes that the tokens take so far.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    fn pay(&mut self, bytes: u64) -> Result<()> {
        self.spent = self.spent.saturating_add(bytes);
        Limits::check("activation bytes (tokens of text)", self.spent, self.bytes)
    }

    /// Pays for a token of this many bytes, before it is allocated.
    fn token(&mut self, bytes: usize) -> Result<()> {
        self.clock.look(bytes.saturating_add(ALLOCATION))?;
        self.pay((bytes.saturating_add(size_of::<Arc<str>>() + ALLOCATION)) as u64)
    }
}

/// Text with its dimensions, in row-major order.
pub type Text = (Vec<usize>, Vec<Arc<str>>);

impl Tokenizer {
    /// Whether the tokens have the dimensions of the text.
    fn keeps_dims(&self) -> bool {
        self.split == Split::Whole && self.ngrams == Ngrams::No && self.length.is_none()
    }

    /// The dimensions before that of the tokens, for a text of dimensions `dims`.
    fn rows<'a, T: Copy>(&self, dims: &'a [T], is_one: impl Fn(T) -> bool) -> Result<&'a [T]> {
        match (dims, self.split) {
            ([rows @ .., _], Split::Whole) if !rows.is_empty() => Ok(rows),
            ([_, .., last], Split::Whitespace | Split::Characters) if is_one(*last) => Ok(&dims[..dims.len() - 1]),
            ([_], Split::Whitespace | Split::Characters) => Ok(dims),
            _ => Err(Error::malformed("expected texts of rank 1, or of rank 2 with a last axis of 1")),
        }
    }

    /// The type of the tokens of a text. `length` is the length of their last axis if the tokenizer does not fix it.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for texts with a last axis other than 1 that are to be split.
    pub fn infer(&self, text: &Type, length: Dim) -> Result<Type> {
        if text.element != ElementType::String {
            return Err(Error::malformed("expected strings, found numbers"));
        }
        if self.keeps_dims() {
            return Ok(text.clone());
        }
        let mut dims = self.rows(&text.dims, |dim| dim == Dim::ONE)?.to_vec();
        dims.push(length);
        Ok(text.with_dims(dims))
    }

    /// The tokens of texts of these dimensions, with the dimensions of the tokens.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past the budget; as [`infer`](Tokenizer::infer).
    pub fn apply(&self, dims: &[usize], texts: &[Arc<str>], budget: &mut TokenBudget) -> Result<Text> {
        if self.keeps_dims() {
            let mut tokens = reserve(texts.len())?;
            for text in texts {
                budget.token(text.len())?;
                tokens.push(self.standardize(text).into());
            }
            return Ok((dims.to_vec(), tokens));
        }
        let rows = self.rows(dims, |dim| dim == 1)?;
        let count = Shape::new(rows)?.elements();
        budget.pay((count as u64).saturating_mul(size_of::<Vec<Arc<str>>>() as u64))?;
        let in_row = texts.len().checked_div(count).unwrap_or(0);
        let texts_of = |row: usize| texts.get(row * in_row..(row + 1) * in_row).unwrap_or(&[]);
        let mut found = reserve(count)?;
        for row in 0..count {
            found.push(self.row(texts_of(row), budget)?);
        }
        let length = self.length.unwrap_or_else(|| found.iter().map(Vec::len).max().unwrap_or(0));
        let mut dims = rows.to_vec();
        dims.push(length);
        let elements = Shape::new(dims.clone())?.elements();
        Limits::check("elements (of one value)", elements as u64, budget.elements)?;
        budget.pay((elements as u64).saturating_mul(size_of::<Arc<str>>() as u64))?;
        let mut tokens = reserve(elements)?;
        let none: Arc<str> = "".into();
        for row in found {
            budget.clock.look(length)?;
            let missing = length.saturating_sub(row.len());
            tokens.extend(row.into_iter().take(length));
            // SIZE: checked against the limits, the length of the row.
            tokens.extend(std::iter::repeat_n(none.clone(), missing));
        }
        Ok((dims, tokens))
    }

    fn standardize(&self, text: &str) -> String {
        let kept = text.chars().filter(|c| !self.strip || !c.is_ascii_punctuation());
        kept.map(|c| if self.lower { c.to_ascii_lowercase() } else { c }).collect()
    }

    /// The tokens of one row of texts; of a single text, if texts are split.
    fn row(&self, texts: &[Arc<str>], budget: &mut TokenBudget) -> Result<Vec<Arc<str>>> {
        let mut tokens: Vec<Arc<str>> = Vec::new();
        for text in texts {
            let text = self.standardize(text);
            budget.clock.look(text.len())?;
            let mut push = |token: &str| budget.token(token.len()).map(|()| tokens.push(token.into()));
            match self.split {
                Split::Whole => push(&text)?,
                Split::Whitespace => text.split(is_space).filter(|token| !token.is_empty()).try_for_each(push)?,
                Split::Characters => text.chars().try_for_each(|c| push(c.encode_utf8(&mut [0; 4])))?,
            }
        }
        let mut joined = Vec::new();
        let join = |width: usize| {
            budget.clock.look(1)?;
            for window in tokens.windows(width) {
                budget.token(window.iter().map(|token| token.len() + 1).sum())?;
                joined.push(window.join(" ").into());
            }
            Ok(())
        };
        match &self.ngrams {
            Ngrams::No => return Ok(tokens),
            // No n-gram is wider than the row.
            Ngrams::UpTo(n) => (1..=tokens.len().min(*n)).try_for_each(join)?,
            Ngrams::Widths(widths) => widths.iter().copied().filter(|&width| width > 0).try_for_each(join)?,
        }
        Ok(joined)
    }
}

/// `isspace` of the C locale, by which TensorFlow splits.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// An empty vector with memory for this many elements.
fn reserve<T>(elements: usize) -> Result<Vec<T>> {
    let mut out = Vec::new();
    let no_memory = |e| Error::limit(format!("no memory for {elements} tokens")).with_source(e);
    out.try_reserve_exact(elements).map_err(no_memory)?;
    Ok(out)
}

impl Attribute for Tokenizer {
    fn write(&self, out: &mut Writer<'_>) {
        out.text("{");
        out.attribute("lower", &self.lower);
        out.attribute("strip", &self.strip);
        out.attribute("split", &self.split);
        out.attribute("ngrams", &self.ngrams);
        out.attribute("length", &self.length);
        out.text("}");
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        input.expect("{")?;
        input.restart();
        let tokenizer = Tokenizer {
            lower: input.attribute("lower")?,
            strip: input.attribute("strip")?,
            split: input.attribute("split")?,
            ngrams: input.attribute("ngrams")?,
            length: input.attribute("length")?,
        };
        input.expect("}")?;
        Ok(tokenizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    fn budget() -> TokenBudget {
        TokenBudget::new(1000, 10_000, None)
    }

    fn plain(split: Split) -> Tokenizer {
        Tokenizer { lower: false, strip: false, split, ngrams: Ngrams::No, length: None }
    }

    #[track_caller]
    fn check(tokenizer: &Tokenizer, dims: &[usize], texts: &[&str], expect: (&[usize], &[&str])) {
        let texts: Vec<Arc<str>> = texts.iter().map(|&text| text.into()).collect();
        let (dims, tokens) = tokenizer.apply(dims, &texts, &mut budget()).unwrap();
        assert_eq!((&dims[..], tokens.iter().map(|token| &**token).collect::<Vec<_>>()), (expect.0, expect.1.to_vec()));
    }

    #[test]
    fn splits_as_tensorflow_does() {
        let words = plain(Split::Whitespace);
        let text = "a\u{b}b\u{c}c\u{a0}d\u{3000}e\u{1c}f\u{85}g\u{2003}h";
        check(&words, &[1], &[text], (&[1, 3], &["a", "b", "c\u{a0}d\u{3000}e\u{1c}f\u{85}g\u{2003}h"]));
        check(&words, &[2, 1], &[" a  b ", ""], (&[2, 2], &["a", "b", "", ""]));
        check(&plain(Split::Characters), &[2], &["日é", "x"], (&[2, 2], &["日", "é", "x", ""]));
        check(&Tokenizer { length: Some(1), ..words.clone() }, &[2], &["a b", ""], (&[2, 1], &["a", ""]));
        check(&Tokenizer { length: Some(0), ..words.clone() }, &[1], &["a b"], (&[1, 0], &[]));
        check(&words, &[0, 1], &[], (&[0, 0], &[]));
        let padded = Tokenizer { length: Some(2), ..plain(Split::Whole) };
        check(&padded, &[2, 0], &[], (&[2, 2], &["", "", "", ""]));
        let message = words.apply(&[1, 2], &["a".into(), "b".into()], &mut budget()).unwrap_err().to_string();
        assert_eq!(message, "expected texts of rank 1, or of rank 2 with a last axis of 1");
    }

    #[test]
    fn standardizes_ascii() {
        let both = Tokenizer { lower: true, strip: true, ..plain(Split::Whole) };
        check(&both, &[2], &["ÉÀB İ", "a!\"#b$%&'()*+,-./:;<=>?@[\\]^_`{|}~c’"], (&[2], &["ÉÀb İ", "abc’"]));
    }

    #[test]
    fn joins_in_the_order_of_the_widths() {
        let widths =
            |widths: &[usize]| Tokenizer { ngrams: Ngrams::Widths(widths.to_vec()), ..plain(Split::Whitespace) };
        let expect: &[&str] = &["a b c", "a", "b", "c", "a b", "b c", "d", "", "", "", "", ""];
        check(&widths(&[3, 1, 2, 0]), &[2], &["a b c", "d"], (&[2, 6], expect));
        let up_to = Tokenizer { ngrams: Ngrams::UpTo(usize::MAX), ..plain(Split::Whole) };
        check(&up_to, &[1, 2], &["d", "f"], (&[1, 3], &["d", "f", "d f"]));
    }

    #[test]
    fn what_tokens_take_is_limited() {
        let words = Tokenizer { ngrams: Ngrams::UpTo(500), ..plain(Split::Characters) };
        let error = words.apply(&[1], &["x".repeat(400).into()], &mut budget()).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
        let long = Tokenizer { length: Some(1 << 50), ..plain(Split::Whitespace) };
        assert_eq!(long.apply(&[1], &["x".into()], &mut budget()).unwrap_err().kind(), Kind::Limit);
    }

    #[test]
    fn the_tokens_of_all_texts_have_one_budget() {
        let (words, mut budget) = (plain(Split::Whitespace), budget());
        let text: [Arc<str>; 1] = ["a ".repeat(60).into()];
        words.apply(&[1], &text, &mut budget).unwrap();
        assert!((3_000..10_000).contains(&budget.spent()), "{}", budget.spent());
        let more = (0..3).find_map(|_| words.apply(&[1], &text, &mut budget).err());
        assert_eq!(more.unwrap().kind(), Kind::Limit);
    }

    #[test]
    fn the_deadline_ends_a_tokenization() {
        let mut budget = TokenBudget::new(u64::MAX, u64::MAX, Some(Instant::now()));
        for ngrams in [Ngrams::UpTo(2), Ngrams::Widths(vec![4_000_000; 2_000_000])] {
            let words = Tokenizer { ngrams, ..plain(Split::Whitespace) };
            let error = words.apply(&[1], &["a ".repeat(600_000).into()], &mut budget).unwrap_err();
            assert!(error.message().contains("deadline"), "{error}");
        }
    }

    #[test]
    fn is_read_back() {
        for ngrams in [Ngrams::No, Ngrams::UpTo(2), Ngrams::Widths(vec![1, 3])] {
            let tokenizer = Tokenizer { ngrams, length: Some(3), ..plain(Split::Whitespace) };
            let dims = crate::dim::Dims::new();
            let mut out = Writer::new(&dims, &[], 0);
            tokenizer.write(&mut out);
            assert_eq!(Tokenizer::read(&mut Reader::new(&out.text)).unwrap(), tokenizer);
        }
    }
}
