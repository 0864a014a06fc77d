//! A trained model: a net, its loss, and what has to be known about its data.

use crate::arrays::{Numbers, is_arrays};
use crate::error::{Error, guarded};
use crate::layers::build_net;
use crate::objective::Objective;
use crate::part::Data;
use crate::recipe::Recipe;
use crate::run::move_to;
#[cfg(feature = "images")]
use crate::sets::Origin;
#[cfg(feature = "images")]
use crate::signature::ImageInput;
use crate::signature::{Input, Signature, in_units};
use crate::source::{Memory, Source, load_for};
use crate::trainer::{Trial, outputs_of};
#[cfg(feature = "images")]
use rekindle_data::images::ImageSpec;
use rekindle_data::table::Table;
use rekindle_nn::loss::Decision;
use rekindle_nn::{Parameters, Sequential, StateDict};
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::{DType, Device, Tensor};
use std::path::Path;

/// A trained model.
///
/// ```no_run
/// use rekindle_data::table::{CsvOptions, Table};
/// use rekindle_train::{RunDir, Weights};
/// let model = RunDir::open("runs/iris-001".as_ref())?.model(Weights::Final)?;
/// let answers = model.ask(&model.rows(&Table::read_csv("new.csv", &CsvOptions::default())?)?)?;
/// println!("{:?} {:?}", answers.decided(0), answers.values(0)); // Some("versicolor") [0.01, 0.98, 0.01]
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Model {
    /// The recipe that it was trained by.
    pub recipe: Recipe,
    /// The net, in evaluation mode.
    pub net: Sequential,
    /// What has to be known about its data; none in files of other programs.
    pub signature: Option<Signature>,
    pub(crate) objective: Objective,
}

impl Model {
    /// The net of a recipe with the weights of a safetensors file.
    ///
    /// # Errors
    /// If the weights are damaged or not those of the net.
    pub fn new(recipe: Recipe, weights: &Path) -> Result<Model, Error> {
        let wrong = |reason: String| Error::Run { path: weights.into(), reason };
        let net =
            with_generator(&mut Generator::seeded(0), || build_net(&recipe.net)).map_err(Error::Recipe)?;
        net.load(weights)?;
        net.eval();
        let signature = Signature::read_from(&StateDict::load(weights)?).map_err(wrong)?;
        let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
        Ok(Model { recipe, net, signature, objective })
    }

    /// The model on a device, where it computes from now on.
    ///
    /// # Errors
    /// If the device is not there, or has no room for the net.
    pub fn on(self, device: Device) -> Result<Model, Error> {
        move_to(&self.net, device)?;
        Ok(self)
    }

    /// The data of its recipe, as the model knows it.
    ///
    /// # Errors
    /// As [`load`](crate::load).
    pub fn data(&self, elsewhere: Option<&Path>) -> Result<Data, Error> {
        let source = self.recipe.data.elsewhere(elsewhere)?;
        let mut data = load_for(&self.recipe, &source, self.signature.as_ref())?;
        if let Some(batches) = self.recipe.overfit_batches {
            data.leave(Trial::Overfit(batches), self.recipe.batch_size);
        }
        Ok(data)
    }

    /// Other data than that of its recipe to judge it on: all samples of a file or folder, as test data. Built-in images are read from
    /// there with their training images.
    ///
    /// # Errors
    /// As [`load`](crate::load), and if the recipe's data is made, so that there is nothing to read.
    pub fn data_of(&self, path: &Path) -> Result<Data, Error> {
        load_for(&self.recipe, &self.recipe.data.tested_on(path)?, self.signature.as_ref())
    }

    /// What has to be known about its data.
    pub(crate) fn signature(&self) -> Result<&Signature, Error> {
        self.signature.as_ref().ok_or_else(|| {
            Error::Recipe("the weights do not say what their data is like; train the model again".into())
        })
    }

    /// Rows of a table as inputs.
    ///
    /// # Errors
    /// If it lacks a column, or a cell is not as in training.
    pub fn rows(&self, table: &Table) -> Result<Tensor, Error> {
        match &self.signature()?.input {
            Input::Table(encoder) => Ok(encoder.encode_inputs(table)?),
            Input::Numbers(shape) => numbers(table, shape),
            Input::Arrays(input) => {
                let values = numbers(table, &input.shape)?;
                guarded(|| input.inputs(&Numbers { values, bytes: false }))
            }
            #[cfg(feature = "images")]
            Input::Images(_) => Err(Error::Recipe(format!(
                "{}: a table, and the model takes images; give a folder of PNG or JPEG files",
                table.name()
            ))),
        }
    }

    /// Whether a file is one of arrays (NPZ, NPY, IDX), for [`arrays`](Self::arrays), and not a table.
    pub fn is_arrays(path: &Path) -> bool {
        is_arrays(path)
    }

    /// The array in a file as inputs; of an NPZ file the one that is called as in training.
    ///
    /// # Errors
    /// If it cannot be read, or samples have another shape than in training.
    pub fn arrays(&self, path: &Path) -> Result<Tensor, Error> {
        let (name, memory) = match &self.recipe.data {
            Source::Arrays(source) => (source.x.as_deref(), source.memory.unwrap_or_default()),
            _ => (None, Memory::default()),
        };
        let x = Numbers::read(path, name, &["x", "X", "x_test", "data", "images"], memory)?;
        let named = |e: Error| e.at(path.display());
        match &self.signature()?.input {
            Input::Arrays(input) => guarded(|| input.inputs(&x)).map_err(named),
            Input::Numbers(shape) if x.values.shape().get(1..) == Some(shape) => Ok(x.values.float()),
            other => Err(named(Error::Recipe(format!(
                "an array of the shape {:?}; the model takes {}",
                x.values.shape(),
                other.describe()
            )))),
        }
    }

    /// Images as inputs: all below a folder, or one file.
    ///
    /// # Errors
    /// If the model takes something else, or an image cannot be read.
    #[cfg(feature = "images")]
    pub fn images(&self, folder: &rekindle_data::images::ImageFolder) -> Result<Tensor, Error> {
        match &self.signature()?.input {
            Input::Images(input) => Ok(input.tensor(&folder.decode(&input.spec, None)?)),
            other => Err(Error::Recipe(format!("images, and the model takes {}", other.describe()))),
        }
    }

    /// Samples that are numbers already, `[n, ..]` of the shape that they had in training, as inputs.
    ///
    /// # Errors
    /// If the model takes something else, or samples of another shape.
    pub fn numbers(&self, values: Tensor) -> Result<Tensor, Error> {
        match &self.signature()?.input {
            Input::Numbers(shape) if values.shape().get(1..) == Some(shape) => Ok(values.float()),
            Input::Arrays(input) => guarded(|| input.inputs(&Numbers { values, bytes: false })),
            other => Err(Error::Recipe(format!(
                "numbers of the shape {:?}; the model takes {}",
                values.shape(),
                other.describe()
            ))),
        }
    }

    /// What single images are turned into, if the model can be asked about images: it learned from some, or from a built-in set of
    /// images.
    #[cfg(feature = "images")]
    pub fn image_input(&self) -> Option<ImageInput> {
        match &self.signature.as_ref()?.input {
            Input::Images(input) => Some(input.clone()),
            Input::Numbers(shape) => {
                let Source::Set(set) = &self.recipe.data else { return None };
                let size = match (&set.set().origin, shape.as_slice()) {
                    (Origin::Images(_), [1, rows, columns]) => [*rows, *columns],
                    // Images of the sets are squares.
                    (Origin::Images(_), [pixels]) => [pixels.isqrt(); 2],
                    _ => return None,
                };
                let spec = ImageSpec::new(1, size)
                    .ok()
                    .filter(|spec| spec.len() == shape.iter().product::<usize>())?;
                Some(ImageInput { spec, mean: Vec::new(), std: Vec::new(), flatten: shape.len() == 1 })
            }
            _ => None,
        }
    }

    /// Inputs that are all zeros, for `n` samples.
    ///
    /// # Errors
    /// If the weights do not say what their data is like.
    pub fn zeros(&self, n: usize) -> Result<Tensor, Error> {
        let of = |shape: &[usize]| Tensor::zeros([&[n], shape].concat());
        match &self.signature()?.input {
            Input::Numbers(shape) => Ok(of(shape)),
            Input::Table(encoder) => Ok(of(&[encoder.feature_names().len()])),
            Input::Arrays(input) => self.numbers(of(&input.shape)),
            #[cfg(feature = "images")]
            Input::Images(ImageInput { spec, flatten: true, .. }) => Ok(of(&[spec.len()])),
            #[cfg(feature = "images")]
            Input::Images(ImageInput { spec, .. }) => Ok(of(&[spec.channels, spec.size[0], spec.size[1]])),
        }
    }

    /// What the model says about some inputs. What it says about one does not depend, on a processor, on those that it is asked about
    /// with it: the bits are the same in any batch.
    ///
    /// # Errors
    /// If they do not fit the net, or an output is not finite.
    pub fn ask(&self, x: &Tensor) -> Result<Prediction, Error> {
        guarded(|| {
            let n = x.size(0);
            self.read(&outputs_of(&self.net, &in_company(x, 2)).narrow(0, 0, n))
        })
    }

    /// What outputs of the net say.
    pub(crate) fn read(&self, outputs: &Tensor) -> Result<Prediction, Error> {
        let signature = self.signature()?;
        if !outputs.all_finite() {
            return Err(Error::Output);
        }
        let decided = self.objective.decide(outputs);
        if self.objective.decision == Decision::None {
            let n = outputs.size(0);
            let values = in_units(&decided, signature.input.units()).to(DType::F64).reshape([n as isize, -1]);
            return Ok(Prediction {
                names: signature.targets(values.size(1)),
                decided: None,
                values,
                separator: '|',
            });
        }
        let values = self.objective.of_all_classes(outputs);
        let (names, separator) = (signature.targets(values.size(1)), signature.separator());
        Ok(Prediction { names, decided: Some(decided), values, separator })
    }
}

/// The rows of a batch, and the last one again until there are `least`. (Products with one row have an order of their own, and those
/// with more do not depend on how many these are.)
pub(crate) fn in_company(x: &Tensor, least: usize) -> Tensor {
    let n = x.size(0);
    if n == 0 || n >= least {
        return x.clone();
    }
    let rows: Vec<i64> = (0..least).map(|i| i.min(n - 1) as i64).collect();
    x.index_select(0, &Tensor::from_vec(rows, least))
}

/// Columns of numbers, in their order.
fn numbers(table: &Table, shape: &[usize]) -> Result<Tensor, Error> {
    let width: usize = shape.iter().product();
    if table.width() != width {
        return Err(Error::Recipe(format!(
            "{}: {} columns; the model takes {width} numbers for each sample, and no label column",
            table.name(),
            table.width()
        )));
    }
    let mut all = Vec::with_capacity(table.len() * width);
    for row in 0..table.len() {
        for column in 0..width {
            all.push(table.number(row, column)? as f32);
        }
    }
    Ok(Tensor::from_vec(all, [&[table.len()], shape].concat()))
}

/// What a model says about one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It is of this class.
    Class(&'a str),
    /// It has these labels.
    Labels(Vec<&'a str>),
    /// Numbers, which are [`Prediction::values`].
    Numbers,
}

/// What a model says about some samples: a class or labels with their probabilities, or numbers.
pub struct Prediction {
    /// The classes, labels or numbers.
    names: Vec<String>,
    /// Classes I64 `[n]`, or zeros and ones I64 `[n, labels]`; none for numbers.
    decided: Option<Tensor>,
    /// The probability of each class or label, or the numbers: F64 `[n, names]`.
    values: Tensor,
    /// What separates the labels of one sample.
    separator: char,
}

impl Prediction {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.values.size(0)
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the columns are called: `predicted` and `probability_NAME` for each class or label; `predicted`, or `predicted_NAME`
    /// for several numbers.
    pub fn columns(&self) -> Vec<String> {
        match (&self.decided, self.names.as_slice()) {
            (None, [_]) => vec!["predicted".into()],
            (None, names) => names.iter().map(|name| format!("predicted_{name}")).collect(),
            (Some(_), names) => {
                let probabilities = names.iter().map(|name| format!("probability_{name}"));
                ["predicted".to_string()].into_iter().chain(probabilities).collect()
            }
        }
    }

    /// The classes, the labels, or the names of the numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What is said about a sample.
    pub fn said(&self, sample: usize) -> Said<'_> {
        let Some(decided) = &self.decided else { return Said::Numbers };
        let numbers = decided.select(0, sample as isize).to_vec::<i64>();
        if decided.dim() == 1 {
            // There is a name for each output.
            return Said::Class(&self.names[numbers[0] as usize]);
        }
        let labels = self.names.iter().zip(&numbers).filter(|(_, yes)| **yes == 1);
        Said::Labels(labels.map(|(name, _)| name.as_str()).collect())
    }

    /// Whether it is a class or labels for each sample, and not numbers.
    pub fn decides(&self) -> bool {
        self.decided.is_some()
    }

    /// The class of a sample, or its labels; none if the model gives numbers.
    pub fn decided(&self, sample: usize) -> Option<String> {
        match self.said(sample) {
            Said::Class(name) => Some(name.to_string()),
            Said::Labels(names) => Some(names.join(&self.separator.to_string())),
            Said::Numbers => None,
        }
    }

    /// The same as [`values`](Self::values), as they are written: the net computes in f32, and more digits would say nothing.
    pub fn written(&self, sample: usize) -> Vec<f32> {
        self.values(sample).into_iter().map(|value| value as f32).collect()
    }

    /// The probability of each class or label of a sample, or its numbers.
    pub fn values(&self, sample: usize) -> Vec<f64> {
        self.values.select(0, sample as isize).to_vec::<f64>()
    }
}
