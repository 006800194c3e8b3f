//! Axes in configurations: one number or a list; negative ones count from the end.

use crate::config::FromJson;
use crate::lower::LowerCx;
use serde_json::Value;
use tfjs_manifest::{Error, Result};

/// One axis or several, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes(pub Vec<i64>);

impl FromJson for Axes {
    fn from_json(value: &Value) -> Result<Self> {
        match value {
            Value::Array(_) => Vec::<i64>::from_json(value).map(Axes),
            one => i64::from_json(one).map(|axis| Axes(vec![axis])),
        }
    }
}

impl Axes {
    /// The axes as indices into the dimensions of a value, in the order written.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if an axis does not exist, one is repeated, or the list is
    /// empty.
    pub(crate) fn of(&self, cx: &LowerCx<'_>, x: tfjs_ir::Value) -> Result<Vec<usize>> {
        if self.0.is_empty() {
            return Err(Error::malformed("expected at least one `axis`, found `[]`"));
        }
        let mut out = Vec::new();
        for &axis in &self.0 {
            let index = cx.axis(axis, x)?;
            if out.contains(&index) {
                return Err(Error::malformed(format!("`axis` {axis} is named twice, for shape {}", cx.shape(x))));
            }
            out.push(index);
        }
        Ok(out)
    }

    /// Whether it is only the last axis of an input of this rank, if the rank is known.
    pub(crate) fn is_last(&self, rank: Option<usize>) -> bool {
        match (&self.0[..], rank) {
            (&[-1], _) => true,
            (&[axis], Some(rank)) => axis == rank as i64 - 1,
            _ => false,
        }
    }

    /// The axes in the form of a configuration: a number for one, a list for several.
    pub(crate) fn encode(&self) -> Value {
        match self.0[..] {
            [axis] => axis.into(),
            _ => self.0.clone().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn one_or_several() {
        check_infer("Softmax", json!({"axis": -1}), &["?,2,3"], &["?,2,3"]);
        let (config, weights) = (json!({"axis": [3.0, 1]}), ["gamma[4,2]", "beta[4,2]"]);
        check_weights("LayerNormalization", config, &["?,2,3,4"], &weights);
        let refused = |axis, message| check_refused("Softmax", json!({"axis": axis}), &["?,2,3"], message);
        refused(json!([-1, 2]), "`axis` 2 is named twice, for shape [?,2,3]");
        refused(json!([]), "expected at least one `axis`, found `[]`");
        refused(json!(3), "`axis` 3 does not exist in shape [?,2,3]");
    }
}
