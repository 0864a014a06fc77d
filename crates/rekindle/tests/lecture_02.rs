//! The examples of lecture 02 print and draw what `docs/lecture-02.md` shows; its exercises reach their goals.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn page() -> String {
    fs::read_to_string(docs().join("lecture-02.md")).expect("the page is there")
}

/// What a run of an example left: its output, and its pictures until it is dropped.
struct Run {
    output: String,
    folder: PathBuf,
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs an example. Cargo builds examples before it runs tests (unless told which), into the folder beside them.
fn run(example: &str, test: &str) -> Run {
    let this = std::env::current_exe().expect("a test has a path");
    let target = this.parent().and_then(Path::parent).expect("tests are in target/PROFILE/deps");
    let program = target.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let folder = std::env::temp_dir().join(format!("rekindle-{test}-{example}-{}", std::process::id()));
    let run = Command::new(&program)
        .arg(&folder)
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}; plain cargo test -p rekindle builds it", program.display()));
    assert!(run.status.success(), "{example}: {}", String::from_utf8_lossy(&run.stderr));
    Run { output: String::from_utf8(run.stdout).expect("text is UTF-8"), folder }
}

/// The examples in the order of the page, each with the lines that it is said to print.
fn shown() -> Vec<(String, Vec<String>)> {
    let page = page();
    let mut examples: Vec<(String, Vec<String>)> = Vec::new();
    let mut block = None;
    for line in page.lines() {
        match (block, line.strip_prefix("```")) {
            (Some(_), Some(_)) => block = None,
            (None, Some(kind)) => block = Some(kind),
            (Some("text"), None) if line != "..." => {
                examples.last_mut().expect("a command comes first").1.push(line.to_string());
            }
            (Some("sh"), None) => {
                let name = line.strip_prefix("cargo run --release -p rekindle --example ");
                examples.extend(name.map(|name| (name.to_string(), Vec::new())));
            }
            _ => {}
        }
    }
    examples
}

/// The files in the folders of a folder, as `folder/file`, and what they hold.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |folder: &Path| fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<(String, Vec<u8>)> = read(folder)
        .map(|entry| entry.expect("the folder can be read"))
        .map(|entry| {
            (entry.file_name().into_string().expect("a name"), fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_example_of_the_lecture_is_on_the_page() {
    let on_page: BTreeSet<String> = shown().into_iter().map(|(name, _)| name).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let there =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").file_name());
    let names = there.map(|name| name.into_string().expect("a name").replace(".rs", ""));
    let there: BTreeSet<String> = names.filter(|name| name.starts_with("02_")).collect();
    assert_eq!(on_page, there);
}

#[test]
fn every_stored_picture_is_shown_once() {
    let page = page();
    for (example, _) in shown() {
        for (file, _) in files(&docs().join("pictures").join(&example)) {
            let link = format!("](pictures/{example}/{file})");
            assert_eq!(page.matches(&link).count(), 1, "{link}");
        }
    }
    let stored: usize =
        shown().iter().map(|(example, _)| files(&docs().join("pictures").join(example)).len()).sum();
    assert_eq!(page.matches("](pictures/").count(), stored);
}

/// The lines in their order; the example may print more between them.
#[test]
fn the_page_shows_what_the_examples_print_and_draw() {
    for (example, lines) in shown() {
        assert!(!lines.is_empty(), "the page shows nothing that {example} prints");
        let run = run(&example, "page");
        let mut printed = run.output.lines();
        for line in &lines {
            assert!(
                printed.any(|l| l == line),
                "{example} does not print, or not here: {line}\n{}",
                run.output
            );
        }
        let (drawn, stored) = (files(&run.folder), files(&docs().join("pictures").join(&example)));
        let names =
            |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&drawn), names(&stored), "{example}: pictures");
        // Elsewhere the last bit of a sine or a blended pixel may differ.
        if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            for ((name, drawn), (_, stored)) in drawn.iter().zip(&stored) {
                assert!(
                    drawn == stored,
                    "{example}/{name} changed; write it again as the page says at its end"
                );
            }
        }
    }
}

#[test]
fn exercises_reach_their_goals() {
    for (example, goal) in [("02_moons", 96.0), ("02_spirals", 95.0)] {
        let output = &run(example, "goal").output;
        let accuracy =
            output.lines().find_map(|line| line.strip_prefix("Test accuracy: ")?.strip_suffix('%'));
        let accuracy: f64 =
            accuracy.and_then(|text| text.parse().ok()).expect("the example says how good it is");
        assert!(accuracy >= goal, "{example}: {accuracy} % of the test samples are right, not {goal} %");
    }
}
