//! Passes over factors and addends that are computed from weights only.
//!
//! Batch normalization with fixed statistics becomes one product and one sum. Chains of products and sums with one
//! number for each channel are folded into one product and one sum, which a kernel can then fuse.

use super::derived::is_derivable;
use std::collections::HashMap;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::normalize::BatchNorm;
use tfjs_ir::rewrite::{Within, rewrite};
use tfjs_ir::{Builder, Dim, ElementType, Prim, Program, SlotId, Value};
use tfjs_manifest::Result;

/// Rewrites batch normalizations whose statistics, gamma and beta are derived.
///
/// # Errors
/// None for a well-formed program.
pub(super) fn fold_batch_norms(program: &Program) -> Result<Program> {
    let mut known = KnownDerived::of(program);
    rewrite(program, Within::Body, &mut |b, node, operands| {
        known.update(b);
        match (&node.prim, operands.split_first()) {
            (Prim::BatchNorm(norm), Some((&x, parameters))) if parameters.iter().all(|&value| known.get(value)) => {
                folded(b, norm, x, parameters)
            }
            _ => Ok(None),
        }
    })
}

/// `x * scale + shift`. Parameters: mean, variance, then gamma and beta if they exist.
fn folded(b: &mut Builder, norm: &BatchNorm, x: Value, parameters: &[Value]) -> Result<Option<Vec<Value>>> {
    let [mean, variance, rest @ ..] = parameters else { return Ok(None) };
    let (gamma, beta) = rest.split_at(usize::from(norm.scale).min(rest.len()));
    let positive = b.binary_scalar(BinaryOp::Add, *variance, norm.epsilon)?;
    let mut scale = b.unary(UnaryOp::Rsqrt, positive)?;
    if let [gamma] = gamma {
        scale = b.mul(scale, *gamma)?;
    }
    let centre = b.mul(*mean, scale)?;
    let shift = match beta {
        [beta] => b.sub(*beta, centre)?,
        _ => b.unary(UnaryOp::Neg, centre)?,
    };
    let scaled = b.mul(x, scale)?;
    b.add(scaled, shift).map(|result| Some(vec![result]))
}

/// Folds chains of products and sums with derived vectors, one number for each channel or one for all, into one
/// product and one sum.
///
/// # Errors
/// None for a well-formed program.
pub(super) fn collapse(program: &Program) -> Result<Program> {
    let mut uses = program.body.uses();
    program.updates.iter().for_each(|update| uses[update.value.index()] += 1);
    let mut known = KnownDerived::of(program);
    let mut chains: HashMap<Value, Chain> = HashMap::new();
    rewrite(program, Within::Body, &mut |b, node, operands| {
        known.update(b);
        let (Prim::Binary(binary), &[left, right]) = (&node.prim, operands) else { return Ok(None) };
        let swapped = known.get(left);
        let (x, vector, old) = match swapped {
            false => (left, right, node.operands[0]),
            true => (right, left, node.operands[1]),
        };
        if !known.get(vector) || known.get(x) || !is_vector(b, vector, x) {
            return Ok(None);
        }
        let start = Chain { base: x, scale: None, shift: None };
        let chain = chains.get(&x).copied().filter(|_| uses[old.index()] == 1).unwrap_or(start);
        let chain = match (binary.op, swapped) {
            (BinaryOp::Add, _) => chain.plus(b, vector)?,
            (BinaryOp::Mul, _) => chain.times(b, vector)?,
            (BinaryOp::Sub, false) => {
                let negative = b.unary(UnaryOp::Neg, vector)?;
                chain.plus(b, negative)?
            }
            (BinaryOp::Sub, true) => {
                let minus = b.scalar(ElementType::F32, -1.0)?;
                chain.times(b, minus)?.plus(b, vector)?
            }
            _ => return Ok(None),
        };
        let result = chain.value(b)?;
        chains.insert(result, chain);
        Ok(Some(vec![result]))
    })
}

/// `base * scale + shift`.
#[derive(Clone, Copy, Debug)]
struct Chain {
    base: Value,
    scale: Option<Value>,
    shift: Option<Value>,
}

impl Chain {
    fn times(self, b: &mut Builder, factor: Value) -> Result<Self> {
        let times = |b: &mut Builder, value: Option<Value>| value.map(|value| b.mul(value, factor)).transpose();
        let scale = times(b, self.scale)?.unwrap_or(factor);
        Ok(Chain { scale: Some(scale), shift: times(b, self.shift)?, ..self })
    }

    fn plus(self, b: &mut Builder, summand: Value) -> Result<Self> {
        let shift = match self.shift {
            Some(shift) => b.add(shift, summand)?,
            None => summand,
        };
        Ok(Chain { shift: Some(shift), ..self })
    }

    fn value(self, b: &mut Builder) -> Result<Value> {
        let mut value = self.base;
        if let Some(scale) = self.scale {
            value = b.mul(value, scale)?;
        }
        if let Some(shift) = self.shift {
            value = b.add(value, shift)?;
        }
        Ok(value)
    }
}

/// Whether a derived value has one number for each element of the last axis of `x`, or one for all.
fn is_vector(b: &Builder, value: Value, x: Value) -> bool {
    let (ty, like) = (b.ty(value), b.ty(x));
    let fits = ty.element == ElementType::F32 && ty.rank() <= like.rank();
    let Some((last, outer)) = ty.dims.split_last() else { return fits };
    let one_axis = outer.iter().all(|&dim| dim == Dim::ONE);
    fits && one_axis && (*last == Dim::ONE || Some(last) == like.dims.last())
}

/// Which values of a program under construction are derived.
#[derive(Debug)]
pub(super) struct KnownDerived {
    values: Vec<bool>,
    nodes: usize,
    /// The weights that the program replaces; they are not derived.
    replaced: Vec<SlotId>,
}

impl KnownDerived {
    /// Starts from a copy of the program without nodes.
    pub(super) fn of(program: &Program) -> Self {
        KnownDerived { values: Vec::new(), nodes: 0, replaced: program.replaced_slots().collect() }
    }

    /// Classifies the nodes that were added since the last call.
    pub(super) fn update(&mut self, b: &Builder) {
        let block = b.block();
        for node in &block.nodes[self.nodes..] {
            let operands = node.operands.iter().all(|value| self.values[value.index()]);
            let derived = match &node.prim {
                Prim::Param(param) => !self.replaced.contains(&param.slot),
                _ => operands && is_derivable(&b.program().dims, node, block),
            };
            self.values.extend(node.results.iter().map(|_| derived));
        }
        self.nodes = block.nodes.len();
    }

    pub(super) fn get(&self, value: Value) -> bool {
        self.values.get(value.index()).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::tests::{floats, numbers};
    use tfjs_ir::pass::dead_code;
    use tfjs_ir::{Inputs, Type, interpret};

    /// The products and sums of computed values that remain.
    fn steps(program: &Program) -> Vec<&'static str> {
        let program = dead_code(program).unwrap();
        let mut b = Builder::like(&program);
        let mut known = KnownDerived::of(&program);
        let mut found = Vec::new();
        for node in &program.body.nodes {
            b.push(node.prim.clone(), &node.operands).unwrap();
            known.update(&b);
            if !known.get(node.results[0])
                && let Prim::Binary(binary) = &node.prim
            {
                found.push(binary.op.name());
            }
        }
        found
    }

    /// Checks the remaining steps of a program of one input, whose weights are vectors of 3.
    fn check(build: impl FnOnce(&mut Builder, Value, &[Value]) -> Result<Value>, expected: &[&str]) {
        let mut b = Builder::default();
        let n = b.dims().symbol("n");
        let three = b.number(3);
        let x = b.input("x", Type::new(ElementType::F32, [n, three])).unwrap();
        let mut weights = Vec::new();
        for i in 0..4 {
            let slot = b.slot(&format!("w{i}"), Type::new(ElementType::F32, [three])).unwrap();
            weights.push(b.get(tfjs_ir::Target::Slot(slot)).unwrap());
        }
        let y = build(&mut b, x, &weights).unwrap();
        let program = b.finish(vec![("y".to_string(), y)]).unwrap();
        let folded = collapse(&dead_code(&fold_batch_norms(&program).unwrap()).unwrap()).unwrap();
        tfjs_ir::verify::verify(&folded).unwrap();
        assert_eq!(steps(&folded), expected);
        let slots = (0..4).map(|i| floats(&[3], numbers(3, i).iter().map(|x| x.abs() + 0.1))).collect();
        let inputs = Inputs { slots, ..Inputs::of(vec![floats(&[5, 3], numbers(15, 9))]) };
        let (a, b) = (interpret(&program, &inputs).unwrap(), interpret(&folded, &inputs).unwrap());
        let (a, b) = (a.outputs[0].to_floats().unwrap(), b.outputs[0].to_floats().unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + a.abs())), "{a:?} {b:?}");
    }

    #[test]
    fn a_batch_norm_is_a_product_and_a_sum() {
        let norm = |scale, center| BatchNorm { epsilon: 1e-3, scale, center };
        check(|b, x, w| b.one(norm(true, true), &[x, w[0], w[1], w[2], w[3]]), &["mul", "add"]);
        check(|b, x, w| b.one(norm(true, false), &[x, w[0], w[1], w[2]]), &["mul", "add"]);
        check(|b, x, w| b.one(norm(false, true), &[x, w[0], w[1], w[2]]), &["mul", "add"]);
        check(|b, x, w| b.one(norm(false, false), &[x, w[0], w[1]]), &["mul", "add"]);
    }

    #[test]
    fn chains_collapse() {
        let chain = |b: &mut Builder, x, w: &[Value]| {
            let y = b.add(x, w[0])?;
            let y = b.mul(w[1], y)?;
            let y = b.sub(y, w[2])?;
            let y = b.sub(w[3], y)?;
            b.binary_scalar(BinaryOp::Mul, y, 0.5)
        };
        check(chain, &["mul", "add"]);
        check(|b, x, w| b.add(x, w[0]), &["add"]);
        check(|b, x, w| b.mul(w[0], x), &["mul"]);
    }

    #[test]
    fn values_read_twice_are_kept() {
        let twice = |b: &mut Builder, x, w: &[Value]| {
            let y = b.mul(x, w[0])?;
            let z = b.mul(y, w[1])?;
            b.add(y, z)
        };
        check(twice, &["mul", "mul", "add"]);
    }
}
