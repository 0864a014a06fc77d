//! Checkpoints: the whole state of a training in one file that is either old or new, and known to be whole.
//!
//! The file: `REKINDLE`, the length of what follows the digest (u64, little endian), the MD5 digest of it (16 bytes), and a
//! safetensors file. It is written beside its name, to the disk, and then renamed; the one before is kept, too.

use crate::error::Error;
use rekindle_data::Md5;
use rekindle_nn::{StateDict, replace_file, sync_directory};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MAGIC: &[u8; 8] = b"REKINDLE";
const HEAD: usize = 32;

/// The newest checkpoint of a folder and the one before.
const LAST: &str = "last.ckpt";
const BEFORE: &str = "before-last.ckpt";
pub(crate) const CHECKPOINTS: [&str; 2] = [LAST, BEFORE];

/// The state of a training at one moment: net, optimiser, schedule, observers, random numbers, and the place in the data.
///
/// ```
/// use rekindle_nn::loss::MSELoss;
/// use rekindle_nn::optim::SGD;
/// use rekindle_nn::{Linear, Parameters};
/// use rekindle_tensor::Tensor;
/// use rekindle_train::{Checkpoint, Part, Trainer};
///
/// let folder = std::env::temp_dir().join(format!("rekindle-doc-checkpoint-{}", std::process::id()));
/// let part = Part::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
/// let trainer = |epochs| {
///     let net = Linear::new(2, 1);
///     let optimizer = SGD::new(net.parameters(), 0.1);
///     Trainer::new(net, MSELoss::new(), optimizer).epochs(epochs).checkpoints(&folder)
/// };
/// trainer(3).fit(&part, None)?;
///
/// let checkpoint = Checkpoint::newest(&folder)?.expect("fit has written one");
/// assert_eq!(checkpoint.epoch(), 3);
/// let rows = trainer(5).resume(checkpoint).fit(&part, None)?; // epochs 4 and 5
/// assert_eq!(rows.len(), 2);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), rekindle_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    state: StateDict,
    /// What was wrong with newer ones.
    warning: Option<String>,
}

impl Checkpoint {
    pub(crate) fn new(state: StateDict) -> Checkpoint {
        Checkpoint { state, warning: None }
    }

    /// Everything in it by name; the weights are those under `model.`.
    pub fn state(&self) -> &StateDict {
        &self.state
    }

    /// How many epochs were complete.
    pub fn epoch(&self) -> usize {
        self.count(0)
    }

    /// How many batches of the next epoch were done.
    pub fn batch(&self) -> usize {
        self.count(1)
    }

    fn count(&self, i: usize) -> usize {
        let counts = self.state.get("place.counts").map(rekindle_tensor::Tensor::to_f64_vec);
        counts.and_then(|counts| counts.get(i).map(|&n| n.max(0.0) as usize)).unwrap_or(0)
    }

    /// Why this is not the newest one of its folder, if it is not.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The newest checkpoint of a folder that is whole; none if there is none at all.
    ///
    /// # Errors
    /// If there are some, and none is whole; the message says what is wrong with the newest.
    pub fn newest(folder: &Path) -> Result<Option<Checkpoint>, Error> {
        let mut wrong = Vec::new();
        for name in CHECKPOINTS {
            let path = folder.join(name);
            match Checkpoint::read(&path) {
                Ok(found) => return Ok(Some(Checkpoint { warning: wrong.pop(), ..found })),
                Err(Error::Run { reason, .. }) if reason == ABSENT => {}
                Err(e) => wrong.push(e.to_string()),
            }
        }
        match wrong.first() {
            None => Ok(None),
            Some(first) => {
                let reason = format!("no checkpoint in it is whole ({first}); train again");
                Err(Error::Run { path: folder.into(), reason })
            }
        }
    }

    /// Reads a checkpoint's file.
    ///
    /// # Errors
    /// If it cannot be read, or any of its bytes is not what was written.
    pub fn read(path: &Path) -> Result<Checkpoint, Error> {
        let wrong = |reason: String| Error::Run { path: path.into(), reason };
        let bytes = bytes_of(path).map_err(wrong)?;
        from_bytes(&bytes).map(Checkpoint::new).map_err(wrong)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let tensors = self.state.to_bytes();
        let length = (tensors.len() as u64).to_le_bytes();
        [&MAGIC[..], &length, &digest(&tensors), &tensors].concat()
    }
}

const ABSENT: &str = "no such file";

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let say = |e: io::Error| match e.kind() {
        ErrorKind::NotFound => ABSENT.to_string(),
        _ => format!("cannot read: {e}"),
    };
    let metadata = fs::metadata(path).map_err(say)?;
    if !metadata.is_file() {
        return Err("not a regular file".into());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(say)?;
    Ok(bytes)
}

fn from_bytes(bytes: &[u8]) -> Result<StateDict, String> {
    let Some((head, tensors)) = bytes.split_at_checked(HEAD).filter(|(head, _)| head.starts_with(MAGIC))
    else {
        return Err("not a checkpoint of Rekindle, or damaged at its start".into());
    };
    if head[8..16] != (tensors.len() as u64).to_le_bytes() {
        return Err(format!("damaged: {} bytes of state are not what was written", tensors.len()));
    }
    if head[16..] != digest(tensors) {
        return Err("damaged: its bytes are not those that were written".into());
    }
    StateDict::from_bytes(tensors)
}

pub(crate) fn digest(bytes: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.write_all(bytes).expect("memory takes everything");
    digest.finish().0
}

/// Where and how often checkpoints are written.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    pub(crate) every: Duration,
    written: Instant,
    prepared: bool,
    /// Whether the last checkpoint is damaged, so that the one before it is the only whole one.
    damaged: bool,
}

impl Checkpoints {
    pub(crate) fn new(folder: PathBuf) -> Checkpoints {
        Checkpoints {
            folder,
            every: Duration::from_secs(30),
            written: Instant::now(),
            prepared: false,
            damaged: false,
        }
    }

    pub(crate) fn due(&self) -> bool {
        self.written.elapsed() >= self.every
    }

    /// Writes a checkpoint; the one before stays until the next. At every moment one of them is whole under its name.
    pub(crate) fn write(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (last, before) = (self.folder.join(LAST), self.folder.join(BEFORE));
        let mut write = || {
            self.prepare()?;
            if !self.damaged {
                keep(&last, &before)?;
            }
            replace_file(&last, &checkpoint.to_bytes())
        };
        write().map_err(|e| {
            let intact =
                if last.exists() || before.exists() { "; the checkpoint before it is intact" } else { "" };
            Error::Run { path: last.clone(), reason: format!("cannot write: {e}{intact}") }
        })?;
        (self.written, self.damaged) = (Instant::now(), false);
        Ok(())
    }

    /// Makes the folder, which is to be there after a power failure, too, takes away what a killed process left in it, and looks
    /// whether the last checkpoint may take the place of the one before it.
    fn prepare(&mut self) -> io::Result<()> {
        if self.prepared {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        sync_directory(&self.folder)?;
        remove_remains(&self.folder, &CHECKPOINTS)?;
        let last = self.folder.join(LAST);
        self.damaged = last.exists() && Checkpoint::read(&last).is_err();
        self.prepared = true;
        Ok(())
    }
}

/// Removes temporary files of these names from a folder: those of a process that was killed while it wrote.
pub(crate) fn remove_remains(folder: &Path, names: &[&str]) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| name.ends_with(".tmp")) else { continue };
        if names.iter().any(|whole| name.starts_with(whole)) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// Gives the last checkpoint its second name. Where a file cannot have two, it is renamed: then it is whole under that name
/// until the new one is there.
fn keep(last: &Path, before: &Path) -> io::Result<()> {
    let ignore_absent = |result: io::Result<()>| match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    };
    let second = before.with_extension("ckpt.tmp");
    ignore_absent(fs::remove_file(&second))?;
    match fs::hard_link(last, &second) {
        // Where both are names of one file already, because a process was killed after this and before the new one, rename does
        // nothing and leaves both.
        Ok(()) => fs::rename(&second, before).and_then(|()| ignore_absent(fs::remove_file(&second))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(_) => ignore_absent(fs::rename(last, before)),
    }
}
