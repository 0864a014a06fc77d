//! What every reader of a file does first.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file and says how long it is. Opening a pipe or a device could wait for ever, so these are refused.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64)> {
    let metadata = fs::metadata(path).map_err(Error::io(path))?;
    if !metadata.is_file() {
        return Err(Error::io(path)(io::Error::other("not a regular file")));
    }
    Ok((File::open(path).map_err(Error::io(path))?, metadata.len()))
}
