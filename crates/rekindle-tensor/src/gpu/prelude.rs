//! Functions that WGSL lacks, for every kernel.

/// The functions.
pub(super) const TEXT: &str = include_str!("prelude.wgsl");

/// A kernel's text behind the functions that it calls.
pub(super) fn with(body: &str) -> String {
    format!("{TEXT}\n{body}")
}
