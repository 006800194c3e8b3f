//! The image argument of an operation, with a batch and channels last.

use super::args::Args;
use super::image::format_of;
use crate::layers::spatial::Spatial;
use crate::lower::LowerCx;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// Images `[batch, height, width, channels]`, and how to restore their original form.
pub(super) struct Images {
    pub(super) value: Value,
    pub(super) spatial: Spatial,
    /// The dimensions of the value.
    pub(super) dims: [Dim; 4],
    /// Whether it was a single image without a batch.
    alone: bool,
}

impl Images {
    /// Reads the first argument, which has rank 4, or rank 3 for a single image if the operation supports that.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for another rank, and for empty images.
    pub(super) fn read(cx: &mut LowerCx<'_>, args: &Args<'_>, takes_one: bool) -> Result<Self> {
        let mut x = args.need_value(cx, &["images", "image", "input"], Some(0))?;
        let alone = takes_one && cx.ty(x).rank() == 3;
        if alone {
            x = cx.insert_axis(x, 0)?;
            cx.mixes_batch();
        }
        let ranks = if takes_one { "3 or 4" } else { "4" };
        let shape = cx.shape(x);
        if cx.ty(x).rank() != 4 {
            return Err(Error::malformed(format!("expected images of rank {ranks}, found shape {shape}")));
        }
        let spatial = Spatial { format: format_of(args)?, count: 2 };
        let value = spatial.channels_last(cx, x)?;
        let dims = cx.dims_of(value);
        let dims = [dims[0], dims[1], dims[2], dims[3]];
        if !cx.at_least(dims[1], Dim::ONE) || !cx.at_least(dims[2], Dim::ONE) {
            return Err(Error::malformed(format!("expected images of at least one pixel, found shape {shape}")));
        }
        Ok(Images { value, spatial, dims, alone })
    }

    /// Converts a result to the form of the images: the original order of axes, and no batch if there was none.
    ///
    /// # Errors
    /// As [`Builder::push`](tfjs_ir::Builder::push).
    pub(super) fn restore(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let x = self.spatial.restore(cx, x)?;
        if self.alone { cx.remove_axis(x, 0) } else { Ok(x) }
    }
}
