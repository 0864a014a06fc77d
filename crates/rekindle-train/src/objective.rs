//! The loss of a recipe together with what its outputs mean: when is a prediction right?

use crate::word::{Word, build, word};
use rekindle_nn::loss::{
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Decision, HuberLoss, L1Loss, Loss, MSELoss, NLLLoss,
    SmoothL1Loss,
};
use rekindle_tensor::{DType, Tensor};

/// A loss and how its outputs are read.
///
/// ```
/// use rekindle_tensor::tensor;
/// use rekindle_train::Objective;
///
/// let objective = Objective::build("BCEWithLogitsLoss").unwrap();
/// let (logits, y) = (tensor([[-1.0], [2.0], [3.0]]), tensor([[0.0], [0.0], [1.0]]));
/// assert_eq!(objective.correct(&logits, &y), Some(2));
/// ```
pub struct Objective {
    /// The loss.
    pub loss: Box<dyn Loss>,
    /// What the outputs mean.
    pub decision: Decision,
}

#[rustfmt::skip] // One line for each word.
const LOSSES: &[Word<(), Objective>] = &[
    word("BCELoss", &[], |_, ()| of(BCELoss::new())),
    word("BCEWithLogitsLoss", &["pos_weight"], |a, ()| match a.weights("pos_weight")? {
        Some(weights) => of(BCEWithLogitsLoss::new().pos_weight(weights)),
        None => of(BCEWithLogitsLoss::new()),
    }),
    word("CrossEntropyLoss", &["weight", "label_smoothing"], |a, ()| {
        let loss = CrossEntropyLoss::new().label_smoothing(a.probability("label_smoothing", 0.0)?);
        match a.weights("weight")? {
            Some(weights) => of(loss.weight(weights)),
            None => of(loss),
        }
    }),
    word("NLLLoss", &["weight"], |a, ()| match a.weights("weight")? {
        Some(weights) => of(NLLLoss::new().weight(weights)),
        None => of(NLLLoss::new()),
    }),
    word("MSELoss", &[], |_, ()| of(MSELoss::new())),
    word("L1Loss", &[], |_, ()| of(L1Loss::new())),
    word("SmoothL1Loss", &[], |_, ()| of(SmoothL1Loss::new())),
    word("HuberLoss", &[], |_, ()| of(HuberLoss::new())),
];

fn of(loss: impl Loss + 'static) -> Result<Objective, String> {
    Ok(Objective::new(loss))
}

impl Objective {
    /// A loss, read as it says.
    pub fn new(loss: impl Loss + 'static) -> Objective {
        Objective { decision: loss.decision(), loss: Box::new(loss) }
    }

    /// Builds the loss that a recipe names.
    ///
    /// # Errors
    /// One line with the nearest valid name if there is no such loss.
    pub fn build(text: &str) -> Result<Objective, String> {
        build("loss", LOSSES, text, ())
    }

    /// Whether a target is a yes or no for each output, not the number of a class.
    pub fn is_binary(&self) -> bool {
        matches!(self.decision, Decision::Probability | Decision::Logit)
    }

    /// Outputs as probabilities in F64: of class 1 or of each label for yes-or-no losses, of all classes for the others;
    /// the outputs themselves for regression.
    ///
    /// ```
    /// use rekindle_tensor::tensor;
    /// let objective = rekindle_train::Objective::build("CrossEntropyLoss").unwrap();
    /// let p = objective.probabilities(&tensor([[0.0, 0.0], [0.0, 3f32.ln()]]));
    /// assert_eq!(format!("{:.2}", p.select(0, 1).select(0, 1).item::<f64>()), "0.75");
    /// ```
    pub fn probabilities(&self, outputs: &Tensor) -> Tensor {
        let outputs = outputs.detach().to(DType::F64);
        match self.decision {
            Decision::Logit => outputs.sigmoid(),
            Decision::Largest => outputs.softmax(1), // of log-probabilities: these probabilities again
            Decision::Probability | Decision::None => outputs,
        }
    }

    /// [`probabilities`](Self::probabilities) of both classes where there is one output for two: `[n, classes]`.
    pub(crate) fn of_all_classes(&self, outputs: &Tensor) -> Tensor {
        let p = self.probabilities(outputs);
        if self.is_binary() && p.numel() == p.size(0) {
            let p = p.flatten(0, -1);
            return Tensor::stack(&[1.0 - &p, p], 1);
        }
        p
    }

    /// The decisions: I64 classes `[n]`, I64 zeros and ones `[n, labels]`, or the outputs of a regression. They are made on
    /// the outputs themselves, because the probability of a small logit rounds to one half.
    pub(crate) fn decide(&self, outputs: &Tensor) -> Tensor {
        let outputs = outputs.detach();
        let yes = match self.decision {
            Decision::Logit => outputs.gt(0.0),
            Decision::Probability => outputs.gt(0.5),
            Decision::Largest => return outputs.argmax_dim(1, false),
            Decision::None => return outputs,
        };
        let yes = yes.to(DType::I64);
        if yes.numel() == yes.size(0) { yes.flatten(0, -1) } else { yes }
    }

    /// How many samples are right; `None` for regression. A sample with several yes-or-no outputs is right if all of
    /// them are, so that the count never exceeds the number of samples.
    pub fn correct(&self, outputs: &Tensor, targets: &Tensor) -> Option<usize> {
        self.right(outputs, targets).map(|right| right.item::<i64>() as usize)
    }

    /// [`correct`](Self::correct) as a number that stays on the tensors' device.
    pub(crate) fn right(&self, outputs: &Tensor, targets: &Tensor) -> Option<Tensor> {
        let outputs = outputs.detach();
        let right = match self.decision {
            Decision::Probability => outputs.gt(0.5).eq(targets),
            Decision::Logit => outputs.gt(0.0).eq(targets),
            Decision::Largest if targets.dim() == outputs.dim() => {
                outputs.argmax_dim(1, false).eq(targets.argmax_dim(1, false))
            }
            Decision::Largest => outputs.argmax_dim(1, false).eq(targets),
            Decision::None => return None,
        };
        let right = if right.dim() > 1 { right.flatten(1, -1).all_dim(1, false) } else { right };
        Some(right.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rekindle_tensor::tensor;

    #[test]
    fn a_sample_is_right_when_its_whole_row_is() {
        let logits = tensor([[1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 2.0]]);
        let one_hot = tensor([0, 1, 2]).one_hot(3).float();
        let correct = |loss: &str, x: &Tensor, y: &Tensor| Objective::build(loss).unwrap().correct(x, y);
        assert_eq!(correct("BCEWithLogitsLoss", &logits, &one_hot), Some(2));
        assert_eq!(correct("BCELoss", &logits.sigmoid(), &one_hot), Some(2));
        assert_eq!(correct("CrossEntropyLoss", &logits, &one_hot), Some(2));
        assert_eq!(correct("CrossEntropyLoss", &logits, &tensor([0, 0, 2])), Some(3));
        assert_eq!(correct("MSELoss", &logits, &one_hot), None);
    }

    #[test]
    fn every_loss_word_builds_and_mistakes_are_named() {
        assert!(LOSSES.iter().all(|word| Objective::build(word.name).is_ok()));
        let says = |text: &str| Objective::build(text).err().unwrap();
        assert_eq!(says("BCELos"), "loss: there is no `BCELos`; did you mean `BCELoss`?");
        assert!(
            says("CrossEntropyLoss(label_smoothing=2)")
                .contains("label_smoothing must be from 0 to 1, not 2")
        );
        assert_eq!(says("MSELoss(2)"), "loss: `MSELoss(2)`: MSELoss takes no arguments in a recipe");
    }
}
