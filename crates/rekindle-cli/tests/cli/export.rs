//! Models for other programs, and weights of other programs. (What the files say is checked by `cargo xtask interchange`.)

use crate::own_data::real;
use crate::{Folder, fails_with, succeeds};

/// A folder with a run of iris.
fn learned() -> Folder {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    folder.learn("iris.csv", "species", &["--epochs", "3"]);
    folder
}

fn bytes(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.0.join(name)).unwrap()
}

#[test]
fn a_run_is_exported_with_what_is_done_to_its_columns() {
    let folder = learned();
    let columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
    let takes = columns.map(|column| format!("{column} double [batch, 1]")).join(", ");
    let wrote = format!(
        "wrote iris.onnx: takes {takes}; gives probabilities float [batch, 3], predicted int64 [batch]\n"
    );
    folder.put("iris.onnx", "old");
    assert_eq!(succeeds(&folder.rekindle(&["export", "run", "--onnx", "iris.onnx"])), wrote);
    let file = bytes(&folder, "iris.onnx");
    let has = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    let inside =
        ["0.weight", "Softmax", "IsNaN", "[\"setosa\",\"versicolor\",\"virginica\"]", "name = \"iris\""];
    assert!(inside.into_iter().all(has), "{:?}", inside.map(has));
    let args = ["export", "run", "--onnx", "best.onnx", "--weights", "best"];
    succeeds(&folder.rekindle(&args));
    // The same run, the same bytes.
    succeeds(&folder.rekindle(&["export", "run", "--onnx", "again.onnx"]));
    assert!(bytes(&folder, "again.onnx") == file);
}

#[test]
fn an_export_that_fails_leaves_the_file_as_it_was() {
    let folder = learned();
    folder.put("iris.onnx", "old");
    fails_with(&folder.rekindle(&["export", "run"]), 2, "--onnx <FILE>");
    fails_with(
        &folder.rekindle(&["export", "nothing", "--onnx", "iris.onnx"]),
        1,
        "nothing: no such directory",
    );
    fails_with(
        &folder.rekindle(&["export", "run", "--onnx", "no/iris.onnx"]),
        1,
        "no/iris.onnx: cannot write: ",
    );
    std::fs::remove_file(folder.0.join("run/model.safetensors")).unwrap();
    let missing = "run/model.safetensors: no such file: the run was not finished";
    fails_with(&folder.rekindle(&["export", "run", "--onnx", "iris.onnx"]), 1, missing);
    assert_eq!(folder.read("iris.onnx"), "old");
}

#[test]
fn weights_of_other_programs_are_asked_with_what_the_run_knows_about_its_data() {
    let folder = learned();
    // PyTorch's files know nothing of signatures: the same weights without one.
    let file = bytes(&folder, "run/best.safetensors");
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__").unwrap();
    let header = header.to_string();
    let plain = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &file[8 + length..]].concat();
    folder.put("torch.safetensors", &plain);
    // And others: the last number of the data is another.
    let end = plain.len() - 4;
    folder.put("other.safetensors", [&plain[..end], &0.5f32.to_le_bytes()].concat());
    let of = |weights: &str, command: &[&str]| {
        succeeds(&folder.rekindle(&[command, &["--weights", weights]].concat()))
    };
    for command in [&["predict", "run", "iris.csv"][..], &["evaluate", "run", "--json"]] {
        assert_eq!(of("torch.safetensors", command), of("best", command));
        assert!(of("other.safetensors", command) != of("final", command), "other weights");
    }
    of("torch.safetensors", &["export", "run", "--onnx", "torch.onnx"]);
    of("best", &["export", "run", "--onnx", "best.onnx"]);
    assert!(bytes(&folder, "torch.onnx") == bytes(&folder, "best.onnx"));
}

#[test]
fn neither_runs_nor_inputs_nor_other_files_are_overwritten() {
    let folder = learned();
    let before = |name: &str| (name.to_string(), bytes(&folder, name));
    let kept =
        ["run/model.safetensors", "run/config.toml", "run/checkpoints/last.ckpt", "iris.csv"].map(before);
    let of_run = "a file of a run, which nothing overwrites; choose another name";
    for file in &["run/model.safetensors", "run/config.toml", "run/checkpoints/last.ckpt"] {
        for command in [&["export", "run", "--onnx"][..], &["predict", "run", "iris.csv", "--output"]] {
            let output = folder.rekindle(&[command, &[file]].concat());
            fails_with(&output, 1, &format!("error: {file}: {of_run}"));
        }
    }
    let output = folder.rekindle(&["predict", "run", "iris.csv", "--output", "./iris.csv"]);
    fails_with(&output, 1, "error: ./iris.csv: this is what is read; choose another name");
    let output = folder.rekindle(&["export", "run", "--onnx", "iris.csv"]);
    fails_with(&output, 1, "error: iris.csv: exists, and is not called .onnx; choose another name");
    fails_with(&folder.rekindle(&["export", "run", "--onnx", "-"]), 1, "error: -: not a name of a file");
    kept.iter().for_each(|(name, bytes_before)| assert!(bytes(&folder, name) == *bytes_before, "{name}"));
    for _ in 0..2 {
        succeeds(&folder.rekindle(&["export", "run", "--onnx", "again.onnx"]));
        succeeds(&folder.rekindle(&["predict", "run", "iris.csv", "--output", "again.csv"]));
    }
}

#[test]
fn pickles_and_weights_of_other_nets_are_refused() {
    let folder = learned();
    let refused = |weights: &str, code, message: &str| {
        for command in [
            &["predict", "run", "iris.csv"][..],
            &["evaluate", "run"],
            &["export", "run", "--onnx", "x.onnx"],
        ] {
            fails_with(&folder.rekindle(&[command, &["--weights", weights]].concat()), code, message);
        }
    };
    let cure = "a PyTorch pickle, which could run code when read; convert it in Python: import torch; ";
    // Whatever they are called: a zip archive, and a bare pickle.
    folder.put("net.pt", b"PK\x03\x04\x00\x00\x08\x08 and so on");
    folder.put("net.safetensors", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.");
    for name in ["net.pt", "net.safetensors"] {
        refused(name, 1, &format!("error: {name}: {cure}"));
        fails_with(&folder.rekindle(&["inspect", name]), 1, &format!("error: {name}: {cure}"));
    }
    refused("bset", 2, "neither `final` nor `best` nor a file such as net.safetensors");
    refused("none.safetensors", 1, "error: none.safetensors: cannot read: ");
    succeeds(&folder.rekindle(&["train", "circles", "--epochs", "1", "--quiet", "--output", "circles"]));
    refused("circles/model.safetensors", 1, "circles/model.safetensors: state_dict does not fit: ");
}
