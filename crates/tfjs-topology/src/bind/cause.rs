//! Probable causes of weights that do not match. Each cause is known from practice, and is reported only if the names
//! and shapes agree with it.

use super::sides::{Lacking, Surplus};
use crate::graph::ModelGraph;
use crate::suggest::similarity;
use std::collections::{BTreeMap, HashMap, HashSet};
use tfjs_manifest::text::shorten;

/// Similar names are searched for at most this many layers, because each name is compared with many others.
const SUGGESTIONS: usize = 20;
/// The most names that a name is compared with.
const COMPARED: usize = 1000;
/// The similarity from which names count as similar.
const SIMILAR: f64 = 0.6;

/// For each layer that lacks weights, the surplus that probably belongs to it, by its numbering or by a similar name.
#[derive(Debug, Default)]
pub(super) struct Suggested {
    /// Index of the layer to index of the surplus.
    pub(super) of_layer: HashMap<usize, usize>,
    /// How many differ only in a number that a running process appends.
    pub(super) by_number: usize,
}

/// The cause of the mismatch, and how to fix it.
pub(super) fn of(
    graph: &ModelGraph,
    lacking: &[Lacking<'_>],
    surplus: &[Surplus<'_>],
    found: usize,
    suggested: &Suggested,
) -> Option<String> {
    let lost = lost_to_slashes(graph, lacking);
    if lost > 0 {
        return Some(format!(
            "the converter loses a layer whose name continues another layer's name with a slash, which {lost} of the \
             layers do: rename them, with `_` in place of `/`, and convert again"
        ));
    }
    if let Some(prefix) = common_prefix(lacking, surplus) {
        return Some(format!(
            "the file's names start with `{}/`, which no model is called here: the topology and the weights were \
             written by different programs or versions, save both together",
            shorten(prefix)
        ));
    }
    if suggested.by_number > 0 {
        return Some(
            "the names differ only in the numbers that a running Python process appends: the topology and the weights \
             were written in different runs; save both in one, or after `clear_session()`"
                .to_owned(),
        );
    }
    let others = surplus.len() > suggested.of_layer.len();
    (found == 0 && others && suggested.of_layer.is_empty())
        .then(|| "none of its names is the model's: these are the weights of another model".to_owned())
}

/// Counts layers without any weight whose name continues another's with a slash: nested groups in HDF5, of which
/// the converter reads only the outer one.
fn lost_to_slashes(graph: &ModelGraph, lacking: &[Lacking<'_>]) -> usize {
    let names: HashSet<&str> = graph.layers.iter().map(|layer| layer.name.as_str()).collect();
    let continues = |name: &str| name.match_indices('/').any(|(at, _)| names.contains(&name[..at]));
    lacking.iter().filter(|layer| layer.wholly && continues(layer.name)).count()
}

/// The common prefix of all surplus names, if the rest are names of layers.
fn common_prefix<'a>(lacking: &[Lacking<'_>], surplus: &[Surplus<'a>]) -> Option<&'a str> {
    let (prefix, _) = surplus.first()?.name.split_once('/')?;
    let rest: Option<HashMap<&str, &Surplus<'_>>> =
        surplus.iter().map(|holder| Some((holder.name.strip_prefix(prefix)?.strip_prefix('/')?, holder))).collect();
    let rest = rest?;
    let fits = |layer: &Lacking<'_>| {
        let holder = rest.get(layer.name).or_else(|| rest.get(layer.path));
        holder.is_some_and(|holder| layer.fits(holder))
    };
    (!lacking.is_empty() && lacking.iter().all(fits)).then_some(prefix)
}

/// Finds the surplus of each layer. A surplus named like another layer of the model is never suggested.
pub(super) fn suggest(graph: &ModelGraph, lacking: &[Lacking<'_>], surplus: &[Surplus<'_>]) -> Suggested {
    let owned: HashSet<&str> =
        graph.layers.iter().flat_map(|layer| [layer.name.as_str(), layer.path.as_str()]).collect();
    let free: Vec<usize> = (0..surplus.len()).filter(|&i| !owned.contains(surplus[i].name)).collect();
    let mut suggested = Suggested::default();
    by_number(lacking, surplus, &free, &mut suggested);
    suggested.by_number = suggested.of_layer.len();
    by_similarity(lacking, surplus, &free, &mut suggested);
    suggested
}

/// Finds layers whose names differ only in a number, if adding one offset to every number gives a surplus that fits:
/// `dense`, `dense_1` and `dense_4`, `dense_5`.
fn by_number(lacking: &[Lacking<'_>], surplus: &[Surplus<'_>], free: &[usize], suggested: &mut Suggested) {
    let mut layers: BTreeMap<&str, Vec<(i64, usize)>> = BTreeMap::new();
    for (i, layer) in lacking.iter().enumerate() {
        let (base, number) = numbered(layer.name);
        layers.entry(base).or_default().push((number, i));
    }
    let mut holders: HashMap<&str, Vec<(i64, usize)>> = HashMap::new();
    let mut whole: HashMap<&str, Vec<usize>> = HashMap::new();
    for &i in free {
        let (base, number) = numbered(surplus[i].name);
        holders.entry(base).or_default().push((number, i));
        whole.entry(base).or_default().push(i);
    }
    for (base, mut of_base) in layers {
        if let Some(holders) = holders.get(base).filter(|holders| holders.len() == of_base.len()) {
            let mut holders = holders.clone();
            of_base.sort_unstable();
            holders.sort_unstable();
            let distance = |(layer, holder): (&(i64, usize), &(i64, usize))| holder.0.saturating_sub(layer.0);
            let mut distances = of_base.iter().zip(&holders).map(distance);
            let first = distances.next();
            let even = distances.all(|d| Some(d) == first);
            let fit = of_base.iter().zip(&holders).all(|(layer, holder)| lacking[layer.1].fits(&surplus[holder.1]));
            if even && fit {
                suggested.of_layer.extend(of_base.iter().zip(&holders).map(|(layer, holder)| (layer.1, holder.1)));
                continue;
            }
        }
        // A number after the whole name: `dense_1_15`.
        for (_, layer) in of_base {
            if let Some(&[holder]) = whole.get(lacking[layer].name).map(Vec::as_slice)
                && lacking[layer].fits(&surplus[holder])
            {
                suggested.of_layer.insert(layer, holder);
            }
        }
    }
}

/// Finds pairs of a layer and a surplus with the same variables, shapes and numbers, each the other's most similar
/// name.
fn by_similarity(lacking: &[Lacking<'_>], surplus: &[Surplus<'_>], free: &[usize], suggested: &mut Suggested) {
    let taken: HashSet<usize> = suggested.of_layer.values().copied().collect();
    let mut holders: HashMap<_, Vec<usize>> = HashMap::new();
    for &i in free.iter().filter(|i| !taken.contains(i)).take(COMPARED) {
        holders.entry(surplus[i].signature()).or_default().push(i);
    }
    let open = (0..lacking.len()).filter(|i| !suggested.of_layer.contains_key(i)).take(SUGGESTIONS);
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for layer in open {
        let of_kind = holders.get(lacking[layer].signature()).map(Vec::as_slice).unwrap_or_default();
        for &holder in of_kind {
            let (ours, theirs) = (lacking[layer].name, surplus[holder].name);
            let score = similarity(ours, theirs).max(similarity(lacking[layer].path, theirs));
            if score >= SIMILAR && digits(ours) == digits(theirs) && lacking[layer].fits(&surplus[holder]) {
                pairs.push((score, layer, holder));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut taken = HashSet::new();
    for (_, layer, holder) in pairs {
        if !suggested.of_layer.contains_key(&layer) && taken.insert(holder) {
            suggested.of_layer.insert(layer, holder);
        }
    }
}

/// Splits a name into its base and its number: the first name of a Python process has none.
fn numbered(name: &str) -> (&str, i64) {
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    match name.rsplit_once('_').and_then(|(base, digits)| Some((base, number(digits)?))) {
        Some((base, number)) if !base.is_empty() => (base, number),
        _ => (name, 0),
    }
}

/// The numbers in a name, as written.
fn digits(name: &str) -> Vec<&str> {
    name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_names() {
        for (name, expect) in
            [("dense", ("dense", 0)), ("dense_12", ("dense", 12)), ("conv_1x1", ("conv_1x1", 0)), ("_3", ("_3", 0))]
        {
            assert_eq!(numbered(name), expect);
        }
        assert_eq!(digits("block1_conv12"), ["1", "12"]);
    }
}
