//! Loops, functions of custom layers, updates, and sharing between threads.

use super::*;
use tfjs_ir::OpaqueId;
use tfjs_ir::build::Loop;
use tfjs_ir::prim::control::Opaque;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::Kind;

/// `carry' = carry / 2 + x`, collecting the carry and its double.
fn halving(b: &mut Builder, start: Value, x: Value, axis: usize, reverse: bool) -> tfjs_manifest::Result<Vec<Value>> {
    let length = b.ty(x).dims[axis];
    let half = b.full(ElementType::F32, &[], 0.5)?;
    let over = Loop { carries: &[start], sequences: &[x], invariants: &[half], length, axis, reverse };
    let (mut out, collected) = b.scan(over, |b, carries, elements, invariants| {
        let kept = b.mul(carries[0], invariants[0])?;
        let next = b.add(kept, elements[0])?;
        let two = b.scalar(ElementType::F32, 2.0)?;
        Ok((vec![next], vec![next, b.mul(next, two)?]))
    })?;
    out.extend(collected);
    Ok(out)
}

#[test]
fn loops() {
    for (axis, start) in [(0, [3, 2]), (1, [4, 2]), (2, [4, 3])] {
        for reverse in [false, true] {
            check(&[some(&start), some(&[4, 3, 2])], |b, v| halving(b, v[0], v[1], axis, reverse));
            // Results that are not read are not collected.
            check(&[some(&start), some(&[4, 3, 2])], |b, v| {
                let out = halving(b, v[0], v[1], axis, reverse)?;
                Ok(vec![out[2]])
            });
        }
    }
    check(&[some(&[2]), floats(&[2, 0], &[])], |b, v| halving(b, v[0], v[1], 1, false));
    check(&[floats(&[0], &[]), floats(&[0, 3], &[])], |b, v| halving(b, v[0], v[1], 1, false));
}

/// Doubles its operand, or returns another type than promised.
#[derive(Debug)]
struct Double {
    honest: bool,
}

impl OpaqueFunction for Double {
    fn run(&self, operands: &[Tensor]) -> tfjs_manifest::Result<Vec<Tensor>> {
        let double = (&operands[0] + &operands[0]).map_err(Error::custom)?;
        if self.honest { Ok(vec![double]) } else { Ok(vec![double.flatten_all().map_err(Error::custom)?]) }
    }
}

#[test]
fn functions_of_the_callers_own() {
    let x = some(&[2, 3]);
    let program = build(std::slice::from_ref(&x), |b, v| {
        let results = vec![b.ty(v[0]).clone()];
        b.push(Opaque { function: OpaqueId(0), results, class: "Double".into() }, v)
    });
    let given = Inputs::of([x.clone()]);
    let run = |honest| run_with(&program, &given, Layout::Turned, &[Arc::new(Double { honest })]);
    let expected = floats(&[2, 3], &x.to_floats().unwrap().iter().map(|x| 2.0 * x).collect::<Vec<_>>());
    assert_close(&run(true).unwrap()[0], &expected, 1e-6, &program);
    let error = run(false).unwrap_err();
    assert_eq!(error.kind(), Kind::Misuse);
    assert_eq!(error.message(), "`Double` promised `f32` of shape [2, 3], found `f32` of [6]");
}

#[test]
fn weights_and_states_are_replaced() {
    let mut b = Builder::default();
    let two = b.number(2);
    let ty = Type::new(ElementType::F32, [two]);
    let x = b.input("x", ty.clone()).unwrap();
    let slot = Target::Slot(b.slot("w", ty.clone()).unwrap());
    let states = ["a", "b"].map(|name| Target::State(b.state(name, ty.clone(), 0.0).unwrap()));
    for target in [slot, states[1]] {
        let old = b.get(target).unwrap();
        let new = b.add(old, x).unwrap();
        b.set(target, new).unwrap();
    }
    let y = b.get(slot).unwrap();
    let program = b.finish(vec![("y".into(), y)]).unwrap();
    let engine = CandleEngine::compile(&program).unwrap();
    let tensor = |values: [f32; 2]| Tensor::new(&values, &Device::Cpu).unwrap();
    let bound = program.bind(&[&[2]]).unwrap();
    let (inputs, states) = ([Data::Tensor(tensor([1.0, 2.0]))], [tensor([5.0, 5.0]), tensor([7.0, 7.0])]);
    let call = Call { states: &states, ..Call::plain(&bound, &inputs) };
    let mut weights = Weights::of([("w", tensor([10.0, 20.0]))]).unwrap();
    let outcome = engine.step(&call, &mut weights, &Device::Cpu).unwrap();
    let values = |tensor: &Tensor| tensor.to_vec1::<f32>().unwrap();
    assert_eq!(outcome.states.iter().map(values).collect::<Vec<_>>(), [[5.0, 5.0], [8.0, 9.0]]);
    assert_eq!(values(&weights.get("w").unwrap()), [11.0, 22.0]);
    // A prediction does not update weights.
    let again = engine.run(&call, &|_| weights.get("w"), &Device::Cpu).unwrap();
    let Data::Tensor(y) = &again.outputs[0] else { panic!("a tensor") };
    assert_eq!((values(y), values(&weights.get("w").unwrap())), (vec![12.0, 24.0], vec![11.0, 22.0]));
    let Data::Tensor(y) = &outcome.outputs[0] else { panic!("text") };
    assert_eq!(values(y), [11.0, 22.0]);
}

#[test]
fn threads_share_an_engine() {
    fn shared<T: Send + Sync>(engine: T) -> T {
        engine
    }
    let x = some(&[2, 3]);
    let program = build(std::slice::from_ref(&x), |b, v| Ok(vec![b.binary_scalar(BinaryOp::Add, v[0], 1.0)?]));
    let engine = shared(CandleEngine::compile(&program).unwrap());
    let bound = program.bind(&[&[2, 3]]).unwrap();
    let inputs = [laid_out(Typed::from_array(&x, &Device::Cpu).unwrap(), Layout::RowMajor).unwrap()];
    let run = || {
        let call = Call::plain(&bound, &inputs);
        let outcome = engine.run(&call, &|_| Err(Error::bug("no weights")), &Device::Cpu).unwrap();
        let Data::Tensor(y) = &outcome.outputs[0] else { panic!("text") };
        y.to_vec2::<f32>().unwrap()
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|found| *found == run()));
}

#[test]
fn a_missing_weight_is_the_callers_error() {
    let mut b = Builder::default();
    let slot = b.slot("w", Type::scalar(ElementType::F32)).unwrap();
    let y = b.get(Target::Slot(slot)).unwrap();
    let program = b.finish(vec![("y".into(), y)]).unwrap();
    let bound = program.bind(&[]).unwrap();
    let call = Call::plain(&bound, &[]);
    let missing = |_| Err(Error::fetch("the file is gone"));
    let error = CandleEngine::compile(&program).unwrap().run(&call, &missing, &Device::Cpu).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Fetch, "the file is gone"));
}
