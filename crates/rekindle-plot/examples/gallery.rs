//! Draws every kind of picture from made-up data: `cargo run -p rekindle-plot --example gallery -- FOLDER`.

use rekindle_plot as plot;
use rekindle_tensor::random::manual_seed;
use rekindle_tensor::{Tensor, tensor};
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/gallery".into()));
    manual_seed(42);
    two_features(&folder)?;
    training(&folder)?;
    judgements(&folder)?;
    images(&folder)?;
    println!("the pictures are in {}", folder.display());
    Ok(())
}

/// Writes a picture in both formats.
fn save(folder: &Path, name: &str, picture: plot::Plot) -> std::io::Result<()> {
    picture.save(folder.join(format!("{name}.png")))?;
    picture.save(folder.join(format!("{name}.svg")))
}

/// Two noisy rings: class 0 outside, class 1 inside.
fn rings(n: usize) -> (Tensor, Tensor) {
    let turn = Tensor::rand([n]) * std::f64::consts::TAU;
    let inside = Tensor::arange(0, n as i64, 1).float().lt(n as f64 / 2.0);
    let radius = 1.0 - inside.float() * 0.45;
    let x = Tensor::stack(&[&turn.cos() * &radius, &turn.sin() * &radius], 1) + Tensor::randn([n, 2]) * 0.07;
    (x, inside.long())
}

/// As many clouds as asked for, on a circle.
fn clouds(n: usize, classes: i64) -> (Tensor, Tensor) {
    let y = Tensor::arange(0, n as i64, 1).float() * classes as f64 / n as f64;
    let y = y.long();
    let turn = y.float() * (std::f64::consts::TAU / classes as f64);
    let x = Tensor::stack(&[turn.cos() * 3.0, turn.sin() * 3.0], 1) + Tensor::randn([n, 2]) * 0.6;
    (x, y)
}

fn two_features(folder: &Path) -> std::io::Result<()> {
    let (x, y) = rings(800);
    let (x_test, y_test) = rings(200);
    save(
        folder,
        "scatter",
        plot::scatter(&x, &y).title("Circles").class_names(["outer ring", "inner ring"]),
    )?;
    let (x10, y10) = clouds(600, 10);
    save(folder, "scatter_ten_classes", plot::scatter(&x10, &y10))?;
    let (x60, y60) = rings(60_000);
    save(folder, "scatter_many_points", plot::scatter(&x60, &y60))?;

    let net = |x: &Tensor| ((0.6 - x.square().sum_dim(1, false)) * 6.0).sigmoid();
    let panels = [("Train", &x, &y), ("Test", &x_test, &y_test)];
    save(folder, "boundary", plot::decision_boundary(&net, &panels))?;
    save(folder, "surface", plot::probability_surface(&net, &panels))?;

    print!("{}", plot::Terminal::new(76, 26).boundary(&net, &x_test, &y_test));

    let (x3, y3) = clouds(300, 3);
    let centers = tensor([[3.0, 0.0], [-1.5, 2.6], [-1.5, -2.6]]);
    let net3 = |x: &Tensor| (x.matmul(&centers.transpose(0, 1)) * 0.4).softmax(1);
    let names = ["티셔츠", "바지", "풀오버"];
    let panels = [("훈련", &x3, &y3), ("시험", &x3, &y3)];
    let korean = plot::decision_boundary(&net3, &panels).class_names(names).title("결정 경계: 세 가지 옷");
    save(folder, "boundary_korean", korean.x_label("길이 (cm)").y_label("너비 (cm)"))?;
    save(folder, "surface_three_classes", plot::probability_surface(&net3, &panels[..1]).class_names(names))?;

    // More classes than colours: neighbours of one colour have a line between them.
    let turns = Tensor::arange(0, 24, 1).float() * (std::f64::consts::TAU / 24.0);
    let centers = Tensor::stack(&[turns.cos() * 3.0, turns.sin() * 3.0], 0);
    let (x24, y24) = clouds(480, 24);
    let net24 = |x: &Tensor| (x.matmul(&centers) * 2.0).softmax(1);
    let panels = [("Train", &x24, &y24), ("Test", &x24, &y24)];
    save(folder, "boundary_many_classes", plot::decision_boundary(&net24, &panels))?;

    let x = Tensor::arange(0, 1, 0.02);
    let y = &x * 0.7 + 0.3;
    let (train, test) =
        ((x.narrow(0, 0, 40), y.narrow(0, 0, 40)), (x.narrow(0, 40, 10), y.narrow(0, 40, 10)));
    let predicted = &test.0 * 0.62 + 0.34;
    save(folder, "predictions", plot::predictions((&train.0, &train.1), (&test.0, &test.1), Some(&predicted)))
}

fn training(folder: &Path) -> std::io::Result<()> {
    let curve =
        |f: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> { (1..=100).map(|e| (e as f64, f(e as f64))).collect() };
    let wobble = |e: f64| (e * 1.7).sin() * (e * 0.61).cos();
    let loss = curve(&|e| 0.69 * (-e / 18.0).exp() + 0.002);
    let validation = curve(&|e| 0.69 * (-e / 20.0).exp() + 0.0004 * e + 0.01 * (1.0 + 0.2 * wobble(e)));
    let accuracy = curve(&|e| 1.0 - 0.5 * (-e / 15.0).exp());
    let validated = curve(&|e| 0.96 - 0.46 * (-e / 17.0).exp() + 0.008 * wobble(e));
    let losses = [("train", loss.as_slice()), ("validation", &validation)];
    let accuracies = [("train", accuracy.as_slice()), ("validation", &validated)];
    save(folder, "loss", plot::curves(&losses, "loss"))?;
    print!("{}", plot::Terminal::new(76, 18).curves(&losses, "loss"));
    print!("{}", plot::Terminal::new(76, 18).color(true).curves(&accuracies, "accuracy"));
    save(folder, "history", plot::history(&losses, &accuracies).title("Fashion-MNIST, CNN, seed 42"))?;
    let seconds = curve(&|e| 3.1 + 0.2 * wobble(e));
    save(folder, "seconds", plot::curves(&[("epoch", &seconds)], "seconds per epoch"))?;
    let rate = curve(&|e| {
        if e < 10.0 { 0.01 * e } else { 0.05 * (1.0 + ((e - 10.0) / 90.0 * std::f64::consts::PI).cos()) }
    });
    save(folder, "learning_rate", plot::learning_rate(&rate))?;
    let rate = curve(&|e| 0.1 * 0.1f64.powf((e / 25.0).floor()));
    save(folder, "learning_rate_steps", plot::learning_rate(&rate))?;

    save(folder, "activation", plot::activation("GELU", &|x| x.gelu(), (-4.0, 4.0)))?;
    let functions: [plot::Named; 6] = [
        ("ReLU", &|x| x.relu()),
        ("Sigmoid", &|x| x.sigmoid()),
        ("Tanh", &|x| x.tanh()),
        ("LeakyReLU(0.1)", &|x| x.leaky_relu(0.1)),
        ("ELU", &|x| x.elu(1.0)),
        ("SiLU", &|x| x.silu()),
    ];
    save(folder, "activations", plot::activations(&functions, (-5.0, 5.0)))?;

    let weights = [
        ("0.weight", Tensor::randn([128, 784]) * 0.04),
        ("0.bias", Tensor::rand([128]) * 0.07 - 0.035),
        ("2.weight", Tensor::randn([10, 128]) * 0.1),
        ("2.bias", Tensor::randn([10]) * 0.1),
    ];
    let named: Vec<(&str, &Tensor)> = weights.iter().map(|(name, w)| (*name, w)).collect();
    save(folder, "weights", plot::weights_histogram(&named))
}

const GARMENTS: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Counts with a full diagonal and some confusion of neighbours.
fn counts(classes: usize) -> Vec<Vec<u64>> {
    let count = |a: usize, p: usize| match a.abs_diff(p) {
        0 => 850 + (a * 37 % 150) as u64,
        1 => (a * 13 + p * 7) as u64 % 60,
        d => (a * 31 + p * 17) as u64 % 9 / d as u64,
    };
    (0..classes).map(|a| (0..classes).map(|p| count(a, p)).collect()).collect()
}

fn judgements(folder: &Path) -> std::io::Result<()> {
    let two = vec![vec![95, 5], vec![12, 88]];
    save(
        folder,
        "confusion_two",
        plot::confusion_matrix(&two).class_names(["정상", "불량"]).title("혼동 행렬"),
    )?;
    save(folder, "confusion", plot::confusion_matrix(&counts(10)).class_names(GARMENTS))?;
    save(folder, "confusion_forty", plot::confusion_matrix(&counts(40)))?;

    let rates = |power: f64| -> (Vec<f64>, Vec<f64>) {
        (0..=200).map(|i| f64::from(i) / 200.0).map(|t| (t, t.powf(power))).unzip()
    };
    let (good, fair) = (rates(0.08), rates(0.35));
    let curves = [("CNN", good.0.as_slice(), good.1.as_slice(), 0.926), ("linear", &fair.0, &fair.1, 0.741)];
    save(folder, "roc", plot::roc(&curves))?;
    let recall: Vec<f64> = (0..=40).rev().map(|i| f64::from(i) / 40.0).collect();
    let precision: Vec<f64> = recall.iter().map(|r| 1.0 - 0.5 * r.powi(4)).collect();
    let lower: Vec<f64> = recall.iter().map(|r| 0.95 - 0.45 * r).collect();
    let curves = [("CNN", precision.as_slice(), recall.as_slice(), 0.9), ("linear", &lower, &recall, 0.72)];
    save(folder, "precision_recall", plot::precision_recall(&curves))?;
    let bin = |i: u32| {
        let p = f64::from(i) / 10.0 + 0.05;
        (p, p - 0.5 * p * (1.0 - p) * (p - 0.1), 400 - 150 * u64::from(i.min(9 - i)) / 2)
    };
    save(folder, "reliability", plot::reliability(&(0..10).map(bin).collect::<Vec<_>>()))
}

fn images(folder: &Path) -> std::io::Result<()> {
    // Made-up garments: soft blobs whose width depends on the class.
    let labels: Vec<i64> = (0..25).map(|i| i * 7 % 10).collect();
    let pixel = |i: usize| {
        let (image, y, x) = (i / 784, (i / 28 % 28) as f32 - 13.5, (i % 28) as f32 - 13.5);
        let class = labels[image] as f32;
        let (a, b) = (4.0 + class, 13.0 - 0.8 * class);
        (1.0 - (x / a).powi(2) - (y / b).powi(2)).clamp(0.0, 1.0).sqrt() * (0.8 + 0.2 * (x * y * 0.3).sin())
    };
    let images = Tensor::from_vec((0..25 * 784).map(pixel).collect::<Vec<f32>>(), [25, 28, 28]);
    let y = Tensor::from_vec(labels.clone(), [25]);
    save(folder, "images", plot::image_grid(&images, &y).class_names(GARMENTS))?;
    let logits = y.one_hot(10).float() * 3.0 + Tensor::randn([25, 10]);
    let picture = plot::image_predictions(&images, &y, &logits.softmax(1));
    save(folder, "image_predictions", picture.class_names(GARMENTS))?;
    let colors = Tensor::rand([4, 3, 8, 8]);
    let y = tensor([0, 1, 1, 0]);
    let picture = plot::image_predictions(&colors, &y, &tensor([0.2, 0.9, 0.4, 0.5]));
    save(folder, "image_predictions_korean", picture.class_names(["개", "고양이"]).title("개와 고양이"))
}
