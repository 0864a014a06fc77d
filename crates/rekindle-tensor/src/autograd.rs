//! Reverse-mode automatic differentiation.
//!
//! The graph is plain data: a [`Node`] is an operation, the edges to the nodes or leaves that its inputs came from,
//! and snapshots of what the backward pass needs. Nodes are numbered in the order of their creation, so walking them
//! from the highest number down is a topological order. A tensor owns the node that made it and a node owns those
//! before it: dropping the last tensor drops the graph. The idea is that of PyTorch's engine and of the JAX Autodidax.

use crate::device::Device;
use crate::op::{Context, Keeps, Meta, Op, Output, mistake, run_backward};
use crate::storage::lock;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::cell::Cell;
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// One recorded operation.
pub(crate) struct Node {
    /// The position in the order of creation.
    seq: u64,
    op: Arc<dyn Op>,
    metas: SmallVec<[Meta; 3]>,
    /// Where its output is, and so the gradient that it wants.
    device: Device,
    edges: SmallVec<[Edge; 3]>,
    /// Emptied by a backward pass that does not retain the graph.
    kept: Mutex<Option<Kept>>,
}

/// Where an input came from.
enum Edge {
    Node(Arc<Node>),
    Leaf(Tensor),
    None,
}

/// Snapshots for the backward pass.
#[derive(Clone, Default)]
struct Kept {
    inputs: SmallVec<[Tensor; 3]>,
    output: Option<Tensor>,
    saved: Vec<Tensor>,
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.output.is_none() && self.saved.is_empty()
    }
}

static SEQ: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations are recorded on this thread.
///
/// ```
/// # use rekindle_tensor::{grad_enabled, no_grad};
/// assert!(grad_enabled() && !no_grad(grad_enabled));
/// ```
pub fn grad_enabled() -> bool {
    ENABLED.get()
}

/// Runs `f` without recording operations, as inside PyTorch's `with torch.no_grad():` (or `inference_mode`).
///
/// ```
/// # use rekindle_tensor::{no_grad, tensor};
/// let w = tensor([1.0]).requires_grad_(true);
/// let y = no_grad(|| &w * 2.0);
/// assert!(!y.requires_grad());
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    with_grad_enabled(false, f)
}

/// Runs `f` with recording switched on, also inside [`no_grad`].
///
/// ```
/// # use rekindle_tensor::{enable_grad, grad_enabled, no_grad};
/// assert!(no_grad(|| enable_grad(grad_enabled)));
/// ```
pub fn enable_grad<R>(f: impl FnOnce() -> R) -> R {
    with_grad_enabled(true, f)
}

fn with_grad_enabled<R>(on: bool, f: impl FnOnce() -> R) -> R {
    let _restore = switch_grad(on);
    f()
}

/// The former state, which comes back when this is dropped, also by a panic.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        ENABLED.set(self.0);
    }
}

fn switch_grad(on: bool) -> Restore {
    Restore(ENABLED.replace(on))
}

impl Node {
    /// Records an operation that has just been computed.
    pub(crate) fn record(
        op: Arc<dyn Op>,
        inputs: &[&Tensor],
        metas: SmallVec<[Meta; 3]>,
        out: &Output,
    ) -> Arc<Node> {
        let edges = inputs
            .iter()
            .map(|x| match &x.0.node {
                Some(node) => Edge::Node(node.clone()),
                None if x.requires_grad() => Edge::Leaf((*x).clone()),
                None => Edge::None,
            })
            .collect();
        let keeps = op.keeps();
        let inputs = match keeps {
            Keeps::Inputs | Keeps::Both => inputs.iter().map(|x| x.snapshot()).collect(),
            _ => SmallVec::new(),
        };
        let output = matches!(keeps, Keeps::Output | Keeps::Both).then(|| out.value.snapshot());
        let kept = Mutex::new(Some(Kept { inputs, output, saved: out.saved.clone() }));
        let device = out.value.device();
        Arc::new(Node { seq: SEQ.fetch_add(1, Ordering::Relaxed), op, metas, device, edges, kept })
    }

    /// The gradients of the inputs for a gradient of the output.
    #[track_caller]
    fn backward(&self, grad: &Tensor, retain: bool) -> crate::op::Grads {
        let kept = match &mut *lock(&self.kept) {
            // There is nothing to free where nothing was kept.
            Some(kept) if retain || kept.is_empty() => Some(kept.clone()),
            kept => kept.take(),
        };
        let Some(kept) = kept else {
            mistake!(
                "backward: the graph below {} was freed by an earlier backward; use backward_retain_graph there",
                self.op.name()
            );
        };
        let needs: SmallVec<[bool; 3]> = self.edges.iter().map(|e| !matches!(e, Edge::None)).collect();
        let ctx = Context {
            grad,
            metas: &self.metas,
            needs: &needs,
            inputs: &kept.inputs,
            output: kept.output.as_ref(),
            saved: &kept.saved,
        };
        let grads = run_backward(&*self.op, &ctx);
        self.check(&grads);
        grads
    }
}

impl Node {
    /// A user's operation may return anything.
    #[track_caller]
    fn check(&self, grads: &crate::op::Grads) {
        let op = self.op.name();
        if grads.len() != self.metas.len() {
            mistake!("{op}: backward gives {} gradients for {} inputs", grads.len(), self.metas.len());
        }
        for (i, (grad, meta)) in grads.iter().zip(&self.metas).enumerate() {
            if let Some(g) = grad
                && (g.shape() != &meta.shape[..] || g.dtype() != meta.dtype)
            {
                mistake!(
                    "{op}: the gradient of input {i} is {} {:?} but the input is {} {}",
                    g.dtype(),
                    g.shape(),
                    meta.dtype,
                    meta.shape
                );
            }
        }
    }
}

/// Long chains (a loss summed over a million steps) must not overflow the stack when they are dropped.
impl Drop for Node {
    fn drop(&mut self) {
        let mut stack: Vec<Edge> = self.edges.drain(..).collect();
        while let Some(edge) = stack.pop() {
            if let Edge::Node(node) = edge
                && let Some(mut node) = Arc::into_inner(node)
            {
                stack.extend(node.edges.drain(..));
            }
        }
    }
}

/// A node waiting for its turn, the latest first.
struct Turn(Arc<Node>);
impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.0.seq == other.0.seq
    }
}
impl Eq for Turn {}
impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Turn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.seq.cmp(&other.0.seq)
    }
}

impl Tensor {
    /// Computes the gradients of this one-element tensor with respect to every leaf that requires them, and adds
    /// them to [`grad`](Tensor::grad). The graph is freed.
    ///
    /// # Panics
    /// If the tensor has more than one element (use [`backward_with`](Tensor::backward_with)), was not computed from
    /// tensors that require gradients, or its graph was freed before.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0, 2.0, 3.0]).requires_grad_(true);
    /// (&x * &x).sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 4.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn backward(&self) {
        self.run_backward(None, false);
    }

    /// As [`backward`](Tensor::backward), and the graph can be walked again.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([3.0]).requires_grad_(true);
    /// let y = (&x * &x).sum();
    /// y.backward_retain_graph();
    /// y.backward();
    /// assert_eq!(x.grad().unwrap().item::<f32>(), 12.0);
    /// ```
    #[track_caller]
    pub fn backward_retain_graph(&self) {
        self.run_backward(None, true);
    }

    /// As [`backward`](Tensor::backward) for a tensor of any shape, given the gradient of the loss with respect
    /// to it.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([1.0, 2.0]).requires_grad_(true);
    /// (&x * 3.0).backward_with(&tensor([1.0, 10.0]));
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [3.0, 30.0]);
    /// ```
    #[track_caller]
    pub fn backward_with(&self, grad: &Tensor) {
        self.run_backward(Some(grad), false);
    }

    #[track_caller]
    fn run_backward(&self, grad: Option<&Tensor>, retain: bool) {
        if !self.requires_grad() {
            mistake!(
                "backward: the tensor does not require gradients; was it computed inside no_grad or from detached tensors?"
            );
        }
        let grad = match grad {
            Some(g) if g.shape() == self.shape() && g.dtype() == self.dtype() => g.detach(),
            Some(g) => mistake!(
                "backward: the gradient is {} {:?} but the tensor is {} {:?}; they must agree",
                g.dtype(),
                g.shape(),
                self.dtype(),
                self.shape()
            ),
            None if self.numel() == 1 => Tensor::ones_like(self),
            None => mistake!(
                "backward: needs a scalar, got shape {:?}; reduce it with .mean() or .sum(), or pass a gradient to backward_with",
                self.shape()
            ),
        };
        // Not in a closure: it would hide the caller's line.
        let _restore = switch_grad(false);
        match &self.0.node {
            None => accumulate(self, grad),
            Some(root) => walk(root.clone(), grad, retain),
        }
    }
}

/// Visits the nodes from the latest to the earliest, handing each the sum of the gradients that reached it.
#[track_caller]
fn walk(root: Arc<Node>, grad: Tensor, retain: bool) {
    let mut arrived: HashMap<u64, Tensor> = HashMap::from([(root.seq, grad)]);
    let mut turns = BinaryHeap::from([Turn(root)]);
    while let Some(Turn(node)) = turns.pop() {
        // The same node can wait more than once; its first turn took the whole sum.
        let Some(grad) = arrived.remove(&node.seq) else { continue };
        let grads = node.backward(&grad, retain);
        for (edge, grad) in node.edges.iter().zip(grads) {
            let Some(grad) = grad else { continue };
            match edge {
                Edge::None => {}
                Edge::Leaf(leaf) => accumulate(leaf, grad),
                Edge::Node(next) => {
                    let grad = grad.to(next.device);
                    match arrived.remove(&next.seq) {
                        Some(sum) => arrived.insert(next.seq, &sum + &grad),
                        None => {
                            turns.push(Turn(next.clone()));
                            arrived.insert(next.seq, grad)
                        }
                    };
                }
            }
        }
    }
}

/// Adds a gradient to a leaf's.
fn accumulate(leaf: &Tensor, grad: Tensor) {
    let grad = grad.to(leaf.device());
    let sum = match leaf.grad() {
        Some(sum) => &sum + &grad,
        // A gradient that views other memory (an expanded sum, the upstream gradient itself) gets its own, because
        // users may change it in place.
        None => grad.to_owned_memory(),
    };
    leaf.set_grad(Some(sum));
}

impl Tensor {
    /// The names of the recorded operations below this tensor, latest first: a picture of the graph in words.
    ///
    /// ```
    /// # use rekindle_tensor::tensor;
    /// let x = tensor([0.5]).requires_grad_(true);
    /// assert_eq!((x.exp() + 1.0).graph(), ["add", "exp"]);
    /// ```
    pub fn graph(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut turns: BinaryHeap<Turn> = self.0.node.iter().cloned().map(Turn).collect();
        let mut last = None;
        while let Some(Turn(node)) = turns.pop() {
            if last == Some(node.seq) {
                continue;
            }
            last = Some(node.seq);
            names.push(node.op.name());
            turns.extend(node.edges.iter().filter_map(|e| match e {
                Edge::Node(n) => Some(Turn(n.clone())),
                _ => None,
            }));
        }
        names
    }

    /// The name of the operation that made this tensor, for printing.
    pub(crate) fn op_name(&self) -> Option<&'static str> {
        self.0.node.as_ref().map(|n| n.op.name())
    }
}
