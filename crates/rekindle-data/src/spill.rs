//! Rows of f32 that are on disk, for data that is larger than memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rekindle_tensor::{Tensor, mistake};

/// The bytes of an f32.
const BYTES: usize = 4;

/// Writes rows of f32 into a temporary file, which becomes [`SpilledRows`].
///
/// ```
/// use rekindle_data::SpillWriter;
///
/// let mut writer = SpillWriter::create(std::env::temp_dir(), 2)?;
/// writer.push(&[1.0, 2.0, 3.0, 4.0])?;
/// writer.push(&[5.0, 6.0])?;
/// let rows = writer.finish()?;
/// assert_eq!((rows.len(), rows.width()), (3, 2));
/// assert_eq!(rows.rows(&[2, 0])?.to_vec::<f32>(), [5.0, 6.0, 1.0, 2.0]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SpillWriter {
    writer: BufWriter<File>,
    file: Temporary,
    width: usize,
    len: usize,
}

impl SpillWriter {
    /// A new file in a folder, for rows of so many numbers. On Unix it has no name any more, and only the user can read it.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: impl AsRef<Path>, width: usize) -> io::Result<Self> {
        let (file, handle) = Temporary::create(folder.as_ref())?;
        Ok(Self { writer: BufWriter::new(handle), file, width, len: 0 })
    }

    /// Appends whole rows, one after another.
    ///
    /// # Errors
    /// What the system says, such as that the disk is full.
    ///
    /// # Panics
    /// If the last row is not whole.
    #[track_caller]
    pub fn push(&mut self, rows: &[f32]) -> io::Result<()> {
        if !rows.len().is_multiple_of(self.width.max(1)) {
            mistake!("spill: {} numbers are no rows of {}; give whole rows", rows.len(), self.width);
        }
        self.len += rows.len() / self.width.max(1);
        rows.iter().try_for_each(|number| self.writer.write_all(&number.to_le_bytes()))
    }

    /// The rows, to be read.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<SpilledRows> {
        let Self { writer, file, width, len } = self;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(SpilledRows { file, width, len })
    }
}

/// Rows of f32 in a temporary file, which is gone when they are dropped. None of them is in memory. Made by a [`SpillWriter`].
pub struct SpilledRows {
    file: Temporary,
    width: usize,
    len: usize,
}

impl SpilledRows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Some rows in some order, `[indices, width]`.
    ///
    /// # Errors
    /// What the system says.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn rows(&self, indices: &[usize]) -> io::Result<Tensor> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.len) {
            mistake!("spilled rows: index {index} is out of range for {} rows", self.len);
        }
        let mut bytes = vec![0; indices.len() * self.width * BYTES];
        // Whoever reads rows in a row reads them at once.
        let mut start = 0;
        for run in indices.chunk_by(|a, b| a + 1 == *b) {
            let end = start + run.len() * self.width * BYTES;
            self.file.read_exact_at(&mut bytes[start..end], (run[0] * self.width * BYTES) as u64)?;
            start = end;
        }
        Ok(self.tensor(&bytes, indices.len()))
    }

    /// Consecutive rows, `[rows, width]`.
    ///
    /// # Errors
    /// What the system says.
    ///
    /// # Panics
    /// If there are no such rows.
    #[track_caller]
    pub fn range(&self, range: Range<usize>) -> io::Result<Tensor> {
        if range.end > self.len || range.start > range.end {
            mistake!("spilled rows: {range:?} is out of range for {} rows", self.len);
        }
        let mut bytes = vec![0; range.len() * self.width * BYTES];
        self.file.read_exact_at(&mut bytes, (range.start * self.width * BYTES) as u64)?;
        Ok(self.tensor(&bytes, range.len()))
    }

    fn tensor(&self, bytes: &[u8], rows: usize) -> Tensor {
        let numbers = bytes.chunks_exact(BYTES).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Tensor::from_vec(numbers.collect(), [rows, self.width])
    }
}

/// A file that nobody else knows and that does not stay.
struct Temporary {
    #[cfg(unix)]
    handle: File,
    #[cfg(not(unix))]
    handle: std::sync::Mutex<File>,
    /// To be removed at the end, where an open file cannot be.
    path: Option<PathBuf>,
}

impl Temporary {
    /// The file, and a second handle to write it with.
    fn create(folder: &Path) -> io::Result<(Self, File)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        for i in 0.. {
            let path = folder.join(format!(".rekindle-{}-{i}.rows", std::process::id()));
            let handle = match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            let path = if cfg!(unix) { fs::remove_file(&path).map(|()| None)? } else { Some(path) };
            let writer = handle.try_clone()?;
            #[cfg(not(unix))]
            let handle = std::sync::Mutex::new(handle);
            return Ok((Self { handle, path }, writer));
        }
        unreachable!("some name is free")
    }

    #[cfg(unix)]
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.handle, bytes, offset)
    }

    #[cfg(not(unix))]
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut handle = self.handle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        handle.seek(SeekFrom::Start(offset))?;
        handle.read_exact(bytes)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Elsewhere than on Unix an open file may refuse to go; then the system's cleaning takes it.
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
