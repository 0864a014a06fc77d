//! Arrays of numbers of the user's (NPZ, NPY, IDX) as the data of a recipe.

use super::{Loading, Memory, Reads, Sketch, Source, SplitSizes, Targets, absolute, as_targets, find, suits};
use crate::arrays::{ArrayInput, Numbers, is_npz};
use crate::draft::quoted;
use crate::error::Error;
use crate::objective::Objective;
use crate::part::{Data, Part};
use crate::sets::Kind;
use crate::signature::{Input, Signature};
use rekindle_data::table::TargetKind;
use rekindle_tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Whole numbers of more different values than this are no classes, unless it is said that they are.
const MOST_CLASSES: usize = 1000;

/// Inputs and targets in files of NumPy or of MNIST's format. The first dimension counts the samples.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArraysSource {
    /// The file: NPZ, NPY or IDX.
    pub arrays: PathBuf,
    /// The file of the targets, if it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The name of the inputs in an NPZ file; `x` without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The name of the targets in an NPZ file; `y` without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Another file to test with; then no samples of the first are kept for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_arrays: Option<PathBuf>,
    /// The file of its targets, if it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// Whether the targets are classes, labels or numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TargetKind>,
    /// The names of the classes or labels, in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Whether each sample is given as one row of numbers.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub flatten: bool,
    /// Whether each column of inputs `[n, columns]` is standardised, by the mean and the deviation of the training samples.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub standardize: bool,
    /// The memory that each array may take, such as `"500 MB"`; a larger one is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Which samples validate and test.
    #[serde(default)]
    pub split: SplitSizes,
}

/// What targets are.
struct Taught {
    kind: Kind,
    /// Classes I64 `[n]`, or F32 `[n, targets]`.
    y: Tensor,
    names: Vec<String>,
    /// The number of each class in the file.
    values: Vec<i64>,
}

impl ArraysSource {
    /// The inputs and the targets of a pair of files.
    fn read(&self, arrays: &Path, labels: Option<&Path>) -> Result<(Numbers, Tensor), Error> {
        let memory = self.memory.unwrap_or_default();
        let x = Numbers::read(arrays, self.x.as_deref(), &["x", "X", "x_train", "data", "images"], memory)?;
        let names = ["y", "Y", "y_train", "labels", "targets"];
        let y = match labels {
            Some(path) => Numbers::read(path, self.y.as_deref(), &names, memory)?,
            None if is_npz(arrays) => Numbers::read(arrays, self.y.as_deref(), &names, memory)?,
            None => {
                let what = "it holds one array; name the file of the targets with data.labels";
                return Err(Error::Recipe(format!("{}: {what}", arrays.display())));
            }
        };
        let [n, m] = [&x, &y].map(|a| a.values.shape().first().copied().unwrap_or(0));
        if n != m || n == 0 {
            let what = format!("{n} inputs with {m} targets; there must be as many");
            return Err(Error::Recipe(format!("{}: {what}", arrays.display())));
        }
        Ok((x, y.targets()))
    }

    /// What targets are, as it is declared, or as they look. `known` are the numbers of classes that a model knows.
    fn taught(&self, path: &Path, y: Tensor, known: Option<&[i64]>) -> Result<Taught, Error> {
        let wrong = |what: String| Err(Error::Recipe(format!("{}: the targets are {what}", path.display())));
        let y = if y.dim() == 2 && y.size(1) == 1 { y.squeeze_dim(1) } else { y };
        let whole = y.to_f64_vec().iter().all(|v| v.fract() == 0.0);
        let binary = || y.to_f64_vec().iter().all(|&v| v == 0.0 || v == 1.0);
        let kind = match (self.task, y.dim()) {
            (Some(TargetKind::Classes), 1) if whole => Kind::Classes,
            (Some(TargetKind::Labels), 2) if binary() => Kind::Labels,
            (Some(TargetKind::Numbers), 1 | 2) => Kind::Numbers,
            (None, 1) if y.dtype() == DType::I64 => Kind::Classes,
            (None, 2) if binary() => Kind::Labels,
            (None, 1 | 2) => Kind::Numbers,
            (task, _) => {
                let declared =
                    task.map_or("neither classes, labels nor numbers", |_| "not what data.task says");
                return wrong(format!("{declared}: they have the shape {:?}", y.shape()));
            }
        };
        if kind != Kind::Classes {
            let columns = if y.dim() == 2 { y.size(1) } else { 1 };
            let y = y.float().reshape([y.size(0) as i64, columns as i64]);
            let names =
                if kind == Kind::Labels { self.names((0..columns as i64).collect())? } else { Vec::new() };
            return Ok(Taught { kind, y, names, values: Vec::new() });
        }
        let numbers: Vec<i64> = y.to_f64_vec().into_iter().map(|v| v as i64).collect();
        let found: BTreeSet<i64> = numbers.iter().copied().collect();
        if found.len() > MOST_CLASSES && self.task.is_none() {
            return wrong(format!(
                "{} different whole numbers; say with data.task what they are",
                found.len()
            ));
        }
        let values: Vec<i64> = match known {
            Some(known) => known.to_vec(),
            // Declared names are those of 0, 1, .., whichever of them are there.
            None if !self.classes.is_empty() => (0..self.classes.len() as i64).collect(),
            None => found.iter().copied().collect(),
        };
        if values.len() < 2 && self.classes.is_empty() {
            return wrong(format!("all of class {}; a classifier needs at least two classes", some(&values)));
        }
        let unknown = |&value: &i64| values.binary_search(&value).is_err();
        if let Some(i) = numbers.iter().position(unknown) {
            let (value, row) = (numbers[i], i + 1);
            return wrong(format!(
                "wrong in row {row}: target {value} is not among the {} classes {}; correct it, or name all classes in data.classes",
                values.len(),
                some(&values)
            ));
        }
        let classes = numbers.iter().map(|value| values.binary_search(value).unwrap_or(0) as i64).collect();
        Ok(Taught {
            kind,
            y: Tensor::from_vec(classes, [numbers.len()]),
            names: self.names(values.clone())?,
            values,
        })
    }

    /// The same source with nothing left to the data. `at` says where a file is.
    fn resolved(&self, at: &dyn Fn(&Path) -> PathBuf, kind: Kind) -> ArraysSource {
        let there = |path: &Option<PathBuf>| path.as_deref().map(|path| absolute(&at(path)));
        ArraysSource {
            arrays: absolute(&at(&self.arrays)),
            labels: there(&self.labels),
            test_arrays: there(&self.test_arrays),
            test_labels: there(&self.test_labels),
            task: Some(match kind {
                Kind::Classes => TargetKind::Classes,
                Kind::Labels => TargetKind::Labels,
                Kind::Numbers => TargetKind::Numbers,
            }),
            ..self.clone()
        }
    }

    fn names(&self, values: Vec<i64>) -> Result<Vec<String>, Error> {
        match self.classes.len() {
            0 => Ok(values.iter().map(i64::to_string).collect()),
            n if n == values.len() => Ok(self.classes.clone()),
            n => Err(Error::Recipe(format!(
                "data.classes: {n} names for {} classes; name each once",
                values.len()
            ))),
        }
    }
}

/// The first few of some numbers.
fn some(values: &[i64]) -> String {
    const MOST: usize = 20;
    let all: Vec<String> = values.iter().take(MOST).map(i64::to_string).collect();
    all.join(", ") + if values.len() > MOST { ", .." } else { "" }
}

impl Reads for ArraysSource {
    fn check(&self, _: &Objective) -> Result<(), String> {
        self.split.check(self.test_arrays.is_none())
    }

    fn load(&self, how: &Loading) -> Result<Data, Error> {
        let at = |path: &Path| find(path, how.beside);
        let (path, labels) = (at(&self.arrays), self.labels.as_deref().map(at));
        let (x, y) = self.read(&path, labels.as_deref())?;
        let known = match how.signature {
            Some(Signature { input: Input::Arrays(input), .. }) => Some(input.clone()),
            _ => None,
        };
        let Taught { kind, y, names, values } = self.taught(
            labels.as_deref().unwrap_or(&path),
            y,
            known.as_ref().map(|input| input.values.as_slice()),
        )?;
        let targets = if kind == Kind::Numbers { y.size(1) } else { names.len() };
        suits(how.objective, kind, targets, Targets::Auto, &path.display().to_string())
            .map_err(Error::Recipe)?;
        let labels_of = (kind == Kind::Classes).then(|| y.to_vec::<i64>());
        let sizes = self.split.without_test(self.test_arrays.is_some());
        let parts = sizes.split(y.size(0), labels_of.as_deref())?;
        let input = match known {
            Some(input) => input,
            None => ArrayInput::learn(&x, self.flatten, self.standardize, &parts.train).with_targets(
                values,
                (kind == Kind::Numbers).then_some(&y),
                &parts.train,
            )?,
        };
        let part = |x: &Numbers, y: &Tensor| -> Result<Part, Error> {
            let y = as_targets(&input.standardised_targets(y), how.objective, Targets::Auto, targets);
            Ok(Part::new(input.inputs(x)?, y))
        };
        let all = part(&x, &y)?;
        let test = match &self.test_arrays {
            None => all.pick(&parts.test),
            Some(path) => {
                let (path, labels) = (at(path), self.test_labels.as_deref().map(at));
                let (x, y) = self.read(&path, labels.as_deref())?;
                let file = labels.as_deref().unwrap_or(&path);
                part(&x, &self.taught(file, y, Some(&input.values))?.y)?
            }
        };
        let validation = (!parts.validation.is_empty()).then(|| all.pick(&parts.validation));
        Ok(Data {
            train: all.pick(&parts.train),
            validation,
            test,
            kind,
            classes: names,
            image: input.image(),
            input: Input::Arrays(input),
            source: Source::Arrays(self.resolved(&at, kind)),
            remarks: Vec::new(),
        })
    }

    fn locate(&mut self, path: &Path) -> Result<(), String> {
        self.arrays = path.to_path_buf();
        Ok(())
    }

    fn test_on(&mut self, path: &Path) -> Result<(), String> {
        (self.test_arrays, self.split) = (None, self.split.all_test());
        if self.labels.is_some() && !is_npz(path) {
            return Err("it needs inputs and targets; give an NPZ file with both".into());
        }
        self.labels = None;
        self.locate(path)
    }

    fn about(&self) -> String {
        format!("the arrays in {}", self.arrays.display())
    }
}

/// What a file of arrays seems to be.
pub(super) fn sketch(path: &Path) -> Result<Sketch, Error> {
    let source = ArraysSource { arrays: path.into(), ..ArraysSource::default() };
    let (x, y) = source.read(path, None)?;
    let (shape, rows) = (y.shape().to_vec(), x.values.dim() == 2);
    let Taught { kind, y, names, .. } = source.taught(path, y, None)?;
    let outputs = if kind == Kind::Numbers { y.size(1) } else { names.len() };
    let what = match kind {
        Kind::Classes => format!("{outputs} classes"),
        Kind::Labels => format!("{outputs} labels"),
        Kind::Numbers => "numbers".into(),
    };
    let mut about = format!(
        "[data]\narrays = {} # inputs of the shape {:?}\n# x = \"x\" and y = \"y\": the names of the arrays in the file\n\
         # targets of the shape {shape:?}: {what}\n",
        quoted(&path.display().to_string()),
        x.values.shape()
    );
    if rows {
        about += "standardize = true # each column, by the mean and the deviation of the training samples\n";
    }
    about += &format!("\n{}", source.split.page(true));
    let source = ArraysSource { standardize: rows, ..source };
    Ok(Sketch { source: Source::Arrays(source), about, remarks: Vec::new(), kind, outputs })
}
