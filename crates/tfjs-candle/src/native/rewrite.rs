//! Copies a program node by node, replacing some nodes: what the passes of this engine are made of.

use tfjs_ir::{Builder, Node, Program, Update, Value};
use tfjs_manifest::{Error, Result};

/// Builds something else in a node's place: its results, or `None` to copy the node.
pub(super) type Replace<'a> = dyn FnMut(&mut Builder, &Node, &[Value]) -> Result<Option<Vec<Value>>> + 'a;

/// A copy of a program in which nodes of its body are replaced. The bodies of loops stay.
///
/// # Errors
/// What `replace` says.
pub(super) fn rewrite(program: &Program, replace: &mut Replace<'_>) -> Result<Program> {
    let mut b = Builder::like(program);
    let mut values: Vec<Option<Value>> = vec![None; program.body.values.len()];
    let read = |values: &[Option<Value>], old: Value| {
        let found = values.get(old.index()).copied().flatten();
        found.ok_or_else(|| Error::bug(format!("%{} is read before it is defined", old.0)))
    };
    for node in &program.body.nodes {
        b.restore_origin(node.origin);
        let operands = node.operands.iter().map(|&old| read(&values, old)).collect::<Result<Vec<_>>>()?;
        let results = match replace(&mut b, node, &operands)? {
            Some(results) => results,
            None => b.push(node.prim.clone(), &operands)?,
        };
        if results.len() != node.results.len() {
            return Err(Error::bug(format!("`{}` is replaced by {} results", node.prim.name(), results.len())));
        }
        for (&old, new) in node.results.iter().zip(results) {
            // Equal dimensions may be written in another way. Those that readers know stay.
            let dims = &program.ty(old).dims;
            let new = b.reshape(new, dims)?;
            values[old.index()] = Some(new);
        }
    }
    let names = program.outputs.iter().cloned();
    let results = program.body.results.iter().map(|&old| read(&values, old)).collect::<Result<Vec<_>>>()?;
    let update = |update: &Update| Ok(Update { value: read(&values, update.value)?, ..*update });
    let updates = program.updates.iter().map(update).collect::<Result<Vec<_>>>()?;
    let mut program = b.finish(names.zip(results).collect())?;
    program.updates = updates;
    Ok(program)
}
