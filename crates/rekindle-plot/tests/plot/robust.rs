//! No data make a function panic, and numbers that are not finite are left out and counted.

use crate::rightward;
use rekindle_plot::{self as plot, Picture, Plot, Terminal};
use rekindle_tensor::{Tensor, tensor};

/// Numbers that pictures do not like, in rows of every length.
fn rows() -> Vec<Vec<f32>> {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    vec![
        vec![],
        vec![nan],
        vec![inf, -inf, nan],
        vec![1.0],
        vec![2.0, 2.0, 2.0],
        vec![nan, 1.0, 3.0],
        vec![f32::MAX, f32::MIN, 0.0],
        vec![1e-42, 2e-42],
        vec![1.0, 1.0 + f32::EPSILON],
        vec![-1e30, 0.0, 1e-30],
    ]
}

/// Draws a picture at its usual size, and a tiny one in both formats.
fn survives(plot: Plot) -> Picture {
    let usual = plot.draw();
    assert!(usual.svg().ends_with("</svg>\n"));
    assert!(!usual.svg().contains("NaN") && !usual.svg().contains("\"inf"));
    assert!(plot.size(101, 100).draw().png().len() > 100);
    usual
}

fn says(picture: &Picture, text: &str) -> bool {
    picture.svg().contains(text)
}

const NOTHING: &str = "aria-label=\"no finite values\"";

#[test]
fn points_may_be_anything() {
    for row in rows() {
        let n = row.len();
        let one = Tensor::from_vec(row.clone(), [n]);
        let two = Tensor::stack(&[&one, &one], 1);
        let y = Tensor::zeros([n]);
        let finite = row.iter().any(|v| v.is_finite());
        assert_eq!(says(&survives(plot::scatter(&two, &y)), NOTHING), !finite, "{row:?}");
        survives(plot::decision_boundary(&rightward, &[("Train", &two, &y)]));
        survives(plot::probability_surface(&rightward, &[("Train", &two, &y), ("Test", &two, &y)]));
        let picture = survives(plot::predictions((&one, &one), (&one, &y), Some(&one)));
        assert_eq!(says(&picture, NOTHING), !finite, "{row:?}");
        let histogram = survives(plot::weights_histogram(&[("weight", &one)]));
        assert_eq!(says(&histogram, NOTHING), !finite, "{row:?}");
        let terminal = Terminal::new(30, 8);
        assert_eq!(terminal.scatter(&two, &y).lines().count(), 8);
        // Four names do not fit into one row of thirty columns.
        let boundary = terminal.boundary(&rightward, &two, &y);
        assert!((8..=10).contains(&boundary.lines().count()), "{boundary}");
        assert!(boundary.lines().last().is_some_and(|l| l.contains("predicted class")), "{boundary}");
    }
    survives(plot::decision_boundary(&rightward, &[]));
    survives(plot::weights_histogram(&[]));
}

#[test]
fn curves_may_be_anything() {
    for row in rows() {
        let curve: Vec<(f64, f64)> = row.iter().enumerate().map(|(i, v)| (i as f64, f64::from(*v))).collect();
        let turned: Vec<(f64, f64)> = curve.iter().map(|(x, y)| (*y, *x)).collect();
        for curve in [&curve, &turned] {
            let finite = curve.iter().any(|p| p.0.is_finite() && p.1.is_finite());
            let picture = survives(plot::curves(&[("train", curve), ("test", &[])], "loss"));
            assert_eq!(says(&picture, NOTHING), !finite, "{row:?}");
            survives(plot::curves(&[("train", curve)], "loss").log_y(true));
            survives(plot::history(&[("train", curve)], &[("test", curve)]));
            survives(plot::learning_rate(curve));
            Terminal::new(30, 8).curves(&[("train", curve), ("test", curve)], "loss");
            Terminal::new(30, 8).color(true).curves(&[("train", curve)], "loss");
        }
        let values: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
        survives(plot::roc(&[("net", &values, &values, f64::NAN)]));
        survives(plot::precision_recall(&[("net", &values, &values, 0.5)]));
        survives(plot::reliability(&values.iter().map(|v| (*v, *v, 3)).collect::<Vec<_>>()));
    }
    survives(plot::curves(&[], "loss"));
    survives(plot::history(&[], &[]));
    survives(plot::roc(&[]));
    survives(plot::reliability(&[(0.5, 0.5, 0)]));
    survives(plot::reliability(&[(0.5, 0.5, u64::MAX)]));
}

#[test]
fn nets_may_give_no_numbers() {
    let (x, y) = (tensor([[0.0, 0.0], [1.0, 1.0]]), tensor([0, 3]));
    let broken = |x: &Tensor| rightward(x) * f64::NAN;
    for surface in [plot::decision_boundary, plot::probability_surface] {
        let picture = survives(surface(&broken, &[("Train", &x, &y)]));
        assert!(says(&picture, "Grey: the net gives no number."));
    }
    assert!(Terminal::new(30, 8).boundary(&broken, &x, &y).contains("???"));
    survives(plot::activation("log", &|x| x.ln(), (-1.0, 1.0)));
    let picture = survives(plot::activation("nothing", &|x| x * f64::NAN, (-1.0, 1.0)));
    assert!(says(&picture, NOTHING));
}

#[test]
fn images_may_be_anything() {
    for shape in [[0, 4, 4], [1, 1, 1], [3, 200, 10], [2, 3, 0], [150, 2, 2]] {
        let labels = Tensor::zeros([shape[0]]);
        for value in [0.0, 1.0, -3.0, f64::NAN, f64::INFINITY, 3e38] {
            survives(plot::image_grid(&Tensor::full(shape, value), &labels));
        }
        let picture =
            plot::image_predictions(&Tensor::zeros(shape), &labels, &Tensor::full([shape[0]], f64::NAN));
        survives(picture);
    }
    let many = survives(plot::image_grid(&Tensor::zeros([150, 2, 2]), &Tensor::zeros([150])));
    assert!(says(&many, "100 of 150 images"));
}

#[test]
fn matrices_may_be_anything() {
    for counts in
        [vec![], vec![vec![0]], vec![vec![u64::MAX / 8; 3]; 3], vec![vec![0; 2]; 2], vec![vec![1; 60]; 60]]
    {
        survives(plot::confusion_matrix(&counts));
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let x = tensor([[0.0, f32::NAN], [1.0, 1.0], [f32::INFINITY, 0.0]]);
    let picture = survives(plot::scatter(&x, &tensor([0, 0, 1])));
    assert!(says(&picture, "not finite: 2 of 3 points"));
    let picture = survives(plot::curves(&[("train", &[(1.0, f64::NAN), (2.0, 1.0)])], "loss"));
    assert!(says(&picture, "not finite: 1 of 2 values"));
}
