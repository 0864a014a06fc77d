//! The operations, one per file: shape rule, `Tensor` method, forward, backward and the inputs on which its
//! gradient is checked. Adding an operation touches its file and one line of the table below.

pub(crate) mod elementwise;
pub(crate) mod reduction;

use crate::testing::Sample;

/// Declares the modules of the operations and gathers the samples on which each is tested.
macro_rules! ops {
    ($($module:ident $(: $($name:literal),+)?;)*) => {
        $(pub(crate) mod $module;)*

        /// Every file of operations with the names that its operations have in a recorded graph; none for operations
        /// without a gradient and for those composed of others.
        pub const TABLE: &[(&str, &[&str])] = &[$((stringify!($module), &[$($($name),+)?])),*];

        /// For every file of operations, the inputs on which it is checked: gradients against finite differences,
        /// strided against contiguous inputs, and one thread against several.
        pub fn samples() -> Vec<(&'static str, Vec<Sample>)> {
            vec![$((stringify!($module), $module::samples())),*]
        }
    };
}

ops! {
    abs: "abs";
    adaptive_avg_pool2d: "adaptive_avg_pool2d", "adaptive_avg_pool1d";
    adaptive_max_pool2d: "adaptive_max_pool2d";
    add: "add";
    any;
    arg;
    avg_pool2d: "avg_pool2d", "avg_pool1d";
    batch_norm: "batch_norm";
    cat: "cat";
    celu: "celu";
    clamp: "clamp";
    compare;
    conv2d: "conv2d", "conv1d";
    conv_transpose2d: "conv_transpose2d", "conv_transpose1d";
    cos: "cos";
    cumsum: "cumsum";
    div: "div";
    dropout: "dropout", "alpha_dropout";
    elu: "elu";
    embedding: "embedding";
    erf: "erf";
    exp: "exp";
    exp_m1: "exp_m1";
    expand: "expand";
    gather: "gather", "scatter", "scatter_add";
    gelu: "gelu", "gelu_tanh";
    group_norm;
    hardshrink: "hardshrink";
    hardsigmoid: "hardsigmoid";
    hardswish: "hardswish";
    hardtanh: "hardtanh";
    index_select: "index_select", "index_add";
    isnan;
    layer_norm: "layer_norm";
    leaky_relu: "leaky_relu";
    linear: "linear";
    ln: "ln";
    log1p: "log1p";
    logical;
    logsigmoid: "logsigmoid";
    logsumexp;
    matmul: "matmul";
    max: "amax", "amin";
    max_pool2d: "max_pool2d", "max_pool1d";
    maximum: "maximum", "minimum";
    mean;
    mish: "mish";
    mul: "mul";
    narrow: "narrow";
    neg: "neg";
    norm: "sqrt_or_zero";
    one_hot;
    permute: "permute";
    pow: "pow";
    prod: "prod";
    reciprocal: "reciprocal";
    relu: "relu";
    reshape: "reshape";
    rms_norm;
    round: "round", "floor", "ceil", "trunc";
    rsqrt: "rsqrt";
    selu: "selu";
    sigmoid: "sigmoid";
    sign: "sign";
    silu: "silu";
    sin: "sin";
    softmax: "softmax", "log_softmax";
    softplus: "softplus";
    softshrink: "softshrink";
    softsign: "softsign";
    sort;
    sqrt: "sqrt";
    square: "square";
    sub: "sub";
    sum: "sum";
    tanh: "tanh";
    tanhshrink: "tanhshrink";
    threshold: "threshold";
    to: "to", "clone";
    var;
    where_: "where";
}
