//! Figures from a recipe's words, measured after each epoch: one line of a table for each.

use crate::call::nearest;
use crate::metrics::{
    AUROC, Accuracy, Average, AveragePrecision, BalancedAccuracy, BrierScore, CohenKappa, F1Score,
    HammingDistance, LogLoss, MatthewsCorrCoef, MeanAbsoluteError, MeanSquaredError, Metric, Precision,
    R2Score, Recall, RootMeanSquaredError, Task,
};
use crate::part::Data;
use crate::sets::Kind;

/// How a figure is made.
enum Make {
    /// Of classes or labels.
    Decisions(fn(Task) -> Box<dyn Metric>),
    /// Of numbers.
    Numbers(fn() -> Box<dyn Metric>),
}
use Make::{Decisions, Numbers};

/// The names are those of the report and of the figures themselves.
#[rustfmt::skip] // One line for each word.
const FIGURES: &[(&str, Make)] = &[
    ("accuracy", Decisions(|task| Box::new(Accuracy::new(task)))),
    ("balanced_accuracy", Decisions(|task| Box::new(BalancedAccuracy::new(task)))),
    ("precision_macro", Decisions(|task| Box::new(Precision::new(task, Average::Macro)))),
    ("precision_micro", Decisions(|task| Box::new(Precision::new(task, Average::Micro)))),
    ("precision_weighted", Decisions(|task| Box::new(Precision::new(task, Average::Weighted)))),
    ("recall_macro", Decisions(|task| Box::new(Recall::new(task, Average::Macro)))),
    ("recall_micro", Decisions(|task| Box::new(Recall::new(task, Average::Micro)))),
    ("recall_weighted", Decisions(|task| Box::new(Recall::new(task, Average::Weighted)))),
    ("f1_macro", Decisions(|task| Box::new(F1Score::new(task, Average::Macro)))),
    ("f1_micro", Decisions(|task| Box::new(F1Score::new(task, Average::Micro)))),
    ("f1_weighted", Decisions(|task| Box::new(F1Score::new(task, Average::Weighted)))),
    ("hamming_loss", Decisions(|task| Box::new(HammingDistance::new(task)))),
    ("cohen_kappa", Decisions(|task| Box::new(CohenKappa::new(task)))),
    ("matthews_corrcoef", Decisions(|task| Box::new(MatthewsCorrCoef::new(task)))),
    ("roc_auc_macro", Decisions(|task| Box::new(AUROC::new(task, Average::Macro)))),
    ("average_precision_macro", Decisions(|task| Box::new(AveragePrecision::new(task, Average::Macro)))),
    ("log_loss", Decisions(|_| Box::new(LogLoss::new()))),
    ("brier_score", Decisions(|_| Box::new(BrierScore::new()))),
    ("mean_absolute_error", Numbers(|| Box::new(MeanAbsoluteError::new()))),
    ("mean_squared_error", Numbers(|| Box::new(MeanSquaredError::new()))),
    ("root_mean_squared_error", Numbers(|| Box::new(RootMeanSquaredError::new()))),
    ("r2_score", Numbers(|| Box::new(R2Score::new()))),
];

/// A name that is none, with the nearest one.
pub(crate) fn check_figure(name: &str) -> Result<(), String> {
    find(name).map(drop)
}

fn find(name: &str) -> Result<&'static Make, String> {
    FIGURES.iter().find(|(known, _)| *known == name).map(|(_, make)| make).ok_or_else(|| {
        let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        format!("metrics: there is no `{name}`{}", nearest(name, &names))
    })
}

/// The figure of this name for targets such as those of the data.
///
/// # Errors
/// If there is none of this name, or it is not one of such targets.
pub(crate) fn build_figure(name: &str, data: &Data) -> Result<Box<dyn Metric>, String> {
    let task = match (data.kind, data.classes.len()) {
        (Kind::Numbers, _) => None,
        (Kind::Labels, labels) => Some(Task::MultiLabel(labels)),
        (Kind::Classes, 2) => Some(Task::Binary),
        (Kind::Classes, classes) => Some(Task::MultiClass(classes)),
    };
    match (find(name)?, task) {
        (Decisions(make), Some(task)) => {
            rekindle_tensor::check(|| make(task)).map_err(|e| format!("metrics: `{name}`: {e}"))
        }
        (Numbers(make), None) => Ok(make()),
        (Decisions(_), None) => {
            Err(format!("metrics: `{name}` is about classes, and the targets are numbers"))
        }
        (Numbers(_), Some(_)) => {
            Err(format!("metrics: `{name}` is about numbers, and the targets are classes"))
        }
    }
}

/// Whether more of a figure is better: of accuracies and the like it is, of losses and errors it is not.
pub(crate) fn grows(name: &str) -> bool {
    !["loss", "error", "brier_score", "distance"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIRCLES, Recipe, Training, load};

    #[test]
    fn every_figure_has_the_name_of_its_object() {
        for (name, make) in FIGURES {
            let metric = match make {
                Decisions(make) => make(Task::MultiClass(3)),
                Numbers(make) => make(),
            };
            assert_eq!(metric.name(), *name);
        }
    }

    #[test]
    fn a_recipe_s_figures_are_columns_of_the_log_and_can_be_monitored() {
        let text = format!("metrics = [\"f1_macro\", \"log_loss\"]\nmonitor = \"val_f1_macro\"\n{CIRCLES}");
        let recipe = Recipe { epochs: 2, ..Recipe::from_toml(&text).unwrap() };
        let rows = Training::new(&recipe, None).unwrap().fit().unwrap();
        let names: Vec<&str> = rows[1].columns().iter().map(|(name, _)| *name).collect();
        let expected = "epoch,step,train_loss,train_acc,val_loss,val_acc,val_f1_macro,val_log_loss,test_loss,test_acc,lr,time";
        assert_eq!(names.join(","), expected);
        let of = |name: &str| rows[1].fields().find(|(n, _)| *n == name).unwrap().1;
        assert!((of("val_log_loss") - of("val_loss")).abs() < 1e-6, "they are the same figure");
        assert!(of("val_f1_macro") > 0.0 && of("val_f1_macro") < 1.0);
    }

    #[test]
    fn mistakes_are_named() {
        let data = load(&Recipe::from_toml(CIRCLES).unwrap(), None).unwrap();
        let says = |name: &str| build_figure(name, &data).err().unwrap();
        assert_eq!(says("f1_makro"), "metrics: there is no `f1_makro`; did you mean `f1_macro`?");
        assert_eq!(says("r2_score"), "metrics: `r2_score` is about numbers, and the targets are classes");
        let text = format!("metrics = [\"accurracy\"]\n{CIRCLES}");
        let e = Recipe::from_toml(&text).unwrap_err().to_string();
        assert_eq!(e, "metrics: there is no `accurracy`; did you mean `accuracy`?");
        let text = format!("monitor = \"val_f1_macro\"\n{CIRCLES}");
        let mut training = Training::new(&Recipe::from_toml(&text).unwrap(), None).unwrap();
        training = training.observer(crate::EarlyStopping::new().monitor("val_f1_macro"));
        let e = training.fit().unwrap_err().to_string();
        assert!(
            e.starts_with("EarlyStopping: there is no `val_f1_macro` to monitor; there are epoch,"),
            "{e}"
        );
    }
}
