//! Runs `StringLookup` and `IntegerLookup`, on the host: tokens are not for a device.

use crate::run::{OrBug, Run, RunCx};
use crate::value::{Data, Strings, Value};
use candle_core::{DType, Device, Tensor};
use tfjs_manifest::{Error, Result, Shape};
use tfjs_topology::call::Call;
use tfjs_topology::layers::text::lookup::{Lookup, OutputMode, Token};

impl Run for Lookup {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let [input] = call.inputs()[..] else { return Err(Error::bug("expected one input")) };
        let device = match &input.data {
            Data::Tensor(tensor) => tensor.device().clone(),
            Data::Strings(_) => Device::Cpu,
        };
        let dims = input.dims();
        let value = if self.invert {
            inverted(self, &numbers(input)?, dims, &device)?
        } else {
            let indices = self.indices(input)?;
            match self.output {
                OutputMode::Int => {
                    let indices: Vec<i64> = indices.into_iter().map(|i| i.unwrap_or(0) as i64).collect();
                    Value::new(Tensor::from_vec(indices, dims, &device).or_bug()?)
                }
                _ => Value::new(encoded(self, &indices, dims, &device)?),
            }
        };
        Ok(vec![value])
    }
}

fn numbers(input: &Value) -> Result<Vec<i64>> {
    let host = input.tensor()?.to_device(&Device::Cpu).or_bug()?.to_dtype(DType::I64).or_bug()?;
    host.flatten_all().or_bug()?.to_vec1().or_bug()
}

trait Indices {
    fn indices(&self, input: &Value) -> Result<Vec<Option<usize>>>;
    fn index_of(&self, token: &Token) -> Result<Option<usize>>;
}

impl Indices for Lookup {
    /// The index of every token; `None` for the mask token where it has none.
    fn indices(&self, input: &Value) -> Result<Vec<Option<usize>>> {
        match &input.data {
            Data::Strings(strings) => strings.items().iter().map(|s| self.index_of(&Token::Text(s.clone()))).collect(),
            Data::Tensor(_) => numbers(input)?.into_iter().map(|n| self.index_of(&Token::Number(n))).collect(),
        }
    }

    fn index_of(&self, token: &Token) -> Result<Option<usize>> {
        if self.mask_token.as_ref() == Some(token) {
            return Ok((self.output == OutputMode::Int).then_some(0));
        }
        let (oov, count) = self.oov;
        let known = match token {
            Token::Text(text) => self.vocabulary.of_text(text),
            Token::Number(number) => self.vocabulary.of_number(*number),
        };
        match (known, count, token) {
            (Some(index), _, _) => Ok(Some(index)),
            (None, 0, Token::Text(text)) => Err(out_of_vocabulary(text)),
            (None, 0, Token::Number(number)) => Err(out_of_vocabulary(&number.to_string())),
            (None, 1, _) => Ok(Some(oov)),
            (None, _, Token::Number(number)) => Ok(Some(oov + number.rem_euclid(count as i64) as usize)),
            (None, _, Token::Text(_)) => Err(Error::bug("tokens are not hashed")),
        }
    }
}

fn out_of_vocabulary(token: &str) -> Error {
    Error::mismatch(format!("`{token}` is not in the vocabulary, and `num_oov_indices` is 0"))
}

fn encoded(lookup: &Lookup, indices: &[Option<usize>], dims: &[usize], device: &Device) -> Result<Tensor> {
    let (&last, before) = dims.split_last().ok_or_else(|| Error::bug("a scalar is encoded"))?;
    let single = lookup.output == OutputMode::OneHot;
    let (mut shape, bag) = match single {
        true if last == 1 && !before.is_empty() => (before.to_vec(), 1),
        true => (dims.to_vec(), 1),
        false => (before.to_vec(), last),
    };
    let rows = Shape::new(shape.clone())?.elements();
    shape.push(lookup.depth);
    let mut out = vec![0f32; Shape::new(shape.clone())?.elements()];
    let whole = rows * lookup.depth;
    for (row, indices) in out[..whole].chunks_exact_mut(lookup.depth.max(1)).zip(indices.chunks(bag.max(1))) {
        for &index in indices.iter().flatten() {
            match lookup.output {
                OutputMode::OneHot | OutputMode::MultiHot => row[index] = 1.0,
                _ => row[index] += 1.0,
            }
        }
        if lookup.output == OutputMode::TfIdf {
            let average = std::iter::repeat_n(lookup.idf.average(), lookup.idf.before);
            let weights = average.chain(lookup.idf.given.iter().copied()).chain(std::iter::repeat(0.0));
            row.iter_mut().zip(weights).for_each(|(count, weight)| *count *= weight);
        }
    }
    Tensor::from_vec(out, shape, device).or_bug()
}

/// The token of every index; the one for tokens out of the vocabulary where there is none.
fn inverted(lookup: &Lookup, indices: &[i64], dims: &[usize], device: &Device) -> Result<Value> {
    let token = |&index: &i64| {
        let token = lookup.token(index);
        token.ok_or_else(|| Error::mismatch(format!("index `{index}` is not in the vocabulary")))
    };
    let tokens = indices.iter().map(token).collect::<Result<Vec<_>>>()?;
    if lookup.text {
        let text = tokens.into_iter().map(|token| match token {
            Token::Text(text) => Ok(text),
            Token::Number(_) => Err(Error::bug("a number among strings")),
        });
        return Ok(Value::strings(Strings::new(Shape::new(dims)?, text.collect::<Result<_>>()?)?));
    }
    let numbers = tokens.into_iter().map(|token| match token {
        Token::Number(number) => Ok(number),
        Token::Text(_) => Err(Error::bug("a string among numbers")),
    });
    Ok(Value::new(Tensor::from_vec(numbers.collect::<Result<Vec<i64>>>()?, dims, device).or_bug()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::CustomLayers;
    use serde_json::json;
    use tfjs_manifest::Kind;
    use tfjs_topology::producer::{Family, Producer};
    use tfjs_topology::read::ReadCx;
    use tfjs_topology::registry::Layer;

    fn run(class: &str, config: serde_json::Value, input: Value) -> Result<Value> {
        let producer = Producer::of(Family::Keras2);
        let layer = Layer::read(class, config.as_object().unwrap(), &ReadCx::new(&producer)).unwrap().layer;
        let Layer::Lookup(layer) = layer else { panic!("no lookup") };
        let custom = CustomLayers::new();
        let cx = RunCx { weights: &[], training: false, custom: &custom };
        layer.run(&cx, &Call::of([input])).map(|mut out| out.remove(0))
    }

    fn words(words: &[&str], dims: &[usize]) -> Value {
        let items = words.iter().map(ToString::to_string).collect();
        Value::strings(Strings::new(Shape::new(dims).unwrap(), items).unwrap())
    }

    fn floats(value: &Value) -> Vec<Vec<f32>> {
        value.tensor().unwrap().to_vec2().unwrap()
    }

    #[test]
    fn indices_and_back() {
        let config = json!({"vocabulary": ["a", "b"], "mask_token": ""});
        let out = run("StringLookup", config.clone(), words(&["b", "x", "", "a"], &[2, 2])).unwrap();
        assert_eq!(out.tensor().unwrap().to_vec2::<i64>().unwrap(), [[3, 1], [0, 2]]);
        let mut config = config;
        config["invert"] = json!(true);
        let indices = Value::new(Tensor::new(&[3i64, 1, 0, 9, -1], &Device::Cpu).unwrap());
        let Data::Strings(out) = run("StringLookup", config, indices).unwrap().data else { panic!("no strings") };
        assert_eq!(out.items(), ["b", "[UNK]", "", "[UNK]", "[UNK]"]);
    }

    #[test]
    fn bags() {
        let of = |mode: &str| json!({"vocabulary": ["a", "b"], "output_mode": mode, "idf_weights": [2, 4], "mask_token": "-"});
        let input = || words(&["a", "a", "x", "-"], &[2, 2]);
        let check = |mode: &str, expect: [[f32; 3]; 2]| {
            assert_eq!(floats(&run("StringLookup", of(mode), input()).unwrap()), expect, "{mode}");
        };
        check("count", [[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]);
        check("multi_hot", [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
        check("tf_idf", [[0.0, 4.0, 0.0], [3.0, 0.0, 0.0]]);
        let out = run("StringLookup", of("one_hot"), words(&["b", "x"], &[2, 1])).unwrap();
        assert_eq!(floats(&out), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    }

    #[test]
    fn numbers_out_of_the_vocabulary_are_dealt_out() {
        let config = json!({"vocabulary": [10, 20], "num_oov_indices": 2});
        let input = Value::new(Tensor::new(&[20i64, 5, 6, -1], &Device::Cpu).unwrap());
        let out = run("IntegerLookup", config, input).unwrap();
        assert_eq!(out.tensor().unwrap().to_vec1::<i64>().unwrap(), [3, 1, 0, 1]);
    }

    #[test]
    fn a_token_without_a_place_is_named() {
        let config = json!({"vocabulary": ["a"], "num_oov_indices": 0});
        let error = run("StringLookup", config, words(&["q"], &[1])).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert_eq!(error.message(), "`q` is not in the vocabulary, and `num_oov_indices` is 0");
    }
}
