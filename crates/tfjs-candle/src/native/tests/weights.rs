//! The destinations of weights, and the forms in which they are kept.

use super::{Case, input, weight};
use crate::native::NativePlan;
use crate::native::buffer::Repr;
use crate::native::instance::Instance;
use crate::native::layout::Reserve;
use crate::native::replaced::Next;
use crate::native::want::Format;
use crate::weights::Packed;
use tfjs_ir::ElementType::{F32, I64};
use tfjs_ir::Program;
use tfjs_ir::prim::index::Bounds;
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
    // A second plan reuses the packed form.
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

/// A program with these updates, as text, with the weights `w`, `v` and `k` of the shapes [2], [2], [2,2].
fn steps(nodes: &str, updates: &str) -> Case {
    let text = format!(
        "input \"x\": f32[n,2]\nslot slot0 \"w\": f32[2]\nslot slot1 \"v\": f32[2]\nslot slot2 \"k\": f32[2,2]\n{{\n  \
         %0 = input() {{port=0}} : f32[n,2]\n  %1 = param() {{slot=slot0}} : f32[2]\n  \
         %2 = param() {{slot=slot1}} : f32[2]\n  %3 = param() {{slot=slot2}} : f32[2,2]\n  {nodes}\n}}\n{updates}\n"
    );
    let program: Program = text.parse().unwrap();
    let case = Case::of(program);
    let calls = [3, 3, 1, 0, 3].map(|n| case.inputs(&[n], 1));
    case.agrees_in_steps(&calls);
    case
}

#[test]
fn a_weight_that_is_replaced_is_read_anew_by_every_step() {
    let case = steps(
        "%4 = dot(%0, %3) {batch=[], contract=[(1,0)]} : f32[n,2]\n  %5 = binary(%4, %1) {op=mul} : f32[n,2]\n  \
         %6 = binary(%5, %2) {op=add} : f32[n,2]\n  %7 = reduce(%6) {op=sum, axes=[0], keep=false} : f32[2]\n  \
         %8 = binary(%7, %1) {op=max} : f32[2]\n  %9 = binary(%3, %7) {op=min} : f32[2,2]\n  return %6 \"y\"",
        "update slot0 = %8\nupdate slot2 = %9",
    );
    // Weights that stay are derived and packed as usual; replaced ones are neither.
    assert!(formats(&case).is_empty());
    assert_eq!(case.plan.held.loaded.len(), 1);
    assert_eq!(case.replaced().len(), 2);
}

#[test]
fn a_frozen_kernel_stays_packed() {
    let case = steps(
        "%4 = dot(%0, %3) {batch=[], contract=[(1,0)]} : f32[n,2]\n  \
         %5 = reduce(%4) {op=max, axes=[0], keep=false} : f32[2]\n  %6 = binary(%5, %1) {op=min} : f32[2]\n  \
         return %4 \"y\"",
        "update slot0 = %6",
    );
    assert_eq!(formats(&case), [(2, Format::Matrix { k: 2, n: 2, transposed: false })]);
}

/// Next values that are not computed by the step: another weight, an input's row, the value of another weight, an
/// output.
#[test]
fn weights_may_change_places() {
    let case = steps("return %0 \"y\"", "update slot0 = %2\nupdate slot1 = %1");
    let entries = case.replaced().len();
    assert_eq!(entries, 2);
    steps(
        "%4 = reduce(%0) {op=sum, axes=[0], keep=false} : f32[2]\n  return %4 \"y\"",
        "update slot0 = %4\nupdate slot1 = %4",
    );
    steps("%4 = reduce(%0) {op=sum, axes=[0], keep=false} : f32[2]\n  return %4 \"y\"", "update slot0 = %1");
}

/// The next value has a buffer of its own, of the same length.
#[test]
fn next_values_are_not_copied() {
    let case = steps(
        "%4 = binary(%0, %1) {op=add} : f32[n,2]\n  %5 = reduce(%4) {op=sum, axes=[0], keep=false} : f32[2]\n  \
         %6 = binary(%5, %1) {op=sub} : f32[2]\n  %7 = binary(%6, %6) {op=mul} : f32[2]\n  return %7 \"y\"",
        "update slot0 = %6",
    );
    let program = &case.plan.selection.program;
    let bound = program.bind(&[&[9, 2]]).unwrap();
    let instance = Instance::new(&case.plan.selection.root, program, &bound, 0).unwrap();
    let [Next::Own(buffer)] = instance.next[..] else { panic!("{:?}", instance.next) };
    assert!(matches!(instance.layout.buffers[buffer], Reserve::Elements(Repr::F32, 2)));
}
