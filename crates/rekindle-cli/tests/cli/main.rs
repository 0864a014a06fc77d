//! The program as a user runs it: output, digits and exit codes.

mod browser;
mod combinations;
mod datasets;
mod devices;
mod export;
mod faults;
mod malformed;
mod not_finite;
mod other_data;
mod own_data;
mod pages;
mod predict;
mod resume;
mod runs;
mod serve;
mod soak;
mod train;
mod trials;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of its own that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rekindle-cli-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// Runs the program in the folder.
    fn rekindle(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
        command.args(args).current_dir(&self.0).output().expect("the program runs")
    }

    fn read(&self, name: &str) -> String {
        let path = self.0.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the program in a folder that nobody looks at.
fn rekindle(args: &[&str]) -> Output {
    Folder::new().rekindle(args)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is text")
}

/// The output of a command that succeeds.
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(output)
}

/// The folder of the data sets, if it is there; else says loudly that something is not tested.
fn image_data() -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var("REKINDLE_DATA").unwrap_or_else(|_| beside.into());
    let data = std::path::absolute(data).expect("a path").display().to_string();
    let there = std::path::Path::new(&data).join("mnist").exists();
    if !there {
        _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: there is no MNIST in {data}. Set REKINDLE_DATA to the folder that holds mnist/ and run again."
        );
    }
    there.then_some(data)
}

fn fails_with(output: &Output, code: i32, message: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{stderr}");
}

#[test]
fn the_program_says_what_it_is() {
    assert_eq!(stdout(&rekindle(&["--version"])), format!("rekindle {}\n", env!("CARGO_PKG_VERSION")));
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_train", &["train", "--help"]),
        ("help_evaluate", &["evaluate", "--help"]),
        ("help_plot", &["plot", "--help"]),
        ("help_init", &["init", "--help"]),
        ("help_check", &["check", "--help"]),
        ("help_predict", &["predict", "--help"]),
        ("help_serve", &["serve", "--help"]),
        ("help_export", &["export", "--help"]),
        ("help_inspect", &["inspect", "--help"]),
        ("help_completions", &["completions", "--help"]),
        ("help_man", &["man", "--help"]),
        ("help_datasets", &["datasets", "--help"]),
        ("help_devices", &["devices", "--help"]),
        ("help_datasets_show", &["datasets", "show", "--help"]),
    ] {
        let help = stdout(&rekindle(args));
        assert!(help.lines().all(|line| line.len() <= 110), "nothing wraps lines: {help}");
        insta::assert_snapshot!(name, help);
    }
}
