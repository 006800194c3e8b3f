//! The interface of kernels: a kernel claims nodes of a program, is prepared for shapes, and runs.

use super::fused::Fused;
use super::io::Io;
use super::layout::Layout;
use super::select::Routine;
use super::want::Want;
use std::fmt;
use tfjs_ir::{Bound, Dim, Program, Value};
use tfjs_manifest::Result;

/// A kernel with everything that is independent of the shapes of a call.
pub(super) trait Kernel: fmt::Debug + Send + Sync {
    /// The kernel as a short text, for diagnostics.
    fn describe(&self) -> String;

    /// The engine that runs it.
    fn engine(&self) -> Engine {
        Engine::Native
    }

    /// The fused operations, if the kernel supports any.
    fn fused(&mut self) -> Option<&mut Fused> {
        None
    }

    /// The operands whose memory the first result may take if they are not read later. The result then has the same
    /// number of elements of the same type.
    fn overwrites(&self) -> &[usize] {
        &[]
    }

    /// Whether the kernel runs even if its results have no elements, because it checks the values of its operands.
    fn always_runs(&self) -> bool {
        false
    }

    /// The steps of the body, for a loop.
    fn body(&self) -> Option<&Routine> {
        None
    }

    /// Prepares the kernel for these shapes.
    ///
    /// # Errors
    /// Shapes that are too large for a buffer.
    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared>;
}

/// The part of the runtime that runs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// A kernel of this engine.
    Native,
    /// The interpreter, because there is no kernel.
    Reference,
    /// The interpreter, because the step handles text.
    Host,
    /// An opaque function of the caller.
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

/// A kernel prepared for shapes.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// Bytes that the kernel allocates temporarily.
    pub(super) scratch: u64,
    /// Buffers of a loop's body, besides those of its results.
    pub(super) nested: Option<Layout>,
}

impl Prepared {
    pub(super) fn new(run: impl Fn(&mut Io<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Prepared { run: Box::new(run), scratch: 0, nested: None }
    }

    /// Sets the temporary memory to this many elements of 4 bytes.
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
    /// The values of all dimensions of the program.
    pub(super) bound: &'a Bound,
    pub(super) program: &'a Program,
    /// The number of values that the plan holds, for a loop's body.
    pub(super) held: usize,
}

impl Shapes<'_> {
    /// The values of dimensions.
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

/// Nodes that one kernel computes.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) kernel: Box<dyn Kernel>,
    /// The nodes, in order.
    pub(super) nodes: Vec<usize>,
    /// The values it reads at each call.
    pub(super) operands: Vec<Value>,
    /// The values it computes.
    pub(super) results: Vec<Value>,
    /// The weights it reads.
    pub(super) wants: Vec<Want>,
    /// If several kernels claim a node, the claim with the highest benefit wins.
    pub(super) benefit: u32,
}

impl Claim {
    /// A claim of one node, with its operands and results.
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
