//! Selects the kernels that compute the nodes of a program, independently of weights and shapes.

use super::derived::{Derived, DerivedId};
use super::fused::absorb;
use super::kernel::{Claim, Kernel};
use super::kernels;
use super::view::{Readers, View, live_nodes, readers};
use super::want::{Spare, Want};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use tfjs_ir::prim::control::Scan;
use tfjs_ir::{Block, ElementType, Node, OriginId, Prim, Program, Target, Value};
use tfjs_manifest::{Error, Result};

/// A program with a kernel for every node. It decides the destinations of weights, and it is what runs.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(super) program: Arc<Program>,
    pub(super) derived: Derived,
    /// The forms of weights that kernels need. Steps refer to them by position.
    pub(super) wants: Vec<Want>,
    /// The derived values that steps read element by element. Steps refer to them by position.
    pub(super) held: Vec<DerivedId>,
    /// The program's body.
    pub(super) root: Routine,
}

/// The steps of a block.
#[derive(Debug)]
pub(super) struct Routine {
    pub(super) steps: Vec<Step>,
    /// The location of each value of the block.
    pub(super) homes: Vec<Home>,
    /// The values that are read from outside the block: results, then updates.
    pub(super) roots: Vec<Value>,
    /// The positions among the roots of values that replace weights.
    pub(super) replacing: Vec<usize>,
    pub(super) block: Arc<Block>,
}

/// The location of a value of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In no memory: it is not read, or it is internal to a kernel.
    Nowhere,
    /// In a buffer of the arena.
    Arena,
    /// In a buffer of the arena that is filled before the first step and keeps its value: a parameter of a loop's body.
    Parameter,
    /// In memory that the caller provides, by position.
    Given(usize),
    /// In memory that the plan holds, by position.
    Held(usize),
    /// In the memory of another value, of which it is a reshape.
    Alias(Value),
}

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    /// The kernel. A reshape has none.
    pub(super) kernel: Option<Box<dyn Kernel>>,
    pub(super) operands: Vec<Value>,
    pub(super) results: Vec<Value>,
    /// The weights it reads, as positions in [`Selection::wants`].
    pub(super) wants: Vec<usize>,
    /// The nodes it computes, in order.
    pub(super) nodes: Vec<usize>,
    /// The origin of the first node.
    pub(super) origin: OriginId,
}

/// The source of a block's parameter.
#[derive(Clone, Copy, Debug)]
enum Parameter {
    /// A derived value of the surrounding block.
    Derived(DerivedId),
    /// Memory that is filled at each step.
    Filled,
    /// Memory that the caller provides, by position.
    Given(usize),
}

impl Selection {
    /// Selects kernels for a prepared program.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a malformed program.
    pub(crate) fn new(program: Program) -> Result<Self> {
        let program = Arc::new(program);
        let mut selector = Selector {
            program: &program,
            derived: Derived::of(&program)?,
            wants: Interner::new(),
            held: Interner::new(),
            spare: RefCell::default(),
        };
        let roots: Vec<Value> = program.roots().collect();
        let mut root = selector.routine(&Arc::new(program.body.clone()), &[], roots)?;
        let updates = (program.body.results.len()..).zip(&program.updates);
        let replacing = updates.filter(|(_, update)| matches!(update.target, Target::Slot(_)));
        root.replacing = replacing.map(|(position, _)| position).collect();
        let Selector { derived, wants, held, .. } = selector;
        Ok(Selection { program, derived, wants: wants.items, held: held.items, root })
    }
}

struct Selector<'a> {
    program: &'a Arc<Program>,
    derived: Derived,
    wants: Interner<Want>,
    held: Interner<DerivedId>,
    spare: RefCell<Spare>,
}

impl Selector<'_> {
    fn routine(&mut self, block: &Arc<Block>, parameters: &[Parameter], roots: Vec<Value>) -> Result<Routine> {
        let known: Vec<Option<DerivedId>> = parameters
            .iter()
            .map(|parameter| match parameter {
                Parameter::Derived(id) => Some(*id),
                _ => None,
            })
            .collect();
        let of = self.derived.classify(self.program, block, &known);
        let live = live_nodes(block, &roots);
        let readers = readers(block, &live, &of, &roots);
        let steps = self.steps(block, &of, &live, &readers)?;
        let mut homes = vec![Home::Nowhere; block.values.len()];
        self.place_given(block, parameters, &mut homes)?;
        for step in &steps {
            match (&step.kernel, &step.operands[..], &step.results[..]) {
                (None, &[operand], &[result]) => homes[result.index()] = Home::Alias(operand),
                _ => {
                    let read = step.results.iter().filter(|value| readers[value.index()] != Readers::Nobody);
                    read.for_each(|value| homes[value.index()] = Home::Arena);
                }
            }
        }
        // Derived values that are read are held by the plan.
        let read = steps.iter().flat_map(|step| &step.operands).chain(&roots);
        for &value in read {
            if let Some(id) = of[value.index()] {
                homes[value.index()] = Home::Held(self.held.position(id));
            }
        }
        Ok(Routine { steps, homes, roots, replacing: Vec::new(), block: block.clone() })
    }

    /// Sets the locations of a block's inputs, states and replaced weights, or of its parameters.
    fn place_given(&self, block: &Block, parameters: &[Parameter], homes: &mut [Home]) -> Result<()> {
        for (&value, parameter) in block.parameters.iter().zip(parameters) {
            homes[value.index()] = match *parameter {
                Parameter::Derived(_) => Home::Nowhere,
                Parameter::Filled => Home::Parameter,
                Parameter::Given(position) => Home::Given(position),
            };
        }
        let inputs = self.program.inputs.len();
        let states = self.program.states.len();
        for node in &block.nodes {
            let home = match &node.prim {
                Prim::Input(input) => Home::Given(input.port),
                Prim::State(state) => Home::Given(inputs + state.state.index()),
                Prim::Param(param) => match self.program.replaced_slots().position(|slot| slot == param.slot) {
                    Some(position) => Home::Given(inputs + states + position),
                    None => continue,
                },
                _ => continue,
            };
            let result = node.results.first().ok_or_else(|| Error::bug("an input without a value"))?;
            homes[result.index()] = home;
        }
        Ok(())
    }

    /// The steps of a block, in the order in which they run.
    fn steps(
        &mut self,
        block: &Arc<Block>,
        of: &[Option<DerivedId>],
        live: &[bool],
        readers: &[Readers],
    ) -> Result<Vec<Step>> {
        let mut taken = vec![false; block.nodes.len()];
        let mut steps: Vec<Option<Step>> = (0..block.nodes.len()).map(|_| None).collect();
        for index in 0..block.nodes.len() {
            let node = &block.nodes[index];
            let derived = node.results.iter().all(|value| of[value.index()].is_some());
            let given = matches!(node.prim, Prim::Input(_) | Prim::State(_) | Prim::Param(_) | Prim::Const(_));
            if taken[index] || !live[index] || derived || given {
                continue;
            }
            let view = View { program: self.program, block, derived: &self.derived, of, readers, spare: &self.spare };
            if matches!(node.prim, Prim::Reshape(_)) && view.element(node.operands[0]) != ElementType::String {
                steps[index] = Some(Step {
                    kernel: None,
                    operands: node.operands.clone(),
                    results: node.results.clone(),
                    wants: Vec::new(),
                    nodes: vec![index],
                    origin: node.origin,
                });
                continue;
            }
            let claim = match &node.prim {
                Prim::Scan(scan) if block_is_plain(block, node, scan) => self.scan(block, index, scan, of)?,
                _ => {
                    let mut claim = kernels::claim(view, index);
                    absorb(view, &mut claim, &mut taken);
                    claim
                }
            };
            let Claim { kernel, nodes, operands, results, wants, benefit: _ } = claim;
            nodes.iter().for_each(|&node| taken[node] = true);
            let last = nodes.iter().copied().max().unwrap_or(index);
            let wants = wants.into_iter().map(|want| self.wants.position(want)).collect();
            steps[last] = Some(Step { kernel: Some(kernel), operands, results, wants, nodes, origin: node.origin });
        }
        Ok(steps.into_iter().flatten().collect())
    }

    /// Claims a loop whose body is compiled with its own kernels.
    fn scan(&mut self, block: &Block, index: usize, scan: &Scan, of: &[Option<DerivedId>]) -> Result<Claim> {
        let node = &block.nodes[index];
        let filled = scan.carries + scan.sequences;
        let mut operands = node.operands.get(..filled).unwrap_or(&[]).to_vec();
        let mut parameters = vec![Parameter::Filled; filled];
        for &value in node.operands.iter().skip(filled) {
            parameters.push(match of[value.index()] {
                Some(id) => Parameter::Derived(id),
                None => {
                    operands.push(value);
                    Parameter::Given(operands.len() - 1 - filled)
                }
            });
        }
        let body = self.routine(&scan.body, &parameters, scan.body.results.clone())?;
        let kernel = kernels::scan::ScanLoop::new(scan, body);
        Ok(Claim::of(kernel, index, operands, node.results.clone()))
    }
}

/// Whether a loop has no text, so that its body can run in steps.
fn block_is_plain(block: &Block, node: &Node, scan: &Scan) -> bool {
    let text = |element: ElementType| element == ElementType::String;
    !node.operands.iter().any(|&value| text(block.ty(value).element))
        && !scan.body.values.iter().any(|value| text(value.ty.element))
}

/// Distinct items, each identified by its position.
#[derive(Debug)]
struct Interner<T> {
    items: Vec<T>,
    positions: HashMap<T, usize>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    fn new() -> Self {
        Interner { items: Vec::new(), positions: HashMap::new() }
    }

    /// The position of an item, which is added if it is new.
    fn position(&mut self, item: T) -> usize {
        *self.positions.entry(item).or_insert_with_key(|item| {
            self.items.push(item.clone());
            self.items.len() - 1
        })
    }
}
