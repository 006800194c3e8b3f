//! Properties of random programs, and what tests of passes share.

use super::*;
use crate::expand::expand;
use crate::interpret::{Outcome, interpret};
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

/// The numbers that a call gives, or the kind of its error.
fn run(program: &Program, call: &Inputs) -> std::result::Result<Outcome, tfjs_manifest::Kind> {
    interpret(program, call).map_err(|e| e.kind())
}

/// Fails unless two programs give the same bits.
#[track_caller]
pub(crate) fn same_bits(a: &Program, b: &Program, call: &Inputs) {
    let (left, right) = (run(a, call), run(b, call));
    // NaN equals itself in the text.
    assert!(left == right || format!("{left:?}") == format!("{right:?}"), "{a}\n{b}\n{left:?}\n{right:?}");
}

/// Fails unless two programs give the same within rounding.
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
    for_each(Taste::Any, 150, |program, calls| {
        verify(program).unwrap();
        let text = program.to_string();
        let read: Program = text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(read.to_string(), text);
        same_bits(program, &read, &calls[0]);
        seen.extend(program.body.nodes.iter().map(|node| node.prim.kind()));
    });
    let missing: Vec<PrimKind> = PrimKind::ALL.iter().copied().filter(|kind| !seen.contains(kind)).collect();
    assert_eq!(missing, [PrimKind::Opaque, PrimKind::Lookup, PrimKind::ToText]);
}

#[test]
fn expansions_compute_the_same() {
    let mut compared = 0;
    for_each(Taste::Tame, 300, |program, calls| {
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
    assert!(compared > 300, "{compared} calls compared");
}
