//! Memory, limits, deadlines, opaque functions.

use super::{Case, input, weight};
use crate::engine::call::OpaqueFunction;
use crate::native::instance::Instance;
use candle_core::Tensor;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tfjs_ir::ElementType::F32;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::control::Opaque;
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_ir::{OpaqueId, Origin};
use tfjs_manifest::{Error, Kind, Result};

/// A chain of dense layers of 8 units.
fn chain(layers: usize) -> Case {
    Case::new(|b| {
        let mut x = input(b, F32, &["n", "8"]);
        for _ in 0..layers {
            let kernel = weight(b, &[8, 8]);
            x = b.matmul(x, kernel)?;
            x = b.activate(Activation::RELU, x)?;
        }
        Ok(vec![x])
    })
}

fn bytes(case: &Case, n: usize) -> u64 {
    let program = &case.plan.selection.program;
    let bound = program.bind(&[&[n, 8]]).unwrap();
    Instance::new(&case.plan.selection.root, program, &bound, 0).unwrap().layout.bytes().unwrap()
}

#[test]
fn a_chain_needs_two_buffers_however_long_it_is() {
    assert_eq!(bytes(&chain(2), 3), 2 * 3 * 8 * 4);
    assert_eq!(bytes(&chain(9), 3), 2 * 3 * 8 * 4);
}

#[test]
fn functions_of_each_element_work_in_place() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "8"]);
        let mut y = b.add(x, x)?;
        for function in [Activation::RELU, Activation::Tanh {}, Activation::Sigmoid {}] {
            y = b.activate(function, y)?;
        }
        let z = b.unary(UnaryOp::Exp, y)?;
        let flat = b.dims_of(z);
        let all = b.dims().product(&flat)?;
        let z = b.reshape(z, &[all])?;
        Ok(vec![b.add(z, z)?])
    });
    assert_eq!(bytes(&case, 2), 2 * 2 * 8 * 4);
    case.agrees(&[2]);
}

#[test]
fn a_value_that_is_still_read_is_not_overwritten() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "8"]);
        let y = b.add(x, x)?;
        let z = b.activate(Activation::Tanh {}, y)?;
        let w = b.sub(y, z)?;
        Ok(vec![w, y])
    });
    case.agrees(&[2]);
}

#[test]
fn one_plan_serves_many_shapes_at_once() {
    let case = chain(3);
    std::thread::scope(|scope| {
        for n in [0, 1, 5, 2, 1, 5] {
            let case = &case;
            scope.spawn(move || (0..20).for_each(|_| case.agrees(&[n])));
        }
    });
}

#[test]
fn the_limit_is_checked_before_anything_is_allocated() {
    let case = chain(2);
    let inputs = case.inputs(&[3], 1);
    // Two buffers, and the output, which is copied.
    let needed = 3 * 3 * 8 * 4;
    case.run_with(&inputs, &[], needed, None).unwrap();
    let error = case.run_with(&inputs, &[], needed - 1, None).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
    assert_eq!(
        error.message(),
        "limit `activation_bytes` (memory of one prediction): allowed 287, asked 288; predict fewer examples at a time, or raise it in `Limits` if this model \
         is trusted"
    );
}

#[test]
fn a_value_larger_than_the_address_space_is_an_error() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "1"]);
        let n = b.dims_of(x)[0];
        let huge = b.dims().number(1 << 40);
        let wide = b.broadcast_to(x, &[huge, huge, n, tfjs_ir::Dim::ONE])?;
        Ok(vec![b.reduce(tfjs_ir::prim::reduce::ReduceOp::Sum, wide, &[0, 1], false)?])
    });
    let error = case.run(&case.inputs(&[2], 1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
    case.run(&case.inputs(&[0], 1)).unwrap();
}

#[test]
fn a_deadline_ends_the_call() {
    let case = chain(2);
    let inputs = case.inputs(&[3], 1);
    let passed = Instant::now() - Duration::from_millis(1);
    let error = case.run_with(&inputs, &[], u64::MAX, Some(passed)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Limit, "the prediction was not finished before its deadline"));
    let later = Instant::now() + Duration::from_secs(3600);
    case.run_with(&inputs, &[], u64::MAX, Some(later)).unwrap();
}

#[derive(Debug)]
struct Doubled;

impl OpaqueFunction for Doubled {
    fn run(&self, operands: &[Tensor]) -> Result<Vec<Tensor>> {
        let doubled = operands[0].affine(2.0, 0.0);
        doubled.map(|tensor| vec![tensor]).map_err(Error::custom)
    }
}

#[derive(Debug)]
struct Flat;

impl OpaqueFunction for Flat {
    fn run(&self, operands: &[Tensor]) -> Result<Vec<Tensor>> {
        operands[0].flatten_all().map(|tensor| vec![tensor]).map_err(Error::custom)
    }
}

#[test]
fn functions_of_the_caller_run_between_kernels() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "8"]);
        let x = b.activate(Activation::RELU, x)?;
        b.set_origin(Origin { layer: "mine".into(), ..Origin::default() })?;
        let results = vec![b.ty(x).clone()];
        let y = b.one(Opaque { function: OpaqueId(0), results, class: "Doubled".to_string() }, &[x])?;
        b.set_origin(Origin::default())?;
        Ok(vec![b.sub(y, x)?, x])
    });
    assert_eq!(case.plan.opaque_layers(), ["mine"]);
    assert!(case.plan.reference_layers().is_empty());
    let inputs = case.inputs(&[3], 1);
    let outcome = case.run_with(&inputs, &[Arc::new(Doubled)], u64::MAX, None).unwrap();
    let values = |i: usize| super::array(&outcome.outputs[i], &inputs.arguments[0]).to_floats().unwrap();
    assert_eq!(values(0), values(1));
    let error = case.run_with(&inputs, &[Arc::new(Flat)], u64::MAX, None).unwrap_err();
    assert_eq!(error.to_string(), "layer `mine`: `Doubled` promised a result of shape [3, 8], found [24]");
}
