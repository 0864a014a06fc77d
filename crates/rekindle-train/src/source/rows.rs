//! The rows of a table's file, in memory or read piece by piece: the same questions, the same answers.

use crate::error::Error;
use crate::part::{Part, Place};
use rekindle_data::cache_folder;
use rekindle_data::table::{CsvOptions, Encoder, Samples, Schema, Table, TableReader};
use rekindle_tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// An amount of memory, written as `"500 MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub u64);

impl Default for Memory {
    /// 4 GB.
    fn default() -> Self {
        Memory(4_000_000_000)
    }
}

/// The units, with their bytes.
const UNITS: [(&str, u64); 4] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1)];

impl Memory {
    fn parse(text: &str) -> Option<Memory> {
        let text = text.trim().to_uppercase();
        let (number, bytes) =
            UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))?;
        number.trim().parse::<u64>().ok()?.checked_mul(*bytes).map(Memory)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes)).unwrap_or(&UNITS[3]);
        write!(f, "{} {}", self.0 / unit.1, unit.0)
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Memory::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is no amount of memory; write it as \"500 MB\" or \"2 GB\""
            ))
        })
    }
}

/// The rows of a file.
pub(super) struct Rows {
    path: PathBuf,
    options: CsvOptions,
    /// The table, if it is small enough.
    table: Option<Table>,
}

impl Rows {
    /// The rows of a file: in memory, if they take no more than this.
    pub fn open(path: &Path, options: CsvOptions, memory: Memory) -> Result<Rows, Error> {
        let mut rows = Rows { path: path.into(), options, table: None };
        rows.table = rows.reader()?.read_within(memory.0)?;
        Ok(rows)
    }

    fn reader(&self) -> rekindle_data::Result<TableReader> {
        TableReader::open(&self.path, &self.options)
    }

    /// The columns, without rows.
    pub fn head(&self) -> Result<Table, Error> {
        let reader = self.reader()?;
        let columns: Vec<&str> = reader.columns().iter().map(String::as_str).collect();
        let rows: [[&str; 0]; 0] = [];
        Ok(Table::new(reader.name(), &columns, rows)?)
    }

    /// See [`Schema::guess`].
    pub fn guess(&self, labels: &[&str]) -> Result<Schema, Error> {
        Ok(match &self.table {
            Some(table) => Schema::guess(table, labels)?,
            None => Schema::guess_stream(&mut self.reader()?, labels)?,
        })
    }

    /// See [`Schema::samples`].
    pub fn samples(&self, schema: &Schema) -> Result<Samples, Error> {
        Ok(match &self.table {
            Some(table) => schema.samples(table)?,
            None => schema.samples_stream(&mut self.reader()?)?,
        })
    }

    /// See [`Encoder::fit`].
    pub fn fit(&self, schema: &Schema, training: &[usize]) -> Result<Encoder, Error> {
        if let Some(table) = &self.table {
            return Ok(Encoder::fit(table, schema, training)?);
        }
        // A bit for each row.
        let mut bits = vec![0u64; training.iter().max().map_or(0, |last| last / 64 + 1)];
        training.iter().for_each(|&row| bits[row / 64] |= 1 << (row % 64));
        let is_training = |row: usize| bits.get(row / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1);
        Ok(Encoder::fit_stream(&mut || self.reader(), schema, &is_training)?)
    }

    /// All samples, in memory or on disk.
    pub fn encode(&self, encoder: &Encoder, targets: &dyn Fn(&Tensor) -> Tensor) -> Result<Part, Error> {
        let Some(table) = &self.table else {
            // Not the folder of temporary files: that may be in memory.
            let folder = cache_folder();
            fs::create_dir_all(&folder).map_err(|e| {
                let reason =
                    format!("cannot make the folder, which a table larger than data.memory needs: {e}");
                Error::Run { path: folder.clone(), reason }
            })?;
            let spilled = encoder.spill(&mut self.reader()?, folder)?;
            return Ok(Part::on_disk(spilled.x, targets(&spilled.y)));
        };
        let encoded = encoder.encode(table)?;
        let places = encoded.rows.iter().map(|&row| Place::Line(table.line(row)));
        Ok(Part::new(encoded.x, targets(&encoded.y)).with_places(places))
    }

    /// What is worth knowing: rows that missing cells leave out, and where the rows are.
    pub fn remarks(&self, schema: &Schema, samples: &Samples) -> Vec<String> {
        let (all, kept) = (samples.all, samples.rows.len());
        let dropped = (all > kept).then(|| {
            format!(
                "{} of {all} rows are left out, because cells are missing (data.missing = {})",
                all - kept,
                serde_json::to_string(&schema.missing).unwrap_or_default()
            )
        });
        let on_disk = self.table.is_none().then(|| {
            format!(
                "{}: larger than data.memory allows; it is trained on from the disk, and 100,000 samples of a part are judged at most",
                self.path.display()
            )
        });
        on_disk.into_iter().chain(dropped).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recipe, RunDir, Training, Weights};

    #[test]
    fn amounts_of_memory_have_units() {
        let read = |text: &str| Memory::parse(text).map(|m| m.0);
        assert_eq!(
            [read("500 MB"), read("2gb"), read("7 B")],
            [Some(500_000_000), Some(2_000_000_000), Some(7)]
        );
        assert_eq!([read("500"), read("MB"), read("-1 MB"), read("99999999999999 GB")], [None; 4]);
        assert_eq!(serde_json::to_string(&Memory(1_500_000)).unwrap(), "\"1500 KB\"");
    }

    /// A run of a table, in memory or from the disk: its weights and its log without times.
    fn run(folder: &Path, memory: &str) -> (Vec<u8>, Vec<String>, Vec<String>) {
        let text = format!(
            "name = \"t\"\nseed = 1\nepochs = 3\nnet = [\"Linear(5, 8)\", \"ReLU\", \"Linear(8, 3)\"]\n\
             loss = \"CrossEntropyLoss\"\noptimizer = \"Adam(lr=0.01)\"\nbatch_size = 16\nshuffle = true\n\
             [data]\ntable = \"{}\"\nlabel = \"class\"\nmissing = \"drop\"\nmemory = \"{memory}\"\n",
            folder.join("t.csv").display()
        );
        let run = RunDir::create(Some(&folder.join(memory)), "t").unwrap();
        let mut training = run.keep(Training::new(&Recipe::from_toml(&text).unwrap(), None).unwrap());
        let rows = training.fit().unwrap();
        let trained = training.finish();
        run.save_recipe(&trained.recipe).unwrap();
        run.save_model(&trained).unwrap();
        let judged = crate::judge(&trained.recipe, &trained.net, &trained.data).unwrap();
        let log = rows.iter().map(|row| format!("{:?}", row.columns()[..6].to_vec())).collect();
        let model = run.model(Weights::Final).unwrap();
        assert_eq!(model.data(None).unwrap().test.len(), trained.data.test.len());
        let mut reports: Vec<String> = vec![judged.json()];
        reports.extend(trained.data.remarks);
        (std::fs::read(folder.join(memory).join("model.safetensors")).unwrap(), log, reports)
    }

    #[test]
    fn a_table_on_disk_trains_as_one_in_memory_to_the_byte() {
        let folder = std::env::temp_dir().join(format!("rekindle-rows-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let row = |i: usize| {
            format!(
                "{},{},{},{}\n",
                if i % 50 == 7 { String::new() } else { (i % 17).to_string() },
                (i * 7) % 13,
                ["a", "b", "c"][i % 3],
                ["x", "y", "z"][(i / 5) % 3]
            )
        };
        let rows: String = (0..500).map(row).collect();
        std::fs::write(folder.join("t.csv"), format!("n,m,letter,class\n{rows}")).unwrap();
        let (in_memory, on_disk) = (run(&folder, "10 MB"), run(&folder, "5 KB"));
        assert!(on_disk.2[1].contains("it is trained on from the disk"), "{:?}", on_disk.2);
        let dropped = "10 of 500 rows are left out, because cells are missing (data.missing = \"drop\")";
        assert_eq!((in_memory.2[1].as_str(), on_disk.2[2].as_str()), (dropped, dropped));
        assert_eq!((&in_memory.0, &in_memory.1, &in_memory.2[0]), (&on_disk.0, &on_disk.1, &on_disk.2[0]));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
