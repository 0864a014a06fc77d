//! Lecture 02, section 9: more than the accuracy. Precision, recall, F1, confusion matrix and report of
//! model_4 (four blobs); ROC curve and calibration of model_3 (circles), which is not always right.
//!
//!     cargo run --release -p rekindle --example 02_metrics [FOLDER]
//!
//! The pictures go to FOLDER, else to `target/pictures/02_metrics`.

use rekindle::metrics::{self, Average};
use rekindle::prelude::*;
use rekindle_plot as plot;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/pictures/02_metrics".into());

    // model_4 of section 8.
    let blobs = data::synthetic::Blobs {
        n_samples: 1000,
        centers: 4,
        cluster_std: 1.5,
        random_state: 42,
        ..Default::default()
    };
    let (x, y) = blobs.generate().tensors();
    let (x_train, x_test, y_train, y_test) =
        data::split::train_test_split(1000, 0.2, 42).tensors(&x.float(), &y);
    manual_seed(42);
    let model_4 = sequential![Linear::new(2, 8), Linear::new(8, 8), Linear::new(8, 4)];
    fit(&model_4, &CrossEntropyLoss::new(), &x_train, &y_train, 100);
    let y_preds = no_grad(|| model_4.forward(&x_test)).softmax(1).argmax_dim(1, false);

    // The lecture's torchmetrics_accuracy(y_preds, y_blob_test), and its neighbours from one count.
    println!("accuracy  {:.4}", metrics::accuracy(&y_preds, &y_test));
    let matrix = metrics::confusion_matrix(&y_preds, &y_test);
    println!("precision {:.4} (mean of the classes)", matrix.precision(Average::Macro));
    println!("recall    {:.4}", matrix.recall(Average::Macro));
    println!("F1        {:.4}", matrix.f1_score(Average::Macro));
    println!("confusion matrix, a row for each true class:\n{matrix}");
    println!("{}", metrics::classification_report(&y_preds, &y_test));
    plot::confusion_matrix(&matrix.counts())
        .title("model_4 on the 200 test blobs")
        .class_names(["blob 0", "blob 1", "blob 2", "blob 3"])
        .save(format!("{folder}/confusion_matrix.png"))?;

    // model_3 of section 6, a classifier that is sometimes wrong.
    let (x, y) = data::synthetic::make_circles(1000, 0.03, 42).tensors();
    let (x_train, x_test, y_train, y_test) =
        data::split::train_test_split(1000, 0.2, 42).tensors(&x.float(), &y.float().unsqueeze(1));
    manual_seed(42);
    let model_3 = sequential![Linear::new(2, 10), ReLU, Linear::new(10, 10), ReLU, Linear::new(10, 1)];
    fit(&model_3, &BCEWithLogitsLoss::new(), &x_train, &y_train, 1000);
    let y_pred_probs = no_grad(|| model_3.forward(&x_test)).sigmoid();

    print!("{}", metrics::classification_report(&y_pred_probs, &y_test));
    let auc = metrics::roc_auc(&y_pred_probs, &y_test, Average::Binary);
    let gap = metrics::expected_calibration_error(&y_pred_probs, &y_test, 10);
    println!("area under the ROC curve {auc:.4}, expected calibration error {gap:.4}");

    // Every threshold, not only 0.5.
    let curve = metrics::roc_curve(&y_pred_probs, &y_test);
    plot::roc(&[("inner ring", &curve.fpr, &curve.tpr, auc)])
        .title("model_3 on the 200 test circles: every threshold")
        .save(format!("{folder}/roc.png"))?;
    // Of the points that are given 40 %, are 40 of 100 on the inner ring? This net is too shy.
    let curve = metrics::reliability_curve(&y_pred_probs, &y_test, 10);
    let bins: Vec<plot::Bin> =
        (0..10).map(|i| (curve.confidence[i], curve.accuracy[i], curve.count[i])).collect();
    plot::reliability(&bins)
        .title("model_3: predicted probability of the inner ring, and what was so")
        .size(700, 640)
        .save(format!("{folder}/reliability.png"))?;
    println!("The pictures are in {folder}");
    Ok(())
}

fn fit(net: &dyn Module, loss_fn: &dyn Loss, x: &Tensor, y: &Tensor, epochs: usize) {
    let mut optimizer = SGD::new(net.parameters(), 0.1);
    for _epoch in 0..epochs {
        let loss = loss_fn.forward(&net.forward(x), y); // 1. and 2. forward pass, loss
        optimizer.zero_grad();
        loss.backward(); // 3. backward pass
        optimizer.step(); // 4. update
    }
}
