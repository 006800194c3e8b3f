//! Where a model's weights are collected while their bytes arrive: in the memory they will live in.
//!
//! Nobody concatenates files: an unquantized weight's bytes are read into its own vector. Only what has to
//! be decoded (quantized weights, and groups with strings, whose sizes the manifest does not tell) is kept
//! raw, and dropped tensor by tensor as it is decoded.

use crate::{HostData, HostTensor, decode, memory};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{
    DType, Error, GroupLayout, GroupSink, Result, Segment, TensorLayout, WeightSink, WeightSpec, WeightsGroup,
    WeightsManifest,
};

/// The destinations of a model's weight bytes, and then its weights.
#[derive(Debug)]
pub struct Destinations {
    groups: Vec<Group>,
}

#[derive(Debug)]
enum Group {
    Known(Vec<Slot>),
    /// With strings: everything is kept until it can be scanned.
    Scanned {
        specs: Vec<WeightSpec>,
        wanted: Vec<bool>,
        bytes: Vec<u8>,
        limit: u64,
    },
}

#[derive(Debug)]
enum Slot {
    Unwanted(u64),
    /// Filled in place.
    Values(WeightSpec, HostData),
    /// Decoded at the end. Held as 16-bit words where it is made of them, so that it is aligned for them.
    Raw(WeightSpec, HostData),
}

impl Destinations {
    /// Memory for the wanted weights, which `wanted` tells by the index of the group and that in the group.
    ///
    /// The memory is zeroed by the system as it is first written to, so sizes a manifest merely claims cost
    /// address space only.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the system refuses the memory,
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if the layout is not that of the manifest.
    pub fn new(
        layout: &TensorLayout,
        manifest: &WeightsManifest,
        wanted: impl Fn(usize, usize) -> bool,
    ) -> Result<Destinations> {
        let foreign = || Error::misuse("the layout is not that of this manifest");
        if layout.groups().len() != manifest.groups().len() {
            return Err(foreign());
        }
        let mut groups = Vec::with_capacity(layout.groups().len());
        for (g, (laid_out, group)) in layout.groups().iter().zip(manifest.groups()).enumerate() {
            if laid_out.tensors.len() != group.weights.len() {
                return Err(foreign());
            }
            groups.push(Group::new(laid_out, group, |i| wanted(g, i))?);
        }
        Ok(Destinations { groups })
    }

    /// The weights, by group and index in the group, once every byte has been filled; `None` for those not
    /// wanted. Decodes one weight after the other, and lets go of its raw bytes before the next.
    ///
    /// # Errors
    /// For groups with strings as [`decode_group`](crate::decode_group);
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for decoded values.
    pub fn finish(self) -> Result<Vec<Vec<Option<HostTensor>>>> {
        self.groups.into_iter().map(Group::finish).collect()
    }
}

impl WeightSink for Destinations {
    fn groups(&mut self) -> Vec<GroupSink<'_>> {
        self.groups.iter_mut().map(Group::sink).collect()
    }
}

impl Group {
    fn new(layout: &GroupLayout, group: &WeightsGroup, wanted: impl Fn(usize) -> bool) -> Result<Group> {
        if layout.total.is_none() {
            let wanted = (0..group.weights.len()).map(wanted).collect();
            return Ok(Group::Scanned { specs: group.weights.clone(), wanted, bytes: Vec::new(), limit: layout.most });
        }
        let slots = group.weights.iter().enumerate();
        slots.map(|(i, spec)| Slot::new(spec, wanted(i))).collect::<Result<_>>().map(Group::Known)
    }

    fn sink(&mut self) -> GroupSink<'_> {
        match self {
            Group::Known(slots) => GroupSink::Segments(segments(slots)),
            Group::Scanned { bytes, limit, .. } => GroupSink::Growing { bytes, limit: *limit },
        }
    }

    fn finish(self) -> Result<Vec<Option<HostTensor>>> {
        match self {
            Group::Known(slots) => slots.into_iter().map(Slot::finish).collect(),
            Group::Scanned { specs, wanted, bytes, .. } => {
                decode::decode_group(&bytes, &specs, |i| wanted.get(i).copied().unwrap_or(false))
            }
        }
    }
}

/// The slots as segments; neighbours nobody wants become one, empty ones none.
fn segments(slots: &mut [Slot]) -> Vec<Segment<'_>> {
    let mut segments: Vec<Segment<'_>> = Vec::new();
    for slot in slots {
        let segment = match slot {
            Slot::Unwanted(bytes) => Segment::Skip(*bytes),
            Slot::Values(_, data) | Slot::Raw(_, data) => Segment::Fill(data.bytes_mut()),
        };
        match (segments.last_mut(), &segment) {
            _ if segment.is_empty() => {}
            (Some(Segment::Skip(before)), Segment::Skip(more)) => *before = before.saturating_add(*more),
            _ => segments.push(segment),
        }
    }
    segments
}

impl Slot {
    fn new(spec: &WeightSpec, wanted: bool) -> Result<Slot> {
        if !wanted {
            return Ok(Slot::Unwanted(spec.stored_bytes()?.unwrap_or(0)));
        }
        let here = |error: Error| error.at_weight(shorten(&spec.name));
        let len = spec.shape.elements();
        let data = match spec.stored() {
            DType::Float32 => memory::zeroed(len).map(HostData::F32),
            DType::Int32 => memory::zeroed(len).map(HostData::I32),
            DType::Bool => memory::zeroed(len).map(HostData::Bool),
            DType::Complex64 => memory::zeroed(len).map(HostData::C64),
            DType::Uint8 => memory::zeroed(len).map(HostData::U8),
            DType::Uint16 | DType::Float16 => memory::zeroed(len).map(HostData::U16),
            other => Err(Error::bug(format!("no destination for a weight of `{other}`"))),
        };
        let data = data.map_err(here)?;
        let in_place = spec.quantization.is_none() && spec.dtype != DType::Float16;
        Ok(match in_place {
            true => Slot::Values(spec.clone(), data),
            false => Slot::Raw(spec.clone(), data),
        })
    }

    fn finish(self) -> Result<Option<HostTensor>> {
        match self {
            Slot::Unwanted(_) => Ok(None),
            Slot::Values(spec, data) => HostTensor::new(spec.shape, data).map(Some),
            Slot::Raw(spec, raw) => decode::decode_weight(raw.bytes().unwrap_or_default(), &spec).map(Some),
        }
    }
}

#[cfg(test)]
#[path = "destinations_tests.rs"]
mod tests;
