//! Element-wise kernels from one expression, whatever the strides of their inputs.

use super::driver::{self, Kernel};
use super::{Gpu, Memory, Number, empty, memory, must, prelude, threads, wgsl, written};
use crate::device::Device;
use crate::dtype::{DType, Scalar};
use crate::layout::Layout;
use crate::op::{Meta, fail};
use crate::shape::{Dims, Shape};
use crate::tensor::Tensor;
use std::fmt::Write;

/// The names of the operands in an expression.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Numbers that a launch can pass; views that need more are copied first.
const MOST_NUMBERS: usize = 64;

/// A new tensor of which every element is the expression of those of the operands, broadcast to `out`.
///
/// The operands are `a`, `b`, `c`, .. in their order, numbers `p.n0`, `p.n1`, .. as floats, the position in row-major order `i`. f32 elements are
/// `f32`, i64 `i32`, truth values `bool`; the expression has the type of `out`. The functions of `gpu/prelude.wgsl` are known. An operand without
/// dimensions may be on the CPU: it is passed as a number.
///
/// # Panics
/// If the device fails.
#[track_caller]
pub fn map(gpu: &Gpu, expression: &str, operands: &[&Tensor], numbers: &[f64], out: &Meta) -> Tensor {
    let y = empty(gpu, out);
    map_into(gpu, expression, operands, numbers, &y);
    y
}

/// As [`map`], over the elements of `y`, which may be a view. The operands must not be views of its memory.
///
/// # Panics
/// If the device fails.
#[track_caller]
pub fn map_into(gpu: &Gpu, expression: &str, operands: &[&Tensor], numbers: &[f64], y: &Tensor) {
    let shape = y.shape_owned();
    if shape.numel() == 0 {
        return;
    }
    assert!(operands.len() <= NAMES.len(), "map: more operands than names");
    let operands: Vec<Operand> = operands.iter().map(|x| Operand::new(x, &shape)).collect();
    if operands.iter().filter_map(Operand::layout).chain([&y.0.layout]).all(|l| way(l) != Way::Strided)
        && y.is_contiguous()
    {
        return in_a_row(gpu, expression, &operands, numbers, y);
    }
    let mut kernel = Map::new(expression, &operands, numbers, y);
    if kernel.numbers.len() > MOST_NUMBERS {
        let plain: Vec<Operand> = operands.into_iter().map(|x| x.packed(gpu)).collect();
        kernel = Map::new(expression, &plain, numbers, y);
    }
    kernel.launch(gpu, shape.numel(), y);
}

/// Where no index must be taken apart, a map can be fused with those before and after it.
#[track_caller]
fn in_a_row(gpu: &Gpu, expression: &str, operands: &[Operand], numbers: &[f64], y: &Tensor) {
    let operand = |x: &Operand| match x {
        Operand::Constant(value, dtype) => {
            let (t, number) = constant(*value, *dtype);
            driver::Operand::Constant(t, number.word())
        }
        Operand::Elements(x) => driver::Operand::Elements {
            memory: memory(x),
            at: x.0.layout.offset,
            one: way(&x.0.layout) == Way::One,
            of: wgsl(x.dtype()),
        },
    };
    let operands = operands.iter().map(operand).collect();
    gpu.element_wise(driver::Statement {
        n: y.numel(),
        operands,
        numbers: &numbers.iter().map(|&n| n as f32).collect::<Vec<f32>>(),
        expression,
        output: written(y),
        at: y.0.layout.offset,
        result: wgsl(y.dtype()),
        prelude: prelude::TEXT,
    });
}

/// A number from the CPU: its type in WGSL, and its word.
#[track_caller]
fn constant(value: Scalar, dtype: DType) -> (&'static str, Number) {
    match dtype {
        DType::F32 | DType::F64 => ("f32", Number::Float(value.as_f64() as f32)),
        DType::I64 => match i32::try_from(value.as_i64()) {
            Ok(v) => ("i32", Number::Signed(v)),
            Err(_) => fail(format!("a GPU holds integers in 32 bits and {} does not fit", value.as_i64())),
        },
        DType::Bool => ("u32", Number::Unsigned(u32::from(value.as_bool()))),
    }
}

/// The elements of a view, copied into row-major order.
#[track_caller]
pub(crate) fn packed(gpu: &Gpu, x: &Tensor) -> Tensor {
    // Whatever type the words have, they are copied as they are.
    map(gpu, "a", &[x], &[], &Meta::of(x))
}

/// An operand as a kernel reads it.
enum Operand {
    /// A number from the CPU.
    Constant(Scalar, DType),
    /// Elements, expanded to the shape of the result.
    Elements(Tensor),
}

impl Operand {
    #[track_caller]
    fn new(x: &Tensor, shape: &Shape) -> Operand {
        match x.device() {
            Device::Cpu if x.dim() == 0 => Operand::Constant(x.value(), x.dtype()),
            Device::Cpu => fail("gpu: a tensor is on the cpu; move it with .to(&device)".into()),
            _ => Operand::Elements(x.detach().expand(shape)),
        }
    }

    fn packed(self, gpu: &Gpu) -> Operand {
        match self {
            Operand::Elements(x) if !x.is_contiguous() => Operand::Elements(packed(gpu, &x)),
            other => other,
        }
    }

    fn layout(&self) -> Option<&Layout> {
        match self {
            Operand::Constant(..) => None,
            Operand::Elements(x) => Some(&x.0.layout),
        }
    }
}

/// How an index leads to an element.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// All are the same.
    One,
    /// In row-major order.
    Row,
    /// By strides.
    Strided,
}

fn way(layout: &Layout) -> Way {
    match () {
        _ if layout.shape.iter().zip(&layout.strides).all(|(&n, &step)| n == 1 || step == 0) => Way::One,
        _ if layout.is_contiguous() => Way::Row,
        _ => Way::Strided,
    }
}

/// The dimensions of several layouts of one shape, those merged that step evenly in all.
fn collapsed(shape: &Shape, layouts: &[&Layout]) -> (Dims, Vec<Dims>) {
    let (mut sizes, mut strides) = (Dims::new(), vec![Dims::new(); layouts.len()]);
    for d in (0..shape.len()).filter(|&d| shape[d] != 1) {
        let n = shape[d];
        let even = !sizes.is_empty()
            && layouts
                .iter()
                .zip(&strides)
                .all(|(l, s)| s.last().is_some_and(|&last| last == l.strides[d] * n));
        if even {
            *sizes.last_mut().expect("it is not empty") *= n;
            layouts
                .iter()
                .zip(&mut strides)
                .for_each(|(l, s)| *s.last_mut().expect("as many") = l.strides[d]);
        } else {
            sizes.push(n);
            layouts.iter().zip(&mut strides).for_each(|(l, s)| s.push(l.strides[d]));
        }
    }
    (sizes, strides)
}

/// A kernel as it is put together: its text, its numbers, its name.
struct Map {
    io: String,
    params: String,
    body: String,
    numbers: Vec<Number>,
    reads: Vec<Memory>,
}

impl Map {
    fn new(expression: &str, operands: &[Operand], constants: &[f64], y: &Tensor) -> Map {
        let shape = y.shape_owned();
        let written = &y.0.layout;
        let layouts: Vec<&Layout> = operands.iter().filter_map(Operand::layout).chain([written]).collect();
        let strided: Vec<&Layout> = layouts.into_iter().filter(|l| way(l) == Way::Strided).collect();
        let (sizes, strides) = collapsed(&shape, &strided);
        let mut map = Map {
            io: String::new(),
            params: "n".into(),
            body: String::new(),
            numbers: vec![shape.numel().into()],
            reads: Vec::new(),
        };
        if !strided.is_empty() {
            map.indices(&sizes);
        }
        let mut strides = strides.iter();
        for (name, operand) in NAMES.iter().zip(operands) {
            match operand {
                Operand::Constant(value, dtype) => map.constant(name, *value, *dtype),
                Operand::Elements(x) => {
                    let at = map.address(name, &x.0.layout, &mut strides);
                    map.read(name, x, &at);
                }
            }
        }
        for (i, &value) in constants.iter().enumerate() {
            _ = write!(map.params, ", n{i}: f32");
            map.numbers.push(value.into());
        }
        let at = map.address("y", written, &mut strides);
        let value = match y.dtype() {
            DType::Bool => format!("select(0u, 1u, {expression})"),
            _ => expression.to_string(),
        };
        _ = write!(map.io, " -> y: {}", wgsl(y.dtype()));
        _ = writeln!(map.body, "    y[{at}] = {value};");
        map
    }

    /// The index along each dimension, the last first.
    fn indices(&mut self, sizes: &[usize]) {
        _ = writeln!(self.body, "    var rest = i;");
        for (d, &n) in sizes.iter().enumerate().rev() {
            _ = write!(self.params, ", s{d}");
            self.numbers.push(n.into());
            _ = writeln!(self.body, "    let i{d} = rest % p.s{d}; rest = rest / p.s{d};");
        }
    }

    /// Where the element of an operand lies.
    fn address<'a>(
        &mut self,
        name: &str,
        layout: &Layout,
        strides: &mut impl Iterator<Item = &'a Dims>,
    ) -> String {
        _ = write!(self.params, ", {name}_at");
        self.numbers.push(layout.offset.into());
        match way(layout) {
            Way::One => format!("p.{name}_at"),
            Way::Row => format!("p.{name}_at + i"),
            Way::Strided => {
                let mut at = format!("p.{name}_at");
                for (d, &step) in strides.next().into_iter().flatten().enumerate() {
                    _ = write!(self.params, ", {name}_{d}");
                    self.numbers.push(step.into());
                    _ = write!(at, " + i{d} * p.{name}_{d}");
                }
                at
            }
        }
    }

    fn read(&mut self, name: &str, x: &Tensor, at: &str) {
        let buffer = format!("x{}", self.reads.len());
        let comma = if self.reads.is_empty() { "" } else { ", " };
        _ = write!(self.io, "{comma}{buffer}: {}", wgsl(x.dtype()));
        let truth = if x.dtype() == DType::Bool { " != 0u" } else { "" };
        _ = writeln!(self.body, "    let {name} = {buffer}[{at}]{truth};");
        self.reads.push(memory(x));
    }

    fn constant(&mut self, name: &str, value: Scalar, dtype: DType) {
        let (t, number) = constant(value, dtype);
        let truth = if t == "u32" { " != 0u" } else { "" };
        _ = write!(self.params, ", {name}_is: {t}");
        self.numbers.push(number);
        _ = writeln!(self.body, "    let {name} = p.{name}_is{truth};");
    }

    #[track_caller]
    fn launch(self, gpu: &Gpu, n: usize, y: &Tensor) {
        let name = format!("map {} | {} | {}", self.io, self.params, self.body);
        let kernel = || Kernel {
            name: name.clone(),
            io: self.io.into(),
            params: self.params.into(),
            body: prelude::with(&format!("fn each(i: u32) {{\n{}}}", self.body)).into(),
        };
        let pipeline = must(gpu.pipeline(&name, kernel));
        let y = written(y);
        let buffers: Vec<&Memory> = self.reads.iter().chain([&y]).collect();
        let numbers: Vec<u32> = self.numbers.iter().map(|n| n.word()).collect();
        gpu.launch_live(&pipeline, &buffers, &numbers, threads(n), None);
    }
}
