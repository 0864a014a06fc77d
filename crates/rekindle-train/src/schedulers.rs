//! Schedules of the learning rate from a recipe's words: one line of a table for each.

use crate::observer::Monitor;
use crate::trainer::Scheduler;
use crate::word::{Word, build, word};
use rekindle_nn::optim::Optimizer;
use rekindle_nn::optim::lr_scheduler::{
    ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, LRScheduler, LinearLR,
    MultiStepLR, OneCycle, OneCycleLR, PolynomialLR, ReduceLROnPlateau, StepLR,
};

/// What a schedule may have to know: the epochs of the run, and its updates.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    pub epochs: usize,
    pub updates: usize,
}

/// Makes the schedule of an optimiser.
type Make = Box<dyn FnOnce(&mut dyn Optimizer) -> Scheduler>;

fn each_epoch<S: LRScheduler + 'static>(
    make: impl FnOnce(&mut dyn Optimizer) -> S + 'static,
) -> Result<Make, String> {
    Ok(Box::new(|optimizer| Scheduler::Epoch(Box::new(make(optimizer)))))
}

#[rustfmt::skip] // One line for each word.
const SCHEDULERS: &[Word<Length, Make>] = &[
    word("StepLR", &["step_size", "gamma"], |a, _| {
        let (size, gamma) = (a.size("step_size")? as u64, a.number("gamma", 0.1)?);
        each_epoch(move |o| StepLR::new(o, size, gamma))
    }),
    word("MultiStepLR", &["milestones", "gamma"], |a, _| {
        let (milestones, gamma) = (a.list("milestones")?, a.number("gamma", 0.1)?);
        each_epoch(move |o| MultiStepLR::new(o, milestones.iter().map(|&n| n as u64), gamma))
    }),
    word("ExponentialLR", &["gamma"], |a, _| {
        let gamma = a.number("gamma", 0.95)?;
        each_epoch(move |o| ExponentialLR::new(o, gamma))
    }),
    word("ConstantLR", &["factor", "total_iters"], |a, _| {
        let (factor, n) = (a.number("factor", 1.0 / 3.0)?, a.count("total_iters", 5)? as u64);
        each_epoch(move |o| ConstantLR::new(o, factor, n))
    }),
    word("LinearLR", &["start_factor", "end_factor", "total_iters"], |a, _| {
        let (start, end) = (a.number("start_factor", 1.0 / 3.0)?, a.number("end_factor", 1.0)?);
        let n = a.positive("total_iters", 5)? as u64;
        each_epoch(move |o| LinearLR::new(o, start, end, n))
    }),
    word("PolynomialLR", &["total_iters", "power"], |a, run| {
        let (n, power) = (a.positive("total_iters", run.epochs)? as u64, a.number("power", 1.0)?);
        each_epoch(move |o| PolynomialLR::new(o, n, power))
    }),
    word("CosineAnnealingLR", &["T_max", "eta_min"], |a, run| {
        let (n, min) = (a.positive("T_max", run.epochs)? as u64, a.number("eta_min", 0.0)?);
        each_epoch(move |o| CosineAnnealingLR::new(o, n, min))
    }),
    word("CosineAnnealingWarmRestarts", &["T_0", "T_mult", "eta_min"], |a, _| {
        let (n, times, min) = (a.size("T_0")? as u64, a.positive("T_mult", 1)? as u64, a.number("eta_min", 0.0)?);
        each_epoch(move |o| CosineAnnealingWarmRestarts::new(o, n, times, min))
    }),
    word("OneCycleLR", &["max_lr", "total_steps", "cycle_momentum"], |a, run| {
        let (max, n) = (a.rate("max_lr", 0.01)?, a.positive("total_steps", run.updates.max(2))? as u64);
        let options = OneCycle { cycle_momentum: a.flag("cycle_momentum", true)?, ..OneCycle::default() };
        Ok(Box::new(move |o| Scheduler::Step(Box::new(OneCycleLR::with(o, max, n, options)))))
    }),
    word("ReduceLROnPlateau", &["factor", "patience", "threshold", "cooldown", "min_lr"], |a, _| {
        let plateau = ReduceLROnPlateau::new().factor(a.number("factor", 0.1)?).patience(a.count("patience", 10)? as u64)
            .threshold(a.number("threshold", 1e-4)?).cooldown(a.count("cooldown", 0)? as u64).min_lr(a.number("min_lr", 0.0)?);
        Ok(Box::new(move |_| Scheduler::Plateau(plateau, Monitor::default())))
    }),
];

/// Builds the schedule of a recipe for its optimiser.
///
/// # Errors
/// One line that names what does not fit.
pub(crate) fn build_scheduler(
    text: &str,
    length: Length,
    optimizer: &mut dyn Optimizer,
) -> Result<Scheduler, String> {
    let make = build("scheduler", SCHEDULERS, text, length)?;
    // Options that no schedule can have are mistakes in Rust; in a recipe they are errors.
    rekindle_tensor::check(|| make(optimizer)).map_err(|e| format!("scheduler: `{text}`: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_nn::optim::SGD;
    use rekindle_nn::parameter;
    use rekindle_tensor::Tensor;

    const LENGTH: Length = Length { epochs: 4, updates: 8 };

    fn built(text: &str) -> Result<Vec<f64>, String> {
        let mut optimizer = SGD::new(vec![parameter(Tensor::ones([2]))], 1.0);
        let mut scheduler = build_scheduler(text, LENGTH, &mut optimizer)?;
        let rates = (0..4).map(|_| {
            let rate = optimizer.lr();
            scheduler.after_step(&mut optimizer);
            scheduler.after_epoch(None, &mut optimizer).unwrap();
            rate
        });
        Ok(rates.collect())
    }

    #[test]
    fn every_schedule_word_builds() {
        for word in SCHEDULERS {
            let text = match word.name {
                "StepLR" | "CosineAnnealingWarmRestarts" => format!("{}(2)", word.name),
                "MultiStepLR" => "MultiStepLR([1, 3])".to_string(),
                name => name.to_string(),
            };
            assert!(built(&text).is_ok(), "{text}: {:?}", built(&text));
        }
    }

    #[test]
    fn rates_are_those_of_pytorch_and_lengths_come_from_the_run() {
        assert_eq!(built("StepLR(2, gamma=0.5)").unwrap(), [1.0, 1.0, 0.5, 0.5]);
        assert_eq!(built("MultiStepLR([1, 3], 0.5)").unwrap(), [1.0, 0.5, 0.5, 0.25]);
        let cosine = built("CosineAnnealingLR").unwrap();
        assert!((cosine[2] - 0.5).abs() < 1e-12, "half of four epochs: {cosine:?}");
        let cycle = built("OneCycleLR(0.5)").unwrap();
        assert!(cycle[0] < 0.021 && cycle[2] > 0.4, "eight updates: {cycle:?}");
    }

    #[test]
    fn mistakes_are_named() {
        let says = |text: &str| built(text).unwrap_err();
        assert_eq!(says("StepRL(2)"), "scheduler: there is no `StepRL`; did you mean `StepLR`?");
        assert_eq!(says("StepLR"), "scheduler: `StepLR`: step_size is missing");
        assert!(
            says("MultiStepLR(3)")
                .contains("milestones must be a list of whole numbers such as [30, 80], not 3")
        );
        assert!(says("ReduceLROnPlateau(2)").contains("factor must be below 1, got 2"));
    }
}
