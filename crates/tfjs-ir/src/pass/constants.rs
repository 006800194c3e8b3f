//! Folds constants: evaluates nodes that read constants only.

use super::copy::{Copy, with_body};
use crate::array::Array;
use crate::dim::Bound;
use crate::interpret::{Budget, Evaluator};
use crate::prim::Prim;
use crate::prim::source::Const;
use crate::program::{Block, ConstId, Node, Program, Value};
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Replaces each node that reads constants only by a constant, within the budget. A node that fails, or depends on the
/// dimensions of a call, is kept.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a program that does not verify.
pub fn constants(program: &Program, budget: Budget) -> Result<Program> {
    let bound = program.dims.bind(&[])?;
    let mut folding = Folding { program, bound: &bound, budget, constants: program.constants.clone() };
    let (body, values) = folding.fold(&program.body)?.into_parts();
    let constants = folding.constants;
    let value = |old: Value| values[old.index()].ok_or_else(|| Error::bug(format!("%{} is not computed", old.0)));
    Ok(Program { constants, ..super::with_body(program, body, value)? })
}

struct Folding<'a> {
    program: &'a Program,
    /// The values of the constant dimensions.
    bound: &'a Bound,
    budget: Budget,
    constants: Vec<Arc<Array>>,
}

impl Folding<'_> {
    fn fold<'b>(&mut self, block: &'b Block) -> Result<Copy<'b>> {
        let mut copy = Copy::with_parameters(block)?;
        let mut known: HashMap<Value, Arc<Array>> = HashMap::new();
        for node in &block.nodes {
            if let Prim::Const(prim) = &node.prim
                && let Some(array) = self.program.constants.get(prim.constant.index())
            {
                known.extend(node.results.iter().map(|&value| (value, array.clone())));
            }
            let Some(results) = self.evaluate(node, &known) else {
                let prim = with_body(&node.prim, |body| self.fold(body)?.finish(&body.results))?;
                copy.push(prim, copy.operands(node)?, &node.results, node.origin)?;
                continue;
            };
            for (&value, array) in node.results.iter().zip(results) {
                let array = Arc::new(array);
                let constant = ConstId::new(self.constants.len())?;
                self.constants.push(array.clone());
                copy.push(Const { constant }.into(), Vec::new(), &[value], node.origin)?;
                known.insert(value, array);
            }
        }
        Ok(copy)
    }

    /// The results of a node that reads constants only.
    fn evaluate(&self, node: &Node, known: &HashMap<Value, Arc<Array>>) -> Option<Vec<Array>> {
        if matches!(node.prim, Prim::Random(_) | Prim::Opaque(_)) || node.operands.is_empty() {
            return None;
        }
        let operands = node.operands.iter().map(|value| known.get(value).map(Arc::as_ref));
        let operands = operands.collect::<Option<Vec<&Array>>>()?;
        Evaluator::new(self.program, self.bound, self.budget).node(node, &operands).ok()
    }
}
