//! `Unstack`: splits an axis into slices, with one output for each.
//!
//! Reference: `tf.unstack`, `keras.ops.unstack`.

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::Dim;
use tfjs_ir::prim::layout::Range;
use tfjs_manifest::{Error, Result};

/// Splits an axis of known length into slices.
#[derive(Clone, Debug, PartialEq)]
pub struct Unstack {
    /// `axis`, `num`.
    pub params: Params,
}

impl FromOpConfig for Unstack {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Unstack { params: Params::read(config) })
    }
}

impl Unstack {
    /// The length of the axis, which the file may state if the shape does not.
    fn count(&self, cx: &mut LowerCx<'_>, stated: Option<usize>, length: Dim, x: tfjs_ir::Value) -> Result<usize> {
        let Some(stated) = stated else { return cx.known(length, "the unstacked axis", x) };
        let number = cx.number(stated);
        if cx.same(number, length).is_none() {
            return Err(Error::malformed(format!("shape {} cannot be unstacked into {stated}", cx.shape(x))));
        }
        Ok(stated)
    }
}

impl LayerDef for Unstack {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.subject(&["value"])?;
        let stated = args.opt(&["num"], Some(1))?;
        let axis = cx.axis(args.or(&["axis"], Some(2), 0)?, input.value)?;
        let length = cx.dims_of(input.value)[axis];
        let count = self.count(cx, stated, length, input.value)?;
        if axis == 0 {
            cx.mixes_batch();
        }
        let mut outputs = Vec::new();
        for index in 0..count {
            let start = cx.number(index);
            let slice = cx.slice_axis(input.value, axis, Range { start, len: Dim::ONE, step: 1 })?;
            let sizes = input.sizes.as_ref().and_then(|sizes| sizes.get(index)).map(|&size| vec![size]);
            outputs.push(KerasTensor { sizes, ..KerasTensor::from(cx.remove_axis(slice, axis)?) });
        }
        args.finish(cx);
        Ok(outputs)
    }
}
