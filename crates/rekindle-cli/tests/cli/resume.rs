//! Runs that are stopped, killed or out of room, and gone on with: they end with the bytes of a run that nobody disturbed.

use crate::{Folder, fails_with, succeeds};
use rekindle::train::Checkpoint;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A checkpoint after every batch, and everything that draws.
const RECIPE: &str = r#"
name = "kill me"
seed = 5
epochs = 6
batch_size = 40
shuffle = true
checkpoint_seconds = 0
net = ["Linear(2, 32)", "BatchNorm1d(32)", "Dropout(0.2)", "ReLU", "Linear(32, 1)"]
loss = "BCEWithLogitsLoss"
optimizer = "Adam(lr=0.01)"
scheduler = "StepLR(2, gamma=0.5)"
accumulate = 2

[data]
source = "moons"
samples = 400
noise = 0.2
validation = 100
"#;

pub fn folder() -> Folder {
    let folder = Folder::new();
    fs::write(folder.0.join("r.toml"), RECIPE).unwrap();
    folder
}

pub fn begin(folder: &Folder, more: &[&str]) -> Output {
    folder.rekindle(&[&["train", "r.toml", "--quiet", "--output", "run"], more].concat())
}

pub fn resume(folder: &Folder, more: &[&str]) -> Output {
    folder.rekindle(&[&["train", "--quiet", "--resume", "run"], more].concat())
}

pub fn spawn(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
    command.args(args).current_dir(&folder.0).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

/// What a finished run has come to, without its times.
#[derive(PartialEq, Debug)]
pub struct End(BTreeMap<&'static str, Vec<u8>>);

impl End {
    pub fn of(run: &Path) -> End {
        let read = |name| fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let log = String::from_utf8(read("metrics.csv")).expect("text");
        let rows: String =
            log.lines().map(|line| line.rsplit_once(',').expect("columns").0.to_string() + "\n").collect();
        let names = ["model.safetensors", "best.safetensors", "report.json", "report.txt"];
        End(names.into_iter().map(|name| (name, read(name))).chain([("metrics", rows.into())]).collect())
    }

    #[track_caller]
    pub fn is(&self, other: &End, case: &str) {
        for (name, bytes) in &self.0 {
            assert!(*bytes == other.0[name], "{case}: {name} differs");
        }
    }
}

pub fn undisturbed() -> (End, Duration) {
    let folder = folder();
    let start = Instant::now();
    succeeds(&begin(&folder, &[]));
    (End::of(&folder.0.join("run")), start.elapsed())
}

/// No temporary file is left anywhere in a run.
fn is_tidy(run: &Path) {
    for folder in [run.to_path_buf(), run.join("checkpoints")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.extension().is_none_or(|e| e != "tmp"), "{}", path.display());
        }
    }
}

/// Fractions from 0 to 1 that can be had again.
pub fn fractions() -> impl Iterator<Item = f64> {
    let mut state = 11u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    })
}

/// Kills a run and then its continuation, each at a random instant of the time that a whole run takes, and lets it end.
fn is_killed_and_gone_on_with(times: usize) {
    let (whole, time) = undisturbed();
    let (mut instants, mut begun, mut inside, mut finished) = (fractions(), 0, 0, 0);
    for i in 0..times {
        let folder = folder();
        let run = folder.0.join("run");
        for args in [&["train", "r.toml", "--quiet", "--output", "run"][..], &["train", "--resume", "run"]] {
            let mut child = spawn(&folder, args);
            sleep(time.mul_f64(instants.next().expect("no end")));
            child.kill().expect("a signal");
            child.wait().expect("an end");
            let newest = Checkpoint::newest(&run.join("checkpoints"));
            let newest = newest.unwrap_or_else(|e| panic!("kill {i}: {e}"));
            assert!(newest.as_ref().is_none_or(|c| c.warning().is_none()), "kill {i}: nothing is damaged");
            inside += usize::from(newest.is_some() && !run.join("report.json").exists());
        }
        if !run.join("config.toml").exists() {
            continue; // It was killed before it was a run.
        }
        begun += 1;
        if run.join("report.json").exists() {
            finished += 1;
            fails_with(&resume(&folder, &[]), 1, "nothing to resume: 6 epochs are done");
        } else {
            succeeds(&resume(&folder, &[]));
        }
        End::of(&run).is(&whole, &format!("kill {i}"));
        is_tidy(&run);
    }
    eprintln!(
        "{times} runs killed twice: {begun} were runs by then and ended with the same bytes, {inside} kills came between \
         the first checkpoint and the report, {finished} came too late"
    );
    assert!(begun >= times / 2 && inside >= times / 2, "{begun} begun, {inside} inside of {times}");
}

#[test]
fn a_run_that_is_killed_at_any_instant_ends_with_the_same_bytes() {
    is_killed_and_gone_on_with(10);
}

#[test]
fn a_run_that_was_killed_before_it_was_judged_is_judged_and_tidied_up() {
    let (folder, (whole, _)) = (folder(), undisturbed());
    succeeds(&begin(&folder, &[]));
    let run = folder.0.join("run");
    for name in ["model.safetensors", "report.json", "report.txt", "best.safetensors"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    for name in ["checkpoints/last.ckpt.4711-9.tmp", "report.json.4711-10.tmp"] {
        fs::write(run.join(name), "half a file").unwrap();
    }
    let said = succeeds(&folder.rekindle(&["train", "--resume", "run"]));
    assert!(said.contains("going on after 6 epochs") && !said.contains("ended after"), "{said}");
    End::of(&run).is(&whole, "judged later");
    is_tidy(&run);
}

#[test]
#[ignore = "takes minutes: cargo test -p rekindle-cli --test cli two_hundred -- --ignored --nocapture"]
fn two_hundred_runs_that_are_killed_end_with_the_same_bytes() {
    is_killed_and_gone_on_with(200);
}

/// Sends a signal to a child.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

#[track_caller]
fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_ends_the_step_keeps_everything_and_has_an_exit_code_of_its_own() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = folder();
        let run = folder.0.join("run");
        let args = ["train", "r.toml", "--quiet", "--output", "run", "--epochs", "1000000"];
        let child = spawn(&folder, &args);
        wait_for("two epochs", || {
            fs::read_to_string(run.join("metrics.csv")).is_ok_and(|t| t.lines().count() > 3)
        });
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        fails_with(
            &output,
            code,
            "stopped by a signal; everything is kept; go on with `rekindle train --resume run`",
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
        assert!(run.join("model.safetensors").is_file() && !run.join("report.json").exists());

        let checkpoint = Checkpoint::newest(&run.join("checkpoints")).unwrap().expect("a checkpoint");
        let epochs = (checkpoint.epoch() + 2).to_string();
        succeeds(&resume(&folder, &["--epochs", &epochs]));
        let whole = self::folder();
        succeeds(&begin(&whole, &["--epochs", &epochs]));
        End::of(&run).is(&End::of(&whole.0.join("run")), name);
        fails_with(&resume(&folder, &[]), 1, "nothing to resume");
    }
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let folder = Folder::new();
    // A step on all samples takes seconds.
    let recipe = "name = \"slow\"\nseed = 1\nepochs = 100\nloss = \"BCEWithLogitsLoss\"\noptimizer = \"SGD\"\n\
                  net = [\"Linear(2, 2048)\", \"ReLU\", \"Linear(2048, 2048)\", \"ReLU\", \"Linear(2048, 1)\"]\n\
                  [data]\nsource = \"moons\"\nsamples = 40000\n";
    fs::write(folder.0.join("r.toml"), recipe).unwrap();
    let mut child = spawn(&folder, &["train", "r.toml", "--quiet", "--output", "run"]);
    wait_for("the run", || folder.0.join("run/config.toml").exists());
    sleep(Duration::from_millis(500));
    signal(&child, "INT");
    sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "the first signal waits for the step");
    let start = Instant::now();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn weights_and_checkpoints_are_the_same_for_every_number_of_threads_also_after_resuming() {
    let recipe =
        RECIPE.replace("32", "256").replace("samples = 400", "samples = 2000").replace("= 40\n", "= 500\n");
    let end = |threads: [&str; 2]| {
        let folder = Folder::new();
        fs::write(folder.0.join("r.toml"), &recipe).unwrap();
        succeeds(&begin(&folder, &["--epochs", "2", "--threads", threads[0]]));
        succeeds(&resume(&folder, &["--epochs", "4", "--threads", threads[1]]));
        let run = folder.0.join("run");
        let checkpoint = Checkpoint::newest(&run.join("checkpoints")).unwrap().expect("a checkpoint");
        // All but the time.
        let entries = checkpoint.state().iter().filter(|(name, _)| *name != "place.seconds");
        let state: rekindle::nn::StateDict = entries.map(|(name, t)| (name.to_string(), t.clone())).collect();
        assert!(state.len() > 20, "{} entries", state.len());
        (End::of(&run), state.to_bytes())
    };
    let one = end(["1", "1"]);
    for threads in [["2", "2"], ["4", "4"], ["1", "4"], ["4", "2"]] {
        assert!(end(threads) == one, "{threads:?} threads");
    }
}

#[test]
fn what_is_learned_by_heart_is_gone_on_with() {
    let folder = Folder::new();
    let train = |more: &[&str]| folder.rekindle(&[&["train", "circles", "--quiet"], more].concat());
    let heart = ["--overfit-batches", "2", "--batch-size", "16"];
    let whole = succeeds(&train(&[&heart[..], &["--epochs", "6", "--output", "whole"]].concat()));
    assert!(whole.contains(" of 32 test samples right"), "{whole}");
    succeeds(&train(&[&heart[..], &["--epochs", "3", "--output", "part"]].concat()));
    succeeds(&folder.rekindle(&["train", "--resume", "part", "--epochs", "6", "--quiet"]));
    End::of(&folder.0.join("part")).is(&End::of(&folder.0.join("whole")), "overfitted");
}
