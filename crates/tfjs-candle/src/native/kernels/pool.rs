//! Pools over windows of one or two spatial axes.

use super::windows::geometry;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::Window;
use tfjs_kernels::{Pool2dGeometry, Pooling, pool2d};
use tfjs_manifest::Result;

#[derive(Debug)]
struct Pool {
    pooling: Pooling,
    windows: Vec<Window>,
}

/// Whether there is a kernel for a pool.
pub(in crate::native) fn has_kernel(pool: &tfjs_ir::prim::window::Pool) -> bool {
    pooling(pool.op).is_some() && pool.windows.len() <= 2
}

fn pooling(op: PoolOp) -> Option<Pooling> {
    match op {
        PoolOp::Max => Some(Pooling::Max),
        PoolOp::Mean => Some(Pooling::Average),
        PoolOp::Sum => None,
    }
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Pool(pool), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    if !has_kernel(pool) || !view.is_f32(x) {
        return None;
    }
    let kernel = Pool { pooling: pooling(pool.op)?, windows: pool.windows.clone() };
    Some(Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for Pool {
    fn describe(&self) -> String {
        format!("pool2d {:?}", self.pooling)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let pooling = self.pooling;
        let g = geometry(&self.windows, shapes.operand(), shapes.result(), 1)?;
        let geometry = Pool2dGeometry {
            in_h: g.in_h,
            in_w: g.in_w,
            channels: g.in_c,
            out_h: g.out_h,
            out_w: g.out_w,
            window_h: g.kernel_h,
            window_w: g.kernel_w,
            stride_h: g.stride_h,
            stride_w: g.stride_w,
            pad_top: g.pad_top,
            pad_left: g.pad_left,
        };
        let batch = shapes.result().first().copied().unwrap_or(0);
        Ok(Prepared::new(move |io| {
            let x = io.ins.get::<f32>(0)?;
            pool2d(io.cx.cpu, pooling, batch, &geometry, x, io.outs.get(0)?).map_err(rejected)
        }))
    }
}
