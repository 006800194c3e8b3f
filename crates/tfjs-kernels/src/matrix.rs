//! The right side of a product, packed once into panels that a kernel reads sequentially. Packing is lossless.

use std::ops::Range;

use crate::Isa;
use crate::aligned::Aligned;
use crate::error::{Result, check_at_least, check_len, product};
use crate::tile;

/// A matrix of `k` rows and `n` columns, split into panels as wide as a tile of its instruction set.
///
/// A panel stores its columns row by row; the last panel is padded with zeros to whole vectors.
#[derive(Clone)]
pub struct PackedMatrix {
    isa: Isa,
    k: usize,
    n: usize,
    /// The width of a panel, in vectors.
    vectors: usize,
    values: Aligned,
}

/// The layout of the columns of a packed weight, for filling it as bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedWidth {
    /// Columns of the weight, in floats.
    pub columns: usize,
    /// Floats from one row to the next.
    pub stride: usize,
}

/// Columns of a matrix that are stored together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    /// The index of its first value in the packed values.
    pub(crate) start: usize,
    pub(crate) vectors: usize,
    /// Its first column, and the number of columns of the matrix in it.
    pub(crate) column: usize,
    pub(crate) columns: usize,
    /// Its width in columns, padded to whole vectors.
    pub(crate) width: usize,
}

impl PackedMatrix {
    /// Packs `values`, `k` rows of `n`.
    ///
    /// # Errors
    /// If `values` has another length.
    pub fn pack(isa: Isa, k: usize, n: usize, values: &[f32]) -> Result<Self> {
        check_len("kernel", product("kernel", &[k, n])?, values.len())?;
        Self::pack_rows(isa, k, n, |row| &values[row * n..(row + 1) * n])
    }

    /// Packs the columns `columns` of `values`, which is `k` rows of `n`.
    pub(crate) fn pack_columns(isa: Isa, k: usize, n: usize, columns: Range<usize>, values: &[f32]) -> Result<Self> {
        check_len("kernel", product("kernel", &[k, n])?, values.len())?;
        Self::pack_rows(isa, k, columns.len(), |row| &values[row * n + columns.start..row * n + columns.end])
    }

    fn pack_rows<'a>(isa: Isa, k: usize, n: usize, row: impl Fn(usize) -> &'a [f32]) -> Result<Self> {
        let mut packed = Self::zeroed(isa, k, n)?;
        if packed.as_slice().is_empty() {
            return Ok(packed);
        }
        let panels: Vec<Panel> = packed.panels().collect();
        let values = packed.as_mut_slice();
        for panel in panels {
            for r in 0..k {
                let at = panel.start + r * panel.width;
                values[at..at + panel.columns].copy_from_slice(&row(r)[panel.column..panel.column + panel.columns]);
            }
        }
        Ok(packed)
    }

    /// A matrix of zeros, to be filled through [`memory_mut`](Self::memory_mut). The operating system commits its
    /// memory when it is first written.
    ///
    /// # Errors
    /// If it does not fit the address space or memory.
    pub fn zeroed(isa: Isa, k: usize, n: usize) -> Result<Self> {
        let too_large = || crate::KernelError::TooLarge { what: "kernel" };
        let packed_columns = n.checked_next_multiple_of(tile::lanes(isa)).ok_or_else(too_large)?;
        let len = product("kernel", &[k, packed_columns])?;
        Ok(PackedMatrix { isa, k, n, vectors: tile::vectors_for(isa, n), values: Aligned::zeroed(len)? })
    }

    /// Replaces all values: row `r`, column `c` becomes `values[r * row_stride + c * column_stride]`. Swapping the
    /// strides packs the transpose.
    ///
    /// # Errors
    /// If `values` ends before the last element.
    pub fn fill(&mut self, values: &[f32], row_stride: usize, column_stride: usize) -> Result<()> {
        if self.k == 0 || self.n == 0 {
            return Ok(());
        }
        let last = product("kernel", &[self.k - 1, row_stride])?
            .checked_add(product("kernel", &[self.n - 1, column_stride])?)
            .ok_or(crate::KernelError::TooLarge { what: "kernel" })?;
        check_at_least("kernel", last.saturating_add(1), values.len())?;
        let panels: Vec<Panel> = self.panels().collect();
        let k = self.k;
        let packed = self.as_mut_slice();
        for panel in panels {
            for row in 0..k {
                let to = &mut packed[panel.start + row * panel.width..][..panel.columns];
                let from = &values[row * row_stride + panel.column * column_stride..];
                match column_stride {
                    1 => to.copy_from_slice(&from[..panel.columns]),
                    _ => to.iter_mut().enumerate().for_each(|(c, to)| *to = from[c * column_stride]),
                }
            }
        }
        Ok(())
    }

    /// The packed floats, and the widths of the panels, which follow each other with `k` rows each.
    pub fn memory_mut(&mut self) -> (&mut [f32], Vec<PackedWidth>) {
        let widths = match self.k {
            0 => Vec::new(),
            _ => self.panels().map(|p| PackedWidth { columns: p.columns, stride: p.width }).collect(),
        };
        (self.as_mut_slice(), widths)
    }

    /// The matrix as passed to [`pack`](Self::pack), bit for bit.
    pub fn unpack(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.k * self.n];
        self.unpack_into(&mut values, self.n, 0);
        values
    }

    /// Writes the matrix into the columns of `values` that start at `column`; `values` has rows of `n`.
    pub(crate) fn unpack_into(&self, values: &mut [f32], n: usize, column: usize) {
        let packed = self.as_slice();
        if packed.is_empty() {
            return;
        }
        for panel in self.panels() {
            for row in 0..self.k {
                let from = panel.start + row * panel.width;
                let to = row * n + column + panel.column;
                values[to..to + panel.columns].copy_from_slice(&packed[from..from + panel.columns]);
            }
        }
    }

    /// The number of rows: the inner dimension of a product.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of columns.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The instruction set that it is packed for and multiplied with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of memory that the matrix takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        self.values.as_slice()
    }

    fn as_mut_slice(&mut self) -> &mut [f32] {
        self.values.as_mut_slice()
    }

    pub(crate) fn panel_count(&self) -> usize {
        self.n.div_ceil(self.panel_width())
    }

    fn panel_width(&self) -> usize {
        self.vectors * tile::lanes(self.isa)
    }

    /// Panel `index`, below [`panel_count`](Self::panel_count).
    pub(crate) fn panel(&self, index: usize) -> Panel {
        let full = self.panel_width();
        let column = index * full;
        let columns = full.min(self.n - column);
        let lanes = tile::lanes(self.isa);
        let vectors = columns.div_ceil(lanes);
        Panel { start: column * self.k, vectors, column, columns, width: vectors * lanes }
    }

    fn panels(&self) -> impl Iterator<Item = Panel> + '_ {
        (0..self.panel_count()).map(|i| self.panel(i))
    }
}

impl std::fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PackedMatrix { isa, k, n, vectors, values: _ } = self;
        f.debug_struct("PackedMatrix")
            .field("isa", isa)
            .field("k", k)
            .field("n", n)
            .field("vectors", vectors)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelError;
    use crate::testing::{isas, values};

    #[test]
    fn unpacking_gives_back_every_bit() {
        for isa in isas() {
            for k in [0, 1, 3, 17] {
                for n in [0, 1, 7, 8, 15, 16, 17, 24, 31, 33, 48, 64, 65, 100, 144] {
                    let mut given = values(k * n, 1);
                    if let Some(first) = given.first_mut() {
                        *first = f32::from_bits(0x7fc1_2345);
                    }
                    let packed = PackedMatrix::pack(isa, k, n, &given).unwrap();
                    let back = packed.unpack();
                    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&back), bits(&given), "{k}x{n} on {isa}");
                }
            }
        }
    }

    #[test]
    fn filling_the_panels_is_packing() {
        for isa in isas() {
            for (k, n) in [(0, 5), (1, 1), (3, 17), (5, 64), (2, 100), (3, 0)] {
                let given = values(k * n, 1);
                let mut filled = PackedMatrix::zeroed(isa, k, n).unwrap();
                let (memory, widths) = filled.memory_mut();
                let (mut start, mut column) = (0, 0);
                for PackedWidth { columns, stride } in widths {
                    for row in 0..k {
                        let from = &given[row * n + column..][..columns];
                        memory[start + row * stride..][..columns].copy_from_slice(from);
                    }
                    start += k * stride;
                    column += columns;
                }
                let packed = PackedMatrix::pack(isa, k, n, &given).unwrap();
                assert_eq!(filled.as_slice(), packed.as_slice(), "{k}x{n} on {isa}");
            }
        }
    }

    #[test]
    fn filling_from_strides_packs_a_matrix_or_its_transpose() {
        for isa in isas() {
            for (k, n) in [(0, 5), (1, 1), (3, 17), (5, 64), (2, 100), (3, 0)] {
                let given = values(k * n, 1);
                let mut filled = PackedMatrix::pack(isa, k, n, &vec![7.0; k * n]).unwrap();
                filled.fill(&given, n, 1).unwrap();
                assert_eq!(filled.unpack(), given, "{k}x{n} on {isa}");
                let transposed: Vec<f32> = (0..n * k).map(|i| given[i % k.max(1) * n + i / k.max(1)]).collect();
                filled.fill(&transposed, 1, k).unwrap();
                assert_eq!(filled.unpack(), given, "{k}x{n} transposed on {isa}");
            }
        }
        let mut matrix = PackedMatrix::zeroed(Isa::PORTABLE, 2, 3).unwrap();
        let e = matrix.fill(&[0.0; 5], 3, 1).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "kernel", expected: 6, found: 5 });
    }

    #[test]
    fn a_wrong_length_is_an_error() {
        let e = PackedMatrix::pack(Isa::PORTABLE, 2, 3, &[0.0; 5]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "kernel", expected: 6, found: 5 });
        let e = PackedMatrix::pack(Isa::PORTABLE, usize::MAX, 3, &[0.0; 5]).unwrap_err();
        assert_eq!(e, KernelError::TooLarge { what: "kernel" });
    }

    #[test]
    fn a_matrix_without_rows_takes_no_time_however_wide() {
        let packed = PackedMatrix::pack(Isa::PORTABLE, 0, usize::MAX / 8, &[]).unwrap();
        assert_eq!(packed.unpack(), []);
    }
}
