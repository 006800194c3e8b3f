//! `MaxoutDense` of Keras 1 and 2.0: the largest of several products, `max over k of (dot(input, W[k]) + b[k])`.
//!
//! Reference: `MaxoutDense` in Keras 1.2.2's `keras/layers/core.py`.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_manifest::{Error, Result, Shape};

/// A layer of `nb_feature` products of which the largest counts, element by element. Weights:
/// `W [nb_feature, in, units]`, `b [nb_feature, units]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxoutDense {
    /// Size of the output.
    pub units: usize,
    /// How many products there are.
    pub features: usize,
    /// Whether a bias is added to each.
    pub use_bias: bool,
}

impl FromConfig for MaxoutDense {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let features = config.or("nb_feature", 4)?;
        if features == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("nb_feature").at_json("config"));
        }
        Ok(MaxoutDense { units: config.req("units")?, features, use_bias: config.or("use_bias", true)? })
    }
}

impl LayerDef for MaxoutDense {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single_of_rank(call, 2)?.value;
        let channels = cx.known(cx.ty(input).dims[1], "the last axis", input)?;
        let kernel = cx.weight(WeightDecl::new("W", Shape::new([self.features, channels, self.units])?))?;
        let bias = match self.use_bias {
            true => Some(cx.weight(WeightDecl::new("b", Shape::new([self.features, self.units])?))?),
            false => None,
        };
        let x = cx.to_float(input)?;
        // [batch, features, units]
        let mut products = cx.dot(x, kernel, &[], &[(1, 1)])?;
        if let Some(bias) = bias {
            products = cx.add(products, bias)?;
        }
        Ok(vec![cx.reduce(ReduceOp::Max, products, &[1], false)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("MaxoutDense", json!({"units": 8}), &["?,3"], &["?,8"]);
        check_weights("MaxoutDense", json!({"units": 8}), &["?,3"], &["W[4,3,8]", "b[4,8]"]);
        let config = json!({"units": 8.0, "nb_feature": 2, "use_bias": false});
        check_weights("MaxoutDense", config, &["?,3"], &["W[2,3,8]"]);
    }

    #[test]
    fn refuses() {
        check_refused(
            "MaxoutDense",
            json!({"units": 8}),
            &["?,2,3"],
            "expected an input of rank 2, found shape [?,2,3]",
        );
        check_refused("MaxoutDense", json!({"units": 8}), &["?,?"], "the last axis must be known, found shape [?,?]");
        let none = json!({"units": 8, "nb_feature": 0});
        check_refused("MaxoutDense", none, &[], "`config.nb_feature`: expected at least 1, found 0");
    }
}
