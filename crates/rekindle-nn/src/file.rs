//! Weights in files: the safetensors format, read with suspicion and written so that no crash leaves half a file.
//!
//! The format: the length of the header (u64, little endian), the header (JSON: for every name the element type,
//! the shape and the range of bytes), the bytes of all tensors without gaps.
//! Source: github.com/huggingface/safetensors. A reader of our own because the published crate brings a dozen
//! others along, checks less (finite values, size of the header) and says less when it refuses.

use crate::state_dict::StateDict;
use rekindle_tensor::{DType, Element, Tensor};
use serde_json::Value;
use std::fmt::{self, Display, Write as _};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Longer headers are refused: a million tensors would fit.
const MAX_HEADER: u64 = 10 << 20;

/// Why a file could not be read or written: its path and one line.
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
        replace(path, &self.to_bytes()).map_err(|e| FileError::new(path, format!("cannot write: {e}")))
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds values that are not finite.
    pub fn load(path: impl AsRef<Path>) -> Result<StateDict, FileError> {
        let path = path.as_ref();
        let bytes = read(path).map_err(|reason| FileError::new(path, reason))?;
        StateDict::from_bytes(&bytes).map_err(|reason| FileError::new(path, reason))
    }

    /// The contents of a safetensors file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut entries: Vec<(&str, &Tensor)> = self.iter().collect();
        // Wide elements first keep every tensor aligned.
        entries.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size()));
        let (mut header, mut end) = (String::from(r#"{"__metadata__":{"format":"pt"}"#), 0);
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
        entries.iter().for_each(|(_, tensor)| append(tensor, &mut bytes));
        bytes
    }

    /// Reads the contents of a safetensors file.
    ///
    /// # Errors
    /// With one line that says what is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<StateDict, String> {
        let (header, data) = split(bytes)?;
        let header: Value = serde_json::from_slice(header).map_err(|e| format!("damaged header: {e}"))?;
        let Value::Object(entries) = header else {
            return Err("damaged header: not a JSON object".to_string());
        };
        let mut infos = Vec::new();
        for (name, entry) in entries.iter().filter(|(name, _)| *name != "__metadata__") {
            infos.push(Info::read(name, entry).ok_or_else(|| format!("damaged entry of {name}"))?);
        }
        infos.sort_by_key(|info| (info.range.start, info.range.end));
        let mut end = 0;
        for info in &infos {
            if info.range.start != end {
                let what =
                    if info.range.start < end { "overlaps another tensor" } else { "leaves a gap before it" };
                return Err(format!("damaged header: {} {what}", info.name));
            }
            end = info.range.end;
        }
        if end != data.len() {
            return Err(format!("damaged: {} bytes of data, the header describes {end}", data.len()));
        }
        infos.iter().map(|info| Ok((info.name, info.tensor(&data[info.range.clone()])?))).collect()
    }
}

/// The header and the data.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(format!("not a safetensors file: {} bytes", bytes.len()));
    };
    let length = header_length(*length)?;
    rest.split_at_checked(length).ok_or_else(|| "damaged: the file ends inside its header".to_string())
}

fn header_length(bytes: [u8; 8]) -> Result<usize, String> {
    let length = u64::from_le_bytes(bytes);
    if length > MAX_HEADER {
        return Err(format!(
            "not a safetensors file: its header would take {length} bytes, at most {MAX_HEADER} are read"
        ));
    }
    Ok(length as usize)
}

/// What the header says of one tensor.
struct Info<'a> {
    name: &'a str,
    kind: &'a str,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl<'a> Info<'a> {
    fn read(name: &'a str, entry: &'a Value) -> Option<Info<'a>> {
        let numbers = |key: &str| -> Option<Vec<usize>> {
            let list = entry.get(key)?.as_array()?;
            list.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect()
        };
        let [start, end] = numbers("data_offsets")?[..] else { return None };
        let range = (start <= end).then_some(start..end)?;
        Some(Info { name, kind: entry.get("dtype")?.as_str()?, shape: numbers("shape")?, range })
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
                    "{} has elements of type {other}; save it as float32 (x.float())",
                    self.name
                ));
            }
        };
        let finite = match tensor.dtype() {
            DType::F32 => tensor.data::<f32>().iter().all(|v| v.is_finite()),
            DType::F64 => tensor.data::<f64>().iter().all(|v| v.is_finite()),
            _ => true,
        };
        if finite { Ok(tensor) } else { Err(format!("{} has values that are not finite", self.name)) }
    }

    fn decode<T: Element, const N: usize>(
        &self,
        bytes: &[u8],
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Tensor, String> {
        let size = self.shape.iter().try_fold(N, |size, &n| size.checked_mul(n));
        if size != Some(bytes.len()) {
            let (name, shape, kind, length) = (self.name, &self.shape, self.kind, bytes.len());
            return Err(format!("damaged: {name} is {shape:?} of {kind}, which {length} bytes do not hold"));
        }
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(Tensor::from_vec(chunks.iter().map(|&chunk| decode(chunk)).collect(), self.shape.clone()))
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

fn append(tensor: &Tensor, bytes: &mut Vec<u8>) {
    match tensor.dtype() {
        DType::F32 => bytes.extend(tensor.data::<f32>().iter().flat_map(|v| v.to_le_bytes())),
        DType::F64 => bytes.extend(tensor.data::<f64>().iter().flat_map(|v| v.to_le_bytes())),
        DType::I64 => bytes.extend(tensor.data::<i64>().iter().flat_map(|v| v.to_le_bytes())),
        DType::Bool => bytes.extend(tensor.data::<bool>().iter().map(|&v| u8::from(v))),
    }
}

/// The bytes of a file that looks like safetensors; the rest of others is not read.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |e: io::Error| format!("cannot read: {e}");
    let mut file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    (&mut file).take(8).read_to_end(&mut bytes).map_err(cannot)?;
    // PyTorch's own files are zip archives, older ones bare pickles.
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80, 2]) {
        let path = path.display();
        return Err(format!(
            "a PyTorch pickle, which could run code when read; convert it in Python: import torch; from \
             safetensors.torch import save_file; save_file(torch.load('{path}', weights_only=True), 'model.safetensors')"
        ));
    }
    if let Ok(start) = bytes[..].try_into() {
        header_length(start)?;
    }
    file.read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// Puts `bytes` in place of a file: at every moment the old or the new contents stand under the name.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?;
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| _ = fs::remove_file(&temporary))?;
    sync_directory(path)
}

/// Makes the renaming last through a power failure, where directories can be opened.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()?;
    }
    _ = path;
    Ok(())
}
