//! The memory into which a model's weights are read while their bytes arrive.
//!
//! Files are not concatenated: the bytes of an unquantized weight are read into its own vector. Raw bytes are stored
//! only for weights that must be decoded: quantized ones, and groups with strings, whose sizes are not in the manifest.
//! They are dropped tensor by tensor as they are decoded.

use crate::{HostData, HostTensor, decode, memory};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{
    DType, Error, GroupLayout, GroupSink, Panels, Result, Segment, TensorLayout, WeightSink, WeightSpec, WeightsGroup,
    WeightsManifest,
};

/// The destinations of a model's weight bytes, which become its weights. `P` is memory that an engine provides.
#[derive(Debug)]
pub struct Destinations<P = NoPlace> {
    groups: Vec<Group<P>>,
}

/// The requested destination of a weight's values.
#[derive(Debug)]
pub enum Wanted<P> {
    /// None: the weight is skipped.
    Not,
    /// A vector.
    Values,
    /// The engine's memory, if the weight is stored as plain float32; otherwise a vector.
    Place(P),
}

/// Memory that an engine provides for one float32 weight.
pub trait Place: Send {
    /// The memory, as panels for exactly the weight's bytes; `None` if the engine has no memory for it.
    fn panels(&mut self) -> Option<Panels<'_>>;
}

/// The type for loads without memory from an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {}

impl Place for NoPlace {
    fn panels(&mut self) -> Option<Panels<'_>> {
        match *self {}
    }
}

/// A weight that has arrived.
#[derive(Debug)]
pub enum Arrived<P> {
    /// As values.
    Host(HostTensor),
    /// In the engine's memory.
    Placed(P),
}

#[derive(Debug)]
enum Group<P> {
    Known(Vec<Slot<P>>),
    /// A group with strings: all bytes are stored until they can be scanned.
    Scanned {
        specs: Vec<WeightSpec>,
        wanted: Vec<bool>,
        bytes: Vec<u8>,
        limit: u64,
    },
}

#[derive(Debug)]
enum Slot<P> {
    Unwanted(u64),
    /// Filled in the engine's memory.
    Placed(P),
    /// Filled in place.
    Values(WeightSpec, HostData),
    /// Raw bytes, decoded at the end. 16-bit data are stored as `u16`, so that they are aligned.
    Raw(WeightSpec, HostData),
}

impl Destinations {
    /// Allocates memory for the weights for which `wanted` returns true. It is called with the index of the group and
    /// the index in the group.
    ///
    /// The system commits the memory when it is first written to, so large sizes in a manifest cost only address space
    /// until the bytes arrive.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the allocation fails,
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if the layout does not belong to the manifest.
    pub fn new(
        layout: &TensorLayout,
        manifest: &WeightsManifest,
        wanted: impl Fn(usize, usize) -> bool,
    ) -> Result<Destinations> {
        Destinations::with_places(layout, manifest, |group, index| {
            Ok(if wanted(group, index) { Wanted::Values } else { Wanted::Not })
        })
    }

    /// The weights, by group and index in the group, after every byte has been filled; `None` for skipped weights.
    /// Decodes the weights one after the other, and frees the raw bytes of each before the next.
    ///
    /// # Errors
    /// For groups with strings as [`decode_group`](crate::decode_group);
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for decoded values.
    pub fn finish(self) -> Result<Vec<Vec<Option<HostTensor>>>> {
        let host = |weight: Option<Arrived<NoPlace>>| match weight? {
            Arrived::Host(tensor) => Some(tensor),
            Arrived::Placed(never) => match never {},
        };
        let groups = self.arrived()?;
        Ok(groups.into_iter().map(|group| group.into_iter().map(host).collect()).collect())
    }
}

impl<P: Place> Destinations<P> {
    /// As [`new`](Destinations::new), with the engine's memory for weights for which `wanted` returns it.
    ///
    /// # Errors
    /// As [`new`](Destinations::new), and those of `wanted`; [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a place with
    /// another size than its weight.
    pub fn with_places(
        layout: &TensorLayout,
        manifest: &WeightsManifest,
        wanted: impl Fn(usize, usize) -> Result<Wanted<P>>,
    ) -> Result<Self> {
        let foreign = || Error::misuse("the layout does not belong to this manifest");
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

    /// As [`finish`](Destinations::finish), including the weights in the engine's memory.
    ///
    /// # Errors
    /// As [`finish`](Destinations::finish).
    pub fn arrived(self) -> Result<Vec<Vec<Option<Arrived<P>>>>> {
        self.groups.into_iter().map(Group::arrived).collect()
    }
}

impl<P: Place> WeightSink for Destinations<P> {
    fn groups(&mut self) -> Vec<GroupSink<'_>> {
        self.groups.iter_mut().map(Group::sink).collect()
    }
}

impl<P: Place> Group<P> {
    fn new(layout: &GroupLayout, group: &WeightsGroup, wanted: impl Fn(usize) -> Result<Wanted<P>>) -> Result<Self> {
        if layout.total.is_none() {
            let wanted = (0..group.weights.len()).map(|i| Ok(!matches!(wanted(i)?, Wanted::Not)));
            let wanted = wanted.collect::<Result<_>>()?;
            return Ok(Group::Scanned { specs: group.weights.clone(), wanted, bytes: Vec::new(), limit: layout.most });
        }
        let slots = group.weights.iter().enumerate();
        slots.map(|(i, spec)| Slot::new(spec, wanted(i)?)).collect::<Result<_>>().map(Group::Known)
    }

    fn sink(&mut self) -> GroupSink<'_> {
        match self {
            Group::Known(slots) => GroupSink::Segments(segments(slots)),
            Group::Scanned { bytes, limit, .. } => GroupSink::Growing { bytes, limit: *limit },
        }
    }

    fn arrived(self) -> Result<Vec<Option<Arrived<P>>>> {
        match self {
            Group::Known(slots) => slots.into_iter().map(Slot::arrived).collect(),
            Group::Scanned { specs, wanted, bytes, .. } => {
                let weights =
                    decode::decode_group(&bytes, &specs, |i| wanted.get(i).copied().unwrap_or(false))?.into_iter();
                Ok(weights.map(|weight| weight.map(Arrived::Host)).collect())
            }
        }
    }
}

/// Reads one weight: `fill` fills its stored bytes, which are then decoded.
///
/// # Errors
/// Those of `fill`; [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for the values, and
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for strings, whose size is not known before a scan.
pub fn read_weight(spec: &WeightSpec, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<HostTensor> {
    if spec.stored_bytes()?.is_none() {
        return Err(Error::unsupported("a string weight cannot be read alone").at_weight(shorten(&spec.name)));
    }
    let mut slot: Slot<NoPlace> = Slot::new(spec, Wanted::Values)?;
    if let Slot::Values(_, data) | Slot::Raw(_, data) = &mut slot {
        fill(data.bytes_mut())?;
    }
    match slot.arrived()? {
        Some(Arrived::Host(tensor)) => Ok(tensor),
        _ => Err(Error::bug("a wanted weight did not arrive").at_weight(shorten(&spec.name))),
    }
}

/// Converts slots to segments. Adjacent skipped slots become one segment, and empty slots are left out.
fn segments<P: Place>(slots: &mut [Slot<P>]) -> Vec<Segment<'_>> {
    let mut segments: Vec<Segment<'_>> = Vec::new();
    for slot in slots {
        let segment = match slot {
            Slot::Unwanted(bytes) => Segment::Skip(*bytes),
            // Panels exist, because the slot was made from a place with panels.
            Slot::Placed(place) => Segment::Panels(place.panels().unwrap_or_default()),
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

impl<P: Place> Slot<P> {
    fn new(spec: &WeightSpec, wanted: Wanted<P>) -> Result<Self> {
        let here = |error: Error| error.at_weight(shorten(&spec.name));
        let in_place = spec.quantization.is_none() && spec.dtype != DType::Float16;
        match wanted {
            Wanted::Not => return Ok(Slot::Unwanted(spec.stored_bytes()?.unwrap_or(0))),
            Wanted::Place(mut place) if in_place && spec.dtype == DType::Float32 => {
                if let Some(panels) = place.panels() {
                    let (expected, found) = (spec.stored_bytes()?.unwrap_or(0), panels.len());
                    if expected != found {
                        let error = format!("expected a place for {expected} bytes, found one for {found}");
                        return Err(here(Error::bug(error)));
                    }
                    return Ok(Slot::Placed(place));
                }
            }
            Wanted::Place(_) | Wanted::Values => {}
        }
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
        Ok(match in_place {
            true => Slot::Values(spec.clone(), data),
            false => Slot::Raw(spec.clone(), data),
        })
    }

    fn arrived(self) -> Result<Option<Arrived<P>>> {
        let host = |tensor: Result<HostTensor>| tensor.map(|tensor| Some(Arrived::Host(tensor)));
        match self {
            Slot::Unwanted(_) => Ok(None),
            Slot::Placed(place) => Ok(Some(Arrived::Placed(place))),
            Slot::Values(spec, data) => host(HostTensor::new(spec.shape, data)),
            Slot::Raw(spec, raw) => host(decode::decode_weight(raw.bytes().unwrap_or_default(), &spec)),
        }
    }
}

#[cfg(test)]
#[path = "destinations_tests.rs"]
mod tests;
