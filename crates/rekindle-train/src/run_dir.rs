//! The directory of a run: what was asked for, what came of it, and everything that judging and drawing it needs.
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the recipe with everything that it left out |
//! | `metrics.csv`, `metrics.jsonl` | a row for each kept epoch, as training goes on |
//! | `model.safetensors` | the final weights, with PyTorch's names |
//! | `report.json`, `report.txt` | how good the model is on each part of the data |
//! | `plots/` | pictures |

use crate::error::Error;
use crate::history::EpochRow;
use crate::layers::build_net;
use crate::recipe::Recipe;
use rekindle_nn::{Parameters, Sequential, replace_file};
use rekindle_tensor::random::{Generator, with_generator};
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A run's directory. Nothing in it is ever overwritten by another run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the directory `output` (and those around it), or without it the first free one of `runs/NAME-001`, `runs/NAME-002`, ..
    ///
    /// # Errors
    /// If `output` exists, or no directory can be made.
    pub fn create(output: Option<&Path>, name: &str) -> Result<RunDir, Error> {
        if let Some(path) = output {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)
                    .map_err(|e| wrong(parent, format!("cannot make the directory: {e}")))?;
            }
            return Self::make(path)?.ok_or_else(|| {
                wrong(path, "it exists, and a run overwrites nothing; choose another --output, or remove it")
            });
        }
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|e| wrong(runs, format!("cannot make the directory: {e}")))?;
        for number in 1.. {
            if let Some(run) = Self::make(&runs.join(format!("{name}-{number:03}")))? {
                return Ok(run);
            }
        }
        unreachable!("numbers do not end")
    }

    /// `None` if there is something of this name already.
    fn make(path: &Path) -> Result<Option<RunDir>, Error> {
        match fs::create_dir(path) {
            Ok(()) => Ok(Some(RunDir { path: path.to_path_buf() })),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(wrong(path, format!("cannot make the directory: {e}"))),
        }
    }

    /// A run that was made before.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: &Path) -> Result<RunDir, Error> {
        let run = RunDir { path: path.to_path_buf() };
        if run.config().is_file() {
            return Ok(run);
        }
        let reason = match path.is_dir() {
            true => "no run: there is no config.toml in it; `rekindle train` makes runs",
            false => "no such directory; give the directory of a run, such as runs/circles-001",
        };
        Err(wrong(path, reason))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the pictures are.
    pub fn plots(&self) -> PathBuf {
        self.path.join("plots")
    }

    fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    fn weights(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// Writes the recipe down, with all that it left out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_recipe(&self, recipe: &Recipe) -> Result<(), Error> {
        let text = toml::to_string(recipe).map_err(|e| wrong(&self.config(), e))?;
        self.write("config.toml", text.as_bytes())
    }

    /// The recipe of the run.
    ///
    /// # Errors
    /// If it cannot be read, or somebody has made it invalid.
    pub fn recipe(&self) -> Result<Recipe, Error> {
        Recipe::from_file(&self.config())
    }

    /// The trained net, in evaluation mode.
    ///
    /// # Errors
    /// If the weights are missing, damaged or not those of the recipe's net.
    pub fn net(&self) -> Result<Sequential, Error> {
        let recipe = self.recipe()?;
        if !self.weights().exists() {
            return Err(wrong(&self.weights(), "no such file: the run was not finished; train it again"));
        }
        let build = || build_net(&recipe.net).map_err(Error::Recipe);
        let net = with_generator(&mut Generator::seeded(0), build)?;
        net.load(self.weights())?;
        net.eval();
        Ok(net)
    }

    /// Writes the final weights.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save_net(&self, net: &Sequential) -> Result<(), Error> {
        Ok(net.save(self.weights())?)
    }

    /// Adds an epoch to `metrics.csv` and `metrics.jsonl`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn log(&self, row: &EpochRow) -> Result<(), Error> {
        let fields = row.columns();
        let values = fields.map(|(_, value)| value.map_or(String::new(), |v| v.to_string()));
        let mut lines = values.join(",") + "\n";
        if !self.path.join("metrics.csv").exists() {
            lines = fields.map(|(name, _)| name).join(",") + "\n" + &lines;
        }
        self.append("metrics.csv", &lines)?;
        self.append("metrics.jsonl", &format!("{}\n", row.json()))
    }

    /// The logged epochs, as columns: a name and a number for each epoch, NaN where something was not measured.
    ///
    /// # Errors
    /// If the log is missing or not a table of numbers.
    pub fn log_columns(&self) -> Result<Vec<(String, Vec<f64>)>, Error> {
        let path = self.path.join("metrics.csv");
        let text = fs::read_to_string(&path).map_err(|e| wrong(&path, format!("cannot read: {e}")))?;
        let mut lines = text.lines();
        let mut columns: Vec<(String, Vec<f64>)> =
            lines.next().unwrap_or_default().split(',').map(|name| (name.to_string(), Vec::new())).collect();
        for (i, line) in lines.enumerate() {
            let fields: Vec<&str> = line.split(',').collect();
            if fields.len() != columns.len() {
                let (n, want) = (fields.len(), columns.len());
                return Err(wrong(&path, format!("line {}: {n} fields instead of {want}", i + 2)));
            }
            for ((name, column), field) in columns.iter_mut().zip(fields) {
                column.push(match field {
                    "" => f64::NAN,
                    _ => field.parse().map_err(|_| {
                        wrong(&path, format!("line {}, column {name}: `{field}` is no number", i + 2))
                    })?,
                });
            }
        }
        Ok(columns)
    }

    /// Writes a file into the directory, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        replace_file(&path, bytes).map_err(|e| wrong(&path, format!("cannot write: {e}")))
    }

    fn append(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        let write = || -> std::io::Result<()> {
            let mut file: File = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|e| wrong(&path, format!("cannot write: {e}")))
    }
}

fn wrong(path: &Path, reason: impl Display) -> Error {
    Error::Run { path: path.to_path_buf(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIRCLES, Training};

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("rekindle-run-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_run_comes_back_as_it_was_written() {
        let path = temporary("whole");
        let recipe = Recipe { epochs: 12, ..Recipe::from_toml(CIRCLES).unwrap() };
        let run = RunDir::create(Some(&path), "circles").unwrap();
        run.save_recipe(&recipe).unwrap();
        let mut training = Training::new(&recipe, None).unwrap();
        let rows: Vec<EpochRow> = training.epochs().map(|row| row.unwrap()).collect();
        rows.iter().for_each(|row| run.log(row).unwrap());
        let net = training.finish().net;
        run.save_net(&net).unwrap();

        let run = RunDir::open(&path).unwrap();
        let (a, b) = (toml::to_string(&run.recipe().unwrap()), toml::to_string(&recipe));
        assert_eq!(a.unwrap(), b.unwrap());
        assert_eq!(run.net().unwrap().state_dict().to_bytes(), net.state_dict().to_bytes());
        let columns = run.log_columns().unwrap();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let expected = "epoch,step,train_loss,train_acc,val_loss,val_acc,test_loss,test_acc,lr,time";
        assert_eq!(names.join(","), expected);
        assert_eq!(columns[0].1, [1.0, 11.0, 12.0]);
        assert_eq!(columns[2].1[2], rows[2].train.loss);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn nothing_is_overwritten_and_what_is_no_run_is_said() {
        let path = temporary("twice");
        RunDir::create(Some(&path), "x").unwrap();
        let e = RunDir::create(Some(&path), "x").unwrap_err().to_string();
        assert!(e.contains("it exists, and a run overwrites nothing"), "{e}");
        let e = RunDir::open(&path).unwrap_err().to_string();
        assert!(e.contains("there is no config.toml"), "{e}");
        fs::write(path.join("config.toml"), CIRCLES).unwrap();
        let e = RunDir::open(&path).unwrap().net().err().unwrap().to_string();
        assert!(e.contains("the run was not finished"), "{e}");
        fs::write(path.join("metrics.csv"), "epoch,lr\n1,0.1\n2\n").unwrap();
        let e = RunDir::open(&path).unwrap().log_columns().unwrap_err().to_string();
        assert!(e.ends_with("line 3: 1 fields instead of 2"), "{e}");
        fs::remove_dir_all(path).unwrap();
    }
}
