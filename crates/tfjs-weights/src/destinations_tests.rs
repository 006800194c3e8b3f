//! Tests of destinations: however they are filled, they give the values of a plain decode; invalid sizes are errors
//! that name the weight.

use super::*;
use crate::test_support::{Random, tensor};
use crate::{NamedTensor, StoreAs, WeightFiles, decode_group, encode};
use tfjs_manifest::{Kind, Limits, Quantization, Shape};

fn manifest(weights: Vec<WeightSpec>) -> WeightsManifest {
    let groups = vec![WeightsGroup { paths: vec!["w.bin".into()], weights }];
    WeightsManifest::new(groups, &Limits::default()).unwrap()
}

fn destinations(manifest: &WeightsManifest, wanted: impl Fn(usize, usize) -> bool) -> Destinations {
    let layout = manifest.layout(&Limits::default()).unwrap();
    Destinations::new(&layout, manifest, wanted).unwrap()
}

fn spec(name: &str, dims: &[usize], dtype: DType) -> WeightSpec {
    WeightSpec::new(name, Shape::new(dims).unwrap(), dtype)
}

/// Fills the segments like a transport: in pieces of random length, the last one first.
fn fill(sink: &mut impl WeightSink, groups: &[Vec<u8>], random: &mut Random) {
    for (group, bytes) in sink.groups().into_iter().zip(groups) {
        let segments = match group {
            GroupSink::Growing { bytes: out, limit } => {
                assert!(bytes.len() as u64 <= limit);
                for piece in bytes.chunks(1 + random.below(5)) {
                    out.extend_from_slice(piece);
                }
                continue;
            }
            GroupSink::Segments(segments) => segments,
            _ => unreachable!("no other sink"),
        };
        let total: u64 = segments.iter().map(Segment::len).sum();
        assert_eq!(total, bytes.len() as u64, "the segments tile the group's bytes");
        let mut rest = &bytes[..];
        let mut pieces = Vec::new();
        for segment in segments {
            let (mine, others) = rest.split_at(segment.len() as usize);
            rest = others;
            if let Segment::Fill(out) = segment {
                let size = 1 + random.below(5);
                pieces.extend(out.chunks_mut(size).zip(mine.chunks(size)));
            }
        }
        for (out, piece) in pieces.into_iter().rev() {
            out.copy_from_slice(piece);
        }
    }
}

#[test]
fn the_same_values_as_a_plain_decode_whatever_the_cuts() {
    let mut random = Random(11);
    for round in 0..300 {
        let with_strings = round % 3 == 0;
        let tensors: Vec<_> = (0..1 + random.below(8)).map(|_| random.tensor(with_strings)).collect();
        let finite = |t: &HostTensor| t.data().as_f32().is_none_or(|v| v.iter().all(|x| x.abs() < 6e4));
        let names: Vec<_> = (0..tensors.len()).map(|i| format!("w{i}")).collect();
        let stores = [StoreAs::Values, StoreAs::Uint8, StoreAs::Uint16, StoreAs::Float16];
        let weights: Vec<_> = names
            .iter()
            .zip(&tensors)
            .map(|(name, t)| {
                let store = if finite(t) { stores[random.below(4)] } else { StoreAs::Values };
                NamedTensor::new(name, t).stored_as(store)
            })
            .collect();
        let (first, second) = weights.split_at(random.below(weights.len() + 1));
        let groups = [first.to_vec(), second.to_vec()];
        let (manifest, files) = encode(&groups, &WeightFiles::Shards(u64::MAX)).unwrap();
        let bytes: Vec<Vec<u8>> = (1..=2)
            .map(|g| files.iter().find(|(n, _)| n.starts_with(&format!("group{g}-"))))
            .map(|file| file.map(|(_, bytes)| bytes.clone()).unwrap_or_default())
            .collect();

        let mask = random.next();
        let wanted = |g: usize, i: usize| mask >> (g * 8 + i) & 1 == 1;
        let mut destinations = destinations(&manifest, wanted);
        fill(&mut destinations, &bytes, &mut random);
        let seen = destinations.finish().unwrap();
        for (g, group) in manifest.groups().iter().enumerate() {
            let plain = decode_group(&bytes[g], &group.weights, |i| wanted(g, i)).unwrap();
            assert_eq!(seen[g], plain, "round {round} group {g}");
            assert!(seen[g].iter().enumerate().all(|(i, t)| t.is_some() == wanted(g, i)));
        }
    }
}

#[test]
fn unquantized_weights_are_not_copied() {
    let manifest = manifest(vec![spec("w", &[2], DType::Float32)]);
    let mut destinations = destinations(&manifest, |_, _| true);
    let GroupSink::Segments(mut segments) = destinations.groups().remove(0) else { panic!("sizes are known") };
    let Segment::Fill(bytes) = &mut segments[0] else { panic!("the weight is wanted") };
    bytes.copy_from_slice(&[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    let address = bytes.as_ptr();
    let tensor = destinations.finish().unwrap().remove(0).remove(0).unwrap();
    let values = tensor.data().as_f32().unwrap();
    assert_eq!(values, [1.0, -2.0]);
    assert_eq!(values.as_ptr().cast::<u8>(), address);
}

#[test]
fn odd_offsets_and_every_dtype() {
    let mut half = spec("h", &[1], DType::Float32);
    half.quantization = Some(Quantization::Float16);
    let weights = vec![
        spec("b", &[1], DType::Bool),
        spec("f", &[1], DType::Float32),
        spec("u8", &[2], DType::Uint8),
        half,
        spec("p", &[1], DType::Float16),
        spec("u16", &[1], DType::Uint16),
        spec("c", &[1], DType::Complex64),
        spec("i", &[], DType::Int32),
    ];
    let bytes = [
        vec![5],
        1.5f32.to_le_bytes().to_vec(),
        vec![200, 201],
        vec![0x00, 0xfc],
        vec![0x00, 0x3c],
        vec![0xff, 0xfe],
        [0.5f32.to_le_bytes(), (-0.25f32).to_le_bytes()].concat(),
        (-7i32).to_le_bytes().to_vec(),
    ]
    .concat();
    let manifest = manifest(weights);
    let mut destinations = destinations(&manifest, |_, _| true);
    fill(&mut destinations, std::slice::from_ref(&bytes), &mut Random(1));
    let seen = destinations.finish().unwrap().remove(0);
    let expected = [
        tensor(&[1], HostData::Bool(vec![5])),
        tensor(&[1], HostData::F32(vec![1.5])),
        tensor(&[2], HostData::U8(vec![200, 201])),
        tensor(&[1], HostData::F32(vec![f32::NEG_INFINITY])),
        tensor(&[1], HostData::F32(vec![1.0])),
        tensor(&[1], HostData::U16(vec![0xfeff])),
        tensor(&[1], HostData::C64(vec![[0.5, -0.25]])),
        tensor(&[], HostData::I32(vec![-7])),
    ]
    .map(Some);
    assert_eq!(seen, expected);
    assert_eq!(decode_group(&bytes, &manifest.groups()[0].weights, |_| true).unwrap(), expected);
}

#[test]
fn unwanted_neighbours_are_one_gap() {
    let weights = ["a", "b", "c", "d"].map(|n| spec(n, &[3], DType::Float32)).to_vec();
    let manifest = manifest(weights);
    let mut destinations = destinations(&manifest, |_, i| i == 2);
    let GroupSink::Segments(segments) = destinations.groups().remove(0) else { panic!("sizes are known") };
    let lengths: Vec<_> = segments.iter().map(|s| (matches!(s, Segment::Skip(_)), s.len())).collect();
    assert_eq!(lengths, [(true, 24), (false, 12), (true, 12)]);
}

#[test]
fn groups_with_strings_grow_up_to_their_limit() {
    let manifest = manifest(vec![spec("a", &[2], DType::Int32), spec("s", &[1], DType::String)]);
    let mut limits = Limits::default();
    limits.string_bytes = 100;
    let layout = manifest.layout(&limits).unwrap();
    let mut destinations = Destinations::new(&layout, &manifest, |_, i| i == 1).unwrap();
    let GroupSink::Growing { bytes, limit } = destinations.groups().remove(0) else { panic!("it has strings") };
    assert_eq!(limit, 108);
    bytes.extend([1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, b'h', b'i']);
    let seen = destinations.finish().unwrap().remove(0);
    assert_eq!(seen, [None, Some(tensor(&[1], HostData::Str(vec![b"hi".to_vec()])))]);
}

#[track_caller]
fn check_decode(bytes: &[u8], specs: &[WeightSpec], kind: Kind, weight: Option<&str>, says: &str) {
    for wanted in [true, false] {
        let error = decode_group(bytes, specs, |_| wanted).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (kind, weight), "{error}");
        assert!(error.message().contains(says), "{error}");
    }
}

#[test]
fn too_few_bytes() {
    let specs = [spec("a", &[2], DType::Float32), spec("conv/kernel", &[3], DType::Float32)];
    let says = "needs 12 bytes from offset 8, 11 left";
    check_decode(&[0; 19], &specs, Kind::Mismatch, Some("conv/kernel"), says);
}

#[test]
fn too_many_bytes() {
    let specs = [spec("a", &[2], DType::Float32)];
    check_decode(&[0; 9], &specs, Kind::Mismatch, None, "expected 8 bytes for the group's weights, found 9");
}

#[test]
fn lying_string_length() {
    let specs = [spec("a", &[1], DType::Bool), spec("words", &[1], DType::String)];
    let bytes = [1, 9, 0, 0, 0, b'x'];
    check_decode(&bytes, &specs, Kind::Malformed, Some("words"), "needs 9 bytes from offset 5, 1 left");
}

#[test]
fn one_weight_of_the_wrong_length() {
    for (dtype, bytes) in [(DType::Float32, &[0u8; 7][..]), (DType::String, &[0, 0, 0, 0, 1])] {
        let error = crate::decode_weight(bytes, &spec("w", &[1], dtype)).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Mismatch, Some("w")));
    }
}

#[test]
fn a_quantization_no_manifest_allows() {
    let mut odd = spec("w", &[1], DType::Bool);
    odd.quantization = Some(Quantization::Float16);
    let error = crate::decode_weight(&[0, 0], &odd).unwrap_err();
    assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Malformed, Some("w")));
}

#[test]
fn a_layout_of_another_manifest() {
    let (one, two) = (manifest(vec![spec("a", &[1], DType::Bool)]), manifest(vec![]));
    let layout = one.layout(&Limits::default()).unwrap();
    assert_eq!(Destinations::new(&layout, &two, |_, _| true).unwrap_err().kind(), Kind::Misuse);
}

#[test]
fn absurd_claims_are_refused_or_cost_nothing() {
    let limits = Limits::unlimited();
    let size = 1usize << 60;
    let groups = vec![WeightsGroup { paths: vec!["w".into()], weights: vec![spec("w", &[size], DType::Float32)] }];
    let manifest = WeightsManifest::new(groups, &limits).unwrap();
    let layout = manifest.layout(&limits).unwrap();
    let error = Destinations::new(&layout, &manifest, |_, _| true).unwrap_err();
    assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Limit, Some("w")));
    Destinations::new(&layout, &manifest, |_, _| false).unwrap();
}
