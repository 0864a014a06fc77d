//! A finished picture.

use resvg::{tiny_skia, usvg};
use std::fs::File;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A finished picture, as SVG and as PNG. The same plot gives the same bytes.
///
/// ```
/// # use rekindle_plot as plot;
/// let picture = plot::learning_rate(&[(1.0, 0.1), (2.0, 0.01)]).size(400, 300).draw();
/// assert!(picture.svg().starts_with("<svg"));
/// assert_eq!(&picture.png()[1..4], b"PNG");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    svg: String,
    size: (u32, u32),
}

impl Picture {
    pub(crate) fn new(svg: String, size: (u32, u32)) -> Picture {
        Picture { svg, size }
    }

    /// The SVG document. Text is outlines, so it needs no font; `aria-label` says what an outline spells.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The bytes of a PNG file: the SVG, painted.
    pub fn png(&self) -> Vec<u8> {
        let tree =
            usvg::Tree::from_str(&self.svg, &usvg::Options::default()).expect("the document is our own");
        let mut pixels = tiny_skia::Pixmap::new(self.size.0, self.size.1).expect("no side is 0");
        resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
        pixels.encode_png().expect("encoding to memory does not fail")
    }

    /// Writes the picture to a file, as its name ends: `.svg` or `.png`. The folder is made if it is missing. A file of
    /// that name is replaced at once when the new one is complete.
    ///
    /// # Errors
    /// If the name ends otherwise, or the file cannot be written. The error is the cause alone; the caller knows the path.
    ///
    /// ```
    /// # use rekindle_plot as plot;
    /// let picture = plot::learning_rate(&[(1.0, 0.1), (2.0, 0.01)]).draw();
    /// let path = std::env::temp_dir().join("rekindle-plot-doc.svg");
    /// picture.save(&path)?;
    /// assert_eq!(std::fs::read_to_string(&path)?, picture.svg());
    /// # std::fs::remove_file(path)?;
    /// assert!(picture.save("lr.jpg").unwrap_err().to_string() == "name it .png or .svg, not .jpg");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        let path = path.as_ref();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let bytes = match ending.as_str() {
            "svg" => self.svg.clone().into_bytes(),
            "png" => self.png(),
            "" => return Err(Error::new(ErrorKind::InvalidInput, "name it .png or .svg")),
            other => {
                let message = format!("name it .png or .svg, not .{other}");
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        };
        replace(path, &bytes)
    }
}

/// Writes beside the file and renames, so that nobody sees half a picture, not even after a power failure.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    /// Tells apart threads that save to one path at the same time.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let beside = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().inspect_err(|_| _ = std::fs::remove_file(&beside))
}
