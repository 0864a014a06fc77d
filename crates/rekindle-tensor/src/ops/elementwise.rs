//! What element-wise operations share: running a closure over tensors, broadcasting, and undoing it in gradients.

use crate::dtype::{DType, Element};
use crate::op::{Grads, Meta};
use crate::shape::{Shape, broadcast};
use crate::storage::alloc;
use crate::tensor::Tensor;
use rekindle_kernels::map::{self, Source};

/// The shape rule of unary operations: the input's own.
pub(crate) fn same(x: &[Meta]) -> Result<Meta, String> {
    Ok(x[0].clone())
}

/// The shape rule of floating unary operations.
pub(crate) fn same_float(op: &str, x: &[Meta]) -> Result<Meta, String> {
    if !x[0].dtype.is_float() {
        return Err(format!("{op}: needs a floating tensor, got {}; convert with .float()", x[0].dtype));
    }
    same(x)
}

/// The shape rule of unary operations on numbers.
pub(crate) fn same_number(op: &str, x: &[Meta]) -> Result<Meta, String> {
    number(op, x)?;
    same(x)
}

/// The shape rule of arithmetic.
pub(crate) fn broadcasting_numbers(op: &str, x: &[Meta]) -> Result<Meta, String> {
    number(op, x)?;
    broadcasting(op, x)
}

/// Refuses truth values.
pub(crate) fn number(op: &str, x: &[Meta]) -> Result<(), String> {
    match x[0].dtype {
        DType::Bool => Err(format!("{op}: needs numbers, got bool; convert with .long() or .float()")),
        _ => Ok(()),
    }
}

/// The shape rule of binary operations: the operands broadcast and have one type (they were promoted).
pub(crate) fn broadcasting(op: &str, x: &[Meta]) -> Result<Meta, String> {
    if x[0].dtype != x[1].dtype {
        return Err(format!(
            "{op}: element types differ: {} and {}; convert with .to(..)",
            x[0].dtype, x[1].dtype
        ));
    }
    Ok(Meta { shape: broadcast(op, &x[0].shape, &x[1].shape)?, dtype: x[0].dtype })
}

/// A contiguous tensor of `shape` whose elements `fill` writes.
pub(crate) fn filled<T: Element>(shape: &Shape, fill: impl FnOnce(&mut [T])) -> Tensor {
    let mut y = alloc::<T>(shape.numel());
    fill(&mut y);
    Tensor::from_vec(y, shape)
}

/// `f` of every element.
pub(crate) fn unary<A: Element, B: Element>(x: &Tensor, f: impl Fn(A) -> B + Sync + Copy) -> Tensor {
    filled(&x.shape_owned(), |y| map::unary(&x.data::<A>(), y, f))
}

/// `f` of every pair of elements, the operands broadcast to `shape`. The usual cases (same shape, one number, a row
/// added to a matrix) are read in place; others are expanded first.
pub(crate) fn binary<A: Element, B: Element>(
    a: &Tensor,
    b: &Tensor,
    shape: &Shape,
    f: impl Fn(A, A) -> B + Sync + Copy,
) -> Tensor {
    let whole = |t: &Tensor| t.shape() == &shape[..];
    let row =
        |t: &Tensor| t.numel() == 1 || (t.dim() < shape.len() && shape.ends_with(t.shape()) && t.numel() > 0);
    // At most one operand is repeated; a single number beside a row is expanded.
    let (a, b) = match () {
        _ if whole(a) && (whole(b) || row(b)) || row(a) && whole(b) => (a.clone(), b.clone()),
        _ => (a.expand(shape), b.expand(shape)),
    };
    let (x, y) = (a.data::<A>(), b.data::<A>());
    let source = |t: &Tensor, data| if whole(t) { Source::Whole(data) } else { Source::Repeat(data) };
    filled(shape, |out| map::binary_broadcast(source(&a, &x), source(&b, &y), out, f))
}

/// `f` of every pair of elements of two tensors of one shape.
pub(crate) fn zip<A: Element, B: Element, C: Element>(
    a: &Tensor,
    b: &Tensor,
    f: impl Fn(A, B) -> C + Sync + Copy,
) -> Tensor {
    filled(&a.shape_owned(), |y| map::binary(&a.data::<A>(), &b.data::<B>(), y, f))
}

/// `f` of the elements of three tensors of one shape.
pub(crate) fn zip3<A: Element, B: Element, C: Element, D: Element>(
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    f: impl Fn(A, B, C) -> D + Sync + Copy,
) -> Tensor {
    filled(&a.shape_owned(), |y| map::ternary(&a.data::<A>(), &b.data::<B>(), &c.data::<C>(), y, f))
}

/// The backward pass of operations without one, such as comparisons.
pub(crate) fn no_grads(inputs: usize) -> Grads {
    smallvec::smallvec![None; inputs]
}

/// Undoes broadcasting in a gradient: sums over the dimensions along which an operand of `shape` was repeated.
pub(crate) fn sum_to(grad: Tensor, shape: &[usize]) -> Tensor {
    if grad.shape() == shape {
        return grad;
    }
    let lead = grad.dim() - shape.len();
    let repeated = |d: usize| d < lead || (shape[d - lead] == 1 && grad.shape()[d] != 1);
    let dims: Vec<usize> = (0..grad.dim()).filter(|&d| repeated(d)).collect();
    let summed = if dims.is_empty() { grad } else { grad.sum_dim(dims, true) };
    summed.reshape(shape)
}

/// Functions that are finite where their argument is.
pub(crate) const KEEP_FINITE: [&str; 3] = ["relu", "sigmoid", "tanh"];

/// Defines a floating unary operation from its formula and the formula of its gradient.
///
/// `backward` is written over `(g, x)` when the op keeps its input or `(g, y)` when it keeps its output; both
/// formulas are compiled for f32 and f64 alike through [`Real`](rekindle_kernels::real::Real). Parameters, if any,
/// are f64 numbers of the op and have the tensor's type in the formulas.
///
/// `wgsl` and `wgsl_backward` are the same formulas for a GPU, over `a` = x, and over `a` = g and `b` = x or y; parameters are `p.n0`, `p.n1`, ..
macro_rules! unary_float {
    (
        $(#[$doc:meta])*
        $Op:ident $({ $($param:ident),+ })?, $method:ident, keeps $keeps:ident,
        forward |$x:ident| $forward:expr,
        backward |$g:ident, $v:ident| $backward:expr,
        wgsl $wgsl:literal,
        wgsl_backward $wgsl_backward:literal
    ) => {
        #[derive(Debug)]
        struct $Op { $($($param: f64),+)? }

        #[allow(unused_variables)]
        impl $crate::op::Op for $Op {
            fn name(&self) -> &'static str {
                stringify!($method)
            }
            fn infer(&self, x: &[$crate::op::Meta]) -> Result<$crate::op::Meta, String> {
                $crate::ops::elementwise::same_float(self.name(), x)
            }
            fn forward(&self, x: &[&$crate::Tensor], out: &$crate::op::Meta) -> $crate::op::Output {
                $crate::dtype::match_float!(self.name(), out.dtype, T => {
                    $($(let $param = <T as rekindle_kernels::real::Real>::from_f64(self.$param);)+)?
                    $crate::ops::elementwise::unary(x[0], #[inline(always)] |$x: T| -> T { $forward }).into()
                })
            }
            fn backward(&self, ctx: &$crate::op::Context<'_>) -> $crate::op::Grads {
                let kept = unary_float!(@kept $keeps ctx);
                smallvec::smallvec![Some($crate::dtype::match_float!(self.name(), ctx.grad.dtype(), T => {
                    $($(let $param = <T as rekindle_kernels::real::Real>::from_f64(self.$param);)+)?
                    $crate::ops::elementwise::zip(ctx.grad, kept, #[inline(always)] |$g: T, $v: T| -> T { $backward })
                }))]
            }
            fn forward_gpu(&self, x: &[&$crate::Tensor], out: &$crate::op::Meta) -> $crate::op::Output {
                $crate::gpu::map(&$crate::gpu::of(x), $wgsl, x, &[$($(self.$param),+)?], out).into()
            }
            fn backward_gpu(&self, ctx: &$crate::op::Context<'_>) -> $crate::op::Grads {
                let kept = unary_float!(@kept $keeps ctx);
                let operands = [ctx.grad, kept];
                smallvec::smallvec![Some($crate::gpu::map(
                    &$crate::gpu::of(&operands),
                    $wgsl_backward,
                    &operands,
                    &[$($(self.$param),+)?],
                    &$crate::op::Meta::of(ctx.grad),
                ))]
            }
            fn keeps(&self) -> $crate::op::Keeps {
                $crate::op::Keeps::$keeps
            }
            fn stage(&self, _: &[$crate::op::Meta], _: &$crate::op::Meta) -> Option<Box<dyn $crate::plan::Stage>> {
                Some(Box::new($Op { $($($param: self.$param),+)? }))
            }
        }

        #[allow(unused_variables)]
        impl $crate::plan::Stage for $Op {
            fn forward(&self, rows: $crate::plan::Rows<'_>, y: &mut [f32]) {
                type T = f32;
                $($(let $param = <T as rekindle_kernels::real::Real>::from_f64(self.$param);)+)?
                rekindle_kernels::map::unary(rows.x, y, #[inline(always)] |$x: T| -> T { $forward });
            }
            fn backward(
                &self,
                rows: $crate::plan::Rows<'_>,
                dy: &[f32],
                dx: Option<&mut [f32]>,
                _: &mut [Vec<f32>],
            ) {
                type T = f32;
                $($(let $param = <T as rekindle_kernels::real::Real>::from_f64(self.$param);)+)?
                let kept = unary_float!(@kept_row $keeps rows);
                if let Some(dx) = dx {
                    rekindle_kernels::map::binary(dy, kept, dx, #[inline(always)] |$g: T, $v: T| -> T { $backward });
                }
            }
            fn keeps_finite(&self) -> bool {
                $crate::ops::elementwise::KEEP_FINITE.contains(&stringify!($method))
            }
            fn in_place(&self) -> bool {
                $crate::op::Keeps::$keeps == $crate::op::Keeps::Output
            }
            fn reads_output(&self) -> bool {
                $crate::op::Keeps::$keeps == $crate::op::Keeps::Output
            }
            fn forward_in_place(&self, _: &[bool], y: &mut [f32]) {
                type T = f32;
                $($(let $param = <T as rekindle_kernels::real::Real>::from_f64(self.$param);)+)?
                rekindle_kernels::map::in_place1(y, #[inline(always)] |$x: T| -> T { $forward });
            }
            fn backward_in_place(&self, rows: $crate::plan::Rows<'_>, dy: &mut [f32]) {
                type T = f32;
                $($(let $param = <T as rekindle_kernels::real::Real>::from_f64(self.$param);)+)?
                let kept = unary_float!(@kept_row $keeps rows);
                rekindle_kernels::map::in_place2(dy, kept, #[inline(always)] |$g: T, $v: T| -> T { $backward });
            }
        }

        impl $crate::Tensor {
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self $($(, $param: f64)+)?) -> $crate::Tensor {
                let op = $Op { $($($param),+)? };
                // Integers become the default float type, as in PyTorch.
                if self.dtype().is_float() { $crate::op::apply(op, &[self]) } else { $crate::op::apply(op, &[&self.float()]) }
            }
        }
    };
    (@kept Inputs $ctx:ident) => { $ctx.input(0) };
    (@kept Output $ctx:ident) => { $ctx.output() };
    (@kept_row Inputs $rows:ident) => { $rows.x };
    (@kept_row Output $rows:ident) => { $rows.y };
}
pub(crate) use unary_float;
