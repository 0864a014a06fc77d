//! A long training that is killed again and again: nothing is lost, nothing grows, and it ends with the bytes of a run that was
//! left alone.

use crate::resume::{End, folder, fractions, signal, spawn};
use crate::{Folder, succeeds};
use rekindle::train::Checkpoint;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The signals take turns: no warning, a request, the user's Ctrl-C.
const SIGNALS: [&str; 3] = ["KILL", "TERM", "INT"];

/// Epochs of 160 steps, of which each writes a checkpoint; the rate goes up and down for as long as it is wanted.
const LONGER: [(&str, &str); 3] = [
    ("samples = 400", "samples = 8000"),
    ("epochs = 6", "epochs = 1000000"),
    ("StepLR(2, gamma=0.5)", "CosineAnnealingWarmRestarts(5)"),
];

/// The most memory that a process has had, in KiB; none if it has ended.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Looks at the peak until the time is over or the child has ended.
fn watched(child: &mut Child, time: Duration) -> u64 {
    let (start, mut most) = (Instant::now(), 0);
    while start.elapsed() < time && child.try_wait().expect("a child").is_none() {
        most = most.max(peak(child).unwrap_or(0));
        sleep(Duration::from_millis(20));
    }
    most.max(peak(child).unwrap_or(0))
}

/// Sends a signal until it has an effect: one that comes before the program listens is lost where the shell has it ignored (`nohup`).
/// The exit code is none if the signal itself ended it.
fn ended(child: &mut Child, name: &str) -> Option<i32> {
    loop {
        signal(child, name);
        watched(child, Duration::from_secs(5));
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
    }
}

/// What the newest checkpoint has come to; that of a killed process is never damaged.
#[track_caller]
fn place(run: &Path) -> (usize, usize) {
    let newest = Checkpoint::newest(&run.join("checkpoints")).unwrap_or_else(|e| panic!("{e}"));
    newest.map_or((0, 0), |c| {
        assert_eq!(c.warning(), None);
        (c.epoch(), c.batch())
    })
}

struct Killed {
    kills: usize,
    /// The peak of each child in KiB.
    peaks: Vec<u64>,
}

/// Trains for so long, each piece until it is ended at a random instant.
fn killed_for(folder: &Folder, time: Duration) -> Killed {
    let run = folder.0.join("run");
    let (start, mut random, mut peaks, mut before) = (Instant::now(), fractions(), Vec::new(), (0, 0));
    let mut kills = 0;
    while start.elapsed() < time {
        let begun = run.join("config.toml").exists();
        if !begun {
            // What was ended before it was a run leaves an empty directory at most.
            _ = fs::remove_dir_all(&run);
        }
        let args =
            if begun { &["train", "--resume", "run"][..] } else { &["train", "r.toml", "--output", "run"] };
        let mut child = spawn(folder, &[args, &["--quiet"]].concat());
        // Most pieces are short, so that many ends fall on a beginning; some have the time to grow.
        let instant = random.next().expect("no end");
        peaks.push(watched(&mut child, Duration::from_secs_f64(0.05 + 20.0 * instant.powi(3))));
        let name = SIGNALS[kills % SIGNALS.len()];
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {:?}", child.wait_with_output());
        let code = ended(&mut child, name);
        assert!([None, Some(130), Some(143)].contains(&code), "{name}: exit {code:?}");
        kills += 1;
        let now = place(&run);
        assert!(now >= before, "kill {kills}: {now:?} after {before:?}");
        before = now;
        if kills.is_multiple_of(50) {
            eprintln!(
                "{:.0} s: {kills} kills, {now:?}, peak {} KiB",
                start.elapsed().as_secs_f64(),
                peaks[kills - 1]
            );
        }
    }
    Killed { kills, peaks }
}

/// The greatest peak of the first and of the last quarter; they hardly differ.
fn is_flat(what: &str, peaks: &[u64]) {
    let quarter = peaks.len().div_ceil(4);
    let most = |peaks: &[u64]| *peaks.iter().max().expect("a quarter");
    let (early, late) = (most(&peaks[..quarter]), most(&peaks[peaks.len() - quarter..]));
    eprintln!("{what}: at most {early} KiB in the first quarter, {late} KiB in the last");
    assert!(late <= early + early / 10 + 4096, "{what}: {early} KiB grow to {late} KiB");
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes an hour, or REKINDLE_SOAK_SECONDS, and then as long as the run alone: \
            cargo test -p rekindle-cli --test cli an_hour -- --ignored --nocapture"]
fn an_hour_of_kills_loses_nothing_and_memory_stays_flat() {
    let seconds = std::env::var("REKINDLE_SOAK_SECONDS").map_or(3600, |text| text.parse().expect("seconds"));
    let (ours, alone) = (folder(), folder());
    let recipe = LONGER.iter().fold(ours.read("r.toml"), |text, (from, to)| text.replace(from, to));
    fs::write(ours.0.join("r.toml"), &recipe).unwrap();
    // Where a checkpoint is written does not show in the end; without them the other run is there sooner.
    fs::write(alone.0.join("r.toml"), recipe.replace("checkpoint_seconds = 0", "checkpoint_seconds = 60"))
        .unwrap();

    let Killed { kills, peaks } = killed_for(&ours, Duration::from_secs(seconds));
    let (run, epochs) = (ours.0.join("run"), (place(&ours.0.join("run")).0 + 2).to_string());
    eprintln!("{kills} kills and resumes in {seconds} s, {epochs} epochs");
    is_flat("a piece", &peaks);
    succeeds(&ours.rekindle(&["train", "--resume", "run", "--quiet", "--epochs", &epochs]));

    let mut child = spawn(&alone, &["train", "r.toml", "--output", "run", "--quiet", "--epochs", &epochs]);
    let mut alone_peaks = Vec::new();
    while child.try_wait().expect("a child").is_none() {
        alone_peaks.push(watched(&mut child, Duration::from_secs(1)));
    }
    assert!(child.wait().expect("an end").success());
    End::of(&run).is(&End::of(&alone.0.join("run")), "the soaked run");
    eprintln!("the same bytes as a run that was left alone for {} s", alone_peaks.len());
    // The last seconds draw pictures.
    is_flat("the run alone", &alone_peaks[..alone_peaks.len().saturating_sub(5).max(1)]);
}
