//! Recipes, and the words in them.

use super::Corpus;
use crate::Folder;
use rekindle::train::{CIRCLES, Recipe};
use std::path::Path;

fn read(path: &Path) -> Result<(), String> {
    Recipe::from_file(path).map(drop).map_err(|e| e.to_string())
}

/// Files that are no recipe at all.
const FILES: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("a comment only", b"# circles\n"),
    ("a byte order mark only", b"\xef\xbb\xbf"),
    ("a key only", b"name"),
    ("a key and no value", b"name ="),
    ("no key", b"= 1"),
    ("a bracket", b"["),
    ("JSON", b"{\"name\": \"circles\"}"),
    ("YAML", b"name: circles\nseed: 42\n"),
    ("Latin-1", b"name = \"caf\xe9\"\n"),
    ("UTF-16", b"\xff\xfen\0a\0"),
    ("a zero byte", b"name = \"a\0\"\n"),
    ("a table twice", b"[data]\n[data]\n"),
    ("data that is a number", b"data = 1\n"),
    ("a key twice", b"name = \"a\"\nname = \"b\"\n"),
    ("a picture", b"\x89PNG\r\n\x1a\n"),
];

/// A part of the recipe of the circles, and what stands in its place.
#[rustfmt::skip]
const REPLACED: &[(&str, &str)] = &[
    ("seed = 42", "seed = "), ("seed = 42", "seed = 4.2"), ("seed = 42", "seed = \"42\""), ("seed = 42", "seed = 99999999999999999999"), ("seed = 42", ""),
    ("seed = 42", "seed = 42\nseed = 43"), ("seed = 42", "seed = 42\nsede = 1"), ("seed = 42", "seed = 42\nlr = 0.1"), ("seed = 42", "seed = 0x"), ("seed = 42", "seed = 1_"),
    ("seed = 42", "seed = 42\nbatch_size = 0"), ("seed = 42", "seed = 42\nbatch_size = -1"), ("seed = 42", "seed = 42\nbatch_size = 1.5"), ("seed = 42", "seed = 42\nbatchsize = 8"),
    ("seed = 42", "seed = 42\nshuffle = true"), ("seed = 42", "seed = 42\nbatch_size = 8\nshuffle = 1"), ("seed = 42", "seed = 42\naccumulate = 0"),
    ("seed = 42", "seed = 42\nclip_grad_norm = 0"), ("seed = 42", "seed = 42\nclip_grad_norm = -1.0"), ("seed = 42", "seed = 42\nclip_grad_norm = nan"),
    ("seed = 42", "seed = 42\nmax_time = 0"), ("seed = 42", "seed = 42\nmax_time = \"1 h\""), ("seed = 42", "seed = 42\ncheckpoint_seconds = -1"),
    ("seed = 42", "seed = 42\noverfit_batches = 0"), ("seed = 42", "seed = 42\nstream = \"gpu\""), ("seed = 42", "seed = 42\nmonitor = 1"),
    ("seed = 42", "seed = 42\nmetrics = [\"f2\"]"), ("seed = 42", "seed = 42\nmetrics = \"f1_macro\""), ("seed = 42", "seed = 42\nclass_weights = \"even\""),
    ("seed = 42", "seed = 42\nearly_stopping = { patience = -1 }"), ("seed = 42", "seed = 42\nearly_stopping = { min_delta = nan }"), ("seed = 42", "seed = 42\nearly_stopping = { patient = 1 }"),
    ("seed = 42", "seed = 42\nscheduler = \"StepLr(10)\""), ("seed = 42", "seed = 42\nscheduler = \"StepLR\""), ("seed = 42", "seed = 42\nscheduler = \"StepLR(0)\""), ("seed = 42", "seed = 42\nscheduler = \"StepLR(10, gamma=nan)\""),
    ("seed = 42", "seed = 42\nfile = \"x\""), ("seed = 42", "seed = 1979-05-27"), ("seed = 42", "seed = {"), ("seed = 42", "seed = 42 43"),
    ("epochs = 2000", "epochs = 0"), ("epochs = 2000", "epochs = -1"), ("epochs = 2000", "epochs = inf"), ("epochs = 2000", "epochs = 2e3"), ("epochs = 2000", "epochs = 2000000000"),
    ("epochs = 2000", "epoch = 1"), ("epochs = 2000", ""),
    ("SGD(lr=0.1)", "SGD(lr=0)"), ("SGD(lr=0.1)", "SGD(lr=-0.1)"), ("SGD(lr=0.1)", "SGD(lr=nan)"), ("SGD(lr=0.1)", "SGD(lr=inf)"), ("SGD(lr=0.1)", "SGD(lr=1e400)"), ("SGD(lr=0.1)", "SGD(lr=fast)"),
    ("SGD(lr=0.1)", "SGD(lr=true)"), ("SGD(lr=0.1)", "SGD(0)"), ("SGD(lr=0.1)", "Adam(lr=0)"), ("SGD(lr=0.1)", "Adam(lr=-1)"), ("SGD(lr=0.1)", "Adam(lr=nan)"), ("SGD(lr=0.1)", "AdamW(lr=0)"),
    ("SGD(lr=0.1)", "SGD(learning_rate=0.1)"), ("SGD(lr=0.1)", "SGD(lr=0.1, momentum=nan)"), ("SGD(lr=0.1)", "SGD(lr=0.1, momentum=-1)"), ("SGD(lr=0.1)", "SGD(lr=0.1, nesterov=1)"), ("SGD(lr=0.1)", "SGD(lr=0.1, nesterov=true)"),
    ("SGD(lr=0.1)", "Adam(betas=0.9)"), ("SGD(lr=0.1)", "Adam(betas=(0.9, 1.0))"), ("SGD(lr=0.1)", "Adam(eps=nan)"), ("SGD(lr=0.1)", "LBFGS"), ("SGD(lr=0.1)", "sgd(lr=0.1)"), ("SGD(lr=0.1)", "SGD(lr=0.1"),
    ("SGD(lr=0.1)", "SGD lr=0.1"), ("SGD(lr=0.1)", "SGD(lr=0.1)(2)"), ("SGD(lr=0.1)", "SGD(lr=0.1, lr=0.2)"), ("SGD(lr=0.1)", "SGD(lr=0.1,,)"), ("SGD(lr=0.1)", ""), ("SGD(lr=0.1)", "()"),
    ("BCEWithLogitsLoss", ""), ("BCEWithLogitsLoss", "BCEWithLogitLoss"), ("BCEWithLogitsLoss", "BCEWithLogitsLoss(1)"), ("BCEWithLogitsLoss", "CrossEntropyLoss(label_smoothing=-0.1)"), ("BCEWithLogitsLoss", "CrossEntropyLoss(2)"),
    ("BCEWithLogitsLoss", "NLLLoss(ignore_index=1)"), ("BCEWithLogitsLoss", "Loss\\u0007"), ("BCEWithLogitsLoss", "MSELoss"),
    ("net = [", "net = [["), ("net = [", "net = [1, "), ("\"ReLU\"", "\"\""), ("\"ReLU\"", "\"ReLU"), ("\"ReLU\"", "\"Relu\""), ("\"ReLU\"", "\"ReLU(1)\""), ("\"ReLU\"", "\"ReLU(inplace=true)\""),
    ("\"ReLU\"", "\"Linear(0, 1)\""), ("\"ReLU\"", "\"Linear(2)\""), ("\"ReLU\"", "\"Linear(2, -1)\""), ("\"ReLU\"", "\"Linear(2, 1.5)\""), ("\"ReLU\"", "\"Linear(nan, 1)\""), ("\"ReLU\"", "\"Linear(999999999, 999999999)\""),
    ("\"ReLU\"", "\"Linear(1e18, 1)\""), ("\"ReLU\"", "\"Linear(2, 1, None)\""), ("\"ReLU\"", "\"Conv2d(1, 1)\""), ("\"ReLU\"", "\"Conv2d(1, 1, 0)\""), ("\"ReLU\"", "\"Conv2d(1, 1, 3, stride=0)\""), ("\"ReLU\"", "\"Conv2d(4, 6, 3, groups=4)\""),
    ("\"ReLU\"", "\"Conv2d(1, 1, 100000)\""), ("\"ReLU\"", "\"MaxPool2d\""), ("\"ReLU\"", "\"MaxPool2d(0)\""), ("\"ReLU\"", "\"Dropout(1.5)\""), ("\"ReLU\"", "\"Dropout(-0.1)\""),
    ("\"ReLU\"", "\"Dropout(nan)\""), ("\"ReLU\"", "\"Softmax(0.7)\""), ("\"ReLU\"", "\"LayerNorm(1e12)\""), ("\"ReLU\"", "\"BatchNorm2d\""), ("\"ReLU\"", "\"Flatten(1)\""), ("\"ReLU\"", "\"EmbedColumns([0], [4], [])\""),
    ("\"ReLU\"", "\"EmbedColumns([0], [100000000], [100000000])\""), ("\"ReLU\"", "\"层(1)\""),
    ("source = \"circles\"", "source = \"circle\""), ("source = \"circles\"", "source = 1"), ("source = \"circles\"", ""), ("source = \"circles\"", "source = \"line\""), ("source = \"circles\"", "source = \"blobs\""),
    ("source = \"circles\"", "source = \"mnist\""), ("source = \"circles\"", "table = \"t.csv\""), ("source = \"circles\"", "sauce = \"circles\""),
    ("samples = 1000", "samples = 0"), ("samples = 1000", "samples = 1"), ("samples = 1000", "samples = -5"), ("samples = 1000", "samples = 1e3"), ("samples = 1000", "samples = 9223372036854775807"), ("samples = 1000", "samples = \"1000\""),
    ("samples = 1000", "sample = 1000"), ("noise = 0.03", "noise = -0.03"), ("noise = 0.03", "noise = nan"), ("noise = 0.03", "noise = inf"), ("noise = 0.03", "noise = 1,5"), ("noise = 0.03", "noize = 0.03"), ("noise = 0.03", "centers = 3"),
    ("random_state = 42", "random_state = -1"), ("random_state = 42", "random_state = 4294967296"), ("test_size = 0.2", "test_size = 0"), ("test_size = 0.2", "test_size = 1.0"), ("test_size = 0.2", "test_size = -0.2"),
    ("test_size = 0.2", "test_size = nan"), ("test_size = 0.2", "test_size = 0.9999"),
    ("every = 100", "every = 0"), ("every = 100", "every = -1"), ("every = 100", "evry = 100"), ("first = 1", "first = 0"), ("train = \"step\"", "train = \"before\""), ("train = \"step\"", "trian = \"step\""),
    ("[report]", "[reprot]"), ("[data]", "[date]"), ("[data]", "[[data]]"), ("[report]", "[report"), ("[data]", ""),
];

/// Data of the user's that no file can be.
const DATA: &[(&str, &str)] = &[
    ("a table without a label", "table = \"t.csv\""),
    ("a table with an empty label", "table = \"t.csv\"\nlabel = []"),
    ("a label that is a number", "table = \"t.csv\"\nlabel = 1"),
    ("an unknown key of a table", "table = \"t.csv\"\nlabel = \"y\"\nlabels = \"y\""),
    ("an unknown task", "table = \"t.csv\"\nlabel = \"y\"\ntask = \"class\""),
    ("an unknown kind of a column", "table = \"t.csv\"\nlabel = \"y\"\ncolumns.a = \"number\""),
    ("an unknown policy for missing cells", "table = \"t.csv\"\nlabel = \"y\"\nmissing = \"skip\""),
    ("a delimiter of two characters", "table = \"t.csv\"\nlabel = \"y\"\ndelimiter = \";;\""),
    ("no amount of memory", "table = \"t.csv\"\nlabel = \"y\"\nmemory = \"much\""),
    ("too much memory", "table = \"t.csv\"\nlabel = \"y\"\nmemory = \"99999999999999999999 GB\""),
    ("nothing to test with", "table = \"t.csv\"\nlabel = \"y\"\nsplit.test = 0"),
    ("a negative share to test with", "table = \"t.csv\"\nlabel = \"y\"\nsplit.test = -0.5"),
    ("no number for a share", "table = \"t.csv\"\nlabel = \"y\"\nsplit.validation = nan"),
    ("nothing to train on", "table = \"t.csv\"\nlabel = \"y\"\nsplit = { test = 0.5, validation = 0.5 }"),
    ("arrays and a table", "table = \"t.csv\"\nlabel = \"y\"\narrays = \"x.npz\""),
    ("an unknown key of arrays", "arrays = \"x.npz\"\nlabel = \"y\""),
    ("an unknown key of images", "images = \"photos\"\nsizes = [8, 8]"),
    ("a size of three numbers", "images = \"photos\"\nsize = [8, 8, 3]"),
];

#[test]
fn recipe_files() {
    let mut corpus = Corpus::new();
    for (case, bytes) in FILES {
        corpus.bytes(case, "bad.toml", bytes, read);
    }
    corpus.bytes("of two MiB", "bad.toml", "# long\n".repeat(300_000), read);
    corpus.bytes("nested a thousand times", "bad.toml", "a = ".to_string() + &"[".repeat(1000), read);
    for (from, to) in REPLACED {
        assert!(CIRCLES.contains(from), "{from}");
        let (case, text) =
            (format!("{from} -> {to}").escape_debug().to_string(), CIRCLES.replacen(from, to, 1));
        corpus.bytes(&case, "bad.toml", text, read);
    }
    let data = CIRCLES.find("[data]").unwrap();
    for (case, keys) in DATA {
        let text = format!("{}[data]\n{keys}\n", &CIRCLES[..data]);
        corpus.bytes(case, "bad.toml", text, read);
    }
    corpus.refuse("no such file", "none.toml", || read(Path::new("none.toml")));
    corpus.damage(("circles", "bad.toml"), CIRCLES.as_bytes(), (17, 0..0), read);
    corpus.finish("recipes", 200);
}

#[test]
fn the_program_refuses_recipes_in_one_line_and_leaves_nothing_behind() {
    let folder = Folder::new();
    for (_, bytes) in FILES.iter().step_by(3) {
        folder.put("bad.toml", bytes);
        folder.fails(&["train", "bad.toml"], "bad.toml");
    }
    for (from, to) in REPLACED.iter().step_by(20) {
        folder.put("bad.toml", CIRCLES.replacen(from, to, 1));
        folder.fails(&["train", "bad.toml", "--output", "run"], "bad.toml");
        folder.fails(&["check", "bad.toml"], "bad.toml");
    }
    assert!(!folder.0.join("runs").exists() && !folder.0.join("run").exists());
}
