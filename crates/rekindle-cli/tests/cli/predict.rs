//! Answers that are none, that clash, and that are many.

use crate::{Folder, fails_with, succeeds};

/// A folder with the run of a small table, and the table.
fn learned() -> (Folder, String) {
    let folder = Folder::new();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i / 2, ["low", "high"][i / 30])).collect();
    let table = format!("x,level\n{rows}");
    folder.put("t.csv", &table);
    folder.learn("t.csv", "level", &["--epochs", "2"]);
    (folder, table)
}

/// The files of the folder.
fn files(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_table_without_rows_has_no_answers_in_any_format() {
    let (folder, _) = learned();
    folder.put("none.csv", "x,level\n");
    let before = files(&folder);
    let message = "error: none.csv: line 1: a header, but no rows; write at least one row below it\n";
    let output = |name| ["predict", "run", "none.csv", "--output", name];
    for args in
        [&["predict", "run", "none.csv"][..], &output("a.csv"), &output("a.jsonl"), &output("a.parquet")]
    {
        let answer = folder.rekindle(args);
        fails_with(&answer, 1, message);
        assert!(answer.stdout.is_empty());
    }
    assert_eq!(files(&folder), before, "no file, and no temporary one");
}

#[test]
fn a_column_that_is_kept_is_not_called_as_an_answer() {
    let (folder, table) = learned();
    folder.put("old.csv", table.replace("level", "probability_low"));
    let before = files(&folder);
    let message = "error: old.csv: column `probability_low`: --keep gives it, and the answers have a column of this name; \
                   rename it, or leave out --keep\n";
    for format in ["csv", "json", "parquet"] {
        let answer = folder.rekindle(&["predict", "run", "old.csv", "--keep", "--format", format]);
        fails_with(&answer, 1, message);
        assert!(answer.stdout.is_empty());
        let args = ["predict", "run", "old.csv", "--keep", "--format", format, "--output", "answers"];
        fails_with(&folder.rekindle(&args), 1, message);
        succeeds(&folder.rekindle(&["predict", "run", "old.csv", "--format", format, "--output", "answers"]));
        std::fs::remove_file(folder.0.join("answers")).unwrap();
    }
    assert_eq!(files(&folder), before);
}

#[test]
fn half_an_answer_leaves_the_file_as_it_was() {
    let (folder, table) = learned();
    folder.put("bad.csv", table.repeat(200).replace("\nx,level", "") + "many,low\n");
    folder.put("answers.csv", "old");
    let before = files(&folder);
    let args = ["predict", "run", "bad.csv", "--output", "answers.csv"];
    fails_with(&folder.rekindle(&args), 1, "bad.csv: line 12002, column `x`: ");
    assert_eq!((folder.read("answers.csv").as_str(), files(&folder)), ("old", before));
    fails_with(
        &folder.rekindle(&["predict", "run", "t.csv", "--output", "no/a.csv"]),
        1,
        "no/a.csv: cannot write: ",
    );
}

#[test]
#[cfg(target_os = "linux")]
fn many_answers_are_not_held_until_the_end() {
    let (folder, table) = learned();
    folder.put("many.csv", table.repeat(5000).replace("\nx,level", ""));
    let held = |args: &[&str]| {
        let (held, output) =
            crate::own_data::peak(&folder, &[&["predict", "run", "many.csv"], args].concat());
        succeeds(&output);
        held / 1_000_000
    };
    let (json, csv) = (held(&["--output", "a.jsonl"]), held(&["--output", "a.csv"]));
    let parquet = held(&["--output", "a.parquet"]);
    let size = std::fs::metadata(folder.0.join("a.csv")).unwrap().len() / 1_000_000;
    println!("{size} MB of answers: {json} MB as JSON, {csv} MB as CSV, {parquet} MB as Parquet");
    assert_eq!(folder.read("a.csv").lines().count(), 300_001);
    assert!(size > 6 && csv < 30 && json < 30 && parquet < 60, "{size}: {json}, {csv}, {parquet} MB");
    // The groups of a Parquet file are read as one table.
    let found = succeeds(&folder.rekindle(&["inspect", "a.parquet", "--json"]));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&found).unwrap()["rows"].as_u64(), Some(300_000));
}
