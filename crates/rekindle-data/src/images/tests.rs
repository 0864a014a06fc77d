use super::*;
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("rekindle-images-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn says<T>(&self, result: crate::Result<T>) -> String {
        let e = result.err().expect("an error").to_string();
        assert!(!e.contains('\n'), "{e}");
        e.replace(&format!("{}/", self.0.display()), "").replace(&self.0.display().to_string(), "ROOT")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn grey(columns: u32, rows: u32, brightness: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let image = GrayImage::from_fn(columns, rows, |x, y| image::Luma([brightness(x, y)]));
    encoded(image, ImageFormat::Png)
}

const GREY: ImageSpec = ImageSpec { channels: 1, size: [2, 3] };
const COLOUR: ImageSpec = ImageSpec { channels: 3, size: [1, 2] };

fn decoded(bytes: &[u8], spec: &ImageSpec) -> Vec<u8> {
    decode_image(bytes, Path::new("x.png"), spec).unwrap().data
}

#[test]
fn grey_pixels_come_row_by_row_and_colours_channel_by_channel() {
    assert_eq!(decoded(&grey(3, 2, |x, y| (10 * y + x) as u8), &GREY), [0, 1, 2, 10, 11, 12]);
    let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 100 + x as u8, 200 + x as u8]));
    assert_eq!(decoded(&encoded(image, ImageFormat::Png), &COLOUR), [0, 1, 100, 101, 200, 201]);
}

/// The right sides are what Pillow's `convert("L")` gives.
#[test]
fn grey_of_colours_is_pillow_s() {
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [12, 200, 99], [1, 2, 3]];
    let image = RgbImage::from_fn(3, 2, |x, y| Rgb(colours[(3 * y + x) as usize]));
    assert_eq!(decoded(&encoded(image, ImageFormat::Png), &GREY), [76, 150, 29, 255, 132, 2]);
}

#[test]
fn transparency_is_left_out_and_sixteen_bits_become_eight() {
    let image = RgbaImage::from_fn(2, 1, |x, _| Rgba([10, 20, 30, 255 * x as u8]));
    assert_eq!(decoded(&encoded(image, ImageFormat::Png), &COLOUR), [10, 10, 20, 20, 30, 30]);
    let deep =
        image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(3, 2, |x, _| image::Luma([257 * x as u16]));
    assert_eq!(decoded(&encoded(deep, ImageFormat::Png), &GREY), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn jpeg_is_known_by_its_content_and_other_sizes_are_resized() {
    let flat = encoded(RgbImage::from_pixel(16, 8, Rgb([200, 100, 50])), ImageFormat::Jpeg);
    let close = |got: &[u8], want: &[u8]| got.iter().zip(want).all(|(a, b)| a.abs_diff(*b) <= 3);
    assert!(close(&decoded(&flat, &COLOUR), &[200, 200, 100, 100, 50, 50]), "{:?}", decoded(&flat, &COLOUR));
    // Half as many columns: each sees its neighbours, so a stripe of one column is not lost.
    let stripe = grey(12, 2, |x, _| if x == 5 { 240 } else { 0 });
    let row = decoded(&stripe, &ImageSpec { channels: 1, size: [1, 6] });
    let sum: u32 = row.iter().map(|&v| u32::from(v)).sum();
    assert!((100..140).contains(&sum) && row[0] == 0, "{row:?}");
}

#[test]
fn folders_are_classes_in_order_and_hidden_files_are_none() {
    let folder = Folder::new();
    for (name, value) in [("10/a.png", 1), ("9/b.png", 2), ("9/a.png", 3), ("9/more/c.png", 4)] {
        folder.put(name, &grey(3, 2, |_, _| value));
    }
    folder.put(".DS_Store", b"x");
    folder.put("9/Thumbs.db", b"x");
    let images = ImageFolder::open(&folder.0).unwrap();
    assert_eq!((images.classes(), images.labels()), (&["9".to_string(), "10".into()][..], &[0, 0, 0, 1][..]));
    let seen = images.seen().unwrap();
    assert_eq!(seen.spec(None, None).unwrap(), GREY);
    let pixels = images.decode(&GREY, None).unwrap();
    let firsts: Vec<u8> = pixels.data.chunks(6).map(|image| image[0]).collect();
    assert_eq!(firsts, [3, 2, 4, 1], "a, b, more/c, then class 10");
    assert_eq!(pixels.tensor().shape(), [4, 1, 2, 3]);
    let flat = ImageFolder::flat(&folder.0.join("9")).unwrap();
    assert_eq!(flat.len(), 3);
    assert_eq!(ImageFolder::flat(&folder.0.join("9/a.png")).unwrap().len(), 1);
}

#[test]
fn what_is_no_folder_of_images_is_said() {
    let folder = Folder::new();
    let says = |folder: &Folder| folder.says(ImageFolder::open(&folder.0));
    folder.put("cat/1.png", &grey(3, 2, |_, _| 0));
    assert_eq!(
        says(&folder),
        "ROOT: 1 of the folders that a classifier needs at least two of; make a folder for each class and put its images there"
    );
    fs::create_dir(folder.0.join("dog")).unwrap();
    assert_eq!(says(&folder), "dog: a class without images; put some there, or remove the folder");
    folder.put("dog/1.png", b"not an image");
    let images = ImageFolder::open(&folder.0).unwrap();
    let e = folder.says(images.decode(&GREY, None));
    assert_eq!(e, "dog/1.png: neither a PNG nor a JPEG file; convert it, or take it out of the folder");
    folder.put("notes.txt", b"");
    assert_eq!(
        says(&folder),
        "notes.txt: a file beside the folders of the classes; put each image into the folder of its class, and take other files away"
    );
    assert!(folder.says(ImageFolder::open(&folder.0.join("none"))).contains("No such file"));
}

#[test]
fn images_of_several_sizes_need_a_declared_one() {
    let folder = Folder::new();
    folder.put("a/1.png", &grey(3, 2, |_, _| 0));
    folder.put("b/1.png", &encoded(RgbImage::new(4, 4), ImageFormat::Png));
    let seen = ImageFolder::open(&folder.0).unwrap().seen().unwrap();
    let e = seen.spec(None, None).unwrap_err().to_string();
    assert_eq!(e, "images of 2 sizes, such as 2 x 3 and 4 x 4; declare one, as in size = [64, 64]");
    assert_eq!(seen.spec(None, Some([8, 8])).unwrap(), ImageSpec { channels: 3, size: [8, 8] });
    assert!(seen.spec(Some(2), Some([8, 8])).is_err() && seen.spec(None, Some([0, 8])).is_err());
}

#[test]
fn a_link_in_a_circle_is_an_error_and_no_endless_walk() {
    #[cfg(unix)]
    {
        let folder = Folder::new();
        folder.put("a/1.png", &grey(3, 2, |_, _| 0));
        folder.put("b/1.png", &grey(3, 2, |_, _| 0));
        std::os::unix::fs::symlink(folder.0.join("b"), folder.0.join("b/again")).unwrap();
        let e = folder.says(ImageFolder::open(&folder.0));
        assert_eq!(e, "b/again: folders that lead in a circle, or too deep; remove the link");
    }
}

#[test]
fn decoded_images_are_kept_until_a_file_changes() {
    let (folder, kept) = (Folder::new(), Folder::new());
    folder.put("a/1.png", &grey(3, 2, |_, _| 7));
    folder.put("b/1.png", &grey(3, 2, |_, _| 9));
    let images = ImageFolder::open(&folder.0).unwrap();
    let first = images.decode(&GREY, Some(&kept.0)).unwrap();
    let file = fs::read_dir(&kept.0).unwrap().next().unwrap().unwrap().path();
    // What is kept is used: a whole file with other pixels would be believed, a damaged one is not.
    let mut bytes = fs::read(&file).unwrap();
    bytes[16] ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(images.decode(&GREY, Some(&kept.0)).unwrap(), first);
    let stamp = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(images.decode(&GREY, Some(&kept.0)).unwrap(), first);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), stamp, "it was read and not written again");
    folder.put("b/1.png", &encoded(GrayImage::from_pixel(3, 2, image::Luma([200])), ImageFormat::Png));
    fs::File::options()
        .write(true)
        .open(folder.0.join("b/1.png"))
        .unwrap()
        .set_modified(stamp + std::time::Duration::from_secs(5))
        .unwrap();
    assert_eq!(images.decode(&GREY, Some(&kept.0)).unwrap().data[6], 200);
}

/// A JPEG of a few bytes that declares 65500 x 65500 pixels.
#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    let mut jpeg = encoded(RgbImage::new(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let e = decode_image(&jpeg, Path::new("bomb.jpg"), &COLOUR).unwrap_err().to_string();
    assert!(e.starts_with("bomb.jpg: ") && e.contains("pixels"), "{e}");
    let mut png = grey(3, 2, |_, _| 0);
    png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    assert!(decode_image(&png, Path::new("bomb.png"), &GREY).is_err());
}

#[test]
fn damaged_images_are_errors_and_never_panics() {
    let colour = RgbImage::from_fn(20, 14, |x, y| Rgb([(x * 12) as u8, (y * 17) as u8, (x * y) as u8]));
    let mut seed = 1u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let whole = encoded(colour.clone(), format);
        // The last 12 bytes of a PNG say only that it ends there.
        let needed = whole.len() - if format == ImageFormat::Png { 12 } else { 0 };
        for end in 0..needed {
            let cut = decode_image(&whole[..end], Path::new("cut"), &GREY);
            assert!(cut.is_err(), "{end} of {} bytes", whole.len());
        }
        for _ in 0..1000 {
            let mut flipped = whole.clone();
            let at = next() % flipped.len();
            flipped[at] ^= 1 << (next() % 8);
            if let Err(e) = decode_image(&flipped, Path::new("flipped"), &GREY) {
                assert!(!e.to_string().contains('\n'));
            }
        }
    }
    assert_eq!(
        decode_image(b"", Path::new("nothing.png"), &GREY).unwrap_err().to_string(),
        "nothing.png: an empty file; remove it, or save the image again"
    );
}
