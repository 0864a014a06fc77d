//! `cargo xtask lectures [--data DIR] [--full] [IDS]`: the seeded experiments of the lectures, run from `recipes/`, and the
//! worked examples of their texts, held against what the lectures and PyTorch print. Without `--full` the nets that take
//! minutes are trained for a few of their epochs.

mod examples;
mod experiments;
mod lecture_02;

use crate::say;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One figure: what the lecture prints, what PyTorch prints on a CPU, and what we got.
pub struct Check {
    id: String,
    what: String,
    printed: String,
    torch: String,
    ours: String,
    same: bool,
    /// Why a difference is allowed or what it consists of.
    note: String,
}

impl Check {
    /// A check of a text that the lecture prints, and PyTorch too.
    pub fn text(id: &str, what: impl Into<String>, expected: &str, ours: impl Into<String>) -> Check {
        let ours = ours.into();
        let same = ours == expected;
        let (printed, torch) = (expected.to_string(), expected.to_string());
        Check { id: id.into(), what: what.into(), printed, torch, ours, same, note: String::new() }
    }

    /// The same check of something that the lecture does not print.
    pub fn not_in_the_lecture(self) -> Check {
        Check { printed: "-".into(), ..self }
    }
}

/// Where recipes and data lie, and what to run.
pub struct Options {
    /// The folder of the image files.
    pub data: PathBuf,
    /// Whether what takes minutes is trained to its end.
    pub full: bool,
    /// The experiments to run; all when empty.
    pub ids: Vec<String>,
}

impl Options {
    fn wants(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|i| i == id)
    }

    /// An id that does not exist is an error even beside others that do.
    fn all_known(&self) -> Result<(), String> {
        let mut known = experiments::ids();
        known.extend(examples::IDS);
        known.extend(lecture_02::IDS);
        match self.ids.iter().find(|id| !known.contains(id.as_str())) {
            None => Ok(()),
            Some(id) => {
                let known: Vec<&str> = known.into_iter().collect();
                Err(format!("lectures: no experiment is called {id}; there are {}", known.join(", ")))
            }
        }
    }
}

/// Runs the command.
pub fn main(args: Vec<String>) -> ExitCode {
    let options = match parse(args) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if let Err(message) = options.all_known() {
        eprintln!("{message}");
        return ExitCode::from(2);
    }
    say!("{:<14} {:<34} {:>12} {:>12} {:>12}  same?", "id", "what", "lecture", "PyTorch CPU", "Rekindle");
    let mut count = (0, 0);
    let mut show = |check: Check| {
        count = if check.same { (count.0 + 1, count.1) } else { (count.0, count.1 + 1) };
        print(&check);
    };
    let result = examples::run(&options, &mut show)
        .and_then(|()| lecture_02::run(&options, &mut show))
        .and_then(|()| experiments::run(&options, &mut show));
    if let Err(message) = result {
        eprintln!("{message}");
        return ExitCode::FAILURE;
    }
    let (same, different) = count;
    say!("{same} same, {different} different");
    if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(args: Vec<String>) -> Result<Options, String> {
    let (mut data, mut full, mut ids) = (None, false, Vec::new());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--data" => data = Some(args.next().ok_or("lectures: --data needs a folder")?.into()),
            "--full" => full = true,
            flag if flag.starts_with('-') => return Err(format!("lectures: there is no flag {flag}")),
            id => ids.push(id.to_string()),
        }
    }
    Ok(Options { data: crate::data_dir(data), full, ids })
}

fn print(c: &Check) {
    let verdict = if c.same { "same" } else { "DIFFERENT" };
    let note = if c.note.is_empty() { String::new() } else { format!(" ({})", c.note) };
    if [&c.printed, &c.torch, &c.ours].iter().any(|t| t.contains('\n')) {
        say!("{:<14} {:<34} {verdict}{note}", c.id, c.what);
        if !c.same {
            say!("expected:\n{}\ngot:\n{}", c.torch, c.ours);
        }
    } else {
        say!("{:<14} {:<34} {:>12} {:>12} {:>12}  {verdict}{note}", c.id, c.what, c.printed, c.torch, c.ours);
    }
}

/// The recipe of an experiment, from the repository.
pub fn recipe(id: &str) -> Result<rekindle::train::Recipe, String> {
    let file = format!("{}.toml", id.replace('/', "-"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes").join(file);
    rekindle::train::Recipe::from_file(&path).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(ids: &[&str]) -> Options {
        parse(ids.iter().map(|id| id.to_string()).collect()).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn an_unknown_id_beside_a_known_one_is_an_error() {
        assert_eq!(options(&["02/model_1", "softmax"]).all_known(), Ok(()));
        let e = options(&["02/model_1", "02/model_9"]).all_known().unwrap_err();
        assert!(
            e.starts_with("lectures: no experiment is called 02/model_9; there are 02/by-hand, 02/circles, "),
            "{e}"
        );
    }

    #[test]
    fn every_id_has_examples_or_a_recipe() {
        for id in experiments::ids() {
            recipe(id).unwrap_or_else(|e| panic!("{e}"));
        }
    }

    /// The examples that need no files.
    #[test]
    fn worked_examples_print_what_the_lectures_print() {
        let mut count = 0;
        let mut show = |check: Check| {
            count += 1;
            assert!(check.same, "{} {}: {} is not {}", check.id, check.what, check.ours, check.torch);
        };
        examples::run(&options(&["softmax", "losses"]), &mut show).unwrap_or_else(|e| panic!("{e}"));
        lecture_02::run(&options(&[]), &mut show).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(count, 15 + 42);
    }

    #[test]
    fn flags_are_read() {
        let args = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
        assert_eq!(
            parse(args(&["--data", "d", "x"])).map(|o| (o.data, o.full, o.ids)),
            Ok(("d".into(), false, vec!["x".into()]))
        );
        assert!(parse(args(&["--full"])).is_ok_and(|o| o.full));
        assert!(parse(args(&["--data"])).is_err() && parse(args(&["--dat"])).is_err());
    }
}
