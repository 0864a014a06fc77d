//! Safetensors files: what is written, and what is refused.

use rekindle_nn::{Buffer, Linear, Parameters, StateDict};
use rekindle_tensor::{DType, Tensor, no_grad, tensor};
use std::path::PathBuf;

/// A file name of its own in the temporary folder, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("rekindle-nn-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
    }
}

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn refusal(bytes: &[u8]) -> String {
    StateDict::from_bytes(bytes).unwrap_err()
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let mut dict = StateDict::new();
    dict.insert("0.weight", tensor([[1.0, -2.0]]));
    dict.insert("count", tensor(3));
    let header = concat!(
        r#"{"__metadata__":{"format":"pt"},"count":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"#,
        r#""0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}} "#
    );
    let data = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0];
    assert_eq!(dict.to_bytes(), file(header, &data));
}

#[test]
fn every_element_type_comes_back() {
    let mut dict = StateDict::new();
    dict.insert("f \"32\"", tensor([[0.1, -0.0], [f64::from(f32::MAX), 1e-45]]));
    dict.insert("f64", Tensor::from_vec(vec![0.1f64, 1e300], 2));
    dict.insert("i64", Tensor::from_vec(vec![i64::MIN, i64::MAX], [1, 2]));
    dict.insert("bool", Tensor::from_vec(vec![true, false, true], 3));
    dict.insert("empty", Tensor::zeros([0, 3]));
    let back = StateDict::from_bytes(&dict.to_bytes()).unwrap();
    assert_eq!(back.len(), dict.len());
    for (name, tensor) in dict.iter() {
        assert!(back.get(name).unwrap().bitwise_eq(tensor), "{name}");
    }
}

#[test]
fn bfloat16_is_widened() {
    let bytes = file(r#"{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#, &[0x80, 0x3f, 0x20, 0xc0]);
    let x = StateDict::from_bytes(&bytes).unwrap().get("x").unwrap().clone();
    assert_eq!((x.dtype(), x.to_vec::<f32>()), (DType::F32, vec![1.0, -2.5]));
}

#[test]
fn damaged_files_are_refused_with_the_reason() {
    let f32s = |n: usize| vec![0u8; 4 * n];
    let one = |entry: &str, n| refusal(&file(&format!(r#"{{"w":{entry}}}"#), &f32s(n)));
    assert_eq!(
        refusal(&[1, 2]),
        "byte 2: not a safetensors file, which has more than 8 bytes; is this the right file?"
    );
    let long = [&(11u64 << 20).to_le_bytes()[..], b"{}"].concat();
    assert_eq!(
        refusal(&long),
        "byte 0: not a safetensors file: its header would take 11534336 bytes, at most 10485760 are read; is this the right file?"
    );
    assert_eq!(
        refusal(&9u64.to_le_bytes()),
        "byte 8: damaged: the file ends inside its header of 9 bytes; copy or download the file again"
    );
    assert_eq!(
        refusal(&file("[]", &[])),
        "byte 8: damaged header: not a JSON object; copy or download the file again"
    );
    assert!(refusal(&file("{", &[])).starts_with("byte 8: damaged header: EOF"));
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[1]}"#, 1),
        "byte 8: damaged header: data_offsets of w is missing or wrong; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}"#, 1),
        "byte 8: damaged header: shape of w is missing or wrong; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,0]}"#, 1),
        "byte 8: damaged header: data_offsets of w is missing or wrong; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#, 2),
        "byte 66: damaged: w leaves a gap before it; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#, 2),
        "byte 66: damaged: 8 bytes of data, the header describes 4; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,4]}"#, 1),
        "damaged header: w is [2] of F32, which 4 bytes do not hold; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}"#, 1),
        "damaged header: w is [4611686018427387904, 4] of F32, which 4 bytes do not hold; copy or download the file again"
    );
    assert_eq!(
        one(r#"{"dtype":"I8","shape":[4],"data_offsets":[0,4]}"#, 1),
        "w has elements of type I8; save it as float32 (x.float())"
    );
    let two = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert_eq!(
        refusal(&file(two, &f32s(1))),
        "byte 115: damaged: b overlaps another tensor; copy or download the file again"
    );
}

#[test]
fn values_that_are_not_numbers_are_refused() {
    let dict: StateDict = [("0.weight", Tensor::from_vec(vec![0.0, f32::NAN], 2))].into_iter().collect();
    assert_eq!(
        refusal(&dict.to_bytes()),
        "0.weight has values that are not numbers (NaN); take weights from before they were"
    );
}

#[derive(Parameters)]
struct Masked {
    mask: Buffer,
    linear: Linear,
}

#[test]
fn a_mask_may_hold_infinities_but_a_weight_may_not() {
    let path = Scratch::new("masked.safetensors");
    let make = || Masked { mask: Buffer(tensor([0.0, f64::NEG_INFINITY])), linear: Linear::new(1, 1) };
    let (a, b) = (make(), make());
    a.save(&path.0).unwrap();
    b.load(&path.0).unwrap();
    assert!(a.linear.weight.bitwise_eq(&b.linear.weight) && a.mask.bitwise_eq(&b.mask));
    let before = b.state_dict();
    no_grad(|| _ = a.linear.weight.fill_(f64::INFINITY));
    a.save(&path.0).unwrap();
    assert_eq!(b.load(&path.0).unwrap_err().reason, "linear.weight has values that are not finite");
    assert!(before.iter().all(|(name, t)| b.state_dict().get(name).unwrap().bitwise_eq(t)));
}

#[test]
fn headers_of_every_length_are_read() {
    // 640 is 0x0280, whose bytes also begin a pickle.
    let path = Scratch::new("length.safetensors");
    for length in [632, 640, 648] {
        let mut header = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.to_string();
        header.extend(std::iter::repeat_n(' ', length - header.len()));
        std::fs::write(&path.0, file(&header, &1f32.to_le_bytes())).unwrap();
        let dict = StateDict::load(&path.0).unwrap();
        assert_eq!(dict.get("w").unwrap().item::<f32>(), 1.0, "{length}");
    }
}

#[test]
fn no_flipped_bit_panics_or_changes_the_number_of_bytes() {
    let bytes = Linear::new(3, 2).state_dict().to_bytes();
    let size = |dict: &StateDict| dict.iter().map(|(_, t)| t.numel() * t.dtype().size()).sum::<usize>();
    let whole = size(&StateDict::from_bytes(&bytes).unwrap());
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(dict) = StateDict::from_bytes(&bytes) {
            assert_eq!(size(&dict), whole, "bit {bit}");
        }
    }
}

#[test]
fn a_size_of_zero_hides_no_impossible_sizes() {
    let entry =
        r#"{"w":{"dtype":"F32","shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]}}"#;
    assert_eq!(
        refusal(&file(entry, &[])),
        "damaged header: w is [0, 4611686018427387904, 4611686018427387904] of F32, which 0 bytes do not hold; copy or download the file again"
    );
}

#[test]
fn many_tensors_take_no_more_time_each_than_few() {
    // With a search for every name this took over twenty seconds.
    let dict: StateDict = (0..100_000).map(|i| (format!("p{i}"), Tensor::zeros([0]))).collect();
    let start = std::time::Instant::now();
    let back = StateDict::from_bytes(&dict.to_bytes()).unwrap();
    assert_eq!((back.len(), back.get("p99999").unwrap().numel()), (dict.len(), 0));
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
#[cfg(unix)]
fn a_file_is_held_against_its_header_before_it_is_read() {
    assert_eq!(StateDict::load("/dev/zero").unwrap_err().reason, "not a regular file");
    assert_eq!(StateDict::load("/").unwrap_err().reason, "not a regular file");
    // A file of a terabyte without contents: reading it would not end.
    let path = Scratch::new("sparse.safetensors");
    let bytes = Linear::new(3, 2).state_dict().to_bytes();
    std::fs::write(&path.0, &bytes).unwrap();
    std::fs::File::options().write(true).open(&path.0).unwrap().set_len(1 << 40).unwrap();
    let reason = StateDict::load(&path.0).unwrap_err().reason;
    let says = " bytes of data, the header describes 32; copy or download the file again";
    assert!(reason.ends_with(says), "{reason}");
}

#[test]
fn threads_that_save_to_one_path_leave_one_of_their_files() {
    let path = Scratch::new("contended.safetensors");
    std::thread::scope(|scope| {
        for value in 0..4 {
            let path = &path.0;
            let dict: StateDict = [("w", Tensor::full([20_000], f64::from(value)))].into_iter().collect();
            scope.spawn(move || (0..10).for_each(|_| dict.save(path).unwrap()));
        }
    });
    let w = StateDict::load(&path.0).unwrap().get("w").unwrap().to_vec::<f32>();
    assert!(w.iter().all(|v| *v == w[0]));
}

#[test]
fn no_cut_of_a_file_is_mistaken_for_a_whole() {
    let bytes = Linear::new(3, 2).state_dict().to_bytes();
    assert!((0..bytes.len()).all(|n| StateDict::from_bytes(&bytes[..n]).is_err()));
    assert!(StateDict::from_bytes(&bytes).is_ok());
}

#[test]
fn a_network_comes_back_from_its_file() {
    let path = Scratch::new("net.safetensors");
    let (a, b) = (Linear::new(3, 2), Linear::new(3, 2));
    a.save(&path.0).unwrap();
    b.save(&path.0).unwrap();
    a.load(&path.0).unwrap();
    assert!(a.weight.bitwise_eq(&b.weight));
    let folder = std::fs::read_dir(path.0.parent().unwrap()).unwrap();
    let stem = path.0.file_name().unwrap().to_string_lossy().into_owned();
    let leftovers = folder.filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().starts_with(&stem));
    assert_eq!(leftovers.count(), 1, "no temporary file stays");
}

#[test]
fn errors_name_the_file() {
    let path = Scratch::new("other.safetensors");
    let error = Linear::new(1, 1).load(&path.0).unwrap_err();
    assert_eq!(error.path, path.0);
    assert!(error.reason.starts_with("cannot read: "), "{error}");
    Linear::new(2, 1).save(&path.0).unwrap();
    let error = Linear::new(1, 1).load(&path.0).unwrap_err().to_string();
    assert!(
        error.ends_with("net: shapes differ: weight is [1, 2], expected [1, 1]")
            || error.contains("shapes differ")
    );
    let folder = path.0.join("below");
    assert!(Linear::new(1, 1).save(folder).unwrap_err().reason.starts_with("cannot write: "));
}

#[test]
fn pickles_are_refused_with_the_way_to_convert_them() {
    let path = Scratch::new("model.pt");
    for start in [&b"PK\x03\x04 and so on"[..], b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."] {
        std::fs::write(&path.0, start).unwrap();
        let reason = StateDict::load(&path.0).unwrap_err().reason;
        assert!(
            reason.starts_with("a PyTorch pickle, which could run code when read; convert it"),
            "{reason}"
        );
        assert!(reason.contains("save_file(torch.load("));
        assert!(!reason.contains('\n'));
    }
}
