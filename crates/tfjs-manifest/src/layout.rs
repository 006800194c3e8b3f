//! Computes the position of each weight in its group's bytes, and the memory its values take. Arithmetic only.
//!
//! The manifest does not contain the lengths of files, only their sum. The length of a string tensor is known only
//! after scanning its bytes.

use crate::text::shorten;
use crate::{DType, Error, Limits, Result, WeightSpec, WeightsGroup, WeightsManifest};
use serde_json::{Value, json};

/// The layout of every group of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorLayout {
    groups: Vec<GroupLayout>,
    value_bytes: u64,
}

/// The layout of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupLayout {
    /// The weights, in the order of their bytes.
    pub tensors: Vec<TensorSlot>,
    /// The total length of the group's files in bytes; `None` if the group has strings.
    pub total: Option<u64>,
    /// The maximum total length of the group's files: `total`, or, for a group with strings, what the limits allow.
    pub most: u64,
}

/// The position of one weight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorSlot {
    /// The weight's name.
    pub name: String,
    /// The offset in the concatenated bytes of the group's files; `None` after a string tensor.
    pub offset: Option<u64>,
    /// Its length there in bytes; `None` for strings.
    pub stored_bytes: Option<u64>,
    /// The length of its decoded values in bytes; `None` for strings.
    pub value_bytes: Option<u64>,
}

impl WeightsManifest {
    /// The position of every weight.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::Kind::Limit) if the values of all weights take more than
    /// `limits.weight_bytes`, or if the strings of a group take at least more than its share of `limits.string_bytes`.
    pub fn layout(&self, limits: &Limits) -> Result<TensorLayout> {
        let mut layout = TensorLayout::default();
        // Groups are fetched concurrently, so each gets an equal share of the limit in advance.
        let with_strings = self.groups().iter().filter(|group| group.weights.iter().any(|w| w.dtype == DType::String));
        let limits =
            &Limits { string_bytes: limits.string_bytes / (with_strings.count() as u64).max(1), ..limits.clone() };
        for (g, group) in self.groups().iter().enumerate() {
            let group = lay_out(group, limits, &mut layout.value_bytes)
                .map_err(|error| error.at_json(format!("weightsManifest[{g}]")))?;
            layout.groups.push(group);
        }
        Ok(layout)
    }
}

impl TensorLayout {
    /// The groups, in the manifest's order.
    pub fn groups(&self) -> &[GroupLayout] {
        &self.groups
    }

    /// The length of all decoded values in bytes, without strings.
    pub fn value_bytes(&self) -> u64 {
        self.value_bytes
    }

    /// The total length of all weight files in bytes; `None` if a group has strings.
    pub fn total(&self) -> Option<u64> {
        self.groups.iter().try_fold(0u64, |sum, group| sum.checked_add(group.total?))
    }

    /// The layout as JSON, for people and tests.
    pub fn to_json(&self) -> Value {
        let tensor = |slot: &TensorSlot| {
            let TensorSlot { name, offset, stored_bytes, value_bytes } = slot;
            json!({"name": name, "offset": offset, "stored_bytes": stored_bytes, "value_bytes": value_bytes})
        };
        let group = |group: &GroupLayout| {
            let GroupLayout { tensors, total, most } = group;
            json!({"total": total, "most": most, "tensors": tensors.iter().map(tensor).collect::<Value>()})
        };
        json!({
            "total": self.total(),
            "value_bytes": self.value_bytes,
            "groups": self.groups.iter().map(group).collect::<Value>(),
        })
    }
}

impl WeightSpec {
    /// The length of the weight in its file in bytes; `None` for strings.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::Kind::Limit) if it overflows.
    pub fn stored_bytes(&self) -> Result<Option<u64>> {
        self.bytes_of(self.stored())
    }

    /// The length of the weight's decoded values in bytes, with half precision decoded to single; `None` for strings.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::Kind::Limit) if it overflows.
    pub fn value_bytes(&self) -> Result<Option<u64>> {
        self.bytes_of(match self.dtype {
            DType::Float16 => DType::Float32,
            other => other,
        })
    }

    fn bytes_of(&self, dtype: DType) -> Result<Option<u64>> {
        let Some(size) = dtype.size() else {
            return Ok(None);
        };
        let bytes = (self.shape.elements() as u64)
            .checked_mul(size)
            // A tensor must fit in one allocation.
            .filter(|&bytes| isize::try_from(bytes).is_ok());
        match bytes {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Error::limit(format!(
                "a weight of shape {} takes more bytes than this machine can address",
                self.shape
            ))
            .at_weight(shorten(&self.name))),
        }
    }
}

fn lay_out(group: &WeightsGroup, limits: &Limits, value_bytes: &mut u64) -> Result<GroupLayout> {
    let mut tensors = Vec::with_capacity(group.weights.len());
    let mut offset = Some(0u64);
    let (mut fixed, mut strings, mut has_strings) = (0u64, 0u64, false);

    for spec in &group.weights {
        let here = |error: Error| error.at_weight(shorten(&spec.name));
        let slot = TensorSlot {
            name: spec.name.clone(),
            offset,
            stored_bytes: spec.stored_bytes()?,
            value_bytes: spec.value_bytes()?,
        };
        match slot.stored_bytes {
            Some(bytes) => {
                fixed = add(fixed, bytes).map_err(here)?;
                // At most `fixed`, which did not overflow.
                offset = offset.map(|at| at + bytes);
            }
            None => {
                has_strings = true;
                offset = None;
                // Each string takes at least four bytes, for its length.
                strings = strings.saturating_add((spec.shape.elements() as u64).saturating_mul(4));
                Limits::check("string_bytes", strings, limits.string_bytes).map_err(here)?;
            }
        }
        *value_bytes = add(*value_bytes, slot.value_bytes.unwrap_or(0)).map_err(here)?;
        Limits::check("weight_bytes", *value_bytes, limits.weight_bytes).map_err(here)?;
        tensors.push(slot);
    }

    let most = if has_strings { fixed.saturating_add(limits.string_bytes) } else { fixed };
    Ok(GroupLayout { tensors, total: (!has_strings).then_some(fixed), most })
}

fn add(sum: u64, bytes: u64) -> Result<u64> {
    sum.checked_add(bytes).ok_or_else(|| Error::limit("the weights together take more bytes than can be counted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn manifest(weights: Value) -> WeightsManifest {
        let value = json!([{"paths": ["w.bin"], "weights": weights}]);
        WeightsManifest::from_value(&value, &Limits::default()).unwrap()
    }

    fn string_group() -> WeightsManifest {
        manifest(json!([
            {"name": "a", "shape": [2], "dtype": "int32"},
            {"name": "s", "shape": [3], "dtype": "string"},
            {"name": "b", "shape": [5], "dtype": "bool"},
        ]))
    }

    #[test]
    fn weights_lie_behind_each_other_without_padding() {
        let layout = manifest(json!([
            {"name": "q", "shape": [3], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 1, "min": 0}},
            {"name": "h", "shape": [2, 2], "dtype": "float32", "quantization": {"dtype": "float16"}},
            {"name": "s", "shape": [], "dtype": "int32"},
            {"name": "e", "shape": [0, 7], "dtype": "float32"},
            {"name": "c", "shape": [2], "dtype": "complex64"},
            {"name": "f", "shape": [2], "dtype": "float16"},
            {"name": "b", "shape": [5], "dtype": "bool"},
        ]))
        .layout(&Limits::default())
        .unwrap();
        let group = &layout.groups()[0];
        let table: Vec<_> = group
            .tensors
            .iter()
            .map(|t| (t.name.as_str(), t.offset.unwrap(), t.stored_bytes.unwrap(), t.value_bytes.unwrap()))
            .collect();
        assert_eq!(
            table,
            [
                ("q", 0, 3, 12),
                ("h", 3, 8, 16),
                ("s", 11, 4, 4),
                ("e", 15, 0, 0),
                ("c", 15, 16, 16),
                ("f", 31, 4, 8),
                ("b", 35, 5, 5),
            ]
        );
        assert_eq!((group.total, group.most, layout.total(), layout.value_bytes()), (Some(40), 40, Some(40), 61));
    }

    #[test]
    fn behind_strings_nothing_is_known() {
        let layout = string_group().layout(&Limits { string_bytes: 100, ..Limits::default() }).unwrap();
        let group = &layout.groups()[0];
        assert_eq!((group.total, group.most, layout.total()), (None, 113, None));
        let offsets: Vec<_> = group.tensors.iter().map(|t| (t.offset, t.stored_bytes)).collect();
        assert_eq!(offsets, [(Some(0), Some(8)), (Some(8), None), (None, Some(5))]);
        assert_eq!(
            layout.to_json()["groups"][0]["tensors"][1],
            json!({"name": "s", "offset": 8, "stored_bytes": null, "value_bytes": null})
        );
    }

    #[test]
    fn too_many_bytes_of_values() {
        // Four times as large in memory as in the file: memory is limited.
        let quantization = json!({"dtype": "uint8", "scale": 1, "min": 0});
        let quantized = manifest(json!([
            {"name": "a", "shape": [10], "dtype": "float32", "quantization": quantization},
            {"name": "b", "shape": [10], "dtype": "float32", "quantization": quantization},
        ]));
        quantized.layout(&Limits { weight_bytes: 80, ..Limits::default() }).unwrap();
        let error = quantized.layout(&Limits { weight_bytes: 79, ..Limits::default() }).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Limit, Some("b")));
        assert!(error.message().contains("allowed 79, asked 80"), "{error}");
    }

    #[test]
    fn too_many_strings() {
        let error = string_group().layout(&Limits { string_bytes: 11, ..Limits::default() }).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Limit, Some("s")));
    }

    #[test]
    fn groups_share_what_strings_may_take() {
        let words = |name: &str, count: u64| json!({"paths": ["w.bin"], "weights": [{"name": name, "shape": [count], "dtype": "string"}]});
        let limits = Limits { string_bytes: 100, ..Limits::default() };
        let layout = |groups: Value| WeightsManifest::from_value(&groups, &limits).unwrap().layout(&limits);
        assert_eq!(layout(json!([words("a", 25)])).unwrap().groups()[0].most, 100);
        let numbers = json!({"paths": ["n.bin"], "weights": [{"name": "n", "shape": [7], "dtype": "bool"}]});
        let three = layout(json!([words("a", 2), numbers, words("b", 2), words("c", 2)])).unwrap();
        assert_eq!(three.groups().iter().map(|group| group.most).collect::<Vec<_>>(), [33, 7, 33, 33]);
        let error = layout(json!([words("a", 2), words("b", 13)])).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Limit, Some("b")));
    }

    #[test]
    fn weights_of_an_optimizer_spend_the_same_budget() {
        let slots = manifest(json!([
            {"name": "d/kernel", "shape": [10], "dtype": "float32"},
            {"name": "Adam/m", "shape": [10], "dtype": "float32", "group": "optimizer"},
        ]));
        slots.layout(&Limits { weight_bytes: 80, ..Limits::default() }).unwrap();
        let error = slots.layout(&Limits { weight_bytes: 79, ..Limits::default() }).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Limit, Some("Adam/m")));
    }

    #[test]
    fn bytes_that_overflow_although_elements_do_not() {
        let size = isize::MAX as u64;
        for dtype in ["complex64", "float32", "float16", "string"] {
            let huge = manifest(json!([{"name": "huge", "shape": [size], "dtype": dtype}]));
            let error = huge.layout(&Limits::unlimited()).err();
            match dtype {
                // The sum saturates at the maximum, which the limit allows.
                "string" => assert!(error.is_none()),
                _ => assert_eq!(error.unwrap().kind(), Kind::Limit),
            }
        }
    }

    #[test]
    fn a_sum_that_overflows() {
        let size = (isize::MAX / 8) as u64;
        let weight = |name: &str| json!({"name": name, "shape": [size], "dtype": "complex64"});
        let huge = manifest(json!([weight("a"), weight("b"), weight("c")]));
        assert_eq!(huge.layout(&Limits::default()).unwrap_err().kind(), Kind::Limit);
        assert!(huge.layout(&Limits::unlimited()).is_err());
    }
}
