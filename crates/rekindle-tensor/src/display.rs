//! Tensors as text, the way PyTorch prints them.
//!
//! One number format is chosen for the whole tensor from the elements that will be shown:
//!
//! * every finite element whole: `1.`, `-2.` (int mode), otherwise four decimals: `0.7542`;
//! * scientific (`1.5000e-05`) where the largest magnitude is over 1e8, the smallest non-zero one is under
//!   1e-4, or their ratio is over 1000;
//! * all right-aligned to the widest non-zero finite element, rows broken at 80 columns;
//! * over 1000 elements only the first and last three of each dimension are shown.
//!
//! Everything here is a pure function of a shape and a way to read one element, so that a tensor of any
//! dtype and layout can be printed without a copy.
//!
//! Rules: PyTorch 2.15 with its default print options.

use std::fmt::Write;

/// Decimals of a floating element.
const PRECISION: usize = 4;
/// More elements than this are summarised.
const THRESHOLD: usize = 1000;
/// Elements kept at each end of a summarised dimension.
const EDGE_ITEMS: usize = 3;
/// Columns of a line.
const LINE_WIDTH: usize = 80;
const PREFIX: &str = "tensor(";

/// One element of a tensor, to be printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element {
    /// An element of a floating dtype, widened to f64 (exact for f32).
    Float(f64),
    /// An element of an integer dtype.
    Int(i64),
    /// An element of a boolean dtype.
    Bool(bool),
}

/// The text that PyTorch prints for a tensor.
///
/// `element(i)` reads the `i`-th element in row-major order; it is called only for the elements shown.
/// `dtype` is the name without `torch.` (`float32`, `float64`, `int64`, `bool`) and is mentioned where the
/// elements leave it open. `suffix` comes last, for example `requires_grad=True`.
///
/// ```
/// use rekindle_tensor::display::{Element, tensor_text};
///
/// let x = [0.75, -1.5, f64::NAN, 3.0];
/// let text = tensor_text(&[2, 2], "float32", |i| Element::Float(x[i]), None);
/// assert_eq!(text, "tensor([[ 0.7500, -1.5000],\n        [    nan,  3.0000]])");
/// ```
pub fn tensor_text(
    shape: &[usize],
    dtype: &str,
    element: impl Fn(usize) -> Element,
    suffix: Option<&str>,
) -> String {
    let numel: usize = shape.iter().product();
    let mut suffixes = Vec::new();
    let mut text = String::from(PREFIX);
    if numel == 0 {
        text.push_str("[]");
        // `[]` alone means one dimension of size 0.
        if shape.len() != 1 {
            suffixes.push(format!("size={}", tuple_text(shape)));
        }
    } else {
        let printer = Printer::new(shape, numel > THRESHOLD, &element);
        printer.write(&mut text, 0, 0, PREFIX.len());
    }
    // Elements tell float32, int64 and bool apart; without any, only the default dtype goes unsaid.
    let implied = if numel == 0 { dtype == "float32" } else { ["float32", "int64", "bool"].contains(&dtype) };
    if !implied {
        suffixes.push(format!("dtype=torch.{dtype}"));
    }
    suffixes.extend(suffix.map(str::to_string));
    append_suffixes(&mut text, &suffixes);
    text
}

/// A shape as Python prints a tuple: `(0, 3)`, `(5,)`, `()`.
fn tuple_text(shape: &[usize]) -> String {
    let sizes: Vec<_> = shape.iter().map(usize::to_string).collect();
    if let [only] = &sizes[..] { format!("({only},)") } else { format!("({})", sizes.join(", ")) }
}

fn append_suffixes(text: &mut String, suffixes: &[String]) {
    // PyTorch takes the tensor's last line for two columns longer than it is.
    let mut column = text.rsplit('\n').next().map_or(0, str::len) + 2;
    for suffix in suffixes {
        if column + suffix.len() + 2 > LINE_WIDTH {
            let indent = PREFIX.len();
            write!(text, ",\n{:indent$}{suffix}", "").expect("writing to a String");
            column = indent + suffix.len();
        } else {
            write!(text, ", {suffix}").expect("writing to a String");
            column += suffix.len() + 2;
        }
    }
    text.push(')');
}

struct Printer<'a> {
    shape: &'a [usize],
    summarize: bool,
    element: &'a dyn Fn(usize) -> Element,
    format: Format,
}

impl<'a> Printer<'a> {
    fn new(shape: &'a [usize], summarize: bool, element: &'a dyn Fn(usize) -> Element) -> Self {
        let mut printer = Self { shape, summarize, element, format: Format::default() };
        let mut shown = Vec::new();
        printer.collect_shown(0, 0, &mut shown);
        printer.format = Format::of(&shown);
        printer
    }

    /// The number of leading and trailing entries shown of dimension `dim`; all are leading if none is left out.
    fn ends(&self, dim: usize) -> (usize, usize) {
        if self.is_cut(dim) { (EDGE_ITEMS, EDGE_ITEMS) } else { (self.shape[dim], 0) }
    }

    fn is_cut(&self, dim: usize) -> bool {
        self.summarize && self.shape[dim] > 2 * EDGE_ITEMS
    }

    /// Row-major numbers of the blocks of dimension `dim` that are shown, given the block around them.
    fn shown_blocks(&self, dim: usize, block: usize) -> impl Iterator<Item = usize> + use<> {
        let size = self.shape[dim];
        let (head, tail) = self.ends(dim);
        (0..head).chain(size - tail..size).map(move |i| block * size + i)
    }

    fn collect_shown(&self, dim: usize, block: usize, shown: &mut Vec<Element>) {
        if dim == self.shape.len() {
            shown.push((self.element)(block));
        } else {
            self.shown_blocks(dim, block).for_each(|inner| self.collect_shown(dim + 1, inner, shown));
        }
    }

    /// Writes block number `block` of the dimensions from `dim` on, its bracket standing at column `column`.
    fn write(&self, text: &mut String, dim: usize, block: usize, column: usize) {
        match self.shape.len() - dim {
            0 => text.push_str(&self.format.apply((self.element)(block))),
            1 => self.write_row(text, dim, block, column),
            rank => {
                let separator = format!(",{}{:indent$}", "\n".repeat(rank - 1), "", indent = column + 1);
                text.push('[');
                for (i, inner) in self.shown_blocks(dim, block).enumerate() {
                    if i > 0 {
                        text.push_str(&separator);
                    }
                    if i == EDGE_ITEMS && self.is_cut(dim) {
                        text.push_str("...");
                        text.push_str(&separator);
                    }
                    self.write(text, dim + 1, inner, column + 1);
                }
                text.push(']');
            }
        }
    }

    fn write_row(&self, text: &mut String, dim: usize, block: usize, column: usize) {
        let mut entries: Vec<String> =
            self.shown_blocks(dim, block).map(|i| self.format.apply((self.element)(i))).collect();
        if self.is_cut(dim) {
            entries.insert(EDGE_ITEMS, " ...".into());
        }
        let per_line = (LINE_WIDTH.saturating_sub(column) / (self.format.width + 2)).max(1);
        let lines: Vec<String> = entries.chunks(per_line).map(|line| line.join(", ")).collect();
        let separator = format!(",\n{:indent$}", "", indent = column + 1);
        write!(text, "[{}]", lines.join(&separator)).expect("writing to a String");
    }
}

/// How every element of one tensor is written.
#[derive(Default)]
struct Format {
    notation: Notation,
    width: usize,
}

#[derive(Clone, Copy, Default)]
enum Notation {
    /// `3.`
    #[default]
    Whole,
    /// `3.0000`
    Fixed,
    /// `3.0000e+00`
    Scientific,
}

impl Format {
    fn of(shown: &[Element]) -> Self {
        // Zeros and non-finite elements have no say in the notation, nor floating ones in the width.
        let deciding = |x: f64| x != 0.0 && x.is_finite();
        let magnitudes = shown.iter().filter_map(|&x| match x {
            Element::Float(x) if deciding(x) => Some(x.abs()),
            _ => None,
        });
        let (mut min, mut max, mut whole) = (f64::INFINITY, 0.0f64, true);
        for x in magnitudes {
            (min, max, whole) = (min.min(x), max.max(x), whole && x.fract() == 0.0);
        }
        let scientific = max > 0.0 && (max / min > 1000.0 || max > 1e8 || min < 1e-4);
        let notation = match (scientific, whole) {
            (true, _) => Notation::Scientific,
            (false, true) => Notation::Whole,
            (false, false) => Notation::Fixed,
        };
        let unaligned = Self { notation, width: 0 };
        let widths = shown.iter().filter(|x| !matches!(x, Element::Float(x) if !deciding(*x)));
        let width = widths.map(|&x| unaligned.apply(x).len()).max().unwrap_or(1);
        Self { notation, width }
    }

    fn apply(&self, element: Element) -> String {
        let digits = match element {
            Element::Int(x) => x.to_string(),
            Element::Bool(true) => "True".into(),
            Element::Bool(false) => "False".into(),
            Element::Float(x) if x.is_nan() => "nan".into(),
            Element::Float(x) if x.is_infinite() => x.to_string(),
            Element::Float(x) => match self.notation {
                Notation::Whole => format!("{x:.0}."),
                Notation::Fixed => format!("{x:.PRECISION$}"),
                Notation::Scientific => scientific_text(x),
            },
        };
        format!("{digits:>width$}", width = self.width)
    }
}

/// Scientific notation as in C: a sign and at least two digits in the exponent.
fn scientific_text(x: f64) -> String {
    let text = format!("{x:.PRECISION$e}");
    let (mantissa, exponent) = text.split_once('e').expect("a formatted exponent");
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// PyTorch's name for the backward of an operation: `log_softmax` gives `LogSoftmaxBackward0`.
pub(crate) fn backward_name(op: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    op.split('_').filter(|w| !w.is_empty()).map(word).collect::<String>() + "Backward0"
}

#[cfg(test)]
mod tests;
