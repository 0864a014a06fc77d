//! One image from its bytes. PNG and JPEG are read by the `image` crate, under limits of our own.

use super::{ImageSpec, Pixels};
use crate::error::{Error, Result};
use crate::quiet::quiet;
use image::imageops::{FilterType, resize};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

/// The most rows or columns of an image: a file of 333 bytes can declare 65500 x 65500.
const MOST_PIXELS_A_SIDE: u32 = 1 << 14;
/// The most memory that decoding one image may take.
const MOST_MEMORY: u64 = 1 << 29;

/// An image from the bytes of a PNG or JPEG file, whatever the file is called; `path` stands for it in messages.
///
/// Transparency is left out; grey is `(19595 R + 38470 G + 7471 B + 2^15) / 2^16` (ITU-R 601, as Pillow's `convert("L")`); another size
/// is reached by a triangle filter that sees every pixel (bilinear with antialiasing).
///
/// # Errors
/// If it is no PNG or JPEG, is damaged or too large.
pub fn decode_image(bytes: &[u8], path: &Path, spec: &ImageSpec) -> Result<Pixels> {
    let mut data = vec![0; spec.len()];
    decode_into(bytes, path, spec, &mut data)?;
    Ok(Pixels { spec: *spec, data })
}

/// The rows and columns of an image, without decoding it; of a file it says what it claims.
///
/// # Errors
/// As [`decode_image`].
pub fn image_size(bytes: &[u8], path: &Path) -> Result<[usize; 2]> {
    head(bytes, path).map(|(size, _)| size)
}

/// Rows, columns, and whether there is no colour.
pub(super) fn head(bytes: &[u8], path: &Path) -> Result<([usize; 2], bool)> {
    guarded(path, || {
        let decoder = reader(bytes, path)?.into_decoder().map_err(|e| damaged(path, &e))?;
        let (columns, rows) = decoder.dimensions();
        if u64::from(columns) * u64::from(rows) > most_pixels(bytes) {
            let what = format!(
                "a damaged image: {rows} x {columns} pixels, which {} bytes cannot hold",
                bytes.len()
            );
            return Err(wrong(path, what, "save it again, or take it out of the folder"));
        }
        Ok(([rows as usize, columns as usize], !decoder.color_type().has_color()))
    })
}

pub(super) fn decode_into(bytes: &[u8], path: &Path, spec: &ImageSpec, out: &mut [u8]) -> Result<()> {
    // Before memory is taken for its pixels.
    head(bytes, path)?;
    let image = guarded(path, || reader(bytes, path)?.decode().map_err(|e| damaged(path, &e)))?;
    let [rows, columns] = spec.size.map(|n| n as u32);
    if spec.channels == 1 {
        let grey = grey(image);
        let right = grey.dimensions() == (columns, rows);
        let grey = if right { grey } else { resize(&grey, columns, rows, FilterType::Triangle) };
        out.copy_from_slice(grey.as_raw());
        return Ok(());
    }
    let colour = image.into_rgb8();
    let right = colour.dimensions() == (columns, rows);
    let colour = if right { colour } else { resize(&colour, columns, rows, FilterType::Triangle) };
    let plane = spec.size[0] * spec.size[1];
    for (i, pixel) in colour.pixels().enumerate() {
        for channel in 0..3 {
            out[channel * plane + i] = pixel.0[channel];
        }
    }
    Ok(())
}

fn grey(image: DynamicImage) -> image::GrayImage {
    if !image.color().has_color() {
        return image.into_luma8();
    }
    let colour = image.into_rgb8();
    let (columns, rows) = colour.dimensions();
    let grey = colour.pixels().map(|pixel| {
        let [r, g, b] = pixel.0.map(u32::from);
        ((19595 * r + 38470 * g + 7471 * b + (1 << 15)) >> 16) as u8
    });
    let grey: Vec<u8> = grey.collect();
    image::GrayImage::from_raw(columns, rows, grey).expect("a byte for each pixel")
}

fn reader<'a>(bytes: &'a [u8], path: &Path) -> Result<ImageReader<Cursor<&'a [u8]>>> {
    if bytes.is_empty() {
        return Err(wrong(path, "an empty file", "remove it, or save the image again"));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(Error::io(path))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(wrong(path, "neither a PNG nor a JPEG file", "convert it, or take it out of the folder"));
    }
    if reader.format() == Some(ImageFormat::Jpeg) && !is_whole_jpeg(bytes) {
        return Err(wrong(
            path,
            "a JPEG file without its end",
            "save it again, or take it out of the folder",
        ));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_A_SIDE);
    limits.max_image_height = Some(MOST_PIXELS_A_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    Ok(reader)
}

/// The most pixels that an image of these bytes can have.
fn most_pixels(bytes: &[u8]) -> u64 {
    let length = bytes.len() as u64;
    match bytes {
        // Deflate cannot shrink data further than 258 bytes to 2 bits; the bits of a pixel follow its rows and columns.
        [0x89, b'P', ..] if length > 25 => {
            let channels = match bytes[25] {
                2 => 3,
                4 => 2,
                6 => 4,
                _ => 1,
            };
            length * 1032 * 8 / (channels * u64::from(bytes[24])).max(1)
        }
        // A block of 8 x 8 pixels takes a bit, whatever they are.
        _ => length * 8 * 64,
    }
}

/// Whether the mark of the end comes after the last mark of a scan. Decoders make up what is missing, which nobody should learn from.
/// (In the pixels of a scan neither mark can stand; a thumbnail has both, but comes before.)
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let last = |mark: u8| (1..bytes.len()).rfind(|&i| bytes[i - 1] == 0xff && bytes[i] == mark);
    last(0xd9) > last(0xda)
}

/// A decoder that panics has found a file that it cannot read; that is no reason to end the program.
fn guarded<T>(path: &Path, f: impl FnOnce() -> Result<T>) -> Result<T> {
    quiet(f)
        .unwrap_or_else(|| Err(wrong(path, "a damaged image", "save it again, or take it out of the folder")))
}

fn damaged(path: &Path, e: &image::ImageError) -> Error {
    match e {
        image::ImageError::Limits(_) => {
            let most = MOST_PIXELS_A_SIDE;
            let problem = format!("an image of more than {most} x {most} pixels, or of too much memory");
            wrong(path, problem, "make it smaller")
        }
        e => wrong(
            path,
            format!("a damaged image: {}", plainly(&e.to_string())),
            "save it again, or take it out of the folder",
        ),
    }
}

/// What the decoders say, in one line and without the names of their types: `ChunkType { type: IDAT, .. }` is `IDAT`.
fn plainly(cause: &str) -> String {
    let cause = cause.replace("Format error decoding ", "").replace(char::is_control, " ");
    let mut parts = cause.split("ChunkType { type: ");
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (name, rest) = part.split_once(", critical").unwrap_or((part, ""));
        plain.push_str(name);
        plain.push_str(rest.split_once('}').map_or("", |(_, rest)| rest));
    }
    plain.trim_end_matches([' ', '.']).to_string()
}

pub(super) fn wrong(path: &Path, problem: impl Into<String>, remedy: &'static str) -> Error {
    Error::Image { path: path.to_path_buf(), problem: problem.into(), remedy }
}
