//! The directory of a run: what was asked for, what came of it, and everything that judging and drawing it needs.
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the recipe with everything that it left out |
//! | `metrics.csv`, `metrics.jsonl` | a row for each kept epoch, as training goes on |
//! | `checkpoints/` | the whole state of the training, to go on from |
//! | `best.safetensors` | the weights of the best epoch |
//! | `model.safetensors` | the final weights, with PyTorch's names |
//! | `report.json`, `report.txt` | how good the model is on each part of the data |
//! | `model-card.md` | what it is, what it learned from, how good it is, how to use it |
//! | `plots/` | pictures |

use crate::card::model_card;
use crate::checkpoint::{CHECKPOINTS, Checkpoint, remove_remains};
use crate::error::{Error, guarded};
use crate::judge::Judgement;
use crate::model::Model;
use crate::observer::{BestWeights, CsvLog, JsonLog};
use crate::part::Data;
use crate::recipe::Recipe;
use crate::run::{Trained, Training};
use crate::signature::Signature;
use rekindle_nn::{Parameters, StateDict, replace_file, sync_directory};
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which weights of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// Those of the end of training.
    #[default]
    Final,
    /// Those of the best epoch.
    Best,
}

impl Weights {
    fn file(self) -> &'static str {
        match self {
            Weights::Final => "model.safetensors",
            Weights::Best => "best.safetensors",
        }
    }
}

/// Written when a run is finished; when the first one is there, everything is.
const REPORTS: [&str; 3] = ["report.json", "report.txt", "model-card.md"];

/// How the files begin that lie in a run's directory itself.
const FILES: [&str; 6] =
    ["config.toml", "metrics", "best.safetensors", "model.safetensors", "report", "model-card"];

/// What is not true of a run that goes on: its reports, and the weights that it had ended with.
const STALE: [&str; 4] = [REPORTS[0], REPORTS[1], REPORTS[2], "model.safetensors"];

/// Where a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Epochs that were done.
    pub epoch: usize,
    /// Batches of the next one that were done.
    pub batch: usize,
    /// What is wrong with a newer checkpoint, if this is not the newest.
    pub warning: Option<String>,
}

/// A run's directory. Nothing in it is ever overwritten by another run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    /// The directory, locked for as long as this process may write into it; the system lets go of it when the process ends.
    locked: Option<Arc<File>>,
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
            Ok(()) => {
                // The name of the run is as lasting as what is in it.
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                sync_directory(parent.unwrap_or(Path::new(".")))
                    .map_err(|e| wrong(path, format!("cannot make the directory: {e}")))?;
                let mut run = RunDir { path: path.to_path_buf(), locked: None };
                run.lock()?;
                Ok(Some(run))
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(wrong(path, format!("cannot make the directory: {e}"))),
        }
    }

    /// A run that was made before.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(path: &Path) -> Result<RunDir, Error> {
        let run = RunDir { path: path.to_path_buf(), locked: None };
        if run.config().is_file() {
            return Ok(run);
        }
        let reason = if path.is_dir() {
            "no run: there is no config.toml in it; `rekindle train` makes runs"
        } else if path.exists() {
            "a file; give the directory of a run, such as runs/circles-001"
        } else {
            "no such directory; give the directory of a run, such as runs/circles-001"
        };
        Err(wrong(path, reason))
    }

    /// Whether a file is a run's: has the name and the place of something that runs write.
    pub fn keeps(file: &Path) -> bool {
        let run_at = |folder: &Path| Self::open(folder).ok();
        let is_file = |name: &&str| Path::new(name).file_stem() == file.file_stem();
        let Some(folder) = file.parent() else { return false };
        let around = folder.parent().and_then(run_at);
        FILES.iter().any(is_file) && run_at(folder).is_some()
            || around.is_some_and(|run| [run.plots(), run.checkpoints()].contains(&folder.to_path_buf()))
    }

    /// Keeps other processes from training this run at the same time.
    fn lock(&mut self) -> Result<(), Error> {
        // Where directories cannot be opened or locked, runs are not guarded.
        let Ok(directory) = File::open(&self.path) else { return Ok(()) };
        if matches!(directory.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(wrong(&self.path, "another process is training this run; wait until it has ended"));
        }
        self.locked = Some(Arc::new(directory));
        Ok(())
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

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
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

    /// Whether its training has ended and was judged.
    pub fn is_finished(&self) -> bool {
        self.path.join(REPORTS[0]).exists()
    }

    /// The model of the run, with the weights of its end or of its best epoch.
    ///
    /// # Errors
    /// If the weights are missing, damaged or not those of the recipe's net.
    pub fn model(&self, weights: Weights) -> Result<Model, Error> {
        let path = self.path.join(weights.file());
        if !path.exists() {
            return Err(wrong(
                &path,
                "no such file: the run was not finished; go on with `rekindle train --resume`",
            ));
        }
        Model::new(self.recipe()?, &path)
    }

    /// The model of the run with the weights of a file that somebody else wrote, PyTorch for instance: for the same net, under the same
    /// names. What has to be known about the data is the run's, unless the file says it.
    ///
    /// # Errors
    /// If the file cannot be read, is a pickle, is damaged, or has not the weights of the recipe's net.
    pub fn model_with(&self, weights: &Path) -> Result<Model, Error> {
        let mut model = Model::new(self.recipe()?, weights)?;
        let own = [Weights::Final, Weights::Best].map(|weights| self.path.join(weights.file()));
        if let (None, Some(own)) = (&model.signature, own.iter().find(|path| path.exists())) {
            model.signature = Signature::read_from(&StateDict::load(own)?).map_err(|e| wrong(own, e))?;
        }
        Ok(model)
    }

    /// Whether this is the data that the run was trained on, as far as its checkpoint can tell.
    pub fn was_trained_on(&self, data: &Data) -> bool {
        let newest = Checkpoint::newest(&self.checkpoints()).ok().flatten();
        newest.is_none_or(|checkpoint| guarded(|| checkpoint.must_be_of(&data.train)).is_ok())
    }

    /// Writes the final weights, with what has to be known about their data.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save_model(&self, trained: &Trained) -> Result<(), Error> {
        let mut weights = trained.net.state_dict();
        trained.data.signature().write_to(&mut weights);
        Ok(weights.save(self.path.join(Weights::Final.file()))?)
    }

    /// Keeps what happens in a training here: the log of its epochs, checkpoints and the weights of the best epoch.
    pub fn keep(&self, training: Training) -> Training {
        let best = BestWeights::new(self.path.join(Weights::Best.file()))
            .monitor(training.recipe().monitor())
            .signature(training.data().signature());
        training
            .observer(best)
            .observer(CsvLog::new(self.path.join("metrics.csv")))
            .observer(JsonLog::new(self.path.join("metrics.jsonl")))
            .checkpoints(&self.checkpoints())
    }

    /// The training of this run, as it was left, for so many epochs in all (as many as its recipe says without). Where the run was
    /// stopped before its first checkpoint, it begins again. The logs forget the epochs after the checkpoint.
    ///
    /// # Errors
    /// If the recipe or the data cannot be read, no checkpoint is whole, the run is finished, or another process is training it.
    pub fn resume(
        &mut self,
        epochs: Option<usize>,
        folder: Option<&Path>,
    ) -> Result<(Training, Resumed), Error> {
        self.lock()?;
        let mut recipe = self.recipe()?;
        let before = recipe.epochs;
        recipe.epochs = epochs.unwrap_or(before);
        let checkpoint = Checkpoint::newest(&self.checkpoints())?;
        let (done, batch) = checkpoint.as_ref().map_or((0, 0), |c| (c.epoch(), c.batch()));
        // A run that was killed after its last checkpoint is judged yet.
        let going_on = done < recipe.epochs;
        if done > recipe.epochs || (!going_on && self.is_finished()) {
            let cure = format!("nothing to resume: {done} epochs are done; give --epochs with more in all");
            return Err(wrong(&self.path, cure));
        }
        let training = Training::new(&recipe, folder)?;
        // Before anything of the run is changed.
        if let Some(checkpoint) = &checkpoint {
            guarded(|| checkpoint.must_be_of(&training.data().train)).map_err(|e| recipe.named(e))?;
        }
        self.save_recipe(training.recipe())?;
        self.forget(|epoch| epoch > done || (going_on && !recipe.report.keeps(epoch)))?;
        self.remove_what_is_not_true_any_more()?;
        let warning = checkpoint.as_ref().and_then(|c| c.warning().map(String::from));
        let training = match checkpoint {
            Some(checkpoint) if recipe.epochs != before => training.resume_at_length(checkpoint),
            Some(checkpoint) => training.resume(checkpoint),
            None => training,
        };
        Ok((self.keep(training), Resumed { epoch: done, batch, warning }))
    }

    /// The reports and the final weights are not those of the net that is trained on; temporary files are what a killed process left.
    fn remove_what_is_not_true_any_more(&self) -> Result<(), Error> {
        // A run that is only judged yet writes no checkpoint, which would do this.
        let checkpoints = self.checkpoints();
        for (folder, names) in [(&self.path, &FILES[..]), (&checkpoints, &CHECKPOINTS)] {
            if folder.is_dir() {
                remove_remains(folder, names)
                    .map_err(|e| wrong(folder, format!("cannot remove temporary files: {e}")))?;
            }
        }
        for report in STALE.map(|name| self.path.join(name)) {
            match fs::remove_file(&report) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(wrong(&report, format!("cannot remove: {e}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes epochs out of the logs. (An epoch that was measured because it was the last one is not the last one any more.)
    fn forget(&self, wrong_epoch: impl Fn(usize) -> bool) -> Result<(), Error> {
        let of_csv = |line: &str| line.split(',').next()?.parse().ok();
        let of_json = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).ok()?["epoch"]
                .as_u64()
                .map(|epoch| epoch as usize)
        };
        type EpochOf = fn(&str) -> Option<usize>;
        for (name, epoch) in [("metrics.csv", of_csv as EpochOf), ("metrics.jsonl", of_json as EpochOf)] {
            let path = self.path.join(name);
            let text = match fs::read_to_string(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                text => text.map_err(|e| wrong(&path, format!("cannot read: {e}")))?,
            };
            // A line that ends without its end is what a killed process left.
            let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let kept: String = whole.filter(|line| !epoch(line).is_some_and(&wrong_epoch)).collect();
            self.write(name, kept.as_bytes())?;
        }
        Ok(())
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

    /// Writes the reports and the card of a trained model.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save_reports(&self, trained: &Trained, judged: &Judgement) -> Result<(), Error> {
        self.write("report.txt", judged.to_string().as_bytes())?;
        self.write("model-card.md", model_card(trained, judged, &self.path).as_bytes())?;
        self.write(REPORTS[0], format!("{}\n", judged.json()).as_bytes())
    }

    /// Writes a file into the directory, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        replace_file(&path, bytes).map_err(|e| wrong(&path, format!("cannot write: {e}")))
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
        let mut training = run.keep(Training::new(&recipe, None).unwrap());
        let rows = training.fit().unwrap();
        let trained = training.finish();
        run.save_model(&trained).unwrap();

        let run = RunDir::open(&path).unwrap();
        let (a, b) = (toml::to_string(&run.recipe().unwrap()), toml::to_string(&recipe));
        assert_eq!(a.unwrap(), b.unwrap());
        let model = run.model(Weights::Final).unwrap();
        assert_eq!(model.net.state_dict().to_bytes(), trained.net.state_dict().to_bytes());
        assert_eq!(model.signature, Some(trained.data.signature()));
        let columns = run.log_columns().unwrap();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let expected = "epoch,step,train_loss,train_acc,val_loss,val_acc,test_loss,test_acc,lr,time";
        assert_eq!(names.join(","), expected);
        assert_eq!(columns[0].1, [1.0, 11.0, 12.0]);
        assert_eq!(columns[2].1[2], rows[2].train.loss);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn two_do_not_train_one_run() {
        let path = temporary("locked");
        let run = RunDir::create(Some(&path), "x").unwrap();
        run.save_recipe(&Recipe::from_toml(CIRCLES).unwrap()).unwrap();
        let resume =
            || RunDir::open(&path).unwrap().resume(None, None).map(|_| ()).map_err(|e| e.to_string());
        let refused = resume().unwrap_err();
        assert!(refused.contains("another process is training this run"), "{refused}");
        drop(run);
        assert_eq!(resume(), Ok(()));
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
        let e = RunDir::open(&path).unwrap().model(Weights::Final).err().unwrap().to_string();
        assert!(e.contains("the run was not finished"), "{e}");
        fs::write(path.join("metrics.csv"), "epoch,lr\n1,0.1\n2\n").unwrap();
        let e = RunDir::open(&path).unwrap().log_columns().unwrap_err().to_string();
        assert!(e.ends_with("line 3: 1 fields instead of 2"), "{e}");
        fs::remove_dir_all(path).unwrap();
    }
}
