//! The nodes of a block that must run, and the values that can be freed after each.

use tfjs_ir::{Block, Prim, Value};

/// A block, ready to run.
#[derive(Debug)]
pub(super) struct Plan {
    /// The nodes that must run, in order.
    pub(super) steps: Vec<Step>,
    /// The values that are the block's results.
    pub(super) roots: Vec<Value>,
}

/// One node.
#[derive(Debug)]
pub(super) struct Step {
    /// Its index in the block.
    pub(super) node: usize,
    /// For each of its results, whether it is read.
    pub(super) wanted: Vec<bool>,
    /// The values that are not read after this node.
    pub(super) dead: Vec<Value>,
    /// The plan of the body, for a loop.
    pub(super) body: Option<Plan>,
}

impl Plan {
    /// Plans the computation of these values.
    pub(super) fn new(block: &Block, roots: Vec<Value>) -> Self {
        let mut needed = vec![false; block.values.len()];
        roots.iter().for_each(|root| needed[root.index()] = true);
        let mut steps = Vec::new();
        // Nodes are visited in reverse, so the first reader found for a value is the last one to run.
        for (index, node) in block.nodes.iter().enumerate().rev() {
            let wanted: Vec<bool> = node.results.iter().map(|result| needed[result.index()]).collect();
            if !wanted.contains(&true) {
                continue;
            }
            let mut dead = Vec::new();
            for &operand in &node.operands {
                if !std::mem::replace(&mut needed[operand.index()], true) {
                    dead.push(operand);
                }
            }
            let body = match &node.prim {
                Prim::Scan(scan) => Some(Plan::of_body(&scan.body, scan.carries, &wanted)),
                _ => None,
            };
            steps.push(Step { node: index, wanted, dead, body });
        }
        steps.reverse();
        Plan { steps, roots }
    }

    /// Plans a loop's body: all carries, and the collected results that are read.
    fn of_body(body: &Block, carries: usize, wanted: &[bool]) -> Self {
        let roots = body.results.iter().enumerate();
        let roots = roots.filter(|&(i, _)| i < carries || wanted.get(i) == Some(&true));
        Plan::new(body, roots.map(|(_, &value)| value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_ir::Program;

    #[test]
    fn dead_nodes_do_not_run_and_dead_values_are_dropped() {
        let program: Program = r#"
            input "x": f32[2]
            {
              %0 = input() {port=0} : f32[2]
              %1 = unary(%0) {op=exp} : f32[2]
              %2 = unary(%0) {op=sin} : f32[2]
              %3 = binary(%1, %1) {op=add} : f32[2]
              return %3 "y"
            }
        "#
        .parse()
        .unwrap();
        let plan = Plan::new(&program.body, program.body.results.clone());
        let nodes: Vec<usize> = plan.steps.iter().map(|step| step.node).collect();
        assert_eq!(nodes, [0, 1, 3]);
        let dead: Vec<Vec<u32>> = plan.steps.iter().map(|step| step.dead.iter().map(|v| v.0).collect()).collect();
        assert_eq!(dead, [vec![], vec![0], vec![1]]);
    }
}
