//! What mistakes with metrics say: one line, both facts, a cure.

use rekindle_tensor::{Tensor, tensor};
use rekindle_train::metrics::*;

/// Compares the messages of the calls with the stored ones.
macro_rules! assert_messages {
    ($($calls:tt)*) => {
        let text = rekindle_tensor::messages!($($calls)*);
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(text) });
    };
}

#[test]
fn mistakes_with_metrics() {
    let (x, y) = (tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]), tensor([0, 1]));
    let (p, labels) = (tensor([0.25, 0.75]), tensor([[0, 1, 1], [0, 0, 1]]));
    let matrix = || confusion_matrix(&x, &y);
    let merged = |mut a: Box<dyn Metric>, b: Box<dyn Metric>| a.merge(&*b);
    let (two, three) = (Task::Binary, Task::MultiClass(3));
    assert_messages! {
        accuracy(&tensor([0, 1, 1]), &y);
        accuracy(&x, &tensor([0, 3]));
        accuracy(&tensor([0, -1]), &y);
        accuracy(&x, &labels);
        accuracy(&tensor([-1.5, 3.0]), &y);
        accuracy(&tensor([0.5, f64::NAN]), &y);
        accuracy(&tensor([[0.5, 0.25], [f64::INFINITY, 0.25]]), &y);
        accuracy(&p, &tensor([0.0, 0.5]));
        accuracy(&p, &tensor([0, 2]));
        accuracy(&Tensor::zeros([2, 3, 4]), &y);
        ConfusionMatrix::new(1);
        ConfusionMatrix::new(3).update(&p, &y);
        ConfusionMatrix::new(3).update(&tensor([0, 3]), &y);
        ConfusionMatrix::new(3).merge(&ConfusionMatrix::new(2));
        matrix().precision(Average::Binary);
        matrix().precision(Average::Samples);
        matrix().fbeta_score(-1.0, Average::Macro);
        matrix().report(&["cat", "dog"], 2);
        multilabel_counts(&x, &y);
        multilabel_counts(&x, &labels.t());
        multilabel_counts(&x, &(&labels + 1));
        multilabel_counts(&x, &labels).recall(Average::Binary);
        MultiLabelCounts::new(0);
        MultiLabelCounts::new(2).update(&x, &labels);
        MultiLabelCounts::new(2).merge(&MultiLabelCounts::new(3));
        roc_curve(&x, &y);
        roc_curve(&y, &y);
        roc_auc(&(&x * 2.0), &y, Average::Macro);
        roc_auc(&(&x * 0.5), &y, Average::Macro);
        roc_auc(&x, &y, Average::Binary);
        roc_auc(&x, &y, Average::Samples);
        Scores::new(three).update(&tensor([[0.5, 0.5]]), &tensor([1]));
        Scores::new(three).merge(&Scores::new(two));
        Scores::new(three).roc_curve(3);
        Scores::new(Task::MultiClass(1));
        log_loss(&x, &labels);
        log_loss(&(&x - 0.25), &y);
        brier_score(&p, &tensor([0, 2]));
        expected_calibration_error(&x, &y, 0);
        top_k_accuracy(&x, &y, 0);
        top_k_accuracy(&p, &y, 1);
        mean_squared_error(&tensor([[1.0], [2.0]]), &tensor([1.0, 2.0]));
        mean_squared_error(&tensor([1, 2]), &tensor([1.0, 2.0]));
        r2_score(&x, &x);
        R2Score::new().update(&x, &x);
        Precision::new(three, Average::Binary);
        CohenKappa::new(Task::MultiLabel(3));
        merged(Box::new(Accuracy::new(two)), Box::new(R2Score::new()));
        merged(Box::new(Recall::new(two, Average::Macro)), Box::new(Recall::new(two, Average::Micro)));
        merged(Box::new(Accuracy::new(two)), Box::new(Accuracy::new(Task::MultiLabel(2))));
        merged(Box::new(CalibrationError::new(5)), Box::new(CalibrationError::new(15)));
    }
}

#[test]
fn a_refused_batch_changes_nothing() {
    let mut matrix = confusion_matrix(&tensor([0, 1]), &tensor([0, 1]));
    let before = matrix.clone();
    let refused = rekindle_tensor::check(|| matrix.update(&tensor([0, 1]), &tensor([0, 2])));
    assert!(refused.is_err());
    assert_eq!(matrix, before);
}
