//! Axes as configurations name them: one number or a list, negative ones counting from the end.

use crate::config::FromJson;
use crate::lower::LowerCx;
use crate::types::SymShape;
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
    /// The axes as indices into a shape, in the order written.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there is no such axis, one is named twice, or none is.
    pub fn of(&self, shape: &SymShape) -> Result<Vec<usize>> {
        self.indices(|axis| shape.axis(axis), || shape.to_string())
    }

    /// The axes as indices into the dimensions of a value, in the order written.
    ///
    /// # Errors
    /// As [`of`](Axes::of).
    pub fn of_value(&self, cx: &LowerCx<'_>, x: tfjs_ir::Value) -> Result<Vec<usize>> {
        self.indices(|axis| cx.axis(axis, x), || cx.shape(x))
    }

    /// Whether it is the last axis alone, of an input of this rank if that is known.
    pub(crate) fn is_last(&self, rank: Option<usize>) -> bool {
        match (&self.0[..], rank) {
            (&[-1], _) => true,
            (&[axis], Some(rank)) => axis == rank as i64 - 1,
            _ => false,
        }
    }

    /// The axes as configurations have them: a number for one, a list for several.
    pub(crate) fn encode(&self) -> Value {
        match self.0[..] {
            [axis] => axis.into(),
            _ => self.0.clone().into(),
        }
    }

    fn indices(&self, find: impl Fn(i64) -> Result<usize>, shape: impl Fn() -> String) -> Result<Vec<usize>> {
        if self.0.is_empty() {
            return Err(Error::malformed("expected at least one `axis`, found `[]`"));
        }
        let mut out = Vec::new();
        for &axis in &self.0 {
            let index = find(axis)?;
            if out.contains(&index) {
                return Err(Error::malformed(format!("`axis` {axis} is named twice, for shape {}", shape())));
            }
            out.push(index);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(axes: Value, shape: &str, expect: std::result::Result<Vec<usize>, &str>) {
        let found = Axes::from_json(&axes).and_then(|a| a.of(&shape.parse()?)).map_err(|e| e.to_string());
        assert_eq!(found, expect.map_err(str::to_string));
    }

    #[test]
    fn one_or_several() {
        check(json!(-1), "?,2,3", Ok(vec![2]));
        check(json!([3.0, 1]), "?,2,3,4", Ok(vec![3, 1]));
        check(json!([-1, 2]), "?,2,3", Err("`axis` 2 is named twice, for shape [?,2,3]"));
        check(json!([]), "?,2,3", Err("expected at least one `axis`, found `[]`"));
        check(json!(3), "?,2,3", Err("`axis` 3 does not exist in shape [?,2,3]"));
    }
}
