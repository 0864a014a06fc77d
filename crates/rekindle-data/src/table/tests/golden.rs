//! The three data sets of `data/`, and the figures of `tests/golden/table`, which scikit-learn made.

use std::path::{Path, PathBuf};

use rekindle_nn::optim::{Adam, Optimizer};
use rekindle_nn::{CrossEntropyLoss, Linear, Loss, Module, Parameters, ReLU, sequential};
use rekindle_tensor::no_grad;
use rekindle_tensor::random::manual_seed;
use serde_json::Value as Json;

use super::*;
use crate::split::stratified_train_test_split;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn data(name: &str) -> Table {
    Table::read_csv(root().join("data").join(name), &CsvOptions::default()).unwrap()
}

fn golden() -> Json {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden/table/table.json")).unwrap())
        .unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Agreement to 13 digits: the order of summation is ours.
fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-13 * theirs.abs()
}

#[test]
fn numbers_are_standardised_as_by_scikit_learn() {
    let golden = &golden()["wine"];
    let wine = data("wine.csv");
    let train: Vec<usize> = numbers(&golden["train"]).iter().map(|&row| row as usize).collect();
    let encoder = Encoder::fit(&wine, &Schema::guess(&wine, &["cultivar"]).unwrap(), &train).unwrap();
    let (means, stds) = (numbers(&golden["mean"]), numbers(&golden["std"]));
    assert_eq!(means.len(), encoder.columns().len());
    for ((column, &their_mean), &their_std) in encoder.columns().iter().zip(&means).zip(&stds) {
        let Learned::Numeric { mean, std } = column.learned else { panic!("{column:?}") };
        assert!(close(mean, their_mean), "{}: mean {mean}, not {their_mean}", column.name);
        assert!(close(std, their_std), "{}: std {std}, not {their_std}", column.name);
    }
    let x = encoder.encode(&wine).unwrap().x;
    for (row, theirs) in numbers(&golden["rows"]).iter().zip(golden["x"].as_array().unwrap()) {
        for (ours, theirs) in x.select(0, *row as isize).to_vec::<f32>().iter().zip(numbers(theirs)) {
            assert!(
                (f64::from(*ours) - theirs).abs() <= 1e-7 * theirs.abs(),
                "row {row}: {ours}, not {theirs}"
            );
        }
    }
}

#[test]
fn categories_are_encoded_as_by_scikit_learn() {
    let golden = &golden()["categories"];
    let cells: Vec<Vec<String>> = serde_json::from_value(golden["cells"].clone()).unwrap();
    let table = Table::new("t", &["colour", "size"], &cells).unwrap();
    let schema = Schema::guess(&table, &[]).unwrap();
    let encoder = Encoder::fit(&table, &schema, &(0..cells.len()).collect::<Vec<_>>()).unwrap();
    let theirs: Vec<String> = serde_json::from_value(golden["names"].clone()).unwrap();
    let ours = encoder.feature_names();
    assert_eq!(ours.iter().map(|name| name.replace('=', "_")).collect::<Vec<_>>(), theirs);
    let theirs: Vec<f64> = golden["x"].as_array().unwrap().iter().flat_map(numbers).collect();
    assert_eq!(encoder.encode_inputs(&table).unwrap().to_f64_vec(), theirs);
}

#[test]
fn the_data_sets_are_what_their_readme_says() {
    for (name, label, rows, features, classes) in [
        ("iris.csv", "species", 150, 4, &[("setosa", 50), ("versicolor", 50), ("virginica", 50)][..]),
        ("wine.csv", "cultivar", 178, 13, &[("1", 59), ("2", 71), ("3", 48)]),
        ("breast-cancer.csv", "diagnosis", 569, 30, &[("benign", 357), ("malignant", 212)]),
    ] {
        let table = data(name);
        let encoder = fit(&table, label).unwrap();
        let Encoded { x, y, rows: kept } = encoder.encode(&table).unwrap();
        assert_eq!((x.shape(), kept.len()), (&[rows, features][..], rows), "{name}");
        assert!(encoder.columns().iter().all(|column| matches!(column.learned, Learned::Numeric { .. })));
        let counts: Vec<(&str, usize)> = (0i64..)
            .zip(encoder.class_names())
            .map(|(i, class)| (class.as_str(), y.to_vec::<i64>().iter().filter(|&&y| y == i).count()))
            .collect();
        assert_eq!(counts, classes, "{name}");

        let mut text = Vec::new();
        table.write_csv(&mut text, ',').unwrap();
        assert_eq!(text, std::fs::read(root().join("data").join(name)).unwrap(), "{name}");
        let again = Encoder::from_json(&encoder.to_json()).unwrap();
        assert!(again.encode(&table).unwrap().x.bitwise_eq(&x), "{name}");
    }
}

#[test]
fn a_net_learns_iris_from_its_file() {
    let iris = data("iris.csv");
    let schema = Schema::guess(&iris, &["species"]).unwrap();
    let split = stratified_train_test_split(&schema.samples(&iris).unwrap().classes.unwrap(), 0.2, 43052);
    let encoder = Encoder::fit(&iris, &schema, &split.train).unwrap();
    let all = encoder.encode(&iris).unwrap();
    let (x, x_test, y, y_test) = split.tensors(&all.x, &all.y);

    manual_seed(43052);
    let net = sequential![Linear::new(4, 16), ReLU, Linear::new(16, 3)];
    let loss_fn = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(net.parameters(), 0.05);
    for _epoch in 0..100 {
        loss_fn.forward(&net.forward(&x), &y).backward();
        optimizer.step();
        optimizer.zero_grad();
    }
    let accuracy = no_grad(|| net.forward(&x_test).argmax_dim(1, false).eq(&y_test).float().mean());
    assert_eq!(x_test.shape(), [30, 4]);
    assert!(accuracy.item::<f32>() > 0.9, "{accuracy}");
}
