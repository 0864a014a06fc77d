//! The operations, one per file: shape rule, `Tensor` method, forward, backward and the inputs on which its
//! gradient is checked. Adding an operation touches its file and one line of the table below.

pub(crate) mod elementwise;

use crate::testing::Sample;

/// Declares the modules of the operations and gathers the samples on which each is tested.
macro_rules! ops {
    ($($module:ident: $($name:literal),+;)*) => {
        $(pub(crate) mod $module;)*

        /// Every file of operations with the names that its operations have in a recorded graph.
        pub const TABLE: &[(&str, &[&str])] = &[$((stringify!($module), &[$($name),+])),*];

        /// For every file of operations, the inputs on which it is checked: gradients against finite differences,
        /// strided against contiguous inputs, and one thread against several.
        pub fn samples() -> Vec<(&'static str, Vec<Sample>)> {
            vec![$((stringify!($module), $module::samples())),*]
        }
    };
}

ops! {
    add: "add";
    div: "div";
    exp: "exp";
    expand: "expand";
    index_select: "index_select";
    linear: "linear";
    matmul: "matmul";
    mul: "mul";
    narrow: "narrow";
    neg: "neg";
    permute: "permute";
    relu: "relu";
    reshape: "reshape";
    sub: "sub";
    sum: "sum";
    to: "to", "clone";
}
