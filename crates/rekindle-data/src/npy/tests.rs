//! Arrays that NumPy saved (`tests/golden/npy`), and malformed files, each with the exact line that reports it.

use std::path::PathBuf;

use rekindle_tensor::DType;

use super::*;

const NAME: &str = "x.npy";

pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/npy").join(name)
}

/// Bits of no pattern, the same ones each time.
pub(crate) struct Noise(pub u64);

impl Noise {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

fn load(name: &str) -> NpyArray {
    read_npy(golden(&format!("{name}.npy"))).unwrap()
}

/// The error line, without the name in front.
fn complaint(bytes: &[u8]) -> String {
    let line = NpyArray::read(bytes, NAME).unwrap_err().to_string();
    line.strip_prefix("x.npy: ").expect("the line begins with the name").to_string()
}

/// A file of version 1 with a header as it stands.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    file(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}  \n"), data)
}

#[test]
fn integers_of_all_sizes_and_byte_orders_become_the_same_i64() {
    let cases = [
        ("i1", i64::from(i8::MIN), i64::from(i8::MAX)),
        ("i2", i64::from(i16::MIN), i64::from(i16::MAX)),
        ("i4", i64::from(i32::MIN), i64::from(i32::MAX)),
        ("i8", i64::MIN, i64::MAX),
        ("u1", 0, i64::from(u8::MAX)),
        ("u2", 0, i64::from(u16::MAX)),
        ("u4", 0, i64::from(u32::MAX)),
        ("u8", 0, i64::MAX),
    ];
    for (code, low, high) in cases {
        for (ends, order) in [("le", "<"), ("be", ">")] {
            let one_byte = code.ends_with('1');
            if one_byte && ends == "be" {
                continue;
            }
            let array = load(&format!("{ends}_{code}"));
            assert_eq!(array.dtype(), format!("{}{code}", if one_byte { "|" } else { order }));
            let tensor = array.to_tensor();
            assert_eq!((tensor.dtype(), tensor.shape()), (DType::I64, &[2, 3][..]));
            assert_eq!(tensor.to_vec::<i64>(), [low, 0, 1, 2, 100, high], "{ends}_{code}");
        }
    }
}

#[test]
fn floats_keep_every_bit() {
    let (tiny, third) = (2f32.powi(-14), 0.333_251_95);
    let half = [0.0, -0.0, 2f32.powi(-24), tiny, third, -65504.0, f32::INFINITY];
    let single = [0.0, -0.0, f32::from_bits(1), f32::MIN_POSITIVE, 1.0 / 3.0, f32::MIN, f32::INFINITY];
    let double = [0.0, -0.0, f64::from_bits(1), f64::MIN_POSITIVE, 1.0 / 3.0, f64::MIN, f64::INFINITY];
    for ends in ["le", "be"] {
        for (code, expected) in [("f2", half), ("f4", single)] {
            let found = load(&format!("{ends}_{code}")).to_tensor().to_vec::<f32>();
            assert_eq!(
                found[..7].iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                expected.map(f32::to_bits)
            );
            assert!(found[7].is_nan());
        }
        let found = load(&format!("{ends}_f8")).to_tensor().to_vec::<f64>();
        assert_eq!(found[..7].iter().map(|x| x.to_bits()).collect::<Vec<_>>(), double.map(f64::to_bits));
        assert!(found[7].is_nan());
    }
}

#[test]
fn every_half_is_what_its_bits_define() {
    for half in 0..=u16::MAX {
        let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        let found = f32_of_half(half);
        assert_eq!(found.is_sign_negative(), half >> 15 == 1);
        assert!(f64::from(found.abs()) == magnitude || (found.is_nan() && magnitude.is_nan()), "{half:04x}");
    }
}

#[test]
fn truth_values_become_ones_and_zeros() {
    assert_eq!(load("bool").to_tensor().to_vec::<i64>(), [1, 0, 1]);
}

#[test]
fn only_unsigned_bytes_can_be_pixels() {
    assert_eq!(load("le_u1").as_u8(), Some(&[0, 0, 1, 2, 100, 255][..]));
    assert_eq!((load("le_i1").as_u8(), load("bool").as_u8(), load("le_u2").as_u8()), (None, None, None));
}

#[test]
fn the_order_of_fortran_is_turned_around() {
    let expected: Vec<i64> =
        (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| 100 * i + 10 * j + k))).collect();
    let array = load("fortran");
    assert_eq!((&array.shape[..], array.to_tensor().to_vec::<i64>()), (&[2, 3, 4][..], expected.clone()));
    let floats: Vec<f32> = expected.iter().map(|&x| x as f32).collect();
    assert_eq!(load("fortran_big").to_tensor().to_vec::<f32>(), floats);
    for version in 1..=3 {
        assert_eq!(load(&format!("version_{version}")).to_tensor().to_vec::<i64>(), expected);
    }
}

#[test]
fn an_array_may_be_a_number_or_empty() {
    let scalar = load("scalar").to_tensor();
    assert_eq!((scalar.shape(), scalar.item::<f64>()), (&[][..], 0.5));
    assert_eq!(load("empty").to_tensor().shape(), [0, 28, 28]);
    let fortran = file("{'descr': '|u1', 'fortran_order': True, 'shape': (3, 0)}", b"");
    assert_eq!(NpyArray::read(&fortran[..], NAME).unwrap().to_tensor().shape(), [3, 0]);
}

#[test]
fn keys_have_any_order_and_python_2_wrote_an_l() {
    let bytes = file("{\"shape\":(2L,),'fortran_order':False,'descr':'|u1'}", b"ab");
    assert_eq!(NpyArray::read(&bytes[..], NAME).unwrap().as_u8(), Some(&b"ab"[..]));
}

#[test]
fn a_reader_a_file_and_its_bytes_give_the_same() {
    let bytes = std::fs::read(golden("fortran.npy")).unwrap();
    assert_eq!(NpyArray::read(&bytes[..], NAME).unwrap(), load("fortran"));
    assert_eq!(NpyArray::read(io::Cursor::new(bytes), NAME).unwrap(), load("fortran"));
}

#[test]
fn debug_does_not_print_the_elements() {
    assert_eq!(format!("{:?}", load("le_f4")), r#"NpyArray { shape: [8], dtype: "<f4", .. }"#);
}

#[test]
fn other_types_are_refused_with_the_cure() {
    let cases = [
        (
            "object",
            "elements of type `|O` (Python objects, whose pickle could run any code) are not read; save it with array.astype(np.float32)",
        ),
        (
            "text",
            "elements of type `<U3` (text) are not read; save numbers instead of it: array.astype(np.float32), or np.unique's inverse",
        ),
        (
            "bytes",
            "elements of type `|S3` (text) are not read; save numbers instead of it: array.astype(np.float32), or np.unique's inverse",
        ),
        (
            "complex",
            "elements of type `<c16` (complex numbers) are not read; save array.real and array.imag, each with astype(np.float32)",
        ),
        ("time", "elements of type `<M8[D]` (times) are not read; save it with array.astype(np.int64)"),
        (
            "structured",
            "structured elements are not read; save each field with array[field].astype(np.float32)",
        ),
        (
            "void",
            "elements of type `|V2` (raw or structured records) are not read; save each field with array[field].astype(np.float32)",
        ),
    ];
    for (name, expected) in cases {
        let bytes = std::fs::read(golden(&format!("{name}.npy"))).unwrap();
        assert_eq!(complaint(&bytes), format!("byte 20: {expected}"), "{name}");
    }
    assert_eq!(
        complaint(&npy("'<f16'", "(1,)", &[0; 16])),
        "byte 20: elements of type `<f16` (floats that not every computer has) are not read; save it with array.astype(np.float64)"
    );
    assert_eq!(
        complaint(&npy("'<u3'", "(1,)", &[0; 3])),
        "byte 20: elements of type `<u3` (an unknown type) are not read; save it with array.astype(np.float32)"
    );
    assert_eq!(
        complaint(&npy("'|f4'", "(1,)", &[0; 4])),
        "byte 20: `|f4` does not say its byte order; save it again with np.save"
    );
    assert_eq!(
        complaint(&npy("'float32, of which there are many'", "(1,)", &[0; 4])),
        "byte 20: `float32, of which there ` is no element type; save it again with np.save"
    );
}

#[test]
fn an_integer_too_large_for_a_tensor_is_reported() {
    assert_eq!(
        read_npy(golden("large_u8.npy")).unwrap_err().to_string(),
        format!(
            "{}: byte 144: 9223372036854775808 is above 9223372036854775807, the largest integer of a tensor; \
             save it with array.astype(np.float64)",
            golden("large_u8.npy").display()
        )
    );
}

#[test]
fn other_formats_are_named() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "empty file; copy or download the file again"),
        (b"PK\x03\x04..", "a zip archive, not an NPY file; if it is NPZ, open it with Npz::open"),
        (b"\x1f\x8b\x08\0", "gzipped, not an NPY file; gunzip it first"),
        (
            b"\x80\x04\x95..",
            "a Python pickle, not an NPY file; load it in Python, if you trust it, and save it with np.save",
        ),
        (b"\x89HDF\r\n", "an HDF5 file, not an NPY file; read it in Python and save it with np.save"),
        (b"<!DOCTYPE html>", "a page or XML, not an NPY file; download the file itself"),
        (b"1,2,3\n", "begins with 31 2c 32 2c 33 0a, not as an NPY file does; is this the right file?"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(complaint(bytes), format!("byte 0: {expected}"));
    }
}

#[test]
fn another_version_and_a_huge_header_are_reported() {
    let mut bytes = npy("'|u1'", "(1,)", b"a");
    bytes[6..8].copy_from_slice(&[4, 1]);
    assert_eq!(
        complaint(&bytes),
        "byte 6: version 4.1 of the format, only 1.0, 2.0 and 3.0 are known; save it again with np.save"
    );
    assert_eq!(
        complaint(&[MAGIC, &[2, 0, 255, 255, 255, 255]].concat()),
        "byte 8: a header of 4294967295 bytes, more than the 65536 that are read; save it again with np.save"
    );
}

#[test]
fn a_file_cut_off_says_within_what() {
    let bytes = npy("'<i2'", "(2,)", b"abcd");
    let cases = [
        (3, "byte 3: the file ends within the version; copy or download the file again"),
        (7, "byte 7: the file ends within the version; copy or download the file again"),
        (9, "byte 9: the file ends within the length of the header; copy or download the file again"),
        (30, "byte 30: the file ends within the header; copy or download the file again"),
        (
            bytes.len() - 1,
            "byte 73: the data ends after 3 of the 4 bytes that [2] declares; copy or download the file again",
        ),
    ];
    for (length, expected) in cases {
        assert_eq!(complaint(&bytes[..length]), expected);
    }
}

#[test]
fn trailing_bytes_are_reported() {
    assert_eq!(
        complaint(&npy("'<i2'", "(2,)", b"abcde")),
        "byte 74: more data follows the 4 bytes that [2] declares; save one array in a file, or use np.savez"
    );
}

#[test]
fn shapes_beyond_memory_or_the_file_are_reported() {
    for shape in ["(4294967296, 4294967296)", "(0, 4294967296, 4294967296)", "(2305843009213693952,)"] {
        let line = complaint(&npy("'<f4'", shape, b""));
        assert!(
            line.ends_with(" declares more bytes than fit into memory; is this the right file?"),
            "{line}"
        );
    }
    let scratch = Scratch::new(&npy("'<f8'", "(1000000, 1000000)", b"abc"));
    assert_eq!(
        scratch.without_path(&read_npy(&scratch.0).unwrap_err()),
        "byte 84: [1000000, 1000000] declares 8000000000000 bytes, but the file holds 3; copy or download the file again"
    );
    // Of a reader nobody knows the length: it is read to its end, without taking terabytes before.
    assert_eq!(
        complaint(&npy("'<f8'", "(1000000, 1000000)", b"abc")),
        "byte 87: the data ends after 3 of the 8000000000000 bytes that [1000000, 1000000] declares; \
         copy or download the file again"
    );
}

#[test]
fn a_malformed_header_says_what_is_expected() {
    let cases = [
        ("[1, 2]", "byte 10: the header has `[` where `{` is expected"),
        ("", "byte 10: the header has the end where `{` is expected"),
        ("{}", "byte 12: the header has no `descr`"),
        ("{'descr': '|u1', 'shape': ()}", "byte 39: the header has no `fortran_order`"),
        ("{'descr': '|u1', 'fortran_order': True}", "byte 49: the header has no `shape`"),
        ("{'descr': '|u1', 'descr': '|u1'}", "byte 27: the header has `descr` twice"),
        ("{'cats': 3}", "byte 11: the header has an unknown key `cats`"),
        ("{shape: ()}", "byte 11: the header has `s` where a key in quotes is expected"),
        ("{'shape", "byte 11: the quote before a key is never closed"),
        ("{'shape' ()}", "byte 19: the header has `(` where `:` is expected"),
        ("{'shape': (), , }", "byte 24: the header has `,` where a key in quotes is expected"),
        ("{'shape': () 'descr'}", "byte 23: the header has `'` where `}` is expected"),
        ("{'descr': 4}", "byte 20: the header has `4` where an element type in quotes is expected"),
        ("{'fortran_order': 1}", "byte 28: the header has `1` where True or False is expected"),
        ("{'shape': 3}", "byte 20: the header has `3` where `(` is expected"),
        ("{'shape': (3)}", "byte 22: the header has `)` where `,` is expected"),
        ("{'shape': (,)}", "byte 21: the header has `,` where a size is expected"),
        ("{'shape': (-1,)}", "byte 21: the header has `-` where a size is expected"),
        ("{'shape': (007,)}", "byte 21: the header has `0` where a size is expected"),
        ("{'shape': (1.5,)}", "byte 22: the header has `.` where `,` is expected"),
        ("{'shape': (2, 3", "byte 25: the header has the end where `)` is expected"),
        ("{'shape': (99999999999999999999,)}", "byte 21: a size of 20 digits is too large"),
        (
            "{'descr': '|u1', 'fortran_order': True, 'shape': ()} import",
            "byte 63: `i` follows the header's `}`",
        ),
    ];
    for (header, expected) in cases {
        assert_eq!(
            complaint(&file(header, b"")),
            format!("{expected}; save it again with np.save"),
            "{header}"
        );
    }
    let many = format!("{{'shape': ({})}}", "1,".repeat(65));
    assert_eq!(
        complaint(&file(&many, b"")),
        "byte 149: the shape has more than 64 dimensions; save it again with np.save"
    );
}

#[test]
fn every_truncation_is_an_error() {
    for name in ["fortran", "be_f8", "version_3", "large_u8", "structured"] {
        let bytes = std::fs::read(golden(&format!("{name}.npy"))).unwrap();
        for length in 0..bytes.len() {
            assert!(NpyArray::read(&bytes[..length], NAME).is_err(), "{length} bytes of {name}");
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    let mut noise = Noise(1);
    for name in ["fortran", "le_f2", "be_i4", "version_2", "bool"] {
        let whole = std::fs::read(golden(&format!("{name}.npy"))).unwrap();
        for _ in 0..2000 {
            let mut bytes = whole.clone();
            for _ in 0..=noise.below(3) {
                // Most flips where they mean most: in the header.
                bytes[noise.below(80)] ^= 1 << noise.below(8);
                let anywhere = noise.below(whole.len());
                bytes[anywhere] ^= 1 << noise.below(8);
            }
            if let Ok(array) = NpyArray::read(&bytes[..], NAME) {
                assert_eq!(array.to_tensor().shape(), array.shape);
            }
        }
    }
}

/// A file that is removed when dropped.
pub(crate) struct Scratch(pub PathBuf);

impl Scratch {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("rekindle-npy-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    /// The line of an error, without the path in front.
    pub(crate) fn without_path(&self, error: &Error) -> String {
        let line = error.to_string();
        let rest = line.strip_prefix(&self.0.display().to_string()).expect("the line begins with the path");
        rest.strip_prefix(": ").unwrap_or(rest).to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
