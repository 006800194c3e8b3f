//! `Cropping1D`, `2D`, `3D`: the spatial axes without their ends.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/cropping2d/>.

use crate::call::Call;
use crate::config::Config;
use crate::geometry::Pads;
use crate::layer::{Exactness, LayerDef, single_of_rank};
use crate::layers::spatial::Spatial;
use crate::registry::FromConfig;
use crate::types::{Dim, TensorType};
use tfjs_manifest::{Error, Result};

/// The spatial axes without their ends. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Cropping {
    /// The axes.
    pub spatial: Spatial,
    /// The elements dropped before and after each.
    pub cuts: Vec<Pads>,
}

impl FromConfig for Cropping {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let spatial = Spatial::read(class, config)?;
        // Keras: nothing in two dimensions, one element at each end in one and three.
        let default = if spatial.count == 2 { 0 } else { 1 };
        Ok(Cropping { spatial, cuts: super::borders(config, "cropping", &spatial, default)? })
    }
}

impl LayerDef for Cropping {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single_of_rank(call, self.spatial.count + 2)?;
        let cut = |(dim, cut): (&Dim, &Pads)| match dim {
            None => Ok(None),
            Some(n) => {
                cut.before.checked_add(cut.after).filter(|less| less < n).map(|less| Some(n - less)).ok_or_else(|| {
                    let (before, after) = (cut.before, cut.after);
                    Error::malformed(format!("nothing is left of shape {} without {before} and {after}", input.shape))
                })
            }
        };
        let dims = self.spatial.dims(&input.shape).iter().zip(&self.cuts).map(cut).collect::<Result<Vec<_>>>()?;
        let channels = self.spatial.channels(&input.shape);
        Ok(vec![TensorType { shape: self.spatial.with(&input.shape, &dims, channels), dtype: input.dtype }])
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Cropping2D", json!({"cropping": [[0, 1], [2, 3]]}), &["?,9,?,3"], &["?,8,?,3"]);
        check_infer("Cropping1D", json!({}), &["?,9,3"], &["?,7,3"]);
    }

    #[test]
    fn refuses() {
        let message = "nothing is left of shape [?,4,9,3] without 2 and 2";
        check_refused("Cropping2D", json!({"cropping": 2}), &["?,4,9,3"], message);
        check_refused("Cropping2D", json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
    }
}
