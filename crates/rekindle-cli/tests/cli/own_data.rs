//! Data of one's own, from the file to predictions.

use crate::{Folder, fails_with, stdout, succeeds};
use std::io::Write;
use std::process::{Command, Output, Stdio};

impl Folder {
    /// Writes a file into the folder.
    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// `init`, `check` and `train` of a file in the folder; the last line of the training.
    pub fn learn(&self, file: &str, label: &str, args: &[&str]) -> String {
        let recipe = succeeds(&self.rekindle(&["init", file, "--label", label]));
        self.put("recipe.toml", recipe);
        succeeds(&self.rekindle(&["check", "recipe.toml"]));
        let output = self.rekindle(&[&["train", "recipe.toml", "--quiet", "--output", "run"], args].concat());
        succeeds(&output).trim().to_string()
    }
}

/// A data set of the repository.
pub fn real(name: &str) -> String {
    let path = format!("{}/../../data/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    succeeds(output).lines().map(String::from).collect()
}

#[test]
fn the_three_real_sets_are_learned_from_a_drafted_recipe() {
    for (name, label, least) in
        [("iris", "species", 0.9), ("wine", "cultivar", 0.9), ("breast-cancer", "diagnosis", 0.93)]
    {
        let folder = Folder::new();
        folder.put("data.csv", real(name));
        let last = folder.learn("data.csv", label, &[]);
        let accuracy = last.split("(accuracy ").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
        assert!(accuracy.parse::<f64>().unwrap() >= least, "{name}: {last}");
        for file in [
            "config.toml",
            "metrics.csv",
            "metrics.jsonl",
            "model.safetensors",
            "best.safetensors",
            "report.json",
            "report.txt",
            "model-card.md",
            "checkpoints/last.ckpt",
            "plots/curves.png",
        ] {
            assert!(folder.0.join("run").join(file).is_file(), "{name}: {file}");
        }
    }
}

#[test]
fn predictions_are_rows_in_the_order_of_the_file_with_a_probability_for_each_class() {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    folder.learn("iris.csv", "species", &[]);
    let all = lines(&folder.rekindle(&["predict", "run", "iris.csv"]));
    assert_eq!(all[0], "predicted,probability_setosa,probability_versicolor,probability_virginica");
    assert_eq!(all.len(), 151);
    let right = all[1..].iter().enumerate().filter(|(i, line)| {
        let cells: Vec<&str> = line.split(',').collect();
        let p: Vec<f64> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{line}");
        cells[0] == ["setosa", "versicolor", "virginica"][i / 50]
    });
    assert!(right.count() > 140);

    // Other columns, another order, no label, another delimiter: the columns are found by their names.
    let cells = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
    let text: String = real("iris")
        .lines()
        .map(|line| {
            let c = cells(line);
            format!("x;{};{};{};{}\n", c[3], c[0], c[2], c[1])
        })
        .collect();
    folder.put("other.csv", text);
    assert_eq!(lines(&folder.rekindle(&["predict", "run", "other.csv"])), all);

    let json = lines(&folder.rekindle(&["predict", "run", "iris.csv", "--format", "json", "--keep"]));
    let first: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!((first["sepal_length"].as_str(), first["predicted"].as_str()), (Some("5.1"), Some("setosa")));
    assert!(first["probability_setosa"].as_f64().unwrap() > 0.9);
    assert!(
        json[0].starts_with("{\"sepal_length\":\"5.1\",\"sepal_width\":\"3.5\""),
        "in the order of the columns: {}",
        json[0]
    );
    succeeds(&folder.rekindle(&["predict", "run", "iris.csv", "--output", "answers.csv"]));
    assert_eq!(folder.read("answers.csv").lines().collect::<Vec<_>>(), all);
    assert_eq!(lines(&folder.rekindle(&["predict", "run", "iris.csv", "--weights", "best"])).len(), 151);
    fails_with(
        &folder.rekindle(&["predict", "run", "iris.csv", "--output", "answers.txt"]),
        1,
        "name it .csv",
    );
}

#[test]
fn predictions_go_from_standard_input_to_standard_output() {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    folder.learn("iris.csv", "species", &["--epochs", "3"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_rekindle"))
        .args(["predict", "run", "-"])
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(real("iris").as_bytes()).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert_eq!(lines(&piped), lines(&folder.rekindle(&["predict", "run", "iris.csv"])));
}

/// Numbers, categories, truth values, dates and missing cells; the label follows from the category.
fn shop() -> String {
    let row = |i: usize| {
        let colour = ["red", "green", "blue"][i % 3];
        let size = if i.is_multiple_of(7) { String::new() } else { format!("{}.5", i % 10) };
        let (new, day) = (["yes", "no"][i % 2], 1 + i % 28);
        format!("{i},{size},{colour},{new},2026-03-{day:02},{}\n", ["cheap", "dear", "dear"][i % 3])
    };
    String::from("id,size,colour,new,sold_on,price\n") + &(0..120).map(row).collect::<String>()
}

#[test]
fn what_was_learned_from_training_is_applied_to_new_rows_or_refused_with_the_cure() {
    let folder = Folder::new();
    folder.put("shop.csv", shop());
    let last = folder.learn("shop.csv", "price", &[]);
    assert!(last.starts_with("24 of 24"), "{last}");
    let config = folder.read("run/config.toml");
    for line in [
        "colour = \"categorical\"",
        "new = \"boolean\"",
        "sold_on = \"date\"",
        "size = \"numeric\"",
        "classes = [\"cheap\", \"dear\"]",
    ] {
        assert!(config.contains(line), "{line} in {config}");
    }
    let asked = |rows: &str| {
        folder.put("new.csv", rows);
        folder.rekindle(&["predict", "run", "new.csv"])
    };
    let answers =
        lines(&asked("id,size,colour,new,sold_on\n200,,red,no,2026-04-01\n201,4.5,blue,yes,2026-04-02\n"));
    assert!(answers[1].starts_with("cheap,") && answers[2].starts_with("dear,"), "{answers:?}");
    let refused = [
        (
            "id,size,colour,new,sold_on\n1,1,rde,no,2026-04-01\n",
            "new.csv: line 2, column `colour`: training had no category `rde`; did you mean `red`?",
        ),
        (
            "id,size,color,new,sold_on\n1,1,red,no,2026-04-01\n",
            "new.csv: there is no column `colour`; did you mean `color`?",
        ),
        (
            "id,size,colour,new,sold_on\n1,big,red,no,2026-04-01\n",
            "new.csv: line 2, column `size`: `big` is not a number",
        ),
        (
            "id,size,colour,new,sold_on\n1,1,red,perhaps,2026-04-01\n",
            "new.csv: line 2, column `new`: `perhaps` is neither true nor false",
        ),
        (
            "id,size,colour,new,sold_on\n1,1,red,no,yesterday\n",
            "new.csv: line 2, column `sold_on`: `yesterday` is not a date",
        ),
        ("id,size,colour,new,sold_on\n1,1,red,no\n", "new.csv: line 2: 4 cells, but the table has 5 columns"),
        ("", "new.csv: line 1: the file is empty"),
    ];
    for (rows, message) in refused {
        let output = asked(rows);
        fails_with(&output, 1, message);
        assert_eq!(stdout(&output), "", "no partial output");
    }
    // What is judged later is encoded as the model knows it, not learned again.
    let judged = succeeds(&folder.rekindle(&["evaluate", "run", "--json"]));
    assert_eq!(judged.trim(), folder.read("run/report.json").trim());
}

#[test]
fn several_labels_and_numbers_are_learned_too() {
    let folder = Folder::new();
    let genre = |i: usize| match (i % 2, i % 3) {
        (0, 0) => "drama|comedy",
        (0, _) => "drama",
        (_, 0) => "comedy",
        _ => "",
    };
    let rows: String = (0..200).map(|i| format!("{},{},{}\n", i % 2, i % 3, genre(i))).collect();
    folder.put("films.csv", format!("a,b,genres\n{rows}"));
    let last = folder.learn("films.csv", "genres", &[]);
    assert!(last.starts_with("40 of 40 test samples right in all labels"), "{last}");
    let answers = lines(&folder.rekindle(&["predict", "run", "films.csv"]));
    assert_eq!(answers[0], "predicted,probability_comedy,probability_drama");
    assert!(answers[1].starts_with("comedy|drama,") && answers[2].starts_with(','), "{answers:?}");

    let folder = Folder::new();
    let rows: String =
        (0..300).map(|i| format!("{},{}\n", i % 50, 1000.0 + 20.0 * (i % 50) as f64)).collect();
    folder.put("rent.csv", format!("area,rent\n{rows}"));
    folder.learn("rent.csv", "rent", &[]);
    let answers = lines(&folder.rekindle(&["predict", "run", "rent.csv"]));
    assert_eq!(answers[0], "predicted");
    let of = |area: usize| answers[area + 1].parse::<f64>().unwrap();
    assert!(
        (of(10) - 1200.0).abs() < 60.0 && (of(40) - 1800.0).abs() < 60.0,
        "in the unit of the column: {} {}",
        of(10),
        of(40)
    );
}

#[test]
fn mistakes_in_recipes_of_tables_are_one_line_with_the_cure() {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    let recipe = succeeds(&folder.rekindle(&["init", "iris.csv", "--label", "species"]));
    let cases = [
        (
            "label = \"species\"",
            "label = \"specie\"",
            "iris.csv: there is no column `specie`; did you mean `species`?",
        ),
        (
            "sepal_width = \"numeric\"",
            "sepal_widht = \"numeric\"",
            "there is no column `sepal_widht`; did you mean `sepal_width`?",
        ),
        (
            "sepal_width = \"numeric\"",
            "sepal_width = \"numerical\"",
            "unknown variant `numerical`; did you mean `numeric`?",
        ),
        ("table = \"iris.csv\"", "table = \"iris.cvs\"", "iris.cvs: "),
        ("test = 0.2", "test = 0", "data.split.test = 0: nothing is left to test with"),
        ("test = 0.2", "test = 0.9", "leave something to train on"),
        (
            "\"Linear(32, 3)\"",
            "\"Linear(32, 10)\"",
            "it gives 10 numbers for each sample, and CrossEntropyLoss needs 3 here",
        ),
        (
            "\"Linear(32, 3)\"",
            "\"Linear(32, 3)\", \"Softmax(1)\"",
            "it ends with `Softmax` before CrossEntropyLoss",
        ),
        ("CrossEntropyLoss", "MSELoss", "it learns numbers, and the targets"),
        ("missing = \"mean\"", "missing = \"skip\"", "unknown variant `skip`"),
        ("table = \"iris.csv\"", "", "data: it must say where it comes from"),
    ];
    for (from, to, message) in cases {
        assert!(recipe.contains(from), "{from}");
        folder.put("recipe.toml", recipe.replace(from, to));
        for command in ["check", "train"] {
            let output = folder.rekindle(&[command, "recipe.toml"]);
            fails_with(&output, 1, message);
            assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{message}");
        }
    }
    assert!(!folder.0.join("runs").exists(), "nothing was begun");
}

#[test]
fn a_drafted_recipe_says_what_it_guessed_and_is_never_overwritten() {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    let output = folder.rekindle(&["init", "iris.csv"]);
    let recipe = succeeds(&output);
    assert!(recipe.contains("petal_width = \"numeric\" # numbers from 0.1 to 2.5"), "{recipe}");
    let remarks = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(remarks.contains("`species` is taken for what is to be learned"), "{remarks}");
    succeeds(&folder.rekindle(&["init", "iris.csv", "--label", "species", "--output", "iris.toml"]));
    fails_with(
        &folder.rekindle(&["init", "iris.csv", "--output", "iris.toml"]),
        1,
        "iris.toml: exists already; choose another name",
    );
    fails_with(&folder.rekindle(&["init", "iris.csv", "--label", "specis"]), 1, "did you mean `species`?");
    fails_with(&folder.rekindle(&["init", "no.csv"]), 1, "no.csv: ");
}

/// Bright and dark images, as PNG and JPEG.
pub fn photos(folder: &Folder) {
    for i in 0..40u8 {
        let (class, base) = if i % 2 == 0 { ("dark", 20) } else { ("light", 200) };
        let image =
            image::RgbImage::from_fn(12, 10, |x, y| image::Rgb([base + i, base + x as u8, base + y as u8]));
        let name = format!("photos/{class}/{i}.{}", if i % 4 < 2 { "png" } else { "jpg" });
        folder.put(&name, b"");
        image.save(folder.0.join(name)).unwrap();
    }
}

#[test]
fn a_folder_of_images_is_learned_and_new_images_are_asked_about() {
    let folder = Folder::new();
    photos(&folder);
    succeeds(&folder.rekindle(&["init", "photos", "--output", "photos.toml"]));
    let last =
        succeeds(&folder.rekindle(&["train", "photos.toml", "--quiet", "--epochs", "4", "--output", "run"]));
    assert!(last.starts_with("8 of 8 test samples right"), "{last}");
    let answers = lines(&folder.rekindle(&["predict", "run", "photos/light"]));
    assert_eq!(answers[0], "file,predicted,probability_dark,probability_light");
    assert_eq!(answers.len(), 21);
    assert!(
        answers[1..].iter().all(|line| line.starts_with("photos/light/") && line.contains(",light,")),
        "{answers:?}"
    );
    assert_eq!(
        lines(&folder.rekindle(&["predict", "run", "photos/dark/0.png"]))[1].split(',').nth(1),
        Some("dark")
    );
    let judged = succeeds(&folder.rekindle(&["evaluate", "run", "--json"]));
    assert_eq!(judged.trim(), folder.read("run/report.json").trim());
    for (set, message) in [
        ("data.channels=2", "2 channels; 1 is grey, 3 is colour"),
        ("data.size=[0, 12]", "a size of 0 x 12; rows and columns go from 1 to 4096"),
        ("data.size=[100000000000, 100000000000]", "rows and columns go from 1 to 4096"),
    ] {
        fails_with(&folder.rekindle(&["train", "photos.toml", "--set", set]), 1, message);
    }
    folder.put("photos/dark/broken.png", b"\x89PNG\r\n\x1a\n and no more");
    fails_with(&folder.rekindle(&["train", "photos.toml"]), 1, "photos/dark/broken.png: a damaged image");
    fails_with(
        &folder.rekindle(&["predict", "run", "photos.toml"]),
        1,
        "photos.toml: neither a PNG nor a JPEG file",
    );
}

#[test]
fn runs_weights_checkpoints_and_tables_can_be_looked_into() {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    folder.learn("iris.csv", "species", &["--epochs", "2"]);
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_str(&succeeds(&folder.rekindle(&["inspect", path, "--json"]))).unwrap()
    };
    assert_eq!(json("run")["logged"], 2.0);
    assert_eq!(json("run")["signature"]["classes"][2], "virginica");
    assert_eq!(json("run/model.safetensors")["tensors"][0]["name"], "0.weight");
    assert_eq!(json("run/checkpoints/last.ckpt")["epoch"], 2);
    assert_eq!(json("iris.csv")["columns"][4]["kind"], "categorical");
    let text = succeeds(&folder.rekindle(&["inspect", "run"]));
    assert!(
        text.contains("epochs      2 logged of 2")
            && text.contains("gives       setosa, versicolor, virginica"),
        "{text}"
    );
    fails_with(&folder.rekindle(&["inspect", "nothing"]), 1, "nothing: ");
}

#[test]
fn shells_and_man_get_their_pages() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(succeeds(&folder.rekindle(&["completions", shell])).contains("rekindle"), "{shell}");
    }
    succeeds(&folder.rekindle(&["man", "man1"]));
    assert!(folder.read("man1/rekindle-train.1").contains("Train a net on a built"));
}

#[test]
fn parquet_goes_in_and_out() {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    folder.learn("iris.csv", "species", &["--epochs", "20"]);
    let all = lines(&folder.rekindle(&["predict", "run", "iris.csv"]));
    succeeds(&folder.rekindle(&["predict", "run", "iris.csv", "--keep", "--output", "kept.parquet"]));
    assert_eq!(
        lines(&folder.rekindle(&["predict", "run", "kept.parquet"])),
        all,
        "the same rows in another format"
    );
    let found: serde_json::Value =
        serde_json::from_str(&succeeds(&folder.rekindle(&["inspect", "kept.parquet", "--json"]))).unwrap();
    assert_eq!((found["rows"].as_u64(), found["columns"].as_array().unwrap().len()), (Some(150), 9));
    // And a table in Parquet teaches: here the classes that the first model found.
    let recipe = succeeds(&folder.rekindle(&["init", "kept.parquet", "--label", "predicted"]));
    folder.put("again.toml", recipe);
    succeeds(&folder.rekindle(&["train", "again.toml", "--quiet", "--epochs", "2"]));
    let bytes = std::fs::read(folder.0.join("kept.parquet")).unwrap();
    folder.put("cut.parquet", &bytes[..bytes.len() / 2]);
    fails_with(&folder.rekindle(&["predict", "run", "cut.parquet"]), 1, "cut.parquet: ");
}

/// An array as NumPy writes it.
pub fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let header = format!("{dict:<117}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), bytes].concat()
}

#[test]
fn arrays_of_numpy_and_of_mnist_s_format_are_learned_and_asked_about() {
    let folder = Folder::new();
    let x: Vec<u8> = (0..200)
        .flat_map(|i| [(i % 20) as f32, 1000.0 + (i % 7) as f32].map(f32::to_le_bytes))
        .flatten()
        .collect();
    let y: Vec<u8> = (0..200).flat_map(|i: i64| (if i % 20 < 10 { 3i64 } else { 8 }).to_le_bytes()).collect();
    folder.put("x.npy", npy("<f4", "200, 2", &x));
    folder.put("y.npy", npy("<i8", "200,", &y));
    let recipe = "name = \"a\"\nseed = 1\nepochs = 30\nnet = [\"Linear(2, 16)\", \"ReLU\", \"Linear(16, 2)\"]\n\
        loss = \"CrossEntropyLoss\"\noptimizer = \"Adam(lr=0.02)\"\nbatch_size = 20\nshuffle = true\n\
        [data]\narrays = \"x.npy\"\nlabels = \"y.npy\"\nstandardize = true\n";
    folder.put("a.toml", recipe);
    let last = succeeds(&folder.rekindle(&["train", "a.toml", "--quiet", "--output", "run"]));
    assert!(last.starts_with("40 of 40"), "{last}");
    let answers = lines(&folder.rekindle(&["predict", "run", "x.npy"]));
    assert_eq!(answers[0], "predicted,probability_3,probability_8");
    assert!(answers[1].starts_with("3,") && answers[16].starts_with("8,"), "{answers:?}");
    folder.put("rows.csv", "a,b\n2,1003\n17,1003\n");
    let rows = lines(&folder.rekindle(&["predict", "run", "rows.csv"]));
    assert!(rows[1].starts_with("3,") && rows[2].starts_with("8,"), "{rows:?}");
    let judged = succeeds(&folder.rekindle(&["evaluate", "run", "--json"]));
    assert_eq!(judged.trim(), folder.read("run/report.json").trim());
    folder.put("wide.npy", npy("<f4", "100, 4", &x));
    fails_with(
        &folder.rekindle(&["predict", "run", "wide.npy"]),
        1,
        "wide.npy: inputs of the shape [100, 4]; those of the training",
    );
    folder.put("a.toml", recipe.replace("labels = \"y.npy\"\n", ""));
    fails_with(
        &folder.rekindle(&["check", "a.toml"]),
        1,
        "x.npy: it holds one array; name the file of the targets",
    );

    let images: Vec<u8> =
        (0..60u8).flat_map(|i| vec![if i % 2 == 0 { 10 + i } else { 250 - i }; 4]).collect();
    folder
        .put("images-idx3-ubyte", [&[0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 2, 0, 0, 0, 2][..], &images].concat());
    let labels: Vec<u8> = (0..60u8).map(|i| i % 2).collect();
    folder.put("labels-idx1-ubyte", [&[0, 0, 8, 1, 0, 0, 0, 60][..], &labels].concat());
    let recipe = recipe
        .replace("x.npy", "images-idx3-ubyte")
        .replace("y.npy", "labels-idx1-ubyte")
        .replace("standardize = true", "classes = [\"dark\", \"light\"]")
        .replace("\"Linear(2, 16)\"", "\"Flatten\", \"Linear(4, 16)\"");
    folder.put("b.toml", recipe);
    let last = succeeds(&folder.rekindle(&["train", "b.toml", "--quiet", "--output", "images"]));
    assert!(last.starts_with("12 of 12"), "{last}");
    assert!(lines(&folder.rekindle(&["predict", "images", "images-idx3-ubyte"]))[2].starts_with("light,"));
}

#[test]
fn categories_can_be_embedded_and_a_small_memory_changes_nothing() {
    let folder = Folder::new();
    folder.put("shop.csv", shop());
    let drafted = succeeds(&folder.rekindle(&["init", "shop.csv", "--label", "price"]));
    // id is ignored; the features are size, colour (an index from 0 to 3), new and four parts of the date.
    let recipe = drafted
        .replace("colour = \"categorical\"", "colour = \"embedding\"")
        .replace("\"Linear(9, 32)\"", "\"EmbedColumns([1], [4], [5])\", \"Linear(11, 32)\"");
    assert!(recipe.contains("EmbedColumns"), "{recipe}");
    folder.put("shop.toml", recipe.replace("[data]\n", "[data]\nmemory = \"1 KB\"\n"));
    let output = folder.rekindle(&["train", "shop.toml", "--output", "small"]);
    assert!(succeeds(&output).contains("it is trained on from the disk"));
    folder.put("shop.toml", &recipe);
    succeeds(&folder.rekindle(&["train", "shop.toml", "--quiet", "--output", "large"]));
    assert_eq!(folder.read("small/report.json"), folder.read("large/report.json"));
    let weights = |run: &str| std::fs::read(folder.0.join(run).join("model.safetensors")).unwrap();
    assert!(weights("small") == weights("large"), "byte for byte");
    let answers = lines(&folder.rekindle(&["predict", "small", "shop.csv"]));
    assert!(answers[1].starts_with("cheap,") && answers[2].starts_with("dear,"), "{answers:?}");
}

/// The most memory that the program held at once, in bytes, and its output.
#[cfg(target_os = "linux")]
pub fn peak(folder: &Folder, args: &[&str]) -> (u64, std::process::Output) {
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
    command.args(args).current_dir(&folder.0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let held = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = most.max(held.and_then(|kb| kb.trim().parse().ok()).unwrap_or(0) * 1024);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    (most, child.wait_with_output().expect("its output"))
}

#[test]
#[cfg(target_os = "linux")]
fn a_table_larger_than_its_memory_is_never_held_whole() {
    const COLUMNS: usize = 50;
    let folder = Folder::new();
    let mut table = (0..COLUMNS).map(|c| format!("x{c},")).collect::<String>() + "label\n";
    for row in 0..100_000u64 {
        let digits = |c: u64| (row * 50 + c).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44;
        (0..COLUMNS as u64).for_each(|c| table += &format!("{},", digits(c)));
        table += if digits(0) < 1 << 19 { "low\n" } else { "high\n" };
    }
    let size = table.len();
    let few: Vec<&str> = table.lines().take(1000).collect();
    folder.put("few.csv", few.join("\n"));
    folder.put("wide.csv", table);
    let recipe = succeeds(&folder.rekindle(&["init", "wide.csv", "--label", "label"]));
    let recipe = recipe.replace("[data]\n", "[data]\nmemory = \"1 MB\"\n");
    folder.put("wide.toml", recipe);
    let args = ["train", "wide.toml", "--epochs", "1", "--quiet"];
    let held = |set: &str| {
        let (held, output) = peak(&folder, &[&args[..], &["--set", set]].concat());
        succeeds(&output);
        held as usize
    };
    let (none, small, large) =
        (held("data.table=few.csv"), held("data.memory=1 MB"), held("data.memory=1 GB"));
    let figures = format!("a table of {size} bytes: {small} of disk, {large} of memory, {none} without it");
    assert!(size > 30_000_000 && small - none < size && 3 * (small - none) < large - none, "{figures}");
}
