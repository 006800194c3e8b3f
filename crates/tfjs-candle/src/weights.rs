//! A model's weights: one slot each, held as tensors, found by their original names.

use crate::run::OrBug;
use candle_core::{Device, Tensor};
use tfjs_manifest::{DType, Error, Result, Shape, WeightsManifest};
use tfjs_topology::bind::{Binding, Bound, TensorId};
use tfjs_topology::graph::{ModelGraph, SlotId};
use tfjs_topology::layer::Fill;
use tfjs_weights::{HostData, HostTensor};

/// The weights of a model, in the order of its graph's slots.
#[derive(Clone, Debug)]
pub struct Weights {
    slots: Vec<Slot>,
}

/// One weight.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    tensor: Tensor,
}

impl Weights {
    /// Moves what the file had into tensors on a device; on the CPU without a copy.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if the decoded tensors are not those the binding was made for;
    /// an allocation the device refuses.
    pub(crate) fn new(
        graph: &ModelGraph,
        binding: &Binding,
        manifest: Option<&WeightsManifest>,
        mut decoded: Vec<Vec<Option<HostTensor>>>,
        device: &Device,
    ) -> Result<Self> {
        let slots = graph.slots.iter().zip(&binding.slots);
        let slots = slots.map(|(slot, bound)| match bound {
            Bound::Tensor(id, _) => {
                let TensorId { group, index } = *id;
                let spec = manifest.and_then(|m| m.groups().get(group)?.weights.get(index));
                let host = decoded.get_mut(group).and_then(|g| g.get_mut(index)).and_then(Option::take);
                let (Some(spec), Some(host)) = (spec, host) else {
                    return Err(Error::bug("a bound weight was not decoded").at_weight(slot.name()));
                };
                let tensor = to_tensor(host, device).map_err(|e| e.at_weight(&spec.name))?;
                Ok(Slot { name: spec.name.clone(), tensor })
            }
            Bound::Filled => {
                let tensor = filled(slot.decl.fill, &slot.decl.shape, slot.decl.dtype, device)?;
                Ok(Slot { name: slot.name(), tensor })
            }
        });
        Ok(Weights { slots: slots.collect::<Result<_>>()? })
    }

    /// The tensor of a slot.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a slot of another graph.
    pub fn tensor(&self, slot: SlotId) -> Result<Tensor> {
        let slot = self.slots.get(slot.0).ok_or_else(|| Error::bug("a slot of another graph"))?;
        Ok(slot.tensor.clone())
    }

    /// Every weight with the name it had in the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.slots.iter().map(|slot| (slot.name.as_str(), &slot.tensor))
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
    .or_bug()
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
    .or_bug()
}
