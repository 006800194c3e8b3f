//! Operands that kernels do not take, and inputs in various layouts.

use super::{Case, floats, input, tensor};
use crate::engine::call::Call;
use crate::value::Data;
use tfjs_ir::ElementType::{self, F32};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};

#[test]
fn half_precision_runs_in_the_interpreter() {
    let case = Case::new(|b| {
        let x = input(b, ElementType::F16, &["n", "3"]);
        Ok(vec![b.binary_scalar(BinaryOp::Mul, x, 1.0 / 3.0)?])
    });
    assert_eq!(case.plan.selection.root.steps[0].kernel.as_ref().map(|k| k.engine().name()), Some("reference"));
    case.agrees(&[4]);
}

#[test]
fn text_is_handled_on_the_host() {
    let case = Case::new(|b| {
        let x = input(b, ElementType::String, &["n", "2"]);
        let y = input(b, ElementType::String, &["n", "2"]);
        Ok(vec![b.compare(CompareOp::Eq, x, y)?, x])
    });
    assert_eq!(case.plan.selection.root.steps[0].kernel.as_ref().map(|k| k.engine().name()), Some("host"));
    assert!(case.plan.reference_layers().is_empty());
    case.agrees(&[3]);
}

#[test]
fn an_input_of_any_layout_is_read() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "3"]);
        Ok(vec![b.unary(UnaryOp::Neg, x)?])
    });
    let x = tensor(&floats(&[3, 2], (0..6).map(f64::from)));
    let bound = case.program.dims.bind(&[]).unwrap();
    let inputs = [Data::Tensor(x.t().unwrap())];
    let call = Call::plain(&bound, &inputs);
    let outcome = case.plan.run(&call).unwrap();
    let Data::Tensor(y) = &outcome.outputs[0] else { panic!("numbers") };
    assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.0, -2.0, -4.0], [-1.0, -3.0, -5.0]]);
}
