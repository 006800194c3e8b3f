//! Recurrent layers are differentiated through their expansion, a loop.

use super::rule::{Cx, Rule};
use crate::build::Builder;
use crate::prim::Prim;
use crate::prim::recurrent::Rnn;
use tfjs_manifest::{Error, Result};

/// In the builder's innermost block, replaces the recurrent layers that gradients pass through by their expansions.
pub(super) fn expand(builder: &mut Builder, active: &[bool]) -> Result<()> {
    let passes = |node: &crate::program::Node| {
        matches!(node.prim, Prim::Rnn(_)) && node.results.iter().any(|value| active[value.index()])
    };
    if !builder.block().nodes.iter().any(passes) {
        return Ok(());
    }
    builder.replace_nodes(|builder, node| match passes(node) {
        true => node.prim.expand(builder, &node.operands),
        false => Ok(None),
    })
}

impl Rule for Rnn {
    fn pull(&self, _cx: &mut Cx<'_>) -> Result<()> {
        Err(Error::bug("a recurrence is differentiated without being expanded"))
    }
}
