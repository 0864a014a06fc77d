//! Which files a command writes over.

use crate::Failure;
use rekindle::train::RunDir;
use std::path::Path;

/// Refuses to write over what is read, and over the files of runs, which nothing overwrites.
pub fn may_replace(file: &Path, read: &Path) -> Result<(), Failure> {
    let refuse = |what| Err(Failure::failed(format!("{}: {what}; choose another name", file.display())));
    if file == Path::new("-") {
        return refuse("not a name of a file");
    }
    match file.canonicalize() {
        Ok(real) if read.canonicalize().is_ok_and(|read| read == real) => refuse("this is what is read"),
        Ok(real) if RunDir::keeps(&real) => refuse("a file of a run, which nothing overwrites"),
        _ => Ok(()),
    }
}
