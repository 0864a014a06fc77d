//! `cargo xtask golden DIR...`: runs every case of the golden files in the folders given (SPEC section 16)
//! and compares each result with the stored one.
//!
//! A case is a small Python program as data. [`eval`] walks it with one table from PyTorch's, NumPy's and
//! scikit-learn's names to this library; a name outside the table skips the case. A trajectory is a training
//! program as text, run with the parameters of the case.

mod array;
mod ast;
mod case;
mod compare;
mod eval;
mod exact;
mod fault;
mod index;
mod names;
mod operators;
mod outputs;
mod parse;
mod pyformat;
mod report;
mod trajectory;
mod value;

use fault::Fault;
use report::Report;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the command line says.
#[derive(Default)]
pub struct Options {
    pub dirs: Vec<PathBuf>,
    /// Folder of MNIST and Fashion-MNIST.
    pub data: Option<PathBuf>,
    /// Only cases whose `file/id` contains this.
    pub only: Option<String>,
}

impl Options {
    /// The folder of the images, if it is there.
    pub fn data_folder(&self) -> Option<PathBuf> {
        Some(crate::data_dir(self.data.clone())).filter(|folder| folder.is_dir())
    }
}

/// Runs the command.
pub fn main(args: Vec<String>) -> ExitCode {
    let options = match parse_options(args) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("golden: {message}");
            return ExitCode::from(2);
        }
    };
    run(&options).finish()
}

/// Runs the cases of all folders.
fn run(options: &Options) -> Report {
    let mut report = Report::default();
    for dir in &options.dirs {
        match json_files(dir) {
            Ok(files) if files.is_empty() => report.error(format!("no *.json in {}", dir.display())),
            Ok(files) => files.iter().for_each(|path| run_file(path, options, &mut report)),
            Err(e) => report.error(format!("cannot list {}: {e}", dir.display())),
        }
    }
    report
}

fn parse_options(args: Vec<String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--data" => options.data = Some(args.next().ok_or("--data needs a folder")?.into()),
            "--only" => options.only = Some(args.next().ok_or("--only needs a text")?),
            flag if flag.starts_with("--") => return Err(format!("unknown option {flag}")),
            dir => options.dirs.push(dir.into()),
        }
    }
    if options.dirs.is_empty() { Err("no folder given".into()) } else { Ok(options) }
}

fn json_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Runs the cases of one file.
fn run_file(path: &Path, options: &Options, report: &mut Report) {
    let json = match read(path) {
        Ok(json) => json,
        Err(message) => return report.error(format!("{}: {message}", path.display())),
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (Some(head), Some(cases)) = (json.get("head"), json.get("cases").and_then(Json::as_array)) else {
        return report.error(format!("{}: not a golden file (no `head` or no `cases`)", path.display()));
    };
    for (i, case) in cases.iter().enumerate() {
        let id = case.get("id").and_then(Json::as_str).map_or(format!("case {i}"), str::to_string);
        let name = format!("{stem}: {id}");
        if options.only.as_ref().is_none_or(|text| name.contains(text)) {
            report.case(name, caught(|| case::run(head, case, options)));
        }
    }
}

fn read(path: &Path) -> Result<Json, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    serde_json::from_str(&without_bare_floats(&text)).map_err(|e| e.to_string())
}

/// Python writes `NaN`, `Infinity` and `-Infinity` bare, which JSON has no way to say; they become strings.
fn without_bare_floats(text: &str) -> String {
    if !["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
        return text.to_string();
    }
    let (mut out, mut rest, mut in_string) = (String::with_capacity(text.len()), text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|w| !in_string && rest.starts_with(w));
        let used = match (word, c) {
            (Some(word), _) => {
                out += &format!("\"{word}\"");
                word.len()
            }
            (None, '\\') if in_string => {
                let n = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out += &rest[..n];
                n
            }
            (None, c) => {
                in_string ^= c == '"';
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    out
}

/// Runs one case; a panic inside it is a failure with the panic's message.
fn caught(run: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    std::panic::set_hook(Box::new(|_| ()));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    let _ = std::panic::take_hook();
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("(no message)");
        Err(Fault::Failed(format!("panicked: {text}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_floats_become_strings_outside_strings_only() {
        let text = r#"{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \" Infinity", "NaN": 1}"#;
        let json: Json = serde_json::from_str(&without_bare_floats(text)).unwrap();
        assert_eq!(json["a"], "NaN");
        assert_eq!(json["b"], serde_json::json!(["-Infinity", "Infinity"]));
        assert_eq!(json["c"], "NaN \" Infinity");
        assert_eq!(json["NaN"], 1);
    }

    #[test]
    fn the_vectors_of_the_repository_pass() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let report = run(&Options { dirs: vec![folder], ..Options::default() });
        assert_eq!(report.counts(), [80, 0, 0], "passed, failed, skipped");
    }

    #[test]
    fn a_panic_is_a_failure_with_its_message() {
        assert_eq!(caught(|| panic!("no {}", 7)), Err(Fault::Failed("panicked: no 7".into())));
        assert_eq!(caught(|| Ok(())), Ok(()));
    }

    #[test]
    fn options_are_read() {
        let args = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
        let options = parse_options(args(&["a", "--data", "d", "b"])).unwrap_or_default();
        assert_eq!((options.dirs.len(), options.data), (2, Some("d".into())));
        assert!(parse_options(args(&[])).is_err());
        assert!(parse_options(args(&["a", "--what"])).is_err());
    }
}
