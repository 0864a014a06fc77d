//! Malformed files of every format, each with the exact line that reports it.
//!
//! A file goes the way that it goes in the program: a recipe names it as data, weights go into a net. What is said about each is a
//! line of a snapshot, which holds the cases written by hand first and then the same files cut and changed byte by byte. A changed
//! file that is still a good one is no case. A few of each format go through the program itself.

mod arrays;
mod fuzz;
mod images;
mod recipes;
mod tables;
mod weights;

use crate::Folder;
use rekindle::train::{Recipe, Training};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What was said about the files of a format.
struct Corpus {
    folder: Folder,
    lines: Vec<String>,
    /// What should have been refused.
    accepted: Vec<String>,
}

impl Corpus {
    fn new() -> Corpus {
        Corpus { folder: Folder::new(), lines: Vec::new(), accepted: Vec::new() }
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        self.folder.put(name, bytes);
        self.folder.0.join(name)
    }

    /// What `read` says about something, which has to be one line that names `file`; none if it is taken.
    fn said<T>(&self, case: &str, file: &str, read: impl FnOnce() -> Result<T, String>) -> Option<String> {
        let result = catch_unwind(AssertUnwindSafe(|| read().err()));
        let said = result.unwrap_or_else(|_| panic!("panicked: {case}"))?;
        assert!(!said.chars().any(char::is_control), "one line: {case}: {said:?}");
        // What is wrong with a key names the recipe.
        assert!(said.contains(file) || said.contains(RECIPE), "it names {file}: {case}: {said}");
        assert!(!said.contains("panicked"), "{case}: {said}");
        Some(said.replace(&format!("{}/", self.folder.0.display()), ""))
    }

    /// Something that has to be refused.
    fn refuse<T>(&mut self, case: &str, file: &str, read: impl FnOnce() -> Result<T, String>) {
        match self.said(case, file, read) {
            Some(said) => self.lines.push(format!("{case}: {said}")),
            None => self.accepted.push(case.into()),
        }
    }

    /// Bytes that are refused as the file of this name.
    fn bytes<T>(
        &mut self,
        case: &str,
        file: &str,
        bytes: impl AsRef<[u8]>,
        read: impl FnOnce(&Path) -> Result<T, String>,
    ) {
        let path = self.put(file, bytes);
        self.refuse(case, file, || read(&path));
    }

    /// A good file, cut at every `step`-th byte, and with the bytes of `changed` changed to several others, one at a time. What
    /// is refused is a case. The good one is taken, or none of this says anything.
    fn damage<T>(
        &mut self,
        (case, file): (&str, &str),
        good: &[u8],
        (step, changed): (usize, std::ops::Range<usize>),
        read: impl Fn(&Path) -> Result<T, String>,
    ) {
        let path = self.put(file, good);
        assert_eq!(self.said(case, file, || read(&path)), None, "the good one: {case}");
        let cuts =
            (0..good.len()).step_by(step).map(|end| (format!("{case} cut at {end}"), good[..end].to_vec()));
        let changes = changed.flat_map(|at| {
            [0, 0x7f, 0xff].into_iter().filter(move |&byte| byte != good[at]).map(move |byte| {
                let mut bytes = good.to_vec();
                bytes[at] = byte;
                (format!("{case} with {byte:02x} at {at}"), bytes)
            })
        });
        for (case, bytes) in cuts.chain(changes).collect::<Vec<_>>() {
            let path = self.put(file, bytes);
            if let Some(said) = self.said(&case, file, || read(&path)) {
                self.lines.push(format!("{case}: {said}"));
            }
        }
    }

    /// Holds everything that was said against the snapshot of the format.
    fn finish(self, format: &str, least: usize) {
        assert!(self.accepted.is_empty(), "accepted: {:?}", self.accepted);
        assert!(self.lines.len() >= least, "{format}: {} cases", self.lines.len());
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("malformed_{format}"), self.lines.join("\n"));
        });
    }
}

const RECIPE: &str = "recipe.toml";

/// A recipe whose `[data]` is this. Its net fits no data.
fn recipe_of(loss: &str, data: &str) -> String {
    let outputs = if loss == "CrossEntropyLoss" { 2 } else { 1 };
    format!(
        "name = \"malformed\"\nseed = 1\nepochs = 1\nnet = [\"Flatten\", \"Linear(1, {outputs})\"]\nloss = \"{loss}\"\n\
         optimizer = \"SGD(lr=0.1)\"\n\n[data]\n{data}\n"
    )
}

/// Prepares a training on the data of a recipe that stands beside a file, as the program does. Data are taken if it is the net that
/// does not fit them.
fn load_data(path: &Path, data: &str) -> Result<(), String> {
    let toml = path.with_file_name(RECIPE);
    std::fs::write(&toml, recipe_of("CrossEntropyLoss", data)).unwrap();
    let recipe = Recipe::from_file(&toml).map_err(|e| e.to_string())?;
    match Training::new(&recipe, None).map(drop).map_err(|e| e.to_string()) {
        Err(e) if e.contains("recipe.toml: net: ") => Ok(()),
        other => other,
    }
}

impl Folder {
    /// Trains on malformed data: one line says why not, and nothing is left behind.
    fn fails_to_train(&self, data: &str, file: &str) {
        self.put("recipe.toml", recipe_of("CrossEntropyLoss", data));
        for command in [&["check", "recipe.toml"][..], &["train", "recipe.toml", "--output", "run"]] {
            self.fails(command, file);
        }
        for made in ["run", "runs"] {
            assert!(!self.0.join(made).exists(), "{made} of {data}");
        }
    }

    /// Runs the program, which ends with 1 and one line that names the file.
    fn fails(&self, args: &[&str], file: &str) {
        let output = self.rekindle(args);
        let (stdout, stderr) = (crate::stdout(&output), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), stdout.as_str()), (Some(1), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(file), "{args:?}: {stderr}");
        assert!(stderr.lines().count() == 1 && !stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}
