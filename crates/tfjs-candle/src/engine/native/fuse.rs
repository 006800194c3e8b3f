//! Lets a kernel absorb what follows it: batch normalization, one residual, one activation, in that order.
//!
//! Only a value that exactly one node reads can vanish into a kernel. The fused step stands where its last
//! node stood, so everything that node reads has been computed.

use super::op::{Fused, Op};
use super::{Action, Step};
use tfjs_kernels::{Activation, Binary};
use tfjs_topology::graph::{ModelGraph, ValueId};

/// The steps of a plan, in order.
pub(super) fn fuse(graph: &ModelGraph, mut lowered: Vec<Option<Op>>) -> Vec<Step> {
    let readers = readers(graph);
    let mut absorbed = vec![false; graph.nodes.len()];
    let mut steps: Vec<Option<Step>> = (0..graph.nodes.len()).map(|_| None).collect();
    for first in 0..graph.nodes.len() {
        if absorbed[first] {
            continue;
        }
        let Some(mut op) = lowered[first].take() else {
            steps[first] = Some(Step {
                action: Action::Portable,
                inputs: graph.nodes[first].call.tensors().into_iter().copied().collect(),
                outputs: graph.nodes[first].outputs.clone(),
                nodes: vec![first],
            });
            continue;
        };
        let mut nodes = vec![first];
        let mut inputs: Vec<ValueId> = graph.nodes[first].call.inputs().into_iter().copied().collect();
        if let Some(fused) = op.fused() {
            let mut value = graph.nodes[first].outputs[0];
            while let Some(next) = readers[value.0].only().filter(|&next| !absorbed[next]) {
                let reads = graph.nodes[next].call.inputs();
                let Some(taken) = lowered[next].as_ref().and_then(|follower| absorb(fused, follower, &reads, value))
                else {
                    break;
                };
                inputs.extend(taken.residual);
                absorbed[next] = true;
                lowered[next] = None;
                nodes.push(next);
                value = graph.nodes[next].outputs[0];
            }
        }
        let last = *nodes.last().unwrap_or(&first);
        steps[last] =
            Some(Step { action: Action::Native(op), inputs, outputs: graph.nodes[last].outputs.clone(), nodes });
    }
    steps.into_iter().flatten().collect()
}

/// Who reads a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Readers {
    Nobody,
    One(usize),
    /// Several nodes, one node several times, or the model's outputs.
    More,
}

impl Readers {
    fn only(self) -> Option<usize> {
        match self {
            Readers::One(node) => Some(node),
            _ => None,
        }
    }
}

fn readers(graph: &ModelGraph) -> Vec<Readers> {
    let mut readers = vec![Readers::Nobody; graph.values.len()];
    for (node, value) in
        graph.nodes.iter().enumerate().flat_map(|(i, n)| n.call.tensors().into_iter().map(move |v| (i, v)))
    {
        readers[value.0] = if readers[value.0] == Readers::Nobody { Readers::One(node) } else { Readers::More };
    }
    graph.outputs.iter().for_each(|port| readers[port.value.0] = Readers::More);
    readers
}

/// What absorbing a follower adds to the step.
struct Taken {
    residual: Option<ValueId>,
}

fn absorb(fused: &mut Fused, follower: &Op, reads: &[&ValueId], value: ValueId) -> Option<Taken> {
    let open = fused.activation == Activation::Linear && !fused.softmax;
    match follower {
        Op::ScaleShift { scale, shift } if open && !fused.residual => {
            fused.then_scale_shift(scale, shift);
            Some(Taken { residual: None })
        }
        Op::Activate(activation) if open => {
            fused.activation = *activation;
            Some(Taken { residual: None })
        }
        Op::Softmax if open => {
            fused.softmax = true;
            Some(Taken { residual: None })
        }
        Op::Binary { op: Binary::Add, .. } if open && !fused.residual => {
            let other = reads.iter().find(|read| ***read != value)?;
            fused.residual = true;
            Some(Taken { residual: Some(**other) })
        }
        _ => None,
    }
}
