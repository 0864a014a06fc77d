//! Archives that NumPy saved (`tests/golden/npy`), and malformed ones, each with the exact line that reports it.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::*;
use crate::npy::tests::{Noise, Scratch, golden};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A file in an archive that is made by hand, with what its entry says about it.
#[derive(Clone)]
struct File {
    name: &'static str,
    method: u16,
    flags: u16,
    packed: Vec<u8>,
    unpacked: u32,
    crc: u32,
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packed(name: &'static str, method: u16, bytes: &[u8]) -> File {
    let packed = if method == DEFLATED { deflate(bytes) } else { bytes.to_vec() };
    File { name, method, flags: 0, packed, unpacked: bytes.len() as u32, crc: crc(bytes) }
}

/// The file of an array of unsigned bytes that says it has `declared` of them.
fn npy(declared: usize, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({declared},)}}");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn zip(files: &[File]) -> Vec<u8> {
    zip_with_comment(files, b"")
}

fn zip_with_comment(files: &[File], comment: &[u8]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let begin = bytes.len() as u32;
        let mut facts = Vec::new();
        for half in [20, file.flags, file.method, 0, 0] {
            facts.extend(half.to_le_bytes());
        }
        for word in [file.crc, file.packed.len() as u32, file.unpacked, file.name.len() as u32] {
            facts.extend(word.to_le_bytes());
        }
        bytes.extend([LOCAL, &facts, file.name.as_bytes(), &file.packed].concat());
        let place = [&[0; 10][..], &begin.to_le_bytes()].concat();
        directory.extend([ENTRY, &[20, 0], &facts, &place, file.name.as_bytes()].concat());
    }
    let (begin, size) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend([&directory, END, &[0; 4]].concat());
    bytes.extend([files.len() as u16; 2].map(u16::to_le_bytes).concat());
    bytes.extend([size, begin].map(u32::to_le_bytes).concat());
    bytes.extend((comment.len() as u16).to_le_bytes());
    [&bytes, comment].concat()
}

/// Opens an archive and reads `x`.
fn read(bytes: &[u8]) -> Result<NpyArray> {
    Npz::open(&Scratch::new(bytes).0)?.array("x")
}

/// The error line, without the path of the archive in front.
fn complaint(bytes: &[u8]) -> String {
    let scratch = Scratch::new(bytes);
    let error = Npz::open(&scratch.0).and_then(|npz| npz.array("x")).unwrap_err();
    scratch.without_path(&error)
}

#[test]
fn archives_of_numpy_read_the_same_stored_deflated_and_zip64() {
    for name in ["stored.npz", "digits.npz", "zip64.npz"] {
        let npz = Npz::open(golden(name)).unwrap();
        assert_eq!(npz.names(), ["images", "labels"], "{name}");
        let images = npz.array("images").unwrap();
        assert_eq!(
            (&images.shape[..], images.as_u8().unwrap()),
            (&[3, 2, 2][..], &(0..12).collect::<Vec<_>>()[..])
        );
        assert_eq!(npz.array("labels").unwrap().as_u8(), Some(&[7, 2, 1][..]), "{name}");
    }
}

#[test]
fn names_may_be_in_any_script_and_other_files_have_none() {
    let npz = Npz::open(golden("names.npz")).unwrap();
    assert_eq!(npz.names(), ["사진", "train/labels"]);
    for name in npz.names() {
        assert_eq!(npz.array(name).unwrap().as_u8(), Some(&[7, 2, 1][..]));
    }
    assert_eq!(Npz::open(golden("unnamed.npz")).unwrap().names(), ["arr_0", "arr_1"]);
    assert!(Npz::open(golden("no_arrays.npz")).unwrap().names().is_empty());
}

#[test]
fn an_absent_array_is_answered_with_the_nearest_or_all() {
    let path = golden("digits.npz");
    let say = |name: &str| Npz::open(&path).unwrap().array(name).unwrap_err().to_string();
    let path = path.display();
    assert_eq!(say("imags"), format!("{path}: no array `imags`; did you mean `images`?"));
    assert_eq!(say("weights\n"), format!("{path}: no array `weights\\n`; there are images, labels"));
}

#[test]
fn an_end_within_the_comment_is_not_the_end() {
    let comment = [END, &[0; 18], b"and on"].concat();
    assert!(read(&zip_with_comment(&[packed("x.npy", STORED, &npy(3, b"abc"))], &comment)).is_ok());
}

#[test]
fn what_is_no_archive_is_named() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "byte 0: empty file; copy or download the file again"),
        (b"\x93NUMPY..", "byte 0: an NPY file, not an NPZ archive; read it with read_npy"),
        (b"\x1f\x8b\x08\0", "byte 0: gzipped, not an NPZ archive; gunzip it first"),
        (b"hello", "byte 0: begins with 68 65 6c 6c 6f, not as an NPZ archive does; is this the right file?"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(complaint(bytes), expected);
    }
    let whole = zip(&[packed("x.npy", STORED, &npy(3, b"abc"))]);
    assert_eq!(
        complaint(&whole[..100]),
        "byte 100: the directory at the end of the archive is missing; copy or download the file again"
    );
}

#[test]
fn a_directory_that_does_not_fit_is_reported() {
    let whole = zip(&[packed("x.npy", STORED, &npy(3, b"abc"))]);
    let end = whole.len() - 22;
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        complaint(&bytes)
    };
    let directory = end - 51;
    let again = "copy or download the file again";
    assert_eq!(
        with(end + 16, 1),
        format!(
            "byte {}: the directory is said to be 51 bytes from byte 1, but ends at {end}; {again}",
            end + 12
        )
    );
    assert_eq!(
        with(end + 10, 2),
        format!("byte {directory}: the directory has 1 entries, but is said to have 2; {again}")
    );
    assert_eq!(with(directory, 0), format!("byte {directory}: no entry of the directory here; {again}"));
    assert_eq!(
        with(directory + 28, 9),
        format!("byte {}: an entry of 55 bytes goes beyond the directory; {again}", directory + 28)
    );
    assert_eq!(
        with(end + 4, 1),
        format!("byte {}: a part of an archive in several files; save it again with np.savez", end + 4)
    );
    assert_eq!(
        with(0, b'p'),
        "byte 0: begins with 70 4b 03 04 14 00, not as an NPZ archive does; is this the right file?"
    );
    assert_eq!(with(30, b'y'), format!("byte 0: not the file that the directory names; {again}"));
    assert_eq!(
        with(directory + 44, 1),
        format!("byte {}: 68 bytes from byte 65536 do not lie before the directory; {again}", directory + 42)
    );
}

#[test]
fn two_files_of_one_name_are_reported() {
    let file = packed("x.npy", STORED, &npy(3, b"abc"));
    let bytes = zip(&[file.clone(), file]);
    let second = bytes.len() - 22 - 51;
    assert_eq!(
        complaint(&bytes),
        format!("byte {second}: a second file with the name `x.npy`; save it again with np.savez")
    );
}

#[test]
fn encryption_and_other_methods_are_refused() {
    let file = packed("x.npy", STORED, &npy(3, b"abc"));
    let bytes = zip(&[File { flags: 1, ..file.clone() }]);
    let entry = bytes.len() - 22 - 51;
    assert_eq!(complaint(&bytes), format!("byte {}: encrypted; save it again with np.savez", entry + 8));
    assert_eq!(
        complaint(&zip(&[File { method: 14, ..file }])),
        format!(
            "byte {}: compression method 14, only stored (0) and deflated (8) are read; \
             save it again with np.savez_compressed",
            entry + 10
        )
    );
}

#[test]
fn a_checksum_that_differs_is_reported() {
    for method in [STORED, DEFLATED] {
        let file = packed("x.npy", method, &npy(3, b"abc"));
        let right = file.crc;
        let bytes = zip(&[File { crc: 5, ..file }]);
        assert_eq!(
            complaint(&bytes),
            format!(
                "byte {}: `x` is damaged: its checksum is {right:08x}, not 00000005; copy or download the file again",
                bytes.len() - 22 - 51 + 16
            )
        );
    }
}

#[test]
fn a_bomb_stops_at_the_shape_of_the_array() {
    // A gigabyte would take seconds to unpack; one byte beyond the declared three must be enough.
    let bomb = packed("x.npy", DEFLATED, &npy(3, &vec![0; 1 << 26]));
    assert_eq!(
        complaint(&zip(&[bomb])),
        "/x.npy: byte 68: more data follows the 3 bytes that [3] declares; save one array in a file, or use np.savez"
    );
}

#[test]
fn sizes_that_deflate_cannot_reach_are_refused() {
    let file = packed("x.npy", DEFLATED, &npy(3_000_000_000, b"abc"));
    let length = file.packed.len();
    let bytes = zip(&[File { unpacked: 3_000_000_000, ..file }]);
    assert_eq!(
        complaint(&bytes),
        format!(
            "byte {}: {length} bytes in the archive cannot be 3000000000 bytes; copy or download the file again",
            bytes.len() - 22 - 51 + 20
        )
    );
    let stored = packed("x.npy", STORED, &npy(3, b"abc"));
    let bytes = zip(&[File { unpacked: 5, ..stored }]);
    assert!(
        complaint(&bytes)
            .ends_with(": 68 bytes in the archive cannot be 5 bytes; copy or download the file again")
    );
}

#[test]
fn an_array_larger_than_its_file_is_reported() {
    for method in [STORED, DEFLATED] {
        assert_eq!(
            complaint(&zip(&[packed("x.npy", method, &npy(9, b"abc"))])),
            "/x.npy: byte 65: [9] declares 9 bytes, but the file holds 3; copy or download the file again"
        );
    }
}

#[test]
fn deflated_data_of_another_length_is_reported() {
    let whole = packed("x.npy", DEFLATED, &npy(3, b"abc"));
    let mut cut = whole.clone();
    cut.packed.truncate(whole.packed.len() - 1);
    assert!(
        complaint(&zip(&[cut]))
            .ends_with(": the compressed data is cut off; copy or download the file again")
    );
    let mut long = whole.clone();
    long.packed.push(0);
    let (n, unpacked) = (whole.packed.len(), whole.unpacked);
    let bytes = zip(&[long]);
    let sizes = bytes.len() - 22 - 51 + 20;
    assert_eq!(
        complaint(&bytes),
        format!(
            "byte {sizes}: `x` unpacks from {n} to {unpacked} bytes, not from {} to {unpacked}; \
             copy or download the file again",
            n + 1
        )
    );
    let mut damaged = whole;
    damaged.packed[0] |= 6;
    assert_eq!(
        complaint(&zip(&[damaged])),
        "/x.npy: byte 0: the compressed data is damaged (corrupt deflate stream); copy or download the file again"
    );
}

#[test]
fn a_zip64_record_that_lies_is_reported() {
    let whole = std::fs::read(golden("zip64.npz")).unwrap();
    let (locator, record) = (whole.len() - 42, whole.len() - 98);
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        complaint(&bytes)
    };
    let again = "copy or download the file again";
    assert_eq!(
        with(locator + 15, 9),
        format!(
            "byte {}: the zip64 directory's end is said to be at {}, where it cannot be; {again}",
            locator + 8,
            (9u64 << 56) + record as u64
        )
    );
    assert_eq!(with(record, 0), format!("byte {record}: no end of a zip64 directory here; {again}"));
    // The kind of the first entry's extra field.
    let extra = whole.windows(4).position(|four| four == ENTRY).unwrap() + ENTRY_BYTES + "images.npy".len();
    assert_eq!(
        with(extra, 2),
        format!("byte {extra}: the entry lacks the zip64 sizes that it announces; {again}")
    );
}

#[test]
fn every_truncation_is_an_error() {
    for name in ["stored.npz", "digits.npz", "zip64.npz", "names.npz"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        for length in 0..bytes.len() {
            assert!(Npz::open(&Scratch::new(&bytes[..length]).0).is_err(), "{length} bytes of {name}");
        }
    }
}

#[test]
fn flipped_bits_never_panic_nor_change_an_array() {
    let mut noise = Noise(2);
    for name in ["stored.npz", "digits.npz", "zip64.npz"] {
        let whole = std::fs::read(golden(name)).unwrap();
        let arrays = ["images", "labels"].map(|array| Npz::open(golden(name)).unwrap().array(array).unwrap());
        for _ in 0..2000 {
            let mut bytes = whole.clone();
            for _ in 0..=noise.below(3) {
                let at = noise.below(whole.len());
                bytes[at] ^= 1 << noise.below(8);
            }
            let scratch = Scratch::new(&bytes);
            let Ok(npz) = Npz::open(&scratch.0) else { continue };
            for name in npz.names() {
                if let Ok(array) = npz.array(name) {
                    assert!(arrays.contains(&array), "{name}: {array:?}");
                }
            }
        }
    }
}
