//! The Trainer: the raw loop's weights, byte for byte, and what it takes off the user's hands.

use rekindle_data::synthetic::{make_blobs, make_moons};
use rekindle_data::{DataLoader, TensorDataset};
use rekindle_nn::loss::{BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, Loss, MSELoss};
use rekindle_nn::optim::lr_scheduler::{OneCycleLR, StepLR};
use rekindle_nn::optim::{Adam, Optimizer, SGD, clip_grad_norm_};
use rekindle_nn::{Dropout, Linear, Module, Parameters, ReLU, Sequential, Sigmoid, Softmax, sequential};
use rekindle_tensor::random::{Generator, manual_seed, with_generator};
use rekindle_tensor::{Tensor, no_grad, tensor};
use rekindle_train::metrics::MeanSquaredError;
use rekindle_train::{EarlyStopping, EpochRow, Error, Flow, Observer, Part, Step, Trainer};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn moons(seed: u32) -> Part {
    let (x, y) = make_moons(130, 0.1, seed).tensors();
    Part::new(x.float(), y.float().unsqueeze(1))
}

/// A net with dropout, made with a seed.
fn net() -> Sequential {
    manual_seed(7);
    sequential![Linear::new(2, 16), Dropout::new(0.2), ReLU, Linear::new(16, 1)]
}

fn weights(net: &impl Parameters) -> Vec<u8> {
    net.state_dict().to_bytes()
}

/// With a default generator of its own: other tests draw at the same time.
fn alone<T>(test: impl FnOnce() -> T) -> T {
    with_generator(&mut Generator::seeded(0), test)
}

#[test]
fn full_batches_end_with_the_weights_of_the_raw_loop() {
    alone(full_batches)
}

fn full_batches() {
    let (train, validation) = (moons(0), moons(1));
    let raw = net();
    let (loss_fn, mut optimizer) = (BCEWithLogitsLoss::new(), SGD::new(raw.parameters(), 0.1));
    for _ in 0..20 {
        raw.train();
        let loss = loss_fn.forward(&raw.forward(&train.x()), &train.y);
        loss.backward();
        optimizer.step();
        optimizer.zero_grad();
        raw.eval();
        no_grad(|| raw.forward(&validation.x()));
    }
    let ours = net();
    let optimizer = SGD::new(ours.parameters(), 0.1);
    let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer).epochs(20);
    let history = trainer.fit(&train, Some(&validation)).unwrap();
    assert_eq!(weights(&trainer.net), weights(&raw));
    assert_eq!((history.len(), history[19].epoch, history[19].step), (20, 20, 20));
}

#[test]
fn mini_batches_clipping_accumulation_and_a_schedule_end_with_the_weights_of_the_raw_loop() {
    alone(everything)
}

fn everything() {
    let train = moons(0);
    let raw = net();
    let (loss_fn, mut optimizer) = (BCEWithLogitsLoss::new(), Adam::new(raw.parameters(), 0.01));
    let mut scheduler = StepLR::new(&mut optimizer, 2, 0.5);
    let loader =
        DataLoader::new(TensorDataset::new(train.x().clone(), train.y.clone())).batch_size(32).shuffle(true);
    for _ in 0..5 {
        raw.train();
        let batches = loader.len();
        for (i, (x, y)) in loader.iter().enumerate() {
            (loss_fn.forward(&raw.forward(&x), &y) / 2.0).backward();
            if (i + 1) % 2 == 0 || i + 1 == batches {
                clip_grad_norm_(&raw.parameters(), 0.1);
                optimizer.step();
                optimizer.zero_grad();
            }
        }
        rekindle_nn::optim::lr_scheduler::LRScheduler::step(&mut scheduler, &mut optimizer);
    }
    let ours = net();
    let mut optimizer = Adam::new(ours.parameters(), 0.01);
    let scheduler = StepLR::new(&mut optimizer, 2, 0.5);
    let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer)
        .epochs(5)
        .batch_size(32)
        .accumulate(2)
        .clip_grad_norm(0.1)
        .scheduler(scheduler);
    let history = trainer.fit(&train, None).unwrap();
    assert_eq!(weights(&trainer.net), weights(&raw));
    let rates: Vec<f64> = history.iter().map(|row| row.lr).collect();
    assert_eq!(rates, [0.01, 0.01, 0.005, 0.005, 0.0025]);
    assert_eq!(history[4].step, 15, "five batches are three updates");
}

#[test]
fn early_stopping_ends_training_and_puts_the_best_weights_back() {
    let (train, validation) = (moons(0), moons(1));
    let ours = net();
    let optimizer = Adam::new(ours.parameters(), 0.5);
    let stopping = EarlyStopping::new().patience(3);
    let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer).epochs(500).observer(stopping);
    let history = trainer.fit(&train, Some(&validation)).unwrap();
    assert!(history.len() < 500);
    let losses: Vec<f64> = history.iter().map(|row| row.validation.unwrap().loss).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(
        losses.iter().position(|&l| l == best),
        Some(losses.len() - 4),
        "patience is 3: the third stops"
    );
    assert_eq!(trainer.evaluate(&validation).unwrap().loss, best);
}

#[test]
fn a_figure_that_is_not_there_cannot_be_monitored() {
    let ours = net();
    let optimizer = SGD::new(ours.parameters(), 0.1);
    let stopping = EarlyStopping::new().monitor("val_acc");
    let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer).observer(stopping);
    let e = trainer.fit(&moons(0), None).unwrap_err().to_string();
    assert!(
        e.starts_with("EarlyStopping: there is no `val_acc` to monitor; there are epoch, step, train_loss"),
        "{e}"
    );
}

/// Writes down what it is told.
struct Diary(Rc<RefCell<Vec<String>>>);

impl Observer for Diary {
    fn step(&mut self, step: &Step) -> Result<Flow, Error> {
        self.0.borrow_mut().push(format!("{}: {} of {}", step.epoch, step.batch, step.batches));
        Ok(Flow::Continue)
    }
    fn epoch(&mut self, row: &EpochRow, _: &dyn Parameters) -> Result<Flow, Error> {
        self.0.borrow_mut().push(format!("epoch {}", row.epoch));
        Ok(if row.epoch == 2 { Flow::Stop } else { Flow::Continue })
    }
    fn end(&mut self, _: &dyn Parameters) -> Result<(), Error> {
        self.0.borrow_mut().push("end".into());
        Ok(())
    }
}

#[test]
fn observers_are_told_every_batch_and_epoch_and_may_stop() {
    let diary = Rc::new(RefCell::new(Vec::new()));
    let ours = net();
    let optimizer = SGD::new(ours.parameters(), 0.1);
    let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer)
        .batch_size(100)
        .observer(Diary(Rc::clone(&diary)));
    trainer.fit(&moons(0), None).unwrap();
    let told = diary.borrow().join(", ");
    assert_eq!(told, "1: 1 of 2, 1: 2 of 2, epoch 1, 2: 1 of 2, 2: 2 of 2, epoch 2, end");
}

#[test]
fn time_can_end_training() {
    let ours = net();
    let optimizer = SGD::new(ours.parameters(), 0.1);
    let mut trainer =
        Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer).epochs(1_000_000).max_time(Duration::ZERO);
    assert_eq!(trainer.fit(&moons(0), None).unwrap().len(), 1);
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_trained() {
    let says = |loss: Box<dyn Fn(Sequential, Part) -> Error>, part: Part| {
        let ours = net();
        let before = weights(&ours);
        let e = loss(ours.clone_for_test(), part).to_string();
        assert_eq!(weights(&ours), before);
        e
    };
    let with = |part: Part| {
        says(
            Box::new(|net, part| {
                let optimizer = SGD::new(net.parameters(), 0.1);
                Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).fit(&part, None).unwrap_err()
            }),
            part,
        )
    };
    let e = with(Part::new(Tensor::zeros([4, 3]), Tensor::zeros([4, 1])));
    assert!(e.starts_with("the training data: linear: input [4, 3]"), "{e}");
    let e = with(Part::new(Tensor::zeros([4, 2]), Tensor::zeros([4])));
    assert!(e.starts_with("the training data: "), "{e}");
    let e = with(Part::new(Tensor::zeros([4, 2]), Tensor::zeros([3, 1])));
    assert_eq!(e, "the training data: 4 samples with 3 targets");
    let classes = |y: Tensor| refused(sequential![Linear::new(2, 3)], CrossEntropyLoss::new(), y);
    let e = classes(tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 7]));
    assert!(e.starts_with("the training data: cross_entropy: Target 7 is out of bounds. (row 11"), "{e}");
    let e = with(Part::new(tensor([[f32::NAN, 0.0]]), Tensor::zeros([1, 1])));
    assert!(e.starts_with("epoch 1, step 1: sample 1 of the train data is not finite"), "{e}");
}

trait CloneForTest {
    fn clone_for_test(&self) -> Sequential;
}

impl CloneForTest for Sequential {
    /// A second net with the same weights.
    fn clone_for_test(&self) -> Sequential {
        let other = net();
        other.load_state_dict(&self.state_dict()).unwrap();
        other
    }
}

#[test]
fn predictions_are_classes_and_probabilities_or_numbers() {
    alone(|| {
        let (x, y) = make_blobs(90, 3, 0).tensors();
        let part = Part::new(x.float(), y);
        manual_seed(0);
        let net = sequential![Linear::new(2, 3)];
        let optimizer = Adam::new(net.parameters(), 0.3);
        let mut trainer =
            Trainer::new(net, CrossEntropyLoss::new(), optimizer).epochs(60).class_names(["가", "나", "다"]);
        trainer.fit(&part, None).unwrap();
        let (classes, p) = (trainer.predict(&part.x()), trainer.predict_proba(&part.x()));
        assert_eq!(classes.to_vec::<i64>(), p.argmax_dim(1, false).to_vec::<i64>());
        let judged = trainer.evaluate(&part).unwrap();
        let right = classes.eq(&part.y).sum().item::<i64>() as f64;
        assert_eq!(judged.figures()[0], ("accuracy", right / 90.0));
        assert!(right > 80.0 && judged.to_string().contains("나"), "{judged}");

        let net = sequential![Linear::new(2, 1)];
        let optimizer = SGD::new(net.parameters(), 0.01);
        let trainer = Trainer::new(net, MSELoss::new(), optimizer);
        assert_eq!(trainer.predict(&part.x()).shape(), [90, 1]);
        let e = rekindle_tensor::check(|| trainer.predict_proba(&part.x())).unwrap_err();
        assert_eq!(e, "predict_proba: MSELoss() is a regression; use predict");
    })
}

/// What a trainer says of a net, a loss and targets before it trains.
fn refused(net: Sequential, loss: impl Loss + 'static, y: Tensor) -> String {
    let part = Part::new(Tensor::ones([y.size(0), 2]), y);
    let before = weights(&net);
    let optimizer = SGD::new(net.parameters(), 0.1);
    let mut trainer = Trainer::new(net, loss, optimizer).epochs(1);
    let e = trainer.fit(&part, None).unwrap_err().to_string();
    assert_eq!(weights(&trainer.net), before, "nothing was trained: {e}");
    e
}

#[test]
fn a_net_that_does_what_its_loss_does_is_refused_with_the_cure() {
    let classes = || tensor([0, 1, 2, 0, 1, 2]);
    let yes = || Tensor::ones([6, 1]);
    let e = refused(sequential![Linear::new(2, 3), Softmax::new(1)], CrossEntropyLoss::new(), classes());
    assert_eq!(
        e,
        "the net ends with softmax, and CrossEntropyLoss applies the softmax itself; leave it out of the net"
    );
    let e = refused(sequential![Linear::new(2, 1), Sigmoid], BCEWithLogitsLoss::new(), yes());
    assert!(
        e.starts_with("the net ends with sigmoid, and BCEWithLogitsLoss applies the sigmoid itself"),
        "{e}"
    );
    let e = refused(sequential![Linear::new(2, 10)], CrossEntropyLoss::new(), classes());
    assert_eq!(
        e,
        "the net gives 10 outputs, and there are 3 classes; end it with 3 outputs, or name all classes with class_names"
    );
    let e = refused(sequential![Linear::new(2, 2)], CrossEntropyLoss::new(), classes());
    assert!(e.contains("2") && e.contains("class"), "{e}");
    let floats = Tensor::ones([6]);
    let e = refused(sequential![Linear::new(2, 3)], CrossEntropyLoss::new(), floats);
    assert!(e.starts_with("the training data: cross_entropy: "), "{e}");
}

/// A layer of one's own is seen through: the graph says what it does last.
#[test]
fn a_sigmoid_inside_of_a_layer_of_one_s_own_is_found() {
    #[derive(Parameters)]
    struct Twice {
        inner: Linear,
    }
    impl Module for Twice {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.inner.forward(x).sigmoid()
        }
    }
    let net = Twice { inner: Linear::new(2, 1) };
    let optimizer = SGD::new(net.parameters(), 0.1);
    let part = Part::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    let e = Trainer::new(net, BCEWithLogitsLoss::new(), optimizer).fit(&part, None).unwrap_err().to_string();
    assert!(e.starts_with("the net ends with sigmoid"), "{e}");
}

#[test]
fn a_fast_dev_run_sees_little_and_overfitting_learns_it_by_heart() {
    alone(|| {
        let (train, validation) = (moons(0), moons(1));
        let of = |ours: Sequential| {
            let optimizer = Adam::new(ours.parameters(), 0.05);
            Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer).batch_size(16).epochs(60)
        };
        let diary = Rc::new(RefCell::new(Vec::new()));
        let rows = of(net())
            .fast_dev_run(2)
            .observer(Diary(Rc::clone(&diary)))
            .fit(&train, Some(&validation))
            .unwrap();
        assert_eq!(
            (rows.len(), diary.borrow().join(", ").as_str()),
            (1, "1: 1 of 2, 1: 2 of 2, epoch 1, end")
        );
        let rows = of(net()).overfit_batches(1).fit(&train, Some(&validation)).unwrap();
        let last = rows.last().unwrap();
        assert_eq!(
            (last.step, last.validation.unwrap().accuracy),
            (60, Some(1.0)),
            "60 updates on 16 points"
        );
    })
}

#[test]
fn the_learning_rate_finder_leaves_everything_as_it_was() {
    alone(|| {
        let ours = net();
        let before = weights(&ours);
        let optimizer = SGD::new(ours.parameters(), 0.25);
        let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer).batch_size(20).epochs(1);
        manual_seed(7);
        let found = trainer.find_lr(&moons(0)).unwrap();
        assert_eq!(weights(&trainer.net), before);
        assert!(found.suggestion.is_some_and(|lr| (1e-3..=1.0).contains(&lr)), "{:?}", found.suggestion);
        assert!(found.rates.len() <= 100 && (found.rates[0] - 1e-7).abs() < 1e-20);
        let rows = trainer.fit(&moons(0), None).unwrap();
        let again = net();
        let optimizer = SGD::new(again.parameters(), 0.25);
        let mut plain = Trainer::new(again, BCEWithLogitsLoss::new(), optimizer).batch_size(20).epochs(1);
        manual_seed(7);
        assert_eq!(plain.fit(&moons(0), None).unwrap()[0].train.loss, rows[0].train.loss, "the draws, too");
        assert_eq!(rows[0].lr, 0.25);
    })
}

#[test]
fn gradients_whose_norm_is_no_number_are_not_clipped_to_nothing() {
    alone(|| {
        manual_seed(0);
        let net = sequential![Linear::new(1, 1)];
        let before = weights(&net);
        let optimizer = SGD::new(net.parameters(), 0.1);
        let mut trainer = Trainer::new(net, L1Loss::new(), optimizer).epochs(1).clip_grad_norm(1.0);
        let part = Part::new(tensor([[1e25], [1e25]]), tensor([[0.0], [0.0]]));
        let e = trainer.fit(&part, None).unwrap_err().to_string();
        assert!(e.starts_with("epoch 1, step 1: the norm of the gradients is not finite"), "{e}");
        assert_eq!(weights(&trainer.net), before);
    })
}

#[test]
fn metrics_that_cannot_be_measured_are_found_before_anything_is_trained() {
    alone(|| {
        manual_seed(0);
        let net = sequential![Linear::new(2, 3)];
        let optimizer = SGD::new(net.parameters(), 0.1);
        let part = Part::new(Tensor::ones([6, 2]), tensor([0, 1, 2, 0, 1, 2]));
        let mut trainer =
            Trainer::new(net, CrossEntropyLoss::new(), optimizer).metric(MeanSquaredError::new());
        let e = trainer.fit(&part, Some(&part)).unwrap_err().to_string();
        assert!(e.starts_with("the metrics on the training data: "), "{e}");
    })
}

#[test]
fn the_learning_rate_finder_steps_no_schedule() {
    alone(|| {
        let ours = net();
        let mut optimizer = SGD::new(ours.parameters(), 0.25);
        let schedule = OneCycleLR::new(&mut optimizer, 1.0, 5);
        let mut trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer)
            .batch_size(20)
            .epochs(1)
            .accumulate(2)
            .scheduler_per_step(schedule);
        let rates = trainer.find_lr(&moons(0)).unwrap().rates;
        assert!(rates.len() > 5, "more steps than the cycle has");
        assert_eq!(trainer.fit(&moons(0), None).unwrap()[0].step, 4, "updates of 8 batches");
    })
}

/// Many pieces, most of them replayed.
#[test]
fn predictions_of_many_rows_are_those_of_the_eager_trainer() {
    let rows = |n: usize| Tensor::linspace(-2.0, 2.0, 2 * n).float().reshape([n as isize, 2]);
    let trainer = |eager: bool| {
        let ours = alone(net);
        let optimizer = SGD::new(ours.parameters(), 0.1);
        let trainer = Trainer::new(ours, BCEWithLogitsLoss::new(), optimizer);
        if eager { trainer.eager() } else { trainer }
    };
    for n in [6 * 1024 + 1, 20_000] {
        let answers = |eager: bool| trainer(eager).predict_proba(&rows(n)).to_vec::<f64>();
        assert_eq!(answers(false), answers(true), "{n} rows");
        let part = Part::new(rows(n), Tensor::zeros([n, 1]));
        let loss = |eager: bool| trainer(eager).evaluate(&part).unwrap().loss;
        assert_eq!(loss(false), loss(true), "{n} rows");
    }
}
