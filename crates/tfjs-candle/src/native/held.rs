//! The weights of a plan: in the forms that its kernels need, and the values that its steps read.

use super::buffer::Buffer;
use super::derived::DerivedId;
use super::edge;
use super::select::Selection;
use super::want::{Format, Want, matrix_of, packed_slots};
use crate::weights::{Packed, PackedPlace, Weights};
use candle_core::Tensor;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tfjs_ir::prim::recurrent::Cell;
use tfjs_ir::{Array, ElementType, SlotId};
use tfjs_kernels::{
    Isa, KernelError, PackedConv2d, PackedDepthwise, PackedGru, PackedLstm, PackedMatrix, PackedSimpleRnn,
};
use tfjs_manifest::{Error, Result};
use tfjs_topology::graph;

/// The weights and derived values that steps read.
#[derive(Debug)]
pub(super) struct Held {
    /// In the order of the selection's wants.
    pub(super) loaded: Vec<Loaded>,
    /// In the order of the selection's held values.
    pub(super) values: Vec<HeldValue>,
}

/// A weight in the form that a kernel needs.
#[derive(Clone, Debug)]
pub(super) enum Loaded {
    Matrix(Arc<PackedMatrix>),
    Conv(Arc<PackedConv2d>),
    Depthwise(Arc<PackedDepthwise>),
    Vector(Vec<f32>),
    Lstm(PackedLstm),
    Gru(PackedGru),
    SimpleRnn(PackedSimpleRnn),
}

/// A derived value that steps read element by element.
#[derive(Debug)]
pub(super) enum HeldValue {
    Buffer(Buffer),
    /// A large weight, whose tensor is read in place.
    Tensor(Tensor),
}

/// The number of elements from which a weight is read from its tensor instead of a copy.
const LARGE_ELEMENTS: usize = 1 << 14;

/// Allocates memory for the weights that are kept packed, so that they can be packed as they arrive. Other weights are
/// packed when the plan is compiled.
pub(super) fn places(selection: &Selection, isa: Isa) -> HashMap<graph::SlotId, PackedPlace> {
    let mut places = HashMap::new();
    for (slot, format) in selection.packed_slots() {
        let packed = match format {
            Format::Matrix { k, n, .. } => PackedMatrix::zeroed(isa, k, n).map(|m| Packed::Matrix(Arc::new(m))),
            Format::Conv { shape, groups: 1 } => PackedConv2d::zeroed(isa, shape).map(|c| Packed::Conv(Arc::new(c))),
            // The matrices of groups interleave in the file.
            Format::Conv { .. } => continue,
            Format::Depthwise { shape } => PackedDepthwise::zeroed(isa, shape).map(|d| Packed::Depthwise(Arc::new(d))),
        };
        // If memory is exhausted, the plain destination reports it.
        if let Ok(packed) = packed {
            places.insert(graph::SlotId(slot.index()), PackedPlace(packed));
        }
    }
    places
}

impl Selection {
    /// The weights that are kept only in a packed form.
    pub(super) fn packed_slots(&self) -> HashMap<SlotId, Format> {
        packed_slots(&self.derived, &self.wants, self.held.iter().copied())
    }
}

/// Reads and packs the weights of a selection. The packed form of a weight replaces its tensor if no step reads its
/// values.
///
/// # Errors
/// Weights that cannot be read.
pub(super) fn load(selection: &Selection, weights: &mut Weights, isa: Isa) -> Result<Held> {
    let mut loader = Loader {
        selection,
        kept: selection.packed_slots(),
        isa,
        arrays: HashMap::new(),
        packed: HashMap::new(),
        weights,
    };
    loader.evaluate()?;
    let loaded = selection.wants.iter().map(|want| loader.want(want)).collect::<Result<_>>()?;
    let values = selection.held.iter().map(|&id| loader.held(id)).collect::<Result<_>>()?;
    Ok(Held { loaded, values })
}

struct Loader<'a> {
    selection: &'a Selection,
    weights: &'a mut Weights,
    isa: Isa,
    /// The weights that are kept in a packed form.
    kept: HashMap<SlotId, Format>,
    /// The values that the interpreter has computed.
    arrays: HashMap<DerivedId, Arc<Array>>,
    packed: HashMap<(DerivedId, Format), Loaded>,
}

impl Loader<'_> {
    /// Evaluates every derived value that is read and is not a weight itself.
    fn evaluate(&mut self) -> Result<()> {
        let Selection { program, derived, wants, held, .. } = self.selection;
        let mut ids: BTreeSet<DerivedId> = held.iter().copied().collect();
        for want in wants {
            ids.extend(want.values());
            ids.extend(want.packed(derived).into_iter().map(|(id, _)| id));
        }
        ids.retain(|&id| derived.slot(id).is_none());
        let weights = &*self.weights;
        self.arrays = derived.evaluate(program, ids, |slot| {
            let declared =
                program.slots.get(slot.index()).ok_or_else(|| Error::bug("a weight that was not declared"))?;
            edge::weight_array(weights, graph::SlotId(slot.index()), declared.ty.element)
        })?;
        Ok(())
    }

    fn want(&mut self, want: &Want) -> Result<Loaded> {
        match *want {
            Want::Packed(id, format) => self.packed(id, format),
            Want::Vector(id, len) => {
                let values = self.with_values(id, |values| match *values {
                    [one] => repeated(one, len),
                    ref values => edge::converted(values, |x| x),
                })?;
                Ok(Loaded::Vector(values))
            }
            Want::Recurrence { cell, kernel, recurrent, bias } => self.recurrence(cell, kernel, recurrent, bias),
        }
    }

    fn recurrence(
        &mut self,
        cell: Cell,
        kernel: DerivedId,
        recurrent: DerivedId,
        bias: Option<DerivedId>,
    ) -> Result<Loaded> {
        let bias = bias.map(|id| self.with_values(id, |values| Ok(values.to_vec()))).transpose()?;
        let bias = bias.as_deref();
        let kernel = self.matrix(kernel)?;
        match cell {
            Cell::Simple => PackedSimpleRnn::from_packed(kernel, self.matrix(recurrent)?, bias).map(Loaded::SimpleRnn),
            Cell::Lstm => PackedLstm::from_packed(kernel, self.matrix(recurrent)?, bias).map(Loaded::Lstm),
            Cell::GruResetAfter => PackedGru::reset_after(kernel, self.matrix(recurrent)?, bias).map(Loaded::Gru),
            Cell::Gru => {
                let units = self.selection.derived.dims(recurrent).first().copied().unwrap_or(0);
                let packed =
                    self.with_values(recurrent, |values| Ok(PackedGru::reset_before(kernel, units, values, bias)))?;
                packed.map(Loaded::Gru)
            }
        }
        .map_err(unpackable)
    }

    fn matrix(&mut self, id: DerivedId) -> Result<Arc<PackedMatrix>> {
        match self.packed(id, matrix_of(&self.selection.derived, id))? {
            Loaded::Matrix(matrix) => Ok(matrix),
            _ => Err(super::io::wrong_form()),
        }
    }

    fn packed(&mut self, id: DerivedId, format: Format) -> Result<Loaded> {
        if let Some(known) = self.packed.get(&(id, format)) {
            return Ok(known.clone());
        }
        let kept = self.selection.derived.slot(id).filter(|slot| self.kept.get(slot) == Some(&format));
        let slot = kept.map(|slot| graph::SlotId(slot.index()));
        let arrived = slot.and_then(|slot| self.weights.packed(slot)).and_then(|packed| arrived(packed, format));
        let loaded = match arrived {
            Some(loaded) => loaded,
            None => {
                let isa = self.isa;
                let loaded = self.with_values(id, |values| pack(isa, format, values).map_err(unpackable))?;
                if let (Some(slot), Some(packed)) = (slot, to_keep(&loaded)) {
                    self.weights.keep_packed(slot, packed);
                }
                loaded
            }
        };
        self.packed.insert((id, format), loaded.clone());
        Ok(loaded)
    }

    /// Calls `read` with the elements of a single-precision derived value.
    fn with_values<R>(&self, id: DerivedId, read: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
        match self.selection.derived.slot(id) {
            Some(slot) => self.weights.with_values(graph::SlotId(slot.index()), read)?,
            None => read(&edge::floats(self.array(id)?)?),
        }
    }

    fn array(&self, id: DerivedId) -> Result<&Array> {
        self.arrays.get(&id).map(|array| &**array).ok_or_else(|| Error::bug("a derived value that was not evaluated"))
    }

    fn held(&self, id: DerivedId) -> Result<HeldValue> {
        let derived = &self.selection.derived;
        let Some(slot) = derived.slot(id) else {
            return edge::buffer_of(self.array(id)?).map(HeldValue::Buffer);
        };
        let slot = graph::SlotId(slot.index());
        let element = derived.element(id);
        if derived.elements(id) >= LARGE_ELEMENTS && element == ElementType::F32 {
            return self.weights.tensor(slot).map(HeldValue::Tensor);
        }
        edge::buffer_of(&edge::weight_array(self.weights, slot, element)?).map(HeldValue::Buffer)
    }
}

/// The packed form in which a weight arrived, if it has the required format.
fn arrived(packed: &Packed, format: Format) -> Option<Loaded> {
    match (packed, format) {
        (Packed::Matrix(matrix), Format::Matrix { k, n, transposed: false }) if (matrix.k(), matrix.n()) == (k, n) => {
            Some(Loaded::Matrix(matrix.clone()))
        }
        (Packed::Conv(conv), Format::Conv { shape, groups }) if (conv.shape(), conv.groups()) == (shape, groups) => {
            Some(Loaded::Conv(conv.clone()))
        }
        (Packed::Depthwise(depthwise), Format::Depthwise { shape }) if depthwise.shape() == shape => {
            Some(Loaded::Depthwise(depthwise.clone()))
        }
        _ => None,
    }
}

fn pack(isa: Isa, format: Format, values: &[f32]) -> Result<Loaded, KernelError> {
    Ok(match format {
        Format::Matrix { k, n, transposed: false } => Loaded::Matrix(Arc::new(PackedMatrix::pack(isa, k, n, values)?)),
        Format::Matrix { k, n, transposed: true } => {
            let mut matrix = PackedMatrix::zeroed(isa, k, n)?;
            matrix.fill(values, 1, k)?;
            Loaded::Matrix(Arc::new(matrix))
        }
        Format::Conv { shape, groups } => Loaded::Conv(Arc::new(PackedConv2d::pack(isa, shape, groups, values)?)),
        Format::Depthwise { shape } => Loaded::Depthwise(Arc::new(PackedDepthwise::pack(isa, shape, values)?)),
    })
}

fn to_keep(loaded: &Loaded) -> Option<Packed> {
    match loaded {
        Loaded::Matrix(matrix) => Some(Packed::Matrix(matrix.clone())),
        Loaded::Conv(conv) => Some(Packed::Conv(conv.clone())),
        Loaded::Depthwise(depthwise) => Some(Packed::Depthwise(depthwise.clone())),
        _ => None,
    }
}

/// A number for each channel.
fn repeated(one: f32, len: usize) -> Result<Vec<f32>> {
    let mut values: Vec<f32> = Vec::new();
    let no_memory = |e| Error::limit(format!("no memory for {len} channels")).with_source(e);
    values.try_reserve_exact(len).map_err(no_memory)?;
    values.resize(len, one);
    Ok(values)
}

fn unpackable(error: KernelError) -> Error {
    match error {
        KernelError::TooLarge { .. } => Error::limit(format!("no memory for a packed weight: {error}")),
        error => Error::bug(format!("a weight cannot be packed: {error}")),
    }
}
