//! The loss of a recipe together with what its outputs mean: when is a prediction right?

use crate::call::{Call, nearest};
use rekindle_nn::loss::{
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, Loss, MSELoss, SmoothL1Loss,
};
use rekindle_tensor::Tensor;

/// How outputs are turned into decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// One output, a probability: the class is 1 above 0.5.
    Probability,
    /// One output, a logit: the class is 1 above 0.
    Logit,
    /// One output for each class: the class is that of the largest.
    Largest,
    /// No classes: regression.
    None,
}

/// A loss and how its outputs are read.
pub struct Objective {
    /// The loss.
    pub loss: Box<dyn Loss>,
    /// What the outputs mean.
    pub decision: Decision,
}

const LOSSES: &[&str] =
    &["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"];

impl Objective {
    /// Builds the loss that a recipe names.
    ///
    /// # Errors
    /// One line with the nearest valid name if there is no such loss.
    pub fn build(text: &str) -> Result<Objective, String> {
        let call = Call::parse(text)?;
        let plain = || call.arguments(&[]);
        let (loss, decision): (Box<dyn Loss>, _) = match call.name.as_str() {
            "BCELoss" => (plain().map(|_| Box::new(BCELoss::new()) as _)?, Decision::Probability),
            "BCEWithLogitsLoss" => {
                (plain().map(|_| Box::new(BCEWithLogitsLoss::new()) as _)?, Decision::Logit)
            }
            "CrossEntropyLoss" => {
                let a = call.arguments(&["label_smoothing"])?;
                (
                    Box::new(CrossEntropyLoss::new().label_smoothing(a.number("label_smoothing", 0.0)?)),
                    Decision::Largest,
                )
            }
            "MSELoss" => (plain().map(|_| Box::new(MSELoss::new()) as _)?, Decision::None),
            "L1Loss" => (plain().map(|_| Box::new(L1Loss::new()) as _)?, Decision::None),
            "SmoothL1Loss" => (plain().map(|_| Box::new(SmoothL1Loss::new()) as _)?, Decision::None),
            "HuberLoss" => (plain().map(|_| Box::new(HuberLoss::new()) as _)?, Decision::None),
            other => return Err(format!("loss: there is no `{other}`{}", nearest(other, LOSSES))),
        };
        Ok(Objective { loss, decision })
    }

    /// How many of the outputs lead to the right class; `None` for regression.
    pub fn correct(&self, outputs: &Tensor, targets: &Tensor) -> Option<usize> {
        let outputs = outputs.detach();
        let right = match self.decision {
            Decision::Probability => outputs.gt(0.5).eq(targets),
            Decision::Logit => outputs.gt(0.0).eq(targets),
            Decision::Largest if targets.dim() == 2 => {
                outputs.argmax_dim(1, false).eq(targets.argmax_dim(1, false))
            }
            Decision::Largest => outputs.argmax_dim(1, false).eq(targets),
            Decision::None => return None,
        };
        Some(right.sum().item::<i64>() as usize)
    }
}
