//! Converts images to tensors: decodes them, and converts them to the model's channels, size and range. Range and
//! labels come from [`crate::labels`].
//!
//! Channels are as in Keras's `load_img`: transparency is dropped, not blended; grey is Rec. 601 luma, rounded.
//! Orientation tags are ignored. Resizing is that of `tf.image.resizeBilinear` with half-pixel centres.

mod resize;

use crate::labels::Picture;
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use resize::{Raster, bilinear, centre_square};
use std::io::Cursor;
use tfjs::layer::CandleResultExt;
use tfjs::{Device, Error, Port, Result, Tensor, ValueType};

/// Longest side in pixels of an image, before and after resizing.
const LONGEST_SIDE: u32 = 1 << 16;
/// Most bytes of an image file; of a decoded image with its copy in other channels; and of a batch of images as floats.
pub(crate) const MOST_BYTES: u64 = 256 << 20;
/// Default number of images per batch.
const PICTURES: usize = 32;

/// The size and channels that a model's input expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    height: Option<usize>,
    width: Option<usize>,
    channels: usize,
    order: Order,
    whole_numbers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    ChannelsLast,
    ChannelsFirst,
    /// Grey, without a channel dimension.
    NoChannels,
}

impl Target {
    /// The target for an input. Dimensions that its shape leaves open come from `picture`, if it has them.
    ///
    /// # Errors
    /// If the input is not one for images.
    pub(crate) fn of(port: &Port<'_>, picture: &Picture) -> Result<Target> {
        let is_channels = |c: &Option<usize>| matches!(c, Some(1 | 3 | 4));
        let grey = if picture.grayscale { 1 } else { 3 };
        let (height, width, channels, order) = match *port.shape.dims() {
            [_, h, w] => (h, w, 1, Order::NoChannels),
            [_, h, w, c] if is_channels(&c) => (h, w, c.unwrap_or(grey), Order::ChannelsLast),
            [_, c, h, w] if is_channels(&c) => (h, w, c.unwrap_or(grey), Order::ChannelsFirst),
            [_, h, w, None] => (h, w, grey, Order::ChannelsLast),
            _ => {
                let message =
                    format!("expected an input for images, [batch, height, width, channels], found {}", port.shape);
                return Err(Error::mismatch(message).at_value(port.name));
            }
        };
        if port.dtype == ValueType::String {
            return Err(Error::mismatch("expected an input for images, found one for strings").at_value(port.name));
        }
        let (height, width) = (height.or(picture.size), width.or(picture.size));
        Ok(Target { height, width, channels, order, whole_numbers: port.dtype != ValueType::Float })
    }

    /// The number of images in a batch: `batch_size`, or as many of `pictures` as fit in memory.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs::Kind::Limit) if one image or the batch is too large.
    pub(crate) fn together(&self, batch_size: Option<usize>, pictures: usize) -> Result<usize> {
        // Images of different sizes cannot be in one batch.
        let (Some(height), Some(width)) = (self.height, self.width) else { return Ok(1) };
        let each = self.bytes(height, width)?.max(1);
        let fit = usize::try_from(MOST_BYTES / each).unwrap_or(usize::MAX);
        match batch_size {
            Some(asked) if asked.min(pictures) > fit => Err(Error::limit(format!(
                "{} images of {height} x {width} in a batch are more than {MOST_BYTES} bytes; expected at most {fit}",
                asked.min(pictures)
            ))),
            Some(asked) => Ok(asked),
            None => Ok(PICTURES.min(fit)),
        }
    }

    /// The bytes of an image of this size as floats.
    fn bytes(&self, height: usize, width: usize) -> Result<u64> {
        let side = LONGEST_SIDE as usize;
        let bytes = [height, width, self.channels].iter().try_fold(4u64, |n, &d| n.checked_mul(d as u64));
        match bytes {
            Some(bytes) if height <= side && width <= side && bytes <= MOST_BYTES => Ok(bytes),
            _ => Err(Error::limit(format!(
                "the model needs an image of {height} x {width}; expected at most {side} pixels per side, and \
                {MOST_BYTES} bytes as floats"
            ))),
        }
    }

    /// Whether the input has an integer type, for which the default range is that of the pixels.
    pub(crate) fn whole_numbers(&self) -> bool {
        self.whole_numbers
    }
}

/// The tensor of an encoded image, with a batch of one.
///
/// # Errors
/// If the image is neither PNG nor JPEG, is damaged, or is too large.
pub(crate) fn tensor(encoded: &[u8], target: &Target, picture: &Picture, range: (f32, f32)) -> Result<Tensor> {
    let Target { height, width, channels, order, whole_numbers } = *target;
    let mut raster = raster(decode(encoded, target, picture)?, channels);
    if picture.crop {
        raster = centre_square(raster);
    }
    let (height, width) = (height.unwrap_or(raster.height), width.unwrap_or(raster.width));
    let mut values = bilinear(&raster, height, width)?;
    let (low, high) = range;
    for value in &mut values {
        *value = low + *value / 255.0 * (high - low);
        if whole_numbers {
            *value = value.round();
        }
    }
    let device = &Device::Cpu;
    let tensor = match order {
        Order::NoChannels => Tensor::from_vec(values, (1, height, width), device),
        Order::ChannelsLast => Tensor::from_vec(values, (1, height, width, channels), device),
        Order::ChannelsFirst => Tensor::from_vec(values, (1, height, width, channels), device)
            .and_then(|t| t.permute((0, 3, 1, 2)))
            .and_then(|t| t.contiguous()),
    };
    tensor.or_error()
}

/// Decodes an image, after checking from its header that the image and its copies are not too large.
fn decode(encoded: &[u8], target: &Target, picture: &Picture) -> Result<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    let reader = ImageReader::new(Cursor::new(encoded)).with_guessed_format();
    let mut reader = reader.map_err(|e| Error::malformed("the image cannot be read").with_source(e))?;
    if reader.format().is_none() {
        return Err(Error::unsupported("expected a PNG or JPEG image, found another format"));
    }
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    // The bytes per pixel of the copy in `raster`.
    let copied = match (decoder.color_type(), target.channels) {
        (ColorType::Rgb8, 3) | (ColorType::L8, 1) | (ColorType::Rgba8, 4) => 0,
        (_, 1) => 3 + 1,
        (_, channels) => channels as u64,
    };
    let decoded = decoder.total_bytes().saturating_add(pixels.saturating_mul(copied));
    if decoded > MOST_BYTES {
        return Err(Error::limit(format!(
            "the image has {width} x {height} pixels, {decoded} bytes when decoded; expected at most {MOST_BYTES}"
        )));
    }
    let (width, height) = (width as usize, height as usize);
    let side = if picture.crop { width.min(height) } else { usize::MAX };
    target.bytes(target.height.unwrap_or(height.min(side)), target.width.unwrap_or(width.min(side)))?;
    DynamicImage::from_decoder(decoder).map_err(undecodable)
}

fn undecodable(error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => Error::limit("the image is too large").with_source(error),
        ImageError::Unsupported(_) => {
            Error::unsupported("expected a PNG or JPEG image, found an unsupported kind").with_source(error)
        }
        _ => Error::malformed("the image is damaged").with_source(error),
    }
}

/// Converts an image to pixels of 1, 3 or 4 channels.
fn raster(image: DynamicImage, channels: usize) -> Raster {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = match channels {
        4 => image.into_rgba8().into_raw(),
        3 => image.into_rgb8().into_raw(),
        _ if !image.color().has_color() => image.into_luma8().into_raw(),
        _ => image.into_rgb8().pixels().map(|p| luma(p.0)).collect(),
    };
    Raster { height, width, channels, pixels }
}

/// Rec. 601 luma in 16-bit fixed point, as Pillow's `convert("L")` rounds it.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ImageFormat, LumaA, Rgb, Rgba};
    use tfjs::{Kind, SymShape};

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[track_caller]
    fn target(shape: &str) -> Result<Target> {
        let shape: SymShape = shape.parse().unwrap();
        Target::of(&Port { name: "x", key: None, shape: &shape, dtype: ValueType::Float }, &Picture::default())
    }

    #[track_caller]
    fn check(encoded: &[u8], shape: &str, range: (f32, f32), dims: &[usize], expect: &[f32]) {
        let target = target(shape).unwrap();
        let tensor = tensor(encoded, &target, &Picture::default(), range).unwrap();
        assert_eq!(tensor.dims(), dims);
        assert_eq!(tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expect);
    }

    #[test]
    fn inputs_that_take_pictures() {
        for shape in ["?,224,224,3", "?,?,?,1", "?,3,224,224", "?,28,28", "?,?,?,?"] {
            target(shape).unwrap();
        }
        for shape in ["?,10", "?,8,8,7", "?,2,8,8,3"] {
            assert_eq!(target(shape).unwrap_err().kind(), Kind::Mismatch, "{shape}");
        }
    }

    #[test]
    fn batches_hold_as_many_pictures_as_fit() {
        let together = |shape: &str, asked, pictures| target(shape).unwrap().together(asked, pictures);
        // 256 MiB / (1024 * 1024 * 3 * 4) = 21.3
        assert_eq!(together("?,1024,1024,3", None, 100).unwrap(), 21);
        assert_eq!(together("?,1024,1024,3", Some(21), 100).unwrap(), 21);
        assert_eq!(together("?,1024,1024,3", Some(1000), 21).unwrap(), 1000);
        assert_eq!(together("?,1024,1024,3", Some(22), 22).unwrap_err().kind(), Kind::Limit);
        assert_eq!(together("?,224,224,3", None, 100).unwrap(), PICTURES);
        assert_eq!(together("?,?,224,3", Some(9), 100).unwrap(), 1);
        for huge in ["?,18000,18000,3", "?,1,65537,3", "?,9223372036854775807,9223372036854775807,4"] {
            assert_eq!(together(huge, None, 1).unwrap_err().kind(), Kind::Limit, "{huge}");
        }
    }

    /// The smallest possible PNG of one colour with this size.
    #[track_caller]
    fn check_too_large(encoded: &[u8], shape: &str, size: Option<usize>, message: &str) {
        let shape: SymShape = shape.parse().unwrap();
        let picture = Picture { size, crop: true, ..Picture::default() };
        let target =
            Target::of(&Port { name: "x", key: None, shape: &shape, dtype: ValueType::Float }, &picture).unwrap();
        let error = tensor(encoded, &target, &picture, (0.0, 1.0)).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.message().contains(message), "{error}");
    }

    #[test]
    fn headers_say_what_is_too_large_before_anything_is_decoded() {
        // The file has no pixels, so an attempt to decode it would fail with another error.
        let header = |side: u32| {
            let mut png = png(::image::GrayImage::new(1, 1));
            png[16..24].copy_from_slice(&[side.to_be_bytes(), side.to_be_bytes()].concat());
            let crc = crc(&png[12..29]).to_be_bytes();
            png[29..33].copy_from_slice(&crc);
            png
        };
        // 16 384^2 bytes of grey are 256 MiB; with a copy in RGB 8192^2 pixels are.
        check_too_large(&header(16_385), "?,8,8,1", None, "268468225 bytes when decoded");
        check_too_large(&header(8193), "?,8,8,3", None, "when decoded");
        // 8000^2 pixels are accepted as an image, but not as a tensor of floats of that size.
        check_too_large(&header(8000), "?,?,?,3", None, "the model needs an image of 8000 x 8000");
        check_too_large(&header(8), "?,?,?,3", Some(18_000), "the model needs an image of 18000 x 18000");
        let decoded = tensor(&header(8000), &target("?,8,8,3").unwrap(), &Picture::default(), (0.0, 1.0));
        assert_eq!(decoded.unwrap_err().kind(), Kind::Malformed);
    }

    /// PNG's checksum, as its specification computes it.
    fn crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
    }

    #[test]
    fn transparency_is_dropped_not_blended() {
        let image = ::image::RgbaImage::from_pixel(1, 1, Rgba([255, 51, 0, 0]));
        check(&png(image), "?,1,1,3", (0.0, 1.0), &[1, 1, 1, 3], &[1.0, 0.2, 0.0]);
        let grey = ::image::GrayAlphaImage::from_pixel(1, 1, LumaA([51, 0]));
        check(&png(grey), "?,1,1", (0.0, 1.0), &[1, 1, 1], &[0.2]);
    }

    #[test]
    fn grey_is_what_pillow_makes_of_colours() {
        // Pillow 10: Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))
        let cases = [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255, 255, 255], 255), ([1, 2, 3], 2)];
        for (colour, grey) in cases {
            let image = ::image::RgbImage::from_pixel(1, 1, Rgb(colour));
            check(&png(image), "?,1,1,1", (0.0, 255.0), &[1, 1, 1, 1], &[grey as f32]);
        }
    }

    #[test]
    fn channels_first() {
        let image = ::image::RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 10, 20]));
        check(&png(image), "?,3,1,2", (0.0, 255.0), &[1, 3, 1, 2], &[0.0, 1.0, 10.0, 10.0, 20.0, 20.0]);
    }

    #[test]
    fn unknown_sizes_are_the_pictures_own() {
        let image = ::image::GrayImage::from_fn(2, 1, |x, _| ::image::Luma([255 * x as u8]));
        check(&png(image), "?,?,?,1", (-1.0, 1.0), &[1, 1, 2, 1], &[-1.0, 1.0]);
    }

    #[test]
    fn whole_numbers_for_inputs_of_integers() {
        let shape: SymShape = "?,1,2,1".parse().unwrap();
        let picture = Picture::default();
        let target =
            Target::of(&Port { name: "x", key: None, shape: &shape, dtype: ValueType::Int32 }, &picture).unwrap();
        let image = ::image::GrayImage::from_fn(3, 1, |x, _| ::image::Luma([[0, 101, 4][x as usize]]));
        let tensor = tensor(&png(image), &target, &picture, (0.0, 255.0)).unwrap();
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(target.whole_numbers() && values.iter().all(|v| v.fract() == 0.0), "{values:?}");
    }

    #[test]
    fn what_is_no_picture() {
        let target = target("?,8,8,3").unwrap();
        let decode = |bytes: &[u8]| decode(bytes, &target, &Picture::default()).unwrap_err().kind();
        assert_eq!(decode(b"<html>"), Kind::Unsupported);
        assert_eq!(decode(b""), Kind::Unsupported);
        assert_eq!(decode(b"GIF89a\x01\x00\x01\x00\x00\x00\x00"), Kind::Unsupported);
        let whole = png(::image::RgbImage::from_pixel(40, 40, Rgb([1, 2, 3])));
        assert_eq!(decode(&whole[..60]), Kind::Malformed);
        // A header that claims 100 000 x 100 000 pixels.
        let mut claims = whole;
        claims[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
        assert!(matches!(decode(&claims), Kind::Limit | Kind::Malformed));
    }
}
