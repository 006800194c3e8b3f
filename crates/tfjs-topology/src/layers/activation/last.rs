//! What a layer applies last: a function, or an activation layer given in its place, which may have weights or an axis.
//!
//! Reference: <https://keras.io/api/layers/activations/>.

use super::prelu::PRelu;
use super::softmax::Softmax;
use crate::activation::Activation;
use crate::config::Config;
use crate::encode::Encoding;
use crate::layer::{Scope, ScopeKind};
use crate::lower::LowerCx;
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::Value;
use tfjs_manifest::Result;

/// The `activation` of a layer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Last {
    /// A function without parameters that a file can change.
    Function(Activation),
    /// A `PReLU`, whose weights the layer holds under this name.
    PRelu(String, PRelu),
    /// A `Softmax` over axes of its own.
    Softmax(Softmax),
}

impl From<Activation> for Last {
    fn from(activation: Activation) -> Self {
        Last::Function(activation)
    }
}

impl Last {
    /// Reads the `activation` of a layer, which is linear by default.
    ///
    /// # Errors
    /// As [`Activation::read`], and those of the layer that stands there.
    pub fn read(config: &Config<'_>) -> Result<Self> {
        const KEY: &str = "activation";
        let Some((class, map)) = config.value(KEY).and_then(layer) else {
            return Activation::read(config, KEY, Activation::Linear).map(Last::Function);
        };
        let own = Config::new(map, config.cx());
        let read = match class {
            "PReLU" => {
                let name = own.or("name", "p_re_lu".to_owned());
                name.and_then(|name| Ok(Last::PRelu(name, PRelu::from_config(class, &own)?)))
            }
            "Softmax" => Softmax::from_config(class, &own).map(Last::Softmax),
            _ => return Activation::read(config, KEY, Activation::Linear).map(Last::Function),
        };
        let read = read.map_err(|e| e.at_json(KEY).at_json("config"))?;
        let ignored: Vec<String> = own.ignored().iter().map(|key| format!("`{key}`")).collect();
        if !ignored.is_empty() {
            let layer = config.or("name", String::new())?;
            config.cx().warn(format!(
                "layer `{layer}`: its activation ({class}) has configuration without a known meaning: {}",
                ignored.join(", ")
            ));
        }
        Ok(read)
    }

    /// The result for a value.
    ///
    /// # Errors
    /// As [`Activation::lower`], and those of the layer that stands there.
    pub fn lower(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        match self {
            Last::Function(activation) => activation.lower(cx, x),
            Last::PRelu(name, layer) => {
                let scope = Scope { name: name.clone(), attr: "activation".to_owned(), kind: ScopeKind::Always };
                cx.within(scope, |cx| layer.apply(cx, x))
            }
            Last::Softmax(softmax) => softmax.apply(cx, x, None),
        }
    }

    /// Writes the key in TensorFlow.js's words.
    pub(crate) fn encode(&self, out: &mut Encoding<'_>) {
        match self {
            Last::Function(activation) => out.activation("activation", *activation),
            Last::PRelu(..) => out.warn("TensorFlow.js has no layers as an `activation`"),
            Last::Softmax(softmax) if softmax.axes.0 == [-1] => out.activation("activation", Activation::Softmax),
            Last::Softmax(_) => out.warn("TensorFlow.js has no activation over another axis than the last"),
        }
    }
}

/// Class and configuration of a layer that is written in place of a name.
fn layer(value: &Json) -> Option<(&str, &serde_json::Map<String, Json>)> {
    let class = value.get("class_name").or_else(|| value.get("className"))?.as_str()?;
    Some((class, value.get("config")?.as_object()?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn a_layer_with_weights() {
        let config = |shared: &[i64]| json!({"units": 4, "activation": {"class_name": "PReLU", "config": {"name": "slopes", "shared_axes": shared}}});
        check_infer("Dense", config(&[]), &["?,3,5"], &["?,3,4"]);
        check_weights("Dense", config(&[1]), &["?,3,5"], &["kernel[5,4]", "bias[4]", "slopes/alpha[1,4]"]);
        let message = "an axis that is not shared must be known, found shape [?,?,4]";
        check_refused("Dense", config(&[]), &["?,?,5"], message);
    }

    #[test]
    fn a_layer_over_an_axis() {
        let config = |axis: i64| json!({"activation": {"class_name": "Softmax", "config": {"axis": axis}}});
        check_infer("Activation", config(1), &["?,3,5"], &["?,3,5"]);
        check_refused("Activation", config(3), &["?,3,5"], "`axis` 3 does not exist in shape [?,3,5]");
    }
}
