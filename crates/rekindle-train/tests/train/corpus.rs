//! Malformed recipes and calls, replayed: every one is an error of one line, none is a panic.

use rekindle_train::{CIRCLES, Call, Recipe, build_net, build_optimizer};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is no name with arguments.
#[rustfmt::skip]
const CALLS: &[&str] = &[
    "", " ", "(", ")", "()", "(1)", "L(", "L)", "L((", "L(1", "L 1)", "L(1))", "L(1)(2)", "L(1) L(2)", "L(,)", "L(,1)",
    "L(1,,2)", "L(1,2,,)", "L(,,2,,1,)", "L(=)", "L(=1)", "L(a=)", "L(a)", "L(a=b)", "L(a=1,a=2)", "L(a=1,2)",
    "L(a==1)", "L(1;2)", "L(1 2)", "L('a')", "L(\"a\")", "L([1)", "L([1]]", "L([a])", "L([1,,2])",
    "L([1][2])", "L({1})", "L((1,2)", "L((,1))", "L((a,b))", "L(1e)", "L(--1)", "L(0x10)", "L(1_000)", "L(1.2.3)", "L(TRUE)", "L(NULL)", "1 + 1",
    "L.M(1)", "L-M", "L/M", "L\u{0}", "层(1)", "L(层)", "L(\u{0})", "L(1\n,)(", "*", "🦀(1)",
];

/// What no layer of a recipe can be.
#[rustfmt::skip]
const LAYERS: &[&str] = &[
    "Lin", "linear(2,1)", "Linear", "Linear()", "Linear(2)", "Linear(0,1)", "Linear(2,0)", "Linear(-2,1)",
    "Linear(2,1.5)", "Linear(nan,1)", "Linear(inf,1)", "Linear(1e400,1)", "Linear(2,1,1)", "Linear(2,1,None)",
    "Linear(2,1,true,1)", "Linear(true,1)", "Linear((2,1),1)", "Linear(999999999,999999999)", "Linear(134217728,2)",
    "Linear(1e18,1)", "Conv2d(1,1)", "Conv2d(1,1,0)", "Conv2d(1,1,3,0)", "Conv2d(1,1,3,padding=-1)",
    "Conv2d(1,1,3,dilation=0)", "Conv2d(1,1,3,groups=0)", "Conv2d(4,6,3,groups=4)", "Conv2d(1,1,100000)",
    "Conv2d(1,1,3,same=1)", "MaxPool2d", "MaxPool2d(0)", "MaxPool2d(2,0)", "AvgPool2d(2,0)", "AvgPool2d(2,ceil=true)",
    "AdaptiveAvgPool2d", "AdaptiveAvgPool2d(0)", "BatchNorm1d(0)", "BatchNorm2d", "LayerNorm(0)", "LayerNorm(1e12)",
    "Dropout(1.5)", "Dropout(-0.1)", "Dropout(nan)", "Dropout(true)", "Dropout2d(2)", "Flatten(1)", "ReLU(1)",
    "ReLU(inplace=true)", "LeakyReLU(nan)", "GELU(tanh)", "Softmax(0.7)", "Softmax(1e30)", "LogSoftmax(None)",
    "Sigmoid(1)", "Tanh(1)", "Identity(1)", "EmbedColumns([0],[100000000],[100000000])", "EmbedColumns([0],[1e8],[2])",
];

/// What no optimiser of a recipe can be.
#[rustfmt::skip]
const OPTIMIZERS: &[&str] = &[
    "Sgd", "SGD(0)", "SGD(-1)", "SGD(nan)", "SGD(inf)", "SGD(lr=true)", "SGD(0.1,momentum=nan)",
    "SGD(0.1,nesterov=1)", "SGD(0.1,0,0,0,true,1)", "Adam(0.1,0.9)", "Adam(betas=0.9)", "Adam(betas=(0.9,inf))",
    "Adam(beta1=0.9)", "AdamW(eps=nan)", "RMSprop(alpha=None)", "Adagrad(0.1,0,0,0,0,0)", "Adadelta(rho=(1,2))",
    "Adamax(amsgrad=true)", "LBFGS", "Adam(lr=0)",
];

/// A part of the circles recipe, and what makes it a wrong recipe in its place.
#[rustfmt::skip]
const REPLACED: &[(&str, &str)] = &[
    ("seed = 42", "seed = "), ("seed = 42", "seed = 4.2"), ("seed = 42", "seed = 99999999999999999999"),
    ("seed = 42", ""), ("seed = 42", "seed = 42\nseed = 43"), ("seed = 42", "seed = 42\n[data]"),
    ("seed = 42", "seed = 42\nbatch_size = -1"), ("seed = 42", "seed = 42\nbatch_size = 0"),
    ("seed = 42", "seed = 42\nshuffle = true"), ("seed = 42", "seed = 42\nfile = 'x'"),
    ("epochs = 2000", "epochs = 0"), ("epochs = 2000", "epochs = -1"), ("epochs = 2000", "epochs = inf"),
    ("epochs = 2000", "epoch = 1"), ("net = [", "net = [["), ("net = [", "net = [1, "), ("\"ReLU\"", "\"\""),
    ("\"ReLU\"", "\"ReLU"), ("\"ReLU\"", "\"Relu(\""), ("BCEWithLogitsLoss", ""),
    ("BCEWithLogitsLoss", "BCEWithLogitsLoss(1)"), ("BCEWithLogitsLoss", "CrossEntropyLoss(2)"),
    ("BCEWithLogitsLoss", "CrossEntropyLoss(-0.1)"), ("BCEWithLogitsLoss", "Loss\u{7}"), ("SGD(lr=0.1)", ""),
    ("SGD(lr=0.1)", "SGD(lr=0)"), ("SGD(lr=0.1)", "SGD(lr=0.1"), ("source = \"circles\"", "source = \"circle\""),
    ("source = \"circles\"", "source = 1"), ("source = \"circles\"", ""),
    ("source = \"circles\"", "source = \"line\""), ("source = \"circles\"", "source = \"mnist\""),
    ("source = \"circles\"", "source = \"blobs\""), ("samples = 1000", "samples = 0"),
    ("samples = 1000", "samples = 1"), ("samples = 1000", "samples = -5"), ("samples = 1000", "samples = 1e3"),
    ("samples = 1000", "samples = 9223372036854775807"), ("samples = 1000", "samples = \"1000\""),
    ("noise = 0.03", "noise = -0.03"), ("noise = 0.03", "noise = nan"), ("noise = 0.03", "noise = inf"),
    ("noise = 0.03", "noise = 1,5"), ("noise = 0.03", "centers = 3"), ("noise = 0.03", "nois = 0.03"),
    ("random_state = 42", "random_state = -1"), ("random_state = 42", "random_state = 4294967296"),
    ("test_size = 0.2", "test_size = 0"), ("test_size = 0.2", "test_size = 1.0"),
    ("test_size = 0.2", "test_size = -0.2"), ("test_size = 0.2", "test_size = nan"),
    ("test_size = 0.2", "test_size = 0.9999"), ("every = 100", "every = 0"), ("every = 100", "every = -1"),
    ("first = 1", "first = 0"), ("train = \"step\"", "train = \"before\""), ("train = \"step\"", "trian = \"step\""),
    ("[report]", "[reprot]"), ("[data]", "[date]"), ("[data]", "[[data]]"), ("[report]", "[report"),
];

/// What a text leads to: `None` if it is taken, else the error. A panic fails the test with the text.
fn error_of<T>(text: &str, read: impl FnOnce() -> Result<T, String>) -> Option<String> {
    let result = catch_unwind(AssertUnwindSafe(|| read().err()));
    result.unwrap_or_else(|_| panic!("panicked on {text:?}"))
}

fn refused<T>(text: &str, read: impl FnOnce() -> Result<T, String>) {
    let e = error_of(text, read).unwrap_or_else(|| panic!("accepted {text:?}"));
    assert!(!e.is_empty() && !e.contains('\n'), "{text:?}: one line, got {e:?}");
}

fn recipe(text: &str) -> Result<Recipe, String> {
    Recipe::from_toml(text).map_err(|e| e.to_string())
}

#[test]
fn malformed_calls_are_refused() {
    for &text in CALLS {
        refused(text, || Call::parse(text));
    }
}

#[test]
fn calls_that_no_word_can_take_are_refused() {
    for &text in LAYERS {
        refused(text, || build_net(&[text.to_string()]));
    }
    let weight = || vec![rekindle_nn::parameter(rekindle_tensor::Tensor::ones([1]))];
    for &text in OPTIMIZERS {
        refused(text, || build_optimizer(text, weight()));
    }
}

#[test]
fn malformed_recipes_are_refused() {
    for &(from, to) in REPLACED {
        assert!(CIRCLES.contains(from), "the recipe has {from:?}");
        let text = CIRCLES.replacen(from, to, 1);
        refused(&format!("{from} -> {to}"), || recipe(&text));
    }
    for text in [
        "",
        "\u{feff}",
        "[",
        "=",
        "a",
        "\0",
        "{}",
        "name",
        "name = ",
        "data = 1",
        "[data]\n[data]",
        "# only a comment",
    ] {
        refused(text, || recipe(text));
    }
}

/// Every prefix and a thousand single changes of a byte: taken or refused, never a panic. The numbers are those of a
/// linear congruential generator, so that a failure can be repeated.
#[test]
fn damaged_recipes_never_panic() {
    let mut refusals = 0;
    for end in (0..CIRCLES.len()).filter(|&end| CIRCLES.is_char_boundary(end)) {
        refusals += usize::from(error_of(&CIRCLES[..end], || recipe(&CIRCLES[..end])).is_some());
    }
    assert!(refusals > CIRCLES.len() / 2, "{refusals} of {} prefixes are refused", CIRCLES.len());
    let mut state = 1u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    for _ in 0..1000 {
        let mut bytes = CIRCLES.as_bytes().to_vec();
        let at = next(bytes.len());
        bytes[at] = b"\"'()[]{}=,.#-+019eE \n\tx"[next(23)];
        let text = String::from_utf8_lossy(&bytes);
        error_of(&text, || recipe(&text));
    }
}
