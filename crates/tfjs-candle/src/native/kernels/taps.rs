//! The pixels under a tap of windows, for values with channels last and any number of spatial axes.

use tfjs_ir::window::Window;

/// The windows over the images of a batch.
#[derive(Debug)]
pub(super) struct Taps {
    batch: usize,
    axes: Vec<Axis>,
}

/// One spatial axis, and the windows over it.
#[derive(Clone, Copy, Debug)]
struct Axis {
    len: usize,
    windows: usize,
    window: Window,
    before: usize,
}

impl Taps {
    /// The windows over images of these lengths; `windows` is the number of windows along each axis.
    pub(super) fn new(window: &[Window], batch: usize, lengths: &[usize], windows: &[usize]) -> Self {
        let axes = window.iter().zip(lengths.iter().zip(windows));
        let axes =
            axes.map(|(&window, (&len, &windows))| Axis { len, windows, window, before: window.pads(len).before });
        Taps { batch, axes: axes.collect() }
    }

    /// Calls `f` for each window of the batch, in row-major order, with the pixel under a tap; `None` for padding.
    /// Taps are numbered in row-major order too.
    pub(super) fn walk(&self, tap: usize, f: &mut impl FnMut(Option<usize>)) {
        let mut taps = vec![0; self.axes.len()];
        let mut rest = tap;
        for (tap, axis) in taps.iter_mut().zip(&self.axes).rev() {
            (*tap, rest) = (rest % axis.window.size, rest / axis.window.size);
        }
        (0..self.batch).for_each(|image| walk(&self.axes, &taps, Some(image), f));
    }
}

impl Axis {
    /// The element under a tap of a window; `None` for padding.
    fn element(&self, tap: usize, window: usize) -> Option<usize> {
        let padded = window * self.window.stride + tap * self.window.dilation;
        padded.checked_sub(self.before).filter(|&element| element < self.len)
    }
}

fn walk(axes: &[Axis], taps: &[usize], before: Option<usize>, f: &mut impl FnMut(Option<usize>)) {
    let (Some((axis, axes)), Some((&tap, taps))) = (axes.split_first(), taps.split_first()) else { return f(before) };
    for window in 0..axis.windows {
        let pixel = before.zip(axis.element(tap, window)).map(|(before, element)| before * axis.len + element);
        walk(axes, taps, pixel, f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_see_elements_or_padding() {
        let seen = |tap| {
            let mut found = Vec::new();
            let window: Window = "3/2:1,1".parse().unwrap();
            Taps::new(&[window], 2, &[4], &[2]).walk(tap, &mut |pixel| found.push(pixel));
            found
        };
        assert_eq!(seen(0), [None, Some(1), None, Some(5)]);
        assert_eq!(seen(1), [Some(0), Some(2), Some(4), Some(6)]);
        assert_eq!(seen(2), [Some(1), Some(3), Some(5), Some(7)]);
        let mut found = Vec::new();
        let two = ["2:valid", "2:valid"].map(|window| window.parse().unwrap());
        // The third of four taps: the second row, the first column.
        Taps::new(&two, 1, &[2, 3], &[1, 2]).walk(2, &mut |pixel| found.push(pixel));
        assert_eq!(found, [Some(3), Some(4)]);
    }
}
