//! Mutations that keep JSON valid. Most flipped bytes only make a document that the parser refuses, so the
//! fuzz targets of `model.json` change values, keys, lists and whole layers instead. Deterministic by seed.

use super::split;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Words of the format: classes, keys, activations; libFuzzer uses the same file.
const DICTIONARY: &str = include_str!("../../../fuzz/dict/model.dict");

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let words = DICTIONARY.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix('"'));
    words.filter(|word| !word.contains(['\\', '"'])).collect()
});

fn parsed(text: &[u8]) -> Option<Value> {
    tfjs::parts::manifest::json::parse(text, &tfjs::Limits::unlimited()).ok()
}

/// The input with one to four changes in its JSON; `None` if it does not begin with JSON.
pub fn mutate(data: &[u8], seed: u64) -> Option<Vec<u8>> {
    let (text, tail) = split(data);
    let mut random = Random::new(seed);
    let mut value = parsed(text)?;
    for _ in 0..=random.below(4) {
        change(&mut value, &mut random);
    }
    Some(join(&value, tail))
}

/// The first input with a part of the second's JSON inserted; `None` if one of them has no JSON.
pub fn cross(data: &[u8], other: &[u8], seed: u64) -> Option<Vec<u8>> {
    let (text, tail) = split(data);
    let mut random = Random::new(seed);
    let mut value = parsed(text)?;
    let other = parsed(split(other).0)?;
    let part = pick(&other, &mut random).clone();
    let place = |v: &Value| match &part {
        // A layer is inserted into a list of layers, or replaces a layer.
        Value::Object(_) => v.is_object() || v.as_array().is_some_and(|items| items.iter().any(Value::is_object)),
        Value::Array(_) => v.is_array(),
        _ => !v.is_object() && !v.is_array(),
    };
    put(nth_mut(&mut value, &mut random, &place)?, part, &mut random);
    Some(join(&value, tail))
}

fn join(value: &Value, tail: &[u8]) -> Vec<u8> {
    let mut out = value.to_string().into_bytes();
    if !tail.is_empty() {
        out.push(0);
        out.extend_from_slice(tail);
    }
    out
}

/// Inserts into a list, or replaces the value.
fn put(place: &mut Value, part: Value, random: &mut Random) {
    match place {
        Value::Array(items) if !part.is_array() => {
            let at = random.below(items.len() + 1);
            items.insert(at, part);
        }
        place => *place = part,
    }
}

fn change(value: &mut Value, random: &mut Random) {
    let kind = random.below(12);
    let copy = pick(value, random).clone();
    let text = pick_where(value, random, &Value::is_string).cloned();
    let place = match kind {
        0..=3 => nth_mut(value, random, &|v| !v.is_array() && !v.is_object()),
        4 | 5 => nth_mut(value, random, &|v| v.as_array().is_some_and(|items| !items.is_empty())),
        6 | 7 => nth_mut(value, random, &|v| v.as_object().is_some_and(|map| !map.is_empty())),
        8 => nth_mut(value, random, &Value::is_string),
        _ => nth_mut(value, random, &|_| true),
    };
    let Some(place) = place else { return };
    match (kind, place) {
        (0, place) => *place = scalar(random),
        (1..=3, Value::Number(number)) => *number = nearby(number, random),
        (4, Value::Array(items)) => {
            let item = items[random.below(items.len())].clone();
            let at = random.below(items.len() + 1);
            items.insert(at, item);
        }
        (5, Value::Array(items)) => drop(items.remove(random.below(items.len()))),
        (6, Value::Object(map)) => {
            let key = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
            map.shift_remove(&key);
        }
        (7, Value::Object(map)) => insert(map, random),
        (8, place) => *place = text.unwrap_or_else(|| word(random)),
        (9, place) => *place = copy,
        (10, place) => *place = wrapped(place.take(), random),
        (_, place) => *place = scalar(random),
    }
}

/// Inserts a new key, or changes the value of an existing one.
fn insert(map: &mut Map<String, Value>, random: &mut Random) {
    let key = match random.below(2) {
        0 => map.keys().nth(random.below(map.len().max(1))).cloned(),
        _ => WORDS.get(random.below(WORDS.len().max(1))).map(|&word| word.to_owned()),
    };
    let value = match random.below(3) {
        0 => json!([scalar(random), scalar(random)]),
        _ => scalar(random),
    };
    map.insert(key.unwrap_or_default(), value);
}

/// Wraps a layer in another layer, and other values in a list; a list with one value is unwrapped instead.
fn wrapped(value: Value, random: &mut Random) -> Value {
    if value.get("class_name").is_none() {
        return match value {
            Value::Array(mut items) if items.len() == 1 => items.remove(0),
            value => json!([value]),
        };
    }
    let name = format!("w{}", random.below(100));
    match random.below(3) {
        0 => json!({"class_name": "TimeDistributed", "config": {"name": name, "layer": value}}),
        1 => json!({"class_name": "Bidirectional", "config": {"name": name, "layer": value, "merge_mode": "concat"}}),
        _ => json!({"class_name": "Sequential", "config": {"name": name, "layers": [value]}}),
    }
}

fn word(random: &mut Random) -> Value {
    json!(WORDS[random.below(WORDS.len())])
}

fn scalar(random: &mut Random) -> Value {
    match random.below(24) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(-1),
        4 => json!(0),
        5..=8 => json!(random.below(9)),
        9 => json!(random.below(300)),
        10 => json!(-(random.below(10) as i64)),
        11 => json!(1u64 << random.below(64)),
        12 => json!((1u64 << random.below(64)).wrapping_sub(1)),
        13 => json!(random.below(1000) as f64 / 128.0 - 4.0),
        14 => json!([1e300, -1e300, 1e-300, -0.0, 0.5, 1e9][random.below(6)]),
        15 => json!(""),
        16 => json!([]),
        17 => json!({}),
        _ => word(random),
    }
}

fn nearby(number: &serde_json::Number, random: &mut Random) -> serde_json::Number {
    let small = random.below(17) as i64;
    match (number.as_i64(), random.below(4)) {
        (Some(n), 0) => n.wrapping_add(1).into(),
        (Some(n), 1) => n.wrapping_sub(1).into(),
        (Some(n), 2) => n.wrapping_mul(2).into(),
        (Some(_), _) => small.into(),
        (None, n) => {
            let x = number.as_f64().unwrap_or_default();
            let next = [x * 2.0, -x, x + 1.0, x / 1024.0][n];
            serde_json::Number::from_f64(next).unwrap_or_else(|| small.into())
        }
    }
}

/// Any value of the document.
fn pick<'a>(value: &'a Value, random: &mut Random) -> &'a Value {
    pick_where(value, random, &|_| true).unwrap_or(value)
}

fn pick_where<'a>(value: &'a Value, random: &mut Random, is: &dyn Fn(&Value) -> bool) -> Option<&'a Value> {
    let mut all = Vec::new();
    list(value, is, &mut all);
    (!all.is_empty()).then(|| all[random.below(all.len())])
}

fn list<'a>(value: &'a Value, is: &dyn Fn(&Value) -> bool, out: &mut Vec<&'a Value>) {
    if is(value) {
        out.push(value);
    }
    match value {
        Value::Array(items) => items.iter().for_each(|v| list(v, is, out)),
        Value::Object(map) => map.values().for_each(|v| list(v, is, out)),
        _ => {}
    }
}

fn nth_mut<'a>(value: &'a mut Value, random: &mut Random, is: &dyn Fn(&Value) -> bool) -> Option<&'a mut Value> {
    let mut all = Vec::new();
    list(value, is, &mut all);
    let mut left = match all.len() {
        0 => return None,
        count => random.below(count),
    };
    find(value, is, &mut left)
}

/// The value at index `left`, in the order of [`list`].
fn find<'a>(value: &'a mut Value, is: &dyn Fn(&Value) -> bool, left: &mut usize) -> Option<&'a mut Value> {
    if is(value) {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
    }
    match value {
        Value::Array(items) => items.iter_mut().find_map(|v| find(v, is, left)),
        Value::Object(map) => map.values_mut().find_map(|v| find(v, is, left)),
        _ => None,
    }
}

/// A small random generator: the same seed gives the same mutations.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &[u8] =
        b"{\"class_name\":\"Sequential\",\"config\":[{\"class_name\":\"Dense\",\"config\":{\"units\":3}}]}\0ab";

    #[test]
    fn what_comes_out_is_json_with_the_same_tail_and_nearly_always_another() {
        let mut others = 0;
        for seed in 0..500 {
            for changed in [mutate(MODEL, seed).unwrap(), cross(MODEL, MODEL, seed).unwrap_or_default()] {
                if changed.is_empty() {
                    continue;
                }
                let (text, tail) = split(&changed);
                serde_json::from_slice::<Value>(text).unwrap();
                assert_eq!(tail, b"ab");
                others += usize::from(changed != MODEL);
            }
            assert_eq!(mutate(MODEL, seed), mutate(MODEL, seed));
        }
        assert!(others > 700, "{others}");
        assert_eq!(mutate(b"no json", 1), None);
    }
}
