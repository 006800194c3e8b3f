//! Opaque functions of the caller, on candle tensors.

use crate::native::buffer::Repr;
use crate::native::edge;
use crate::native::kernel::{Claim, Engine, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::prim::control::Opaque;
use tfjs_ir::{ElementType, Prim};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Function {
    opaque: Opaque,
    operands: Vec<ElementType>,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let Prim::Opaque(opaque) = &node.prim else { return None };
    let operands = node.operands.iter().map(|&value| view.element(value)).collect();
    let kernel = Function { opaque: opaque.clone(), operands };
    Some(Claim::of(kernel, index, node.operands.clone(), node.results.clone()))
}

impl Kernel for Function {
    fn describe(&self) -> String {
        self.opaque.class.clone()
    }

    fn engine(&self) -> Engine {
        Engine::Opaque
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let Function { opaque, operands } = self;
        let (id, class, elements) = (opaque.function, opaque.class.clone(), operands.clone());
        let (from, to) = (shapes.operands.clone(), shapes.results.clone());
        let reprs = opaque.results.iter().map(|ty| Repr::of(ty.element)).collect::<Result<Vec<_>>>()?;
        let all = shapes.operands.iter().chain(&shapes.results);
        let count = all.map(|dims| dims.iter().product::<usize>()).fold(0usize, usize::saturating_add);
        let prepared = Prepared::new(move |io| {
            let function = io.cx.functions.get(id.index());
            let function = function.ok_or_else(|| Error::bug(format!("no function for `{class}`")))?;
            let mut tensors = Vec::with_capacity(elements.len());
            for (i, (&element, dims)) in elements.iter().zip(&from).enumerate() {
                tensors.push(edge::tensor(io.ins.slice(i)?, element, dims)?);
            }
            let results = function.run(&tensors)?;
            if results.len() != to.len() {
                let (expected, found) = (to.len(), results.len());
                return Err(Error::misuse(format!("`{class}` promised {expected} results, found {found}")));
            }
            for (i, ((tensor, dims), &repr)) in results.iter().zip(&to).zip(&reprs).enumerate() {
                if tensor.dims() != dims {
                    let found = tensor.dims();
                    return Err(Error::misuse(format!(
                        "`{class}` promised a result of shape {dims:?}, found {found:?}"
                    )));
                }
                if io.outs.sinks[i].buffer.is_some() {
                    io.outs.buffers[i].copy_from(edge::Opened::tensor(tensor, repr)?.slice()?)?;
                }
            }
            Ok(())
        });
        Ok(prepared.with_scratch(count))
    }
}
