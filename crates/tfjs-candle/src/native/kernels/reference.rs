//! Nodes without a kernel: the interpreter evaluates them, which is slow and reported. Text always runs here.

use crate::native::buffer::{Buffer, Repr};
use crate::native::edge;
use crate::native::kernel::{Claim, Engine, Kernel, Prepared, Shapes};
use crate::native::view::View;
use std::sync::Arc;
use tfjs_ir::{Class, ElementType, Node, Prim};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Reference {
    node: Arc<Node>,
    /// The element types of operands and results.
    operands: Vec<ElementType>,
    results: Vec<ElementType>,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Claim {
    let node = view.node(index);
    let elements = |values: &[tfjs_ir::Value]| values.iter().map(|&value| view.element(value)).collect();
    let kernel = Reference {
        node: Arc::new(node.clone()),
        operands: elements(&node.operands),
        results: elements(&node.results),
    };
    Claim::of(kernel, index, node.operands.clone(), node.results.clone())
}

impl Kernel for Reference {
    fn describe(&self) -> String {
        self.node.prim.name().to_string()
    }

    fn engine(&self) -> Engine {
        let text = self.operands.iter().chain(&self.results).any(|&element| element == ElementType::String);
        if text || self.node.prim.class() == Class::Host { Engine::Host } else { Engine::Reference }
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let (node, elements) = (self.node.clone(), self.operands.clone());
        let dims = shapes.operands.clone();
        // The interpreter computes in elements of 8 bytes, and 16 for text.
        let all = shapes.operands.iter().zip(&self.operands).chain(shapes.results.iter().zip(&self.results));
        let wide = |element: ElementType| if element == ElementType::String { 2 } else { 1 };
        let count = all.map(|(dims, &element)| dims.iter().product::<usize>().saturating_mul(wide(element)));
        let count = count.fold(0usize, usize::saturating_add);
        let wide = if matches!(node.prim, Prim::Scan(_)) { 4 } else { 2 };
        let prepared = Prepared::new(move |io| {
            let mut arrays = Vec::with_capacity(io.ins.len());
            for (i, (&element, dims)) in elements.iter().zip(&dims).enumerate() {
                arrays.push(edge::array(io.ins.slice(i)?, element, dims)?);
            }
            let operands: Vec<_> = arrays.iter().collect();
            let results = tfjs_ir::evaluate_node(io.cx.program, &node, &operands, io.cx.bound, io.cx.deadline)?;
            for ((sink, to), array) in io.outs.sinks.iter().zip(io.outs.buffers.iter_mut()).zip(results) {
                if sink.buffer.is_none() {
                    continue;
                }
                if array.elements() != sink.len {
                    return Err(Error::bug("the interpreter gives a value of another shape"));
                }
                match Repr::of(array.element())? {
                    Repr::Text => *to = Buffer::Text(Some(array)),
                    _ => to.copy_from(edge::buffer_of(&array)?.slice(sink.len)?)?,
                }
            }
            Ok(())
        });
        Ok(prepared.with_scratch(count.saturating_mul(wide)))
    }
}
