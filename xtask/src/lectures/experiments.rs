//! The training runs, from their recipes, figure by figure.

use super::{Check, Options, recipe};
use rekindle::train::{EpochRow, Trained, run as train};
use std::collections::BTreeSet;

/// id, figure, epoch as the lecture counts it (`-` for the end), printed in the lecture, PyTorch on a CPU.
const EXPECTED: &str = include_str!("expected.tsv");

/// MNIST losses are sums over thousands of images in another order than MKL's; five decimals bind.
const LOSS_TOLERANCE: f64 = 1e-5;

struct Expected {
    id: &'static str,
    figure: &'static str,
    epoch: Option<usize>,
    printed: &'static str,
    torch: &'static str,
}

fn expected() -> Vec<Expected> {
    let lines = EXPECTED.lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next =
                || fields.next().unwrap_or_else(|| panic!("expected.tsv: five fields in {line:?}"));
            let (id, figure, epoch) = (next(), next(), next());
            Expected { id, figure, epoch: epoch.parse().ok(), printed: next(), torch: next() }
        })
        .collect()
}

/// The experiments of the table.
pub fn ids() -> BTreeSet<&'static str> {
    expected().iter().map(|e| e.id).collect()
}

/// Runs the wanted experiments in the order of the table.
pub fn run(options: &Options, show: &mut dyn FnMut(Check)) -> Result<(), String> {
    let expected = expected();
    for id in ids().into_iter().filter(|id| options.wants(id)) {
        let trained = train(&recipe(id)?, Some(&options.data), &mut |_| {}).map_err(|e| e.to_string())?;
        for e in expected.iter().filter(|e| e.id == id) {
            show(compare(e, &trained)?);
        }
    }
    Ok(())
}

/// The lectures of 02 count epochs from 0; recipes count from 1.
fn row<'a>(e: &Expected, trained: &'a Trained) -> Result<&'a EpochRow, String> {
    let wanted = e.epoch.map(|n| if e.id.starts_with("02/") { n + 1 } else { n });
    let row = match wanted {
        None => trained.rows.last(),
        Some(n) => trained.rows.iter().find(|r| r.epoch == n),
    };
    row.ok_or_else(|| format!("{}: the recipe does not report epoch {wanted:?}", e.id))
}

fn compare(e: &Expected, trained: &Trained) -> Result<Check, String> {
    let row = row(e, trained)?;
    let samples = trained.data.train.len();
    let none = || format!("{}: the recipe has no {}", e.id, e.figure);
    let test = || row.test.ok_or_else(none);
    let (value, count) = match e.figure {
        "train_loss" => (row.train.loss, None),
        "test_loss" => (test()?.loss, None),
        "train_acc" | "final train_acc" => (row.train.accuracy.ok_or_else(none)?, Some(samples)),
        "final test_acc" => (test()?.accuracy.ok_or_else(none)?, Some(trained.data.test.len())),
        "train_acc_percent" => (row.train.accuracy.ok_or_else(none)? * 100.0, None),
        "test_acc_percent" => (test()?.accuracy.ok_or_else(none)? * 100.0, None),
        other => return Err(format!("expected.tsv: unknown figure {other}")),
    };
    let decimals = e.torch.split_once('.').map_or(0, |(_, d)| d.len());
    let ours = format!("{value:.decimals$}");
    let torch: f64 = e.torch.parse().map_err(|_| format!("expected.tsv: {} is no number", e.torch))?;
    let loose = e.figure == "train_loss" && decimals == 6;
    // PyTorch averages in f32, so the last digit of an accuracy may differ where the count of samples is the same.
    let same_count = count.is_some_and(|n| (value - torch).abs() * (n as f64) < 0.05);
    let same = ours == e.torch || same_count || (loose && (value - torch).abs() <= LOSS_TOLERANCE);
    let note = match count {
        Some(n) if !same => format!("{:+.0} of {n} samples", (value - torch) * n as f64),
        Some(_) if same && ours != e.torch => "the same count of samples".into(),
        _ if same && ours != e.torch => format!("within {LOSS_TOLERANCE:e}"),
        _ if same && e.printed != "-" && !e.torch.starts_with(e.printed) && !agrees(e.printed, torch) => {
            "the lecture ran elsewhere; PyTorch on a CPU binds".into()
        }
        _ => String::new(),
    };
    let what = e.epoch.map_or(e.figure.to_string(), |n| format!("{} at epoch {n}", e.figure));
    Ok(Check { id: e.id.into(), what, printed: e.printed.into(), torch: e.torch.into(), ours, same, note })
}

/// Whether a printed number is the value rounded to its own decimals.
fn agrees(printed: &str, value: f64) -> bool {
    let decimals = printed.split_once('.').map_or(0, |(_, d)| d.len());
    format!("{value:.decimals$}") == printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_number_agrees_with_the_value_it_was_rounded_from() {
        assert!(agrees("0.45", 0.4488) && agrees("0.9936", 0.99360444));
        assert!(!agrees("0.44", 0.4488) && !agrees("0.9935", 0.99360444));
    }

    #[test]
    fn every_line_of_the_table_can_be_read() {
        assert!(expected().len() > 200);
        for e in expected() {
            assert!(e.torch.parse::<f64>().is_ok(), "{} {}: {}", e.id, e.figure, e.torch);
            assert!(
                e.printed == "-" || e.printed.parse::<f64>().is_ok(),
                "{} {}: {}",
                e.id,
                e.figure,
                e.printed
            );
        }
    }
}
