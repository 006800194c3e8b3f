//! A weights manifest and bytes: decoded in one piece and in pieces of any length, encoded and decoded again.

use super::pool::Pool;
use super::{limits, manifest::check_manifest, proper, split};
use tfjs::parts::manifest::{DType, GroupSink, Segment, WeightSink, WeightSpec, WeightsManifest, json};
use tfjs::parts::weights::{
    Destinations, HostData, HostTensor, NamedTensor, StoreAs, WeightFiles, decode_group, encode,
};
use tfjs::{Kind, Result};

/// Checks decoding and encoding. The input is the JSON of a manifest, then a NUL and the bytes.
///
/// # Errors
/// Those of the readers.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let (text, bytes) = split(data);
    let limits = limits();
    let value = proper(json::parse(text, &limits))?;
    let manifest = proper(WeightsManifest::from_value(&value, &limits))?;
    check_manifest(&manifest, &limits)?;
    let layout = proper(manifest.layout(&limits))?;

    let pool = Pool::new(bytes);
    let mut outcome = Ok(());
    let mut files = Vec::new();
    for (laid_out, group) in layout.groups().iter().zip(manifest.groups()) {
        // The number of bytes in the input is rarely right, so this mostly checks errors.
        let raw = proper(decode_group(bytes, &group.weights, |_| true)).map(drop);
        match laid_out.total {
            Some(total) => files.push(pool.bytes(total as usize)),
            None => {
                outcome = outcome.and(raw);
                files.push(bytes[..bytes.len().min(laid_out.most as usize)].to_vec());
            }
        }
    }
    let wanted = |g: usize, i: usize| !pool.byte(g.wrapping_mul(31) + i).is_multiple_of(4);
    let mut destinations = proper(Destinations::new(&layout, &manifest, wanted))?;
    fill(&mut destinations, &files, &pool);
    let whole = decode(&manifest, &files, wanted);
    let pieces = proper(destinations.finish());
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => same_groups(&whole, &pieces),
        (Err(whole), Err(pieces)) => assert_eq!(whole.to_string(), pieces.to_string()),
        (whole, pieces) => panic!("in one piece {whole:?}, in several {pieces:?}"),
    }
    let all = decode(&manifest, &files, |_, _| true)?;
    for (group, tensors) in manifest.groups().iter().zip(&all) {
        written_again(&group.weights, tensors, &pool);
    }
    outcome
}

type Groups = Vec<Vec<Option<HostTensor>>>;

fn decode(manifest: &WeightsManifest, files: &[Vec<u8>], wanted: impl Fn(usize, usize) -> bool) -> Result<Groups> {
    let groups = manifest.groups().iter().zip(files).enumerate();
    let decoded = groups.map(|(g, (group, bytes))| {
        let result = proper(decode_group(bytes, &group.weights, |i| wanted(g, i)));
        let strings = group.weights.iter().any(|spec| spec.stored() == DType::String);
        assert!(strings || result.is_ok(), "numbers of the right length decode: {result:?}");
        result
    });
    decoded.collect()
}

/// Fills like a transport: in pieces of any length, the last piece first.
pub(super) fn fill(sink: &mut impl WeightSink, files: &[Vec<u8>], pool: &Pool<'_>) {
    for (group, bytes) in sink.groups().into_iter().zip(files) {
        let segments = match group {
            GroupSink::Segments(segments) => segments,
            GroupSink::Growing { bytes: out, limit } => {
                assert!(bytes.len() as u64 <= limit);
                out.extend_from_slice(bytes);
                continue;
            }
            _ => unreachable!("there is no other sink"),
        };
        assert_eq!(segments.iter().map(Segment::len).sum::<u64>(), bytes.len() as u64, "segments tile the bytes");
        let mut rest = &bytes[..];
        let mut pieces = Vec::new();
        for (i, segment) in segments.into_iter().enumerate() {
            let (mine, others) = rest.split_at(segment.len() as usize);
            rest = others;
            if let Segment::Fill(out) = segment {
                let size = 1 + usize::from(pool.byte(i));
                pieces.extend(out.chunks_mut(size).zip(mine.chunks(size)));
            }
        }
        pieces.into_iter().rev().for_each(|(out, piece)| out.copy_from_slice(piece));
    }
}

/// Values stored unchanged are read back bit by bit; quantized values are within half a step.
fn written_again(specs: &[WeightSpec], tensors: &[Option<HostTensor>], pool: &Pool<'_>) {
    let named: Vec<_> = specs.iter().zip(tensors).filter_map(|(spec, t)| Some((&spec.name, t.as_ref()?))).collect();
    let shard = WeightFiles::Shards(61 + u64::from(pool.byte(0)));
    for store in [StoreAs::Values, StoreAs::Uint8, StoreAs::Uint16, StoreAs::Float16] {
        for &(name, tensor) in &named {
            let group = vec![NamedTensor::new(name, tensor).stored_as(store)];
            let (manifest, files) = match proper(encode(&[group], &shard)) {
                Ok(written) => written,
                Err(error) => {
                    let unread = matches!(tensor.data(), HostData::U8(_) | HostData::U16(_));
                    let kind = if unread { Kind::Unsupported } else { Kind::Misuse };
                    assert_eq!(error.kind(), kind, "{error}");
                    assert!(unread || store != StoreAs::Values, "{error}");
                    continue;
                }
            };
            let bytes: Vec<u8> = files.into_iter().flat_map(|(_, bytes)| bytes).collect();
            let specs = &manifest.groups()[0].weights;
            let again = decode_group(&bytes, specs, |_| true).expect("encoded weights can be decoded").remove(0);
            let again = again.expect("it is wanted");
            match (tensor.data().as_f32(), again.data().as_f32()) {
                (Some(before), Some(after)) if store != StoreAs::Values => near(before, after, store),
                _ => assert!(same(tensor, &again), "{tensor:?} became {again:?}"),
            }
        }
    }
}

/// A value may change by at most half a quantization step.
fn near(before: &[f32], after: &[f32], store: StoreAs) {
    let finite = || before.iter().copied().filter(|v| v.is_finite()).map(f64::from);
    let (least, most) = finite().fold((0f64, 0f64), |(a, b), v| (a.min(v), b.max(v)));
    for (&a, &b) in before.iter().zip(after).filter(|(a, _)| a.is_finite()) {
        let (a, b) = (f64::from(a), f64::from(b));
        let allowed = match store {
            StoreAs::Uint8 => (most - least) / 255.0 * 0.51,
            StoreAs::Uint16 => (most - least) / 65_535.0 * 0.51,
            _ => a.abs() / 2048.0 + 1.0 / f64::from(1 << 25),
        };
        // Plus the rounding error of single precision.
        let rounding = most.max(-least) * f64::from(f32::EPSILON);
        assert!((a - b).abs() <= allowed + rounding, "{a} became {b} as {store:?}, allowed {allowed}");
    }
}

fn same_groups(a: &Groups, b: &Groups) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        match (a, b) {
            (Some(a), Some(b)) => assert!(same(a, b), "{a:?} in one piece, {b:?} in several"),
            (a, b) => assert_eq!(a.is_some(), b.is_some()),
        }
    }
}

/// Compares bit by bit, so that NaN is equal to NaN.
fn same(a: &HostTensor, b: &HostTensor) -> bool {
    let bits = |v: &f32| v.to_bits();
    let data = match (a.data(), b.data()) {
        (HostData::F32(a), HostData::F32(b)) => a.iter().map(bits).eq(b.iter().map(bits)),
        (HostData::C64(a), HostData::C64(b)) => a.iter().flatten().map(bits).eq(b.iter().flatten().map(bits)),
        (a, b) => a == b,
    };
    data && a.shape() == b.shape()
}
