//! Functions that WGSL lacks, for every kernel.

/// A kernel's text behind the functions that it calls.
pub(super) fn with(body: &str) -> String {
    format!("{}\n{body}", include_str!("prelude.wgsl"))
}
