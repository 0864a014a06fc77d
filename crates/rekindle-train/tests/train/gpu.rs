//! Training on a GPU: the CPU's figures but for roundings, the same bits again, checkpoints for any device. Without a device these tests say so
//! and pass; CI has Mesa's software Vulkan.

use rekindle_data::synthetic::make_moons;
use rekindle_nn::loss::{BCEWithLogitsLoss, CrossEntropyLoss};
use rekindle_nn::optim::{Adam, SGD};
use rekindle_nn::{BatchNorm1d, Dropout, Linear, Parameters, ReLU, Sequential, sequential};
use rekindle_tensor::random::{Generator, manual_seed, with_generator};
use rekindle_tensor::{Device, Tensor, tensor};
use rekindle_train::{Checkpoint, EpochRow, Error, Flow, Observer, Part, Recipe, Step, Trainer, Training};
use std::io::Write;
use std::path::PathBuf;

fn device() -> Option<Device> {
    let device = Device::gpu(0);
    let there = device.check();
    if let Err(e) = &there {
        _ = writeln!(std::io::stderr(), "NO GPU: nothing was tested: {e}");
    }
    there.ok().map(|()| device)
}

const RECIPE: &str = r#"
name = "everything that draws"
seed = 3
stream = "cuda"
epochs = 4
batch_size = 32
shuffle = true
checkpoint_seconds = 1e6
net = ["Linear(2, 16)", "BatchNorm1d(16)", "Dropout(0.2)", "ReLU", "Linear(16, 1)"]
loss = "BCEWithLogitsLoss"
optimizer = "Adam(lr=0.02)"
scheduler = "StepLR(2, gamma=0.5)"

[data]
source = "moons"
samples = 200
noise = 0.2
validation = 50
"#;

fn recipe(changes: &[&str]) -> Recipe {
    let recipe = Recipe::from_toml(RECIPE).unwrap();
    changes.iter().fold(recipe, |recipe, change| recipe.assign(change).unwrap_or_else(|e| panic!("{e}")))
}

/// With a default generator of its own: other tests draw at the same time.
fn alone<T>(test: impl FnOnce() -> T) -> T {
    with_generator(&mut Generator::seeded(0), test)
}

/// The epochs and the weights.
fn run(recipe: &Recipe, device: Device) -> (Vec<EpochRow>, Vec<u8>) {
    alone(|| {
        let mut training = Training::new(recipe, None).and_then(|t| t.on(device)).unwrap();
        let rows = training.fit().unwrap_or_else(|e| panic!("{e}"));
        (rows, training.finish().net.state_dict().to_bytes())
    })
}

#[test]
fn a_recipe_has_the_figures_of_the_cpu() {
    let Some(gpu) = device() else { return };
    // Adam makes whole steps of the roundings of a bias before batch normalisation, whose gradient is 0: so it comes without.
    let plain = "net=[\"Linear(2, 16)\", \"Dropout(0.2)\", \"ReLU\", \"Linear(16, 1)\"]";
    for changes in [
        &[plain][..],
        &[plain, "accumulate=2", "clip_grad_norm=0.5", "report.train=step"],
        &["optimizer=SGD(lr=0.1, momentum=0.9)", "report.every=2"],
        &["optimizer=SGD(lr=0.1)", "metrics=[\"f1_macro\"]", "report.test=true"],
    ] {
        let recipe = recipe(changes);
        let ((here, _), (there, _)) = (run(&recipe, Device::Cpu), run(&recipe, gpu));
        assert_eq!(here.len(), there.len());
        for (a, b) in here.iter().zip(&there) {
            let near = |(name, x): (&str, f64), (other, y): (&str, f64)| {
                // A sample on the border may change sides.
                let most = if name.contains("loss") { 2e-3 * x.abs() } else { 0.021 };
                assert!(
                    name == other && (name == "time" || (x - y).abs() <= most),
                    "{changes:?} {name}: {x} {y}"
                );
            };
            a.fields().zip(b.fields()).for_each(|(x, y)| near(x, y));
        }
    }
}

#[test]
fn a_rerun_gives_the_same_bits_and_a_replayed_step_those_of_an_eager_one() {
    let Some(gpu) = device() else { return };
    let recipe = recipe(&[]);
    assert!(run(&recipe, gpu).1 == run(&recipe, gpu).1, "a rerun differs");
    let (x, y) = make_moons(130, 0.1, 1).tensors();
    let part = Part::new(x.float(), y.float().unsqueeze(1));
    let trained = |eager: bool| {
        alone(|| {
            manual_seed(7);
            let net = sequential![
                Linear::new(2, 16),
                BatchNorm1d::new(16),
                Dropout::new(0.2),
                ReLU,
                Linear::new(16, 1)
            ];
            net.to(gpu);
            let optimizer = Adam::new(net.parameters(), 0.01);
            let trainer = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).epochs(4).batch_size(16);
            let mut trainer = if eager { trainer.eager() } else { trainer };
            trainer.fit(&part, None).unwrap();
            trainer.net.state_dict().to_bytes()
        })
    };
    assert!(trained(true) == trained(false), "a replayed step differs");
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("rekindle-gpu-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Stops after so many batches.
struct Cut(usize);

impl Observer for Cut {
    fn step(&mut self, _: &Step) -> Result<Flow, Error> {
        self.0 = self.0.saturating_sub(1);
        Ok(if self.0 == 0 { Flow::Stop } else { Flow::Continue })
    }
}

/// Trains on devices one after the other, on each until the fifth batch of an epoch or later, on the last to the end.
fn in_pieces(recipe: &Recipe, devices: &[Device], name: &str) -> (EpochRow, Vec<u8>) {
    let folder = Folder::new(name);
    let (last, before) = devices.split_last().unwrap();
    let piece = |device: Device, cut: usize| {
        alone(|| {
            let mut training = Training::new(recipe, None).and_then(|t| t.on(device)).unwrap();
            training = training.checkpoints(&folder.0).observer(Cut(cut));
            if let Some(checkpoint) = Checkpoint::newest(&folder.0).unwrap() {
                training = training.resume(checkpoint);
            }
            let rows = training.fit().unwrap_or_else(|e| panic!("{name}: {e}"));
            (rows, training.finish().net.state_dict().to_bytes())
        })
    };
    before.iter().for_each(|&device| _ = piece(device, 5));
    let (rows, net) = piece(*last, usize::MAX);
    (rows.last().expect("it was not done").clone(), net)
}

#[test]
fn a_run_that_is_cut_goes_on_with_the_same_bits_and_on_any_device() {
    let Some(gpu) = device() else { return };
    let recipe = recipe(&[]);
    let (whole, net) = in_pieces(&recipe, &[gpu], "whole");
    let (row, cut) = in_pieces(&recipe, &[gpu, gpu], "cut");
    assert!(net == cut && row.train == whole.train, "{row:?} {whole:?}");
    for devices in [[gpu, Device::Cpu], [Device::Cpu, gpu]] {
        let (row, _) = in_pieces(&recipe, &devices, "moved");
        assert!((row.train.loss - whole.train.loss).abs() < 2e-3, "{devices:?}: {row:?} {whole:?}");
    }
}

#[test]
fn what_is_not_finite_is_named_with_its_step_and_the_checkpoint_stays() {
    let Some(gpu) = device() else { return };
    let folder = Folder::new("not-finite");
    let recipe = recipe(&[
        "checkpoint_seconds=0",
        "optimizer=SGD(lr=1e30)",
        "net=[\"Linear(2, 4)\", \"Linear(4, 1)\"]",
    ]);
    let e = alone(|| {
        let training = Training::new(&recipe, None).and_then(|t| t.on(gpu)).unwrap();
        training.checkpoints(&folder.0).fit().unwrap_err()
    });
    let Error::NotFinite { epoch, step, tensor, .. } = &e else { panic!("{e}") };
    assert!(*epoch == 1 && *step <= 3, "{e}");
    assert!(tensor.starts_with("the output of layer") || tensor.starts_with("the loss"), "{e}");
    // Nothing of it was kept.
    let kept = Checkpoint::newest(&folder.0).unwrap().expect("that of the first step");
    assert!(kept.state().iter().all(|(_, t)| t.all_finite()));
}

#[test]
fn targets_that_the_loss_does_not_take_are_named_before_training() {
    let Some(gpu) = device() else { return };
    let net: Sequential = sequential![Linear::new(2, 3)];
    net.to(gpu);
    let optimizer = SGD::new(net.parameters(), 0.1);
    let part = Part::new(Tensor::zeros([20, 2]), Tensor::cat(&[Tensor::zeros([19]).long(), tensor([7])], 0));
    let e = Trainer::new(net, CrossEntropyLoss::new(), optimizer).fit(&part, None).unwrap_err().to_string();
    assert!(e.contains("7"), "{e}");
}

#[test]
fn data_may_be_on_the_gpu_already_and_the_rate_is_found_there() {
    let Some(gpu) = device() else { return };
    let (x, y) = make_moons(60, 0.1, 1).tensors();
    let part = Part::new(x.float().to(gpu), y.float().unsqueeze(1).to(gpu));
    let net = sequential![Linear::new(2, 8), ReLU, Linear::new(8, 1)];
    net.to(gpu);
    let optimizer = SGD::new(net.parameters(), 0.1);
    let mut trainer = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).epochs(2).batch_size(16);
    let found = trainer.find_lr(&part).unwrap();
    assert!(found.suggestion.is_some() && found.losses.iter().all(|loss| loss.is_finite()));
    assert_eq!(trainer.fit(&part, Some(&part)).unwrap().len(), 2);
}

#[test]
fn a_layer_that_is_frozen_between_steps_stays() {
    let Some(gpu) = device() else { return };
    struct Freeze(Tensor);
    impl Observer for Freeze {
        fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
            if row.epoch == 3 {
                self.0.requires_grad_(false);
            }
            Ok(Flow::Continue)
        }
    }
    let (x, y) = make_moons(64, 0.1, 1).tensors();
    let part = Part::new(x.float(), y.float().unsqueeze(1));
    let weights = |epochs: usize| {
        alone(|| {
            manual_seed(7);
            let net = sequential![Linear::new(2, 8), ReLU, Linear::new(8, 1)];
            net.to(gpu);
            let first = net.parameters()[0].clone();
            let optimizer = SGD::new(net.parameters(), 0.1);
            let trainer = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).epochs(epochs);
            trainer.observer(Freeze(first.clone())).fit(&part, None).unwrap();
            first.to_vec::<f32>()
        })
    };
    assert!(weights(3) == weights(9) && weights(2) != weights(3));
}

#[test]
fn a_trainer_asks_and_judges_on_the_nets_device() {
    let Some(gpu) = device() else { return };
    let (x, y) = make_moons(60, 0.1, 1).tensors();
    let part = Part::new(x.float(), y.float().unsqueeze(1));
    let of = |device: Device| {
        alone(|| {
            manual_seed(7);
            let net = sequential![Linear::new(2, 8), ReLU, Linear::new(8, 1)];
            net.to(device);
            let optimizer = SGD::new(net.parameters(), 0.1);
            let mut trainer = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).epochs(3);
            trainer.fit(&part, Some(&part)).unwrap();
            let judged = trainer.evaluate(&part).unwrap();
            (trainer.predict(&part.x()), trainer.predict_proba(&part.x()), judged.loss)
        })
    };
    let ((classes, p, loss), (classes_there, p_there, loss_there)) = (of(Device::Cpu), of(gpu));
    assert_eq!((classes_there.device(), p_there.device()), (Device::Cpu, Device::Cpu));
    assert!(classes.to_vec::<i64>() == classes_there.to_vec::<i64>() && (loss - loss_there).abs() < 1e-4);
    assert!((p - p_there).abs().max().item::<f64>() < 1e-4);
}
