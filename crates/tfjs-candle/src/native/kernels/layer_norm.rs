//! Layer normalization over the last axes, with gamma and beta from weights.

use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::Want;
use tfjs_ir::Prim;
use tfjs_ir::prim::normalize::Norm;
use tfjs_kernels::layer_norm;
use tfjs_manifest::Result;

#[derive(Debug)]
struct LayerNorm {
    width: usize,
    epsilon: f32,
    /// The positions of gamma and beta among the step's weights.
    gamma: Option<usize>,
    beta: Option<usize>,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let Prim::Normalize(normalize) = &node.prim else { return None };
    let (&x, parameters) = node.operands.split_first()?;
    let (first, rank) = (*normalize.axes.first()?, view.dims(x).len());
    let trailing = normalize.axes.iter().copied().eq(first..rank);
    let width = view.trailing(x, rank.checked_sub(first)?)?;
    if normalize.norm != Norm::Layer || !trailing || !view.is_f32(x) {
        return None;
    }
    let wants = parameters.iter().map(|&value| Some(Want::Vector(view.vector(value, x, width)?, width)));
    let wants = wants.collect::<Option<Vec<Want>>>()?;
    let gamma = normalize.scale.then_some(0);
    let beta = normalize.center.then_some(usize::from(normalize.scale));
    let kernel = LayerNorm { width, epsilon: normalize.epsilon as f32, gamma, beta };
    Some(Claim::of(kernel, index, [x], node.results.clone()).with_wants(wants))
}

impl Kernel for LayerNorm {
    fn describe(&self) -> String {
        "layer_norm".to_string()
    }

    fn prepare(&self, _shapes: &Shapes<'_>) -> Result<Prepared> {
        let LayerNorm { width, epsilon, gamma, beta } = *self;
        Ok(Prepared::new(move |io| {
            let gamma = gamma.map(|want| io.vector(want)).transpose()?;
            let beta = beta.map(|want| io.vector(want)).transpose()?;
            let x = io.ins.get(0)?;
            layer_norm(io.cx.cpu, width, epsilon, gamma, beta, x, io.outs.get(0)?).map_err(rejected)
        }))
    }
}
