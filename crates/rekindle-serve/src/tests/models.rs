//! Models of each kind, with the weights that they began with.

use rekindle_data::images::ImageSpec;
use rekindle_data::table::{CsvOptions, Encoder, Schema, Table};
use rekindle_nn::Parameters;
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_train::{ArrayInput, ImageInput, Input, Kind, Model, Recipe, Signature, build_net};
use std::sync::atomic::{AtomicU64, Ordering};

/// A model of a recipe's text, as if it had been trained.
fn model(data: &str, net: &[&str], loss: &str, signature: &Signature) -> Model {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let text = format!(
        "name = \"a test\"\nseed = 1\nepochs = 1\nnet = {net:?}\nloss = \"{loss}\"\noptimizer = \"SGD(lr=0.1)\"\n[data]\n{data}\n"
    );
    let recipe = Recipe::from_toml(&text).unwrap_or_else(|e| panic!("{e}"));
    let net = with_generator(&mut Generator::seeded(7), || build_net(&recipe.net)).unwrap();
    let mut weights = net.state_dict();
    signature.write_to(&mut weights);
    let name = format!("rekindle-serve-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    weights.save(&path).unwrap();
    let model = Model::new(recipe, &path).unwrap_or_else(|e| panic!("{e}"));
    std::fs::remove_file(path).unwrap();
    model
}

fn encoder(text: &str, target: &str) -> Encoder {
    let table = Table::from_reader(text.as_bytes(), "t.csv", &CsvOptions::default()).unwrap();
    let rows: Vec<usize> = (0..table.len()).collect();
    Encoder::fit(&table, &Schema::guess(&table, &[target]).unwrap(), &rows).unwrap()
}

/// A number, a category, a boolean and a date.
pub const TABLE: &str = "age,colour,member,since,bought\n\
    20.5,red,true,2020-01-31,no\n31,blue,false,2021-06-01,yes\n44.25,green,true,2022-12-24,yes\n\
    20.25,red,false,2019-01-01,no\n38,blue,true,2024-02-29,maybe\n27,red,true,2023-03-03,no\n";

pub fn table() -> Model {
    let encoder = encoder(TABLE, "bought");
    let width = encoder.feature_names().len();
    let (kind, classes) = (Kind::Classes, encoder.class_names().to_vec());
    let signature = Signature { kind, classes, input: Input::Table(Box::new(encoder)) };
    let net = [&format!("Linear({width}, 16)"), "ReLU", "Linear(16, 3)"];
    model("table = \"t.csv\"\nlabel = \"bought\"", &net, "CrossEntropyLoss", &signature)
}

pub fn labels() -> Model {
    let input = Input::Numbers(vec![2]);
    let classes = ["warm", "wet"].map(String::from).to_vec();
    let signature = Signature { kind: Kind::Labels, classes, input };
    model("source = \"circles\"", &["Linear(2, 2)"], "BCEWithLogitsLoss", &signature)
}

pub fn regression() -> Model {
    let signature = Signature { kind: Kind::Numbers, classes: Vec::new(), input: Input::Numbers(vec![1]) };
    model("source = \"line\"", &["Linear(1, 1)"], "MSELoss", &signature)
}

/// Numbers below zero become a thousand times as much, which f32 cannot always hold.
pub fn steep() -> Model {
    let signature = Signature { kind: Kind::Numbers, classes: Vec::new(), input: Input::Numbers(vec![1]) };
    model("source = \"line\"", &["Linear(1, 1)", "LeakyReLU(1000)"], "MSELoss", &signature)
}

/// Arrays with times in seconds, which are standardised.
pub fn times() -> Model {
    let (mean, std) = (vec![1.7e9, 0.0], vec![2.0, 1.0]);
    let (pixels, flatten, values, units) = (false, false, vec![0, 1], None);
    let input = Input::Arrays(ArrayInput { shape: vec![2], pixels, flatten, mean, std, values, units });
    let classes = ["0", "1"].map(String::from).to_vec();
    let signature = Signature { kind: Kind::Classes, classes, input };
    model("arrays = \"a.npz\"", &["Linear(2, 2)"], "CrossEntropyLoss", &signature)
}

/// A table whose category is written as a number.
pub fn doors() -> Model {
    let text = "doors,sold\nfew,no\nmany,yes\nfew,no\n4.0,yes\nmany,no\nfew,no\n";
    let encoder = encoder(text, "sold");
    let width = encoder.feature_names().len();
    let (kind, classes) = (Kind::Classes, encoder.class_names().to_vec());
    let signature = Signature { kind, classes, input: Input::Table(Box::new(encoder)) };
    let net = [format!("Linear({width}, 2)")];
    model("table = \"t.csv\"\nlabel = \"sold\"", &[&net[0]], "CrossEntropyLoss", &signature)
}

/// The net of lecture 02's circles.
pub fn circles() -> Model {
    let classes = ["0", "1"].map(String::from).to_vec();
    let signature = Signature { kind: Kind::Classes, classes, input: Input::Numbers(vec![2]) };
    let net = ["Linear(2, 10)", "ReLU", "Linear(10, 10)", "ReLU", "Linear(10, 1)"];
    model("source = \"circles\"", &net, "BCEWithLogitsLoss", &signature)
}

/// A convolutional net for the images of a built-in set.
pub fn clothes() -> Model {
    let classes = (0..10).map(|i| format!("class {i}")).collect();
    let signature = Signature { kind: Kind::Classes, classes, input: Input::Numbers(vec![1, 28, 28]) };
    let net = ["Conv2d(1, 8, 5)", "ReLU", "MaxPool2d(2)", "Flatten", "Linear(1152, 10)"];
    model("source = \"fashion-mnist\"", &net, "CrossEntropyLoss", &signature)
}

/// Colour images of 8 x 8 pixels.
pub fn photos() -> Model {
    let spec = ImageSpec::new(3, [8, 8]).unwrap();
    let input = ImageInput { spec, mean: vec![0.5; 3], std: vec![0.25; 3], flatten: false };
    let classes = ["cat", "dog"].map(String::from).to_vec();
    let signature = Signature { kind: Kind::Classes, classes, input: Input::Images(input) };
    let net = ["Conv2d(3, 4, 3)", "BatchNorm2d(4)", "ReLU", "Flatten", "Linear(144, 2)"];
    model("images = \"photos\"", &net, "CrossEntropyLoss", &signature)
}
