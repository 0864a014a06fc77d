//! IDX, NPY and NPZ.

use super::{Corpus, load_data};
use crate::Folder;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};
use std::io::Write;
use std::path::Path;

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

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Twenty images of 2 x 2 pixels, and their labels.
fn images() -> Vec<u8> {
    idx(&[20, 2, 2], &(0..80).collect::<Vec<u8>>())
}

fn labels() -> Vec<u8> {
    idx(&[20], &[0, 1].repeat(10))
}

fn load_idx(path: &Path) -> Result<(), String> {
    load_data(path, "arrays = \"images\"\nlabels = \"labels\"")
}

#[test]
fn idx_files() {
    let mut corpus = Corpus::new();
    corpus.put("labels", labels());
    let (good, most) = (images(), u32::MAX);
    let mut wrong_sum = gzip(&good);
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    for (case, bytes) in [
        ("empty", vec![]),
        ("nothing, gzipped", gzip(b"")),
        ("a page of a web site", b"<!DOCTYPE html>".to_vec()),
        ("wrong magic number", [&[0, 1, 8, 3][..], &good[4..]].concat()),
        ("the magic number turned around", [&[3, 8, 0, 0][..], &good[4..]].concat()),
        ("elements of four bytes", [&[0, 0, 0x0d, 3][..], &good[4..]].concat()),
        ("no dimensions", vec![0, 0, 8, 0, 1]),
        ("255 dimensions", idx(&[1; 255], b"")),
        ("a product that overflows", idx(&[most, most, most], b"abc")),
        ("a product that is nothing beside sizes that overflow", idx(&[0, most, most], b"")),
        ("4 GiB declared", idx(&[most], b"abc")),
        ("4 GiB declared, gzipped", gzip(&idx(&[most], b"abc"))),
        ("one byte too few", good[..good.len() - 1].to_vec()),
        ("one byte too few, gzipped", gzip(&good[..good.len() - 1])),
        ("one byte too many", [&good[..], &[0]].concat()),
        ("one byte too many, gzipped", gzip(&[&good[..], &[0]].concat())),
        ("gzipped twice", gzip(&gzip(&good))),
        ("a wrong checksum", wrong_sum),
        ("64 MiB of zeros in 64 KiB", gzip(&idx(&[4], &vec![0; 1 << 26]))),
        ("more behind the gzipped file", [&gzip(&good)[..], b"more"].concat()),
        ("19 images for 20 labels", idx(&[19, 2, 2], &[0; 76])),
        ("no images", idx(&[0, 2, 2], b"")),
        ("a single number", idx(&[1], b"a")),
    ] {
        corpus.bytes(case, "images", bytes, load_idx);
    }
    let path = corpus.put("images", &good);
    for (case, file, bytes, more) in [
        ("labels: nothing", "labels", vec![], ""),
        ("labels: one more than images", "images", idx(&[21], &[0; 21]), ""),
        (
            "labels: as many numbers in two dimensions",
            "labels",
            idx(&[20, 3], &[2; 60]),
            "task = \"classes\"",
        ),
        (
            "labels: out of range",
            "labels",
            idx(&[20], &[0, 1, 0, 7].repeat(5)),
            "classes = [\"dark\", \"light\"]",
        ),
        ("labels: one class", "images", idx(&[20], &[1; 20]), ""),
        ("labels: a class with one sample", "split", idx(&[20], &[&[0; 19][..], &[1]].concat()), ""),
    ] {
        corpus.put("labels", bytes);
        let data = format!("arrays = \"images\"\nlabels = \"labels\"\n{more}");
        corpus.refuse(case, file, || load_data(&path, &data));
    }
    corpus.put("labels", labels());
    for (case, file, data) in [
        ("no labels declared", "images", "arrays = \"images\""),
        ("more memory than allowed", "images", "arrays = \"images\"\nlabels = \"labels\"\nmemory = \"1 KB\""),
        ("labels that are not there", "none", "arrays = \"images\"\nlabels = \"none\""),
        ("images that are not there", "none", "arrays = \"none\"\nlabels = \"labels\""),
        ("a name too many", "data.classes", "arrays = \"images\"\nlabels = \"labels\"\nclasses = [\"a\"]"),
    ] {
        corpus.refuse(case, file, || load_data(&path, data));
    }
    corpus.damage(("images", "images"), &good, (2, 0..16), load_idx);
    let packed = gzip(&good);
    corpus.damage(("gzipped images", "images"), &packed, (4, 0..packed.len()), load_idx);
    corpus.finish("idx", 100);
}

/// An NPY file with this header.
fn npy_of(header: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy_of(&format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"), data)
}

fn x() -> Vec<u8> {
    npy("<f4", "(20, 2)", &(0..40).flat_map(|i| (i as f32).to_le_bytes()).collect::<Vec<u8>>())
}

fn y() -> Vec<u8> {
    npy("|u1", "(20,)", &[0, 1].repeat(10))
}

fn load_npy(path: &Path) -> Result<(), String> {
    load_data(path, "arrays = \"x.npy\"\nlabels = \"y.npy\"")
}

#[test]
fn npy_files() {
    let mut corpus = Corpus::new();
    corpus.put("y.npy", y());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/npy");
    for name in
        ["object", "structured", "text", "bytes", "time", "void", "complex", "large_u8", "scalar", "empty"]
    {
        let bytes = std::fs::read(golden.join(format!("{name}.npy"))).unwrap();
        corpus.bytes(&format!("of NumPy: {name}"), "x.npy", bytes, load_npy);
    }
    let ones = [1; 160];
    for (case, bytes) in [
        ("the magic number only", b"\x93NUMPY".to_vec()),
        ("half of the version", b"\x93NUMPY\x01".to_vec()),
        ("version 4", b"\x93NUMPY\x04\0\x10\0\0\0".to_vec()),
        ("half of the header's length", b"\x93NUMPY\x01\0\x76".to_vec()),
        ("a header of 4 GiB", b"\x93NUMPY\x02\0\xff\xff\xff\xff{".to_vec()),
        ("no header", npy_of("", &ones)),
        ("a list for a header", npy_of("[1, 2]", &ones)),
        ("a header without a shape", npy_of("{'descr': '<f4', 'fortran_order': False}", &ones)),
        ("a header with an unknown key", npy_of("{'descr': '<f4', 'fortran': False, 'shape': (40,)}", &ones)),
        ("a header with a key twice", npy_of("{'descr': '<f4', 'descr': '<f4', 'shape': (40,)}", &ones)),
        (
            "a header that is not closed",
            npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (40,)", &ones),
        ),
        ("a shape of text", npy("<f4", "'20'", &ones)),
        ("a negative shape", npy("<f4", "(-20, 2)", &ones)),
        ("a shape with a fraction", npy("<f4", "(20.5, 2)", &ones)),
        ("65 dimensions", npy("<f4", &format!("({})", "1, ".repeat(65)), &ones)),
        ("a shape that overflows", npy("<f4", "(4611686018427387904, 4)", &ones)),
        (
            "a shape that is nothing beside sizes that overflow",
            npy("<f4", "(0, 9223372036854775807, 9)", &[]),
        ),
        ("a size of more than 64 bits", npy("<f4", "(99999999999999999999,)", &ones)),
        ("a terabyte declared", npy("<f4", "(250000000000,)", &ones)),
        ("floats of 16 bytes", npy("<f16", "(10,)", &ones)),
        ("big-endian bytes of an unknown kind", npy(">x4", "(40,)", &ones)),
        ("no byte order", npy("|f4", "(40,)", &ones)),
        ("no element type", npy("", "(40,)", &ones)),
        ("one byte too few", npy("|u1", "(161,)", &ones)),
        ("one byte too many", npy("|u1", "(159,)", &ones)),
        ("a pickle", b"\x80\x04\x95".to_vec()),
        ("HDF5", b"\x89HDF\r\n\x1a\n".to_vec()),
        ("19 inputs", npy("|u1", "(19, 2)", &ones[..38])),
        ("no inputs", npy("|u1", "(0, 2)", &[])),
    ] {
        corpus.bytes(case, "x.npy", bytes, load_npy);
    }
    corpus.damage(("x", "x.npy"), &x(), (3, 0..75), load_npy);
    corpus.finish("npy", 120);
}

/// A file in an archive, and what its entry says about it.
#[derive(Clone)]
struct Member {
    name: &'static str,
    method: u16,
    flags: u16,
    packed: Vec<u8>,
    unpacked: u32,
    crc: u32,
}

fn member(name: &'static str, method: u16, bytes: &[u8]) -> Member {
    let mut crc = Crc::new();
    crc.update(bytes);
    let packed = if method == 8 { deflated(bytes) } else { bytes.to_vec() };
    Member { name, method, flags: 0, packed, unpacked: bytes.len() as u32, crc: crc.sum() }
}

fn zip(members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for file in members {
        let begin = bytes.len() as u32;
        let mut facts: Vec<u8> = [20, file.flags, file.method, 0, 0].map(u16::to_le_bytes).concat();
        let words = [file.crc, file.packed.len() as u32, file.unpacked, file.name.len() as u32];
        facts.extend(words.map(u32::to_le_bytes).concat());
        bytes.extend([&b"PK\x03\x04"[..], &facts[..], file.name.as_bytes(), &file.packed].concat());
        let place = [&[0; 10][..], &begin.to_le_bytes()].concat();
        directory.extend([&b"PK\x01\x02"[..], &[20, 0], &facts[..], &place, file.name.as_bytes()].concat());
    }
    let (begin, size) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend([&directory[..], b"PK\x05\x06", &[0; 4]].concat());
    bytes.extend([members.len() as u16; 2].map(u16::to_le_bytes).concat());
    bytes.extend([size, begin].map(u32::to_le_bytes).concat());
    [&bytes[..], &[0, 0]].concat()
}

fn load_npz(path: &Path) -> Result<(), String> {
    load_data(path, "arrays = \"data.npz\"")
}

#[test]
fn npz_files() {
    let mut corpus = Corpus::new();
    let [x8, y8] = [member("x.npy", 8, &x()), member("y.npy", 8, &y())];
    let good = zip(&[x8.clone(), member("y.npy", 0, &y())]);
    let changed = |change: fn(&mut Member)| {
        let mut x = x8.clone();
        change(&mut x);
        zip(&[x, y8.clone()])
    };
    let end = good.len() - 22;
    let ended = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[end + at] = byte;
        bytes
    };
    let object =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/npy/object.npy"));
    for (case, bytes) in [
        ("an empty archive", zip(&[])),
        ("no arrays", zip(&[member("notes.txt", 0, b"x")])),
        ("other names", zip(&[member("inputs.npy", 8, &x()), y8.clone()])),
        ("no targets", zip(std::slice::from_ref(&x8))),
        ("two files of one name", zip(&[x8.clone(), x8.clone(), y8.clone()])),
        ("19 targets", zip(&[x8.clone(), member("y.npy", 8, &npy("|u1", "(19,)", &[0; 19]))])),
        (
            "targets of three dimensions",
            zip(&[x8.clone(), member("y.npy", 8, &npy("|u1", "(20, 1, 2)", &[3; 40]))]),
        ),
        ("an array of Python objects", zip(&[member("x.npy", 8, &object.unwrap()), y8.clone()])),
        ("a member that is no array", zip(&[member("x.npy", 8, b"x, y"), y8.clone()])),
        ("a member that is empty", zip(&[member("x.npy", 0, b""), y8.clone()])),
        ("encrypted", changed(|x| x.flags = 1)),
        ("compressed by LZMA", changed(|x| x.method = 14)),
        ("a wrong checksum", changed(|x| x.crc ^= 1)),
        ("deflated bytes that are none", changed(|x| x.packed.fill(0x55))),
        ("more bytes than are unpacked", changed(|x| x.unpacked += 1)),
        ("fewer bytes than are unpacked", changed(|x| x.unpacked -= 1)),
        ("4 GiB out of two hundred bytes", changed(|x| x.unpacked = u32::MAX - 1)),
        (
            "64 MiB of zeros behind an array",
            changed(|x| x.packed = deflated(&[&super::arrays::x()[..], &vec![0; 1 << 26]].concat())),
        ),
        (
            "an array of 64 MiB that is not there",
            changed(|x| {
                let head = npy("|u1", "(67108864,)", &[1; 100]);
                (x.packed, x.unpacked) = (deflated(&head), 1 << 26);
            }),
        ),
        (
            "a shape that overflows",
            zip(&[member("x.npy", 8, &npy("<f8", "(4611686018427387904, 4)", b"")), y8.clone()]),
        ),
        ("the second of two disks", ended(4, 1)),
        ("one entry more", ended(10, 3)),
        ("a directory that begins later", ended(16, 0xff)),
        ("a directory that is longer", ended(12, 0xff)),
        ("a comment that is not there", ended(20, 9)),
        ("the end only, cut", b"PK\x05\x06\0\0".to_vec()),
        ("the beginning only", b"PK\x03\x04".to_vec()),
    ] {
        corpus.bytes(case, "data.npz", bytes, load_npz);
    }
    corpus.bytes("a name that is not there", "data.npz", &good, |path| {
        load_data(path, "arrays = \"data.npz\"\nx = \"xx\"")
    });
    corpus.bytes("more memory than allowed", "data.npz", &good, |path| {
        load_data(path, "arrays = \"data.npz\"\nmemory = \"100 B\"")
    });
    corpus.damage(("x and y", "data.npz"), &good, (10, end - 60..good.len()), load_npz);
    corpus.finish("npz", 90);
}

#[test]
fn the_program_refuses_arrays_in_one_line_and_leaves_nothing_behind() {
    let folder = Folder::new();
    folder.put("labels", labels());
    for bytes in [&images()[..9], b"<html>", &gzip(&images())[..40], &[0, 0, 8, 3]] {
        folder.put("images", bytes);
        folder.fails_to_train("arrays = \"images\"\nlabels = \"labels\"", "images");
    }
    let npz = zip(&[member("x.npy", 8, &x()), member("y.npy", 8, &y())]);
    for bytes in [&npz[..100], &npz[..npz.len() - 1], b"PK\x03\x04"] {
        folder.put("data.npz", bytes);
        folder.fails_to_train("arrays = \"data.npz\"", "data.npz");
        folder.fails(&["init", "data.npz", "--output", "new.toml"], "data.npz");
        assert!(!folder.0.join("new.toml").exists());
    }
    folder.put("y.npy", y());
    for bytes in [&x()[..20], &npy("|O", "(20,)", b"")] {
        folder.put("x.npy", bytes);
        folder.fails_to_train("arrays = \"x.npy\"\nlabels = \"y.npy\"", "x.npy");
    }
}
