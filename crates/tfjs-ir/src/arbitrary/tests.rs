//! Properties of random programs, and helpers shared with the tests of the passes.

use super::*;
use crate::expand::expand;
use crate::interpret::{Budget, Outcome, interpret, interpret_within};
use crate::prim::{Class, PrimKind};
use crate::verify::verify;
use std::collections::BTreeSet;

/// Calls `f` with random programs, and with calls of them whose symbols are small numbers.
pub(crate) fn for_each(taste: Taste, programs: u64, mut f: impl FnMut(&Program, &[Inputs])) {
    for seed in 0..programs {
        let mut choices = Choices::seeded(seed);
        let program = program(&mut choices, taste, 24).unwrap();
        let calls: Vec<Inputs> = (0..4)
            .map(|_| {
                let symbols: Vec<u64> = (0..3).map(|_| *choices.one_of(&[0, 1, 2, 2, 3, 5, 7])).collect();
                inputs(&mut choices, &program, &symbols).unwrap()
            })
            .collect();
        f(&program, &calls);
    }
}

/// The results of a call, or the kind of its error.
fn run(program: &Program, call: &Inputs) -> std::result::Result<Outcome, tfjs_manifest::Kind> {
    interpret(program, call).map_err(|e| e.kind())
}

/// Fails unless two programs return the same bits.
#[track_caller]
pub(crate) fn same_bits(a: &Program, b: &Program, call: &Inputs) {
    let (left, right) = (run(a, call), run(b, call));
    // NaN equals itself in the text.
    assert!(left == right || format!("{left:?}") == format!("{right:?}"), "{a}\n{b}\n{left:?}\n{right:?}");
}

/// Fails unless two programs return the same values within rounding.
#[track_caller]
fn close(a: &Program, b: &Program, call: &Inputs) -> bool {
    let (left, right) = match (run(a, call), run(b, call)) {
        (Ok(left), Ok(right)) => (left, right),
        (left, right) => {
            assert_eq!(left.err(), right.err(), "{a}\n{b}");
            return false;
        }
    };
    let all = |outcome: Outcome| outcome.outputs.into_iter().chain(outcome.updates.into_iter().map(|(_, array)| array));
    for (i, (x, y)) in all(left).zip(all(right)).enumerate() {
        assert_eq!((x.element(), x.dims()), (y.element(), y.dims()));
        let (x, y) = (x.to_floats().unwrap(), y.to_floats().unwrap());
        let scale = x.iter().filter(|x| x.is_finite()).fold(1.0f64, |most, x| most.max(x.abs()));
        let same = |(&x, &y): (&f64, &f64)| x == y || (x - y).abs() <= 2e-4 * scale || x.is_nan() && y.is_nan();
        assert!(x.iter().zip(&y).all(same), "output {i}\n{a}\n{b}\n{x:?}\n{y:?}\n{call:?}");
    }
    true
}

#[test]
fn programs_verify_and_are_read_back() {
    let mut seen = BTreeSet::new();
    for_each(Taste::Any, 100, |program, calls| {
        verify(program).unwrap();
        let text = program.to_string();
        let read: Program = text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(read.to_string(), text);
        same_bits(program, &read, &calls[0]);
        seen.extend(program.body.nodes.iter().map(|node| node.prim.kind()));
    });
    let missing: Vec<PrimKind> = PrimKind::ALL.iter().copied().filter(|kind| !seen.contains(kind)).collect();
    assert_eq!(missing, [PrimKind::Opaque, PrimKind::Lookup, PrimKind::ToText, PrimKind::Cross]);
}

#[test]
fn expansions_compute_the_same() {
    let mut compared = 0;
    for_each(Taste::Tame, 150, |program, calls| {
        let expanded = expand(program, &|_| false).unwrap();
        verify(&expanded).unwrap_or_else(|e| panic!("{e}\n{expanded}"));
        let half = expand(program, &|prim| matches!(prim.kind(), PrimKind::Activate | PrimKind::Moments)).unwrap();
        verify(&half).unwrap();
        assert!(expanded.body.nodes.iter().all(|node| node.prim.class() != Class::Composite));
        for call in calls {
            compared += u32::from(close(program, &expanded, call));
        }
        close(program, &half, &calls[0]);
    });
    assert!(compared > 150, "{compared} calls compared");
}

/// A copy of the text in which some numbers and words, mostly those of attributes, are replaced.
pub(crate) fn mutated(choices: &mut Choices<'_>, text: &str) -> String {
    let words = ["max", "min", "same", "valid", "true", "false", "batch", "time", "f32", "i32", "bool", "0", "1", "2"];
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    for _ in 0..choices.below(2) + 1 {
        let at = choices.below(lines.len());
        let line = &mut lines[at];
        let first = if choices.below(8) > 0 { line.find('{').unwrap_or(0) } else { 0 };
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let starts: Vec<usize> = line
            .char_indices()
            .filter(|&(i, c)| i >= first && is_word(c) && !line[..i].chars().next_back().is_some_and(is_word))
            .map(|(i, _)| i)
            .collect();
        if starts.is_empty() {
            continue;
        }
        let start = *choices.one_of(&starts);
        let end = line[start..].find(|c| !is_word(c)).map_or(line.len(), |end| start + end);
        let number = choices.below(9).to_string();
        let word = if choices.flip() { &number } else { *choices.one_of(&words) };
        line.replace_range(start..end, word);
    }
    lines.join("\n")
}

#[test]
fn what_verifies_does_not_panic() {
    let budget = Budget { elements: 10_000, work: 200_000 };
    let (programs, each) = (20, 40);
    let mut evaluated = 0;
    for seed in 0..programs {
        let mut choices = Choices::seeded(1000 + seed);
        let text = program(&mut choices, Taste::Any, 16).unwrap().to_string();
        for _ in 0..each {
            let Ok(program) = mutated(&mut choices, &text).parse::<Program>() else { continue };
            let symbols: Vec<u64> = program.dims.symbols().map(|_| *choices.one_of(&[0, 1, 2, 3, 5])).collect();
            let Ok(call) = inputs(&mut choices, &program, &symbols) else { continue };
            let outcome = interpret_within(&program, &call, budget);
            evaluated += u32::from(outcome.is_ok());
            if let Err(e) = outcome {
                assert_ne!(e.kind(), tfjs_manifest::Kind::Bug, "{e}\n{program}");
            }
            if let Ok(expanded) = expand(&program, &|_| false) {
                verify(&expanded).unwrap_or_else(|e| panic!("{e}\n{program}\n{expanded}"));
                let _ = interpret_within(&expanded, &call, budget);
            }
        }
    }
    assert!(evaluated > 30, "{evaluated} programs evaluated");
}
