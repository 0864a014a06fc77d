//! A table of the user's (CSV, TSV, Parquet) as the data of a recipe.

use super::rows::{Memory, Rows};
use super::{
    Loading, Reads, Sketch, Source, SplitSizes, Targets, absolute, as_targets, comment, find, suits,
};
use crate::draft::quoted;
use crate::error::Error;
use crate::objective::Objective;
use crate::part::Data;
use crate::sets::Kind;
use crate::signature::{Input, Signature};
use rekindle_data::table::{
    self, CsvOptions, Encoder, Header, Missing, Samples, Schema, Table, Target, TargetKind, Unseen,
};
use rekindle_tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file of rows, each a sample. What is left out is guessed from the file, and written down in the run's `config.toml`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSource {
    /// The file.
    pub table: PathBuf,
    /// The column that is to be learned, or several.
    #[serde(deserialize_with = "one_or_more")]
    pub label: Vec<String>,
    /// Another file to test with; then no rows of the first are kept for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_table: Option<PathBuf>,
    /// Whether the label is one of several classes, a list of labels, or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TargetKind>,
    /// The classes or labels in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// What separates the labels of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// What is done about missing cells.
    #[serde(default)]
    pub missing: Missing,
    /// Cells that are missing, besides empty ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_words: Option<Vec<String>>,
    /// What is done about categories that training did not have.
    #[serde(default)]
    pub unseen: Unseen,
    /// The memory that the table may take, such as `"500 MB"`: one that would take more is read piece by piece and trained on from the
    /// disk, with the same results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What separates cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether the first line names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Whether `"` quotes cells.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub quotes: bool,
    /// Which rows validate and test.
    #[serde(default)]
    pub split: SplitSizes,
    /// What the columns are, by their names; the others are guessed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, table::Kind>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// A name or a list of names.
fn one_or_more<'de, D: Deserializer<'de>>(toml: D) -> Result<Vec<String>, D::Error> {
    struct Names;
    impl<'de> serde::de::Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the name of a column, or a list of names")
        }
        fn visit_str<E>(self, name: &str) -> Result<Vec<String>, E> {
            Ok(vec![name.to_string()])
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = list.next_element()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    toml.deserialize_any(Names)
}

impl TableSource {
    /// How the file is written.
    pub fn options(&self) -> CsvOptions {
        let header = match self.header {
            None => Header::Guess,
            Some(true) => Header::Yes,
            Some(false) => Header::No,
        };
        CsvOptions { delimiter: self.delimiter, header, quotes: self.quotes }
    }

    /// What the columns are: what is declared, and guesses for the rest.
    fn schema(&self, rows: &Rows) -> Result<Schema, Error> {
        let labels: Vec<&str> = self.label.iter().map(String::as_str).collect();
        let mut schema = rows.guess(&labels)?;
        schema.missing = self.missing;
        schema.unseen = self.unseen;
        if let Some(words) = &self.missing_words {
            schema.missing_words.clone_from(words);
        }
        for (name, kind) in &self.columns {
            rows.head()?.column(name)?;
            if self.label.contains(name) {
                let what = format!("data.columns: `{name}` is the label; leave it out there");
                return Err(Error::Recipe(what));
            }
            schema.set_kind(name, *kind);
        }
        if let Some(target) = &mut schema.target {
            self.declare(target);
        }
        Ok(schema)
    }

    /// Puts what is declared about the target in the place of guesses.
    fn declare(&self, target: &mut Target) {
        if let Some(task) = self.task.filter(|task| *task != target.kind) {
            target.kind = task;
            (target.names, target.separator) = (Vec::new(), None);
        }
        if self.separator.is_some() {
            target.separator = self.separator;
        }
        // Names are learned from the training rows, unless they are declared.
        target.names.clone_from(&self.classes);
    }

    /// The same source with nothing left to the data.
    fn resolved(
        &self,
        (path, beside): (&Path, Option<&Path>),
        schema: &Schema,
        encoder: &Encoder,
    ) -> TableSource {
        let target = encoder.target();
        TableSource {
            table: absolute(path),
            test_table: self.test_table.as_deref().map(|path| absolute(&find(path, beside))),
            task: target.map(|t| t.kind),
            separator: target.and_then(|t| t.separator),
            classes: encoder.class_names().to_vec(),
            columns: schema.columns.iter().map(|c| (c.name.clone(), c.kind)).collect(),
            ..self.clone()
        }
    }
}

impl Reads for TableSource {
    fn check(&self, _: &Objective) -> Result<(), String> {
        if self.label.is_empty() {
            return Err("data.label: name the column that is to be learned".into());
        }
        self.split.check(self.test_table.is_none())
    }

    fn load(&self, how: &Loading) -> Result<Data, Error> {
        let path = find(&self.table, how.beside);
        let rows = Rows::open(&path, self.options(), self.memory.unwrap_or_default())?;
        let schema = self.schema(&rows)?;
        // A large table has many rows: what is kept for each of them goes as soon as it can.
        let samples = rows.samples(&schema)?;
        let remarks = rows.remarks(&schema, &samples);
        let Samples { rows: kept, classes, .. } = samples;
        let sizes = self.split.without_test(self.test_table.is_some());
        let parts = sizes.split(kept.len(), classes.as_deref())?;
        drop(classes);
        let encoder = match how.signature {
            Some(Signature { input: Input::Table(encoder), .. }) => (**encoder).clone(),
            _ => rows.fit(&schema, &parts.train.iter().map(|&sample| kept[sample]).collect::<Vec<_>>())?,
        };
        drop(kept);
        let kind = kind_of(&encoder);
        let classes = encoder.class_names().to_vec();
        let name = path.display().to_string();
        suits(how.objective, kind, classes.len(), Targets::Auto, &name).map_err(Error::Recipe)?;
        let targets = |y: &Tensor| as_targets(y, how.objective, Targets::Auto, classes.len());
        let all = rows.encode(&encoder, &targets)?;
        let test = match &self.test_table {
            None => all.pick(&parts.test),
            Some(path) => {
                let path = find(path, how.beside);
                Rows::open(&path, self.options(), self.memory.unwrap_or_default())?
                    .encode(&encoder, &targets)?
            }
        };
        Ok(Data {
            train: all.pick(&parts.train),
            validation: (!parts.validation.is_empty()).then(|| all.pick(&parts.validation)),
            test,
            kind,
            classes: classes.clone(),
            source: Source::Table(self.resolved((&path, how.beside), &schema, &encoder)),
            image: None,
            remarks,
            input: Input::Table(Box::new(encoder)),
        })
    }

    fn locate(&mut self, path: &Path) -> Result<(), String> {
        self.table = path.to_path_buf();
        Ok(())
    }

    fn test_on(&mut self, path: &Path) -> Result<(), String> {
        (self.test_table, self.split) = (None, self.split.all_test());
        self.locate(path)
    }

    fn about(&self) -> String {
        format!("the table {}", self.table.display())
    }
}

/// Names of columns that are to be learned, more often than not.
const USUAL_LABELS: [&str; 8] =
    ["label", "target", "class", "species", "category", "outcome", "diagnosis", "y"];

/// What a table seems to be.
pub(super) fn sketch(path: &Path, labels: &[String]) -> Result<Sketch, Error> {
    let rows = Rows::open(path, CsvOptions::default(), Memory::default())?;
    let mut remarks = Vec::new();
    let labels = match labels {
        [] => vec![usual_label(&rows.head()?, &mut remarks)],
        labels => labels.to_vec(),
    };
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let schema = rows.guess(&names)?;
    let target = schema.target.as_ref().ok_or_else(|| Error::Recipe("there is no label".into()))?;
    let (kind, outputs) = match target.kind {
        TargetKind::Classes => (Kind::Classes, target.names.len()),
        TargetKind::Labels => (Kind::Labels, target.names.len()),
        TargetKind::Numbers => (Kind::Numbers, target.columns.len()),
    };
    remarks.extend(
        schema.columns.iter().filter(|c| c.kind == table::Kind::Ignored).map(|column| {
            format!("{}: ignored: {}; declare a kind to learn from it", column.name, column.why)
        }),
    );
    // A class with one row cannot be on all sides of a split.
    let rare = rows.samples(&schema)?.classes.is_some_and(|classes| {
        (0..outputs as i64).any(|class| classes.iter().filter(|&&c| c == class).count() < 6)
    });
    if rare {
        remarks.push("a class has fewer than six rows; they are split without regard to classes".into());
    }
    let split = SplitSizes { stratify: !rare, ..SplitSizes::default() };
    let source =
        TableSource { table: path.into(), label: labels, split, quotes: true, ..TableSource::default() };
    let about = source.page(&schema, target);
    Ok(Sketch { source: Source::Table(source), about, remarks, kind, outputs })
}

/// A column that is called like a label, or else the last one.
fn usual_label(table: &Table, remarks: &mut Vec<String>) -> String {
    let columns = table.columns();
    let usual = |column: &&String| USUAL_LABELS.contains(&column.to_lowercase().as_str());
    let label = columns.iter().find(usual).unwrap_or(&columns[columns.len() - 1]);
    remarks.push(format!("no --label: `{label}` is taken for what is to be learned"));
    label.clone()
}

impl TableSource {
    /// `[data]` with the guesses as comments.
    fn page(&self, schema: &Schema, target: &Target) -> String {
        let labels: Vec<String> = self.label.iter().map(|label| quoted(label)).collect();
        let label = if let [one] = &labels[..] { one.clone() } else { format!("[{}]", labels.join(", ")) };
        let mut text = format!(
            "[data]\ntable = {}\nlabel = {label} # {}\n\
             missing = \"mean\" # cells without a value: \"mean\" (a category of its own), \"drop\" the row, or \"error\"\n\
             unseen = \"error\" # categories that training did not have: \"error\" or \"ignore\"\n\n",
            quoted(&self.table.display().to_string()),
            comment(&target.why)
        );
        text += &self.split.page(true);
        text += "\n[data.columns] # numeric, categorical, embedding, boolean, date or ignored\n";
        for column in &schema.columns {
            let kind = toml::Value::try_from(column.kind).map_or(String::new(), |kind| kind.to_string());
            text += &format!("{} = {kind} # {}\n", key(&column.name), comment(&column.why));
        }
        text
    }
}

/// A key as TOML has it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_string() } else { quoted_key(name) }
}

fn quoted_key(name: &str) -> String {
    let mut table = toml::Table::new();
    table.insert(name.into(), toml::Value::Boolean(true));
    let line = table.to_string();
    line.trim_end().trim_end_matches("= true").trim_end().to_string()
}

/// What is learned from a table.
fn kind_of(encoder: &Encoder) -> Kind {
    match encoder.target().map(|target| target.kind) {
        Some(TargetKind::Labels) => Kind::Labels,
        Some(TargetKind::Numbers) => Kind::Numbers,
        Some(TargetKind::Classes) | None => Kind::Classes,
    }
}
