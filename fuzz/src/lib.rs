//! Every parser of a user's file, as a function of its bytes.
//!
//! The fuzz targets call these, and the ordinary tests replay `corpus/` through them. Each does what the program does with such a
//! file: not only its reading, but also what is made of it. An error is fine; a panic, a hang and more memory than
//! [`most_memory`] are findings.

use rekindle::Tensor;
use rekindle::data::images::{ImageFolder, ImageSpec, decode_image};
use rekindle::data::table::{CsvOptions, Encoder, Schema, Table, TableReader};
use rekindle::data::{IdxArray, Md5, NpyArray, Npz, npy_len, read_npy};
use rekindle::nn::loss::MSELoss;
use rekindle::nn::optim::Adam;
use rekindle::nn::{Linear, Parameters, StateDict};
use rekindle::serve::{Limits, inputs_of_inference, inputs_of_json};
use rekindle::train::{
    Call, Checkpoint, Input, Kind, Model, Objective, Part, Recipe, Signature, Trainer, build_net,
    build_optimizer, draft,
};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What a parser makes of bytes; errors are what it is for.
type Parsed = Result<(), Box<dyn Error>>;

/// What the program does with a file of these bytes.
type Parser = fn(&[u8]) -> Parsed;

/// The parsers by the names of their targets and of their folders in `corpus/`.
pub const PARSERS: &[(&str, Parser)] = &[
    ("csv", |bytes| in_file(bytes, table)),
    ("parquet", |bytes| if bytes.starts_with(b"PAR1") { in_file(bytes, table) } else { Ok(()) }),
    ("idx", |bytes| in_file(bytes, idx)),
    ("npy", npy),
    ("npz", |bytes| in_file(bytes, npz)),
    ("png", |bytes| if bytes.starts_with(b"\x89PNG") { image(bytes) } else { Ok(()) }),
    ("jpeg", |bytes| if bytes.starts_with(b"\xff\xd8") { image(bytes) } else { Ok(()) }),
    ("safetensors", safetensors),
    ("checkpoint", checkpoint),
    ("signature", signature),
    ("recipe", |bytes| in_file(bytes, recipe)),
    ("words", words),
    ("request", request),
];

/// What a parser may hold at once for so many bytes.
pub fn most_memory(bytes: usize) -> u64 {
    (64 << 20) + 16 * bytes as u64
}

/// Runs a parser; gives the memory that it held at most.
///
/// # Panics
/// If there is none of this name, it panics, or it holds too much.
pub fn run(name: &str, bytes: &[u8]) -> u64 {
    let (_, parse) = PARSERS.iter().find(|(parser, _)| *parser == name).expect("a parser of the table");
    let held = allocation_counter::measure(|| drop(parse(bytes))).bytes_max;
    let most = most_memory(bytes.len());
    assert!(
        held <= most,
        "{name}: {held} bytes of memory for {} bytes of input, at most {most}",
        bytes.len()
    );
    held
}

/// Gives `parse` a file of these bytes; one file for each thread. `TMPDIR=/dev/shm` keeps it in memory.
fn in_file(bytes: &[u8], parse: fn(&Path) -> Parsed) -> Parsed {
    thread_local! {
        static FILE: PathBuf = {
            let thread = std::thread::current().id();
            std::env::temp_dir().join(format!("rekindle-fuzz-{}-{thread:?}", std::process::id()))
        };
    }
    FILE.with(|path| {
        std::fs::write(path, bytes)?;
        let parsed = parse(path);
        std::fs::remove_file(path)?;
        parsed
    })
}

/// A table as data to train on, and as rows to be asked about.
fn table(path: &Path) -> Parsed {
    let open = || TableReader::open(path, &CsvOptions::default());
    let mut reader = open()?;
    let label = reader.columns().last().cloned().unwrap_or_default();
    if let Some(table) = reader.read_within(1 << 16)? {
        let schema = Schema::guess(&table, &[&label])?;
        let rows = schema.samples(&table)?.rows;
        let encoder = Encoder::fit(&table, &schema, &rows)?;
        encoder.encode(&table)?;
        encoder.encode_inputs(&table)?;
        return Ok(());
    }
    // A Parquet file may repeat a cell as often as it likes; that many rows take time, and nothing else.
    let mut reader = open()?;
    for _ in 0..64 {
        if reader.read_rows(1 << 10)?.is_none() {
            let schema = Schema::guess_stream(&mut open()?, &[&label])?;
            schema.samples_stream(&mut open()?)?;
            Encoder::fit_stream(&mut || open(), &schema, &|_| true)?;
            break;
        }
    }
    Ok(())
}

fn idx(path: &Path) -> Parsed {
    let numbers = IdxArray::len_in(path)?;
    let array = IdxArray::read(path)?;
    assert_eq!(numbers, array.data.len() as u64);
    Ok(())
}

fn npy(bytes: &[u8]) -> Parsed {
    in_file(bytes, |path| {
        let numbers = npy_len(path)?;
        assert_eq!(numbers, read_npy(path)?.to_tensor().numel() as u64);
        Ok(())
    })?;
    NpyArray::read(bytes, "stdin")?;
    Ok(())
}

/// Each array by itself, and two of them as data.
fn npz(path: &Path) -> Parsed {
    let file = Npz::open(path)?;
    for name in file.names() {
        if let Ok(array) = file.array(name) {
            assert_eq!(file.array_len(name)?, array.to_tensor().numel() as u64);
        }
    }
    draft(path, &[])?;
    Ok(())
}

/// What all images of a folder are, and pixels of one size.
fn image(bytes: &[u8]) -> Parsed {
    in_file(bytes, |path| {
        ImageFolder::flat(path)?.seen()?.spec(None, None)?;
        Ok(())
    })?;
    // The last byte says whether colours count.
    let channels = if bytes.last().is_some_and(|last| last % 2 == 0) { 1 } else { 3 };
    decode_image(bytes, Path::new("image"), &ImageSpec::new(channels, [8, 8])?)?;
    Ok(())
}

fn safetensors(bytes: &[u8]) -> Parsed {
    let weights = StateDict::from_bytes(bytes)?;
    let again = StateDict::from_bytes(&weights.to_bytes())?;
    assert!(weights.names().eq(again.names()));
    Signature::read_from(&weights)?;
    Linear::new(2, 3).load_state_dict(&weights)?;
    Ok(())
}

/// A file as it is, and the same bytes as the state of one that is whole, which is trained on.
fn checkpoint(bytes: &[u8]) -> Parsed {
    let read = |bytes: &[u8]| {
        in_file(bytes, |path| {
            let checkpoint = Checkpoint::read(path)?;
            let part = Part::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
            let net = build_net(&["Linear(2, 1)".into()])?;
            let optimizer = Adam::new(net.parameters(), 0.1);
            Trainer::new(net, MSELoss::new(), optimizer).epochs(1).resume(checkpoint).fit(&part, None)?;
            Ok(())
        })
    };
    _ = read(bytes);
    let mut digest = Md5::new();
    digest.write_all(bytes)?;
    let length = (bytes.len() as u64).to_le_bytes();
    read(&[&b"REKINDLE"[..], &length, &digest.finish().0, bytes].concat())
}

/// What weights say about their data, which is then asked about some rows.
fn signature(bytes: &[u8]) -> Parsed {
    let mut weights = StateDict::new();
    weights.set_metadata("rekindle.signature", std::str::from_utf8(bytes)?);
    let Some(signature) = Signature::read_from(&weights)? else { return Ok(()) };
    signature.input.describe();
    signature.write_to(&mut weights);
    if let Input::Table(encoder) = &signature.input {
        encoder.feature_names();
        let columns: Vec<&str> = encoder.columns().iter().map(|column| column.name.as_str()).collect();
        for cell in ["", "1.5", "yes", "2026-11-29", "red"] {
            let rows = [vec![cell; columns.len()]];
            _ = encoder.encode_inputs(&Table::new("rows", &columns, rows)?);
        }
    }
    Ok(())
}

fn recipe(path: &Path) -> Parsed {
    let recipe = Recipe::from_file(path)?;
    recipe.assign("epochs=3")?;
    Ok(())
}

/// Lines that are layers, losses, optimisers, or nothing.
fn words(bytes: &[u8]) -> Parsed {
    let text = std::str::from_utf8(bytes)?;
    let lines: Vec<String> = text.lines().map(String::from).collect();
    for line in &lines {
        if let Ok(call) = Call::parse(line) {
            assert_eq!(Call::parse(&call.to_string()).map(|call| call.name), Ok(call.name), "{line:?}");
            _ = Objective::build(line);
            _ = build_optimizer(line, Linear::new(2, 1).parameters());
        }
    }
    build_net(&lines)?;
    Ok(())
}

/// A body of an HTTP request, for a model of a table and one of numbers.
fn request(bytes: &[u8]) -> Parsed {
    static MODELS: OnceLock<[Model; 2]> = OnceLock::new();
    let limits = Limits::default();
    for model in MODELS.get_or_init(models) {
        for read in [inputs_of_json, inputs_of_inference] {
            if let Ok(x) = read(model, &limits, bytes) {
                assert_eq!(x.shape()[1..], model.zeros(1)?.shape()[1..]);
            }
        }
    }
    Ok(())
}

fn models() -> [Model; 2] {
    let text = "age,colour,member,since,bought\n20.5,red,true,2020-01-31,no\n31,blue,false,2021-06-01,yes\n\
                44.25,green,true,2022-12-24,yes\n20.25,red,false,2019-01-01,no\n";
    let table = Table::from_reader(text.as_bytes(), "t.csv", &CsvOptions::default()).expect("a table");
    let schema = Schema::guess(&table, &["bought"]).expect("a schema");
    let encoder = Encoder::fit(&table, &schema, &[0, 1, 2, 3]).expect("an encoder");
    let width = encoder.feature_names().len();
    let table = ("table = \"t.csv\"\nlabel = \"bought\"", width, Input::Table(Box::new(encoder)));
    [table, ("source = \"circles\"", 2, Input::Numbers(vec![2]))].map(|(data, width, input)| {
        let text = format!(
            "name = \"it\"\nseed = 1\nepochs = 1\nnet = [\"Linear({width}, 1)\"]\nloss = \"BCEWithLogitsLoss\"\n\
             optimizer = \"SGD(lr=0.1)\"\n[data]\n{data}\n"
        );
        let recipe = Recipe::from_toml(&text).expect("a recipe");
        let mut weights = build_net(&recipe.net).expect("a net").state_dict();
        let classes = ["no", "yes"].map(String::from).to_vec();
        Signature { kind: Kind::Classes, classes, input }.write_to(&mut weights);
        let path = std::env::temp_dir().join(format!("rekindle-fuzz-{}-{width}.safetensors", std::process::id()));
        weights.save(&path).expect("a file");
        let model = Model::new(recipe, &path).expect("a model");
        _ = std::fs::remove_file(path);
        model
    })
}
