//! [`summary`]: a table of the layers, their output shapes and parameters.

use crate::Parameters;
use crate::module::Module;
use crate::observe::{Call, Id, id, record};
use crate::visit::{Entry, LIST, Mode, Visitor};
use rekindle_tensor::random::{Generator, with_generator};
use rekindle_tensor::{DType, Device, Tensor, no_grad};
use std::fmt;

/// One layer of a [`Summary`].
///
/// ```
/// use rekindle_nn::{Linear, Row, summary};
/// let row = Row { name: String::new(), layer: "Linear".into(), output: vec![None, Some(1)], parameters: 3 };
/// assert_eq!(summary(&Linear::new(2, 1), [2]).rows, [row]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The layer's name in the network, such as `"0"` or `"conv1"`.
    pub name: String,
    /// The layer's type.
    pub layer: String,
    /// The shape of its output, `None` where it grows with the batch; empty if the layer did not run.
    pub output: Vec<Option<usize>>,
    /// The weights of the layer, without those of its children.
    pub parameters: usize,
}

/// The layers of a network with their output shapes and sizes; it prints as a table.
///
/// ```
/// use rekindle_nn::{Linear, summary};
/// let summary = summary(&Linear::new(2, 1), [2]);
/// assert_eq!((summary.total, summary.trainable, summary.bytes), (3, 3, 12));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The layers, in the order of the fields.
    pub rows: Vec<Row>,
    /// All weights, each counted once.
    pub total: usize,
    /// The weights that require gradients.
    pub trainable: usize,
    /// Memory of the parameters and buffers.
    pub bytes: usize,
}

/// The layers of a network, found by running it on zeros of `input_shape` (without the batch dimension).
///
/// The network runs in evaluation mode without recording, and everything is as before afterwards: mode, running
/// statistics, random stream. The shape of a layer of one's own that another `forward` calls directly is known if its
/// own `forward` calls [`observe`](crate::observe); else a dash stands for it.
///
/// # Panics
/// If the network does not fit the input.
///
/// ```
/// use rekindle_nn::{sequential, summary, Linear, ReLU};
/// let net = sequential![Linear::new(784, 32), ReLU, Linear::new(32, 1)];
/// assert_eq!(summary(&net, [784]).to_string(), "\
/// Layer       Output shape  Parameters
/// ------------------------------------
/// 0 (Linear)  [None, 32]        25,120
/// 1 (ReLU)    [None, 32]             0
/// 2 (Linear)  [None, 1]             33
/// ------------------------------------
/// Total parameters: 25,153
/// Trainable parameters: 25,153
/// Size: 100,612 bytes");
/// ```
#[track_caller]
pub fn summary(net: &impl Module, input_shape: impl AsRef<[usize]>) -> Summary {
    summary_of(net, input_shape, DType::F32)
}

/// As [`summary`], for a network whose input has the given type (i64 for embeddings).
///
/// ```
/// use rekindle_nn::{Embedding, summary_of};
/// let summary = summary_of(&Embedding::new(10, 3), [5], rekindle_tensor::DType::I64);
/// assert_eq!(summary.rows[0].output, [None, Some(5), Some(3)]);
/// ```
#[track_caller]
pub fn summary_of(net: &impl Module, input_shape: impl AsRef<[usize]>, dtype: DType) -> Summary {
    let (parameters, buffers) = (net.parameters(), net.named_buffers());
    let tensors: Vec<&Tensor> = parameters.iter().chain(buffers.iter().map(|(_, b)| b)).collect();
    let device = tensors.first().map_or(Device::Cpu, |t| t.device());
    // Two batch sizes show which dimensions grow with the batch.
    let outputs = [2, 3].map(|batch| {
        let shape: Vec<usize> = [&[batch], input_shape.as_ref()].concat();
        dry_run(net, &Tensor::full_of(shape, 0.0, dtype).to(device))
    });
    let mut rows = Rows { outputs, rows: Vec::new(), seen: Vec::new() };
    rows.add("", net);
    let count = |trainable: bool| {
        parameters.iter().filter(|p| p.requires_grad() || !trainable).map(Tensor::numel).sum()
    };
    Summary {
        rows: rows.rows,
        total: count(false),
        trainable: count(true),
        bytes: tensors.iter().map(|t| t.numel() * t.dtype().size()).sum(),
    }
}

/// Runs the network without leaving a trace and returns the calls of its layers, the network's own last.
#[track_caller]
fn dry_run(net: &impl Module, x: &Tensor) -> Vec<Call> {
    /// Puts training flags back, also after a panic.
    struct Restore<'a, M: Module>(&'a M, Vec<bool>);
    impl<M: Module> Drop for Restore<'_, M> {
        fn drop(&mut self) {
            let mut modes = self.1.iter();
            each_mode(self.0, |mode| _ = modes.next().map(|&on| mode.set_training(on)));
        }
    }
    let mut modes = Vec::new();
    each_mode(net, |mode| modes.push(mode.is_training()));
    let _restore = Restore(net, modes);
    net.eval();
    let (y, mut calls) = record(|| no_grad(|| with_generator(&mut Generator::seeded(0), || net.forward(x))));
    calls.push(Call { id: id(net), shape: y.shape().to_vec() });
    calls
}

fn each_mode(net: &impl Module, mut f: impl FnMut(&Mode)) {
    net.walk(&mut |_, entry| {
        if let Entry::Mode(mode) = entry {
            f(mode);
        }
    });
}

/// Collects the rows: modules without children and modules with weights of their own.
struct Rows {
    outputs: [Vec<Call>; 2],
    rows: Vec<Row>,
    /// Modules already listed, to tell those apart that share an address because they have no size.
    seen: Vec<Id>,
}

impl Rows {
    fn add(&mut self, name: &str, module: &dyn Parameters) {
        let (mut children, mut parameters) = (0, 0);
        module.visit(&mut Visitor::shallow(&mut |_, entry| match entry {
            Entry::Module(_) => children += 1,
            Entry::Parameter(p) => parameters += p.numel(),
            _ => {}
        }));
        let layer = module.type_name();
        if (children == 0 && layer != LIST) || parameters > 0 {
            let output = self.output(id(module));
            self.rows.push(Row { name: name.to_string(), layer, output, parameters });
        }
        module.visit(&mut Visitor::shallow(&mut |child, entry| {
            if let Entry::Module(module) = entry {
                let name = if name.is_empty() { child.to_string() } else { format!("{name}.{child}") };
                self.add(&name, module);
            }
        }));
    }

    /// The module's last output; of its n-th call if it is the n-th module at this address.
    fn output(&mut self, id: Id) -> Vec<Option<usize>> {
        let nth = self.seen.iter().filter(|seen| **seen == id).count();
        let shape = |calls: &[Call]| {
            let own: Vec<&Call> = calls.iter().filter(|call| call.id == id).collect();
            let call = own.get(nth).or(own.last())?;
            Some(call.shape.clone())
        };
        let (small, large) = (shape(&self.outputs[0]), shape(&self.outputs[1]));
        self.seen.push(id);
        let (small, large) = (small.unwrap_or_default(), large.unwrap_or_default());
        small.iter().zip(&large).map(|(a, b)| (a == b).then_some(*a)).collect()
    }
}

/// `1234567` as `1,234,567`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shape_text(shape: &[Option<usize>]) -> String {
    if shape.is_empty() {
        return "-".to_string();
    }
    let sizes: Vec<String> = shape.iter().map(|n| n.map_or("None".to_string(), |n| n.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = |row: &Row| match row.name.as_str() {
            "" => row.layer.clone(),
            name => format!("{name} ({})", row.layer),
        };
        let line = |row: &Row| [title(row), shape_text(&row.output), grouped(row.parameters)];
        let head = ["Layer", "Output shape", "Parameters"].map(String::from);
        let lines: Vec<[String; 3]> = std::iter::once(head).chain(self.rows.iter().map(line)).collect();
        let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0);
        let [a, b, c] = [width(0), width(1), width(2)];
        let rule = "-".repeat(a + b + c + 4);
        for (i, [name, shape, parameters]) in lines.iter().enumerate() {
            writeln!(f, "{name:a$}  {shape:b$}  {parameters:>c$}")?;
            if i == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        writeln!(f, "{rule}")?;
        writeln!(f, "Total parameters: {}", grouped(self.total))?;
        writeln!(f, "Trainable parameters: {}", grouped(self.trainable))?;
        write!(f, "Size: {} bytes", grouped(self.bytes))
    }
}
