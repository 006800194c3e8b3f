//! The derived part of a program: values computed from weights and constants only.
//!
//! It is a small graph of its own, shared by a program's body and the bodies of its loops. Once the weights are loaded,
//! the interpreter evaluates the values that kernels need: folded normalizations, rearranged kernels, tables.
//!
//! A weight that the program replaces is not derived: every step reads its current value, like an input.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tfjs_ir::{Array, Block, Bound, ConstId, Dim, Dims, ElementType, Node, Prim, Program, SlotId, Value};
use tfjs_manifest::{Error, Result};

/// A derived value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DerivedId(usize);

/// Derived values, in topological order.
#[derive(Debug)]
pub(super) struct Derived {
    values: Vec<DerivedValue>,
    slots: HashMap<SlotId, DerivedId>,
    constants: HashMap<ConstId, DerivedId>,
    /// The remaining budget of elements and of arithmetic.
    elements: usize,
    work: u64,
    /// The values of the constant dimensions.
    numbers: Bound,
}

#[derive(Debug)]
struct DerivedValue {
    source: Source,
    element: ElementType,
    dims: Vec<usize>,
}

#[derive(Debug)]
enum Source {
    Slot(SlotId),
    Constant(ConstId),
    /// A result of a node.
    Node {
        node: Arc<Node>,
        operands: Vec<DerivedId>,
        result: usize,
    },
}

/// A derived value may always have this many elements. A larger one must not be much larger than its operands:
/// otherwise it counts as an activation, whose memory is limited.
const SMALL_ELEMENTS: usize = 1 << 16;

/// All derived values together may have this many elements, or [`TIMES_WEIGHTS`] times those of weights and constants.
const ALL_ELEMENTS: usize = 1 << 22;

/// See [`ALL_ELEMENTS`].
const TIMES_WEIGHTS: usize = 4;

/// The most arithmetic that the interpreter does ahead of time, about one second. Larger nodes need a kernel.
const MOST_WORK: u64 = 1 << 28;

impl Derived {
    /// Starts without derived nodes.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if a dimension overflows.
    pub(super) fn of(program: &Program) -> Result<Self> {
        let given = program.slots.iter().filter_map(|slot| known_dims(&program.dims, &slot.ty.dims));
        let given = given.map(|dims| dims.iter().fold(1usize, |n, &dim| n.saturating_mul(dim)));
        let constants = program.constants.iter().map(|array| array.elements());
        let all = given.chain(constants).fold(0, usize::saturating_add);
        Ok(Derived {
            values: Vec::new(),
            slots: HashMap::new(),
            constants: HashMap::new(),
            elements: all.saturating_mul(TIMES_WEIGHTS).max(ALL_ELEMENTS),
            work: MOST_WORK,
            numbers: program.dims.bind(&[])?,
        })
    }

    /// The derived value of each value of a block, if it has one. `parameters` are those of the block's parameters.
    pub(super) fn classify(
        &mut self,
        program: &Program,
        block: &Block,
        parameters: &[Option<DerivedId>],
    ) -> Vec<Option<DerivedId>> {
        let mut derived = vec![None; block.values.len()];
        for (&parameter, &id) in block.parameters.iter().zip(parameters) {
            derived[parameter.index()] = id;
        }
        for node in &block.nodes {
            match node.prim {
                Prim::Param(ref param) if program.replaced_slots().any(|slot| slot == param.slot) => {}
                Prim::Param(ref param) => {
                    let result = node.results[0];
                    let known = self.slots.get(&param.slot).copied();
                    let id = known.or_else(|| self.add(program, block, result, Source::Slot(param.slot)));
                    self.slots.extend(id.map(|id| (param.slot, id)));
                    derived[result.index()] = id;
                }
                Prim::Const(ref constant) => {
                    let result = node.results[0];
                    let known = self.constants.get(&constant.constant).copied();
                    let id = known.or_else(|| self.add(program, block, result, Source::Constant(constant.constant)));
                    self.constants.extend(id.map(|id| (constant.constant, id)));
                    derived[result.index()] = id;
                }
                _ => self.classify_node(program, block, node, &mut derived),
            }
        }
        derived
    }

    fn classify_node(&mut self, program: &Program, block: &Block, node: &Node, derived: &mut [Option<DerivedId>]) {
        let operands = node.operands.iter().map(|value| derived[value.index()]).collect::<Option<Vec<_>>>();
        let Some(operands) = operands.filter(|_| is_pure(node) && is_fixed(&program.dims, node)) else { return };
        let read: usize = operands.iter().map(|&id| self.elements(id)).fold(0, usize::saturating_add);
        let allowed = read.saturating_mul(2).max(SMALL_ELEMENTS).min(self.elements);
        let work = tfjs_ir::cost::cost(block, node, &self.numbers).map_or(0, |cost| cost.flops);
        let Some(left) = self.work.checked_sub(work) else { return };
        self.work = left;
        let node_ref = Arc::new(node.clone());
        for (result, &value) in node.results.iter().enumerate() {
            let fits = known_dims(&program.dims, &block.ty(value).dims).is_some_and(|dims| {
                dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_some_and(|n| n <= allowed)
            });
            if fits && block.ty(value).element != ElementType::String {
                let source = Source::Node { node: node_ref.clone(), operands: operands.clone(), result };
                let id = self.add(program, block, value, source);
                self.elements = self.elements.saturating_sub(id.map_or(0, |id| self.elements(id)));
                derived[value.index()] = id;
            }
        }
    }

    fn add(&mut self, program: &Program, block: &Block, value: Value, source: Source) -> Option<DerivedId> {
        let ty = block.ty(value);
        let dims = known_dims(&program.dims, &ty.dims)?;
        self.values.push(DerivedValue { source, element: ty.element, dims });
        Some(DerivedId(self.values.len() - 1))
    }

    pub(super) fn element(&self, id: DerivedId) -> ElementType {
        self.values[id.0].element
    }

    pub(super) fn dims(&self, id: DerivedId) -> &[usize] {
        &self.values[id.0].dims
    }

    pub(super) fn elements(&self, id: DerivedId) -> usize {
        self.dims(id).iter().fold(1, |n, &dim| n.saturating_mul(dim))
    }

    /// The weight that has the same elements in the same order, ignoring reshapes.
    pub(super) fn slot(&self, mut id: DerivedId) -> Option<SlotId> {
        loop {
            match &self.values[id.0].source {
                Source::Slot(slot) => return Some(*slot),
                Source::Node { node, operands, .. } if matches!(node.prim, Prim::Reshape(_)) => id = operands[0],
                _ => return None,
            }
        }
    }

    /// The weights that these values depend on.
    pub(super) fn slots_of(&self, ids: impl IntoIterator<Item = DerivedId>) -> BTreeSet<SlotId> {
        let needed = self.needed(ids);
        let slots = needed.iter().filter_map(|id| match self.values[id.0].source {
            Source::Slot(slot) => Some(slot),
            _ => None,
        });
        slots.collect()
    }

    /// These values and all values that they depend on, in order.
    fn needed(&self, ids: impl IntoIterator<Item = DerivedId>) -> BTreeSet<DerivedId> {
        let mut needed: BTreeSet<DerivedId> = BTreeSet::new();
        let mut open: Vec<DerivedId> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            if needed.insert(id)
                && let Source::Node { operands, .. } = &self.values[id.0].source
            {
                open.extend(operands);
            }
        }
        needed
    }

    /// Evaluates values. `slot` reads a weight.
    ///
    /// # Errors
    /// Those of `slot` and of the interpreter.
    pub(super) fn evaluate(
        &self,
        program: &Program,
        ids: impl IntoIterator<Item = DerivedId>,
        mut slot: impl FnMut(SlotId) -> Result<Array>,
    ) -> Result<HashMap<DerivedId, Arc<Array>>> {
        let wanted: BTreeSet<DerivedId> = ids.into_iter().collect();
        let bound = program.dims.bind(&[])?;
        let mut arrays: HashMap<DerivedId, Arc<Array>> = HashMap::new();
        for id in self.needed(wanted.iter().copied()) {
            let array = match &self.values[id.0].source {
                Source::Slot(weight) => Arc::new(slot(*weight)?),
                Source::Constant(constant) => {
                    let found = program.constants.get(constant.index());
                    found.cloned().ok_or_else(|| Error::bug("a constant that the program does not have"))?
                }
                Source::Node { node, operands, result } => {
                    let operands: Vec<&Array> = operands.iter().map(|id| &*arrays[id]).collect();
                    let mut results = tfjs_ir::evaluate_node(program, node, &operands, &bound, None)?;
                    Arc::new(results.swap_remove(*result))
                }
            };
            arrays.insert(id, array);
        }
        arrays.retain(|id, _| wanted.contains(id));
        Ok(arrays)
    }
}

/// Whether the results of a node are derived if its operands are, regardless of their size.
pub(super) fn is_derivable(dims: &Dims, node: &Node, block: &Block) -> bool {
    let known = |value: &Value| known_dims(dims, &block.ty(*value).dims).is_some();
    is_pure(node) && is_fixed(dims, node) && node.results.iter().all(known)
}

/// Whether a node is deterministic, depends only on its operands, and can be evaluated ahead of time.
fn is_pure(node: &Node) -> bool {
    !matches!(
        node.prim,
        Prim::Input(_)
            | Prim::State(_)
            | Prim::Random(_)
            | Prim::Scan(_)
            | Prim::Opaque(_)
            | Prim::Lookup(_)
            | Prim::ToText(_)
            | Prim::Cross(_)
    )
}

/// Whether no attribute of a node depends on an unknown dimension. Attributes that determine the result's shape are not
/// checked here.
fn is_fixed(dims: &Dims, node: &Node) -> bool {
    let known = |dim: Dim| dims.known(dim).is_some();
    match &node.prim {
        Prim::Sizes(sizes) => sizes.sizes.iter().all(|&size| known(size)),
        Prim::Slice(slice) => slice.ranges.iter().all(|range| known(range.start)),
        Prim::Pad(pad) => pad.padding.iter().all(|padding| known(padding.low) && known(padding.high)),
        _ => true,
    }
}

/// The values of the dimensions, if all are known.
pub(super) fn known_dims(dims: &Dims, of: &[Dim]) -> Option<Vec<usize>> {
    of.iter().map(|&dim| dims.known(dim).and_then(|n| usize::try_from(n).ok())).collect()
}
