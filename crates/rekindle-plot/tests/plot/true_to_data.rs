//! Pictures show what the data say.

use crate::{paths, place_of, rightward, starts};
use rekindle_plot::{self as plot, Picture, Terminal};
use rekindle_tensor::{Tensor, tensor};
use resvg::tiny_skia::Pixmap;

fn color_at(picture: &Picture, (x, y): (f64, f64)) -> (u8, u8, u8) {
    let pixels = Pixmap::decode_png(&picture.png()).unwrap();
    let pixel = pixels.pixel(x as u32, y as u32).unwrap();
    (pixel.red(), pixel.green(), pixel.blue())
}

const PALE_BLUE: (u8, u8, u8) = (158, 201, 226);
const PALE_ORANGE: (u8, u8, u8) = (246, 219, 158);

#[test]
fn regions_lie_where_the_net_decides() {
    let (x, y) = (tensor([[-1.0, -1.0], [1.0, 1.0]]), tensor([0, 1]));
    let picture = plot::decision_boundary(&rightward, &[("Train", &x, &y)]).title("").size(600, 500).draw();
    let zero = place_of(picture.svg(), "0.0").0.max(place_of(picture.svg(), "0").0);
    let near = |a: (u8, u8, u8), b: (u8, u8, u8)| {
        a.0.abs_diff(b.0) < 4 && a.1.abs_diff(b.1) < 4 && a.2.abs_diff(b.2) < 4
    };
    let (left, right) = (color_at(&picture, (zero - 40.0, 120.0)), color_at(&picture, (zero + 60.0, 120.0)));
    assert!(near(left, PALE_BLUE) && near(right, PALE_ORANGE), "{left:?} {right:?}");
}

#[test]
fn both_ways_to_give_probabilities_draw_the_same_regions() {
    let (x, y) = (tensor([[-1.0, -1.0], [1.0, 1.0]]), tensor([0, 1]));
    let columns = |x: &Tensor| {
        let p = rightward(x);
        Tensor::stack(&[&(1.0 - &p), &p], 1)
    };
    let panels = [("Train", &x, &y)];
    let one = plot::decision_boundary(&|x| rightward(x).unsqueeze(1), &panels).draw();
    assert!(one == plot::decision_boundary(&rightward, &panels).draw());
    let both = Pixmap::decode_png(&plot::decision_boundary(&columns, &panels).draw().png()).unwrap();
    let one = Pixmap::decode_png(&one.png()).unwrap();
    let differing = one.pixels().iter().zip(both.pixels()).filter(|(a, b)| a != b).count();
    assert!(differing < 700, "only the border may round differently: {differing}");
}

#[test]
fn a_half_is_class_zero() {
    let (x, y) = (tensor([[-1.0, -1.0], [1.0, 1.0]]), tensor([0, 1]));
    let text = Terminal::new(72, 10).boundary(&|x| x.select(1, 0) * 0.0 + 0.5, &x, &y);
    assert!(text.contains("predicted class 0") && !text.contains("predicted class 1"), "{text}");
    let picture = plot::decision_boundary(&|x| x.select(1, 0) * 0.0 + 0.5, &[("Train", &x, &y)]).draw();
    assert!(!picture.svg().contains("predicted class 1"));
}

#[test]
fn rows_of_the_matrix_are_actual_classes() {
    let picture = plot::confusion_matrix(&[vec![11, 22], vec![33, 44]]).draw();
    let [a, b, c, d] = ["11", "22", "33", "44"].map(|n| place_of(picture.svg(), n));
    assert!(a.0 < b.0 && c.0 < d.0 && a.1 < c.1 && b.1 < d.1);
    // 22 of the 33 of class 0 were taken for class 1.
    assert!(picture.svg().contains("aria-label=\"67 %\"") && picture.svg().contains("accuracy 0.5000"));
}

#[test]
fn images_are_upright_and_rows_run_right() {
    // A 2 x 2 image: white at the top right, black elsewhere.
    let picture = plot::image_grid(&tensor([[[0.0, 1.0], [0.0, 0.0]]]), &tensor([0])).title("").draw();
    let (w, h) = picture.size();
    let (x, y) = (f64::from(w) / 2.0, place_of(picture.svg(), "class 0").1 / 2.0);
    let quarter = f64::from(h) / 8.0;
    assert_eq!(color_at(&picture, (x + quarter, y - quarter)), (255, 255, 255));
    assert_eq!(color_at(&picture, (x - quarter, y - quarter)), (0, 0, 0));
    assert_eq!(color_at(&picture, (x + quarter, y + quarter)), (0, 0, 0));
}

#[test]
fn wrong_images_are_marked_and_right_ones_are_not() {
    let images = Tensor::zeros([2, 4, 4]);
    let svg =
        |p: [f32; 2]| plot::image_predictions(&images, &tensor([0, 1]), &tensor(p)).draw().svg().to_owned();
    assert_eq!(svg([0.1, 0.9]).matches('✗').count(), 0);
    let wrong = svg([0.1, 0.2]);
    assert!(
        wrong.contains("✓ class 0, 0.90")
            && wrong.contains("✗ class 0, 0.80")
            && wrong.contains("actual: class 1")
    );
    assert!(wrong.contains("1 of 2 right"));
    // What gives no number is not right either.
    let nan = svg([f32::NAN, 0.9]);
    assert!(nan.contains("✗ no number") && nan.contains("1 of 2 right"));
}

#[test]
fn text_curves_fall_where_the_loss_falls() {
    let curve: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i), f64::from(10 - i))).collect();
    let text = Terminal::new(40, 12).curves(&[("a", &curve), ("b", &[])], "loss");
    let rows: Vec<&str> = text.lines().skip(1).take(8).collect();
    let places: Vec<usize> = rows.iter().filter_map(|row| row.find('o')).collect();
    assert!(places.len() == 8 && places.is_sorted(), "{text}");
}

#[test]
fn names_in_any_script_have_glyphs() {
    let (x, y) = (tensor([[0.0, 0.0], [1.0, 1.0]]), tensor([0, 1]));
    let picture = plot::scatter(&x, &y).class_names(["티셔츠", "풀오버"]).draw();
    // Hangul is drawn with strokes; a box would be a filled outline.
    for name in ["티셔츠", "풀오버"] {
        let line = picture.svg().lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains("stroke=") && line.matches('M').count() > 10, "{line}");
    }
}

#[test]
fn where_text_curves_meet_stands_a_sign_of_its_own() {
    // They part in the middle of the picture.
    let flat = [(0.0, 1.0), (4.0, 1.0), (8.0, 1.0)];
    let (falling, above) = ([(0.0, 1.0), (4.0, 1.0), (8.0, 0.0)], [(0.0, 2.0), (8.0, 2.0)]);
    let text = |plot: Terminal, other| plot.curves(&[("flat", &flat), ("other", other)], "accuracy");
    let plain = text(Terminal::new(40, 13), &falling);
    let (body, legend) = plain.split_at(plain.find("o flat").unwrap());
    assert!(legend.contains("# several"), "{plain}");
    assert!((13..20).contains(&body.matches('#').count()) && body.contains('x'), "{plain}");
    let apart = text(Terminal::new(40, 13), &above);
    assert!(!apart.contains('#') && !apart.contains("several"), "{apart}");
    assert!(text(Terminal::new(40, 13).color(true), &falling).contains("⠶ several"));
}

#[test]
fn axes_of_two_features_have_the_same_names_everywhere() {
    let (x, y) = (tensor([[0.0, 0.0], [1.0, 1.0]]), tensor([0, 1]));
    let panels = [("Train", &x, &y)];
    for picture in [
        plot::scatter(&x, &y),
        plot::decision_boundary(&rightward, &panels),
        plot::probability_surface(&rightward, &panels),
    ] {
        let svg = picture.draw().svg().to_owned();
        assert!(svg.contains("aria-label=\"x1\"") && svg.contains("aria-label=\"x2\""));
    }
    let terminal = || Terminal::new(40, 10);
    assert!(terminal().scatter(&x, &y).starts_with("x2 over x1\n"));
    assert!(terminal().x_label("a").y_label("b").boundary(&rightward, &x, &y).starts_with("b over a\n"));
    let curve = [(1.0, 1.0), (2.0, 2.0)];
    let text = terminal().x_label("step").curves(&[("up", &curve)], "accuracy");
    assert!(text.starts_with("accuracy over step\n"), "{text}");
}

/// The frame of the first plotting area: left, top, right and bottom.
fn frame(svg: &str) -> (f64, f64, f64, f64) {
    let is_frame =
        |(a, d): &(&str, &str)| a.contains("stroke=\"#262626\"") && d.contains('v') && d.ends_with('z');
    let (_, outline) = paths(svg).find(is_frame).unwrap();
    let outline = outline.split('M').find(|part| part.ends_with('z')).unwrap();
    let numbers: Vec<f64> =
        outline.split([' ', 'h', 'v', 'z']).filter_map(|n| n.parse::<f64>().ok()).map(|n| n / 20.0).collect();
    (numbers[0], numbers[1], numbers[0] + numbers[2], numbers[1] + numbers[3])
}

/// The circles inside of the first plotting area: left end and height of each, and their diameter.
fn circles(svg: &str) -> (Vec<(f64, f64)>, f64) {
    let filled = |(a, d): &(&str, &str)| a.contains("fill=\"#0072b2\"") && d.contains('a');
    let all: Vec<&str> = paths(svg).filter(filled).map(|(_, d)| d).collect();
    let radius: f64 = all[0].split('a').nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let right = frame(svg).2;
    (all.into_iter().flat_map(starts).filter(|p| p.0 < right).collect(), radius / 10.0)
}

/// Every picture of points, at its usual size and at others.
fn pictures_of(x: &Tensor) -> Vec<(&'static str, Picture)> {
    let y = Tensor::zeros([x.size(0)]);
    let panels = [("Train", x, &y)];
    let sizes = [None, Some((900, 400)), Some((400, 700))];
    let sized = |plot: plot::Plot, size: Option<(u32, u32)>| match size {
        None => plot.draw(),
        Some((w, h)) => plot.size(w, h).draw(),
    };
    let all = |size| {
        [
            ("scatter", sized(plot::scatter(x, &y), size)),
            ("boundary", sized(plot::decision_boundary(&rightward, &panels), size)),
            ("surface", sized(plot::probability_surface(&rightward, &panels), size)),
        ]
    };
    sizes.into_iter().flat_map(all).collect()
}

#[test]
fn no_point_is_cut_off_at_the_frame() {
    for scale in [1e-3, 1.0, 500.0] {
        let x = tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]]) * scale;
        for (name, picture) in pictures_of(&x) {
            let ((left, top, right, bottom), (circles, d)) = (frame(picture.svg()), circles(picture.svg()));
            assert_eq!(circles.len(), 4, "{name}");
            for (x, y) in circles {
                assert!(x > left && x + d < right, "{name} x {scale}: {x} in {left} to {right}");
                assert!(
                    y - d / 2.0 > top && y + d / 2.0 < bottom,
                    "{name} x {scale}: {y} in {top} to {bottom}"
                );
            }
        }
    }
}

#[test]
fn a_circle_is_round() {
    for (a, b, equal) in [(1.0, 1.0, true), (1.0, 2.0, true), (1.0, 9.0, false)] {
        let x = tensor([[-a, 0.0], [a, 0.0], [0.0, -b], [0.0, b]]);
        for (name, picture) in pictures_of(&x) {
            let (circles, _) = circles(picture.svg());
            let across = (circles[1].0 - circles[0].0) / a;
            let down = (circles[2].1 - circles[3].1) / b;
            assert_eq!(
                (across / down - 1.0).abs() < 0.01,
                equal,
                "{name} {a} {b}: {across} and {down} to a unit"
            );
        }
    }
}

#[test]
fn points_stand_out_of_their_own_colour() {
    let (x, y) = (tensor([[-1.0, -1.0], [1.0, 1.0]]), tensor([0, 1]));
    let sure = |x: &Tensor| (x.select(1, 0) * 1e4).sigmoid();
    let picture = plot::probability_surface(&sure, &[("Train", &x, &y)]).draw();
    assert_eq!(
        picture.svg().matches("stroke=\"#ffffff\"").count(),
        4,
        "points have a white edge, as in the legend"
    );
    let (left, top, right, _) = frame(picture.svg());
    let distance = |a: (u8, u8, u8), b: (u8, u8, u8)| {
        i32::from(a.0.abs_diff(b.0)) + i32::from(a.1.abs_diff(b.1)) + i32::from(a.2.abs_diff(b.2))
    };
    let ends = [(left + 9.0, (0, 114, 178)), (right - 9.0, (230, 159, 0))];
    for (x, class) in ends {
        let back = color_at(&picture, (x, top + 9.0));
        assert!(distance(back, class) > 120, "{back:?} and {class:?}");
    }
}

#[test]
fn a_ridge_between_classes_has_one_colour() {
    // Three classes in steep stripes whose border runs aslant to the grid.
    let net = |x: &Tensor| {
        let t = (x.select(1, 0) + x.select(1, 1) * 0.37) * 60.0;
        Tensor::stack(&[&t, &-&t, &(&t * 0.0 - 90.0)], 1).softmax(1)
    };
    let (x, y) = (tensor([[-1.0, -1.0], [1.0, 1.0]]), tensor([0, 1]));
    let picture = plot::probability_surface(&net, &[("Train", &x, &y)]).size(900, 800).draw();
    let (left, top, right, bottom) = frame(picture.svg());
    let pixels = Pixmap::decode_png(&picture.png()).unwrap();
    let dark = |y: u32| {
        let row = (left as u32 + 2..right as u32 - 2).map(|x| pixels.pixel(x, y).unwrap());
        row.map(|p| u32::from(p.red())).min().unwrap()
    };
    let darkest: Vec<u32> = (top as u32 + 60..bottom as u32 - 60).map(dark).collect();
    let (low, high) = (darkest.iter().min().unwrap(), darkest.iter().max().unwrap());
    assert!(high - low < 45, "the darkest of a row: {low} to {high}");
}

#[test]
fn a_class_has_one_row_of_the_legend_and_regions_have_borders() {
    let (x, y) = (tensor([[-1.0, -1.0], [1.0, 1.0]]), tensor([0, 1]));
    let svg = plot::decision_boundary(&rightward, &[("Train", &x, &y)]).draw().svg().to_owned();
    for class in ["class 0", "class 1"] {
        assert_eq!(svg.matches(&format!("aria-label=\"{class}\"")).count(), 1);
    }
    let (_, border) =
        paths(&svg).find(|(a, _)| a.contains("stroke=\"#606060\"")).expect("a line between the regions");
    let (left, _, right, _) = frame(&svg);
    let middle = (left + right) / 2.0;
    assert!(starts(border).iter().all(|(x, _)| (x - middle).abs() < 2.0), "{border}");
}

#[test]
fn bars_stand_over_their_bins_and_small_bins_are_hollow() {
    let empty = (f64::NAN, f64::NAN, 0);
    // Five bins: the mean of the last is at its left end.
    let bins = [empty, (0.25, 0.3, 9), empty, empty, (0.8, 0.8, 10)];
    let svg = plot::reliability(&bins).title("").draw().svg().to_owned();
    assert!(
        svg.contains("aria-label=\"confidence\"") && svg.contains("aria-label=\"fewer than 10 samples\"")
    );
    assert!(svg.contains("aria-label=\"expected calibration error 0.0237 (5 bins)\""));
    let (left, _, right, _) = frame(&svg);
    let at = |x: f64| left + (x + 0.02) / 1.04 * (right - left);
    let (_, bars) = paths(&svg).find(|(a, d)| a.contains("fill=\"#0072b2\"") && d.contains('h')).unwrap();
    let lefts: Vec<f64> = starts(bars).iter().map(|p| p.0).collect();
    assert!((lefts[0] - at(0.205)).abs() < 1.0 && (lefts[1] - at(0.805)).abs() < 1.0, "{lefts:?}");
    assert_eq!(svg.matches("fill=\"#ffffff\"").count(), 3, "page, point and legend");
    let many = plot::reliability(&[(0.25, 0.3, 10), (0.8, 0.8, 10)]).draw().svg().to_owned();
    assert!(!many.contains("fewer than"));
}
