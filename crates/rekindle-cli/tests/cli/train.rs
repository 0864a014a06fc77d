//! `rekindle train`: digits, exit codes, and recipes that no run can follow.

use crate::{Folder, fails_with, image_data, rekindle, stdout};
use std::process::{Command, Output};

/// Runs the program on a recipe that is the embedded one with some lines replaced.
fn with_recipe(name: &str, replace: &[(&str, &str)], args: &[&str]) -> Output {
    let text = include_str!("../../../../recipes/circles.toml").to_string();
    let text = replace.iter().fold(text, |t, (from, to)| {
        assert!(t.contains(from), "the recipe has {from:?}");
        t.replace(from, to)
    });
    let folder = Folder::new();
    let file = format!("{name}.toml");
    std::fs::write(folder.0.join(&file), text).expect("the recipe is written");
    folder.rekindle(&[&["train", &file], args].concat())
}

#[test]
fn train_without_a_recipe_prints_the_digits_of_lecture_02_and_closes_the_ring() {
    let output = rekindle(&["train"]);
    assert!(output.status.success());
    let text = stdout(&output);
    let figures: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    let at = |epoch: &str| {
        figures
            .iter()
            .find(|f| f.first() == Some(&epoch))
            .unwrap_or_else(|| panic!("epoch {epoch} in {text}"))
    };
    // The lecture counts epochs from 0.
    let train_and_test = |epoch: &str| [at(epoch)[1], at(epoch)[2], at(epoch)[5], at(epoch)[6]];
    assert_eq!(at("epoch")[5..7], ["test_loss", "test_acc"]);
    assert_eq!(train_and_test("1"), ["0.69295", "0.5000", "0.69319", "0.5000"]);
    assert_eq!(train_and_test("501"), ["0.68102", "0.5275", "0.67941", "0.5650"]);
    assert_eq!(train_and_test("901"), ["0.62362", "0.7400", "0.62145", "0.7900"]);
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("200 of 200 test samples right (accuracy 1.0000); 151 parameters"), "{last}");
}

#[test]
fn json_lines_are_the_same_for_every_number_of_threads() {
    let lines = |threads: &str| -> Vec<serde_json::Value> {
        let output = rekindle(&["train", "--json", "--epochs", "300", "--threads", threads]);
        assert!(output.status.success());
        let parse = |l: &str| {
            let mut value: serde_json::Value = serde_json::from_str(l).expect("a JSON object");
            value.as_object_mut().expect("an object").remove("time").expect("a time");
            value
        };
        stdout(&output).lines().map(parse).collect()
    };
    let one = lines("1");
    assert_eq!(one.len(), 4);
    assert_eq!(one[0]["epoch"], 1);
    assert_eq!((lines("2"), lines("4")), (one.clone(), one));
}

#[test]
fn seed_and_epochs_can_be_set() {
    let output = rekindle(&["train", "--quiet", "--epochs", "1", "--seed", "-1"]);
    assert!(output.status.success());
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn a_missing_recipe_is_exit_1_and_a_wrong_flag_exit_2() {
    fails_with(&rekindle(&["train", "no-such.toml"]), 1, "cannot read the recipe no-such.toml");
    fails_with(&rekindle(&["train", "--epoch", "3"]), 2, "--epochs");
    fails_with(&rekindle(&["trian"]), 2, "train");
}

#[test]
fn a_wrong_recipe_is_exit_1_with_the_cure() {
    fails_with(&with_recipe("key", &[("epochs =", "epochz =")], &[]), 1, "epochz");
    let wrong_layer = [("\"Linear(10, 1)\"", "\"Linaer(10, 1)\"")];
    fails_with(
        &with_recipe("word", &wrong_layer, &[]),
        1,
        "net: there is no `Linaer`; did you mean `Linear`?",
    );
    let wrong_size = [("\"Linear(10, 1)\"", "\"Linear(11, 1)\"")];
    let message = "net: layer 4, `Linear(11, 1)`, does not fit the data, whose samples have the shape [2]: \
                   linear: input [1, 10] does not fit weight [1, 11] (10 vs 11 features)";
    fails_with(&with_recipe("size", &wrong_size, &[]), 1, message);
    let wrong_loss = [("BCEWithLogitsLoss", "CrossEntropyLoss")];
    let message =
        "net: it gives 1 numbers for each sample, and CrossEntropyLoss needs 2 here, one for each class";
    fails_with(&with_recipe("loss", &wrong_loss, &[]), 1, message);
}

#[test]
fn numbers_that_stop_being_finite_are_exit_4() {
    let lr = ("SGD(lr=0.1)", "SGD(lr=1e38)");
    // One epoch: the last update is judged too, and nothing is printed of it.
    for epochs in ["1", "5"] {
        let output = with_recipe(&format!("nan{epochs}"), &[lr], &["--epochs", epochs, "--json"]);
        fails_with(&output, 4, "epoch 1, step 1: ");
        fails_with(&output, 4, "is not finite");
        assert_eq!(stdout(&output), "");
    }
    let bce = [lr, ("BCEWithLogitsLoss", "BCELoss"), ("\"Linear(10, 1)\"", "\"Linear(10, 1)\", \"Sigmoid\"")];
    fails_with(&with_recipe("nan-bce", &bce, &[]), 4, "is not finite");
    // The first update is finite; the figures after it are not.
    let large = [("SGD(lr=0.1)", "SGD(lr=1e30)")];
    fails_with(
        &with_recipe("nan-test", &large, &["--epochs", "1", "--json"]),
        4,
        "epoch 1, step 1: the output of the validation data",
    );
}

#[test]
fn a_recipe_that_no_run_can_follow_is_exit_1_and_names_file_and_cause() {
    let batch_norm = ("\"ReLU\", \"Linear(10, 10)\"", "\"BatchNorm1d(10)\", \"Linear(10, 10)\"");
    let whole = "\"Linear(2, 10)\", \"ReLU\", \"Linear(10, 10)\", \"ReLU\", \"Linear(10, 1)\"";
    let relu_at_end = ("\"Linear(10, 1)\"", "\"Linear(10, 1)\", \"ReLU\"");
    let groups = ("\"ReLU\", \"Linear(10, 10)\"", "\"Conv2d(4, 6, 3, groups=4)\"");
    let blobs = "source = \"blobs\"\ncenters = 3\nfeatures = 2\ncluster_std = 1.0";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[relu_at_end, ("BCEWithLogitsLoss", "BCELoss")],
            "net: it ends with `ReLU` before BCELoss, which reads probabilities; end the net with \"Sigmoid\"",
        ),
        (&[(whole, "\"ReLU\"")], "net: it has no parameters"),
        (
            &[batch_norm, ("seed = 42", "seed = 42\nbatch_size = 799")],
            "the last batch, which has 1 of the 800",
        ),
        (&[batch_norm, ("seed = 42", "seed = 42\nbatch_size = 1")], "the last batch, which has 1 of the 800"),
        (
            &[("BCEWithLogitsLoss", "CrossEntropyLoss(label_smoothing=2)")],
            "label_smoothing must be from 0 to 1",
        ),
        (&[groups], "4 groups do not divide"),
        (&[("samples = 1000", "samples = 1000000000000000")], "data.samples = 1000000000000000: at most"),
        (&[("Linear(2, 10)", "Linear(2, 999999999)")], "must be a whole number from 1"),
        (&[("Linear(2, 10)", "Linear(2, 60000000)")], "more than 2147483648 numbers in one step"),
        (
            &[("source = \"circles\"", blobs), ("noise = 0.03\n", ""), ("centers = 3", "centers = 0")],
            "data.centers = 0: it must be from 2",
        ),
        (&[("source = \"circles\"", blobs), ("noise = 0.03\n", "")], "separates two classes, not 3"),
        (&[("noise = 0.03", "noise = -1")], "data.noise = -1: it must be at least 0"),
        (&[("epochs = 2000", "epochs = 0")], "epochs = 0: it must be at least 1"),
    ];
    for (i, (replace, message)) in cases.iter().enumerate() {
        let output = with_recipe(&format!("case{i}"), replace, &["--json"]);
        fails_with(&output, 1, message);
        fails_with(&output, 1, "case");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((stderr.lines().count(), stdout(&output).as_str()), (1, ""), "{stderr}");
    }
}

/// A data folder with three images of each of the classes 0 to 2 (1 x 2 pixels) for training, and `test` for testing.
fn tiny_mnist(name: &str, test: &[u8]) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("rekindle-cli-data-{name}-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("mnist")).expect("a folder");
    for (part, labels) in [("train", &[0, 1, 2, 0, 1, 2, 0, 1, 2][..]), ("t10k", test)] {
        let n = (labels.len() as u32).to_be_bytes();
        let images =
            [&[0, 0, 8, 3], &n[..], &[0, 0, 0, 1, 0, 0, 0, 2], &vec![100; 2 * labels.len()]].concat();
        let labels = [&[0, 0, 8, 1], &n[..], labels].concat();
        std::fs::write(folder.join(format!("mnist/{part}-images-idx3-ubyte")), images).expect("images");
        std::fs::write(folder.join(format!("mnist/{part}-labels-idx1-ubyte")), labels).expect("labels");
    }
    folder
}

fn on_images(name: &str, test: &[u8], loss: &str, last: &str, data: &str) -> Output {
    let circles = "source = \"circles\"\nsamples = 1000\nnoise = 0.03\nrandom_state = 42\ntest_size = 0.2\nvalidation = 200";
    let replace = [
        (circles, &*format!("source = \"mnist\"\nflatten = true\n{data}")),
        ("BCEWithLogitsLoss", loss),
        ("Linear(10, 1)", last),
        ("epochs = 2000", "epochs = 2"),
    ];
    let folder = tiny_mnist(name, test);
    let output = with_recipe(name, &replace, &["--json", "--data", folder.to_str().expect("text")]);
    std::fs::remove_dir_all(folder).expect("the folder is removed");
    output
}

#[test]
fn classes_that_data_or_net_do_not_have_are_exit_1() {
    let ce = "CrossEntropyLoss";
    let all = [0, 1, 2];
    let fails = |name: &str, test: &[u8], loss: &str, last: &str, data: &str, message: &str| {
        fails_with(&on_images(name, test, loss, last, data), 1, message)
    };
    fails(
        "outputs",
        &all,
        ce,
        "Linear(10, 2)",
        "classes = [0, 1, 2]",
        "net: it gives 2 numbers for each sample, and CrossEntropyLoss needs 3 here",
    );
    fails("twice", &all, ce, "Linear(10, 2)", "classes = [0, 0]", "0 stands there twice");
    fails("none", &all, ce, "Linear(10, 2)", "classes = []", "choose at least two");
    fails("beyond", &all, ce, "Linear(10, 2)", "classes = [0, 10]", "there is no class 10");
    fails("absent", &all, ce, "Linear(10, 2)", "classes = [0, 7]", "none is of class 7");
    fails("bce3", &all, "BCELoss", "Linear(10, 1)", "classes = [0, 1, 2]", "separates two classes, not 3");
    fails("empty", &[], ce, "Linear(10, 10)", "", "of the 0 test images none");
    fails("types", &all, "MSELoss", "Linear(10, 1)", "classes = [0, 1]", "the targets of mnist are classes");
    let fits = on_images("fits", &all, ce, "Linear(10, 3)", "classes = [2, 0, 1]");
    assert!(fits.status.success(), "{}", String::from_utf8_lossy(&fits.stderr));
}

#[test]
fn a_last_layer_that_the_loss_does_not_expect_is_exit_1_with_the_cure() {
    let end = |layer: &str| format!("\"Linear(10, 1)\", \"{layer}\"");
    let cases = [
        ("BCEWithLogitsLoss", end("Sigmoid"), "which applies the sigmoid itself"),
        ("BCELoss", "\"Linear(10, 1)\"".to_string(), "which reads probabilities"),
        (
            "CrossEntropyLoss",
            "\"Linear(10, 2)\", \"Softmax(1)\"".to_string(),
            "which applies such a function itself",
        ),
        ("NLLLoss", "\"Linear(10, 2)\"".to_string(), "which reads logarithms of probabilities"),
    ];
    for (loss, last, message) in cases {
        let replace = [("BCEWithLogitsLoss", loss), ("\"Linear(10, 1)\"", last.as_str())];
        fails_with(&with_recipe("last", &replace, &[]), 1, message);
    }
}

#[test]
fn accuracy_with_several_outputs_is_at_most_one() {
    let output = on_images(
        "rows",
        &[0, 1, 2],
        "BCEWithLogitsLoss",
        "Linear(10, 3)",
        "classes = [0, 1, 2]\ntargets = \"one_hot\"",
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in stdout(&output).lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for figure in ["train_acc", "test_acc"] {
            assert!((0.0..=1.0).contains(&row[figure].as_f64().expect("a number")), "{line}");
        }
    }
}

/// Runs the program in a shell, because a pipe that closes cannot be had otherwise.
fn shell(command: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_rekindle");
    let folder = Folder::new();
    let mut bash = Command::new("bash");
    bash.args(["-c", &command.replace("rekindle", program)])
        .current_dir(&folder.0)
        .output()
        .expect("bash runs")
}

#[test]
#[cfg(target_os = "linux")]
fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let closed = shell("rekindle train --epochs 300 | head -1; exit ${PIPESTATUS[0]}");
    assert_eq!((closed.status.code(), &*closed.stderr), (Some(0), &b""[..]));
    assert_eq!(stdout(&closed).lines().count(), 1);
    fails_with(
        &shell("rekindle train --epochs 300 > /dev/full"),
        1,
        "error: cannot write the output: No space left",
    );
}

#[test]
fn a_folder_without_the_data_is_exit_1_and_names_it() {
    let line = "source = \"circles\"\nsamples = 1000\nnoise = 0.03\nrandom_state = 42\ntest_size = 0.2\nvalidation = 200";
    let mnist = [
        (line, "source = \"mnist\"\nflatten = true\nclasses = [0, 1]"),
        ("Linear(2, 10)", "Linear(784, 10)"),
    ];
    fails_with(&with_recipe("data", &mnist, &["--data", "no-such-folder"]), 1, "no-such-folder");
}

#[test]
fn mnist_zeros_and_ones_print_the_digits_of_the_lecture() {
    let Some(data) = image_data() else { return };
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/06wk-1-4A.toml");
    let output = rekindle(&["train", recipe, "--data", &data, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let accuracies: Vec<String> = stdout(&output)
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).expect("JSON")["train_acc"]
                .as_f64()
                .map_or("-".into(), |a| format!("{a:.4}"))
        })
        .collect();
    let lecture =
        ["0.4677", "0.4677", "0.4745", "0.5572", "0.6995", "0.8175", "0.8904", "0.9255", "0.9444", "0.9577"];
    assert_eq!(accuracies, lecture);
}
