//! A model's weights: one slot each, found by their original names, held in one form.
//!
//! A weight is a tensor, is packed for a kernel, or is still in its files; the tensor is made on demand. Packing only
//! reorders elements, so unpacking is exact.

use crate::engine::CandleResultExt;
use candle_core::{Device, Storage, Tensor};
use std::sync::{Arc, OnceLock};
use tfjs_kernels::{PackedConv2d, PackedDepthwise, PackedMatrix, PackedWidth};
use tfjs_manifest::{
    Assembly, DType, Error, PanelWidth, Panels, Result, Shape, TensorLayout, WeightReader, WeightSpec, WeightsManifest,
};
use tfjs_topology::bind::{Binding, Bound, TensorId};
use tfjs_topology::graph::{ModelGraph, SlotId};
use tfjs_topology::layer::Fill;
use tfjs_weights::{Arrived, HostData, HostTensor, Place, read_weight};

/// The weights of a model, in the order of its graph's slots.
#[derive(Clone, Debug)]
pub struct Weights {
    slots: Vec<Slot>,
}

/// One weight.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    shape: Shape,
    form: Form,
    /// The tensor of a weight that is kept in another form, cached after the first request.
    tensor: OnceLock<Tensor>,
}

/// The form in which a weight is kept.
#[derive(Clone, Debug)]
enum Form {
    Tensor(Tensor),
    Packed(Packed),
    /// Still in its files.
    Unread(Unread),
    /// Held by a plan that trains it.
    Trained,
}

/// A weight in files that are read on demand.
#[derive(Clone, Debug)]
struct Unread {
    reader: Arc<dyn WeightReader>,
    /// The tensors of the files that it is made of.
    parts: Vec<Stored>,
    /// How it is made of them; without it, it is the only one.
    assembly: Option<Assembly>,
    device: Device,
}

/// A tensor in a file.
#[derive(Clone, Debug)]
struct Stored {
    group: usize,
    offset: u64,
    spec: WeightSpec,
}

impl Unread {
    fn read(&self) -> Result<Tensor> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for Stored { group, offset, spec } in &self.parts {
            let host = read_weight(spec, |out| self.reader.read(*group, *offset, out));
            parts.push(host.map_err(|e| e.at_weight(&spec.name))?);
        }
        let tensor = put_together(parts, self.assembly.as_ref()).and_then(|host| to_tensor(host, &self.device));
        tensor.map_err(|e| match self.parts.first() {
            Some(first) => e.at_weight(&first.spec.name),
            None => e,
        })
    }
}

/// A weight of the tensors of a file.
fn put_together(mut parts: Vec<HostTensor>, assembly: Option<&Assembly>) -> Result<HostTensor> {
    match assembly {
        Some(assembly) => HostTensor::assemble(assembly, &parts),
        None => parts.pop().ok_or_else(|| Error::bug("a weight of no tensor")),
    }
}

/// A weight reordered for a kernel.
#[derive(Clone, Debug)]
pub(crate) enum Packed {
    Matrix(Arc<PackedMatrix>),
    Conv(Arc<PackedConv2d>),
    Depthwise(Arc<PackedDepthwise>),
}

/// Packed memory that a weight's bytes are written to as they arrive.
#[derive(Debug)]
pub struct PackedPlace(pub(crate) Packed);

impl Place for PackedPlace {
    fn panels(&mut self) -> Option<Panels<'_>> {
        // The matrix is not shared yet; otherwise there is no memory to lend.
        let (rows, memory, widths) = match &mut self.0 {
            Packed::Matrix(matrix) => panels_of(Arc::get_mut(matrix)?),
            Packed::Conv(conv) => panels_of(Arc::get_mut(conv)?.matrix_mut()?),
            Packed::Depthwise(depthwise) => {
                let [kernel_h, kernel_w, ..] = depthwise.shape();
                let (memory, width) = Arc::get_mut(depthwise)?.memory_mut();
                (kernel_h * kernel_w, memory, width.into_iter().collect())
            }
        };
        let float = size_of::<f32>();
        let widths = widths.into_iter().map(|w| PanelWidth { bytes: w.columns * float, stride: w.stride * float });
        Panels::new(bytemuck::cast_slice_mut(memory), rows, widths.collect())
    }
}

fn panels_of(matrix: &mut PackedMatrix) -> (usize, &mut [f32], Vec<PackedWidth>) {
    let rows = matrix.k();
    let (memory, widths) = matrix.memory_mut();
    (rows, memory, widths)
}

impl Packed {
    fn unpack(&self) -> Vec<f32> {
        match self {
            Packed::Matrix(packed) => packed.unpack(),
            Packed::Conv(packed) => packed.unpack(),
            Packed::Depthwise(packed) => packed.unpack(),
        }
    }
}

impl Slot {
    fn new(name: String, tensor: Tensor) -> Result<Self> {
        let shape = Shape::new(tensor.dims())?;
        Ok(Slot { name, shape, form: Form::Tensor(tensor), tensor: OnceLock::new() })
    }

    fn with_form(name: &str, shape: &Shape, form: Form) -> Self {
        Slot { name: name.to_owned(), shape: shape.clone(), form, tensor: OnceLock::new() }
    }

    fn tensor(&self) -> Result<Tensor> {
        let made = match &self.form {
            Form::Tensor(tensor) => return Ok(tensor.clone()),
            _ if self.tensor.get().is_some() => None,
            Form::Packed(packed) => {
                Some(Tensor::from_vec(packed.unpack(), self.shape.dims(), &Device::Cpu).or_error()?)
            }
            Form::Unread(unread) => Some(unread.read()?),
            Form::Trained => None,
        };
        let made = made.or_else(|| self.tensor.get().cloned()).ok_or_else(|| Error::bug("a weight without a form"))?;
        // Another thread may have made the tensor meanwhile; all threads use the same.
        Ok(self.tensor.get_or_init(|| made).clone())
    }
}

impl Weights {
    /// Moves the decoded weights to tensors on a device, without a copy on the CPU.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if the decoded tensors are not those of the binding;
    /// an allocation that fails on the device.
    pub(crate) fn new(
        graph: &ModelGraph,
        binding: &Binding,
        manifest: &WeightsManifest,
        mut arrived: Vec<Vec<Option<Arrived<PackedPlace>>>>,
        device: &Device,
    ) -> Result<Self> {
        Self::bound(graph, binding, manifest, device, |name, shape, tensors, assembly| {
            let take = |&(TensorId { group, index }, spec): &(TensorId, &WeightSpec)| {
                let weight = arrived.get_mut(group).and_then(|g| g.get_mut(index)).and_then(Option::take);
                weight.ok_or_else(|| Error::bug("a bound weight was not decoded").at_weight(&spec.name))
            };
            let mut parts = Vec::with_capacity(tensors.len());
            for weight in tensors.iter().map(take).collect::<Result<Vec<_>>>()? {
                match weight {
                    Arrived::Host(host) => parts.push(host),
                    Arrived::Placed(PackedPlace(packed)) => {
                        return Ok(Slot::with_form(name, shape, Form::Packed(packed)));
                    }
                }
            }
            let tensor = put_together(parts, assembly).and_then(|host| to_tensor(host, device));
            Slot::new(name.to_owned(), tensor.map_err(|e| e.at_weight(name))?)
        })
    }

    /// Leaves every weight in its files, to be read on demand.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for weights that come after strings in a group, whose
    /// position can only be found by scanning the files.
    pub(crate) fn unread(
        graph: &ModelGraph,
        binding: &Binding,
        manifest: &WeightsManifest,
        layout: &TensorLayout,
        reader: &Arc<dyn WeightReader>,
        device: &Device,
    ) -> Result<Self> {
        Self::bound(graph, binding, manifest, device, |name, shape, tensors, assembly| {
            let place = |&(TensorId { group, index }, spec): &(TensorId, &WeightSpec)| {
                let laid_out = layout.groups().get(group).and_then(|g| g.tensors.get(index));
                let Some(offset) = laid_out.and_then(|t| t.stored_bytes.and(t.offset)) else {
                    let error =
                        "the weight lies in a group with strings and cannot be read lazily; load the model whole";
                    return Err(Error::unsupported(error).at_weight(&spec.name));
                };
                Ok(Stored { group, offset, spec: spec.clone() })
            };
            let parts = tensors.iter().map(place).collect::<Result<_>>()?;
            let (reader, device) = (reader.clone(), device.clone());
            let unread = Unread { reader, parts, assembly: assembly.cloned(), device };
            Ok(Slot::with_form(name, shape, Form::Unread(unread)))
        })
    }

    fn bound(
        graph: &ModelGraph,
        binding: &Binding,
        manifest: &WeightsManifest,
        device: &Device,
        mut find: impl FnMut(&str, &Shape, &[(TensorId, &WeightSpec)], Option<&Assembly>) -> Result<Slot>,
    ) -> Result<Self> {
        let slots = graph.slots.iter().zip(&binding.slots);
        let slots = slots.map(|(slot, bound)| {
            let spec_of = |id: &TensorId| {
                let spec = manifest.groups().get(id.group).and_then(|g| g.weights.get(id.index));
                let missing = || Error::bug("a weight is bound that the manifest has not").at_weight(slot.name());
                spec.map(|spec| (*id, spec)).ok_or_else(missing)
            };
            let tensors = bound.tensors().iter().map(spec_of).collect::<Result<Vec<_>>>()?;
            match (&tensors[..], bound) {
                ([], _) => {
                    let tensor = filled(slot.decl.fill, &slot.decl.shape, slot.decl.dtype, device)?;
                    Slot::new(slot.name(), tensor)
                }
                // What is made of one tensor keeps its name.
                ([(_, spec)], Bound::Assembled(_, assembly, _)) => {
                    find(&spec.name, &slot.decl.shape, &tensors, Some(assembly))
                }
                (_, Bound::Assembled(_, assembly, _)) => find(&slot.name(), &slot.decl.shape, &tensors, Some(assembly)),
                ([(_, spec), ..], _) => find(&spec.name, &spec.shape, &tensors, None),
            }
        });
        Ok(Weights { slots: slots.collect::<Result<_>>()? })
    }

    /// Wraps tensors as weights, with their names, in the order of a program's slots.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a shape that is too large.
    pub fn of<S: Into<String>>(tensors: impl IntoIterator<Item = (S, Tensor)>) -> Result<Self> {
        let slots = tensors.into_iter().map(|(name, tensor)| Slot::new(name.into(), tensor));
        Ok(Weights { slots: slots.collect::<Result<_>>()? })
    }

    /// The tensor of a slot.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a slot of another graph.
    pub fn tensor(&self, slot: SlotId) -> Result<Tensor> {
        self.slot(slot)?.tensor()
    }

    fn slot(&self, slot: SlotId) -> Result<&Slot> {
        self.slots.get(slot.0).ok_or_else(|| Error::bug("a slot of another graph"))
    }

    /// Calls `read` with the values of a float weight, in row-major order; copies only if it is packed.
    pub(crate) fn with_values<R>(&self, slot: SlotId, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
        match &self.slot(slot)?.form {
            Form::Tensor(tensor) => with_values(tensor, read),
            Form::Packed(packed) => Ok(read(&packed.unpack())),
            Form::Unread(unread) => with_values(&unread.read()?, read),
            Form::Trained => Err(Error::bug("a weight without a form")),
        }
    }

    /// The dimensions of a weight.
    pub(crate) fn shape(&self, slot: SlotId) -> Result<&Shape> {
        Ok(&self.slot(slot)?.shape)
    }

    /// The packed form, if the weight has one.
    pub(crate) fn packed(&self, slot: SlotId) -> Option<&Packed> {
        match &self.slots.get(slot.0)?.form {
            Form::Packed(packed) => Some(packed),
            Form::Tensor(_) | Form::Unread(_) | Form::Trained => None,
        }
    }

    /// Keeps a weight in this packed form only.
    pub(crate) fn keep_packed(&mut self, slot: SlotId, packed: Packed) {
        if let Some(slot) = self.slots.get_mut(slot.0) {
            slot.form = Form::Packed(packed);
        }
    }

    /// Drops the values of a weight, because a plan that trains it has its own copy.
    pub(crate) fn give_up(&mut self, slot: SlotId) {
        if let Some(slot) = self.slots.get_mut(slot.0) {
            (slot.form, slot.tensor) = (Form::Trained, OnceLock::new());
        }
    }

    /// Replaces the values of a weight by others of the same shape.
    pub(crate) fn set(&mut self, slot: SlotId, tensor: Tensor) {
        if let Some(slot) = self.slots.get_mut(slot.0) {
            (slot.form, slot.tensor) = (Form::Tensor(tensor), OnceLock::new());
        }
    }

    /// The weight of that name in the file.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if there is no such weight.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let slot = self.slots.iter().find(|slot| slot.name == name);
        slot.ok_or_else(|| Error::misuse(format!("the model has no weight `{name}`")))?.tensor()
    }

    /// Name and shape of every weight, by the names in the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.slots.iter().map(|slot| (slot.name.as_str(), &slot.shape))
    }

    /// Every weight as a tensor, by the names in the file.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if one cannot be unpacked.
    pub fn to_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        self.slots.iter().map(|slot| Ok((slot.name.clone(), slot.tensor()?))).collect()
    }

    /// Number of weight tensors.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the model has no weights.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// Calls `read` with the values of a float tensor on the CPU, in row-major order; copies only if it is not contiguous.
pub(crate) fn with_values<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.to_dtype(candle_core::DType::F32).and_then(|t| t.contiguous()).or_error()?;
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        return Err(Error::bug("the native engine was given a tensor of another device"));
    };
    let values = storage.as_slice::<f32>().or_error()?.get(start..end);
    values.map(read).ok_or_else(|| Error::bug("a tensor is longer than its storage"))
}

fn to_tensor(host: HostTensor, device: &Device) -> Result<Tensor> {
    let (shape, data) = host.into_parts();
    let dims = shape.dims();
    match data {
        HostData::F32(values) => Tensor::from_vec(values, dims, device),
        HostData::I32(values) => Tensor::from_vec(values, dims, device),
        HostData::Bool(values) | HostData::U8(values) => Tensor::from_vec(values, dims, device),
        HostData::U16(values) => {
            Tensor::from_vec(values.into_iter().map(u32::from).collect::<Vec<u32>>(), dims, device)
        }
        other => {
            return Err(Error::unsupported(format!("a weight of dtype `{}` cannot be computed with", other.dtype())));
        }
    }
    .or_error()
}

fn filled(fill: Fill, shape: &Shape, dtype: DType, device: &Device) -> Result<Tensor> {
    let dtype = match dtype {
        DType::Float32 => candle_core::DType::F32,
        DType::Int32 => candle_core::DType::I32,
        other => return Err(Error::unsupported(format!("a weight of dtype `{other}` cannot be filled"))),
    };
    match fill {
        Fill::Zeros => Tensor::zeros(shape.dims(), dtype, device),
        Fill::Ones => Tensor::ones(shape.dims(), dtype, device),
    }
    .or_error()
}
