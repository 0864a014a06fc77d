//! The `rekindle` command line program.

fn main() {}
