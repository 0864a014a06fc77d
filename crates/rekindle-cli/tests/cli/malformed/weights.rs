//! Safetensors files, what Rekindle writes into them, and checkpoints.

use super::{Corpus, recipe_of};
use crate::Folder;
use rekindle::Tensor;
use rekindle::data::Md5;
use rekindle::nn::{Linear, Parameters, StateDict};
use rekindle::train::{Checkpoint, Model, Recipe};
use std::io::Write;
use std::path::Path;

/// A file with this header.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn weights(values: impl Fn(usize) -> f32) -> StateDict {
    let of = |shape: &[usize]| Tensor::from_vec((0..shape.iter().product()).map(&values).collect(), shape);
    [("weight", of(&[3, 2])), ("bias", of(&[3]))].into_iter().collect()
}

fn load(path: &Path) -> Result<(), String> {
    Linear::new(2, 3).load(path).map_err(|e| e.to_string())
}

/// Entries that no tensor can have: what the header says of `w`, whose 4 numbers of f32 are there.
const ENTRIES: &[(&str, &str)] = &[
    ("no entry", "1"),
    ("nothing in it", "{}"),
    ("no element type", r#"{"shape":[4],"data_offsets":[0,16]}"#),
    ("no shape", r#"{"dtype":"F32","data_offsets":[0,16]}"#),
    ("no place", r#"{"dtype":"F32","shape":[4]}"#),
    ("a place of one number", r#"{"dtype":"F32","shape":[4],"data_offsets":[16]}"#),
    ("a place of three numbers", r#"{"dtype":"F32","shape":[4],"data_offsets":[0,8,16]}"#),
    ("a place that ends before it begins", r#"{"dtype":"F32","shape":[4],"data_offsets":[16,0]}"#),
    ("a place of text", r#"{"dtype":"F32","shape":[4],"data_offsets":"0-16"}"#),
    ("a place with a fraction", r#"{"dtype":"F32","shape":[4],"data_offsets":[0,16.5]}"#),
    ("a place beyond 64 bits", r#"{"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551616]}"#),
    ("a negative size", r#"{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}"#),
    ("a shape that is a number", r#"{"dtype":"F32","shape":4,"data_offsets":[0,16]}"#),
    ("an element type that is a number", r#"{"dtype":32,"shape":[4],"data_offsets":[0,16]}"#),
    ("a hole before it", r#"{"dtype":"F32","shape":[3],"data_offsets":[4,16]}"#),
    ("a hole behind it", r#"{"dtype":"F32","shape":[3],"data_offsets":[0,12]}"#),
    ("a place beyond the end", r#"{"dtype":"F32","shape":[5],"data_offsets":[0,20]}"#),
    ("a place of 16 EiB", r#"{"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]}"#),
    ("another shape than its bytes", r#"{"dtype":"F32","shape":[5],"data_offsets":[0,16]}"#),
    ("a shape that overflows", r#"{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}"#),
    (
        "a shape that is nothing beside one that overflows",
        r#"{"dtype":"F32","shape":[0,9223372036854775807,3],"data_offsets":[0,16]}"#,
    ),
    ("16-bit floats", r#"{"dtype":"F16","shape":[8],"data_offsets":[0,16]}"#),
    ("8-bit integers", r#"{"dtype":"I8","shape":[16],"data_offsets":[0,16]}"#),
    ("an unknown element type", r#"{"dtype":"X1","shape":[4],"data_offsets":[0,16]}"#),
    ("another name", r#"{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"#),
];

/// Headers that are none, or of which entries do not go together; 8 bytes of data follow.
const HEADERS: &[(&str, &str)] = &[
    ("no JSON", "hello"),
    ("JSON that is cut off", r#"{"w":"#),
    ("a list", "[]"),
    ("a number", "1"),
    ("nothing", ""),
    ("no tensor for the data", "{}"),
    ("more behind the object", "{} {}"),
    ("a lone surrogate", r#"{"\ud800":1}"#),
    (
        "two tensors in one place",
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
    ),
    (
        "tensors that overlap by half",
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
    ),
    (
        "a hole between tensors",
        r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[3],"data_offsets":[5,8]}}"#,
    ),
];

#[test]
fn safetensors_files() {
    let mut corpus = Corpus::new();
    let good = weights(|i| i as f32).to_bytes();
    let named = |names: &[(&str, &[usize])]| {
        let of = |(name, shape): &(&str, &[usize])| (name.to_string(), Tensor::zeros(*shape));
        names.iter().map(of).collect::<StateDict>().to_bytes()
    };
    for (case, bytes) in [
        ("empty", vec![]),
        ("seven bytes", vec![0; 7]),
        ("a header that is not there", 9u64.to_le_bytes().to_vec()),
        ("a header of 11 MiB", [&(11u64 << 20).to_le_bytes()[..], b"{}"].concat()),
        ("a header of 16 EiB", vec![0xff; 16]),
        ("a PyTorch archive", b"PK\x03\x04\0\0\0\0\0\0".to_vec()),
        ("a pickle", b"\x80\x02}q\0(X\x06\0\0".to_vec()),
        ("a page of a web site", b"<!DOCTYPE html>".to_vec()),
        ("HDF5", b"\x89HDF\r\n\x1a\n........".to_vec()),
        (
            "bytes that are no text in the header",
            file("{\"w\u{7f}\":1}", &[]).into_iter().map(|b| if b == 0x7f { 0xff } else { b }).collect(),
        ),
        ("nested a thousand times", file(&("[".repeat(1000) + &"]".repeat(1000)), &[])),
        ("one byte more", [&good[..], &[0]].concat()),
        ("a weight that is not a number", weights(|i| if i == 2 { f32::NAN } else { 0.0 }).to_bytes()),
        ("a weight that is infinite", weights(|i| if i == 2 { f32::INFINITY } else { 0.0 }).to_bytes()),
        ("no tensors", named(&[])),
        ("a tensor too few", named(&[("weight", &[3, 2])])),
        ("a tensor too many", named(&[("weight", &[3, 2]), ("bias", &[3]), ("scale", &[3])])),
        ("other names", named(&[("0.weight", &[3, 2]), ("0.bias", &[3])])),
        ("another shape", named(&[("weight", &[2, 3]), ("bias", &[3])])),
        ("two other shapes", named(&[("weight", &[4, 2]), ("bias", &[4])])),
    ] {
        corpus.bytes(case, "w.safetensors", bytes, load);
    }
    for (case, entry) in ENTRIES {
        let bytes = file(&format!("{{\"w\":{entry}}}"), &[0; 16]);
        corpus.bytes(&format!("entry: {case}"), "w.safetensors", bytes, load);
    }
    for (case, header) in HEADERS {
        corpus.bytes(&format!("header: {case}"), "w.safetensors", file(header, &[0; 8]), load);
    }
    let header = usize::from(good[0]) + 8;
    corpus.damage(("a layer", "w.safetensors"), &good, (6, 0..header), load);
    corpus.finish("safetensors", 150);
}

/// What weights may not say about their data.
const SIGNATURES: &[(&str, &str)] = &[
    ("nothing", ""),
    ("no JSON", "classes"),
    ("a list", "[]"),
    ("no input", r#"{"kind":"classes","classes":["p","q"]}"#),
    ("an unknown kind", r#"{"kind":"colours","classes":[],"input":{"numbers":[2]}}"#),
    ("a field too many", r#"{"kind":"classes","classes":[],"input":{"numbers":[2]},"more":1}"#),
    ("an unknown input", r#"{"kind":"classes","classes":[],"input":{"sounds":[2]}}"#),
    ("two inputs", r#"{"kind":"classes","classes":[],"input":{"numbers":[2],"images":1}}"#),
    ("a negative shape", r#"{"kind":"classes","classes":[],"input":{"numbers":[-2]}}"#),
    ("classes that are numbers", r#"{"kind":"classes","classes":[1,2],"input":{"numbers":[2]}}"#),
    (
        "images of two channels",
        r#"{"kind":"classes","classes":[],"input":{"images":{"spec":{"channels":2,"size":[2,2]},"mean":[],"std":[],"flatten":false}}}"#,
    ),
    (
        "images of no rows",
        r#"{"kind":"classes","classes":[],"input":{"images":{"spec":{"channels":1,"size":[0,2]},"mean":[],"std":[],"flatten":false}}}"#,
    ),
    (
        "a mean for each of two channels of three",
        r#"{"kind":"classes","classes":[],"input":{"images":{"spec":{"channels":3,"size":[2,2]},"mean":[0,0],"std":[],"flatten":false}}}"#,
    ),
    (
        "arrays with more means than columns",
        r#"{"kind":"classes","classes":[],"input":{"arrays":{"shape":[2],"pixels":false,"flatten":false,"mean":[0,0,0],"std":[1,1,1],"values":[],"units":null}}}"#,
    ),
    ("a table of nothing", r#"{"kind":"classes","classes":[],"input":{"table":{}}}"#),
];

fn model(path: &Path) -> Result<(), String> {
    let recipe = recipe_of("CrossEntropyLoss", "source = \"circles\"\nsamples = 100")
        .replace("Linear(1, 2)", "Linear(2, 2)");
    let recipe = Recipe::from_toml(&recipe).map_err(|e| e.to_string())?;
    Model::new(recipe, path).map(drop).map_err(|e| e.to_string())
}

#[test]
fn signatures_in_weights() {
    let mut corpus = Corpus::new();
    let mut dict: StateDict =
        [("1.weight", Tensor::zeros([2, 2])), ("1.bias", Tensor::zeros([2]))].into_iter().collect();
    for (case, text) in SIGNATURES {
        dict.set_metadata("rekindle.signature", *text);
        corpus.bytes(case, "w.safetensors", dict.to_bytes(), model);
    }
    let good = r#"{"kind":"classes","classes":["p","q"],"input":{"numbers":[2]}}"#;
    for (end, _) in good.char_indices().step_by(2) {
        dict.set_metadata("rekindle.signature", &good[..end]);
        corpus.bytes(&format!("cut at {end}"), "w.safetensors", dict.to_bytes(), model);
    }
    corpus.finish("signature", 40);
}

fn checkpoint_of(state: &[u8]) -> Vec<u8> {
    let mut digest = Md5::new();
    digest.write_all(state).unwrap();
    [&b"REKINDLE"[..], &(state.len() as u64).to_le_bytes(), &digest.finish().0, state].concat()
}

fn read(path: &Path) -> Result<(), String> {
    Checkpoint::read(path).map(drop).map_err(|e| e.to_string())
}

#[test]
fn checkpoint_files() {
    let mut corpus = Corpus::new();
    let state = weights(|i| i as f32).to_bytes();
    let good = checkpoint_of(&state);
    for (case, bytes) in [
        ("empty", vec![]),
        ("weights", state.clone()),
        ("one byte more", [&good[..], &[0]].concat()),
        ("a whole one of nothing", checkpoint_of(b"")),
        ("a whole one of text", checkpoint_of(b"hello, world")),
        ("a whole one of half of the state", checkpoint_of(&state[..state.len() / 2])),
    ] {
        corpus.bytes(case, "last.ckpt", bytes, read);
    }
    corpus.damage(("a state", "last.ckpt"), &good, (4, 0..60), read);
    corpus.finish("checkpoint", 150);
}

#[test]
fn the_program_refuses_weights_and_checkpoints_in_one_line() {
    let folder = Folder::new();
    crate::succeeds(&folder.rekindle(&["train", "circles", "--epochs", "1", "--quiet", "--output", "run"]));
    folder.put("rows.csv", "x,y\n1,2\n");
    let good = std::fs::read(folder.0.join("run/model.safetensors")).unwrap();
    for end in [0, 7, 100, good.len() - 1] {
        folder.put("run/model.safetensors", &good[..end]);
        folder.fails(&["predict", "run", "rows.csv", "--output", "answers.csv"], "model.safetensors");
        folder.fails(&["evaluate", "run"], "model.safetensors");
        folder.fails(&["inspect", "run/model.safetensors"], "model.safetensors");
        assert!(!folder.0.join("answers.csv").exists());
    }
    for name in ["last.ckpt", "before-last.ckpt"] {
        folder.put(&format!("run/checkpoints/{name}"), b"REKINDLE");
    }
    folder.fails(&["train", "--resume", "run", "--epochs", "2"], "checkpoints");
    folder.fails(&["inspect", "run/checkpoints/last.ckpt"], "last.ckpt");
}
