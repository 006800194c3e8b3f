//! Names that several weights share: TensorFlow.js writes them for nested models whose layers have equal names, but
//! cannot read them. The weights are assigned in the order of the layers, in which they were written, if the file
//! allows no other reading.

use super::{File, Rule, TensorId, candidates, path};
use crate::graph::{ModelGraph, SlotId};
use std::collections::{BTreeMap, HashMap, HashSet};
use tfjs_manifest::{Error, Findings};

/// Weights of one name, and the slots that look it up.
struct Repeated<'a> {
    name: &'a str,
    tensors: &'a [TensorId],
    slots: Vec<usize>,
}

/// Slots with their tensors.
type Pairs = Vec<(usize, TensorId)>;

/// Binds the remaining weights of repeated names, or reports why it cannot. Returns the reported slots.
pub(super) fn bind(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &mut [Option<(TensorId, Rule)>],
    claims: &mut HashMap<TensorId, SlotId>,
    findings: &mut Findings,
) -> HashSet<usize> {
    let mut unclear = HashSet::new();
    if file.repeated.is_empty() {
        return unclear;
    }
    // DIFFERENCE: TensorFlow.js rejects what it wrote itself.
    let repeated = wanted(graph, file, slots);
    // The order of Keras and most others, or that of TensorFlow.js: trainable weights first.
    let as_listed: Vec<usize> = (0..graph.slots.len()).collect();
    let mut trained_first = as_listed.clone();
    trained_first.sort_by_key(|&slot| !graph.slots[slot].trainable);
    let mut readings: Vec<Pairs> = Vec::new();
    for order in [as_listed, trained_first] {
        if let Some(pairs) = pair(graph, file, &repeated, &order)
            && (told_apart_by_shape(file, &repeated) || is_in_order(file, slots, &pairs, &order))
            && !readings.contains(&pairs)
        {
            readings.push(pairs);
        }
    }
    match &readings[..] {
        [pairs] => {
            for &(slot, id) in pairs {
                slots[slot] = Some((id, Rule::LayerOrder));
                claims.insert(id, SlotId(slot));
            }
        }
        _ => {
            for Repeated { name, tensors, slots: wanting } in &repeated {
                findings.push(cannot_tell(graph, name, tensors.len(), wanting));
                unclear.extend(wanting.iter().copied());
                let slot = SlotId(wanting.first().copied().unwrap_or_default());
                claims.extend(tensors.iter().map(|&id| (id, slot)));
            }
        }
    }
    unclear
}

/// The repeated names that slots without a tensor look up.
fn wanted<'a>(graph: &ModelGraph, file: &'a File<'_>, slots: &[Option<(TensorId, Rule)>]) -> Vec<Repeated<'a>> {
    let index: HashMap<&str, usize> = file.repeated.iter().enumerate().map(|(i, (name, _))| (*name, i)).collect();
    let mut wanting: Vec<Vec<usize>> = vec![Vec::new(); file.repeated.len()];
    for (i, slot) in graph.slots.iter().enumerate().filter(|(i, _)| slots[*i].is_none()) {
        if let Some(&at) = candidates(slot).iter().find_map(|candidate| index.get(candidate.name.as_str())) {
            wanting[at].push(i);
        }
    }
    let named = file.repeated.iter().zip(wanting).filter(|(_, slots)| !slots.is_empty());
    named.map(|((name, tensors), slots)| Repeated { name, tensors, slots }).collect()
}

/// Assigns the first tensor of a name and shape to the first slot that looks it up, the second to the second; `None` if
/// the numbers of slots and tensors differ.
fn pair(graph: &ModelGraph, file: &File<'_>, repeated: &[Repeated<'_>], order: &[usize]) -> Option<Pairs> {
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, &slot)| place[slot] = i);
    let mut pairs = Pairs::new();
    for Repeated { tensors, slots, .. } in repeated {
        let mut by_shape: BTreeMap<&[usize], (Vec<usize>, Vec<TensorId>)> = BTreeMap::new();
        for &slot in slots {
            by_shape.entry(graph.slots[slot].decl.shape.dims()).or_default().0.push(slot);
        }
        for &id in *tensors {
            by_shape.entry(file.spec(id).shape.dims()).or_default().1.push(id);
        }
        for (mut slots, mut tensors) in by_shape.into_values() {
            if slots.len() != tensors.len() {
                return None;
            }
            slots.sort_by_key(|&slot| place[slot]);
            tensors.sort_by_key(|id| file.place[id]);
            pairs.extend(slots.into_iter().zip(tensors));
        }
    }
    pairs.sort_unstable();
    Some(pairs)
}

/// Whether weights of one name all differ in shape.
fn told_apart_by_shape(file: &File<'_>, repeated: &[Repeated<'_>]) -> bool {
    repeated.iter().all(|Repeated { tensors, .. }| {
        let mut shapes: Vec<&[usize]> = tensors.iter().map(|&id| file.spec(id).shape.dims()).collect();
        shapes.sort_unstable();
        shapes.windows(2).all(|two| two[0] != two[1])
    })
}

/// Whether the whole file has its weights in this order of the slots. A model whose first part was frozen when it was
/// saved has the weights of that part at the end; the weights between them show this.
fn is_in_order(file: &File<'_>, slots: &[Option<(TensorId, Rule)>], pairs: &Pairs, order: &[usize]) -> bool {
    let found: HashMap<usize, TensorId> = pairs.iter().copied().collect();
    let ids = order.iter().filter_map(|slot| slots[*slot].map(|(id, _)| id).or_else(|| found.get(slot).copied()));
    let places: Vec<usize> = ids.map(|id| file.place[&id]).collect();
    places.windows(2).all(|two| two[0] < two[1])
}

fn cannot_tell(graph: &ModelGraph, name: &str, times: usize, wanting: &[usize]) -> Error {
    let first: Vec<String> =
        wanting.iter().take(2).map(|&slot| format!("`{}`", path(graph, &graph.slots[slot]))).collect();
    Error::mismatch(format!(
        "is {times} times in the file and fits {} of the model's weights, {}; which is which cannot be told: give the \
         layers of nested models names of their own",
        wanting.len(),
        first.join(" and ")
    ))
    .at_weight(name)
}
