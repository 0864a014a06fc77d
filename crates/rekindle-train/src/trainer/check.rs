//! What can be known before anything is trained: whether net, loss and data fit each other.

use super::{PIECE, Parts, Trainer, device_of};
use crate::error::{Error, guarded};
use crate::fit;
use crate::history::{EpochRow, Figures};
use crate::observer::Observer;
use crate::part::Part;
use rekindle_nn::Module;
use rekindle_nn::loss::Decision;
use rekindle_tensor::{Device, Tensor, enable_grad, no_grad};

/// Samples that are tried.
const FEW: usize = 8;

impl<N: Module> Trainer<N> {
    /// Holds data, net, loss, metrics and observers against each other: the net on a few samples, all targets.
    pub(super) fn check(&mut self, parts: Parts, observers: &mut [&mut dyn Observer]) -> Result<(), Error> {
        let named = [("training", Some(parts.train)), ("validation", parts.validation), ("test", parts.test)];
        for (name, part) in named.into_iter().filter_map(|(name, part)| Some((name, part?))) {
            // Targets are looked at on the CPU, wherever the data is.
            let part = &part.with_targets(part.y.cpu());
            let (n, targets) = (part.len(), part.y.shape().first().copied().unwrap_or(0));
            if n == 0 || n != targets {
                return Err(Error::Recipe(format!("the {name} data: {n} samples with {targets} targets")));
            }
            self.net.eval();
            let few = part.first(FEW);
            let device = device_of(&self.net);
            let outputs = guarded(|| {
                let outputs = enable_grad(|| self.net.forward(&few.x().to(device)));
                self.objective.loss.forward(&outputs, &few.y.to(device));
                if device != Device::Cpu && outputs.dim() > 0 {
                    self.targets(&outputs, part);
                }
                Ok(outputs)
            });
            let named = |e: Error| e.at(format_args!("the {name} data"));
            let outputs = outputs.map_err(named)?;
            self.last_operation(&outputs)?;
            self.outputs_for_classes(&outputs, part)?;
            if outputs.dim() > 0 {
                fit::targets(&self.objective, &outputs.detach().cpu(), part)
                    .map_err(|e| named(Error::Recipe(e)))?;
            }
            guarded(|| Ok(self.measure(parts, &outputs.detach().cpu(), &few)))
                .map_err(|e| e.at(format_args!("the metrics on the {name} data")))?;
        }
        let row = self.row_to_come(parts);
        observers.iter_mut().try_for_each(|observer| observer.begin(&row))
    }

    /// Holds all targets against the loss on the CPU, where it says what is wrong with one: on a GPU it gives NaN.
    #[track_caller]
    fn targets(&self, outputs: &Tensor, part: &Part) {
        for start in (0..part.len()).step_by(PIECE) {
            let n = PIECE.min(part.len() - start);
            let shape: Vec<usize> = std::iter::once(n).chain(outputs.shape()[1..].iter().copied()).collect();
            no_grad(|| self.objective.loss.forward(&Tensor::zeros(&shape[..]), &part.y.narrow(0, start, n)));
        }
    }

    /// Whether the net ends with what the loss does itself, or lacks what it does not.
    fn last_operation(&self, outputs: &Tensor) -> Result<(), Error> {
        let graph = outputs.graph();
        let loss = self.objective.loss.to_string();
        let loss = loss.split('(').next().unwrap_or_default();
        let cure = match (loss, graph.first().copied().unwrap_or_default()) {
            ("BCEWithLogitsLoss", "sigmoid") => {
                "applies the sigmoid itself; leave it out of the net, or take BCELoss"
            }
            ("CrossEntropyLoss", "softmax") => "applies the softmax itself; leave it out of the net",
            ("CrossEntropyLoss" | "BCEWithLogitsLoss", "sigmoid" | "softmax") => {
                "reads logits; leave it out of the net"
            }
            ("NLLLoss", "softmax") => "reads logarithms of probabilities; end the net with log_softmax",
            _ => return Ok(()),
        };
        Err(Error::Recipe(format!("the net ends with {}, and {loss} {cure}", graph[0])))
    }

    /// Whether there is one output for each class. Classes that no sample has can be there if they are named.
    fn outputs_for_classes(&self, outputs: &Tensor, part: &Part) -> Result<(), Error> {
        let [_, outputs] = *outputs.shape() else { return Ok(()) };
        if self.objective.decision != Decision::Largest || part.y.dim() != 1 {
            return Ok(());
        }
        let names = self.options.class_names.len();
        let classes = if names > 0 { names } else { part.y.max().to_f64_vec()[0] as usize + 1 };
        if outputs <= classes {
            return Ok(()); // Of too few outputs the loss says which class has none.
        }
        Err(Error::Recipe(format!(
            "the net gives {outputs} outputs, and there are {classes} classes; end it with {classes} outputs, or name all classes with class_names"
        )))
    }

    /// A row like those that epochs will have, with no figures in it.
    fn row_to_come(&self, parts: Parts) -> EpochRow {
        let accuracy = (self.objective.decision != Decision::None).then_some(f64::NAN);
        let figures = Figures { loss: f64::NAN, accuracy };
        let watched = parts.test.filter(|_| self.watches_test(parts));
        EpochRow {
            epoch: 0,
            step: 0,
            train: figures,
            validation: parts.validation.map(|_| figures),
            metrics: self.metric_names(parts).into_iter().map(|name| (name, f64::NAN)).collect(),
            test: watched.map(|_| figures),
            lr: self.optimizer.lr(),
            seconds: 0.0,
            reported: false,
        }
    }
}
