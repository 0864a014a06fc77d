//! Weights in files: the safetensors format, read with suspicion and written so that no crash leaves half a file.
//!
//! The format: the length of the header (u64, little endian), the header (JSON: for every name the element type,
//! the shape and the range of bytes), the bytes of all tensors without gaps.
//! Source: github.com/huggingface/safetensors. A reader of our own because the published crate brings a dozen
//! others along, checks less (values that are not numbers, size of the header) and says less when it refuses.

use crate::state_dict::StateDict;
use rekindle_tensor::{DType, Element, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Longer headers are refused: a million tensors would fit.
const MAX_HEADER: u64 = 10 << 20;

/// What helps against bytes that were lost or changed on their way.
const FETCH_AGAIN: &str = "copy or download the file again";
const WRONG_FILE: &str = "is this the right file?";

/// Why a file could not be read or written: its path and one line.
///
/// ```
/// use rekindle_nn::StateDict;
/// let error = StateDict::load("no/such/file").unwrap_err();
/// assert!(error.to_string().starts_with("no/such/file: cannot read: "));
/// assert_eq!(error.path.to_str(), Some("no/such/file"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is the matter with it.
    pub reason: String,
}

impl FileError {
    pub(crate) fn new(path: &Path, reason: impl Display) -> FileError {
        FileError { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

impl Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for FileError {}

impl StateDict {
    /// Writes a safetensors file: to a temporary file beside it, to the disk, then under its name.
    ///
    /// # Errors
    /// If the file cannot be written; an older file of this name is intact then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        replace_file(path, &self.to_bytes()).map_err(|e| FileError::new(path, format!("cannot write: {e}")))
    }

    /// Reads a safetensors file.
    ///
    /// Its header is held against its length before anything of its size is allocated. Infinities are taken, because
    /// buffers such as attention masks hold them; [`Parameters::load`](crate::Parameters::load), which knows what is
    /// a weight, refuses them there.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds values that are not numbers.
    pub fn load(path: impl AsRef<Path>) -> Result<StateDict, FileError> {
        let path = path.as_ref();
        let load = || {
            // Asked before opening, because opening a pipe would wait for a writer.
            let metadata = fs::metadata(path).map_err(cannot_read)?;
            if !metadata.is_file() {
                return Err("not a regular file".to_string());
            }
            read(File::open(path).map_err(cannot_read)?, metadata.len())
        };
        load().map_err(|reason| FileError::new(path, reason))
    }

    /// The contents of a safetensors file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut entries: Vec<(&str, &Tensor)> = self.iter().collect();
        // Wide elements first keep every tensor aligned.
        entries.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size()));
        let mut metadata = self.metadata.clone();
        metadata.insert("format".into(), "pt".into());
        let metadata = serde_json::to_string(&metadata).expect("texts");
        let (mut header, mut end) = (format!(r#"{{"__metadata__":{metadata}"#), 0);
        for (name, tensor) in &entries {
            let start = end;
            end += tensor.numel() * tensor.dtype().size();
            let (name, kind, shape) = (Value::from(*name), kind(tensor.dtype()), tensor.shape());
            let shape = Value::from(shape);
            _ = write!(
                header,
                r#",{name}:{{"dtype":"{kind}","shape":{shape},"data_offsets":[{start},{end}]}}"#
            );
        }
        header.push('}');
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.reserve(end);
        entries.iter().for_each(|(_, tensor)| append(&tensor.cpu(), &mut bytes));
        bytes
    }

    /// Reads the contents of a safetensors file.
    ///
    /// # Errors
    /// With one line that says what is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<StateDict, String> {
        read(bytes, bytes.len() as u64)
    }
}

fn cannot_read(e: io::Error) -> String {
    format!("cannot read: {e}")
}

/// Reads a file of `size` bytes.
fn read(mut source: impl Read, size: u64) -> Result<StateDict, String> {
    let Some(after) = size.checked_sub(8) else {
        return Err(format!(
            "byte {size}: not a safetensors file, which has more than 8 bytes; {WRONG_FILE}"
        ));
    };
    let mut length = [0; 8];
    source.read_exact(&mut length).map_err(cannot_read)?;
    let length = header_length(length)?;
    let Some(data) = after.checked_sub(length as u64) else {
        return Err(format!(
            "byte {size}: damaged: the file ends inside its header of {length} bytes; {FETCH_AGAIN}"
        ));
    };
    let header = take(&mut source, length)?;
    let header: Value =
        serde_json::from_slice(&header).map_err(|e| format!("byte 8: damaged header: {e}; {FETCH_AGAIN}"))?;
    let infos = infos(&header, size - data, data)?;
    let tensors =
        infos.iter().map(|info| Ok((info.name, info.tensor(&take(&mut source, info.range.len())?)?)));
    let mut dict = tensors.collect::<Result<StateDict, String>>()?;
    dict.metadata = metadata(&header);
    Ok(dict)
}

/// The next `n` bytes, which the file's length has promised.
fn take(source: &mut impl Read, n: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; n];
    source.read_exact(&mut bytes).map_err(cannot_read)?;
    Ok(bytes)
}

fn header_length(bytes: [u8; 8]) -> Result<usize, String> {
    let length = u64::from_le_bytes(bytes);
    if length <= MAX_HEADER {
        return Ok(length as usize);
    }
    // PyTorch's own files are zip archives, older ones bare pickles; as a length, the start of either is enormous.
    if bytes.starts_with(b"PK\x03\x04") || matches!(bytes, [0x80, 2..=5, ..]) {
        return Err(
            "a PyTorch pickle, which could run code when read; convert it in Python: import torch; from \
                    safetensors.torch import save_file; \
                    save_file(torch.load('model.pt', weights_only=True), 'model.safetensors')"
                .to_string(),
        );
    }
    Err(format!(
        "byte 0: not a safetensors file: its header would take {length} bytes, at most {MAX_HEADER} are read; {WRONG_FILE}"
    ))
}

/// What the header says of every tensor, in the order of the data, which begins at `begin` and is `size` bytes long.
fn infos(header: &Value, begin: u64, size: u64) -> Result<Vec<Info<'_>>, String> {
    let Value::Object(entries) = header else {
        return Err(format!("byte 8: damaged header: not a JSON object; {FETCH_AGAIN}"));
    };
    let mut infos = Vec::new();
    for (name, entry) in entries.iter().filter(|(name, _)| *name != "__metadata__") {
        let wrong = |key| {
            format!("byte 8: damaged header: {key} of {} is missing or wrong; {FETCH_AGAIN}", shown(name))
        };
        infos.push(Info::read(name, entry).map_err(wrong)?);
    }
    infos.sort_by_key(|info| (info.range.start, info.range.end));
    let mut end = 0;
    for info in &infos {
        if info.range.start != end {
            let what =
                if info.range.start < end { "overlaps another tensor" } else { "leaves a gap before it" };
            let (at, name) = (begin.saturating_add(info.range.start as u64), shown(info.name));
            return Err(format!("byte {at}: damaged: {name} {what}; {FETCH_AGAIN}"));
        }
        end = info.range.end;
    }
    if end as u64 != size {
        let at = begin.saturating_add(size.min(end as u64));
        return Err(format!(
            "byte {at}: damaged: {size} bytes of data, the header describes {end}; {FETCH_AGAIN}"
        ));
    }
    Ok(infos)
}

/// The texts beside the tensors; what is no text is not ours.
fn metadata(header: &Value) -> BTreeMap<String, String> {
    let texts = header.get("__metadata__").and_then(Value::as_object).into_iter().flatten();
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_string()));
    texts.filter(|(name, _)| *name != "format").filter_map(text).collect()
}

/// What the header says of one tensor.
struct Info<'a> {
    name: &'a str,
    kind: &'a str,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl<'a> Info<'a> {
    /// The entry of a tensor, or which of its keys is wrong.
    fn read(name: &'a str, entry: &'a Value) -> Result<Info<'a>, &'static str> {
        let numbers = |key: &str| -> Option<Vec<usize>> {
            let list = entry.get(key)?.as_array()?;
            list.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect()
        };
        let kind = entry.get("dtype").and_then(Value::as_str).ok_or("dtype")?;
        let shape = numbers("shape").ok_or("shape")?;
        match numbers("data_offsets").as_deref() {
            Some(&[start, end]) if start <= end => Ok(Info { name, kind, shape, range: start..end }),
            _ => Err("data_offsets"),
        }
    }

    fn tensor(&self, bytes: &[u8]) -> Result<Tensor, String> {
        let tensor = match self.kind {
            "F32" => self.decode(bytes, f32::from_le_bytes)?,
            "F64" => self.decode(bytes, f64::from_le_bytes)?,
            "I64" => self.decode(bytes, i64::from_le_bytes)?,
            "BOOL" => self.decode(bytes, |[b]| b != 0)?,
            "BF16" => self.decode(bytes, |[a, b]| f32::from_le_bytes([0, 0, a, b]))?,
            other => {
                return Err(format!(
                    "{} has elements of type {}; save it as float32 (x.float())",
                    shown(self.name),
                    shown(other)
                ));
            }
        };
        let broken = any(&tensor, f64::is_nan);
        match broken {
            true => Err(format!(
                "{} has values that are not numbers (NaN); take weights from before they were",
                shown(self.name)
            )),
            false => Ok(tensor),
        }
    }

    fn decode<T: Element, const N: usize>(
        &self,
        bytes: &[u8],
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Tensor, String> {
        // A size of 0 must not hide sizes beside it that no memory could hold.
        let possible = self.shape.iter().try_fold(N, |size, &n| size.checked_mul(n.max(1))).is_some();
        if !possible || self.shape.iter().product::<usize>() * N != bytes.len() {
            let (name, shape, kind, length) = (shown(self.name), &self.shape, self.kind, bytes.len());
            return Err(format!(
                "damaged header: {name} is {shape:?} of {kind}, which {length} bytes do not hold; {FETCH_AGAIN}"
            ));
        }
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(Tensor::from_vec(chunks.iter().map(|&chunk| decode(chunk)).collect(), self.shape.clone()))
    }
}

/// A name from a file, for a message of one line.
fn shown(name: &str) -> String {
    const LONGEST: usize = 64;
    let cut = if name.chars().count() > LONGEST { ".." } else { "" };
    let name: String = name.chars().take(LONGEST).collect();
    name.escape_debug().to_string() + cut
}

/// Whether `f` holds for any value of a floating tensor.
pub(crate) fn any(tensor: &Tensor, f: impl Fn(f64) -> bool) -> bool {
    match tensor.dtype() {
        DType::F32 => tensor.data::<f32>().iter().any(|&v| f(f64::from(v))),
        DType::F64 => tensor.data::<f64>().iter().any(|&v| f(v)),
        _ => false,
    }
}

fn kind(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "F32",
        DType::F64 => "F64",
        DType::I64 => "I64",
        DType::Bool => "BOOL",
    }
}

/// The elements of a tensor on the CPU, little endian.
pub(crate) fn raw_bytes(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(tensor.numel() * tensor.dtype().size());
    append(tensor, &mut bytes);
    bytes
}

fn append(tensor: &Tensor, bytes: &mut Vec<u8>) {
    match tensor.dtype() {
        DType::F32 => bytes.extend(tensor.data::<f32>().iter().flat_map(|v| v.to_le_bytes())),
        DType::F64 => bytes.extend(tensor.data::<f64>().iter().flat_map(|v| v.to_le_bytes())),
        DType::I64 => bytes.extend(tensor.data::<i64>().iter().flat_map(|v| v.to_le_bytes())),
        DType::Bool => bytes.extend(tensor.data::<bool>().iter().map(|&v| u8::from(v))),
    }
}

/// Puts `bytes` in place of a file: at every moment the old or the new contents stand under the name, also after a power
/// failure.
///
/// ```
/// let path = std::env::temp_dir().join(format!("rekindle-replace-{}", std::process::id()));
/// rekindle_nn::replace_file(&path, b"old")?;
/// rekindle_nn::replace_file(&path, b"new")?;
/// assert_eq!(std::fs::read(&path)?, b"new");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written; an older file of this name is intact then.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, |_| Ok(()))
}

/// What can fail when a file is replaced, in this order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Create,
    Write,
    Sync,
    Rename,
    SyncDirectory,
}

/// Asks `may` before each step, so that tests can make any of them fail.
fn replace(path: &Path, bytes: &[u8], may: impl Fn(Step) -> io::Result<()>) -> io::Result<()> {
    may(Step::Create)?;
    let mut file = Replacement::create(path)?;
    may(Step::Write)?;
    file.write_all(bytes)?;
    file.finish_if(may)
}

/// What is to take the place of a file, as [`replace_file`] does it, written piece by piece: it lies beside the file under a temporary
/// name. If it is dropped before it is finished, it goes, and the file stays as it was.
///
/// ```
/// use rekindle_nn::Replacement;
/// use std::io::Write;
/// let path = std::env::temp_dir().join(format!("rekindle-replacement-{}", std::process::id()));
/// let mut file = Replacement::create(&path)?;
/// file.write_all(b"piece by ")?;
/// file.write_all(b"piece")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"piece by piece");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Replacement {
    file: File,
    path: PathBuf,
    /// Where it is written, until it has its name.
    temporary: Option<PathBuf>,
}

impl Replacement {
    /// Begins a file.
    ///
    /// # Errors
    /// If none can be made in the folder.
    pub fn create(path: &Path) -> io::Result<Replacement> {
        let name = path.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?;
        let mut temporary = name.to_os_string();
        // The number tells apart threads that save to one path at the same time.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        temporary.push(format!(".{}-{count}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        Ok(Replacement { file: File::create(&temporary)?, path: path.into(), temporary: Some(temporary) })
    }

    /// Puts it in place of the file.
    ///
    /// # Errors
    /// If it cannot be written to the disk or named; an older file is intact then.
    pub fn finish(self) -> io::Result<()> {
        self.finish_if(|_| Ok(()))
    }

    fn finish_if(mut self, may: impl Fn(Step) -> io::Result<()>) -> io::Result<()> {
        may(Step::Sync)?;
        self.file.sync_all()?;
        may(Step::Rename)?;
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.path)?;
        }
        self.temporary = None;
        may(Step::SyncDirectory)?;
        sync_directory(&self.path)
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        self.temporary.iter().for_each(|temporary| _ = fs::remove_file(temporary));
    }
}

/// Makes the name of a new file or directory last through a power failure, where directories can be opened.
///
/// # Errors
/// If the directory around it cannot be opened or written to the disk.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()?;
    }
    _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn whichever_step_fails_the_old_or_the_new_file_is_whole_and_nothing_else_is_left() {
        let folder = std::env::temp_dir().join(format!("rekindle-steps-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        let steps = [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncDirectory];
        for failing in steps {
            fs::write(&path, "old").unwrap();
            let asked = RefCell::new(Vec::new());
            let result = replace(&path, b"new", |step| {
                asked.borrow_mut().push(step);
                if step == failing { Err(io::Error::other("no")) } else { Ok(()) }
            });
            assert_eq!(result.unwrap_err().to_string(), "no");
            let n = steps.iter().position(|&step| step == failing).unwrap() + 1;
            assert_eq!(asked.borrow()[..], steps[..n], "in this order, and nothing after the fault");
            let expected = if failing == Step::SyncDirectory { "new" } else { "old" };
            assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{failing:?}");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "{failing:?} leaves no temporary file");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
