//! Pictures as text, for a quick look in a terminal.

use super::{Log, as_images, combined, plane, probabilities, series};
use crate::error::Error;
use crate::objective::Objective;
use crate::part::{Data, Part, class_numbers, spaced};
use crate::run_dir::RunDir;
use rekindle_nn::Sequential;
use rekindle_nn::loss::Decision;
use rekindle_plot::Terminal;
use rekindle_tensor::Tensor;

/// Images beside each other in a row of text, and rows.
const IMAGES: (usize, usize) = (2, 2);

/// The curves of a run and, for two features, the regions of its classes on the test data.
///
/// # Errors
/// If the run's log cannot be read.
pub fn of_run(run: &RunDir, net: &Sequential, data: &Data, terminal: &Terminal) -> Result<String, Error> {
    let objective = Objective::build(&run.recipe()?.loss).map_err(Error::Recipe)?;
    let log = Log::of(run)?;
    let mut text = String::new();
    for (figure, label) in [("loss", "loss"), ("acc", "accuracy")] {
        let curves = log.watched(figure);
        if !curves.is_empty() {
            text += &terminal.curves(&series(&curves), label);
            text.push('\n');
        }
    }
    let test = data.test.at_hand();
    if plane(&test).is_ok()
        && objective.decision != Decision::None
        && let Ok((labels, names)) = combined(&test.y, data)
    {
        let ask = |x: &Tensor| probabilities(&objective, net, data.kind, x);
        text += &terminal.clone().class_names(names).boundary(&ask, &test.x(), &labels);
    }
    Ok(text)
}

/// A data set as text: its points, the first of its images, or nothing where there is no picture in so few signs.
pub fn of_data(data: &Data, terminal: &Terminal) -> String {
    if data.image.is_some() {
        return images(data);
    }
    let (train, test) = (data.train.at_hand(), data.test.at_hand());
    if data.classes.is_empty() && train.sample_shape() == [1] {
        let points = |part: &Part| -> Vec<(f64, f64)> {
            let (x, y) = (part.x().to_vec::<f32>(), part.y.to_vec::<f32>());
            x.into_iter().zip(y).map(|(x, y)| (x.into(), y.into())).collect()
        };
        let (train, test) = (points(&train), points(&test));
        return terminal.curves(&[("train", &train), ("test", &test)], "y");
    }
    match (plane(&train), combined(&train.y, data)) {
        (Ok(()), Ok((labels, names))) => terminal.clone().class_names(names).scatter(&train.x(), &labels),
        _ => String::new(),
    }
}

/// Images in shades of signs, two rows of pixels in a line of text, because signs are twice as high as wide.
fn images(data: &Data) -> String {
    const SHADES: &[u8] = b" .:-=+*#%@";
    let (across, down) = IMAGES;
    let rows = spaced(data.train.len(), across * down);
    let few = data.train.pick(&rows);
    let images = as_images(&few.x(), data);
    let labels = class_numbers(&few.y).to_vec::<i64>();
    let (height, width) = (images.size(2), images.size(3));
    let pixels = images.select(1, 0).to_vec::<f32>();
    let sign = |image: usize, y: usize, x: usize| {
        let at = |y: usize| pixels[(image * height + y.min(height - 1)) * width + x];
        let shade = (at(y) + at(y + 1)) / 2.0 * SHADES.len() as f32;
        SHADES[(shade as usize).min(SHADES.len() - 1)] as char
    };
    let mut text = String::new();
    for first in (0..labels.len()).step_by(across) {
        let row = first..labels.len().min(first + across);
        let named = |i: usize| data.classes.get(labels[i] as usize).cloned().unwrap_or_default();
        let head: Vec<String> = row.clone().map(|i| format!("{:<width$}", named(i))).collect();
        text += &(head.join("  ").trim_end().to_string() + "\n");
        for y in (0..height).step_by(2) {
            let line: Vec<String> =
                row.clone().map(|i| (0..width).map(|x| sign(i, y, x)).collect()).collect();
            text += &(line.join("  ").trim_end().to_string() + "\n");
        }
    }
    text
}
