//! Activation functions that are not fused into a preceding kernel, in place.

use crate::native::activation;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::activate::Activation;
use tfjs_kernels::activate;
use tfjs_manifest::Result;

#[derive(Debug)]
struct Activate {
    function: Activation,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Activate(activate), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Activate { function: activate.function };
    view.is_f32(x).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for Activate {
    fn describe(&self) -> String {
        format!("activate {:?}", self.function)
    }

    fn overwrites(&self) -> &[usize] {
        &[0]
    }

    fn prepare(&self, _shapes: &Shapes<'_>) -> Result<Prepared> {
        let function = self.function;
        Ok(match activation::kernel(function) {
            Some(kernel) => Prepared::new(move |io| {
                let cpu = io.cx.cpu;
                activate(cpu, kernel, io.first_holding(0)?);
                Ok(())
            }),
            // Rare functions use the formula of the list.
            None => Prepared::new(move |io| {
                io.first_holding::<f32>(0)?.iter_mut().for_each(|x| *x = function.of(f64::from(*x)) as f32);
                Ok(())
            }),
        })
    }
}
