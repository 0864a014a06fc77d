//! What the fuzz targets have found, and what they begin with, replayed.

#[path = "../../../../../fuzz/src/lib.rs"]
mod parsers;

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_parser_takes_every_file_of_its_corpus_without_panic_and_within_its_memory() {
    for (parser, _) in parsers::PARSERS {
        let corpus = folder().join("corpus").join(parser);
        let files = names(&corpus);
        assert!(files.len() >= 5, "{parser}: {} files", files.len());
        for file in files {
            let bytes = fs::read(corpus.join(&file)).unwrap();
            // The name of the file is on the screen if it panics.
            eprintln!("{parser}/{file}: {} bytes held", parsers::run(parser, &bytes));
        }
    }
}

#[test]
fn every_parser_has_a_target_and_every_target_a_parser() {
    let mut parsers: Vec<String> =
        parsers::PARSERS.iter().map(|(parser, _)| format!("{parser}.rs")).collect();
    parsers.sort();
    assert_eq!(names(&folder().join("fuzz_targets")), parsers);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for (parser, _) in parsers::PARSERS {
        let target = fs::read_to_string(folder().join(format!("fuzz_targets/{parser}.rs"))).unwrap();
        assert!(target.contains(&format!("run(\"{parser}\", bytes)")), "{target}");
        assert!(manifest.contains(&format!("name = \"{parser}\"")), "{parser}");
    }
}

/// What is shipped is what is tested here: where a size wraps around, it panics, and the panic is an error.
#[test]
fn what_computes_sizes_checks_overflow_in_release_builds() {
    let manifest = fs::read_to_string(folder().join("../Cargo.toml")).unwrap();
    let ours = ["tensor", "nn", "data", "train", "serve", "cli"].map(|name| format!("rekindle-{name}"));
    let readers = ["parquet", "image", "png", "zune-jpeg", "flate2", "miniz_oxide", "fdeflate"];
    for name in ours.into_iter().chain(readers.map(String::from)) {
        let section = format!("[profile.release.package.{name}]\noverflow-checks = true\n");
        assert!(manifest.contains(&section), "{name}");
    }
}
