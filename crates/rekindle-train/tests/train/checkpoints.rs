//! Checkpoints on the disk: damage is noticed, the newest whole one is used, and what does not fit says so.

use rekindle_nn::loss::MSELoss;
use rekindle_nn::optim::{Adam, SGD};
use rekindle_nn::{Linear, Module, Parameters, ReLU, Sequential, sequential};
use rekindle_tensor::Tensor;
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_train::{Checkpoint, Error, Part, Trainer};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("rekindle-checkpoints-{name}-{}", std::process::id())))
    }

    fn last(&self) -> PathBuf {
        self.0.join("last.ckpt")
    }

    fn before_last(&self) -> PathBuf {
        self.0.join("before-last.ckpt")
    }

    fn newest(&self) -> Checkpoint {
        Checkpoint::newest(&self.0).unwrap().expect("a checkpoint")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn part() -> Part {
    Part::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]))
}

fn line() -> Sequential {
    sequential![Linear::new(2, 1)]
}

/// Trains until so many epochs are done in all, from the newest checkpoint of the folder on.
fn train(folder: &Path, epochs: usize, net: fn() -> Sequential) -> Result<usize, Error> {
    with_generator(&mut Generator::seeded(0), || {
        let net = net();
        let optimizer = SGD::new(net.parameters(), 0.1);
        fit(folder, epochs, Trainer::new(net, MSELoss::new(), optimizer))
    })
}

fn fit<N: Module>(folder: &Path, epochs: usize, trainer: Trainer<N>) -> Result<usize, Error> {
    let mut trainer = trainer.epochs(epochs).checkpoints(folder);
    if let Some(checkpoint) = Checkpoint::newest(folder)? {
        trainer = trainer.resume(checkpoint);
    }
    trainer.fit(&part(), None).map(|rows| rows.len())
}

/// A folder of two checkpoints, and the bytes of the newest.
fn two(name: &str) -> (Folder, Vec<u8>) {
    let folder = Folder::new(name);
    train(&folder.0, 1, line).unwrap();
    train(&folder.0, 2, line).unwrap();
    let bytes = fs::read(folder.last()).unwrap();
    assert_eq!((folder.newest().epoch(), folder.newest().warning()), (2, None));
    (folder, bytes)
}

/// The newest is damaged, so that the one before is used; the warning says what is wrong.
#[track_caller]
fn is_noticed(folder: &Folder, damaged: &[u8], case: &str) -> String {
    fs::write(folder.last(), damaged).unwrap();
    let e = Checkpoint::read(&folder.last()).expect_err(case).to_string();
    assert!(e.contains("last.ckpt: ") && !e.contains('\n'), "{case}: {e}");
    let found = folder.newest();
    assert_eq!((found.epoch(), found.warning()), (1, Some(&e[..])), "{case}");
    e
}

#[test]
fn a_truncated_or_lengthened_checkpoint_is_noticed_at_every_byte_and_the_one_before_is_used() {
    let (folder, bytes) = two("short");
    assert!(bytes.len() > 5000, "{} bytes", bytes.len());
    for end in 0..bytes.len() {
        let e = is_noticed(&folder, &bytes[..end], &format!("{end} bytes"));
        let head = if end < 32 { "damaged at its start" } else { "damaged: " };
        assert!(e.contains(head), "{end} bytes: {e}");
    }
    is_noticed(&folder, &[&bytes[..], &[0]].concat(), "one more");
    eprintln!("{} truncations, each noticed", bytes.len());
}

#[test]
fn a_thousand_flipped_bits_are_noticed_and_the_one_before_is_used() {
    let (folder, bytes) = two("flipped");
    // The numbers are those of a linear congruential generator, so that a failure can be repeated; the head comes first.
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let head = 0..32 * 8;
    let anywhere = (0..1000).map(|_| random(bytes.len() * 8));
    for bit in head.chain(anywhere) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        is_noticed(&folder, &damaged, &format!("bit {bit}"));
    }
}

#[test]
fn the_newest_whole_checkpoint_is_used_with_a_warning_and_two_damaged_ones_are_an_error() {
    let folder = Folder::new("newest");
    assert!(Checkpoint::newest(&folder.0).unwrap().is_none(), "no folder, no checkpoint");
    train(&folder.0, 1, line).unwrap();
    train(&folder.0, 2, line).unwrap();
    assert_eq!((folder.newest().epoch(), folder.newest().warning()), (2, None));

    let bytes = fs::read(folder.last()).unwrap();
    fs::write(folder.last(), &bytes[..bytes.len() / 2]).unwrap();
    let found = folder.newest();
    assert_eq!(found.epoch(), 1);
    let warning = found.warning().expect("a warning").to_string();
    assert!(warning.contains("last.ckpt: damaged: ") && !warning.contains('\n'), "{warning}");

    // Going on from it, the damaged one does not take its place: it is whole until the new one is.
    let whole = fs::read(folder.before_last()).unwrap();
    train(&folder.0, 2, line).unwrap();
    assert_eq!((folder.newest().epoch(), folder.newest().warning()), (2, None));
    assert!(fs::read(folder.before_last()).unwrap() == whole);

    for path in [folder.last(), folder.before_last()] {
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }
    let e = train(&folder.0, 3, line).unwrap_err().to_string();
    assert!(e.contains("no checkpoint in it is whole (") && e.contains("last.ckpt: damaged: "), "{e}");
}

#[test]
fn files_that_are_no_checkpoints_are_said_to_be_none() {
    let folder = Folder::new("foreign");
    fs::create_dir_all(&folder.0).unwrap();
    let says = |what: &str| {
        let e = Checkpoint::read(&folder.last()).unwrap_err().to_string();
        assert!(e.starts_with(&format!("{}: ", folder.last().display())) && e.contains(what), "{e}");
        let e = Checkpoint::newest(&folder.0).unwrap_err().to_string();
        assert!(e.contains("no checkpoint in it is whole") && e.contains(what), "{e}");
    };
    for foreign in [&b""[..], b"hello", &[0; 100], b"PK\x03\x04 a zip file, perhaps one of PyTorch's..."] {
        fs::write(folder.last(), foreign).unwrap();
        says("not a checkpoint of Rekindle");
    }
    line().save(folder.last()).unwrap();
    says("not a checkpoint of Rekindle");
    fs::remove_file(folder.last()).unwrap();
    fs::create_dir(folder.last()).unwrap();
    says("not a regular file");
}

#[test]
fn a_checkpoint_of_another_net_optimiser_or_schedule_says_what_differs() {
    let folder = Folder::new("other");
    train(&folder.0, 1, line).unwrap();
    let before = fs::read(folder.last()).unwrap();
    let says = |result: Result<usize, Error>| {
        let e = result.expect_err("it does not fit").to_string();
        assert!(e.starts_with("the checkpoint's ") && !e.contains('\n'), "{e}");
        e
    };
    let wider = says(train(&folder.0, 2, || sequential![Linear::new(2, 3), ReLU, Linear::new(3, 1)]));
    for part in ["model", "0.weight", "[1, 2]", "[3, 2]"] {
        assert!(wider.contains(part), "{part} in {wider}");
    }
    let net = line();
    let adam = Adam::new(net.parameters(), 0.1);
    let e = says(fit(&folder.0, 2, Trainer::new(net, MSELoss::new(), adam)));
    assert!(e.contains("optimizer") && e.contains("SGD"), "{e}");
    let net = line();
    let mut optimizer = SGD::new(net.parameters(), 0.1);
    let scheduler = rekindle_nn::optim::lr_scheduler::StepLR::new(&mut optimizer, 1, 0.5);
    let e = says(fit(&folder.0, 2, Trainer::new(net, MSELoss::new(), optimizer).scheduler(scheduler)));
    assert!(e.contains("scheduler"), "{e}");
    assert!(fs::read(folder.last()).unwrap() == before, "a checkpoint that does not fit is left as it is");
}

#[test]
fn a_checkpoint_of_more_batches_than_an_epoch_has_now_is_refused() {
    let folder = Folder::new("batches");
    let trainer = |samples| {
        let net = line();
        let optimizer = SGD::new(net.parameters(), 0.1);
        Trainer::new(net, MSELoss::new(), optimizer).batch_size(samples)
    };
    struct Stop;
    impl rekindle_train::Observer for Stop {
        fn step(&mut self, step: &rekindle_train::Step) -> Result<rekindle_train::Flow, Error> {
            Ok(if step.batch == 3 { rekindle_train::Flow::Stop } else { rekindle_train::Flow::Continue })
        }
    }
    assert_eq!(fit(&folder.0, 2, trainer(1).observer(Stop)).unwrap(), 0);
    assert_eq!((folder.newest().epoch(), folder.newest().batch()), (0, 3));
    let e = fit(&folder.0, 2, trainer(2)).unwrap_err().to_string();
    assert!(e.contains("written after batch 3 of an epoch, which now has 2"), "{e}");
    assert_eq!(fit(&folder.0, 2, trainer(1)).unwrap(), 2);
}

#[test]
fn what_a_killed_process_left_is_taken_away_and_foreign_files_are_not() {
    let folder = Folder::new("remains");
    train(&folder.0, 1, line).unwrap();
    for name in ["last.ckpt.4711-0.tmp", "before-last.ckpt.tmp", "mine.tmp", "last.ckpt.copy"] {
        fs::write(folder.0.join(name), "half a file").unwrap();
    }
    train(&folder.0, 2, line).unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["before-last.ckpt", "last.ckpt", "last.ckpt.copy", "mine.tmp"]);
}

/// A process that is killed between the second name of a checkpoint and the new one leaves two names of one file.
#[test]
fn two_names_of_one_checkpoint_become_two_checkpoints_and_nothing_is_left_over() {
    let folder = Folder::new("names");
    train(&folder.0, 1, line).unwrap();
    fs::hard_link(folder.last(), folder.before_last()).unwrap();
    train(&folder.0, 2, line).unwrap();
    assert_eq!(folder.newest().epoch(), 2);
    assert_eq!(Checkpoint::read(&folder.before_last()).unwrap().epoch(), 1);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "a temporary name is left");
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_training_with_path_and_cause_and_leaves_the_one_before() {
    let folder = Folder::new("failing");
    fs::write(&folder.0, "a file where the folder should be").unwrap();
    let e = train(&folder.0, 1, line).unwrap_err().to_string();
    assert!(e.contains("last.ckpt: ") && !e.contains("intact"), "{e}");
    fs::remove_file(&folder.0).unwrap();

    train(&folder.0, 1, line).unwrap();
    let before = fs::read(folder.last()).unwrap();
    // A folder that is not empty stands where the name of the one before should be.
    fs::create_dir_all(folder.before_last().join("full")).unwrap();
    let e = train(&folder.0, 2, line).unwrap_err().to_string();
    let start = format!("{}: cannot write: ", folder.last().display());
    assert!(e.starts_with(&start) && e.ends_with("; the checkpoint before it is intact"), "{e}");
    assert!(fs::read(folder.last()).unwrap() == before);
}
