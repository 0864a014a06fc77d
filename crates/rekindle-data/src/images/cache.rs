//! Decoded images on disk, so that they are decoded once.
//!
//! A file's name is a digest of what it was made from: what the images are turned into, and the path, size and time of each file. Its
//! contents are a digest and the pixels. Whatever is wrong with it, the images are decoded again.

use super::ImageSpec;
use crate::md5::Md5;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const DIGEST: usize = 16;

/// Where the pixels of these files are kept; none if the files cannot be looked at.
pub(super) fn path(folder: &Path, root: &Path, spec: &ImageSpec, files: &[PathBuf]) -> Option<PathBuf> {
    let mut digest = Md5::new();
    write!(digest, "{spec:?} {}", root.canonicalize().ok()?.display()).ok()?;
    for file in files {
        let metadata = fs::metadata(file).ok()?;
        let time = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        write!(digest, "\0{}\0{}\0{}", file.display(), metadata.len(), time.as_nanos()).ok()?;
    }
    let name: String = digest.finish().0.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(folder.join(format!("{name}.pixels")))
}

/// The pixels, if they are there and whole.
pub(super) fn read(path: &Path, bytes: usize) -> Option<Vec<u8>> {
    if fs::metadata(path).ok()?.len() != (bytes + DIGEST) as u64 {
        return None;
    }
    let mut all = fs::read(path).ok()?;
    let pixels = all.split_off(DIGEST.min(all.len()));
    (pixels.len() == bytes && all == of(&pixels)).then_some(pixels)
}

/// Keeps pixels. That it cannot be done is no failure: they are decoded again.
pub(super) fn write(path: &Path, pixels: &[u8]) {
    let Some(folder) = path.parent() else { return };
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let keep = || {
        fs::create_dir_all(folder)?;
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&of(pixels))?;
        file.write_all(pixels)?;
        fs::rename(&temporary, path)
    };
    if keep().is_err() {
        _ = fs::remove_file(&temporary);
    }
}

fn of(pixels: &[u8]) -> [u8; DIGEST] {
    let mut digest = Md5::new();
    digest.write_all(pixels).expect("memory takes everything");
    digest.finish().0
}
