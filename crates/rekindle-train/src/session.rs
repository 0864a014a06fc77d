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
