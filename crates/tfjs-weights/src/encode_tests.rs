//! Tests of encoding: bytes, names and manifest are those of the real writers, and decode to the same values.

use super::*;
use crate::decode_group;
use crate::test_support::{Random, tensor};
use tfjs_manifest::{Kind, Quantization};

fn text(tensor: &[&str]) -> HostData {
    HostData::Str(tensor.iter().map(|s| s.as_bytes().to_vec()).collect())
}

#[test]
fn as_tensorflow_js_encodes_it() {
    // The bytes are those of `tf.io.encodeWeights`, TensorFlow.js 4.22.0.
    let s = tensor(&[3], text(&["ab", "", "é"]));
    let c = tensor(&[2], HostData::C64(vec![[1.0, 3.0], [2.0, -4.0]]));
    let b = tensor(&[2], HostData::Bool(vec![1, 0]));
    let group = vec![NamedTensor::new("s", &s), NamedTensor::new("c", &c), NamedTensor::new("b", &b)];
    let (manifest, files) = encode(&[group], &WeightFiles::default()).unwrap();
    assert_eq!(
        manifest.to_value().to_string(),
        concat!(
            r#"[{"paths":["model.weights.bin"],"weights":[{"name":"s","shape":[3],"dtype":"string"},"#,
            r#"{"name":"c","shape":[2],"dtype":"complex64"},{"name":"b","shape":[2],"dtype":"bool"}]}]"#
        )
    );
    let hex: String = files[0].1.iter().map(|b| format!("{b:02x}")).collect();
    let expected = "0200000061620000000002000000c3a90000803f0000404000000040000080c00100";
    assert_eq!((files.len(), files[0].0.as_str(), hex.as_str()), (1, "model.weights.bin", expected));
}

#[test]
fn shards_are_cut_anywhere_and_named_as_the_converter_does() {
    let a = tensor(&[3], HostData::F32(vec![1.0, 2.0, 3.0]));
    let b = tensor(&[2], HostData::I32(vec![-1, 7]));
    let none = tensor(&[0], HostData::F32(vec![]));
    let groups = [
        vec![NamedTensor::new("a", &a), NamedTensor::new("b", &b)],
        vec![NamedTensor::new("none", &none)],
        vec![NamedTensor { group: Some("optimizer"), ..NamedTensor::new("c", &b) }],
    ];
    let (manifest, files) = encode(&groups, &WeightFiles::Shards(7)).unwrap();
    let names: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect();
    assert_eq!(
        names,
        [
            ("group1-shard1of3.bin", 7),
            ("group1-shard2of3.bin", 7),
            ("group1-shard3of3.bin", 6),
            ("group3-shard1of2.bin", 7),
            ("group3-shard2of2.bin", 1),
        ]
    );
    assert!(manifest.groups()[1].paths.is_empty());
    assert!(manifest.get("c").unwrap().is_optimizer());
    assert_eq!(manifest.layout(&Limits::default()).unwrap().total(), Some(28));
}

#[test]
fn one_file_even_if_empty() {
    let (manifest, files) = encode(&[vec![]], &WeightFiles::One("weights.bin".into())).unwrap();
    assert_eq!(files, [("weights.bin".to_owned(), vec![])]);
    assert_eq!(manifest.groups()[0].paths, ["weights.bin"]);
}

#[test]
fn quantized_weights_and_what_is_left_alone() {
    let w = tensor(&[3], HostData::F32(vec![0.0, -0.1, 1.2]));
    let i = tensor(&[1], HostData::I32(vec![70_000]));
    let group = vec![
        NamedTensor::new("u8", &w).stored_as(StoreAs::Uint8),
        NamedTensor::new("u16", &w).stored_as(StoreAs::Uint16),
        NamedTensor::new("f16", &w).stored_as(StoreAs::Float16),
        NamedTensor::new("i", &i).stored_as(StoreAs::Uint8),
    ];
    let (manifest, files) = encode(&[group], &WeightFiles::default()).unwrap();
    let bytes = &files[0].1;
    assert_eq!(bytes.len(), 3 + 6 + 6 + 4);
    assert_eq!(bytes[..3], [20, 0, 255]);
    assert_eq!(manifest.get("f16").unwrap().quantization, Some(Quantization::Float16));
    assert_eq!(manifest.get("i").unwrap().quantization, None);

    let decoded = decode_group(bytes, &manifest.groups()[0].weights, |_| true).unwrap();
    let values = |i: usize| decoded[i].as_ref().unwrap().data().as_f32().unwrap();
    for (i, tolerance) in [(0, 0.0026), (1, 1e-5), (2, 3e-4)] {
        for (seen, original) in values(i).iter().zip([0.0, -0.1, 1.2]) {
            assert!((seen - original).abs() <= tolerance, "{i}: {seen} {original}");
        }
    }
    assert_eq!((values(0)[0], values(1)[0], values(2)[0]), (0.0, 0.0, 0.0), "zero stays zero");
    assert_eq!(decoded[3].as_ref(), Some(&i));
}

#[test]
fn everything_comes_back_however_it_is_cut() {
    let mut random = Random(7);
    for round in 0..300 {
        let tensors: Vec<_> = (0..1 + random.below(7)).map(|_| random.tensor(true)).collect();
        let names: Vec<_> = (0..tensors.len()).map(|i| format!("layer/weight_{i}")).collect();
        let group: Vec<_> = names.iter().zip(&tensors).map(|(n, t)| NamedTensor::new(n, t)).collect();
        let files = WeightFiles::Shards(1 + random.below(40) as u64);
        let (manifest, files) = encode(&[group], &files).unwrap();

        let again = WeightsManifest::from_value(&manifest.to_value(), &Limits::default()).unwrap();
        assert_eq!(again, manifest);
        let bytes: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let decoded = decode_group(&bytes, &again.groups()[0].weights, |_| true).unwrap();
        let decoded: Vec<_> = decoded.into_iter().map(Option::unwrap).collect();
        assert_eq!(decoded, tensors, "round {round}");
    }
}

#[track_caller]
fn check_refused(groups: &[Vec<NamedTensor<'_>>], files: &WeightFiles, kind: Kind, weight: Option<&str>) {
    let error = encode(groups, files).unwrap_err();
    assert_eq!((error.kind(), error.place().weight.as_deref()), (kind, weight), "{error}");
}

#[test]
fn what_callers_get_wrong() {
    let w = tensor(&[1], HostData::F32(vec![f32::NAN]));
    let a = NamedTensor::new("a", &w);
    let one = WeightFiles::default();
    check_refused(&[vec![a, a]], &one, Kind::Misuse, None);
    check_refused(&[vec![a], vec![]], &one, Kind::Misuse, None);
    check_refused(&[vec![a]], &WeightFiles::Shards(0), Kind::Misuse, None);
    check_refused(&[vec![a.stored_as(StoreAs::Uint8)]], &one, Kind::Misuse, Some("a"));
    let u8s = tensor(&[1], HostData::U8(vec![1]));
    check_refused(&[vec![NamedTensor::new("u", &u8s)]], &one, Kind::Unsupported, Some("u"));
}
