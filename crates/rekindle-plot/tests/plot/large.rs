//! The largest of each kind: no picture is too large for its painter, and no file too large for a viewer.

use rekindle_plot::{self as plot, Picture, Plot};
use rekindle_tensor::Tensor;
use rekindle_tensor::random::{Generator, with_generator};
use std::time::Instant;

/// Draws in both formats, within seconds and megabytes.
fn bounded(name: &str, plot: Plot) -> Picture {
    let start = Instant::now();
    let picture = plot.draw();
    let png = picture.png();
    // Without optimisation, and beside other tests.
    assert!(start.elapsed().as_secs() < 60, "{name}: {:?}", start.elapsed());
    assert!(picture.svg().len() < 8_000_000 && png.len() < 8_000_000, "{name}: {}", picture.svg().len());
    picture
}

/// Counts without a zero, so that no two neighbours have one colour.
fn dense(classes: usize) -> Vec<Vec<u64>> {
    let count = |a: usize, p: usize| if a == p { 9000 } else { ((a * 7919 + p * 104_729) % 997) as u64 };
    (0..classes).map(|a| (0..classes).map(|p| count(a, p)).collect()).collect()
}

#[test]
fn a_matrix_of_any_number_of_classes_is_a_picture() {
    for classes in [60, 61, 400, 401, 1000, 4000] {
        let picture = bounded(&format!("{classes} classes"), plot::confusion_matrix(&dense(classes)));
        assert!(picture.svg().len() < 5_000_000, "{classes}: {}", picture.svg().len());
        let shared = picture.svg().contains(" pairs of classes");
        assert_eq!(shared, classes > 400, "{classes}");
        assert!(picture.svg().contains("aria-label=\"Colour: share of the row\""), "{classes}");
    }
}

#[test]
fn a_matrix_of_colours_shows_where_mistakes_are() {
    // All samples are right but one, which takes class 90 for class 10.
    let mut counts = vec![vec![0; 100]; 100];
    (0..100).for_each(|c| counts[c][c] = 50);
    counts[90][10] = 1;
    let svg = plot::confusion_matrix(&counts).draw().svg().to_owned();
    assert_eq!(svg.matches("fill=\"#08519c\"").count(), 1, "the diagonal is one path");
    let (_, rest) = svg.split_once("fill=\"#f2f8fd\"").expect("one in 51 has a colour");
    let outline = rest.split('"').nth(1).unwrap();
    assert_eq!(outline.matches('M').count(), 1, "{outline}");
    assert!(svg.contains("aria-label=\"5,000 of 5,001 right (accuracy 0.9998)\""));
}

#[test]
fn the_percent_sign_is_explained_only_where_there_is_one() {
    let matrix = || plot::confusion_matrix(&[vec![5, 1], vec![2, 4]]);
    let says = |plot: Plot| {
        let svg = plot.draw().svg().to_owned();
        (svg.contains("Colour and %"), svg.contains(" %\""))
    };
    assert_eq!(says(matrix()), (true, true));
    assert_eq!(says(matrix().size(200, 200)), (false, false));
    for side in 200..300 {
        let (explained, drawn) = says(matrix().size(side, side));
        assert_eq!(explained, drawn, "{side}");
    }
}

#[test]
fn a_hundred_noisy_images_are_a_picture() {
    let images = Tensor::rand([120, 3, 64, 64]);
    let labels = Tensor::zeros([120]);
    bounded("images", plot::image_grid(&images, &labels));
    bounded("few images", plot::image_grid(&images.narrow(0, 0, 20), &labels.narrow(0, 0, 20)));
}

#[test]
fn five_thousand_points_in_eight_panels_are_a_picture() {
    let (x, w) =
        with_generator(&mut Generator::seeded(1), || (Tensor::rand([6000, 2]), Tensor::rand([2, 10])));
    let y = (x.select(1, 0) * 10.0).long();
    let net = |x: &Tensor| (x.matmul(&w) * 4.0).softmax(1);
    let panels = vec![("a", &x, &y); 12];
    let said = bounded("boundary", plot::decision_boundary(&net, &panels));
    assert!(said.svg().contains("aria-label=\"8 of 12 panels\""));
    bounded("surface", plot::probability_surface(&net, &panels));
}

#[test]
fn very_many_curves_and_tensors_are_counted() {
    let curve: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i), f64::from(i))).collect();
    let series: Vec<plot::Series> = (0..2000).map(|_| ("net", curve.as_slice())).collect();
    assert!(bounded("curves", plot::curves(&series, "loss")).svg().contains("loss: 100 of 2,000 curves"));
    let (up, nan) = ([0.0, 1.0], [f64::NAN, 1.0]);
    let rates: Vec<plot::Rates> = (0..2000).map(|_| ("net", &up[..], &nan[..], 0.5)).collect();
    let roc = bounded("roc", plot::roc(&rates));
    assert!(roc.svg().contains("100 of 2,000 curves") && roc.svg().contains("and 96 more notes like these"));
    let w = Tensor::rand([500]);
    let tensors: Vec<(&str, &Tensor)> = (0..500).map(|_| ("weight", &w)).collect();
    assert!(bounded("weights", plot::weights_histogram(&tensors)).svg().contains("99 of 500 tensors"));
}

#[test]
fn a_curve_of_lone_points_is_a_picture() {
    let value = |i: u32| if i.is_multiple_of(2) { f64::from(i * 7919 % 1000) } else { f64::NAN };
    let curve: Vec<(f64, f64)> = (0..400_000).map(|i| (f64::from(i), value(i))).collect();
    bounded("lone points", plot::curves(&[("train", &curve)], "accuracy"));
}
