//! Pictures show what the data say.

use crate::{place_of, rightward};
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
