//! `torch.optim.lr_scheduler`, and gradient clipping.

use super::Entry;
use crate::golden::fault::{Result, failed, unsupported};
use crate::golden::value::{Args, Object, Value, with_object};
use rekindle_nn::optim::lr_scheduler::{
    Anneal, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, LRScheduler, LambdaLR,
    LinearLR, MultiStepLR, OneCycle, OneCycleLR, PolynomialLR, ReduceLROnPlateau, StepLR,
};
use rekindle_nn::optim::{Optimizer, clip_grad_norm_of_, clip_grad_value_};
use rekindle_tensor::Tensor;
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("torch.optim.lr_scheduler.StepLR", |a| {
        let (size, gamma) = (a.need(1, "step_size")?, a.or(2, "gamma", 0.1)?);
        scheduler(a, |o| StepLR::new(o, size, gamma))
    }),
    ("torch.optim.lr_scheduler.MultiStepLR", |a| {
        let (milestones, gamma): (Vec<u64>, f64) = (a.need(1, "milestones")?, a.or(2, "gamma", 0.1)?);
        scheduler(a, |o| MultiStepLR::new(o, milestones, gamma))
    }),
    ("torch.optim.lr_scheduler.ExponentialLR", |a| {
        let gamma = a.need(1, "gamma")?;
        scheduler(a, |o| ExponentialLR::new(o, gamma))
    }),
    ("torch.optim.lr_scheduler.ConstantLR", |a| {
        let (factor, total) = (a.or(1, "factor", 1.0 / 3.0)?, a.or(2, "total_iters", 5)?);
        scheduler(a, |o| ConstantLR::new(o, factor, total))
    }),
    ("torch.optim.lr_scheduler.LinearLR", |a| {
        let (start, end) = (a.or(1, "start_factor", 1.0 / 3.0)?, a.or(2, "end_factor", 1.0)?);
        let total = a.or(3, "total_iters", 5)?;
        scheduler(a, |o| LinearLR::new(o, start, end, total))
    }),
    ("torch.optim.lr_scheduler.PolynomialLR", |a| {
        let (total, power) = (a.or(1, "total_iters", 5)?, a.or(2, "power", 1.0)?);
        scheduler(a, |o| PolynomialLR::new(o, total, power))
    }),
    ("torch.optim.lr_scheduler.CosineAnnealingLR", |a| {
        let (t_max, eta_min) = (a.need(1, "T_max")?, a.or(2, "eta_min", 0.0)?);
        scheduler(a, |o| CosineAnnealingLR::new(o, t_max, eta_min))
    }),
    ("torch.optim.lr_scheduler.CosineAnnealingWarmRestarts", |a| {
        let (t_0, t_mult, eta_min) = (a.need(1, "T_0")?, a.or(2, "T_mult", 1)?, a.or(3, "eta_min", 0.0)?);
        scheduler(a, |o| CosineAnnealingWarmRestarts::new(o, t_0, t_mult, eta_min))
    }),
    ("torch.optim.lr_scheduler.OneCycleLR", |a| {
        let (max_lr, total, options) = (a.need(1, "max_lr")?, a.need(2, "total_steps")?, one_cycle(a)?);
        scheduler(a, |o| OneCycleLR::with(o, max_lr, total, options))
    }),
    ("torch.optim.lr_scheduler.LambdaLR", |a| {
        // The interpreter hands over the values of the program's function, step by step.
        let factors: Vec<f64> = a.need(1, "lr_lambda")?;
        scheduler(a, |o| LambdaLR::new(o, move |t| factors.get(t as usize).copied().unwrap_or(f64::NAN)))
    }),
    ("torch.optim.lr_scheduler.ReduceLROnPlateau", |a| {
        let plateau = plateau(a)?;
        let optimizer: Rc<Object> = a.need(0, "optimizer")?;
        Ok(Value::object("Plateau", (optimizer, plateau)))
    }),
    ("Scheduler.step", |a| {
        with_object(&*a.need::<Rc<Object>>(0, "self")?, |(optimizer, scheduler): &mut Scheduler| {
            with_object(optimizer, |o: &mut Box<dyn Optimizer>| scheduler.step(&mut **o))
        })??;
        Ok(Value::None)
    }),
    ("Plateau.step", |a| {
        let (this, metric): (Rc<Object>, f64) = (a.need(0, "self")?, a.need(1, "metrics")?);
        with_object(&this, |(optimizer, plateau): &mut (Rc<Object>, ReduceLROnPlateau)| {
            with_object(optimizer, |o: &mut Box<dyn Optimizer>| plateau.step(&mut **o, metric))
        })??;
        Ok(Value::None)
    }),
    ("nn.utils.clip_grad_norm_", |a| {
        let (params, max): (Vec<Tensor>, f64) = (a.need(0, "parameters")?, a.need(1, "max_norm")?);
        let norm = clip_grad_norm_of_(&params, max, a.or(2, "norm_type", 2.0)?);
        Ok(Tensor::full([], norm).into())
    }),
    ("nn.utils.clip_grad_value_", |a| {
        clip_grad_value_(&a.need::<Vec<Tensor>>(0, "parameters")?, a.need(1, "clip_value")?);
        Ok(Value::None)
    }),
];

/// A scheduler with the optimiser that it governs.
type Scheduler = (Rc<Object>, Box<dyn LRScheduler>);

fn scheduler<S: LRScheduler + 'static>(
    a: &mut Args,
    make: impl FnOnce(&mut dyn Optimizer) -> S,
) -> Result<Value> {
    let optimizer: Rc<Object> = a.need(0, "optimizer")?;
    let made = with_object(&optimizer, |o: &mut Box<dyn Optimizer>| make(&mut **o))?;
    let scheduler: Scheduler = (optimizer, Box::new(made));
    Ok(Value::object("Scheduler", scheduler))
}

fn one_cycle(a: &mut Args) -> Result<OneCycle> {
    let d = OneCycle::default();
    let kw = usize::MAX;
    let anneal = match a.opt::<Rc<str>>(kw, "anneal_strategy")?.as_deref() {
        None | Some("cos") => Anneal::Cos,
        Some("linear") => Anneal::Linear,
        Some(other) => return unsupported(format!("OneCycleLR(anneal_strategy='{other}')")),
    };
    Ok(OneCycle {
        pct_start: a.or(kw, "pct_start", d.pct_start)?,
        anneal,
        cycle_momentum: a.or(kw, "cycle_momentum", d.cycle_momentum)?,
        base_momentum: a.or(kw, "base_momentum", d.base_momentum)?,
        max_momentum: a.or(kw, "max_momentum", d.max_momentum)?,
        div_factor: a.or(kw, "div_factor", d.div_factor)?,
        final_div_factor: a.or(kw, "final_div_factor", d.final_div_factor)?,
        three_phase: a.or(kw, "three_phase", d.three_phase)?,
    })
}

fn plateau(a: &mut Args) -> Result<ReduceLROnPlateau> {
    let mut plateau = ReduceLROnPlateau::new()
        .factor(a.or(2, "factor", 0.1)?)
        .patience(a.or(3, "patience", 10)?)
        .cooldown(a.or(6, "cooldown", 0)?)
        .min_lr(a.or(7, "min_lr", 0.0)?)
        .eps(a.or(8, "eps", 1e-8)?);
    match a.opt::<Rc<str>>(1, "mode")?.as_deref() {
        None | Some("min") => {}
        Some("max") => plateau = plateau.greater_is_better(),
        Some(other) => return failed(format!("ReduceLROnPlateau: mode {other}")),
    }
    let threshold = a.or(4, "threshold", 1e-4)?;
    match a.opt::<Rc<str>>(5, "threshold_mode")?.as_deref() {
        None | Some("rel") => Ok(plateau.threshold(threshold)),
        Some("abs") => Ok(plateau.absolute_threshold(threshold)),
        Some(other) => failed(format!("ReduceLROnPlateau: threshold_mode {other}")),
    }
}
