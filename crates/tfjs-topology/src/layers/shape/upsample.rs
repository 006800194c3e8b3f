//! `UpSampling1D`, `2D`, `3D`: larger spatial axes, by repeating elements or, for images, between them.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/up_sampling2d/>.

use crate::call::Call;
use crate::config::{Config, PerAxis};
use crate::layer::{Exactness, LayerDef};
use crate::layers::spatial::Spatial;
use crate::registry::FromConfig;
use crate::types::{Dim, TensorType, ValueType};
use tfjs_manifest::{Error, Result};

/// Where new elements take their values from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interpolation {
    /// Each element repeated.
    Nearest,
    /// Between the two nearest, output `i` standing at `(i + 0.5) / size - 0.5`: Keras.
    Bilinear,
    /// Between the two nearest, output `i` standing at `i / size`: TensorFlow.js.
    BilinearFromCorner,
}

/// Larger spatial axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct UpSampling {
    /// The axes.
    pub spatial: Spatial,
    /// How many times larger each becomes.
    pub size: Vec<usize>,
    /// Where new elements take their values from.
    pub interpolation: Interpolation,
}

impl FromConfig for UpSampling {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let spatial = Spatial::read(class, config)?;
        let size = spatial.each(&config.or("size", PerAxis::all(2))?, "size")?;
        if size.contains(&0) {
            return Err(Error::malformed("expected at least 1, found 0").at_json("size").at_json("config"));
        }
        let name: Option<String> = if spatial.count == 2 { config.opt("interpolation")? } else { None };
        let interpolation = match name.as_deref() {
            None | Some("nearest") => Interpolation::Nearest,
            Some("bilinear") if config.producer().is_tfjs() => Interpolation::BilinearFromCorner,
            Some("bilinear") => Interpolation::Bilinear,
            Some(other) => {
                let message = format!("interpolation `{other}` is not supported, `nearest` and `bilinear` are");
                return Err(Error::unsupported(message).at_json("interpolation").at_json("config"));
            }
        };
        Ok(UpSampling { spatial, size, interpolation })
    }
}

impl LayerDef for UpSampling {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = self.spatial.input(call)?;
        let grow = |(dim, &size): (&Dim, &usize)| match dim {
            None => Ok(None),
            Some(n) => n.checked_mul(size).filter(|&n| n < isize::MAX as usize).map(Some).ok_or_else(|| {
                Error::malformed(format!("{size} times the axes of shape {} are too large", input.shape))
            }),
        };
        let dims = self.spatial.dims(&input.shape).iter().zip(&self.size).map(grow).collect::<Result<Vec<_>>>()?;
        let shape = self.spatial.with(&input.shape, &dims, self.spatial.channels(&input.shape));
        let dtype = if self.interpolation == Interpolation::Nearest { input.dtype } else { ValueType::Float };
        Ok(vec![TensorType { shape, dtype }])
    }

    fn exactness(&self) -> Exactness {
        match self.interpolation {
            Interpolation::Nearest => Exactness::Exact,
            _ => Exactness::Rounded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_refused, read_layer_of};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("UpSampling2D", json!({"size": [2.0, 3]}), &["?,4,?,3"], &["?,8,?,3"]);
        check_infer("UpSampling2D", json!({"dataFormat": "channelsFirst"}), &["?,3,4,5"], &["?,3,8,10"]);
        check_infer("UpSampling1D", json!({"size": 3}), &["?,4,2"], &["?,12,2"]);
    }

    #[test]
    fn the_producer_decides() {
        let read = |family| {
            let config = json!({"interpolation": "bilinear"});
            match read_layer_of(family, "UpSampling2D", config).unwrap() {
                Layer::UpSampling(layer) => layer.interpolation,
                other => panic!("{other:?} is no upsampling"),
            }
        };
        assert_eq!(read(Family::TensorFlowJs), Interpolation::BilinearFromCorner);
        assert_eq!(read(Family::Keras2), Interpolation::Bilinear);
        assert_eq!(read(Family::Keras3), Interpolation::Bilinear);
    }

    #[test]
    fn refuses() {
        check_refused("UpSampling2D", json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
        check_refused("UpSampling2D", json!({"size": 0}), &[], "`config.size`: expected at least 1, found 0");
        let message = "`config.interpolation`: interpolation `bicubic` is not supported, `nearest` and `bilinear` are";
        check_refused("UpSampling2D", json!({"interpolation": "bicubic"}), &[], message);
    }
}
