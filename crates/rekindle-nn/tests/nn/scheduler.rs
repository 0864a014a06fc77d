//! Learning-rate schedulers against PyTorch 2.15; tables made by running the same lines there.

use rekindle_nn::optim::lr_scheduler::*;
use rekindle_nn::optim::{Adam, Optimizer, SGD};
use rekindle_nn::{StateDict, parameter};
use rekindle_tensor::{Tensor, check};

type Make = fn(&mut dyn Optimizer) -> Box<dyn LRScheduler>;

fn sgd() -> SGD {
    SGD::new(vec![parameter(Tensor::zeros([1]))], 0.1).momentum(0.9)
}

fn linear() -> OneCycle {
    OneCycle { anneal: Anneal::Linear, three_phase: true, pct_start: 0.4, ..OneCycle::default() }
}

/// A scheduler and the learning rates of the first nine steps.
#[rustfmt::skip]
fn table() -> Vec<(Make, &'static [f64])> {
    vec![
        (|o| Box::new(StepLR::new(o, 3, 0.1)), &[0.1, 0.1, 0.1, 0.010000000000000002, 0.010000000000000002, 0.010000000000000002, 0.0010000000000000002, 0.0010000000000000002, 0.0010000000000000002]),
        (|o| Box::new(MultiStepLR::new(o, [2, 5, 5], 0.5)), &[0.1, 0.1, 0.05, 0.05, 0.05, 0.0125, 0.0125, 0.0125, 0.0125]),
        (|o| Box::new(ExponentialLR::new(o, 0.9)), &[0.1, 0.09000000000000001, 0.08100000000000002, 0.07290000000000002, 0.06561000000000002, 0.05904900000000002, 0.05314410000000002, 0.04782969000000002, 0.043046721000000024]),
        (|o| Box::new(ConstantLR::new(o, 0.3, 4)), &[0.03, 0.03, 0.03, 0.03, 0.1, 0.1, 0.1, 0.1, 0.1]),
        (|o| Box::new(LinearLR::new(o, 0.3, 0.9, 4)), &[0.03, 0.045, 0.060000000000000005, 0.07500000000000001, 0.09000000000000001, 0.09000000000000001, 0.09000000000000001, 0.09000000000000001, 0.09000000000000001]),
        (|o| Box::new(PolynomialLR::new(o, 6, 2.0)), &[0.1, 0.06944444444444446, 0.04444444444444447, 0.02500000000000001, 0.011111111111111117, 0.0027777777777777775, 0.0, 0.0, 0.0]),
        (|o| Box::new(LambdaLR::new(o, |t| 0.95f64.powf(t as f64))), &[0.1, 0.095, 0.09025, 0.0857375, 0.081450625, 0.07737809374999999, 0.07350918906249998, 0.06983372960937498, 0.06634204312890622]),
        (|o| Box::new(CosineAnnealingLR::new(o, 3, 0.001)), &[0.1, 0.07525000000000001, 0.025750000000000016, 0.001, 0.025749999999999995, 0.07525000000000005, 0.10000000000000006, 0.07525000000000007, 0.025750000000000054]),
        (|o| Box::new(CosineAnnealingWarmRestarts::new(o, 2, 2, 0.001)), &[0.1, 0.0505, 0.1, 0.0855017856687341, 0.0505, 0.0154982143312659, 0.1, 0.0962320368593087, 0.0855017856687341]),
        (|o| Box::new(OneCycleLR::new(o, 0.5, 9)), &[0.020000000000000018, 0.32567911761729995, 0.49720771772545586, 0.44928332967322343, 0.3528223644955498, 0.23131855133348753, 0.11436497657982403, 0.030446484879016203, 2e-06]),
        (|o| Box::new(OneCycleLR::with(o, 0.5, 9, linear())), &[0.02, 0.2046153846153846, 0.3892307692307692, 0.42615384615384616, 0.24153846153846154, 0.056923076923076965, 0.014286285714285717, 0.007144142857142858, 1.9999999999985307e-06]),
    ]
}

#[track_caller]
fn assert_close(got: f64, expected: f64, what: &str) {
    let ulps = (got.to_bits() as i64 - expected.to_bits() as i64).abs();
    assert!(ulps <= 2, "{what}: {got:e}, PyTorch {expected:e}");
}

#[test]
fn learning_rates_are_pytorchs() {
    for (i, (make, expected)) in table().into_iter().enumerate() {
        let mut optimizer = sgd();
        let mut scheduler = make(&mut optimizer);
        for (t, &lr) in expected.iter().enumerate() {
            assert_close(optimizer.lr(), lr, &format!("row {i}, step {t}"));
            optimizer.step();
            scheduler.step(&mut optimizer);
        }
    }
}

#[test]
fn a_resumed_schedule_goes_on_to_the_same_bit() {
    for (i, (make, _)) in table().into_iter().enumerate() {
        let run = |cut: Option<usize>| {
            let mut optimizer = sgd();
            let mut scheduler = make(&mut optimizer);
            let mut rates = Vec::new();
            for t in 0..9 {
                if cut == Some(t) {
                    let saved = [optimizer.state_dict(), scheduler.state_dict()];
                    let [o, s] = saved.map(|state| StateDict::from_bytes(&state.to_bytes()).unwrap());
                    optimizer = sgd();
                    scheduler = make(&mut optimizer);
                    optimizer.load_state_dict(&o).unwrap();
                    scheduler.load_state_dict(&s).unwrap();
                }
                rates.push((optimizer.lr().to_bits(), optimizer.param_groups()[0].momentum.to_bits()));
                scheduler.step(&mut optimizer);
            }
            rates
        };
        let whole = run(None);
        assert!((0..9).all(|t| run(Some(t)) == whole), "row {i}");
    }
}

#[test]
fn warm_restarts_go_to_points_between_epochs() {
    let mut optimizer = sgd();
    let mut scheduler = CosineAnnealingWarmRestarts::new(&mut optimizer, 4, 2, 0.0);
    let expected = [
        0.09619397662556434,
        0.014644660940672627,
        0.1,
        0.06451423386272312,
        0.1,
        0.09784701678661045,
        0.1,
        0.09903926402016153,
    ];
    for (epoch, lr) in [0.5, 3.0, 4.0, 7.25, 12.0, 13.5, 28.0, 30.0].into_iter().zip(expected) {
        scheduler.step_to(&mut optimizer, epoch);
        assert_close(optimizer.lr(), lr, &format!("epoch {epoch}"));
    }
}

#[test]
fn one_cycle_moves_the_momentum_too() {
    let expected = [
        0.95,
        0.8863168504963959,
        0.8505584586887436,
        0.8601433746388538,
        0.8794356448434694,
        0.9037365046793212,
        0.9271273131932879,
        0.9439110786685114,
        0.95,
    ];
    let mut optimizer = sgd();
    let mut scheduler = OneCycleLR::new(&mut optimizer, 0.5, 9);
    for (t, momentum) in expected.into_iter().enumerate() {
        assert_close(optimizer.param_groups()[0].momentum, momentum, &format!("step {t}"));
        scheduler.step(&mut optimizer);
    }
    let mut adam = Adam::new(vec![parameter(Tensor::zeros([1]))], 0.1);
    OneCycleLR::new(&mut adam, 0.5, 9);
    assert_close(adam.param_groups()[0].betas.0, 0.95, "beta1");
}

#[test]
#[should_panic(expected = "one_cycle_lr: step 3 of a cycle of 2 steps")]
fn a_cycle_has_an_end() {
    let mut optimizer = sgd();
    let mut scheduler = OneCycleLR::new(&mut optimizer, 0.5, 2);
    (0..3).for_each(|_| scheduler.step(&mut optimizer));
}

#[test]
fn a_cycle_without_steps_in_a_part_is_refused() {
    let with = |total_steps, pct_start, three_phase| {
        let options = OneCycle { pct_start, three_phase, ..OneCycle::default() };
        check(|| _ = OneCycleLR::with(&mut sgd(), 0.5, total_steps, options)).err()
    };
    // PyTorch divides by zero here, at the first or at a later step.
    assert_eq!(
        with(10, 0.1, false).unwrap(),
        "one_cycle_lr: part 1 of the cycle has no steps: total_steps is 10, pct_start 0.1; choose pct_start so that \
         every part has at least one"
    );
    assert!(with(10, 1.0, false).unwrap().contains("part 2 of the cycle has no steps"));
    assert!(with(10, 0.2, false).is_none() && with(10, 0.4, true).is_none());
}

#[test]
fn plateaus_are_found_as_in_pytorch() {
    let plateau = ReduceLROnPlateau::new;
    let losses = [1.0, 0.9, 0.9, 0.9, 0.95, 0.8, 0.8, 0.79999, 0.8, 0.8, 0.8, 0.1];
    #[rustfmt::skip]
    let table: [(_, &[f64], &[f64]); 4] = [
        (plateau().factor(0.5).patience(1), &losses,
         &[0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.0125]),
        (plateau().factor(0.5).patience(0).cooldown(2).min_lr(0.03), &losses,
         &[0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03]),
        (plateau().greater_is_better().factor(0.5).patience(2).absolute_threshold(0.01), &losses,
         &[0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.0125]),
        (plateau().factor(0.5).patience(0), &[f64::NAN, 1.0, f64::NAN, 2.0],
         &[0.05, 0.05, 0.025, 0.0125]),
    ];
    for (i, (scheduler, metrics, expected)) in table.into_iter().enumerate() {
        for cut in 0..metrics.len() {
            let (mut optimizer, mut running) = (sgd(), scheduler.clone());
            for (t, &metric) in metrics.iter().enumerate() {
                if t == cut {
                    let saved = running.state_dict();
                    running = scheduler.clone();
                    running.load_state_dict(&saved).unwrap();
                }
                running.step(&mut optimizer, metric);
                assert_eq!(optimizer.lr(), expected[t], "row {i}, step {t}");
            }
        }
    }
}
