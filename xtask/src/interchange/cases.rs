//! The ONNX files, and our answers beside them.

use super::text;
use rekindle::data::images::{ImageSpec, Pixels};
use rekindle::data::table::{CsvOptions, Table};
use rekindle::nn::{Module, Parameters, init, onnx, samples};
use rekindle::train::{
    ArrayInput, ImageInput, Input, Kind, Model, Prediction, Recipe, RunDir, Signature, Training, Weights,
    build_net, draft,
};
use rekindle::{DType, Tensor, manual_seed, no_grad};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// Batches of so many samples are asked about.
const BATCHES: [usize; 3] = [1, 2, 7];

/// Writes all cases; gives the run of the trained CNN.
pub fn write(folder: &Path, data: &Path) -> Result<RunDir, String> {
    manual_seed(7);
    layers(folder)?;
    outputs(folder)?;
    arrays(folder)?;
    images(folder)?;
    tables(folder)?;
    cnn(folder, data)
}

/// The elements of a tensor as lists in lists.
pub fn nested(x: &Tensor) -> Value {
    match x.dim() {
        0 if x.dtype() == DType::I64 => json!(x.item::<i64>()),
        0 => json!(x.to_f64_vec()[0]),
        _ => (0..x.size(0)).map(|i| nested(&x.select(0, i as isize))).collect(),
    }
}

/// A case: an ONNX file and what should come of some inputs.
fn put(folder: &Path, name: &str, onnx: &[u8], batches: Vec<Value>) -> Result<(), String> {
    fs::write(folder.join(format!("{name}.onnx")), onnx).map_err(text)?;
    let case = json!({"onnx": format!("{name}.onnx"), "batches": batches});
    fs::write(folder.join(format!("{name}.json")), case.to_string()).map_err(text)
}

/// Every layer, with weights and running statistics that are not those of the beginning.
fn layers(folder: &Path) -> Result<(), String> {
    for (i, sample) in samples().into_iter().enumerate() {
        let layer = &sample.layer;
        no_grad(|| {
            layer.parameters().iter().for_each(|p| _ = init::uniform_(p, -1.0, 1.0));
            layer.forward(&sample.batch(7));
        });
        layer.eval();
        let bytes = onnx::export(layer, &sample.batch(1))?;
        let batch = |n| {
            let x = sample.batch(n);
            let y = no_grad(|| layer.forward(&x));
            json!({"inputs": {"input": nested(&x)}, "outputs": {"output": nested(&y)}})
        };
        let name = format!("layer-{i:02}-{}", layer.type_name());
        put(folder, &name, &bytes, BATCHES.map(batch).to_vec())?;
    }
    Ok(())
}

/// A model of a recipe's net that has learned nothing, and what it knows about its data.
fn untrained(folder: &Path, net: &str, loss: &str, kind: Kind, input: Input) -> Result<Model, String> {
    let (head, data) =
        ("name = \"untrained\"\nseed = 1\nepochs = 1", "[data]\narrays = \"x.npy\"\nlabels = \"y.npy\"");
    let lines = format!("{head}\nnet = [{net}]\nloss = \"{loss}\"\noptimizer = \"Adam\"\n{data}\n");
    let recipe = Recipe::from_toml(&lines).map_err(text)?;
    let mut weights = build_net(&recipe.net)?.state_dict();
    Signature { kind, classes: ["a", "b", "c"].map(String::from).to_vec(), input }.write_to(&mut weights);
    let path = folder.join("untrained.safetensors");
    weights.save(&path).map_err(text)?;
    Model::new(recipe, &path).map_err(text)
}

/// What a model says, as the file should.
fn answers(model: &Model, prediction: &Prediction) -> Value {
    let rows = 0..prediction.len();
    let values: Value = rows.clone().map(|i| json!(prediction.values(i))).collect();
    let names: Vec<String> = prediction.columns().iter().map(|c| c.replacen("probability_", "", 1)).collect();
    let names = names.get(1..).unwrap_or_default();
    let kind = model.signature.as_ref().map(|signature| signature.kind);
    let decided = |i: usize| -> Value {
        let decided = prediction.decided(i).unwrap_or_default();
        match kind {
            Some(Kind::Labels) => {
                names.iter().map(|name| i64::from(decided.split('|').any(|label| label == name))).collect()
            }
            _ => json!(names.iter().position(|name| *name == decided)),
        }
    };
    match kind {
        Some(Kind::Numbers) => json!({"predicted": values}),
        _ => json!({"probabilities": values, "predicted": rows.map(decided).collect::<Value>()}),
    }
}

fn asked(model: &Model, file: &Tensor, x: &Tensor) -> Result<Value, String> {
    let prediction = model.ask(x).map_err(text)?;
    Ok(json!({"inputs": {"input": nested(file)}, "outputs": answers(model, &prediction)}))
}

/// Every way to read a net's outputs.
fn outputs(folder: &Path) -> Result<(), String> {
    let labels = Kind::Labels;
    for (name, net, loss, kind) in [
        ("output-binary", "\"Linear(4, 1)\"", "BCEWithLogitsLoss", Kind::Classes),
        ("output-binary-sigmoid", "\"Linear(4, 1)\", \"Sigmoid\"", "BCELoss", Kind::Classes),
        ("output-labels", "\"Linear(4, 3)\"", "BCEWithLogitsLoss", labels),
        ("output-labels-sigmoid", "\"Linear(4, 3)\", \"Sigmoid\"", "BCELoss", labels),
        ("output-classes", "\"Linear(4, 3)\"", "CrossEntropyLoss", Kind::Classes),
        ("output-classes-log", "\"Linear(4, 3)\", \"LogSoftmax(1)\"", "NLLLoss", Kind::Classes),
        ("output-numbers", "\"Linear(4, 2)\"", "MSELoss", Kind::Numbers),
    ] {
        let model = untrained(folder, net, loss, kind, Input::Numbers(vec![4]))?;
        let batch = |n| {
            let x = Tensor::randn([n, 4]);
            asked(&model, &x, &x)
        };
        let batches = BATCHES.into_iter().map(batch).collect::<Result<_, _>>()?;
        put(folder, name, &model.onnx().map_err(text)?.bytes, batches)?;
    }
    Ok(())
}

/// Arrays as they are in files: bytes that are images, columns that are standardised, numbers in units of their own.
fn arrays(folder: &Path) -> Result<(), String> {
    let none = ArrayInput {
        shape: vec![],
        pixels: false,
        flatten: false,
        mean: vec![],
        std: vec![],
        values: vec![],
        units: None,
    };
    let columns = ArrayInput {
        shape: vec![3],
        mean: vec![1e6, 0.0, 5.0],
        std: vec![20.0, 0.5, 0.0],
        units: Some(vec![(1e5, 300.0), (0.0, 0.01)]),
        ..none.clone()
    };
    let grey = ArrayInput { shape: vec![4, 5], pixels: true, flatten: true, ..none.clone() };
    let colour = ArrayInput { shape: vec![6, 5, 3], pixels: true, ..none };
    for (name, net, loss, kind, input) in [
        ("arrays-columns", "\"Linear(3, 2)\"", "MSELoss", Kind::Numbers, columns),
        ("arrays-grey", "\"Linear(20, 3)\"", "CrossEntropyLoss", Kind::Classes, grey),
        (
            "arrays-colour",
            "\"Conv2d(3, 3, 4)\", \"Flatten\", \"Linear(18, 3)\"",
            "CrossEntropyLoss",
            Kind::Classes,
            colour,
        ),
    ] {
        let model = untrained(folder, net, loss, kind, Input::Arrays(input.clone()))?;
        let batch = |n: usize| {
            let shape = [&[n], input.shape.as_slice()].concat();
            let file = match input.pixels {
                true => Tensor::randint(0, 256, shape),
                false => Tensor::randn(shape).to(DType::F64) * 15.0 + 1e6,
            };
            let path = folder.join("x.npy");
            fs::write(&path, npy(&file, input.pixels)).map_err(text)?;
            asked(&model, &file, &model.arrays(&path).map_err(text)?)
        };
        let batches = BATCHES.into_iter().map(batch).collect::<Result<_, _>>()?;
        put(folder, name, &model.onnx().map_err(text)?.bytes, batches)?;
    }
    Ok(())
}

/// NumPy's format: bytes, or f64.
fn npy(x: &Tensor, bytes: bool) -> Vec<u8> {
    let (descr, values) = match bytes {
        true => ("|u1", x.to_f64_vec().into_iter().map(|v| v as u8).collect()),
        false => ("<f8", x.to_f64_vec().into_iter().flat_map(f64::to_le_bytes).collect::<Vec<u8>>()),
    };
    let shape: String = x.shape().iter().map(|n| format!("{n}, ")).collect();
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape})}}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), &values].concat()
}

fn images(folder: &Path) -> Result<(), String> {
    let spec = ImageSpec::new(3, [4, 5]).map_err(text)?;
    let input = ImageInput { spec, mean: vec![0.5, 0.4, 0.3], std: vec![0.2, 0.3, 0.4], flatten: true };
    let net = "\"Linear(60, 1)\"";
    let model = untrained(folder, net, "BCEWithLogitsLoss", Kind::Classes, Input::Images(input.clone()))?;
    let batch = |n: usize| {
        let bytes = Tensor::randint(0, 256, [n, 3, 4, 5]);
        let pixels = Pixels { spec, data: bytes.to_f64_vec().into_iter().map(|v| v as u8).collect() };
        let x = pixels.normalised(&input.mean, &input.std).flatten(1, -1);
        asked(&model, &pixels.tensor(), &x)
    };
    let batches = BATCHES.into_iter().map(batch).collect::<Result<_, _>>()?;
    put(folder, "images", &model.onnx().map_err(text)?.bytes, batches)
}

/// A recipe's training, for some batches only if so many are given, and its run.
fn trained(
    folder: &Path,
    recipe: &Recipe,
    data: Option<&Path>,
    batches: Option<usize>,
) -> Result<RunDir, String> {
    let run =
        RunDir::create(Some(&folder.join(format!("run-{}", recipe.name))), &recipe.name).map_err(text)?;
    let training = Training::new(recipe, data).map_err(text)?;
    let mut training = match batches {
        Some(batches) => training.fast_dev_run(batches),
        None => training,
    };
    training.fit().map_err(text)?;
    let trained = training.finish();
    run.save_recipe(&trained.recipe).and_then(|()| run.save_model(&trained)).map_err(text)?;
    Ok(run)
}

fn tables(folder: &Path) -> Result<(), String> {
    for (file, label, loss) in [
        ("iris", "species", None),
        ("breast-cancer", "diagnosis", None),
        ("iris", "petal_width", Some("MSELoss")),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../data/{file}.csv"));
        let mut recipe =
            Recipe::from_toml(&draft(&path, &[label.into()]).map_err(text)?.text).map_err(text)?;
        recipe.name = format!("table-{file}{}", loss.map_or("", |_| "-regression"));
        recipe.epochs = 5;
        let model = trained(folder, &recipe, None, None)?.model(Weights::Final).map_err(text)?;
        let table = Table::read(&path, &CsvOptions::default()).map_err(text)?;
        table_case(folder, &recipe.name, &model, &table.select(&[0, 30, 60, 90, 120, 140, 149]))?;
    }
    for unseen in ["ignore", "error"] {
        shop(folder, unseen)?;
    }
    Ok(())
}

/// A table with every kind of column, and missing cells in each.
fn shop(folder: &Path, unseen: &str) -> Result<(), String> {
    let row = |i: usize| {
        let cell = |every: usize, text: String| if i.is_multiple_of(every) { String::new() } else { text };
        let town = cell(11, ["Seoul", "Jeonju", "Busan"][i % 3].into());
        let (weight, member) = (cell(7, format!("{}.5", i % 10)), cell(13, ["yes", "no"][i % 2].into()));
        let (day, shop) = (cell(9, format!("2026-03-{:02}", 1 + i % 28)), format!("shop {}", i % 4));
        format!("{weight},{town},{member},{day},{shop},{}\n", ["no", "yes"][usize::from(i.is_multiple_of(3))])
    };
    let rows: String = (0..120).map(row).collect();
    let path = folder.join("shop.csv");
    fs::write(&path, format!("weight,town,member,sold_on,shop,returned\n{rows}")).map_err(text)?;
    // One feature for the weight, four for towns (one of them missing), one for members, four for dates, one index.
    let recipe = format!(
        "name = \"table-{unseen}\"\nseed = 3\nepochs = 3\nbatch_size = 16\nloss = \"BCEWithLogitsLoss\"\noptimizer = \"Adam\"\n\
         net = [\"EmbedColumns([10], [5], [2])\", \"Linear(12, 6)\", \"ReLU\", \"Linear(6, 1)\"]\n\
         [data]\ntable = {path:?}\nlabel = \"returned\"\nunseen = \"{unseen}\"\n\
         [data.columns]\nweight = \"numeric\"\ntown = \"categorical\"\nmember = \"boolean\"\nsold_on = \"date\"\nshop = \"embedding\"\n"
    );
    let recipe = Recipe::from_toml(&recipe).map_err(text)?;
    let model = trained(folder, &recipe, None, None)?.model(Weights::Final).map_err(text)?;
    let columns = ["weight", "town", "member", "sold_on", "shop"];
    let asked = [
        ["1.5", "Seoul", "yes", "2026-03-05", "shop 1"],
        ["", "Busan", "no", "2024-02-29", "shop 3"],
        ["-3e3", "", "yes", "", "shop 0"],
        ["2.5", "Jeonju", "", "2026-03-08", "shop 2"],
        ["2.5", "NaN", "no", "1999-12-31", "shop 2"],
        ["2.5", "Tokyo", "no", "2026-03-08", "shop 2"],
        ["2.5", "seoul", "no", "2026-03-08", "shop 9"],
        ["2.5", "Seoul", "no", "2026-03-08", ""],
    ];
    let table = Table::new("asked", &columns, asked).map_err(text)?;
    table_case(folder, &recipe.name, &model, &table)
}

/// Rows one by one and all at once. Where our answer is an error, the file has none either.
fn table_case(folder: &Path, name: &str, model: &Model, table: &Table) -> Result<(), String> {
    let Some(Input::Table(encoder)) = model.signature.as_ref().map(|signature| &signature.input) else {
        return Err(format!("{name}: no model of a table"));
    };
    let answer = |row: usize| match model.rows(&table.select(&[row])) {
        Ok(x) => Ok(answers(model, &model.ask(&x).map_err(text)?)),
        Err(_) => Ok(json!({"probabilities": [[null, null]], "predicted": [-1]})),
    };
    let each = (0..table.len()).map(answer).collect::<Result<Vec<Value>, String>>()?;
    let of = |rows: &[usize]| {
        let mut cells = Map::new();
        for column in encoder.columns() {
            let place = table.columns().iter().position(|name| *name == column.name).unwrap_or(0);
            cells.insert(column.name.clone(), rows.iter().map(|&row| table.cell(row, place)).collect());
        }
        let mut outputs: Map<String, Value> = Map::new();
        for (name, _) in each[0].as_object().into_iter().flatten() {
            outputs.insert(name.clone(), rows.iter().map(|&row| each[row][name][0].clone()).collect());
        }
        json!({"rows": cells, "outputs": outputs})
    };
    let all: Vec<usize> = (0..table.len()).collect();
    let mut batches: Vec<Value> = all.iter().map(|&row| of(&[row])).collect();
    batches.extend([of(&all[..2]), of(&all)]);
    put(folder, name, &model.onnx().map_err(text)?.bytes, batches)
}

/// Layers of all kinds, on Fashion-MNIST.
const CNN: &str = r#"name = "cnn"
seed = 1
epochs = 1
batch_size = 64
net = ["Conv2d(1, 8, 3, padding=1)", "BatchNorm2d(8)", "ReLU", "MaxPool2d(2)", "Conv2d(8, 16, 3)", "SiLU", "AvgPool2d(2)", "Dropout2d(0.2)", "Flatten", "Linear(576, 10)"]
loss = "CrossEntropyLoss"
optimizer = "Adam"

[data]
source = "fashion-mnist"
"#;

/// A little training is enough to see whether all weights arrive.
fn cnn(folder: &Path, data: &Path) -> Result<RunDir, String> {
    let recipe = Recipe::from_toml(CNN).map_err(text)?;
    let run = trained(folder, &recipe, Some(data), Some(20))?;
    let model = run.model(Weights::Final).map_err(text)?;
    let x = model.data(Some(data)).map_err(text)?.test.x();
    let batch = |n| {
        let x = x.narrow(0, 0, n);
        asked(&model, &x, &x)
    };
    let batches = [1, 2, 7, 100].into_iter().map(batch).collect::<Result<_, _>>()?;
    put(folder, "cnn", &model.onnx().map_err(text)?.bytes, batches)?;
    Ok(run)
}
