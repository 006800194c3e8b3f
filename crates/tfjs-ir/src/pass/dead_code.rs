//! Removes nodes, loop values and constants that are never read.
//!
//! Unused opaque functions are removed too, and so are unused lookups, whose errors on invalid data then do not occur.

use super::copy::Copy;
use crate::prim::Prim;
use crate::prim::control::Scan;
use crate::program::{Block, ConstId, Node, Program, Value};
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Removes unused nodes and constants. Inputs, weights and states stay.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a program that does not verify.
pub fn dead_code(program: &Program) -> Result<Program> {
    let roots: Vec<Value> = program.roots().collect();
    let live = Live::of(&program.body, &roots);
    let (mut body, values) = live.copy(&program.body, &[])?.into_parts();
    let mut constants = Constants { old: &program.constants, new: Vec::new(), ids: HashMap::new() };
    constants.renumber(&mut body)?;
    let kept = constants.new;
    let value = |old: Value| values[old.index()].ok_or_else(|| Error::bug(format!("%{} is not computed", old.0)));
    Ok(Program { constants: kept, ..super::with_body(program, body, value)? })
}

/// The parts of a block that are read.
struct Live {
    values: Vec<bool>,
    /// The parts that stay of each loop that is read, by the index of its node.
    loops: HashMap<usize, LiveLoop>,
}

impl Live {
    fn of(block: &Block, roots: &[Value]) -> Self {
        let mut live = Live { values: vec![false; block.values.len()], loops: HashMap::new() };
        for &value in roots {
            live.values[value.index()] = true;
        }
        for (i, node) in block.nodes.iter().enumerate().rev() {
            let results: Vec<bool> = node.results.iter().map(|&value| live.reads(value)).collect();
            if !results.contains(&true) {
                continue;
            }
            let found = match &node.prim {
                Prim::Scan(scan) => Some(LiveLoop::of(scan, &results)),
                _ => None,
            };
            for (operand, &value) in node.operands.iter().enumerate() {
                if found.as_ref().is_none_or(|found| found.operands.contains(&operand)) {
                    live.values[value.index()] = true;
                }
            }
            live.loops.extend(found.map(|found| (i, found)));
        }
        live
    }

    fn reads(&self, value: Value) -> bool {
        self.values[value.index()]
    }

    /// Copies the parts that are read. `parameters` are the positions of the parameters that stay.
    fn copy<'a>(&self, block: &'a Block, parameters: &[usize]) -> Result<Copy<'a>> {
        let mut copy = Copy::new(block);
        parameters.iter().try_for_each(|&i| copy.parameter(block.parameters[i]))?;
        for (i, node) in block.nodes.iter().enumerate() {
            match (&node.prim, self.loops.get(&i)) {
                (Prim::Scan(scan), Some(live)) => live.copy(scan, node, &mut copy)?,
                _ if node.results.iter().any(|&value| self.reads(value)) => {
                    copy.push(node.prim.clone(), copy.operands(node)?, &node.results, node.origin)?;
                }
                _ => {}
            }
        }
        Ok(copy)
    }
}

/// The parts of a loop that are read.
struct LiveLoop {
    body: Live,
    /// The positions of the operands that stay: carries that are read, sequences and invariants that the body reads.
    operands: Vec<usize>,
    /// The positions of results that stay.
    results: Vec<usize>,
}

impl LiveLoop {
    fn of(scan: &Scan, results: &[bool]) -> Self {
        let Scan { carries, body, .. } = scan;
        let mut stays = results.to_vec();
        loop {
            let results: Vec<usize> = (0..stays.len()).filter(|&i| stays[i]).collect();
            let roots: Vec<Value> = results.iter().map(|&i| body.results[i]).collect();
            let live = Live::of(body, &roots);
            let reads = |i: usize| live.reads(body.parameters[i]);
            // If a step reads a carry, the previous step must compute it.
            match (0..*carries).find(|&i| !stays[i] && reads(i)) {
                Some(i) => stays[i] = true,
                None => {
                    let operands = 0..body.parameters.len();
                    let operands = operands.filter(|&i| if i < *carries { stays[i] } else { reads(i) }).collect();
                    return LiveLoop { body: live, operands, results };
                }
            }
        }
    }

    fn copy(&self, scan: &Scan, node: &Node, copy: &mut Copy<'_>) -> Result<()> {
        let roots: Vec<Value> = self.results.iter().map(|&i| scan.body.results[i]).collect();
        let body = self.body.copy(&scan.body, &self.operands)?.finish(&roots)?;
        let count = |first: usize, len: usize| self.operands.iter().filter(|&&i| i >= first && i - first < len).count();
        let prim = Scan {
            carries: count(0, scan.carries),
            sequences: count(scan.carries, scan.sequences),
            body: Arc::new(body),
            ..scan.clone()
        };
        let operands = self.operands.iter().map(|&i| copy.read(node.operands[i])).collect::<Result<Vec<_>>>()?;
        let results: Vec<Value> = self.results.iter().map(|&i| node.results[i]).collect();
        copy.push(prim.into(), operands, &results, node.origin)
    }
}

/// The constants that are read, renumbered.
struct Constants<'a> {
    old: &'a [Arc<crate::array::Array>],
    new: Vec<Arc<crate::array::Array>>,
    ids: HashMap<ConstId, ConstId>,
}

impl Constants<'_> {
    fn renumber(&mut self, block: &mut Block) -> Result<()> {
        for node in &mut block.nodes {
            match &mut node.prim {
                Prim::Const(prim) => prim.constant = self.of(prim.constant)?,
                Prim::Scan(scan) => self.renumber(Arc::make_mut(&mut scan.body))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn of(&mut self, old: ConstId) -> Result<ConstId> {
        if let Some(&known) = self.ids.get(&old) {
            return Ok(known);
        }
        let array = self.old.get(old.index()).ok_or_else(|| Error::bug("a constant that does not exist"))?;
        let new = ConstId::new(self.new.len())?;
        self.new.push(array.clone());
        self.ids.insert(old, new);
        Ok(new)
    }
}
