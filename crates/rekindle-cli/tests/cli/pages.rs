//! The pages of the documentation: their commands are run, and print what the pages say.
//!
//! `UPDATE_PAGES=1 cargo test -p rekindle-cli --test cli pages` writes down what is printed now, but keeps blocks with `...` in them.

use crate::Folder;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command of a page and what is below it.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// The steps of all `console` blocks, in order, one list for each block.
fn steps(page: &str) -> Vec<Vec<Step>> {
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            let mut steps: Vec<Step> = Vec::new();
            for line in block.lines() {
                match line.strip_prefix("$ ") {
                    Some(command) => steps.push(Step { command: command.into(), expected: Vec::new() }),
                    None => steps.last_mut().expect("a command first").expected.push(line.into()),
                }
            }
            steps
        })
        .collect()
}

/// What a command prints, on either stream, without the times.
fn run(folder: &Path, command: &str) -> Vec<String> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rekindle"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = format!("({command}) 2>&1");
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(folder).env("PATH", path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| without_times(line.trim_end())).collect()
}

/// `0.3s` and `0.3 s` say how fast a machine was; what is left is the same everywhere.
fn without_times(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(String::from).collect();
    for i in 0..words.len() {
        let next = words.get(i + 1).map(|next| next.trim_end_matches([';', ','])) == Some("s");
        let number = |text: &str| text.contains('.') && text.parse::<f64>().is_ok();
        if words[i].strip_suffix('s').is_some_and(number) {
            words[i] = "0.0s".into();
        } else if next && number(&words[i]) {
            words[i] = "0.0".into();
        }
    }
    words.join(" ")
}

/// Whether lines are as expected, where `...` is any number of them.
fn matches(expected: &[String], got: &[String]) -> bool {
    match expected.split_first() {
        None => got.is_empty(),
        Some((first, rest)) if first == "..." => (0..=got.len()).any(|skip| matches(rest, &got[skip..])),
        Some((first, rest)) => got.first() == Some(first) && matches(rest, &got[1..]),
    }
}

/// Data that the pages speak of.
fn fill(folder: &Folder) {
    for name in ["iris", "wine", "breast-cancer"] {
        let from = format!("{}/../../data/{name}.csv", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(from, folder.0.join(format!("{name}.csv"))).unwrap();
    }
    let row = |i: usize| {
        let (town, size) = (
            ["Seoul", "Jeonju", "Busan"][i % 3],
            if i.is_multiple_of(9) { String::new() } else { format!("{}.5", i % 10) },
        );
        let day = 1 + i % 28;
        format!(
            "{i},{size},{town},{},2026-03-{day:02},{}\n",
            ["yes", "no"][i % 2],
            ["no", "yes"][usize::from(i.is_multiple_of(3))]
        )
    };
    let rows: String = (0..120).map(row).collect();
    std::fs::write(folder.0.join("shop.csv"), format!("order,weight,town,member,sold_on,returned\n{rows}"))
        .unwrap();
    for i in 0..40u8 {
        let (class, base) = if i % 2 == 0 { ("dark", 20) } else { ("light", 200) };
        let image = image::GrayImage::from_fn(12, 12, |x, y| image::Luma([base + i % 8 + (x + y) as u8]));
        let path = folder.0.join(format!("photos/{class}/{i:02}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
    }
}

#[test]
fn the_page_about_data_of_one_s_own_is_true() {
    is_true("own-data.md");
}

#[test]
fn the_page_about_other_programs_is_true() {
    is_true("interchange.md");
}

fn is_true(name: &str) {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut page = std::fs::read_to_string(&path).unwrap();
    let folder = Folder::new();
    fill(&folder);
    let mut wrong = Vec::new();
    for block in steps(&page) {
        let mut now = String::new();
        let before: String = block.iter().map(shown).collect();
        for step in &block {
            let got = run(&folder.0, &step.command);
            if !matches(&step.expected, &got) {
                wrong.push(format!(
                    "$ {}\nthe page says\n{}\nand it prints\n{}",
                    step.command,
                    step.expected.join("\n"),
                    got.join("\n")
                ));
            }
            now += &shown(&Step { command: step.command.clone(), expected: got });
        }
        if !block.iter().any(|step| step.expected.iter().any(|line| line == "...")) {
            page = page.replacen(&before, &now, 1);
        }
    }
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn shown(step: &Step) -> String {
    let lines: String = step.expected.iter().map(|line| format!("{line}\n")).collect();
    format!("$ {}\n{lines}", step.command)
}

#[test]
fn lines_may_be_left_out_but_not_made_up() {
    let lines = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
    assert!(matches(&lines("a ... d"), &lines("a b c d")) && matches(&lines("a b"), &lines("a b")));
    assert!(!matches(&lines("a ... e"), &lines("a b c d")) && !matches(&lines("a"), &lines("a b")));
    assert_eq!(
        without_times("test 0.93; 259 parameters, 0.1 s; runs"),
        "test 0.93; 259 parameters, 0.0 s; runs"
    );
    assert_eq!(without_times("  10  0.25125  12.5s"), "  10  0.25125  0.0s");
}
