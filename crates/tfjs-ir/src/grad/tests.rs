//! Gradients of random programs: they verify, have the right shapes, and leave the other outputs unchanged.

use super::*;
use crate::arbitrary::tests::{mutated, same_bits};
use crate::arbitrary::{Choices, Taste, inputs, program};
use crate::interpret::interpret;
use crate::pass::{common_subexpressions, dead_code, movement};
use crate::prim::reduce::ReduceOp;
use crate::prim::{Class, PrimKind};
use crate::program::Target;
use crate::ty::ElementType;
use crate::verify::verify;
use std::collections::BTreeSet;
use tfjs_manifest::Kind;

/// Adds the sum of the floating-point outputs as a further output, and its gradients with respect to all floating-point
/// inputs and weights.
fn with_gradients(program: &Program) -> Result<Program> {
    let mut b = Builder::resume(program.clone());
    let mut outputs: Vec<(String, Value)> =
        program.outputs.iter().cloned().zip(program.body.results.iter().copied()).collect();
    let mut loss = b.scalar(ElementType::F32, 0.0)?;
    for &(_, output) in &outputs {
        if b.ty(output).element.is_float() {
            let axes: Vec<usize> = (0..b.ty(output).rank()).collect();
            let sum = b.reduce(ReduceOp::Sum, output, &axes, false)?;
            let sum = b.cast(sum, ElementType::F32)?;
            loss = b.add(loss, sum)?;
        }
    }
    outputs.push(("loss".to_string(), loss));
    let program = b.finish(outputs)?;
    let of_inputs = (0..program.inputs.len()).filter(|&i| program.inputs[i].ty.element.is_float()).map(Wrt::Input);
    let of_slots = (0..program.slots.len()).map(|i| SlotId::new(i).map(Wrt::Slot)).collect::<Result<Vec<_>>>()?;
    grad(&program, "loss", &of_inputs.chain(of_slots).collect::<Vec<_>>())
}

#[test]
fn random_programs_have_gradients() {
    let (mut seen, mut failed) = (BTreeSet::new(), 0);
    for seed in 0..100 {
        let mut choices = Choices::seeded(seed);
        let program = program(&mut choices, Taste::Any, 20).unwrap();
        let differentiated = match with_gradients(&program) {
            Ok(differentiated) => differentiated,
            Err(e) => {
                assert!(matches!(e.kind(), Kind::Unsupported | Kind::Limit), "seed {seed}: {e}\n{program}");
                failed += 1;
                continue;
            }
        };
        verify(&differentiated).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{differentiated}"));
        let text = differentiated.to_string();
        assert_eq!(text.parse::<Program>().unwrap().to_string(), text, "seed {seed}");
        let smaller = dead_code(&common_subexpressions(&movement(&differentiated).unwrap()).unwrap()).unwrap();
        verify(&smaller).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{smaller}"));
        seen.extend(program.body.nodes.iter().map(|node| node.prim.kind()));
        for symbols in [[1, 1, 1], [2, 3, 5], [0, 2, 3], [3, 0, 4], [7, 4, 0]] {
            let call = inputs(&mut choices, &program, &symbols).unwrap();
            let Ok(before) = interpret(&program, &call) else { continue };
            let after =
                interpret(&differentiated, &call).unwrap_or_else(|e| panic!("seed {seed}, {symbols:?}: {e}\n{text}"));
            for (i, (a, b)) in before.outputs.iter().zip(&after.outputs).enumerate() {
                assert_eq!((a.element(), a.dims()), (b.element(), b.dims()), "seed {seed}, output {i}");
            }
            same_bits(&differentiated, &smaller, &call);
            let mut targets: Vec<Target> = before.updates.iter().map(|(target, _)| *target).collect();
            targets.sort();
            let mut found: Vec<Target> = after.updates.iter().map(|(target, _)| *target).collect();
            found.sort();
            assert_eq!(targets, found, "seed {seed}");
        }
    }
    assert!(failed < 10, "{failed} programs have no gradients");
    let missing = PrimKind::ALL.iter().filter(|kind| kind.class() != Class::Host && !seen.contains(*kind));
    assert_eq!(missing.collect::<Vec<_>>(), [&PrimKind::Opaque]);
}

#[test]
fn what_verifies_does_not_panic() {
    let mut differentiated = 0;
    for seed in 0..30 {
        let mut choices = Choices::seeded(2000 + seed);
        let text = program(&mut choices, Taste::Any, 16).unwrap().to_string();
        for _ in 0..30 {
            let Ok(program) = mutated(&mut choices, &text).parse::<Program>() else { continue };
            match with_gradients(&program) {
                Ok(gradients) => {
                    verify(&gradients).unwrap_or_else(|e| panic!("{e}\n{program}\n{gradients}"));
                    differentiated += 1;
                }
                Err(e) => assert_ne!(e.kind(), Kind::Bug, "{e}\n{program}"),
            }
        }
    }
    assert!(differentiated > 100, "{differentiated} programs differentiated");
}
