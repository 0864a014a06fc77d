//! Project tasks: `cargo xtask golden|lectures|bench`.

fn main() {}
