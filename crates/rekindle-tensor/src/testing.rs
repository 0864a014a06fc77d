//! What holds operations to their promises: numerical gradients and a harness that runs an op on many inputs. Users'
//! own operations can be checked with it too.

use crate::autograd::no_grad;
use crate::device::Device;
use crate::dtype::{DType, match_dtype};
use crate::random::dropout::{DropoutStream, with_dropout_stream};
use crate::storage::lock;
use crate::tensor::Tensor;
use rekindle_kernels::parallel::{num_threads, set_num_threads};
use std::sync::Mutex;

/// Calls, each a mistake, with what the mistake says: a text to be held against a stored one.
///
/// # Panics
/// If a call is no mistake.
///
/// ```
/// use rekindle_tensor::{messages, Tensor};
/// let text = messages! { Tensor::zeros([2]).narrow(0, 1, 2); };
/// assert_eq!(
///     text,
///     "Tensor::zeros([2]).narrow(0, 1, 2)\n    narrow: 2 elements from 1 on are not all in dimension 0 of [2]; its size is 2\n"
/// );
/// ```
#[macro_export]
macro_rules! messages {
    ($($call:expr;)*) => {
        [$((stringify!($call), $crate::check(|| { let _ = $call; }))),*]
            .map(|(call, result)| {
                let message = result.expect_err(call);
                // How a long expression is broken into lines is the compiler's affair.
                format!("{}\n    {message}\n", call.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .concat()
    };
}

/// The allowed difference of analytical and numerical gradients: `|a - n| <= atol + rtol |n|`.
const GRADCHECK_EPS: f64 = 1e-6;
const GRADCHECK_ATOL: f64 = 1e-5;
const GRADCHECK_RTOL: f64 = 1e-3;

/// Compares the gradients of `f` with central differences in double precision (eps 1e-6, atol 1e-5, rtol 1e-3, as
/// PyTorch's `gradcheck`). The output is weighted with fixed, uneven numbers so that no error cancels.
///
/// # Errors
/// One line that names the input, the element and both numbers; or that there is no f64 input to differentiate by.
///
/// ```
/// use rekindle_tensor::{testing::gradcheck, tensor};
/// let x = tensor([[0.3, -0.7]]).double();
/// gradcheck(|x| x[0].exp().sum(), &[x]).unwrap();
/// ```
pub fn gradcheck(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Result<(), String> {
    if let Some(i) = inputs.iter().position(|x| x.dtype() == DType::F32) {
        return Err(format!(
            "gradcheck: input {i} is f32, whose differences say nothing; convert it with .double()"
        ));
    }
    let leaves: Vec<Tensor> = inputs
        .iter()
        .map(|x| if x.dtype() == DType::F64 { x.copy().detach().requires_grad_(true) } else { x.clone() })
        .collect();
    let y = f(&leaves);
    let weights = weights(y.numel());
    let w = Tensor::from_vec(weights.clone(), y.shape()).to(y.dtype());
    if y.requires_grad() {
        y.backward_with(&w);
    }
    let loss = |x: &[Tensor]| -> f64 {
        no_grad(|| f(x)).to_f64_vec().iter().zip(&weights).map(|(y, w)| y * w).sum()
    };
    for (i, leaf) in leaves.iter().enumerate().filter(|(_, l)| l.dtype() == DType::F64) {
        let got = leaf.grad().map_or(vec![0.0; leaf.numel()], |g| g.to_f64_vec());
        for (at, &analytical) in got.iter().enumerate() {
            let mut moved: Vec<Tensor> = leaves.iter().map(|x| x.detach()).collect();
            let mut nudged = |by: f64| {
                let mut values = leaf.to_vec::<f64>();
                values[at] += by;
                moved[i] = Tensor::from_vec(values, leaf.shape());
                loss(&moved)
            };
            let numerical = (nudged(GRADCHECK_EPS) - nudged(-GRADCHECK_EPS)) / (2.0 * GRADCHECK_EPS);
            let close = (analytical - numerical).abs() <= GRADCHECK_ATOL + GRADCHECK_RTOL * numerical.abs();
            if !close {
                return Err(format!(
                    "gradcheck: input {i} of shape {:?}, element {at}: backward gives {analytical}, differences give {numerical}",
                    leaf.shape()
                ));
            }
        }
    }
    Ok(())
}

/// Uneven weights of magnitude about 1, both signs.
fn weights(n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| 0.5 + ((i * 7 + 3) % 11) as f64 / 10.0)
        .map(|w| if w > 1.0 { -w + 0.3 } else { w })
        .collect()
}

/// An operation as a function of its inputs.
pub type Function = Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

/// An operation and the inputs on which it is checked.
pub struct Sample {
    /// What is checked.
    pub name: &'static str,
    /// The operation.
    pub f: Function,
    /// The shapes of the inputs, one list for each run.
    pub cases: Vec<Vec<Vec<usize>>>,
    /// Shapes that are large enough for several threads; gradients are not compared with differences there.
    large: Vec<Vec<Vec<usize>>>,
    range: (f64, f64),
    avoid: Option<f64>,
    /// Rounds to f32 inside, so that finite differences in f64 say nothing.
    loose: bool,
    /// Further inputs without gradients (indices, masks), the same in every case.
    constants: Vec<Tensor>,
    cpu_only: bool,
}

impl Sample {
    /// An operation on several inputs; add the inputs' shapes with [`on`](Sample::on).
    pub fn new(name: &'static str, f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static) -> Sample {
        let f = Box::new(f);
        Sample {
            name,
            f,
            cases: Vec::new(),
            large: Vec::new(),
            range: (-2.0, 2.0),
            avoid: None,
            loose: false,
            constants: Vec::new(),
            cpu_only: false,
        }
    }

    /// An operation that takes one tensor of any shape.
    pub fn unary(name: &'static str, f: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static) -> Sample {
        Sample::new(name, move |x| f(&x[0]))
            .on(&[&[3, 4]])
            .on(&[&[1]])
            .on(&[&[0, 3]])
            .on(&[&[2, 1, 5]])
            .on(&[&[]])
            .large(&[&[150, 500]])
    }

    /// An operation on two tensors that broadcast.
    pub fn binary(
        name: &'static str,
        f: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Sample {
        Sample::new(name, move |x| f(&x[0], &x[1]))
            .on(&[&[3, 4], &[3, 4]])
            .on(&[&[3, 4], &[4]])
            .on(&[&[3, 1], &[1, 4]])
            .on(&[&[], &[2, 3]])
            .on(&[&[1], &[1]])
            .on(&[&[0, 3], &[3]])
            .large(&[&[150, 500], &[150, 500]])
            .large(&[&[150, 500], &[500]])
    }

    /// Adds inputs of the given shapes.
    pub fn on(mut self, shapes: &[&[usize]]) -> Sample {
        self.cases.push(shapes.iter().map(|s| s.to_vec()).collect());
        self
    }

    /// Adds inputs that are only run in f32, on 1, 2 and 4 threads: large enough for the work to be shared.
    pub fn large(mut self, shapes: &[&[usize]]) -> Sample {
        self.large.push(shapes.iter().map(|s| s.to_vec()).collect());
        self
    }

    /// Draws the inputs from another range than -2 to 2.
    pub fn range(mut self, low: f64, high: f64) -> Sample {
        self.range = (low, high);
        self
    }

    /// Keeps the inputs away from a point where the function has a kink or a pole.
    pub fn away_from(mut self, point: f64) -> Sample {
        self.avoid = Some(point);
        self
    }

    /// Marks an operation that rounds to f32 inside; its gradient is not compared with differences.
    pub fn loose(mut self) -> Sample {
        self.loose = true;
        self
    }

    /// Marks what a GPU has not: f64.
    pub fn cpu_only(mut self) -> Sample {
        self.cpu_only = true;
        self
    }

    /// Appends inputs that need no gradient, such as indices, to every case.
    pub fn with(mut self, constants: &[Tensor]) -> Sample {
        self.constants = constants.to_vec();
        self
    }

    /// The inputs of one case in double precision: a fixed, uneven sequence within the range.
    pub fn inputs(&self, case: usize) -> Vec<Tensor> {
        self.drawn(&self.cases[case], case as u64 + 1)
    }

    fn drawn(&self, shapes: &[Vec<usize>], seed: u64) -> Vec<Tensor> {
        let (low, high) = self.range;
        let mut state = 0x9E37_79B9u64.wrapping_mul(seed);
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let v = low + (high - low) * ((state >> 40) as f64 / (1u64 << 24) as f64);
            match self.avoid {
                Some(p) if (v - p).abs() < 0.05 => p + 0.1 + (v - p),
                _ => v,
            }
        };
        let drawn = shapes.iter().map(|shape| {
            let n = shape.iter().product();
            Tensor::from_vec((0..n).map(|_| next()).collect::<Vec<f64>>(), &shape[..])
        });
        drawn.collect::<Vec<_>>().into_iter().chain(self.constants.iter().cloned()).collect()
    }

    /// Checks every case: the gradient; the same bits from strided views of the same values; the same bits in f32
    /// for 1, 2 and 4 threads.
    ///
    /// # Errors
    /// One line that names the sample, the case and what differs.
    pub fn check(&self) -> Result<(), String> {
        for case in 0..self.cases.len() {
            let inputs = self.inputs(case);
            let say = |e: String| format!("{} on {:?}: {e}", self.name, self.cases[case]);
            if !self.loose {
                gradcheck(&self.f, &inputs).map_err(say)?;
            }
            self.check_strided(&inputs).map_err(say)?;
            self.check_threads(&inputs).map_err(say)?;
        }
        for (i, shapes) in self.large.iter().enumerate() {
            let say = |e: String| format!("{} on {shapes:?}: {e}", self.name);
            let inputs = self.drawn(shapes, i as u64 + 1);
            self.check_strided(&inputs).map_err(say)?;
            self.check_threads(&inputs).map_err(say)?;
        }
        Ok(())
    }

    /// Checks every case in f32 on a GPU against the CPU: the output, and the gradients of the inputs.
    ///
    /// # Errors
    /// One line that names the sample, the case and what differs.
    pub fn check_gpu(&self, device: Device) -> Result<(), String> {
        if self.cpu_only {
            return Ok(());
        }
        let cases = (0..self.cases.len()).map(|i| (&self.cases[i], self.inputs(i)));
        let large =
            self.large.iter().enumerate().map(|(i, shapes)| (shapes, self.drawn(shapes, i as u64 + 1)));
        for (shapes, inputs) in cases.chain(large) {
            let say = |e: String| format!("{} on {shapes:?} on {device}: {e}", self.name);
            let here: Vec<Tensor> = inputs.iter().map(in_single).collect();
            // Dropout on a GPU draws from another stream.
            let expected = with_dropout_stream(DropoutStream::Cuda, || self.run(&here));
            for (view, name) in
                [((|x| x.clone()) as fn(&Tensor) -> Tensor, "plain"), (turned, "turned"), (spread, "spread")]
            {
                let there: Vec<Tensor> = here.iter().map(|x| view(x).to_with_strides(device)).collect();
                // A mistake of the harness's own would hide what is tested.
                let got = crate::check(|| self.run(&there)).map_err(say)?;
                for (i, (e, g)) in expected.iter().zip(&got).enumerate() {
                    if g.device() != device {
                        return Err(say(format!("result {i} is on {}", g.device())));
                    }
                    close(e, &g.cpu()).map_err(|e| say(format!("{name} inputs, result {i}: {e}")))?;
                }
                if expected.len() != got.len() {
                    return Err(say(format!("{} results and {}", expected.len(), got.len())));
                }
            }
        }
        Ok(())
    }

    fn check_strided(&self, inputs: &[Tensor]) -> Result<(), String> {
        let single: Vec<Tensor> = inputs.iter().map(in_single).collect();
        for inputs in [inputs, &single] {
            let expected = self.run(inputs);
            for (view, name) in [(turned as fn(&Tensor) -> Tensor, "turned"), (spread, "spread")] {
                let views: Vec<Tensor> = inputs.iter().map(view).collect();
                if !same_bits(&expected, &self.run(&views)) {
                    return Err(format!("{name} views in {} give other bits", inputs[0].dtype()));
                }
            }
        }
        Ok(())
    }

    fn check_threads(&self, inputs: &[Tensor]) -> Result<(), String> {
        /// Samples are checked one at a time here, and the number of threads is put back also after a panic.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        struct Restore(usize);
        impl Drop for Restore {
            fn drop(&mut self) {
                set_num_threads(self.0);
            }
        }
        let _guard = lock(&ONE_AT_A_TIME);
        let _restore = Restore(num_threads());
        let single: Vec<Tensor> = inputs.iter().map(in_single).collect();
        let run = |threads| {
            set_num_threads(threads);
            self.run(&single)
        };
        let expected = run(1);
        for threads in [2, 4] {
            if !same_bits(&expected, &run(threads)) {
                return Err(format!("{threads} threads give other bits than one"));
            }
        }
        Ok(())
    }

    /// Output and gradients of one run.
    fn run(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        let leaves: Vec<Tensor> = inputs
            .iter()
            .map(|x| if x.dtype().is_float() { x.detach().requires_grad_(true) } else { x.clone() })
            .collect();
        let y = (self.f)(&leaves);
        if y.requires_grad() {
            y.backward_with(&Tensor::from_vec(weights(y.numel()), y.shape()).to(y.dtype()).to(y.device()));
        }
        std::iter::once(y.detach()).chain(leaves.iter().filter_map(Tensor::grad)).collect()
    }
}

/// Floats of two devices: other orders of summation, other last bits of exp and the like. What sums may lose grows with their terms, and so
/// with the greatest of them.
const GPU_ATOL: f64 = 2e-5;
const GPU_RTOL: f64 = 2e-4;

fn close(expected: &Tensor, got: &Tensor) -> Result<(), String> {
    if expected.shape() != got.shape() || expected.dtype() != got.dtype() {
        return Err(format!(
            "{} {:?} and {} {:?}",
            expected.dtype(),
            expected.shape(),
            got.dtype(),
            got.shape()
        ));
    }
    let exact = !expected.dtype().is_float();
    let values = expected.to_f64_vec();
    let greatest = values.iter().filter(|v| v.is_finite()).fold(1.0, |m, v| v.abs().max(m));
    for (i, (e, g)) in values.iter().zip(got.to_f64_vec()).enumerate() {
        let same = e.to_bits() == g.to_bits() || *e == g || (e.is_nan() && g.is_nan());
        if !same
            && (exact
                || (e - g).abs().partial_cmp(&(GPU_ATOL * greatest + GPU_RTOL * e.abs()))
                    != Some(std::cmp::Ordering::Less))
        {
            return Err(format!("element {i} is {g}, on the cpu {e}"));
        }
    }
    Ok(())
}

fn same_bits(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.bitwise_eq(b))
}

fn in_single(x: &Tensor) -> Tensor {
    if x.dtype() == DType::F64 { x.float() } else { x.clone() }
}

impl Tensor {
    /// The tensor on a device with the strides that it has here: its whole memory moves.
    fn to_with_strides(&self, device: Device) -> Tensor {
        let view = self.detach();
        let own = Tensor::over(
            crate::storage::Storage::from_snapshot(view.0.storage.snapshot()),
            view.0.layout.clone(),
            view.dtype(),
        );
        own.to_(device);
        own
    }
}

/// The same values as every second of a larger tensor, whose others would show.
fn spread(x: &Tensor) -> Tensor {
    if x.dim() == 0 {
        return x.clone();
    }
    let decoy = Tensor::full(x.shape(), 77).to(x.dtype());
    let (last, size) = (x.dim() as isize - 1, x.shape()[x.dim() - 1]);
    let mut shape = x.shape().to_vec();
    shape[x.dim() - 1] = 2 * size;
    Tensor::stack(&[&decoy, x], -1).reshape(shape).slice_step(last, 1.., 2)
}

/// The same values in memory with the strides reversed and an offset.
fn turned(x: &Tensor) -> Tensor {
    let reversed: Vec<usize> = (0..x.dim()).rev().collect();
    let turned = x.permute(reversed.clone());
    let padded = match_dtype!(x.dtype(), T => {
        let mut v = vec![T::default()];
        v.extend_from_slice(&turned.data::<T>());
        Tensor::from_vec(v, x.numel() + 1)
    });
    padded.narrow(0, 1, x.numel()).reshape(turned.shape()).permute(reversed)
}
