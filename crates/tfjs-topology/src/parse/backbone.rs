//! Models that a file defines only by their class and a few numbers: the GPT-2 backbone of TensorFlow.js, KerasNLP and
//! KerasHub. Each is expanded to the configuration of the functional model that its class builds.
//!
//! Reference: `keras_hub/src/models/gpt2/gpt2_backbone.py`, TensorFlow.js's `gpt2_backbone.ts`.

use crate::config::Config;
use crate::read::ReadCx;
use crate::registry::built_in_name;
use serde_json::{Map, Value, json};
use tfjs_manifest::account::json_bytes;
use tfjs_manifest::{Error, Limits, Result};

/// Whether a class is a backbone.
pub(super) fn is_backbone(class: &str) -> bool {
    built_in_name(class) == "GPT2Backbone"
}

/// The configuration of the functional model.
///
/// # Errors
/// A missing or wrong field, at its JSON path; [`Kind::Limit`](tfjs_manifest::Kind::Limit) for too many layers.
pub(super) fn functional(name: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Map<String, Value>> {
    let config = Config::new(map, cx);
    let count: usize = config.req("num_layers")?;
    Limits::check("layers", count as u64, cx.limits.layers)?;
    let (width, dropout) = (config.req::<usize>("hidden_dim")?, config.or("dropout", 0.1)?);
    let (inner, heads) = (config.req::<usize>("intermediate_dim")?, config.req::<usize>("num_heads")?);
    let tokens = config.req::<usize>("vocabulary_size")?;
    let positions = config.or::<usize>("max_sequence_length", 1024)?;
    // TensorFlow.js lacks the approximate function.
    let activation = if cx.producer.is_tfjs() { "gelu" } else { "gelu_approximate" };
    let mut layers = vec![
        input("token_ids"),
        input("padding_mask"),
        layer(
            "ReversibleEmbedding",
            "token_embedding",
            json!({"input_dim": tokens, "output_dim": width}),
            &["token_ids"],
        ),
        layer("PositionEmbedding", "position_embedding", json!({"sequence_length": positions}), &["token_embedding"]),
        layer("Add", "embeddings_add", json!({}), &["token_embedding", "position_embedding"]),
        layer("Dropout", "embeddings_dropout", json!({"rate": dropout}), &["embeddings_add"]),
    ];
    let mut last = "embeddings_dropout".to_string();
    let block = json!({
        "intermediate_dim": inner, "num_heads": heads, "dropout": dropout, "activation": activation,
        "layer_norm_epsilon": 1e-5, "normalize_first": true,
    });
    let one = json_bytes(&block);
    for i in 0..count {
        cx.account.charge(one.saturating_mul(4))?;
        let name = format!("transformer_layer_{i}");
        let mut entry = layer("TransformerDecoder", &name, block.clone(), &[]);
        entry["inbound_nodes"] = json!([[[last, 0, 0, {"decoder_padding_mask": ["padding_mask", 0, 0]}]]]);
        layers.push(entry);
        last = name;
    }
    layers.push(layer("LayerNormalization", "layer_norm", json!({"axis": -1, "epsilon": 1e-5}), &[&last]));
    let built = json!({
        "name": name,
        "layers": layers,
        "input_layers": {"token_ids": ["token_ids", 0, 0], "padding_mask": ["padding_mask", 0, 0]},
        "output_layers": [["layer_norm", 0, 0]],
    });
    let ignored = config.ignored();
    if !ignored.is_empty() {
        let keys: Vec<String> = ignored.iter().map(|key| format!("`{key}`")).collect();
        cx.warn(format!("model `{name}` (GPT2Backbone): configuration without a known meaning: {}", keys.join(", ")));
    }
    match built {
        Value::Object(map) => Ok(map),
        _ => Err(Error::bug("a configuration that is not an object")),
    }
}

fn input(name: &str) -> Value {
    let config = json!({"name": name, "batch_input_shape": [null, null], "dtype": "int32"});
    json!({"class_name": "InputLayer", "name": name, "config": config, "inbound_nodes": []})
}

fn layer(class: &str, name: &str, mut config: Value, inputs: &[&str]) -> Value {
    config["name"] = name.into();
    config["trainable"] = true.into();
    let call: Vec<Value> = inputs.iter().map(|input| json!([input, 0, 0, {}])).collect();
    json!({"class_name": class, "name": name, "config": config, "inbound_nodes": [call]})
}

#[cfg(test)]
mod tests {
    use crate::lower::{LowerOptions, lower};
    use crate::parse::parse;
    use crate::producer::{Family, Producer};
    use crate::read::CustomDefs;
    use crate::testing::encoded;
    use serde_json::{Value, json};
    use tfjs_manifest::Limits;

    fn gpt2(layers: Value) -> Value {
        json!({"class_name": "keras_hub>GPT2Backbone", "config": {
            "name": "gpt2", "vocabularySize": 9, "num_layers": layers, "num_heads": 2, "hidden_dim": 6,
            "intermediate_dim": 8, "max_sequence_length": 7.0,
        }})
    }

    #[test]
    fn a_backbone_is_a_functional_model() {
        let producer = Producer::of(Family::Keras3);
        let def = parse(&gpt2(json!(2)), producer, &CustomDefs::default(), &Limits::default()).unwrap();
        assert!(def.warnings.is_empty());
        let names: Vec<&str> = def.root.inputs.iter().map(|port| port.name.as_str()).collect();
        assert_eq!(names, ["token_ids", "padding_mask"]);
        let model = lower(&def, &LowerOptions::default()).unwrap();
        let slots: Vec<String> = model.graph.slots.iter().map(|slot| slot.name()).collect();
        assert_eq!(slots.len(), 2 + 2 * 16 + 2);
        assert_eq!(slots[0], "token_embedding/embeddings");
        assert!(slots.contains(&"transformer_layer_1/self_attention/query/kernel".to_string()), "{slots:?}");
    }

    #[test]
    fn it_is_written_as_the_model_it_is() {
        let found = encoded(Family::Keras3, &gpt2(json!(1)));
        assert_eq!(found.topology["class_name"], "Model");
        assert_eq!(found.topology["config"]["layers"][6]["class_name"], "TransformerDecoder");
    }

    #[test]
    fn too_many_layers() {
        let producer = Producer::of(Family::Keras3);
        let error = parse(&gpt2(json!(1e15)), producer, &CustomDefs::default(), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), tfjs_manifest::Kind::Limit);
    }
}
