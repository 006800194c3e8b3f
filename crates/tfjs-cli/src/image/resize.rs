//! Bilinear resizing with half-pixel centres and no antialiasing, like `tf.image.resizeBilinear(image, size, false,
//! true)`, Keras's `Resizing` layer and `image_dataset_from_directory`.

use tfjs::parts::manifest::Shape;
use tfjs::{Error, Result};

/// Pixels in row-major order, with the channels of a pixel next to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raster {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) pixels: Vec<u8>,
}

/// Crops an image to its largest centred square, in place.
pub(super) fn centre_square(raster: Raster) -> Raster {
    let Raster { height, width, channels, mut pixels } = raster;
    let side = height.min(width);
    let (top, left) = ((height - side) / 2, (width - side) / 2);
    for row in 0..side {
        let from = ((top + row) * width + left) * channels;
        pixels.copy_within(from..from + side * channels, row * side * channels);
    }
    pixels.truncate(side * side * channels);
    Raster { height: side, width: side, channels, pixels }
}

/// Resizes an image. Values stay from 0 to 255. The size has been checked before the image was decoded.
///
/// # Errors
/// If the image has no pixels, or there is not enough memory.
pub(super) fn bilinear(raster: &Raster, height: usize, width: usize) -> Result<Vec<f32>> {
    let channels = raster.channels;
    let elements = Shape::new([height, width, channels])?.elements();
    if raster.pixels.is_empty() {
        return Err(Error::malformed("the image has no pixels"));
    }
    let (rows, columns) = (samples(raster.height, height), samples(raster.width, width));
    let mut out = Vec::new();
    out.try_reserve_exact(elements).map_err(|e| Error::limit("no memory for the image").with_source(e))?;
    for row in &rows {
        let line = |y: usize| &raster.pixels[y * raster.width * channels..][..raster.width * channels];
        let (top, bottom) = (line(row.low), line(row.high));
        for column in &columns {
            let (left, right) = (column.low * channels, column.high * channels);
            for c in 0..channels {
                let mix = |a: u8, b: u8, at: f32| f32::from(a) + (f32::from(b) - f32::from(a)) * at;
                let above = mix(top[left + c], top[right + c], column.at);
                let below = mix(bottom[left + c], bottom[right + c], column.at);
                out.push(above + (below - above) * row.at);
            }
        }
    }
    Ok(out)
}

/// Two adjacent pixels and the position between them.
struct Sample {
    low: usize,
    high: usize,
    at: f32,
}

/// The positions of the centres of `to` pixels among `from` pixels, clamped to the outermost centres.
fn samples(from: usize, to: usize) -> Vec<Sample> {
    let scale = from as f32 / to as f32;
    let last = from.saturating_sub(1);
    let sample = |i: usize| {
        let centre = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, last as f32);
        let low = centre.floor() as usize;
        Sample { low, high: (low + 1).min(last), at: centre - low as f32 }
    };
    (0..to).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[&[u8]], height: usize, width: usize, expect: &[f32]) {
        let raster = Raster { height: rows.len(), width: rows[0].len(), channels: 1, pixels: rows.concat() };
        let resized = bilinear(&raster, height, width).unwrap();
        let close = resized.len() == expect.len() && resized.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(close, "expected {expect:?}, found {resized:?}");
    }

    // Expected values by the definition: output pixel i samples at (i + 0.5) * in / out - 0.5.

    #[test]
    fn the_same_size_changes_nothing() {
        check(&[&[0, 100], &[200, 255]], 2, 2, &[0.0, 100.0, 200.0, 255.0]);
    }

    #[test]
    fn growing_interpolates_between_centres_and_repeats_the_edge() {
        // -0.25 -> 0, 0.25, 0.75, 1.25 -> 1
        check(&[&[0, 100]], 1, 4, &[0.0, 25.0, 75.0, 100.0]);
        check(&[&[0, 100], &[100, 200]], 4, 2, &[0.0, 100.0, 25.0, 125.0, 75.0, 175.0, 100.0, 200.0]);
    }

    #[test]
    fn shrinking_does_not_antialias() {
        // 6 -> 2: centres at 1 and 4, so every other pixel is skipped entirely.
        check(&[&[9, 10, 9, 9, 20, 9]], 1, 2, &[10.0, 20.0]);
        // 4 -> 2: centres at 0.5 and 2.5.
        check(&[&[0, 10, 20, 40]], 1, 2, &[5.0, 30.0]);
    }

    #[test]
    fn channels_stay_apart() {
        let raster = Raster { height: 1, width: 2, channels: 3, pixels: vec![0, 10, 20, 100, 110, 120] };
        assert_eq!(bilinear(&raster, 1, 1).unwrap(), [50.0, 60.0, 70.0]);
    }

    #[test]
    fn the_square_in_the_middle() {
        let wide = Raster { height: 1, width: 4, channels: 1, pixels: vec![1, 2, 3, 4] };
        assert_eq!(centre_square(wide), Raster { height: 1, width: 1, channels: 1, pixels: vec![2] });
        let wide = Raster { height: 2, width: 5, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10] };
        assert_eq!(centre_square(wide), Raster { height: 2, width: 2, channels: 1, pixels: vec![2, 3, 7, 8] });
        let tall = Raster { height: 3, width: 1, channels: 2, pixels: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(centre_square(tall).pixels, [3, 4]);
    }

    #[test]
    fn nothing_cannot_be_resized() {
        let nothing = Raster { height: 0, width: 3, channels: 1, pixels: Vec::new() };
        assert!(bilinear(&nothing, 2, 2).is_err());
        let one = Raster { height: 1, width: 1, channels: 1, pixels: vec![1] };
        assert!(bilinear(&one, usize::MAX, 2).is_err());
    }
}
