//! scikit-learn's classification report.

use super::average::Average;
use super::counts::{Counts, Ratio, Tally};
use rekindle_tensor::mistake;
use std::fmt;

/// Precision, recall and F1 of each class and of their averages, with the number of targets. It prints
/// scikit-learn's text to the byte (see [`ConfusionMatrix::report`](super::ConfusionMatrix::report)), whose
/// last line ends with a line break: use `print!`, not `println!`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationReport {
    /// The classes, or labels.
    pub classes: Vec<ReportRow>,
    /// The accuracy; none for several labels a sample.
    pub accuracy: Option<f64>,
    /// The averages: `macro avg` and `weighted avg`; for several labels a sample `micro avg` first and
    /// `samples avg` last.
    pub averages: Vec<ReportRow>,
    /// The number of targets.
    pub support: u64,
    digits: usize,
    /// The place of each shown class in the list of all classes.
    shown: Vec<usize>,
    /// The number of all classes.
    all: usize,
}

/// A line of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow {
    /// The name of the class, or of the average.
    pub name: String,
    /// See [`ConfusionMatrix::precision`](super::ConfusionMatrix::precision).
    pub precision: f64,
    /// See [`ConfusionMatrix::recall`](super::ConfusionMatrix::recall).
    pub recall: f64,
    /// See [`ConfusionMatrix::f1_score`](super::ConfusionMatrix::f1_score).
    pub f1_score: f64,
    /// The number of targets.
    pub support: u64,
}

impl ClassificationReport {
    pub(super) fn of(tally: &Tally) -> ClassificationReport {
        let support = tally.classes.iter().map(Counts::support).sum();
        let row = |name: String, figure: &dyn Fn(Ratio) -> f64, support| ReportRow {
            name,
            precision: figure(Ratio::Precision),
            recall: figure(Ratio::Recall),
            f1_score: figure(Ratio::FBeta(1.0)),
            support,
        };
        let shown: Vec<usize> = (0..tally.classes.len()).filter(|&c| tally.in_macro[c]).collect();
        let class = |&c: &usize| {
            row(c.to_string(), &|ratio| tally.figure(ratio, &tally.classes[c]), tally.classes[c].support())
        };
        let averages = match tally.samples {
            Some(_) => &[Average::Micro, Average::Macro, Average::Weighted, Average::Samples][..],
            None => &[Average::Macro, Average::Weighted],
        };
        let average = |&a: &Average| row(format!("{a} avg"), &|ratio| tally.averaged(ratio, a), support);
        ClassificationReport {
            classes: shown.iter().map(class).collect(),
            // Of one class a sample, the micro averages are all the accuracy.
            accuracy: tally.samples.is_none().then(|| tally.averaged(Ratio::FBeta(1.0), Average::Micro)),
            averages: averages.iter().map(average).collect(),
            support,
            digits: 2,
            shown,
            all: tally.classes.len(),
        }
    }

    /// How many decimals are printed; 2 unless told.
    pub fn digits(mut self, digits: usize) -> ClassificationReport {
        self.digits = digits;
        self
    }

    /// Names for all classes, in their order; an empty list changes nothing.
    ///
    /// # Panics
    /// If there are names, but not one for each class.
    #[track_caller]
    pub fn class_names(mut self, names: &[impl AsRef<str>]) -> ClassificationReport {
        if !names.is_empty() && names.len() != self.all {
            mistake!("classification_report: {} names for {} classes; name each once", names.len(), self.all);
        }
        for (row, &class) in self.classes.iter_mut().zip(&self.shown) {
            if let Some(name) = names.get(class) {
                row.name = name.as_ref().to_string();
            }
        }
        self
    }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.classes.iter().map(|row| display_width(&row.name));
        let width = names.max().unwrap_or(0).max("weighted avg".len()).max(self.digits);
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: [&str; 4]| {
            write!(f, "{:1$}{name} ", "", width - display_width(name))?;
            cells.iter().try_for_each(|cell| write!(f, " {cell:>9}"))?;
            writeln!(f)
        };
        let number = |x: f64| if x.is_nan() { "nan".into() } else { format!("{x:.0$}", self.digits) };
        // If no sample at all is right, scikit-learn counts in floats, and prints them.
        let count = |n: u64| if self.accuracy == Some(0.0) { format!("{n}.0") } else { n.to_string() };
        let row = |f: &mut fmt::Formatter<'_>, row: &ReportRow| {
            let [p, r, f1] = [row.precision, row.recall, row.f1_score].map(number);
            line(f, &row.name, [&p, &r, &f1, &count(row.support)])
        };
        line(f, "", ["precision", "recall", "f1-score", "support"])?;
        writeln!(f)?;
        self.classes.iter().try_for_each(|r| row(f, r))?;
        writeln!(f)?;
        if let Some(accuracy) = self.accuracy {
            line(f, "accuracy", ["", "", &number(accuracy), &count(self.support)])?;
        }
        self.averages.iter().try_for_each(|r| row(f, r))
    }
}

/// The columns that a text takes in a terminal: Korean, Chinese and Japanese characters and emoji take two.
/// (For them scikit-learn's columns shift, because it counts characters.) The ranges are those of East Asian
/// width W and F in Unicode's annex 11.
pub(crate) fn display_width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c as u32,
            0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0x4DBF | 0x4E00..=0xA4CF | 0xA960..=0xA97F | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F
            | 0x1F900..=0x1F9FF | 0x20000..=0x3FFFD)
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::super::confusion_matrix;
    use rekindle_tensor::tensor;

    #[test]
    fn korean_names_are_aligned_by_their_width() {
        let matrix = confusion_matrix(&tensor([0, 1]), &tensor([0, 1]));
        let text = matrix.report(&["고양이", "커다란 하얀 강아지"], 2).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "            고양이       1.00      1.00      1.00         1");
        assert_eq!(lines[3], "커다란 하얀 강아지       1.00      1.00      1.00         1");
        assert_eq!(lines[5], "          accuracy                           1.00         2");
    }
}
