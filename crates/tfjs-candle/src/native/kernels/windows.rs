//! Converts windows over channels-last values of one or two spatial axes to the geometry of the kernels crate.

use tfjs_ir::window::Window;
use tfjs_kernels::Conv2dGeometry;
use tfjs_manifest::{Error, Result};

/// The geometry for an operand and a result of these shapes. One spatial axis is an image of height 1.
pub(super) fn geometry(windows: &[Window], from: &[usize], to: &[usize], groups: usize) -> Result<Conv2dGeometry> {
    let whole = Window { size: 1, stride: 1, dilation: 1, padding: tfjs_ir::window::Padding::Valid };
    let ([h, w], [in_h, in_w, in_c], [out_h, out_w, out_c]) = match (windows, from, to) {
        (&[w], &[_, in_w, in_c], &[_, out_w, out_c]) => ([whole, w], [1, in_w, in_c], [1, out_w, out_c]),
        (&[h, w], &[_, in_h, in_w, in_c], &[_, out_h, out_w, out_c]) => {
            ([h, w], [in_h, in_w, in_c], [out_h, out_w, out_c])
        }
        _ => return Err(Error::bug("windows over a value of another rank")),
    };
    Ok(Conv2dGeometry {
        in_h,
        in_w,
        in_c,
        out_h,
        out_w,
        out_c,
        kernel_h: h.size,
        kernel_w: w.size,
        stride_h: h.stride,
        stride_w: w.stride,
        dilation_h: h.dilation,
        dilation_w: w.dilation,
        pad_top: h.pads(in_h).before,
        pad_left: w.pads(in_w).before,
        groups,
    })
}

/// A kernel's dimensions as those of a 2D kernel: `[h, w, inner, outer]`.
pub(super) fn image_kernel(dims: &[usize]) -> Option<[usize; 4]> {
    match *dims {
        [w, inner, outer] => Some([1, w, inner, outer]),
        [h, w, inner, outer] => Some([h, w, inner, outer]),
        _ => None,
    }
}
