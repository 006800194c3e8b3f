//! Equations of `einsum`: `ab,bc->ac`, `...x,xy->...y`.
//!
//! Reference: NumPy's `einsum`, which `keras.ops.einsum` and `tf.einsum` follow.

use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Limits, Result};

/// An axis of an equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Label {
    /// An axis covered by `...`, counted from the last of them.
    Elided(usize),
    /// A letter.
    Named(char),
}

/// An equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equation {
    inputs: Vec<Term>,
    /// The output; without one, it has every letter that occurs once.
    output: Option<Term>,
}

/// The axes of an operand or of the result: letters around `...`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    before: Vec<char>,
    /// The letters after `...`, if it occurs.
    after: Option<Vec<char>>,
}

impl Term {
    fn parse(text: &str) -> Option<Term> {
        let letters =
            |part: &str| -> Option<Vec<char>> { part.chars().map(|c| c.is_ascii_alphabetic().then_some(c)).collect() };
        match text.split_once("...") {
            Some((before, after)) => Some(Term { before: letters(before)?, after: Some(letters(after)?) }),
            None => Some(Term { before: letters(text)?, after: None }),
        }
    }

    fn letters(&self) -> usize {
        self.before.len() + self.after.as_ref().map_or(0, Vec::len)
    }

    fn chars(&self) -> impl Iterator<Item = char> {
        self.before.iter().chain(self.after.iter().flatten()).copied()
    }

    /// The axes, if `...` covers this many.
    fn labels(&self, elided: usize) -> Vec<Label> {
        let mut out: Vec<Label> = self.before.iter().copied().map(Label::Named).collect();
        if let Some(after) = &self.after {
            out.extend((0..elided).rev().map(Label::Elided));
            out.extend(after.iter().copied().map(Label::Named));
        }
        out
    }
}

/// The axes of the operands and of the result of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) inputs: Vec<Vec<Label>>,
    pub(crate) output: Vec<Label>,
}

/// Most bytes of an equation, which is parsed at each call.
const MOST_BYTES: u64 = 1 << 10;

impl Equation {
    /// Parses an equation, ignoring spaces.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for any other text;
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for one of more than [`MOST_BYTES`].
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Limits::check("bytes of an equation", text.len() as u64, MOST_BYTES)?;
        let wrong = || {
            let text = shorten(text);
            Error::malformed(format!("expected an equation such as `ab,bc->ac` or `...x,xy->...y`, found `{text}`"))
        };
        let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = match dense.split_once("->") {
            Some((inputs, output)) => (inputs, Some(Term::parse(output).ok_or_else(wrong)?)),
            None => (&dense[..], None),
        };
        let inputs = inputs.split(',').map(Term::parse).collect::<Option<Vec<Term>>>().ok_or_else(wrong)?;
        Ok(Equation { inputs, output })
    }

    /// The number of operands.
    pub(crate) fn operands(&self) -> usize {
        self.inputs.len()
    }

    /// The letters of an operand.
    pub(crate) fn operand(&self, index: usize) -> Vec<char> {
        self.inputs.get(index).map(|term| term.chars().collect()).unwrap_or_default()
    }

    /// The letters of the result, if the equation has an output.
    pub(crate) fn output(&self) -> Vec<char> {
        self.output.iter().flat_map(Term::chars).collect()
    }

    /// The side on which the output of the equation has `...`, if it has one.
    pub(crate) fn elides(&self) -> Option<Side> {
        let after = self.output.as_ref()?.after.as_ref()?;
        Some(if after.is_empty() { Side::Last } else { Side::First })
    }

    /// The axes of operands of these ranks, and of the result.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for another number of operands, other ranks, and a
    /// result with an axis that no operand has or that occurs twice.
    pub(crate) fn labels(&self, ranks: &[usize]) -> Result<Labels> {
        if ranks.len() != self.inputs.len() {
            let (expected, found) = (self.inputs.len(), ranks.len());
            return Err(Error::malformed(format!("the equation has {expected} operands, found {found}")));
        }
        let mut elided = 0;
        let mut inputs = Vec::new();
        for (i, (term, &rank)) in self.inputs.iter().zip(ranks).enumerate() {
            let letters = term.letters();
            let Some(rest) = rank.checked_sub(letters).filter(|&rest| rest == 0 || term.after.is_some()) else {
                let number = i + 1;
                return Err(Error::malformed(format!(
                    "operand {number} of the equation has {letters} axes, found a tensor of rank {rank}"
                )));
            };
            elided = elided.max(rest);
            inputs.push(term.labels(rest));
        }
        let output = match &self.output {
            Some(term) => term.labels(elided),
            None => implicit(&inputs, elided),
        };
        for (i, label) in output.iter().enumerate() {
            if output[..i].contains(label) {
                return Err(Error::malformed(format!("the result of the equation has {} twice", name(*label))));
            }
            if !inputs.iter().any(|input| input.contains(label)) {
                return Err(Error::malformed(format!(
                    "the result of the equation has {}, which no operand has",
                    name(*label)
                )));
            }
        }
        Ok(Labels { inputs, output })
    }
}

/// The position of `...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Before the letters.
    First,
    /// After the letters.
    Last,
}

/// The result of an equation without an output: the axes of `...`, then the letters that occur once, in order.
fn implicit(inputs: &[Vec<Label>], elided: usize) -> Vec<Label> {
    let mut named: Vec<Label> = inputs.iter().flatten().copied().filter(|l| matches!(l, Label::Named(_))).collect();
    named.sort_unstable();
    let once = |i: usize| (i == 0 || named[i - 1] != named[i]) && named.get(i + 1) != Some(&named[i]);
    let once: Vec<Label> = (0..named.len()).filter(|&i| once(i)).map(|i| named[i]).collect();
    (0..elided).rev().map(Label::Elided).chain(once).collect()
}

fn name(label: Label) -> String {
    match label {
        Label::Named(letter) => format!("`{letter}`"),
        Label::Elided(_) => "`...`".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels as text, an elided axis as its number.
    #[track_caller]
    fn check(equation: &str, ranks: &[usize], expect: &str) {
        let labels = Equation::parse(equation).and_then(|equation| equation.labels(ranks));
        let term = |labels: &[Label]| -> String {
            let one = |label: &Label| match label {
                Label::Named(letter) => letter.to_string(),
                Label::Elided(i) => i.to_string(),
            };
            labels.iter().map(one).collect()
        };
        let found = match labels {
            Ok(Labels { inputs, output }) => {
                let inputs: Vec<String> = inputs.iter().map(|labels| term(labels)).collect();
                format!("{}->{}", inputs.join(","), term(&output))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn equations() {
        check("ab,bc->ac", &[2, 2], "ab,bc->ac");
        check("a b , b c", &[2, 2], "ab,bc->ac");
        check("...x,xy->...y", &[3, 2], "10x,xy->10y");
        check("ab...,bc->ac...", &[3, 2], "ab0,bc->ac0");
        check("...,...", &[2, 1], "10,0->10");
        check("...ji", &[3], "0ji->0ij");
        check("ii->i", &[2], "ii->i");
        check("ij->", &[2], "ij->");
    }

    #[test]
    fn invalid_texts() {
        let message = "expected an equation such as `ab,bc->ac` or `...x,xy->...y`, found `a1->b`";
        check("a1->b", &[2], message);
        check("ab->ba", &[3], "operand 1 of the equation has 2 axes, found a tensor of rank 3");
        check("ab->ba", &[2, 2], "the equation has 1 operands, found 2");
        check("ab->ac", &[2], "the result of the equation has `c`, which no operand has");
        check("ab->aa", &[2], "the result of the equation has `a` twice");
        check("...a->a...a", &[3], "the result of the equation has `a` twice");
        check("a->...a...", &[1], "expected an equation such as `ab,bc->ac` or `...x,xy->...y`, found `a->...a...`");
    }
}
