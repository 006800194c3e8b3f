//! The forms of weights that kernels need.

use super::derived::{Derived, DerivedId};
use std::collections::{HashMap, HashSet};
use tfjs_ir::SlotId;
use tfjs_ir::prim::recurrent::Cell;

/// A weight or derived value, in the form that a kernel needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Want {
    /// One packed kernel.
    Packed(DerivedId, Format),
    /// A vector with one number for each channel; a single number is repeated.
    Vector(DerivedId, usize),
    /// The kernels and the bias of a recurrent layer.
    Recurrence { cell: Cell, kernel: DerivedId, recurrent: DerivedId, bias: Option<DerivedId> },
}

/// A packed form, with the sizes needed to allocate its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// `k` rows of `n` columns. `transposed`: the values are `n` rows of `k`.
    Matrix { k: usize, n: usize, transposed: bool },
    /// `[height, width, channels / groups, filters]`.
    Conv { shape: [usize; 4], groups: usize },
    /// `[height, width, channels, multiplier]`.
    Depthwise { shape: [usize; 4] },
}

impl Format {
    /// Floats of the padding of a packed weight.
    pub(super) fn padding(self) -> usize {
        match self {
            Format::Matrix { k, n, .. } => padded(k, n).saturating_sub(k.saturating_mul(n)),
            Format::Conv { shape, groups } => packed_floats(shape, groups).saturating_sub(product(shape)),
            Format::Depthwise { shape: [h, w, channels, multiplier] } => {
                let (taps, columns) = (h.saturating_mul(w), channels.saturating_mul(multiplier));
                padded(taps, columns).saturating_sub(taps.saturating_mul(columns))
            }
        }
    }

    /// Whether a weight can be packed in this form as its bytes arrive, and be kept only in this form.
    fn is_packable_on_arrival(self) -> bool {
        match self {
            Format::Matrix { transposed, .. } => !transposed,
            Format::Conv { .. } | Format::Depthwise { .. } => true,
        }
    }
}

/// Floats of the widest vector: packed columns are padded to whole vectors.
const LANES: usize = 16;

/// Floats of a packed matrix of `k` rows and `n` columns.
pub(super) fn padded(k: usize, n: usize) -> usize {
    k.saturating_mul(n.div_ceil(LANES).saturating_mul(LANES))
}

fn product(shape: [usize; 4]) -> usize {
    shape.into_iter().fold(1, usize::saturating_mul)
}

/// Floats of a packed convolution kernel, whose groups are matrices of their own.
pub(super) fn packed_floats(shape: [usize; 4], groups: usize) -> usize {
    let [kernel_h, kernel_w, inner, filters] = shape;
    let window = kernel_h.saturating_mul(kernel_w).saturating_mul(inner);
    padded(window, filters.checked_div(groups).unwrap_or(0)).saturating_mul(groups)
}

/// Memory for forms of weights that are larger than the weights: columns padded to whole vectors, and repeated numbers.
/// Its size bounds what a small file can become. Each form is paid for once.
#[derive(Debug)]
pub(super) struct Spare {
    floats: usize,
    paid: HashSet<Want>,
}

impl Default for Spare {
    fn default() -> Self {
        Spare { floats: SPARE_FLOATS, paid: HashSet::new() }
    }
}

/// 256 MiB.
const SPARE_FLOATS: usize = 1 << 26;

impl Spare {
    /// Takes memory for a form; false if there is not enough.
    pub(super) fn take(&mut self, want: &Want, floats: usize) -> bool {
        if self.paid.contains(want) {
            return true;
        }
        match self.floats.checked_sub(floats) {
            Some(left) => {
                self.floats = left;
                self.paid.insert(want.clone());
                true
            }
            None => false,
        }
    }
}

impl Want {
    /// The parts of a want that are packed, each with its format.
    pub(super) fn packed(&self, derived: &Derived) -> Vec<(DerivedId, Format)> {
        match *self {
            Want::Packed(id, format) => vec![(id, format)],
            Want::Vector(..) => Vec::new(),
            Want::Recurrence { cell, kernel, recurrent, .. } => {
                let parts = [Some(kernel), (cell != Cell::Gru).then_some(recurrent)];
                let part = |id| (id, matrix_of(derived, id));
                parts.into_iter().flatten().map(part).collect()
            }
        }
    }

    /// The parts of a want that are read as values.
    pub(super) fn values(&self) -> Vec<DerivedId> {
        match *self {
            Want::Packed(..) => Vec::new(),
            Want::Vector(id, _) => vec![id],
            Want::Recurrence { cell, recurrent, bias, .. } => {
                [(cell == Cell::Gru).then_some(recurrent), bias].into_iter().flatten().collect()
            }
        }
    }
}

/// The format of a kernel of two axes.
pub(super) fn matrix_of(derived: &Derived, id: DerivedId) -> Format {
    let dims = derived.dims(id);
    let (k, n) = (dims.first().copied().unwrap_or(1), dims.get(1).copied().unwrap_or(1));
    Format::Matrix { k, n, transposed: false }
}

/// The weights that are kept in a packed form: those that are needed in one format and never as values.
pub(super) fn packed_slots(
    derived: &Derived,
    wants: &[Want],
    values: impl IntoIterator<Item = DerivedId>,
) -> HashMap<SlotId, Format> {
    let mut formats: HashMap<SlotId, Format> = HashMap::new();
    let mut row_major: HashSet<SlotId> = HashSet::new();
    let mut values: Vec<DerivedId> = values.into_iter().collect();
    for want in wants {
        values.extend(want.values());
        for (id, format) in want.packed(derived) {
            match derived.slot(id) {
                Some(slot) if format.is_packable_on_arrival() => {
                    let known = *formats.entry(slot).or_insert(format);
                    if known != format {
                        row_major.insert(slot);
                    }
                }
                _ => values.push(id),
            }
        }
    }
    row_major.extend(derived.slots_of(values));
    formats.retain(|slot, _| !row_major.contains(slot));
    formats
}
