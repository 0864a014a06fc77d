//! N + M epochs in one go are N, stop, resume, M, byte for byte, wherever a run is cut.

use rekindle_nn::Parameters;
use rekindle_tensor::DType;
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_train::{
    Checkpoint, EpochRow, Error, Flow, Observer, Recipe, RunDir, Step, Stopping, Training, build_optimizer,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const EPOCHS: usize = 6;
/// 48 samples in batches of 10.
const BATCHES: usize = 5;

const OPTIMIZERS: [&str; 11] = [
    "SGD(lr=0.1)",
    "SGD(lr=0.1, momentum=0.9, nesterov=true)",
    "SGD(lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01)",
    "Adam(lr=0.05)",
    "Adam(lr=0.05, amsgrad=true)",
    "AdamW(lr=0.05)",
    "Adamax(lr=0.05)",
    "RMSprop(lr=0.02)",
    "RMSprop(lr=0.02, momentum=0.5, centered=true)",
    "Adagrad(lr=0.1, lr_decay=0.1)",
    "Adadelta(lr=1.0)",
];

const SCHEDULERS: [&str; 11] = [
    "",
    "StepLR(2, gamma=0.5)",
    "CosineAnnealingLR(T_max=4)",
    "CosineAnnealingWarmRestarts(2, T_mult=2)",
    "OneCycleLR(max_lr=0.1, total_steps=40)",
    "ReduceLROnPlateau(factor=0.5, patience=0)",
    "LinearLR(0.5, total_iters=4)",
    "MultiStepLR([1, 3], gamma=0.3)",
    "ExponentialLR(gamma=0.8)",
    "ConstantLR(0.5, total_iters=3)",
    "PolynomialLR(total_iters=5, power=2.0)",
];

/// What a recipe may add, each with a bit of its own.
const SHUFFLE: u32 = 1;
const DROPOUT: u32 = 2;
const ACCUMULATE: u32 = 4;
const CLIP: u32 = 8;
const STOPPING: u32 = 16;
const BATCH_NORM: u32 = 32;
/// Every second epoch is measured only, and training accuracy by a walk over the loader, which draws.
const SPARSE: u32 = 64;
/// Dropout draws what PyTorch draws on a GPU.
const CUDA: u32 = 128;
const ALL: u32 = 255;

fn recipe(optimizer: &str, scheduler: &str, options: u32) -> Recipe {
    let with = |bit: u32, text: &'static str| if options & bit != 0 { text } else { "" };
    let key = |name: &str, value: &str| match value {
        "" => String::new(),
        _ => format!("{name} = \"{value}\"\n"),
    };
    let text = format!(
        "name = \"cut\"\nseed = 3\nepochs = {EPOCHS}\nbatch_size = 10\ncheckpoint_seconds = 1e6\n\
         net = [\"Linear(2, 6)\", {}{}\"ReLU\", \"Linear(6, 1)\"]\nloss = \"BCEWithLogitsLoss\"\n\
         optimizer = \"{optimizer}\"\n{}{}{}{}{}{}\
         [data]\nsource = \"moons\"\nsamples = 60\nnoise = 0.3\ntest_size = 0.2\nvalidation = 12\n\
         [report]\n{}",
        with(BATCH_NORM, "\"BatchNorm1d(6)\", "),
        with(DROPOUT, "\"Dropout(0.3)\", "),
        with(CUDA, "stream = \"cuda\"\n"),
        with(SHUFFLE, "shuffle = true\n"),
        with(ACCUMULATE, "accumulate = 2\n"),
        with(CLIP, "clip_grad_norm = 0.2\n"),
        key("scheduler", scheduler),
        with(STOPPING, "early_stopping = { patience = 0, min_delta = 0.02 }\n"),
        if options & SPARSE != 0 { "every = 2\nfirst = 1" } else { "train = \"step\"" },
    );
    Recipe::from_toml(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Stops after so many batches.
struct Cut(usize);

impl Observer for Cut {
    fn step(&mut self, _: &Step) -> Result<Flow, Error> {
        self.0 -= 1;
        Ok(if self.0 == 0 { Flow::Stop } else { Flow::Continue })
    }
}

/// What a run has come to.
#[derive(PartialEq)]
struct End {
    /// The net that the user gets, with the best weights if these are put back.
    net: Vec<u8>,
    /// Net, optimiser, schedule, generator, observers and place of the last checkpoint, without the time.
    state: BTreeMap<String, Vec<u8>>,
    rows: Vec<String>,
}

impl End {
    fn new(training: Training, rows: &[EpochRow], folder: &Path) -> End {
        let checkpoint = Checkpoint::newest(folder).unwrap().expect("a checkpoint");
        let entries = checkpoint.state().iter().filter(|(name, _)| *name != "place.seconds");
        let bytes = |t: &rekindle_tensor::Tensor| match t.dtype() {
            DType::F32 => t.to_vec::<f32>().iter().flat_map(|v| v.to_le_bytes()).collect(),
            DType::F64 => t.to_vec::<f64>().iter().flat_map(|v| v.to_le_bytes()).collect(),
            DType::I64 => t.to_vec::<i64>().iter().flat_map(|v| v.to_le_bytes()).collect(),
            DType::Bool => t.to_vec::<bool>().iter().map(|&v| u8::from(v)).collect(),
        };
        End {
            state: entries.map(|(name, tensor)| (name.to_string(), bytes(tensor))).collect(),
            net: training.finish().net.state_dict().to_bytes(),
            rows: rows.iter().map(without_time).collect(),
        }
    }

    #[track_caller]
    fn is(&self, other: &End, case: &str) {
        assert_eq!(self.rows, other.rows, "{case}: rows");
        let names = |end: &End| end.state.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(other), "{case}: names");
        for (name, bytes) in &self.state {
            assert!(*bytes == other.state[name], "{case}: {name} differs");
        }
        assert!(self.net == other.net, "{case}: the net differs");
    }
}

fn without_time(row: &EpochRow) -> String {
    format!("{:?}", EpochRow { seconds: 0.0, ..row.clone() })
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("rekindle-resume-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// With a default generator that no other test draws from, and that knows nothing of earlier pieces.
fn alone<T>(f: impl FnOnce() -> T) -> T {
    with_generator(&mut Generator::seeded(99), f)
}

/// Trains in pieces, each with a net, an optimiser and observers of its own: for so many epochs in all, and until so many
/// batches are done. The last piece is trained to its end.
fn trained(recipe: &Recipe, pieces: &[(usize, usize)], name: &str) -> End {
    let folder = Folder::new(name);
    let mut rows = Vec::new();
    let mut piece = |epochs: usize, cut: usize| {
        let part = Recipe { epochs, ..recipe.clone() };
        let mut training = Training::new(&part, None).unwrap().checkpoints(&folder.0).observer(Cut(cut));
        if let Some(checkpoint) = Checkpoint::newest(&folder.0).unwrap() {
            training = training.resume(checkpoint);
        }
        let more = training.fit().unwrap_or_else(|e| panic!("{name}: {e}"));
        // An epoch that is measured only because it is the last of its piece is not one of the whole run.
        rows.extend(more.into_iter().filter(|r| recipe.report.keeps(r.epoch) || r.epoch == recipe.epochs));
        training
    };
    let mut piece = |epochs, cut| alone(|| piece(epochs, cut));
    pieces.iter().for_each(|&(epochs, cut)| _ = piece(epochs, cut));
    let last = piece(recipe.epochs, usize::MAX);
    End::new(last, &rows, &folder.0)
}

/// In one go.
fn whole(recipe: &Recipe, name: &str) -> End {
    trained(recipe, &[], name)
}

/// Numbers that can be had again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

/// In one go, after N epochs, and at random batches; says how many rows there were.
fn is_the_same_however_it_is_cut(recipe: &Recipe, case: &str, numbers: &mut Numbers) -> usize {
    let name = format!("case-{}", numbers.below(1 << 30));
    let whole = whole(recipe, &name);
    let first = 1 + numbers.below(EPOCHS - 1);
    trained(recipe, &[(first, usize::MAX)], &name).is(&whole, &format!("{case}, after {first} epochs"));
    let cuts = [(); 3].map(|()| (EPOCHS, 1 + numbers.below(2 * BATCHES)));
    trained(recipe, &cuts, &name).is(&whole, &format!("{case}, after {cuts:?} batches"));
    whole.rows.len()
}

#[test]
fn every_optimizer_with_every_schedule_ends_with_the_same_bytes_however_it_is_cut() {
    let mut numbers = Numbers(1);
    let mut early = 0;
    for optimizer in OPTIMIZERS {
        for scheduler in SCHEDULERS {
            let scheduler = match optimizer.split('(').next() {
                // They have no momentum that could go round with the rate.
                Some("Adagrad" | "Adadelta") => scheduler.replace("=40", "=40, cycle_momentum=false"),
                _ => scheduler.to_string(),
            };
            // What draws, everything at once but what ends training, and a choice.
            let choice = numbers.below(ALL as usize + 1) as u32;
            for options in [0, SHUFFLE, DROPOUT, SHUFFLE | DROPOUT, ALL & !STOPPING & !SPARSE, choice] {
                let case = format!("{optimizer}, {scheduler}, options {options:08b}");
                let recipe = recipe(optimizer, &scheduler, options);
                let rows = is_the_same_however_it_is_cut(&recipe, &case, &mut numbers);
                early += usize::from(options & STOPPING != 0 && rows < 4);
            }
        }
    }
    assert!(early >= 5, "early stopping ended {early} of them");
}

#[test]
fn no_optimizer_and_no_schedule_is_left_out() {
    let optimizers = build_optimizer("Xxxxxxxx", rekindle_nn::Linear::new(1, 1).parameters()).err();
    let unknown = Recipe { scheduler: Some("Xxxxxxxx".into()), ..recipe("SGD(lr=0.1)", "", 0) };
    let schedules = Training::new(&unknown, None).err().map(|e| e.to_string());
    for (message, tried, at_least) in [(optimizers, &OPTIMIZERS, 7), (schedules, &SCHEDULERS, 10)] {
        let message = message.expect("no such word");
        let (_, valid) = message.split_once("valid are ").expect(&message);
        assert!(valid.split(", ").count() >= at_least, "{message}");
        for word in valid.split(", ") {
            assert!(tried.iter().any(|text| text.split('(').next() == Some(word)), "{word}");
        }
    }
}

#[test]
fn every_option_alone_and_without_another_ends_with_the_same_bytes_however_it_is_cut() {
    let mut numbers = Numbers(2);
    for scheduler in ["", "ReduceLROnPlateau(factor=0.5, patience=0)"] {
        for bit in 0..8 {
            for options in [1 << bit, ALL & !(1 << bit), (1 << bit) | STOPPING, (1 << bit) | SPARSE] {
                let case = format!("{scheduler}, options {options:08b}");
                let recipe = recipe("Adam(lr=0.05)", scheduler, options);
                is_the_same_however_it_is_cut(&recipe, &case, &mut numbers);
            }
        }
    }
}

#[test]
fn full_batches_end_with_the_same_bytes_however_they_are_cut() {
    let recipe = Recipe { batch_size: None, shuffle: false, ..recipe("Adam(lr=0.05)", "StepLR(2)", DROPOUT) };
    let whole = whole(&recipe, "full");
    trained(&recipe, &[(2, 99), (5, 99)], "full").is(&whole, "epochs");
    trained(&recipe, &[(EPOCHS, 1), (EPOCHS, 3), (EPOCHS, 1)], "full").is(&whole, "batches");
}

#[test]
fn a_cut_after_any_single_batch_changes_nothing() {
    let recipe = recipe("AdamW(lr=0.05)", "OneCycleLR(max_lr=0.1, total_steps=40)", ALL & !STOPPING);
    let whole = whole(&recipe, "single");
    for cut in 1..=EPOCHS * BATCHES {
        trained(&recipe, &[(EPOCHS, cut)], "single").is(&whole, &format!("after {cut} batches"));
    }
}

#[test]
fn early_stopping_stops_where_it_would_have_stopped_wherever_the_run_is_cut() {
    // Adam overshoots, so that the validation loss rises soon.
    let mut recipe = recipe("Adam(lr=0.2)", "", STOPPING | SHUFFLE);
    recipe.epochs = 40;
    recipe.early_stopping = Some(Stopping { patience: 2, ..Stopping::default() });
    let whole = whole(&recipe, "early");
    let end = whole.rows.len();
    assert!((3..40).contains(&end), "{end} epochs");
    for first in 1..=end + 2 {
        trained(&recipe, &[(first, usize::MAX)], "early")
            .is(&whole, &format!("after {first} of {end} epochs"));
    }
    for cut in (1..end * BATCHES).step_by(3) {
        trained(&recipe, &[(40, cut)], "early").is(&whole, &format!("after {cut} batches"));
    }
}

/// Begins a run in its directory, or goes on with it, and trains until a cut.
fn in_a_run(folder: &Path, recipe: &Recipe, epochs: usize, cut: usize) {
    let training = match RunDir::open(folder) {
        Ok(mut run) => run.resume(Some(epochs), None).unwrap().0,
        Err(_) => {
            let run = RunDir::create(Some(folder), "run").unwrap();
            let training = Training::new(&Recipe { epochs, ..recipe.clone() }, None).unwrap();
            run.save_recipe(training.recipe()).unwrap();
            run.keep(training)
        }
    };
    training.observer(Cut(cut)).fit().unwrap();
}

/// Best weights and the log of a run, whose last column is the time.
fn files(folder: &Path) -> (Vec<u8>, Vec<String>) {
    let log = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
    let rows = log.lines().map(|line| line.rsplit_once(',').expect("columns").0.to_string()).collect();
    (std::fs::read(folder.join("best.safetensors")).unwrap(), rows)
}

#[test]
fn best_weights_and_log_of_a_run_are_those_of_a_run_that_was_not_cut() {
    for options in [SHUFFLE | DROPOUT, SHUFFLE | DROPOUT | CUDA, SHUFFLE | SPARSE, STOPPING | SPARSE] {
        let recipe = recipe("Adam(lr=0.3)", "ReduceLROnPlateau(patience=0)", options);
        let whole = Folder::new("run-whole");
        alone(|| in_a_run(&whole.0, &recipe, EPOCHS, usize::MAX));
        for (first, cut) in [(1, 99), (2, 99), (4, 99), (5, 99), (6, 3), (6, 5), (6, 13)] {
            let parts = Folder::new("run-parts");
            alone(|| in_a_run(&parts.0, &recipe, first, cut));
            alone(|| in_a_run(&parts.0, &recipe, EPOCHS, usize::MAX));
            let case = format!("options {options:08b}: {first} epochs, {cut} batches");
            assert_eq!(files(&parts.0).1, files(&whole.0).1, "{case}");
            assert!(files(&parts.0).0 == files(&whole.0).0, "{case}: the best weights differ");
        }
    }
}
