//! PNG, JPEG, and folders of them.

use super::{Corpus, load_data};
use crate::Folder;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, RgbaImage};
use std::io::Cursor;
use std::path::Path;

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pixels() -> RgbImage {
    RgbImage::from_fn(6, 5, |x, y| image::Rgb([40 * x as u8, 50 * y as u8, 100]))
}

fn png() -> Vec<u8> {
    encoded(pixels(), ImageFormat::Png)
}

fn jpeg() -> Vec<u8> {
    encoded(pixels(), ImageFormat::Jpeg)
}

/// A chunk of a PNG file, with its checksum.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// A PNG file of these chunks behind the first one.
fn png_of(columns: u32, rows: u32, [bits, colour, interlaced]: [u8; 3], chunks: &[Vec<u8>]) -> Vec<u8> {
    let size = [columns, rows].map(u32::to_be_bytes).concat();
    let head = chunk(b"IHDR", &[&size[..], &[bits, colour, 0, 0, interlaced]].concat());
    [&b"\x89PNG\r\n\x1a\n"[..], &head, &chunks.concat(), &chunk(b"IEND", b"")].concat()
}

/// The bytes with those at `at` replaced.
fn with(bytes: &[u8], at: usize, other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + other.len()].copy_from_slice(other);
    bytes
}

/// Where these bytes are.
fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

/// A file of one of two classes; the other has a good image of the same size. Loading goes on to the split, which two images are
/// too few for, so what is good is said by that.
fn load_image(path: &Path) -> Result<(), String> {
    let root = path.parent().unwrap().parent().unwrap();
    match load_folder(root) {
        Err(e) if e.contains("recipe.toml: data.split: ") => Ok(()),
        other => other,
    }
}

/// The recipe stands beside the folder and not in it.
fn load_folder(root: &Path) -> Result<(), String> {
    load_data(root, &format!("images = \"{}\"", root.display()))
}

#[test]
fn png_files() {
    let mut corpus = Corpus::new();
    corpus.put("photos/good/1.png", png());
    let good = png();
    let idat = find(&good, b"IDAT");
    for (case, bytes) in [
        ("empty", vec![]),
        ("text", b"no image".to_vec()),
        ("GIF", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
        ("BMP", b"BM\x1e\0\0\0\0\0\0\0".to_vec()),
        ("WebP", b"RIFF\x1a\0\0\0WEBPVP8L".to_vec()),
        ("TIFF", b"II*\0\x08\0\0\0".to_vec()),
        ("SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec()),
        ("HEIC", b"\0\0\0\x18ftypheic".to_vec()),
        ("the signature only", good[..8].to_vec()),
        ("ends of lines changed by a transfer", with(&good, 4, b"\n\n\x1a\n")),
        ("no width", png_of(0, 5, [8, 2, 0], &[])),
        ("no height", png_of(6, 0, [8, 2, 0], &[])),
        ("2^31 columns", png_of(1 << 31, 5, [8, 2, 0], &[])),
        ("16385 columns", png_of(16385, 1, [8, 0, 0], &[chunk(b"IDAT", b"")])),
        ("16385 rows", png_of(1, 16385, [8, 0, 0], &[chunk(b"IDAT", b"")])),
        (
            "16384 x 16384 pixels in a hundred bytes",
            png_of(16384, 16384, [8, 0, 0], &[chunk(b"IDAT", &[0; 40])]),
        ),
        (
            "8192 x 8192 pixels of 16 bits with alpha in a hundred bytes",
            png_of(8192, 8192, [16, 6, 0], &[chunk(b"IDAT", &[0; 40])]),
        ),
        (
            "16384 x 16384 pixels of a palette in a hundred bytes",
            png_of(16384, 16384, [1, 3, 0], &[chunk(b"PLTE", &[0; 6]), chunk(b"IDAT", &[0; 40])]),
        ),
        ("three bits for a channel", png_of(6, 5, [3, 2, 0], &[])),
        ("colours of an unknown kind", png_of(6, 5, [8, 7, 0], &[])),
        ("another compression", with(&good, 26, &[1])),
        ("interlaced in an unknown way", png_of(6, 5, [8, 2, 9], &[])),
        ("a palette that is not there", png_of(6, 5, [8, 3, 0], &[chunk(b"IDAT", &[0; 4])])),
        ("a palette of five bytes", png_of(6, 5, [8, 3, 0], &[chunk(b"PLTE", &[0; 5])])),
        ("no pixels", png_of(6, 5, [8, 2, 0], &[])),
        ("pixels of nothing", png_of(6, 5, [8, 2, 0], &[chunk(b"IDAT", b"")])),
        ("pixels that are not deflated", png_of(6, 5, [8, 2, 0], &[chunk(b"IDAT", &[0xff; 20])])),
        ("without its end", good[..good.len() - 12].to_vec()),
        ("a header with a wrong checksum", with(&good, 29, &[0; 4])),
        ("pixels with a wrong checksum", with(&good, good.len() - 16, &[0; 4])),
        ("a chunk of 4 GiB", with(&good, idat - 4, &[0xff; 4])),
        ("a chunk of an unknown kind that matters", with(&good, idat, b"XXXX")),
    ] {
        corpus.bytes(case, "photos/bad/1.png", bytes, load_image);
    }
    corpus.damage(("6 x 5", "photos/bad/1.png"), &good, (1, 0..good.len()), load_image);
    corpus.finish("png", 120);
}

#[test]
fn jpeg_files() {
    let mut corpus = Corpus::new();
    corpus.put("photos/good/1.jpg", jpeg());
    let good = jpeg();
    let (size, scan) = (find(&good, b"\xff\xc0") + 5, find(&good, b"\xff\xda"));
    let tables = find(&good, b"\xff\xc4");
    let most = with(&good, size, &[0xff, 0xdc, 0xff, 0xdc]);
    for (case, bytes) in [
        ("the first mark only", b"\xff\xd8".to_vec()),
        ("the first and the last mark", b"\xff\xd8\xff\xd9".to_vec()),
        ("the first mark and no mark behind it", b"\xff\xd8\xff".to_vec()),
        ("cut before its pixels", good[..scan].to_vec()),
        ("cut within its pixels", good[..scan + 20].to_vec()),
        ("without its end", good[..good.len() - 2].to_vec()),
        ("no rows", with(&good, size, &[0, 0])),
        ("no columns", with(&good, size + 2, &[0, 0])),
        ("65500 x 65500", most),
        ("16385 columns", with(&good, size + 2, &[0x40, 1])),
        ("16384 x 16384 pixels in less than a kilobyte", with(&good, size, &[0x40, 0, 0x40, 0])),
        ("8192 x 8192 pixels in less than a kilobyte", with(&good, size, &[0x20, 0, 0x20, 0])),
        ("12 bits for a channel", with(&good, size - 1, &[12])),
        ("no channels", with(&good, size + 4, &[0])),
        ("five channels", with(&good, size + 4, &[5])),
        ("arithmetic coding", with(&good, size - 4, &[0xc9])),
        ("lossless", with(&good, size - 4, &[0xc3])),
        ("sampled by nothing", with(&good, size + 6, &[0])),
        ("a table of codes that is longer", with(&good, tables + 2, &[0xff, 0xff])),
        ("too many codes of one bit", with(&good, tables + 5, &[0xff])),
        ("an ICC profile of nothing", [&good[..2], b"\xff\xe2\0\0", &good[2..]].concat()),
        ("two heads", [&good[..scan], &good[size - 5..scan], &good[scan..]].concat()),
        ("a PNG file that begins as a JPEG file", [&b"\xff\xd8\xff"[..], &png()].concat()),
    ] {
        corpus.bytes(case, "photos/bad/1.jpg", bytes, load_image);
    }
    corpus.damage(("6 x 5", "photos/bad/1.jpg"), &good, (5, 0..scan), load_image);
    corpus.finish("jpeg", 120);
}

#[test]
fn folders_of_images() {
    let mut corpus = Corpus::new();
    let root = |corpus: &Corpus, name: &str| corpus.folder.0.join(name);
    for (case, file) in [("one class", "one/a/1.png"), ("a class without images", "none/a/1.png")] {
        corpus.put(file, png());
        let folder = root(&corpus, file.split('/').next().unwrap());
        if case.contains("without") {
            std::fs::create_dir(folder.join("b")).unwrap();
        }
        corpus.refuse(case, file.split('/').next().unwrap(), || load_folder(&folder));
    }
    for (case, name, more) in [
        ("a file beside the classes", "beside", ("beside/notes.txt", b"x".to_vec())),
        ("an image beside the classes", "image", ("image/3.png", png())),
        ("a class with a text", "text", ("text/b/notes.txt", b"x".to_vec())),
        ("images of two sizes", "sizes", ("sizes/b/2.png", encoded(GrayImage::new(3, 3), ImageFormat::Png))),
        ("a file of no bytes among images", "zero", ("zero/b/2.png", vec![])),
        ("too few images to split", "few", ("few/b/2.png", png())),
    ] {
        corpus.put(&format!("{name}/a/1.png"), png());
        corpus.put(&format!("{name}/b/1.png"), png());
        corpus.put(more.0, more.1);
        let folder = root(&corpus, name);
        corpus.refuse(case, if name == "few" { "split" } else { name }, || load_folder(&folder));
    }
    #[cfg(unix)]
    {
        for class in ["circle/a", "circle/b"] {
            corpus.put(&format!("{class}/1.png"), png());
        }
        let folder = root(&corpus, "circle");
        std::os::unix::fs::symlink(&folder, folder.join("b/again")).unwrap();
        corpus.refuse("links that lead in a circle", "circle", || load_folder(&folder));
        std::fs::remove_file(folder.join("b/again")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("b/2.png")).unwrap();
        corpus.refuse("a link that leads nowhere", "circle", || load_folder(&folder));
    }
    let folder = root(&corpus, "nothing");
    corpus.refuse("no folder", "nothing", || load_folder(&folder));
    corpus.finish("image_folders", 10);
}

#[test]
fn what_is_unusual_and_right_is_taken() {
    let corpus = Corpus::new();
    corpus.put("photos/good/1.png", png());
    let deep = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::new(6, 5);
    let palette = png_of(
        6,
        5,
        [8, 3, 0],
        &[
            chunk(b"PLTE", &[1, 2, 3]),
            chunk(b"IDAT", &{
                let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                std::io::Write::write_all(&mut zlib, &[0; 35]).unwrap();
                zlib.finish().unwrap()
            }),
        ],
    );
    for (case, bytes) in [
        ("alpha", encoded(RgbaImage::new(6, 5), ImageFormat::Png)),
        ("16 bits", encoded(DynamicImage::ImageLuma16(deep), ImageFormat::Png)),
        ("a palette", palette),
        ("a JPEG file with the name of a PNG file", jpeg()),
    ] {
        let path = corpus.put("photos/bad/1.png", bytes);
        assert_eq!(corpus.said(case, "", || load_image(&path)), None);
    }
}

#[test]
fn the_program_refuses_images_in_one_line_and_leaves_nothing_behind() {
    let folder = Folder::new();
    for i in 0..10 {
        folder.put(&format!("photos/a/{i}.png"), png());
        folder.put(&format!("photos/b/{i}.jpg"), jpeg());
    }
    for (bytes, name) in [(&png()[..60], "a/3.png"), (&jpeg()[..200], "b/4.jpg"), (b"", "b/5.jpg")] {
        let good = std::fs::read(folder.0.join("photos").join(name)).unwrap();
        folder.put(&format!("photos/{name}"), bytes);
        folder.fails_to_train("images = \"photos\"", name);
        folder.fails(&["init", "photos", "--output", "new.toml"], name);
        assert!(!folder.0.join("new.toml").exists());
        folder.put(&format!("photos/{name}"), good);
    }
}

/// What the fuzz target of JPEG begins with; the other targets' files can be written by hand or by NumPy.
#[test]
#[ignore = "writes into the repository"]
fn the_fuzz_corpus_of_jpeg_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/jpeg");
    let coarse = |image: DynamicImage| {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 10).encode_image(&image).unwrap();
        bytes
    };
    let large = RgbImage::from_fn(20, 17, |x, y| image::Rgb([10 * x as u8, 12 * y as u8, (x * y) as u8]));
    let size = find(&jpeg(), b"\xff\xc0") + 5;
    for (name, bytes) in [
        ("colour", jpeg()),
        ("grey", encoded(GrayImage::from_fn(9, 9, |x, y| image::Luma([(x * y) as u8])), ImageFormat::Jpeg)),
        ("coarse", coarse(large.into())),
        ("cut", jpeg()[..300].to_vec()),
        ("large", with(&jpeg(), size, &[0xff, 0xdc, 0xff, 0xdc])),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}
