//! The training runs, from their recipes, figure by figure.

use super::{Check, Options, recipe};
use rekindle::train::{EpochRow, Trained, run as train};
use std::collections::BTreeSet;

/// id, figure, epoch as the lecture counts it (`-` for the end), printed in the lecture, PyTorch on a CPU, and the tolerance,
/// if there is one: the lecture ran Fashion-MNIST on a GPU, which leaves PyTorch's own digits on a CPU by half a point. Without
/// both, the recipe draws the GPU's dropout, and what the lecture printed binds.
const EXPECTED: &str = include_str!("expected.tsv");

/// MNIST losses are sums over thousands of images in another order than MKL's; five decimals bind.
const LOSS_TOLERANCE: f64 = 1e-5;

/// How many epochs the short form trains of what takes minutes. Its figures are those of the whole run, because nothing in
/// these recipes depends on their length.
const SHORT: [(&str, usize); 3] = [("06wk-2/4D-wide", 5), ("06wk-2/4D-deep", 5), ("06wk-2/4F-cnn", 5)];

struct Expected {
    id: &'static str,
    figure: &'static str,
    epoch: Option<usize>,
    printed: &'static str,
    torch: &'static str,
    tolerance: Option<f64>,
}

impl Expected {
    /// The figure that binds if it is exact.
    fn exact(&self) -> &'static str {
        if self.torch == "-" { self.printed } else { self.torch }
    }

    /// How far a value is from the nearer one of what the lecture and PyTorch on a CPU print.
    fn off(&self, value: f64) -> f64 {
        let known = [self.printed, self.torch].into_iter().filter_map(|text| text.parse::<f64>().ok());
        let off = known.map(|known| value - known);
        off.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::INFINITY)
    }
}

fn expected() -> Vec<Expected> {
    let lines = EXPECTED.lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next =
                || fields.next().unwrap_or_else(|| panic!("expected.tsv: five fields in {line:?}"));
            let (id, figure, epoch) = (next(), next(), next().parse().ok());
            let (printed, torch) = (next(), next());
            let tolerance = fields.next().map(|t| t.parse().expect("expected.tsv: a tolerance is a number"));
            Expected { id, figure, epoch, printed, torch, tolerance }
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
        let mut recipe = recipe(id)?;
        let whole = recipe.epochs;
        if let Some((_, epochs)) = SHORT.iter().find(|short| short.0 == id && !options.full) {
            recipe.epochs = *epochs;
        }
        let reached = |e: &Expected| e.epoch.unwrap_or(whole) <= recipe.epochs;
        // Only images have a folder; points are made.
        _ = recipe.data.locate(&options.data);
        let trained = train(&recipe, None, &mut |_| {}).map_err(|e| e.to_string())?;
        for e in expected.iter().filter(|e| e.id == id && reached(e)) {
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
    let what = e.epoch.map_or(e.figure.to_string(), |n| format!("{} at epoch {n}", e.figure));
    let check = |ours, same, note| {
        let (printed, torch) = (e.printed.into(), e.torch.into());
        Ok(Check { id: e.id.into(), what, printed, torch, ours, same, note })
    };
    if let Some(most) = e.tolerance {
        let off = e.off(value);
        return check(format!("{value:.4}"), off.abs() <= most, format!("{off:+.4}, at most {most}"));
    }
    let exact = e.exact();
    let decimals = exact.split_once('.').map_or(0, |(_, d)| d.len());
    let ours = format!("{value:.decimals$}");
    let known: f64 = exact.parse().map_err(|_| format!("expected.tsv: {exact} is no number"))?;
    let loose = e.figure == "train_loss" && decimals == 6;
    // PyTorch averages in f32, so the last digit of an accuracy may differ where the count of samples is the same.
    let same_count = count.is_some_and(|n| (value - known).abs() * (n as f64) < 0.05);
    let same = ours == exact || same_count || (loose && (value - known).abs() <= LOSS_TOLERANCE);
    let note = match count {
        Some(n) if !same => format!("{:+.0} of {n} samples", (value - known) * n as f64),
        Some(_) if same && ours != exact => "the same count of samples".into(),
        _ if same && ours != exact => format!("within {LOSS_TOLERANCE:e}"),
        _ if same && e.printed != "-" && !exact.starts_with(e.printed) && !agrees(e.printed, known) => {
            "the lecture ran elsewhere; PyTorch on a CPU binds".into()
        }
        _ => String::new(),
    };
    check(ours, same, note)
}

/// Whether a printed number is the value rounded to its own decimals.
fn agrees(printed: &str, value: f64) -> bool {
    let decimals = printed.split_once('.').map_or(0, |(_, d)| d.len());
    format!("{value:.decimals$}") == printed
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle::train::Stream;

    #[test]
    fn a_printed_number_agrees_with_the_value_it_was_rounded_from() {
        assert!(agrees("0.45", 0.4488) && agrees("0.9936", 0.99360444));
        assert!(!agrees("0.44", 0.4488) && !agrees("0.9935", 0.99360444));
    }

    #[test]
    fn the_nearer_of_two_figures_binds_and_a_small_net_is_bound_ten_times_closer() {
        let all = expected();
        let find = |id: &str, epoch| all.iter().find(|e| e.id == id && e.epoch == epoch).expect("a line");
        let small = find("06wk-2/4B", Some(20));
        assert_eq!((small.torch, small.tolerance), ("0.8830", Some(0.0005)));
        let wider = find("06wk-2/4C", None);
        assert_eq!((wider.printed, wider.torch, wider.tolerance), ("0.8833", "0.8876", Some(0.005)));
        assert!((wider.off(0.8880) - 0.0004).abs() < 1e-12 && (wider.off(0.8830) + 0.0003).abs() < 1e-12);
        let only_printed = find("06wk-2/4F-cnn", None);
        assert!(only_printed.off(0.9104) > -0.0051 && only_printed.off(0.9100) < -0.005, "0.91 or better");
    }

    #[test]
    fn the_short_form_holds_a_figure_of_every_net() {
        for (id, epochs) in SHORT {
            assert!(expected().iter().any(|e| e.id == id && e.epoch.is_some_and(|n| n <= epochs)), "{id}");
            assert!(recipe(id).is_ok_and(|recipe| recipe.epochs == 30 && recipe.scheduler.is_none()), "{id}");
        }
    }

    #[test]
    fn every_line_of_the_table_can_be_read() {
        assert!(expected().len() > 200);
        for e in expected() {
            assert!(e.exact().parse::<f64>().is_ok(), "{} {}: {}", e.id, e.figure, e.exact());
            let of_a_gpu = recipe(e.id).is_ok_and(|recipe| recipe.stream == Stream::Cuda);
            assert_eq!(of_a_gpu, e.torch == "-" && e.tolerance.is_none(), "{} {}", e.id, e.figure);
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
