//! A number that is not finite, put wherever one can arise: nothing is updated with it, and the message says where it was.

use rekindle_data::Md5;
use rekindle_data::synthetic::make_moons;
use rekindle_nn::loss::BCEWithLogitsLoss;
use rekindle_nn::optim::Adam;
use rekindle_nn::{Linear, Module, Parameters, ReLU, Sequential, StateDict, Visitor, sequential};
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::{Context, Grads, Meta, Op, Output, Tensor, apply, grads, no_grad};
use rekindle_train::{Checkpoint, Error, Flow, Observer, Part, Step, Trainer};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const POISONS: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
const LR: f64 = 0.03;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Activation,
    Gradient,
    Weight,
}

/// What is to be poisoned from now on, and with which number.
type Poison = Arc<Mutex<Option<(Place, f32)>>>;

/// The identity, until its output or its gradient is poisoned.
#[derive(Clone, Debug)]
struct Probe(Poison);

impl Probe {
    /// The same numbers, or one of them poisoned.
    fn of(&self, place: Place, x: &Tensor) -> Tensor {
        let y = x.copy();
        match *self.0.lock().unwrap() {
            Some((at, number)) if at == place => poison(&y, number),
            _ => {}
        }
        y
    }
}

fn poison(x: &Tensor, number: f32) {
    no_grad(|| x.with_data_mut(|values: &mut [f32]| *values.last_mut().expect("numbers") = number));
}

impl Op for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }
    fn infer(&self, x: &[Meta]) -> Result<Meta, String> {
        Ok(x[0].clone())
    }
    fn forward(&self, x: &[&Tensor], _: &Meta) -> Output {
        self.of(Place::Activation, x[0]).into()
    }
    fn backward(&self, ctx: &Context<'_>) -> Grads {
        grads![Some(self.of(Place::Gradient, ctx.grad))]
    }
}

impl Parameters for Probe {
    fn visit(&self, _: &mut Visitor<'_>) {}
}

impl Module for Probe {
    fn forward(&self, x: &Tensor) -> Tensor {
        apply(self.clone(), &[x])
    }
}

fn net(poison: &Poison) -> Sequential {
    sequential![Linear::new(2, 6), Probe(Arc::clone(poison)), ReLU, Linear::new(6, 1)]
}

fn moons() -> Part {
    let (x, y) = make_moons(48, 0.1, 0).tensors();
    Part::new(x.float(), y.float().unsqueeze(1))
}

/// Poisons after a batch, and keeps what the weights were by then.
struct Poisoner {
    after: (usize, usize),
    place: Place,
    number: f32,
    probe: Poison,
    weights: Vec<Tensor>,
    before: Arc<Mutex<Vec<Vec<u32>>>>,
}

fn bits(weights: &[Tensor]) -> Vec<Vec<u32>> {
    weights.iter().map(|w| w.to_vec::<f32>().into_iter().map(f32::to_bits).collect()).collect()
}

impl Observer for Poisoner {
    fn step(&mut self, step: &Step) -> Result<Flow, Error> {
        if (step.epoch, step.batch) == self.after {
            match self.place {
                Place::Weight => poison(&self.weights[2], self.number),
                _ => *self.probe.lock().unwrap() = Some((self.place, self.number)),
            }
            *self.before.lock().unwrap() = bits(&self.weights);
        }
        Ok(Flow::Continue)
    }
}

/// Where a number is found, and what it is found in.
#[track_caller]
fn is_found(e: &Error, at: (usize, usize), in_tensor: &str, case: &str) {
    let Error::NotFinite { epoch, step, tensor, lr } = e else { panic!("{case}: {e}") };
    assert_eq!(((*epoch, *step), tensor.as_str(), *lr), (at, in_tensor, LR), "{case}");
    let (epoch, step) = at;
    let text = format!(
        "epoch {epoch}, step {step}: {in_tensor} is not finite; lower the learning rate ({LR}) or check the data"
    );
    assert_eq!(e.to_string(), text, "{case}");
}

fn trainer(net: Sequential, eager: bool, clip: bool) -> Trainer<Sequential> {
    let optimizer = Adam::new(net.parameters(), LR);
    let trainer = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).batch_size(10).epochs(3);
    let trainer = if clip { trainer.clip_grad_norm(1.0) } else { trainer };
    if eager { trainer.eager() } else { trainer }
}

/// In the second step, when steps are not yet replayed, and in the middle of the second epoch.
#[test]
fn what_is_not_finite_in_weight_activation_or_gradient_is_named_and_nothing_is_updated() {
    let places = [
        (Place::Weight, "the weight 3.weight"),
        (Place::Activation, "the output of layer 1 (Probe)"),
        (Place::Gradient, "the gradient of 0.weight"),
    ];
    for (place, tensor) in places {
        for number in POISONS {
            for (after, eager, clip) in [
                ((1, 1), false, false),
                ((2, 3), false, false),
                ((2, 3), true, false),
                ((2, 3), false, true),
                ((2, 3), true, true),
            ] {
                let case = format!("{place:?}, {number} after {after:?}, eager: {eager}, clip: {clip}");
                let probe = Poison::default();
                let before = Arc::default();
                with_generator(&mut Generator::seeded(0), || {
                    let net = net(&probe);
                    let weights = net.parameters();
                    let poisoner = Poisoner {
                        after,
                        place,
                        number,
                        probe: Arc::clone(&probe),
                        weights: weights.clone(),
                        before: Arc::clone(&before),
                    };
                    let mut trainer = trainer(net, eager, clip).observer(poisoner);
                    let e = trainer.fit(&moons(), None).expect_err(&case);
                    is_found(&e, (after.0, after.1 + 1), tensor, &case);
                    let before = before.lock().unwrap();
                    assert!(before.len() == 4 && *before == bits(&weights), "{case}: an update was applied");
                });
            }
        }
    }
}

#[test]
fn what_is_not_finite_in_an_input_or_a_target_is_named_before_the_first_step() {
    for number in POISONS {
        let mut poisoned = [moons(), moons()];
        let (x, y) = (poisoned[0].x().copy(), poisoned[1].y.copy());
        [&x, &y].iter().for_each(|t| poison(t, number));
        poisoned[0] = Part::new(x, poisoned[0].y.clone());
        poisoned[1].y = y;
        for (part, tensor) in poisoned.iter().zip(["sample 48 of the train data", "the train targets"]) {
            with_generator(&mut Generator::seeded(0), || {
                let net = net(&Poison::default());
                let (weights, before) = (net.parameters(), bits(&net.parameters()));
                let e = trainer(net, false, false).fit(part, None).expect_err(tensor);
                match &e {
                    // The loss says itself which targets it takes.
                    Error::Recipe(text) if tensor.ends_with("targets") => {
                        assert!(text.starts_with("the training data: "), "{text}")
                    }
                    _ => is_found(&e, (1, 1), tensor, &format!("{number}")),
                }
                assert!(before == bits(&weights), "{tensor}, {number}: an update was applied");
            });
        }
    }
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a checkpoint of which one tensor is poisoned, and nothing else is wrong.
fn poison_checkpoint(path: &Path, name: &str, number: f32) {
    let checkpoint = Checkpoint::read(path).unwrap();
    let mut state = StateDict::new();
    for (entry, tensor) in checkpoint.state().iter() {
        let tensor = tensor.copy();
        if entry == name {
            poison(&tensor, number);
        }
        state.insert(entry, tensor);
    }
    let tensors = state.to_bytes();
    let mut digest = Md5::new();
    digest.write_all(&tensors).unwrap();
    let length = (tensors.len() as u64).to_le_bytes();
    std::fs::write(path, [&b"REKINDLE"[..], &length, &digest.finish().0, &tensors].concat()).unwrap();
}

#[test]
fn what_is_not_finite_in_a_checkpoint_is_named_and_the_checkpoint_stays() {
    let places = [
        ("optimizer.state.0.exp_avg", "the optimizer's exp_avg of 0.weight"),
        ("optimizer.state.3.exp_avg_sq", "the optimizer's exp_avg_sq of 3.bias"),
        ("model.3.weight", "the weight 3.weight"),
    ];
    for (i, (name, tensor)) in places.into_iter().enumerate() {
        let folder = format!("rekindle-not-finite-{i}-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(folder));
        with_generator(&mut Generator::seeded(0), || {
            let mut first = trainer(net(&Poison::default()), false, false).epochs(1).checkpoints(&folder.0);
            first.fit(&moons(), None).unwrap();
        });
        let path = folder.0.join("last.ckpt");
        let whole = std::fs::read(&path).unwrap();
        for number in POISONS {
            std::fs::write(&path, &whole).unwrap();
            poison_checkpoint(&path, name, number);
            if number.is_nan() {
                // That is damage, which is found before anything is made of it.
                let e = Checkpoint::read(&path).unwrap_err().to_string();
                assert!(
                    e.contains(&format!("{name} has values that are not numbers (NaN); take weights")),
                    "{e}"
                );
                continue;
            }
            let poisoned = std::fs::read(&path).unwrap();
            for eager in [false, true] {
                with_generator(&mut Generator::seeded(0), || {
                    let net = net(&Poison::default());
                    let weights = net.parameters();
                    let checkpoint = Checkpoint::read(&path).unwrap();
                    let saved =
                        |name: &str| checkpoint.state().get(&format!("model.{name}")).unwrap().clone();
                    let saved = ["0.weight", "0.bias", "3.weight", "3.bias"].map(saved);
                    let mut trainer = trainer(net, eager, false).checkpoints(&folder.0).resume(checkpoint);
                    let e = trainer.fit(&moons(), None).expect_err(name);
                    is_found(&e, (2, 1), tensor, &format!("{name}, {number}, eager: {eager}"));
                    assert!(bits(&weights) == bits(&saved), "{name}, {number}: an update was applied");
                });
                assert!(std::fs::read(&path).unwrap() == poisoned, "{name}, {number}: it was written");
            }
        }
    }
}
