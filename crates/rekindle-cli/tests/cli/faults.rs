//! Disks that are full, folders that nobody may write into, limits, and a fault at the nth system call: the checkpoint before
//! is intact, the program says in one line what could not be written and why, and the run can be gone on with.

use crate::resume::{End, begin, folder, resume, undisturbed};
use crate::{Folder, fails_with, succeeds};
use rekindle::train::Checkpoint;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

/// Exit 1 and one line, with a cause.
#[track_caller]
fn says(output: &Output, causes: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    fails_with(output, 1, "error: ");
    assert!(stderr.lines().count() == 1 && causes.iter().any(|cause| stderr.contains(cause)), "{stderr}");
}

/// The newest checkpoint of a run, which is whole and not the one before a damaged one.
#[track_caller]
fn newest(run: &Path) -> Option<Checkpoint> {
    let newest = Checkpoint::newest(&run.join("checkpoints")).unwrap_or_else(|e| panic!("{e}"));
    assert!(newest.as_ref().is_none_or(|c| c.warning().is_none()), "{newest:?}");
    newest
}

/// Runs a command of the system; whether it could.
fn system(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// A file system of its own that is unmounted in the end.
struct Mounted(String);

impl Mounted {
    /// None where this process may not mount.
    fn new(path: &Path, options: &str) -> Option<Mounted> {
        let path = path.to_str().expect("text").to_string();
        fs::create_dir_all(&path).unwrap();
        if system("mount", &["-t", "tmpfs", "-o", options, "none", &path]) {
            return Some(Mounted(path));
        }
        _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: mounting is not permitted here. Run the tests as root to try full and read-only disks."
        );
        None
    }

    fn again(&self, options: &str) {
        assert!(system("mount", &["-o", &format!("remount,{options}"), &self.0]), "{options}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        system("umount", &["-l", &self.0]);
    }
}

/// Disks of four to twenty pages; on the larger ones more is written before they are full.
#[test]
fn a_full_disk_leaves_the_checkpoint_before_and_the_run_ends_the_same_when_there_is_room() {
    let whole = undisturbed().0;
    let mut of_checkpoints = 0;
    for pages in (4..20).step_by(2) {
        let folder = folder();
        let run = folder.0.join("disk/run");
        let Some(disk) = Mounted::new(&folder.0.join("disk"), &format!("size={}", pages * 4096)) else {
            return;
        };
        let full = folder.rekindle(&["train", "r.toml", "--quiet", "--output", "disk/run"]);
        says(&full, &["No space left on device (os error 28)"]);
        let stderr = String::from_utf8_lossy(&full.stderr).into_owned();
        let before = newest(&run).map(|c| (c.epoch(), c.batch()));
        if stderr.contains("disk/run/checkpoints/last.ckpt: cannot write: No space") {
            assert_eq!(stderr.contains("; the checkpoint before it is intact"), before.is_some(), "{stderr}");
            of_checkpoints += usize::from(before.is_some());
        }
        says(&folder.rekindle(&["train", "--resume", "disk/run"]), &["No space left on device"]);
        assert!(newest(&run).map(|c| (c.epoch(), c.batch())) >= before);
        disk.again("size=8m");
        succeeds(&folder.rekindle(&["train", "--resume", "disk/run", "--quiet"]));
        End::of(&run).is(&whole, &format!("after a disk of {pages} pages"));
    }
    assert!(
        of_checkpoints >= 2,
        "{of_checkpoints} disks were full when a checkpoint was to follow another one"
    );
}

#[test]
fn a_read_only_folder_is_one_line_and_changes_nothing() {
    let folder = folder();
    let run = folder.0.join("disk/run");
    let Some(disk) = Mounted::new(&folder.0.join("disk"), "size=8m") else { return };
    succeeds(&folder.rekindle(&["train", "r.toml", "--quiet", "--output", "disk/run", "--epochs", "2"]));
    let before = fs::read(run.join("checkpoints/last.ckpt")).unwrap();
    disk.again("ro");
    let output = folder.rekindle(&["train", "--resume", "disk/run", "--epochs", "6"]);
    says(&output, &["disk/run/config.toml: cannot write: Read-only file system"]);
    says(
        &folder.rekindle(&["train", "r.toml", "--output", "disk/other"]),
        &["disk/other: cannot make the directory: Read-only file system"],
    );
    assert!(fs::read(run.join("checkpoints/last.ckpt")).unwrap() == before);
    disk.again("rw");
    succeeds(&folder.rekindle(&["train", "--resume", "disk/run", "--epochs", "6", "--quiet"]));
    End::of(&run).is(&undisturbed().0, "after a read-only disk");
}

#[test]
#[cfg(target_os = "linux")]
fn a_limit_of_the_size_of_files_is_an_error_and_not_the_end_of_the_process() {
    let folder = folder();
    let limited = |blocks: u32, args: &str| {
        let line =
            format!("ulimit -f {blocks}; exec {} train --quiet {args}", env!("CARGO_BIN_EXE_rekindle"));
        Command::new("bash").args(["-c", &line]).current_dir(&folder.0).output().expect("bash runs")
    };
    says(&limited(2, "r.toml --output run"), &["last.ckpt: cannot write: File too large (os error 27)"]);
    assert!(newest(&folder.0.join("run")).is_none());
    succeeds(&resume(&folder, &[]));
    End::of(&folder.0.join("run")).is(&undisturbed().0, "after a limit");
}

#[test]
fn a_file_where_the_checkpoints_should_be_is_said() {
    let folder = folder();
    succeeds(&begin(&folder, &["--epochs", "1"]));
    let checkpoints = folder.0.join("run/checkpoints");
    fs::remove_dir_all(&checkpoints).unwrap();
    fs::write(&checkpoints, "a file").unwrap();
    says(&resume(&folder, &["--epochs", "2"]), &["run/checkpoints: no checkpoint in it is whole"]);
}

#[test]
fn a_damaged_checkpoint_is_left_for_the_one_before_with_a_warning_and_two_are_an_error() {
    let folder = folder();
    succeeds(&begin(&folder, &["--epochs", "3"]));
    let [last, before] = ["last", "before-last"].map(|n| folder.0.join(format!("run/checkpoints/{n}.ckpt")));
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&last, &bytes).unwrap();
    let output = resume(&folder, &["--epochs", "6"]);
    succeeds(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("warning: run/checkpoints/last.ckpt: damaged: "), "{stderr}");
    assert!(stderr.ends_with("; going on from the checkpoint before it\n"), "{stderr}");
    End::of(&folder.0.join("run")).is(&undisturbed().0, "from the checkpoint before");

    for path in [last, before] {
        fs::write(path, &bytes).unwrap();
    }
    says(
        &resume(&folder, &["--epochs", "8"]),
        &["run/checkpoints: no checkpoint in it is whole (run/checkpoints/"],
    );
}

/// The system calls that put files on the disk, the fault, and what the program says of it.
const FAULTS: [(&str, &str, &str); 3] = [
    ("write", "ENOSPC", "No space left on device"),
    ("fsync", "EIO", "Input/output error"),
    ("rename", "EIO", "Input/output error"),
];

/// Runs the program with a fault at the nth call; none if it came to its end before.
fn with_fault(folder: &Folder, call: &str, error: &str, n: usize) -> Option<Output> {
    let (log, fault) = (folder.0.join("strace"), format!("{call}:error={error}:when={n}"));
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", &format!("inject={fault}"), "-o"])
        .arg(&log);
    strace.arg(env!("CARGO_BIN_EXE_rekindle")).args(["train", "r.toml", "--quiet", "--output", "run"]);
    let output = strace.current_dir(&folder.0).output().expect("strace runs");
    fs::read_to_string(log).unwrap().contains("(INJECTED)").then_some(output)
}

/// Whether system calls can be watched; else says loudly that something is not tested.
fn has_strace() -> bool {
    let there = system("strace", &["-f", "-qq", "-e", "trace=fsync", "-o", "/dev/null", "true"]);
    if !there {
        _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: system calls. Install strace, where ptrace is permitted, and run again."
        );
    }
    there
}

/// Every `stride`th call fails once.
fn every_fault_is_survived(stride: usize) {
    if !has_strace() {
        return;
    }
    let whole = undisturbed().0;
    for (call, error, cause) in FAULTS {
        let mut faults = 0;
        for n in (1..).step_by(stride) {
            let (folder, case) = (folder(), format!("{call} {n}"));
            let Some(output) = with_fault(&folder, call, error, n) else { break };
            says(&output, &[cause]);
            faults += 1;
            let run = folder.0.join("run");
            newest(&run);
            if run.join("config.toml").exists() && !run.join("report.json").exists() {
                succeeds(&resume(&folder, &[]));
                End::of(&run).is(&whole, &case);
            }
        }
        eprintln!(
            "{faults} faults of {call}: exit 1 with the cause, the checkpoint before intact, the same bytes in the end"
        );
        assert!(faults * stride > 60, "{faults} faults of {call}");
    }
}

#[test]
fn a_fault_at_the_nth_write_fsync_or_rename_leaves_the_checkpoint_before() {
    every_fault_is_survived(23);
}

#[test]
#[ignore = "takes minutes: cargo test -p rekindle-cli --test cli every_single_fault -- --ignored --nocapture"]
fn every_single_fault_of_write_fsync_and_rename_leaves_the_checkpoint_before() {
    every_fault_is_survived(1);
}

/// The path of the descriptor in a line of `strace -y`: `write(3</a/b>, ..`.
fn path_in(call: &str) -> Option<&str> {
    Some(call.split_once('<')?.1.split_once('>')?.0)
}

/// A save that survives a loss of power: all of it on the disk under another name, then the name, then the folder's entry.
#[test]
fn what_is_saved_is_written_synced_renamed_and_its_folder_synced_in_this_order() {
    if !has_strace() {
        return;
    }
    let folder = folder();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=write,fsync,rename", "-o", "strace"]);
    strace.arg(env!("CARGO_BIN_EXE_rekindle")).args(["train", "r.toml", "--quiet", "--output", "run"]);
    succeeds(&strace.current_dir(&folder.0).output().expect("strace runs"));
    let log = fs::read_to_string(folder.0.join("strace")).unwrap();
    let calls: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(' ').map(|(_, call)| call.trim())).collect();
    let of = |i: usize, name: &str, path: &str| {
        calls[i].starts_with(name) && path_in(calls[i]).is_some_and(|p| p.ends_with(path))
    };
    let mut saved = std::collections::BTreeMap::new();
    for (i, call) in calls.iter().enumerate().filter(|(_, call)| call.starts_with("rename")) {
        let names: Vec<&str> = call.split('"').collect();
        let (from, to) = (names[1], names[3]);
        // The second name of a checkpoint that is on the disk already; and what can be drawn again.
        if to.ends_with("before-last.ckpt") || to.ends_with(".png") {
            continue;
        }
        let last = |name: &str| {
            (0..i).rev().find(|&i| of(i, name, from)).unwrap_or_else(|| panic!("{name} before {call}"))
        };
        let (written, synced) = (last("write("), last("fsync("));
        assert!(written < synced, "{call}: written after it was synced");
        let parent = Path::new(to).parent().unwrap().to_str().unwrap();
        let next = (i + 1..calls.len()).find(|&i| !calls[i].starts_with("write(1<")).expect("a call");
        assert!(of(next, "fsync(", parent), "{call}: then {}", calls[next]);
        *saved.entry(to.rsplit('/').next().unwrap()).or_insert(0) += 1;
    }
    assert!(saved["last.ckpt"] > 40, "{saved:?}");
    for name in ["config.toml", "best.safetensors", "model.safetensors", "report.json"] {
        assert!(saved.contains_key(name), "{name} in {saved:?}");
    }
}
