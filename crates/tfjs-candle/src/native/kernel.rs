//! What a kernel is for the plan: it claims nodes of a program, is prepared for shapes, and runs.

use super::fused::Fused;
use super::io::Io;
use super::layout::Layout;
use super::select::Routine;
use super::want::Want;
use std::fmt;
use tfjs_ir::{Bound, Dim, Program, Value};
use tfjs_manifest::Result;

/// A kernel with everything that does not depend on the shapes of a call.
pub(super) trait Kernel: fmt::Debug + Send + Sync {
    /// The kernel in a few words, for people.
    fn describe(&self) -> String;

    /// What runs it.
    fn engine(&self) -> Engine {
        Engine::Native
    }

    /// What it does to its sums before it writes them, if it can take over what follows it.
    fn fused(&mut self) -> Option<&mut Fused> {
        None
    }

    /// The operands whose memory the first result may take over where they are not read again. The result has then as
    /// many elements of the same type.
    fn overwrites(&self) -> &[usize] {
        &[]
    }

    /// The steps of a loop's body.
    fn body(&self) -> Option<&Routine> {
        None
    }

    /// The kernel for these shapes.
    ///
    /// # Errors
    /// Shapes that no buffer can have.
    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared>;
}

/// What runs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// A kernel of this engine.
    Native,
    /// The interpreter, because there is no kernel.
    Reference,
    /// The interpreter, because the step handles text.
    Host,
    /// A function of the caller's own.
    Opaque,
}

impl Engine {
    pub(super) fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Reference => "reference",
            Engine::Host => "host",
            Engine::Opaque => "opaque",
        }
    }
}

/// Runs a prepared kernel.
pub(super) type Run = Box<dyn Fn(&mut Io<'_>) -> Result<()> + Send + Sync>;

/// A kernel that is prepared for shapes.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// Bytes that the kernel allocates itself and gives back.
    pub(super) scratch: u64,
    /// Buffers that the step needs besides those of its results, for a loop's body.
    pub(super) nested: Option<Layout>,
}

impl Prepared {
    pub(super) fn new(run: impl Fn(&mut Io<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Prepared { run: Box::new(run), scratch: 0, nested: None }
    }

    /// The same kernel, which allocates this many elements of 4 bytes itself.
    pub(super) fn with_scratch(self, elements: usize) -> Self {
        Prepared { scratch: (elements as u64).saturating_mul(4), ..self }
    }
}

/// The shapes a kernel is prepared for.
#[derive(Debug)]
pub(super) struct Shapes<'a> {
    /// The dimensions of each operand.
    pub(super) operands: Vec<Vec<usize>>,
    /// The dimensions of each result.
    pub(super) results: Vec<Vec<usize>>,
    /// The number behind every dimension of the program.
    pub(super) bound: &'a Bound,
    pub(super) program: &'a Program,
    /// How many values the plan holds, for a loop's body.
    pub(super) held: usize,
}

impl Shapes<'_> {
    /// The numbers behind dimensions.
    pub(super) fn dims(&self, dims: &[Dim]) -> Result<Vec<usize>> {
        dims.iter().map(|&dim| self.bound.get(dim)).collect()
    }

    /// The dimensions of the first operand.
    pub(super) fn operand(&self) -> &[usize] {
        self.operands.first().map_or(&[], Vec::as_slice)
    }

    /// The dimensions of the first result.
    pub(super) fn result(&self) -> &[usize] {
        self.results.first().map_or(&[], Vec::as_slice)
    }
}

/// Nodes that one kernel does the work of.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) kernel: Box<dyn Kernel>,
    /// The nodes, in order.
    pub(super) nodes: Vec<usize>,
    /// The values it reads at each call.
    pub(super) operands: Vec<Value>,
    /// The values it gives.
    pub(super) results: Vec<Value>,
    /// The weights it reads.
    pub(super) wants: Vec<Want>,
    /// Of several claims of a node, the one of the greatest benefit is taken.
    pub(super) benefit: u32,
}

impl Claim {
    /// A claim of one node, which reads and gives what the node does.
    pub(super) fn of(
        kernel: impl Kernel + 'static,
        node: usize,
        operands: impl Into<Vec<Value>>,
        results: impl Into<Vec<Value>>,
    ) -> Self {
        let (operands, results) = (operands.into(), results.into());
        Claim { kernel: Box::new(kernel), nodes: vec![node], operands, results, wants: Vec::new(), benefit: 1 }
    }

    pub(super) fn with_wants(self, wants: impl Into<Vec<Want>>) -> Self {
        Claim { wants: wants.into(), ..self }
    }

    pub(super) fn with_benefit(self, benefit: u32) -> Self {
        Claim { benefit, ..self }
    }
}
