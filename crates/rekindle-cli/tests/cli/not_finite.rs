//! Numbers that are not finite, through the program: exit 4 and one line with epoch, step, the first bad tensor and the learning
//! rate. Nothing is updated: the checkpoint is that of before, byte for byte. (What no file can bring about is in
//! `not_finite.rs` of rekindle-train.)

use crate::own_data::npy;
use crate::resume::{End, begin, folder, resume, undisturbed};
use crate::{Folder, fails_with, succeeds};
use rekindle::nn::StateDict;
use rekindle::tensor;
use rekindle::train::Checkpoint;
use std::fs;
use std::io::Write;
use std::path::Path;

const POISONS: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Exit 4 and nothing but this line.
#[track_caller]
fn stops(output: &std::process::Output, start: &str, end: &str) {
    fails_with(output, 4, start);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().count() == 1 && stderr.trim_end().ends_with(end), "{stderr}");
}

/// A checkpoint of which one number is another, or that has one more tensor; nothing else is wrong with it.
fn poison(path: &Path, name: &str, number: f32) {
    let checkpoint = Checkpoint::read(path).unwrap();
    let mut state = StateDict::new();
    checkpoint.state().iter().for_each(|(name, t)| state.insert(name, t.clone()));
    let like = checkpoint.state().get(&name.replace("gradient.", "model.")).expect(name);
    let mut values = like.to_vec::<f32>();
    values[0] = number;
    state.insert(name, tensor(values).reshape(like.shape()));
    let tensors = state.to_bytes();
    let mut digest = rekindle::data::Md5::new();
    digest.write_all(&tensors).unwrap();
    let length = (tensors.len() as u64).to_le_bytes();
    fs::write(path, [&b"REKINDLE"[..], &length, &digest.finish().0, &tensors].concat()).unwrap();
}

#[test]
fn a_weight_a_gradient_or_an_optimizer_s_state_is_exit_4_and_the_checkpoint_stays() {
    let folder = folder();
    succeeds(&begin(&folder, &["--epochs", "2"]));
    let [last, weights] = ["run/checkpoints/last.ckpt", "run/model.safetensors"].map(|n| folder.0.join(n));
    let whole = fs::read(&last).unwrap();
    for (name, what) in [
        ("model.4.weight", "the weight 4.weight"),
        ("model.1.running_var", "the weight 1.running_var"),
        ("gradient.0.weight", "the gradient of 0.weight"),
        ("optimizer.state.0.exp_avg", "the optimizer's exp_avg of 0.weight"),
        ("optimizer.state.5.exp_avg_sq", "the optimizer's exp_avg_sq of 4.bias"),
    ] {
        // NaN is damage: see below.
        for number in [f32::INFINITY, f32::NEG_INFINITY] {
            fs::write(&last, &whole).unwrap();
            poison(&last, name, number);
            let poisoned = fs::read(&last).unwrap();
            let start = format!("error: epoch 3, step 1: {what} is not finite");
            stops(
                &resume(&folder, &["--epochs", "4"]),
                &start,
                "lower the learning rate (0.005) or check the data",
            );
            assert!(fs::read(&last).unwrap() == poisoned, "{name} {number}: a checkpoint was written");
            // Those of before went when the run was gone on with.
            assert!(!weights.exists(), "{name} {number}: weights were written");
        }
    }
}

#[test]
fn a_checkpoint_that_holds_nan_is_left_for_the_one_before() {
    let whole = undisturbed().0;
    for name in ["model.4.weight", "gradient.0.weight", "optimizer.state.0.exp_avg"] {
        let folder = folder();
        succeeds(&begin(&folder, &["--epochs", "2"]));
        poison(&folder.0.join("run/checkpoints/last.ckpt"), name, f32::NAN);
        let output = resume(&folder, &["--epochs", "6"]);
        succeeds(&output);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let warning = format!(
            "warning: run/checkpoints/last.ckpt: {name} has values that are not numbers (NaN); take weights from before they were; going on from the checkpoint before it\n"
        );
        assert_eq!(stderr, warning);
        End::of(&folder.0.join("run")).is(&whole, name);
    }
}

/// Two columns of numbers, and a row of other ones.
fn arrays(row: [f32; 2]) -> Folder {
    let folder = Folder::new();
    let mut x: Vec<f32> = (0..80).map(|i| (i * 7 % 13) as f32 / 13.0).collect();
    x[4..6].copy_from_slice(&row);
    let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    folder.put("x.npy", npy("<f4", "40, 2", &bytes));
    let labels: Vec<u8> = (0..40i64).flat_map(|i| (i % 2).to_le_bytes()).collect();
    folder.put("y.npy", npy("<i8", "40,", &labels));
    let recipe = "name = \"arrays\"\nseed = 1\nepochs = 3\nnet = [\"Linear(2, 99)\", \"ReLU\", \"Linear(99, 2)\"]\n\
                  loss = \"CrossEntropyLoss\"\noptimizer = \"SGD(lr=0.25)\"\nbatch_size = 8\n\n[data]\n\
                  arrays = \"x.npy\"\nlabels = \"y.npy\"\nstandardize = false\n";
    folder.put("r.toml", recipe);
    folder
}

#[test]
fn an_input_is_exit_4_and_nothing_is_trained() {
    for number in POISONS {
        let folder = arrays([0.5, number]);
        let output = folder.rekindle(&["train", "r.toml", "--output", "run"]);
        stops(&output, "epoch 1, step 1: sample ", "lower the learning rate (0.25) or check the data");
        assert!(!folder.0.join("run/checkpoints/last.ckpt").exists(), "{number}");
    }
}

/// Finite inputs of which a weighted sum is not; their row is in the third batch.
#[test]
fn an_activation_is_exit_4_at_its_step_and_nothing_is_kept() {
    for number in [f32::MAX, f32::MIN] {
        let folder = arrays([number, number]);
        let output = folder.rekindle(&["train", "r.toml", "--output", "run"]);
        stops(
            &output,
            "epoch 1, step 3: the output of layer 0 (Linear)",
            "lower the learning rate (0.25) or check the data",
        );
        assert!(!folder.0.join("run/checkpoints/last.ckpt").exists(), "{number}");
    }
}
