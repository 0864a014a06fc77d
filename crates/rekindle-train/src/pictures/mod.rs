//! The pictures of a run: which there are, what each needs, and where they are kept. Behind the feature `plot`.

pub mod text;

use crate::error::{Error, guarded};
use crate::judge::{Answers, BINS, Judged, Judgement};
use crate::metrics::{self, Scores, Task};
use crate::objective::Objective;
use crate::part::{Data, Part, class_numbers, select, spaced};
use crate::run_dir::RunDir;
use crate::sets::Kind;
#[cfg(feature = "images")]
use crate::signature::Input;
use crate::signature::in_units;
use crate::trainer::outputs_of;
use rekindle_nn::loss::Decision;
use rekindle_nn::{Parameters, Sequential};
use rekindle_plot::{self as plot, Plot};
use rekindle_tensor::{DType, Tensor, no_grad};

/// The names of the pictures, in the order in which they are drawn.
#[rustfmt::skip]
pub const NAMES: [&str; 13] = ["curves", "learning-rate", "data", "boundary", "surface", "predictions", "images", "worst",
    "confusion", "roc", "precision-recall", "reliability", "weights"];

/// The function of each name.
#[rustfmt::skip]
const PICTURES: [fn(&Subject) -> Drawing; NAMES.len()] = [curves, learning_rate, data, boundary, surface, predictions, images,
    worst, confusion, roc, precision_recall, reliability, weights];

/// Classes of which each gets a curve of its own.
const MOST_CURVES: usize = 10;

/// Images in a picture.
const MOST_IMAGES: usize = 25;

/// A picture, or why there is none.
type Drawing = Result<Plot, String>;

/// Which pictures are drawn, and how.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Of [`NAMES`]; none for all that the data allows.
    pub names: Vec<String>,
    /// The format of the files.
    pub format: Format,
}

/// A format of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Pixels.
    #[default]
    Png,
    /// Lines and areas, for any size.
    Svg,
}

/// The pictures that were drawn, and those that could not be.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// The names of the files in `plots/`.
    pub files: Vec<String>,
    /// Why a picture that the data should allow is not there, a line each.
    pub failures: Vec<String>,
}

/// What pictures are drawn of.
struct Subject<'a> {
    run: &'a RunDir,
    test: &'a Judged,
    objective: Objective,
    net: &'a Sequential,
    data: &'a Data,
}

/// Draws pictures of a run into its `plots/` and says which.
///
/// # Errors
/// If a picture that was asked for by name needs other data, or a file cannot be written.
pub fn draw(
    run: &RunDir,
    judged: &Judgement,
    net: &Sequential,
    data: &Data,
    choice: &Choice,
) -> Result<Drawn, Error> {
    let objective = Objective::build(&run.recipe()?.loss).map_err(Error::Recipe)?;
    let subject = Subject { run, test: judged.test(), objective, net, data };
    let failed = |path: &std::path::Path, e: std::io::Error| Error::Run {
        path: path.to_path_buf(),
        reason: format!("cannot write: {e}"),
    };
    let folder = run.plots();
    std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
    let mut drawn = Drawn::default();
    for (name, picture) in NAMES.into_iter().zip(PICTURES) {
        let wanted = choice.names.iter().any(|n| n == name);
        if !wanted && !choice.names.is_empty() {
            continue;
        }
        let file = format!("{name}.{}", if choice.format == Format::Svg { "svg" } else { "png" });
        let path = folder.join(&file);
        // Drawing happens in saving.
        let saved = guarded(|| match picture(&subject) {
            Ok(plot) => plot.save(&path).map_err(|e| failed(&path, e)).map(|()| Ok(())),
            Err(cause) => Ok(Err(cause)),
        });
        match saved {
            Ok(Ok(())) => drawn.files.push(file),
            Ok(Err(cause)) if wanted => return Err(Error::Recipe(format!("{name}: {cause}"))),
            Ok(Err(_)) => {}
            Err(Error::Recipe(cause)) if !wanted => drawn.failures.push(format!("{name}: {cause}")),
            Err(e) => return Err(e),
        }
    }
    Ok(drawn)
}

/// Says where the pictures are, in one line, and what could not be drawn, in one each.
pub fn listed(run: &RunDir, drawn: &Drawn) -> String {
    let files = format!("pictures in {}: {}", run.plots().display(), drawn.files.join(" "));
    drawn.failures.iter().fold(files, |text, failure| format!("{text}\nnot drawn: {failure}"))
}

/// A picture of a data set by itself: its points, its images, or the spread of its columns.
pub fn of_data(data: &Data) -> Plot {
    let train = &data.train;
    if data.image.is_some() {
        let rows = spaced(train.len(), MOST_IMAGES);
        let few = train.pick(&rows);
        return plot::image_grid(&as_images(&few.x(), data), &class_numbers(&few.y))
            .class_names(data.classes.clone());
    }
    if data.classes.is_empty() && train.sample_shape() == [1] {
        let (y, test_y) =
            (in_units(&train.y, data.input.units()), in_units(&data.test.y, data.input.units()));
        return plot::predictions((&train.x(), &y), (&data.test.x(), &test_y), None);
    }
    match scatter(data) {
        Ok(plot) => plot,
        Err(_) => {
            let x = train.at_hand().x();
            let columns: Vec<(String, Tensor)> =
                (0..x.size(1).min(9)).map(|c| (format!("x{}", c + 1), x.select(1, c as isize))).collect();
            let named: Vec<(&str, &Tensor)> = columns.iter().map(|(name, t)| (name.as_str(), t)).collect();
            plot::weights_histogram(&named).title("Columns of the training data")
        }
    }
}

/// A logged figure over the epochs.
type Points = Vec<(f64, f64)>;

/// The log of a run, by columns.
struct Log(Vec<(String, Vec<f64>)>);

impl Log {
    /// The log of a run, with at least one epoch.
    fn of(run: &RunDir) -> Result<Log, Error> {
        let columns = run.log_columns()?;
        if columns.iter().any(|(name, epochs)| name == "epoch" && !epochs.is_empty()) {
            return Ok(Log(columns));
        }
        let path = run.path().join("metrics.csv");
        Err(Error::Run { path, reason: "it has no epochs; train the run again".into() })
    }

    /// A figure over the epochs; none if it was never measured.
    fn column(&self, name: &str) -> Option<Points> {
        let find = |name: &str| self.0.iter().find(|(n, _)| n == name).map(|(_, values)| values);
        let points: Points = find("epoch")?.iter().copied().zip(find(name)?.iter().copied()).collect();
        points.iter().any(|p| !p.1.is_nan()).then_some(points)
    }

    /// A figure for each part of the data that was watched.
    fn watched(&self, figure: &str) -> Vec<(&'static str, Points)> {
        [("train", "train"), ("validation", "val"), ("test", "test")]
            .into_iter()
            .filter_map(|(name, short)| Some((name, self.column(&format!("{short}_{figure}"))?)))
            .collect()
    }
}

fn series<'a>(all: &'a [(&'static str, Points)]) -> Vec<plot::Series<'a>> {
    all.iter().map(|(name, points)| (*name, points.as_slice())).collect()
}

impl Subject<'_> {
    fn log(&self) -> Result<Log, String> {
        Log::of(self.run).map_err(|e| e.to_string())
    }

    /// Probabilities `[n, classes]` and classes `[n]`.
    fn classes(&self) -> Result<(&Tensor, &Tensor), String> {
        match &self.test.answers {
            Answers::Classes { probabilities, target, .. } => Ok((probabilities, target)),
            _ => Err("it needs samples of one class each".into()),
        }
    }

    /// The scores of each class or label under its name, with what is right.
    fn scores(&self) -> Result<(Scores, Vec<(usize, String)>), String> {
        let names = self.test.class_names();
        let (mut scores, columns) = match &self.test.answers {
            Answers::Classes { probabilities, .. } if probabilities.size(1) == 2 => {
                (Scores::new(Task::Binary), vec![(0, names[1].clone())])
            }
            Answers::Classes { probabilities, .. } => {
                let classes = probabilities.size(1);
                let named = (0..classes.min(MOST_CURVES)).map(|c| (c, names[c].clone())).collect();
                (Scores::new(Task::MultiClass(classes)), named)
            }
            Answers::Labels { probabilities, .. } => {
                let labels = probabilities.size(1);
                let named = (0..labels.min(MOST_CURVES)).map(|c| (c, names[c].clone())).collect();
                (Scores::new(Task::MultiLabel(labels)), named)
            }
            Answers::Numbers { .. } => return Err("it needs classes".into()),
        };
        match &self.test.answers {
            Answers::Classes { target, .. } | Answers::Labels { target, .. } => {
                scores.update(&self.test.scores(), target)
            }
            Answers::Numbers { .. } => {}
        }
        Ok((scores, columns))
    }

    fn two_features(&self) -> Result<(), String> {
        plane(&self.data.train)
    }
}

fn plane(part: &Part) -> Result<(), String> {
    match part.sample_shape()[..] {
        [2] => Ok(()),
        ref shape => Err(format!("it needs two features; the samples have the shape {shape:?}")),
    }
}

fn curves(s: &Subject) -> Drawing {
    let log = s.log()?;
    let (loss, accuracy) = (log.watched("loss"), log.watched("acc"));
    Ok(match accuracy.as_slice() {
        [] => plot::curves(&series(&loss), "loss"),
        accuracy => plot::history(&series(&loss), &series(accuracy)),
    })
}

fn learning_rate(s: &Subject) -> Drawing {
    let points = s.log()?.column("lr").unwrap_or_default();
    let first = points.first().map(|p| p.1);
    if points.iter().all(|p| Some(p.1) == first) {
        return Err(format!("the learning rate stays {}", first.unwrap_or(f64::NAN)));
    }
    Ok(plot::learning_rate(&points))
}

fn data(s: &Subject) -> Drawing {
    s.two_features()?;
    scatter(s.data)
}

fn scatter(data: &Data) -> Drawing {
    plane(&data.train)?;
    let train = data.train.at_hand();
    let (labels, names) = combined(&train.y, data)?;
    Ok(plot::scatter(&train.x(), &labels)
        .class_names(names)
        .title("Training data")
        .x_label("x1")
        .y_label("x2"))
}

/// One class for each sample: its own, or its combination of up to three labels.
fn combined(y: &Tensor, data: &Data) -> Result<(Tensor, Vec<String>), String> {
    let (names, labels) = (&data.classes, data.classes.len());
    match data.kind {
        Kind::Numbers => Err("it needs classes".into()),
        Kind::Classes => Ok((class_numbers(y), names.clone())),
        Kind::Labels if labels > 3 => Err(format!("of {labels} labels there are too many combinations")),
        Kind::Labels => {
            let bits = Tensor::from_vec((0..labels).map(|l| f64::from(1 << l)).collect(), [labels]);
            let numbers = (y.to(DType::F64) * bits).sum_dim(1, false).to(DType::I64);
            let set = |number: usize| -> String {
                let of: Vec<&str> =
                    (0..labels).filter(|l| number >> l & 1 == 1).map(|l| names[l].as_str()).collect();
                if of.is_empty() { "none".into() } else { of.join(" + ") }
            };
            Ok((numbers, (0..1 << labels).map(set).collect()))
        }
    }
}

/// The probabilities of the classes of [`combined`]: labels are independent of each other.
fn probabilities(objective: &Objective, net: &Sequential, kind: Kind, x: &Tensor) -> Tensor {
    let p = objective.probabilities(&no_grad(|| outputs_of(net, &x.to(DType::F32))));
    if kind != Kind::Labels {
        return p;
    }
    let labels = p.size(1);
    let of = |number: usize| {
        (0..labels).fold(Tensor::ones([p.size(0)]).to(DType::F64), |product, l| {
            let p = p.select(1, l as isize);
            product * if number >> l & 1 == 1 { p } else { 1.0 - p }
        })
    };
    Tensor::stack(&(0..1 << labels).map(of).collect::<Vec<_>>(), 1)
}

fn boundary(s: &Subject) -> Drawing {
    regions(s, plot::decision_boundary)
}

fn surface(s: &Subject) -> Drawing {
    match s.test.answers {
        Answers::Classes { .. } => regions(s, plot::probability_surface),
        _ => Err("it needs samples of one class each".into()),
    }
}

type Regions = fn(&dyn Fn(&Tensor) -> Tensor, &[plot::Labelled]) -> Plot;

fn regions(s: &Subject, picture: Regions) -> Drawing {
    s.two_features()?;
    if s.objective.decision == Decision::None {
        return Err("it needs a loss of probabilities".into());
    }
    let (train, test) = (s.data.train.at_hand(), s.data.test.at_hand());
    let (train_labels, names) = combined(&train.y, s.data)?;
    let (test_labels, _) = combined(&test.y, s.data)?;
    let ask = |x: &Tensor| probabilities(&s.objective, s.net, s.data.kind, x);
    let panels = [("Train", &train.x(), &train_labels), ("Test", &test.x(), &test_labels)];
    Ok(picture(&ask, &panels).class_names(names).x_label("x1").y_label("x2"))
}

fn predictions(s: &Subject) -> Drawing {
    let Answers::Numbers { predicted, target } = &s.test.answers else {
        return Err("it needs a regression".into());
    };
    let (train, test) = (s.data.train.at_hand(), s.data.test.at_hand());
    if train.sample_shape() != [1] || target.numel() != test.len() {
        return Err("it needs one feature and one target".into());
    }
    let [y, test_y] = [&train, &test].map(|part| in_units(&part.y, s.data.input.units()));
    Ok(plot::predictions((&train.x(), &y), (&test.x(), &test_y), Some(predicted)))
}

fn as_images(x: &Tensor, data: &Data) -> Tensor {
    let [channels, rows, columns] = data.image.unwrap_or([1, 1, 1]);
    let x = x.reshape([x.size(0), channels, rows, columns]);
    #[cfg(feature = "images")]
    if let Input::Images(input) = &data.input {
        return input.brightness(&x);
    }
    x
}

fn images(s: &Subject) -> Drawing {
    let rows = spaced(s.data.test.len(), MOST_IMAGES);
    Ok(shown(s, &rows)?.title("Test images and what the model takes them for"))
}

/// The wrong images whose class got the smallest probabilities.
fn worst(s: &Subject) -> Drawing {
    let wrong = s.test.surest_mistakes(MOST_IMAGES);
    if wrong.is_empty() {
        return Err("no test image is wrong".into());
    }
    let rows: Vec<usize> = wrong.iter().map(|m| m.sample).collect();
    // Of mistakes there is no share of right ones to note.
    Ok(shown(s, &rows)?.title("The wrong test images that the model was surest about").note(""))
}

fn shown(s: &Subject, rows: &[usize]) -> Drawing {
    if s.data.image.is_none() {
        return Err("it needs images".into());
    }
    let (p, target) = s.classes()?;
    let images = as_images(&s.data.test.pick(rows).x(), s.data);
    Ok(plot::image_predictions(&images, &select(target, rows), &select(p, rows))
        .class_names(s.test.class_names()))
}

fn confusion(s: &Subject) -> Drawing {
    match &s.test.answers {
        Answers::Classes { confusion, .. } => Ok(plot::confusion_matrix(&confusion.counts())
            .class_names(s.test.class_names())
            .title("Confusion matrix of the test data")),
        _ => Err("it needs samples of one class each".into()),
    }
}

/// Says so if not every class has a curve.
fn curves_noted(s: &Subject, plot: Plot) -> Plot {
    let classes = s.test.class_names().len();
    if classes <= MOST_CURVES {
        plot
    } else {
        plot.note(&format!("the first {MOST_CURVES} of {classes} classes"))
    }
}

fn roc(s: &Subject) -> Drawing {
    let (scores, columns) = s.scores()?;
    let areas = scores.roc_auc_per_class();
    let curves: Vec<_> = columns.iter().map(|(c, _)| scores.roc_curve(*c)).collect();
    let rates: Vec<plot::Rates> = columns
        .iter()
        .zip(&curves)
        .map(|((c, name), curve)| (name.as_str(), curve.fpr.as_slice(), curve.tpr.as_slice(), areas[*c]))
        .collect();
    Ok(curves_noted(s, plot::roc(&rates)).title("ROC of the test data"))
}

fn precision_recall(s: &Subject) -> Drawing {
    let (scores, columns) = s.scores()?;
    let areas = scores.average_precision_per_class();
    let curves: Vec<_> = columns.iter().map(|(c, _)| scores.precision_recall_curve(*c)).collect();
    let rates: Vec<plot::Rates> = columns
        .iter()
        .zip(&curves)
        .map(|((c, name), curve)| {
            (name.as_str(), curve.precision.as_slice(), curve.recall.as_slice(), areas[*c])
        })
        .collect();
    Ok(curves_noted(s, plot::precision_recall(&rates)).title("Precision and recall on the test data"))
}

fn reliability(s: &Subject) -> Drawing {
    let (_, target) = s.classes()?;
    let scores = s.test.scores();
    let curve = metrics::reliability_curve(&scores, target, BINS);
    let bins: Vec<plot::Bin> = curve
        .confidence
        .into_iter()
        .zip(curve.accuracy)
        .zip(curve.count)
        .map(|((c, a), n)| (c, a, n))
        .collect();
    let plot = plot::reliability(&bins).title("Reliability on the test data");
    Ok(match s.test.class_names() {
        [_, yes] => plot.x_label(&format!("probability of {yes}")),
        _ => plot,
    })
}

fn weights(s: &Subject) -> Drawing {
    let all = s.net.named_parameters();
    let weights: Vec<(&str, &Tensor)> =
        all.iter().filter(|(name, _)| name.ends_with("weight")).map(|(name, t)| (name.as_str(), t)).collect();
    Ok(plot::weights_histogram(&weights))
}
