//! The weights of an optimizer: kept as they were loaded, to be saved again, and not interpreted.

use crate::weights::PackedPlace;
use tfjs_manifest::{Error, Result, TensorLayout, WeightReader, WeightsManifest};
use tfjs_topology::bind::TensorId;
use tfjs_weights::{Arrived, HostTensor, read_weight};

/// An optimizer's weights by name, in the file's order, which the optimizer defines.
pub(crate) type OptimizerWeights = Vec<(String, HostTensor)>;

/// The tensors that belong to the optimizer.
pub(crate) fn ids(manifest: &WeightsManifest) -> impl Iterator<Item = TensorId> {
    let specs = manifest.specs().filter(|(_, _, spec)| spec.is_optimizer());
    specs.map(|(group, index, _)| TensorId { group, index })
}

/// Takes the optimizer's weights out of the loaded ones.
pub(crate) fn take(
    manifest: &WeightsManifest,
    arrived: &mut [Vec<Option<Arrived<PackedPlace>>>],
) -> Result<OptimizerWeights> {
    let mut weights = Vec::new();
    for (g, i, spec) in manifest.specs().filter(|(_, _, spec)| spec.is_optimizer()) {
        match arrived.get_mut(g).and_then(|group| group.get_mut(i)).and_then(Option::take) {
            Some(Arrived::Host(tensor)) => weights.push((spec.name.clone(), tensor)),
            Some(Arrived::Placed(_)) => {
                return Err(Error::bug("an optimizer's weight was packed").at_weight(&spec.name));
            }
            // Not requested.
            None => {}
        }
    }
    Ok(weights)
}

/// Reads all of the optimizer's weights from their files.
pub(crate) fn read(
    manifest: &WeightsManifest,
    layout: &TensorLayout,
    reader: &dyn WeightReader,
) -> Result<OptimizerWeights> {
    let specs = manifest.specs().filter(|(_, _, spec)| spec.is_optimizer());
    let read = specs.map(|(g, i, spec)| {
        let offset = layout.groups().get(g).and_then(|group| group.tensors.get(i)?.offset);
        let offset = offset.ok_or_else(|| {
            Error::unsupported(
                "the weight lies in a group with strings and cannot be read lazily; load the model whole",
            )
        });
        let tensor = offset.and_then(|offset| read_weight(spec, |out| reader.read(g, offset, out)));
        Ok((spec.name.clone(), tensor.map_err(|e| e.at_weight(&spec.name))?))
    });
    read.collect()
}
