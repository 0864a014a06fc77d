//! A model that is asked again and again, a few samples at a time.

use crate::error::{Error, guarded};
use crate::model::{Model, Prediction, in_company};
use crate::trainer::device_of;
use rekindle_nn::Captured;
use rekindle_tensor::{Device, Tensor};
use std::sync::Arc;

/// A model and the passes through its net that were recorded. Batches are filled up to 2, 4, 8, .. samples, so that few shapes have to be
/// recorded, and larger ones than [`MOST`](Self::MOST) go in pieces.
///
/// ```no_run
/// use rekindle_tensor::Tensor;
/// use rekindle_train::{RunDir, Session, Weights};
/// let model = RunDir::open("runs/circles-001".as_ref())?.model(Weights::Final)?;
/// let mut session = Session::new(model.into());
/// let x = Tensor::zeros([3, 2]);
/// let (alone, together) = (session.ask(&x.narrow(0, 1, 1))?, session.ask(&x)?);
/// assert_eq!(alone.values(0), together.values(1)); // to the bit
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Session {
    model: Arc<Model>,
    passes: Captured,
}

impl Session {
    /// The most samples of one pass through the net.
    pub const MOST: usize = 64;

    /// Nothing is recorded yet.
    pub fn new(model: Arc<Model>) -> Session {
        Session { model, passes: Captured::new() }
    }

    /// As [`Model::ask`], with the same bits, and on a GPU, too, with bits that do not depend on the other samples.
    ///
    /// # Errors
    /// As [`Model::ask`].
    pub fn ask(&mut self, x: &Tensor) -> Result<Prediction, Error> {
        guarded(|| {
            let n = x.size(0);
            let piece = |start: usize| self.outputs(&x.narrow(0, start, Self::MOST.min(n - start)));
            let outputs: Vec<Tensor> = (0..n.max(1)).step_by(Self::MOST).map(piece).collect();
            self.model.read(&Tensor::cat(&outputs, 0))
        })
    }

    fn outputs(&mut self, x: &Tensor) -> Tensor {
        let (n, device) = (x.size(0), device_of(&self.model.net));
        // On a GPU the order of sums depends on the size of a batch, so that there all have one.
        let full = if device == Device::Cpu { n.next_power_of_two().max(2) } else { Self::MOST };
        let x = in_company(x, full).to(device);
        self.passes.forward(&self.model.net, &x).narrow(0, 0, n).cpu()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIRCLES, Input, Kind, Recipe, Signature, build_net};
    use rekindle_nn::Parameters;
    use rekindle_tensor::random::{Generator, with_generator};

    fn model(net: &str, width: usize) -> Arc<Model> {
        let old = CIRCLES.lines().find(|line| line.starts_with("net = ")).expect("a net");
        let recipe = Recipe::from_toml(&CIRCLES.replace(old, &format!("net = [{net}]"))).unwrap();
        let weights = with_generator(&mut Generator::seeded(3), || build_net(&recipe.net)).unwrap();
        let mut weights = weights.state_dict();
        let classes = ["0", "1"].map(String::from).to_vec();
        let input = Input::Numbers(vec![width]);
        Signature { kind: Kind::Classes, classes, input }.write_to(&mut weights);
        let path = std::env::temp_dir().join(format!("rekindle-session-{}-{width}", std::process::id()));
        weights.save(&path).unwrap();
        let model = Model::new(recipe, &path).unwrap();
        std::fs::remove_file(path).unwrap();
        model.into()
    }

    #[test]
    fn a_sample_is_told_the_same_bits_in_any_company_and_by_any_pass() {
        let nets = [
            ("\"Linear(2, 1)\"", 2),
            ("\"Linear(700, 33)\", \"BatchNorm1d(33)\", \"ReLU\", \"Linear(33, 1)\"", 700),
        ];
        for (net, width) in nets {
            let model = model(net, width);
            let x = with_generator(&mut Generator::seeded(4), || Tensor::randn([150, width]));
            let all = model.ask(&x).unwrap();
            let mut session = Session::new(model.clone());
            // The third pass of a size is replayed.
            for _ in 0..4 {
                for (start, n) in [(0, 1), (7, 1), (149, 1), (3, 2), (20, 5), (60, 64), (0, 65), (0, 150)] {
                    let x = x.narrow(0, start, n);
                    for said in [session.ask(&x).unwrap(), model.ask(&x).unwrap()] {
                        assert_eq!(said.len(), n);
                        for i in 0..n {
                            let bits =
                                |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
                            assert_eq!(
                                bits(said.values(i)),
                                bits(all.values(start + i)),
                                "{net}: {n} from {start}"
                            );
                        }
                    }
                }
            }
        }
    }
}
