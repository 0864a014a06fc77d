//! A corpus of malformed files, each with the exact line that reports it.

use super::*;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A file that is removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(bytes: &[u8]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("rekindle-idx-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn read(bytes: &[u8]) -> Result<IdxArray> {
    IdxArray::read(&Scratch::new(bytes).0)
}

/// The error line of a file, without the path in front.
fn complaint(bytes: &[u8]) -> String {
    let file = Scratch::new(bytes);
    let line = IdxArray::read(&file.0).unwrap_err().to_string();
    let path = file.0.display().to_string();
    line.strip_prefix(&format!("{path}: ")).expect("the line begins with the path").to_string()
}

fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn plain_and_gzipped_files_read_the_same() {
    let data: Vec<u8> = (0..24).collect();
    let file = idx(&[2, 3, 4], &data);
    let array = read(&file).unwrap();
    assert_eq!((&array.shape[..], &array.data), (&[2, 3, 4][..], &data));
    assert_eq!(read(&gzip(&file)).unwrap(), array);
}

#[test]
fn an_array_may_be_empty() {
    let array = read(&idx(&[0, 28, 28], &[])).unwrap();
    assert_eq!((array.shape, array.data.len()), (vec![0, 28, 28], 0));
}

#[cfg(unix)]
#[test]
fn a_missing_file_is_named() {
    let path = std::env::temp_dir().join("rekindle-no-such-file");
    let line = IdxArray::read(&path).unwrap_err().to_string();
    assert_eq!(line, format!("{}: No such file or directory (os error 2)", path.display()));
}

#[test]
fn a_folder_is_not_read() {
    let path = std::env::temp_dir();
    let line = IdxArray::read(&path).unwrap_err().to_string();
    assert_eq!(line, format!("{}: not a regular file", path.display()));
}

#[test]
fn an_empty_file_is_reported() {
    let expected = "byte 0: empty file; copy or download the file again";
    assert_eq!(complaint(b""), expected);
    assert_eq!(complaint(&gzip(b"")), expected);
}

#[test]
fn a_wrong_magic_number_is_reported() {
    assert_eq!(
        complaint(b"<!DOCTYPE html>"),
        "byte 0: wrong magic number 3c 21 44 4f, expected 00 00 08 and a rank; is this the right file?"
    );
}

#[test]
fn a_header_cut_off_is_reported() {
    assert_eq!(
        complaint(&[0, 0, 8]),
        "byte 3: the file ends within the magic number; copy or download the file again"
    );
    assert_eq!(
        complaint(&[0, 0, 8, 3, 0, 0, 0, 1, 0]),
        "byte 9: the file ends within the sizes; copy or download the file again"
    );
}

#[test]
fn another_element_type_is_reported() {
    assert_eq!(
        complaint(&[0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0]),
        "byte 2: element type 0d, expected 08 (unsigned bytes); is this the right file?"
    );
}

#[test]
fn rank_zero_is_reported() {
    assert_eq!(complaint(&[0, 0, 8, 0, 1]), "byte 3: no dimensions; is this the right file?");
}

#[test]
fn sizes_whose_product_overflows_are_reported() {
    let huge = u32::MAX;
    assert_eq!(
        complaint(&idx(&[huge, huge, huge], b"abc")),
        "byte 4: [4294967295, 4294967295, 4294967295] declares more bytes than fit into memory; is this the right file?"
    );
}

#[test]
fn a_plain_file_too_short_is_reported() {
    assert_eq!(
        complaint(&idx(&[2, 2], b"abc")),
        "byte 4: [2, 2] declares 4 bytes, but the file holds 3; copy or download the file again"
    );
}

#[test]
fn a_gzipped_file_too_short_is_reported() {
    assert_eq!(
        complaint(&gzip(&idx(&[2, 2], b"abc"))),
        "byte 15: the data ends after 3 of the 4 bytes that [2, 2] declares; copy or download the file again"
    );
}

#[test]
fn trailing_bytes_are_reported() {
    let expected = "byte 16: more data follows the 4 bytes that [2, 2] declares; is this the right file?";
    assert_eq!(complaint(&idx(&[2, 2], b"abcde")), expected);
    assert_eq!(complaint(&gzip(&idx(&[2, 2], b"abcde"))), expected);
}

#[test]
fn a_file_gzipped_twice_is_reported() {
    let twice = gzip(&gzip(&idx(&[1], b"a")));
    assert_eq!(complaint(&twice), "byte 0: gzipped twice; gunzip it once");
}

#[test]
fn a_gzipped_file_cut_off_is_reported() {
    let whole = gzip(&idx(&[4], b"abcd"));
    assert_eq!(
        complaint(&whole[..whole.len() - 3]),
        "byte 12: the gzip data is cut off; copy or download the file again"
    );
}

#[test]
fn a_gzip_checksum_that_differs_is_reported() {
    let mut file = gzip(&idx(&[4], b"abcd"));
    let checksum = file.len() - 8;
    file[checksum] ^= 1;
    assert_eq!(
        complaint(&file),
        "byte 12: the gzip data is damaged (corrupt gzip stream does not have a matching checksum); \
         copy or download the file again"
    );
}

#[test]
fn a_gzipped_file_cannot_declare_more_than_gzip_can_hold() {
    let file = gzip(&idx(&[1 << 31, 1 << 10], b"abcd"));
    let held = file.len() as u64 * MAX_GZIP_RATIO - 12;
    assert_eq!(
        complaint(&file),
        format!(
            "byte 4: [2147483648, 1024] declares 2199023255552 bytes, but the file holds at most {held}; \
             copy or download the file again"
        )
    );
}

#[test]
fn a_decompression_bomb_stops_at_the_declared_size() {
    // A gigabyte would take seconds to unpack; one byte beyond the declared four must be enough.
    let file = gzip(&idx(&[4], &vec![0; 1 << 26]));
    assert_eq!(
        complaint(&file),
        "byte 12: more data follows the 4 bytes that [4] declares; is this the right file?"
    );
}

#[test]
fn every_truncation_is_an_error() {
    let plain = idx(&[2, 3], b"abcdef");
    for file in [plain.clone(), gzip(&plain)] {
        for length in 0..file.len() {
            assert!(read(&file[..length]).is_err(), "{length} of {} bytes", file.len());
        }
    }
}

#[test]
fn no_flipped_bit_of_a_gzipped_file_changes_the_array() {
    let plain = idx(&[2, 3], b"abcdef");
    let array = read(&plain).unwrap();
    let file = gzip(&plain);
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = read(&damaged) {
            // Some bits, such as the time stamp, carry nothing.
            assert_eq!(read, array, "bit {bit}");
        }
    }
}
