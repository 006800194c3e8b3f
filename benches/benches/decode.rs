//! Decoding stored weights, compared with copying the same number of values.

use bench_support::models::Result;
use bench_support::{Report, Side};
use tfjs::parts::manifest::Shape;
use tfjs::parts::weights::{HostData, HostTensor, NamedTensor, StoreAs, WeightFiles, decode_weight, encode};

fn main() -> Result<()> {
    let mut report = Report::new("decode");
    let len: usize = if report.options.smoke { 1 << 10 } else { 4 << 20 };
    let values: Vec<f32> = (0..len).map(|i| (i % 4099) as f32 / 4099.0 - 0.5).collect();
    let tensor = HostTensor::new(Shape::new([len])?, HostData::F32(values.clone()))?;
    let stored = [
        ("float32", StoreAs::Values),
        ("float16", StoreAs::Float16),
        ("uint8", StoreAs::Uint8),
        ("uint16", StoreAs::Uint16),
    ];
    for (name, store) in stored {
        let (manifest, files) =
            encode(&[vec![NamedTensor::new("w", &tensor).stored_as(store)]], &WeightFiles::default())?;
        let spec = &manifest.groups()[0].weights[0];
        let bytes = &files[0].1;
        decode_weight(bytes, spec)?;
        report.pair(
            format!("{name}, {len} values"),
            Some(4 * len as u64),
            Side("copy", || values.clone()),
            Side("decode", || decode_weight(bytes, spec)),
        );
    }
    report.finish();
    Ok(())
}
