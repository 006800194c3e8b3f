//! Where weights go, and which form is kept.

use super::{Case, input, weight};
use crate::native::NativePlan;
use crate::native::want::Format;
use crate::weights::Packed;
use tfjs_ir::ElementType::{F32, I64};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::{Program, SlotId};
use tfjs_topology::graph;

fn formats(case: &Case) -> Vec<(u32, Format)> {
    let mut formats: Vec<_> = case.plan.selection.packed_slots().into_iter().map(|(slot, f)| (slot.0, f)).collect();
    formats.sort_by_key(|(slot, _)| *slot);
    formats
}

#[test]
fn a_kernel_is_packed_and_kept_so() {
    let mut case = Case::new(|b| {
        let x = input(b, F32, &["n", "5"]);
        let (kernel, bias) = (weight(b, &[5, 4]), weight(b, &[4]));
        let y = b.matmul(x, kernel)?;
        Ok(vec![b.add(y, bias)?])
    });
    assert_eq!(formats(&case), [(0, Format::Matrix { k: 5, n: 4, transposed: false })]);
    assert!(matches!(case.weights.packed(graph::SlotId(0)), Some(Packed::Matrix(_))));
    assert!(case.weights.packed(graph::SlotId(1)).is_none());
    let places = NativePlan::places(&case.plan.selection);
    assert_eq!(places.keys().copied().collect::<Vec<_>>(), [graph::SlotId(0)]);
    // A second plan takes the packed form over.
    case.plan = NativePlan::compile(case.plan.selection.clone(), &mut case.weights, Some(2)).unwrap();
    case.agrees(&[3]);
}

#[test]
fn a_table_that_is_also_an_output_layer_keeps_its_values() {
    let case = Case::new(|b| {
        let (ids, table) = (input(b, I64, &["n"]), weight(b, &[7, 4]));
        let rows = b.gather(table, ids, 0, Bounds::Clamp)?;
        Ok(vec![b.dot(rows, table, &[], &[(1, 1)])?])
    });
    assert_eq!(case.kernels(), ["gather", "dense"]);
    assert!(formats(&case).is_empty() && case.weights.packed(graph::SlotId(0)).is_none());
    case.agrees(&[3]);
}

#[test]
fn a_kernel_that_two_layers_share_is_packed_once() {
    let case = Case::new(|b| {
        let (x, kernel) = (input(b, F32, &["n", "4"]), weight(b, &[4, 4]));
        let y = b.matmul(x, kernel)?;
        Ok(vec![b.matmul(y, kernel)?])
    });
    assert_eq!((case.plan.selection.wants.len(), formats(&case).len()), (1, 1));
    case.agrees(&[3]);
}

#[test]
fn a_kernel_wanted_in_two_forms_keeps_its_values() {
    let case = Case::new(|b| {
        let (x, kernel) = (input(b, F32, &["n", "4"]), weight(b, &[4, 4]));
        let y = b.matmul(x, kernel)?;
        Ok(vec![b.dot(y, kernel, &[], &[(1, 1)])?])
    });
    assert_eq!((case.plan.selection.wants.len(), formats(&case).len()), (2, 0));
    case.agrees(&[3]);
}

#[test]
fn large_weights_that_are_read_are_not_copied() {
    let case = Case::new(|b| {
        let (ids, table) = (input(b, I64, &["n"]), weight(b, &[1 << 13, 4]));
        Ok(vec![b.gather(table, ids, 0, Bounds::Clamp)?])
    });
    assert!(matches!(case.plan.held.values[..], [crate::native::held::HeldValue::Tensor(_)]));
    case.agrees(&[3]);
}

#[test]
fn updates_of_weights_are_given_back() {
    let program: Program = "input \"x\": f32[n,2]\nslot slot0 \"w\": f32[2]\n{\n  %0 = input() {port=0} : f32[n,2]\n  \
        %1 = param() {slot=slot0} : f32[2]\n  %2 = reduce(%0) {op=sum, axes=[0], keep=false} : f32[2]\n  \
        %3 = binary(%1, %2) {op=add} : f32[2]\n  return %2 \"y\"\n}\nupdate slot0 = %3\n"
        .parse()
        .unwrap();
    let case = Case::of(program);
    let outcome = case.run(&case.inputs(&[3], 1)).unwrap();
    assert_eq!(outcome.updates[0].0, SlotId(0));
    case.agrees(&[3]);
}
