//! A destination that stores the columns of a matrix in panels, the layout that a kernel reads. It is filled while the
//! bytes arrive, without an intermediate copy of the matrix. Works on bytes, independent of element types and kernels.

use std::fmt;

/// Memory for a row-major matrix that is stored in panels: each panel has some adjacent columns of all rows, row by
/// row, and the panels follow each other.
///
/// The bytes are written in the matrix's row-major order. Panels can be split at any byte, and the parts can be filled
/// by several threads.
#[derive(Default)]
pub struct Panels<'a> {
    /// The whole memory, until it is cut or written to.
    memory: &'a mut [u8],
    widths: Vec<PanelWidth>,
    /// The rest of each panel that is not filled yet, once the memory is cut.
    slices: Vec<&'a mut [u8]>,
    /// The panel of the next byte, and the number of bytes of the current row that the panel already has.
    at: (usize, usize),
    len: u64,
}

/// The width of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelWidth {
    /// Bytes of each row in this panel; at least 1.
    pub bytes: usize,
    /// Bytes from one row to the next, at least `bytes`; the bytes in between are not changed.
    pub stride: usize,
}

impl<'a> Panels<'a> {
    /// Panels of `rows` rows each, one after the other in `memory`, which may be longer. `None` if `memory` is too
    /// short or a width is invalid.
    pub fn new(memory: &'a mut [u8], rows: usize, widths: Vec<PanelWidth>) -> Option<Self> {
        let mut needed = 0usize;
        let mut row = 0usize;
        for width in &widths {
            if width.bytes == 0 || width.stride < width.bytes {
                return None;
            }
            needed = needed.checked_add(rows.checked_mul(width.stride)?)?;
            row = row.checked_add(width.bytes)?;
        }
        let memory = memory.get_mut(..needed)?;
        let len = u64::try_from(row).ok()?.checked_mul(u64::try_from(rows).ok()?)?;
        Some(Panels { memory, widths, slices: Vec::new(), at: (0, 0), len })
    }

    /// Bytes that are still to come.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether all bytes are filled.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole memory; `None` once something has been cut off or written.
    pub fn memory_mut(&mut self) -> Option<&mut [u8]> {
        (!self.memory.is_empty()).then_some(&mut *self.memory)
    }

    /// Fills the next bytes, and returns those that do not fit.
    pub fn write<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        self.cut();
        while !bytes.is_empty() && self.len > 0 {
            if self.at == (0, 0) {
                let rest = self.write_rows(bytes);
                if rest.len() < bytes.len() {
                    bytes = rest;
                    continue;
                }
            }
            let (panel, done) = self.at;
            let PanelWidth { bytes: width, stride } = self.widths[panel];
            let left = usize::try_from(self.len).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(width - done).min(left));
            let ends_row = done + now.len() == width;
            let (out, rest) = std::mem::take(&mut self.slices[panel]).split_at_mut(now.len());
            out.copy_from_slice(now);
            self.slices[panel] = if ends_row { &mut rest[stride - width..] } else { rest };
            self.at = if ends_row { ((panel + 1) % self.widths.len(), 0) } else { (panel, done + now.len()) };
            self.len -= now.len() as u64;
            bytes = later;
        }
        bytes
    }

    /// Fills as many whole rows as `bytes` has, panel by panel, so that writes are contiguous. Row by row would write
    /// to more places at a time than a processor handles well.
    fn write_rows<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let row: usize = self.widths.iter().map(|w| w.bytes).sum();
        let left = usize::try_from(self.len).unwrap_or(usize::MAX);
        let count = bytes.len().min(left) / row;
        let (now, later) = bytes.split_at(count * row);
        let mut column = 0;
        for (slice, &PanelWidth { bytes: width, stride }) in self.slices.iter_mut().zip(&self.widths) {
            let (out, rest) = std::mem::take(slice).split_at_mut(count * stride);
            for (out, row) in out.chunks_exact_mut(stride).zip(now.chunks_exact(row)) {
                out[..width].copy_from_slice(&row[column..column + width]);
            }
            *slice = rest;
            column += width;
        }
        self.len -= now.len() as u64;
        later
    }

    /// Cuts off the first `len` bytes, or all if there are fewer.
    #[must_use]
    pub fn take(&mut self, len: u64) -> Panels<'a> {
        self.cut();
        let len = len.min(self.len);
        let row: usize = self.widths.iter().map(|w| w.bytes).sum();
        let (panel, done) = self.at;
        let column = self.widths.iter().take(panel).map(|w| w.bytes).sum::<usize>() + done;
        // Fits in a `usize`: at most the size of the matrix, which is in memory.
        let end = column + len as usize;
        let (rows, mut last) = end.checked_div(row).map_or((0, 0), |rows| (rows, end % row));
        let mut end_panel = 0;
        while last > 0 && last >= self.widths[end_panel].bytes {
            last -= self.widths[end_panel].bytes;
            end_panel += 1;
        }
        let mut taken = Vec::with_capacity(self.slices.len());
        for (p, (slice, width)) in self.slices.iter_mut().zip(&self.widths).enumerate() {
            let place = |at: usize, row: usize, done: usize| match p.cmp(&at) {
                std::cmp::Ordering::Less => (row + 1) * width.stride,
                std::cmp::Ordering::Equal => row * width.stride + done,
                std::cmp::Ordering::Greater => row * width.stride,
            };
            let count = place(end_panel, rows, last) - place(panel, 0, done);
            let (first, rest) = std::mem::take(slice).split_at_mut(count);
            taken.push(first);
            *slice = rest;
        }
        self.at = (end_panel, last);
        self.len -= len;
        Panels { memory: &mut [], widths: self.widths.clone(), slices: taken, at: (panel, done), len }
    }

    /// Splits the memory into one slice per panel.
    fn cut(&mut self) {
        if !self.slices.is_empty() {
            return;
        }
        let mut memory = std::mem::take(&mut self.memory);
        let row: usize = self.widths.iter().map(|w| w.stride).sum();
        let rows = memory.len().checked_div(row).unwrap_or(0);
        for width in &self.widths {
            let (slice, rest) = memory.split_at_mut(rows * width.stride);
            self.slices.push(slice);
            memory = rest;
        }
    }
}

impl fmt::Debug for Panels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panels").field("panels", &self.widths.len()).field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: [PanelWidth; 3] =
        [PanelWidth { bytes: 4, stride: 4 }, PanelWidth { bytes: 4, stride: 6 }, PanelWidth { bytes: 3, stride: 5 }];
    const ROWS: usize = 5;

    /// The place of each byte of the matrix, computed from the layout by formula.
    fn expected(bytes: &[u8]) -> Vec<u8> {
        let mut memory = vec![0xee; ROWS * 15 + 2];
        for (i, &byte) in bytes.iter().enumerate() {
            let (row, column) = (i / 11, i % 11);
            let at = match column {
                0..4 => row * 4 + column,
                4..8 => ROWS * 4 + row * 6 + column - 4,
                _ => ROWS * 10 + row * 5 + column - 8,
            };
            memory[at] = byte;
        }
        memory
    }

    #[test]
    fn bytes_land_where_their_columns_lie_however_it_is_cut() {
        let bytes: Vec<u8> = (1..=(ROWS * 11) as u8).collect();
        for first in 0..=bytes.len() {
            for second in [0, 1, 3, 10, 11, 12, 30] {
                for chunk in [1, 2, 7, 11, 100] {
                    let mut memory = vec![0xee; ROWS * 15 + 2];
                    let mut rest = Panels::new(&mut memory, ROWS, WIDTHS.to_vec()).unwrap();
                    assert_eq!(rest.len(), bytes.len() as u64);
                    let mut a = rest.take(first as u64);
                    let mut b = rest.take(second as u64);
                    let (x, y) = bytes.split_at(first);
                    let (y, z) = y.split_at(y.len().min(second));
                    // In another order than the order of the bytes.
                    for (part, bytes) in [(&mut rest, z), (&mut a, x), (&mut b, y)] {
                        assert_eq!(part.len(), bytes.len() as u64);
                        for piece in bytes.chunks(chunk) {
                            assert!(part.write(piece).is_empty());
                        }
                        assert_eq!(part.write(&[7, 8]), [7, 8], "there is no place for more");
                    }
                    assert_eq!(memory, expected(&bytes), "{first} {second} {chunk}");
                }
            }
        }
    }

    #[test]
    fn memory_is_whole_until_it_is_used() {
        let mut memory = vec![0; ROWS * 15];
        let mut panels = Panels::new(&mut memory, ROWS, WIDTHS.to_vec()).unwrap();
        assert_eq!(panels.memory_mut().unwrap().len(), ROWS * 15);
        panels.write(&[1]);
        assert!(panels.memory_mut().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wide = |bytes, stride| vec![PanelWidth { bytes, stride }];
        let mut memory = [0; 8];
        assert!(Panels::new(&mut memory, 3, wide(3, 3)).is_none());
        assert!(Panels::new(&mut memory, 2, wide(3, 2)).is_none());
        assert!(Panels::new(&mut memory, 2, wide(0, 2)).is_none());
        assert!(Panels::new(&mut memory, usize::MAX, wide(2, 2)).is_none());
        let mut none = Panels::new(&mut memory, 0, wide(4, 4)).unwrap();
        assert!(none.is_empty() && none.take(3).is_empty());
        assert_eq!(none.write(&[1]), [1]);
    }
}
