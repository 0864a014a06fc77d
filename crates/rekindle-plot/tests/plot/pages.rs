//! How pages are built: what is drawn, in which order, and that nothing hides data.

use crate::{every_kind, paths, place_of, starts};
use rekindle_plot as plot;
use rekindle_tensor::{Tensor, check, tensor};

/// A document without its numbers: the attributes of each path and how many shapes it has.
fn skeleton(svg: &str) -> String {
    let shapes = |outline: &str| outline.matches('M').count();
    paths(svg).map(|(attributes, outline)| format!("{}: {}\n", attributes.trim(), shapes(outline))).collect()
}

#[test]
fn pages_are_built_as_they_were() {
    let lr = plot::learning_rate(&[(0.0, 0.1), (1.0, 0.05), (2.0, 0.05)]).size(300, 200).draw();
    insta::assert_snapshot!("learning_rate", skeleton(lr.svg()));
    let matrix =
        plot::confusion_matrix(&[vec![9, 1], vec![3, 7]]).class_names(["개", "cat"]).size(300, 300).draw();
    insta::assert_snapshot!("confusion_matrix", skeleton(matrix.svg()));
}

#[test]
fn legends_stand_beside_the_plotting_areas() {
    let long = "a class with a very, very long name that has to be cut somewhere";
    for (name, plot) in every_kind().into_iter().filter(|(name, _)| !name.contains("image")) {
        let svg = plot.class_names(["개", long]).draw().svg().to_owned();
        // Frames are the outlines that are drawn last over the data: dark, one pixel wide, closed.
        let frames = paths(&svg).filter(|(a, d)| a.contains("stroke=\"#262626\"") && d.ends_with('z'));
        let right = frames.flat_map(|(_, d)| d.split('M').skip(1)).filter_map(|frame| {
            let (x, rest) = frame.split_once(' ')?;
            let width = rest.split(['h', 'v']).nth(1)?;
            Some((x.parse::<f64>().ok()? + width.parse::<f64>().ok()?) / 20.0)
        });
        let right = right.fold(0.0, f64::max);
        assert!(right > 100.0, "{name} has a frame");
        for entry in ["train", "검증", "net (AUC 0.5000)", "chance", "observed", "test data", "predicted 개"]
        {
            if svg.contains(&format!("aria-label=\"{entry}\"")) {
                assert!(place_of(&svg, entry).0 > right, "{name}: {entry}");
            }
        }
    }
}

#[test]
fn all_text_is_on_the_page_at_any_size() {
    for size in [(100, 100), (300, 200), (2000, 1200)] {
        for (name, plot) in every_kind() {
            let picture = plot.title("제목").size(size.0, size.1).draw();
            for (attributes, outline) in paths(picture.svg()).filter(|(a, _)| a.contains("aria-label")) {
                let (x, y) = starts(outline)[0];
                // At the smallest sizes things may lie over each other, but not far outside.
                let (w, h) = (f64::from(size.0) + 60.0, f64::from(size.1) + 60.0);
                assert!(
                    (-60.0..w).contains(&x) && (-60.0..h).contains(&y),
                    "{name} {size:?} {attributes} {x} {y}"
                );
            }
        }
    }
}

#[test]
fn names_cannot_break_the_document() {
    let names =
        ["<b>\"&'", "\u{0}\u{7}\n\t", "\u{200f}עברית abc", "\u{e000}\u{10ffff}", "", "e\u{301}\u{328}"];
    let matrix = plot::confusion_matrix(&vec![vec![1; 6]; 6]).class_names(names).title("</svg>");
    assert!(matrix.draw().png().len() > 1000);
}

#[test]
fn a_picture_of_very_many_points_stays_small_and_says_so() {
    let x = Tensor::rand([60_000, 2]);
    let y = x.select(1, 0).gt(0.5).long();
    let picture = plot::scatter(&x, &y).draw();
    assert!(picture.svg().len() < 1_500_000, "{}", picture.svg().len());
    assert!(
        picture.svg().contains("aria-label=\"5,000 of 60,000 points\"")
            || picture.svg().contains("4,999 of 60,000")
    );
    let curve: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), f64::from(i).sin())).collect();
    let picture = plot::curves(&[("train", &curve)], "loss").draw();
    assert!(picture.svg().len() < 300_000, "{}", picture.svg().len());
}

#[test]
fn mistakes_say_what_and_what_to_do() {
    let said = |f: &dyn Fn() -> plot::Plot| check(|| drop(f())).unwrap_err();
    let (x, y) = (Tensor::zeros([3, 2]), Tensor::zeros([3]));
    let net = |_: &Tensor| Tensor::full([10201], 2.0);
    let texts = [
        said(&|| plot::scatter(&y, &y)),
        said(&|| plot::scatter(&x, &Tensor::zeros([2]))),
        said(&|| plot::scatter(&x, &Tensor::full([3], 0.5))),
        said(&|| plot::decision_boundary(&|x| x.select(0, 0), &[("Train", &x, &y)])),
        said(&|| plot::decision_boundary(&net, &[("Train", &x, &y)])),
        said(&|| plot::predictions((&y, &x), (&y, &y), None)),
        said(&|| plot::activation("sum", &|x| x.sum(), (-1.0, 1.0))),
        said(&|| plot::activation("ReLU", &|x| x.relu(), (1.0, -1.0))),
        said(&|| plot::image_grid(&x, &y)),
        said(&|| plot::image_predictions(&Tensor::zeros([3, 2, 2]), &y, &Tensor::zeros([2]))),
        said(&|| plot::confusion_matrix(&[vec![1, 2], vec![3]])),
        said(&|| plot::roc(&[("net", &[0.0, 1.0], &[0.0], 0.5)])),
        said(&|| plot::scatter(&x, &y).size(50, 100)),
        said(&|| {
            drop(plot::Terminal::new(3, 3));
            plot::scatter(&x, &tensor([0, 0, 0]))
        }),
    ];
    insta::assert_snapshot!("mistakes", texts.join("\n"));
}

#[test]
fn a_note_is_added_and_an_empty_one_takes_the_summary_away() {
    let images = Tensor::zeros([2, 4, 4]);
    let draw = || plot::image_predictions(&images, &tensor([0, 1]), &tensor([0.1, 0.2]));
    let lines = |plot: plot::Plot| {
        let svg = plot.draw().svg().to_owned();
        ["1 of 2 right", "test data"].map(|line| svg.contains(&format!("aria-label=\"{line}\"")))
    };
    assert_eq!(lines(draw()), [true, false]);
    assert_eq!(lines(draw().note("test data")), [true, true]);
    assert_eq!(lines(draw().note("")), [false, false]);
}
