//! 2D convolution over channels-last images, as a matrix product whose left side is the image itself: windows
//! are read in place, or from a strip of rows padded with zeros, without an im2col matrix.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::error::{Result, check_len, check_rule, product};
use crate::gemm::{LEFT_FLOATS, Product, SERIAL_PRODUCTS, gemm};
use crate::runs::{Run, Runs};
use crate::split::Shared;
use crate::tile::MAX_ROWS;
use crate::{Conv2dGeometry, Cpu, Isa, PackedMatrix, scratch};

/// The kernel of a convolution, packed once: for each group of channels a matrix with one row for each value
/// of a window and one column for each output channel.
#[derive(Clone, Debug)]
pub struct PackedConv2d {
    groups: Vec<PackedMatrix>,
    /// `[kernel_h, kernel_w, in_c / groups, out_c]`
    shape: [usize; 4],
}

impl PackedConv2d {
    /// Packs `kernel`, laid out `[kernel_h, kernel_w, in_c / groups, out_c]`; the output channels of a group
    /// are contiguous.
    ///
    /// # Errors
    /// If the length does not match, or `groups` does not divide the output channels.
    pub fn pack(isa: Isa, shape: [usize; 4], groups: usize, kernel: &[f32]) -> Result<Self> {
        let [kernel_h, kernel_w, in_c, out_c] = shape;
        check_groups(groups, out_c)?;
        let k = product("kernel", &[kernel_h, kernel_w, in_c])?;
        check_len("kernel", product("kernel", &[k, out_c])?, kernel.len())?;
        let width = out_c / groups;
        let groups = (0..groups)
            .map(|g| PackedMatrix::pack_columns(isa, k, out_c, g * width..(g + 1) * width, kernel))
            .collect::<Result<_>>()?;
        Ok(PackedConv2d { groups, shape })
    }

    /// A kernel of zeros for a convolution without groups, to be filled through [`matrix_mut`](Self::matrix_mut).
    ///
    /// # Errors
    /// If it does not fit the address space or memory.
    pub fn zeroed(isa: Isa, shape: [usize; 4]) -> Result<Self> {
        let [kernel_h, kernel_w, in_c, out_c] = shape;
        let k = product("kernel", &[kernel_h, kernel_w, in_c])?;
        Ok(PackedConv2d { groups: vec![PackedMatrix::zeroed(isa, k, out_c)?], shape })
    }

    /// The matrix of a convolution without groups; `None` with groups, whose matrices interleave in `kernel`.
    pub fn matrix_mut(&mut self) -> Option<&mut PackedMatrix> {
        match &mut self.groups[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The number of channel groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The instruction set that the kernel is packed for.
    pub fn isa(&self) -> Option<Isa> {
        self.groups.first().map(PackedMatrix::isa)
    }

    /// The kernel as passed to [`pack`](Self::pack), bit for bit.
    pub fn unpack(&self) -> Vec<f32> {
        let [.., out_c] = self.shape;
        let mut values = vec![0.0; self.groups[0].k() * out_c];
        let mut column = 0;
        for matrix in &self.groups {
            matrix.unpack_into(&mut values, out_c, column);
            column += matrix.n();
        }
        values
    }

    /// `[kernel_h, kernel_w, in_c / groups, out_c]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Bytes of memory that the kernel takes.
    pub fn bytes(&self) -> usize {
        self.groups.iter().map(PackedMatrix::bytes).sum()
    }
}

fn check_groups(groups: usize, out_c: usize) -> Result<()> {
    check_rule(groups > 0, "groups", groups, "must be at least 1")?;
    check_rule(out_c.is_multiple_of(groups), "groups", groups, "must divide the output channels")
}

/// Convolves `batch` images and applies the epilogue, whose residual has the layout of `out`.
///
/// # Errors
/// If a length or the kernel does not match the geometry, or the geometry is invalid.
pub fn conv2d(
    cpu: &Cpu,
    batch: usize,
    geometry: &Conv2dGeometry,
    input: &[f32],
    kernel: &PackedConv2d,
    out: &mut [f32],
    epilogue: &Epilogue<'_>,
) -> Result<()> {
    let g = geometry;
    g.check()?;
    check_groups(g.groups, g.out_c)?;
    check_rule(g.in_c.is_multiple_of(g.groups), "groups", g.groups, "must divide the input channels")?;
    check_len("kernel groups", g.groups, kernel.groups.len())?;
    for (what, expected, found) in [
        ("kernel height", g.kernel_h, kernel.shape[0]),
        ("kernel width", g.kernel_w, kernel.shape[1]),
        ("kernel input channels", g.in_c / g.groups, kernel.shape[2]),
        ("kernel output channels", g.out_c, kernel.shape[3]),
    ] {
        check_len(what, expected, found)?;
    }
    check_len("input", g.input_len(batch)?, input.len())?;
    check_len("out", g.out_len(batch)?, out.len())?;
    epilogue.check(g.out_c, out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    if let ([matrix], true) = (kernel.groups.as_slice(), is_product(g)) {
        let m = batch * g.out_h * g.out_w;
        return gemm(cpu, m, input, g.in_c, matrix, out, g.out_c, epilogue);
    }

    let source = Source::choose(g);
    let runs: Vec<Runs> = (0..g.groups).map(|group| source.runs(g, group)).collect();
    let out_len = out.len();
    let target = Shared::new(out);
    let panels = kernel.groups[0].panel_count();
    let (rows, panel_groups) = plan(cpu.pool().threads(), batch, g, panels);
    let strips = g.out_h.div_ceil(rows);
    let per_group = panels.div_ceil(panel_groups);
    cpu.parallel(batch * strips * panel_groups, |job| {
        let (job, panel_group) = (job / panel_groups, job % panel_groups);
        let (image, strip) = (job / strips, job % strips);
        let rows = strip * rows..((strip + 1) * rows).min(g.out_h);
        let panels = panel_group * per_group..((panel_group + 1) * per_group).min(panels);
        let image_len = input.len() / batch;
        let pixels = &input[image * image_len..(image + 1) * image_len];
        let first = (image * g.out_h + rows.start) * g.out_w;
        debug_assert!((first + rows.len() * g.out_w) * g.out_c <= out_len);
        let convolve = |first: usize, pointers: &[*const f32]| {
            for (group, matrix) in kernel.groups.iter().enumerate() {
                let product = Product {
                    cpu,
                    matrix,
                    runs: &runs[group],
                    epilogue,
                    out: target,
                    out_stride: g.out_c,
                    column: group * matrix.n(),
                };
                // SAFETY: the source made a pointer for each output pixel from `first` on, valid for its
                // runs, which together are as long as a window and therefore as the matrix has rows; the output was
                // checked to hold all pixels, and no other job has the same pixels and panels.
                unsafe { product.block(pointers, first, panels.clone(), None) };
            }
        };
        source.windows(g, pixels, rows, first, convolve);
    });
    Ok(())
}

/// Whether each output pixel depends only on the input pixel at its position.
fn is_product(g: &Conv2dGeometry) -> bool {
    let one = [g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.groups].iter().all(|&x| x == 1);
    one && g.pad_top == 0 && g.pad_left == 0 && g.out_h == g.in_h && g.out_w == g.in_w
}

/// The output rows of a job, and the number of groups that the panels are split into.
fn plan(threads: usize, batch: usize, g: &Conv2dGeometry, panels: usize) -> (usize, usize) {
    let row = g.reach_w().saturating_mul(g.in_c).max(1);
    // As many rows as have their inputs fit a share of the second-level cache.
    let cached = (LEFT_FLOATS / row).saturating_sub(g.reach_h(1)) / g.stride_h + 1;
    let rows = cached.clamp(1, g.out_h);
    let window = g.kernel_h * g.kernel_w * (g.in_c / g.groups);
    let pixels = batch.saturating_mul(g.out_h).saturating_mul(g.out_w);
    let products = pixels.saturating_mul(window).saturating_mul(g.out_c);
    if threads == 1 || products < SERIAL_PRODUCTS {
        return (rows, 1);
    }
    if pixels >= threads * 8 * MAX_ROWS {
        let strips = (threads * 2).div_ceil(batch);
        return (rows.min(g.out_h.div_ceil(strips)), 1);
    }
    (rows, panels.min(threads * 2))
}

/// The memory that windows are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The image itself: no window extends past an edge.
    Image,
    /// A copy of the rows that a job reads, padded with zeros.
    Strip,
    /// Windows copied one by one, if dilation or stride would make strips large.
    Gathered,
}

/// The size of a strip, in floats, above which windows are gathered.
const STRIP_FLOATS: usize = 1 << 22;

/// The most floats of windows that are gathered together, unless one window has more.
const GATHERED_FLOATS: usize = 1 << 24;

impl Source {
    fn choose(g: &Conv2dGeometry) -> Source {
        let fits = g.pad_top == 0 && g.pad_left == 0 && g.reach_h(g.out_h) <= g.in_h && g.reach_w() <= g.in_w;
        let row = g.reach_w().saturating_mul(g.in_c);
        let small = g.reach_h(1).saturating_mul(row) <= STRIP_FLOATS;
        match (fits, small) {
            (true, _) => Source::Image,
            (false, true) => Source::Strip,
            (false, false) => Source::Gathered,
        }
    }

    /// The stride from one row of pixels to the next, in values.
    fn row_stride(self, g: &Conv2dGeometry) -> usize {
        match self {
            Source::Image => g.in_w * g.in_c,
            Source::Strip => g.reach_w() * g.in_c,
            Source::Gathered => g.kernel_w * g.in_c,
        }
    }

    /// The contiguous runs of a window, relative to its first pixel.
    fn runs(self, g: &Conv2dGeometry, group: usize) -> Runs {
        let channels = g.in_c / g.groups;
        let first = group * channels;
        let stride = self.row_stride(g);
        let (dilation_h, dilation_w) = match self {
            Source::Gathered => (1, 1),
            _ => (g.dilation_h, g.dilation_w),
        };
        let rows = (0..g.kernel_h).map(move |i| i * dilation_h * stride + first);
        if dilation_w == 1 && g.groups == 1 {
            // Neighbouring pixels are contiguous.
            return Runs::new(rows.map(|offset| Run { offset, len: g.kernel_w * channels }));
        }
        Runs::new(
            rows.flat_map(|row| {
                (0..g.kernel_w).map(move |j| Run { offset: row + j * dilation_w * g.in_c, len: channels })
            }),
        )
    }

    /// Calls `work(first, pointers)` with the windows of these output rows: the index of the first window, and a
    /// pointer to the first value of each.
    fn windows(
        self,
        g: &Conv2dGeometry,
        image: &[f32],
        rows: Range<usize>,
        first: usize,
        work: impl Fn(usize, &[*const f32]),
    ) {
        match self {
            Source::Image => {
                let start = &image[(rows.start * g.stride_h * self.row_stride(g)).min(image.len())..];
                work(first, &self.pointers(g, start, rows.len()));
            }
            Source::Strip => {
                let stride = self.row_stride(g);
                scratch::with(g.reach_h(rows.len()) * stride, |strip| {
                    let top = (rows.start * g.stride_h) as isize - g.pad_top as isize;
                    for (i, row) in strip.chunks_exact_mut(stride.max(1)).enumerate() {
                        copy_row(g, image, top + i as isize, g.pad_left, row);
                    }
                    work(first, &self.pointers(g, strip, rows.len()));
                });
            }
            Source::Gathered => {
                let window = g.kernel_h * g.kernel_w * g.in_c;
                let at_once = (GATHERED_FLOATS / window.max(1)).clamp(1, MAX_ROWS * 4);
                scratch::with(window * at_once, |buffer| {
                    let all: Vec<(usize, usize)> = rows.flat_map(|y| (0..g.out_w).map(move |x| (y, x))).collect();
                    for (i, some) in all.chunks(at_once).enumerate() {
                        for (&(y, x), window) in some.iter().zip(buffer.chunks_exact_mut(window.max(1))) {
                            gather(g, image, y, x, window);
                        }
                        let pointers: Vec<_> = (0..some.len()).map(|p| buffer[p * window..].as_ptr()).collect();
                        work(first + i * at_once, &pointers);
                    }
                });
            }
        }
    }

    /// Pointers to the windows of `rows` output rows; `pixels` starts at the first window.
    fn pointers(self, g: &Conv2dGeometry, pixels: &[f32], rows: usize) -> Vec<*const f32> {
        let stride = self.row_stride(g);
        let last = (rows - 1) * g.stride_h * stride + (g.out_w - 1) * g.stride_w * g.in_c;
        let window = (g.kernel_h - 1) * g.dilation_h * stride + ((g.kernel_w - 1) * g.dilation_w + 1) * g.in_c;
        // The unsafe reads below rely on this.
        assert!(last + window <= pixels.len(), "windows end inside the pixels, as the geometry was checked");
        let row = |y: usize| y * g.stride_h * stride;
        (0..rows)
            .flat_map(|y| (0..g.out_w).map(move |x| row(y) + x * g.stride_w * g.in_c))
            // SAFETY: no offset exceeds that of the last window, which was just checked.
            .map(|offset| unsafe { pixels.as_ptr().add(offset) })
            .collect()
    }
}

/// Copies input row `y` after `pad` zero pixels; a row outside the image is zero.
fn copy_row(g: &Conv2dGeometry, image: &[f32], y: isize, pad: usize, row: &mut [f32]) {
    if y < 0 || y >= g.in_h as isize {
        return row.fill(0.0);
    }
    let width = g.in_w * g.in_c;
    let left = (pad * g.in_c).min(row.len());
    let from = &image[y as usize * width..(y as usize + 1) * width];
    let len = width.min(row.len() - left);
    row[..left].fill(0.0);
    row[left..left + len].copy_from_slice(&from[..len]);
    row[left + len..].fill(0.0);
}

/// Copies the window of one output pixel, with zeros outside the image.
fn gather(g: &Conv2dGeometry, image: &[f32], y: usize, x: usize, window: &mut [f32]) {
    for (tap, pixel) in window.chunks_exact_mut(g.in_c.max(1)).enumerate() {
        let (i, j) = (tap / g.kernel_w, tap % g.kernel_w);
        let at_y = (y * g.stride_h + i * g.dilation_h).checked_sub(g.pad_top).filter(|&y| y < g.in_h);
        let at_x = (x * g.stride_w + j * g.dilation_w).checked_sub(g.pad_left).filter(|&x| x < g.in_w);
        match at_y.zip(at_x) {
            Some((y, x)) => {
                let start = (y * g.in_w + x) * g.in_c;
                pixel.copy_from_slice(&image[start..start + g.in_c]);
            }
            None => pixel.fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests;
