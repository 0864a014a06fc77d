//! A quick look: curves, points and decision boundaries as text.
//!
//! Only ASCII and Braille patterns are used: those are one column wide in every terminal, while the usual blocks and lines are
//! two wide in many Korean, Chinese and Japanese ones.

use crate::axis::Axis;
use crate::boundary::around;
use crate::classes::{self, argmax};
use crate::curves::{Group, Series};
use crate::scatter::Points;
use rekindle_tensor::{Tensor, mistake, no_grad};

/// Draws into text of a number of columns and rows.
///
/// ```
/// # use rekindle_plot::Terminal;
/// let loss: Vec<(f64, f64)> = (1..=50).map(|e| (e as f64, 1.0 / e as f64)).collect();
/// let text = Terminal::new(60, 12).curves(&[("train", &loss)], "loss");
/// assert!(text.lines().count() == 12 && text.lines().all(|line| line.chars().count() <= 60));
/// ```
#[derive(Clone, Debug)]
pub struct Terminal {
    columns: usize,
    rows: usize,
    color: bool,
    class_names: Vec<String>,
    x_label: Option<String>,
    y_label: Option<String>,
}

/// The signs of classes and of curves that cannot be told apart by colour.
const SIGNS: [char; 10] = ['o', 'x', '*', '+', '#', '@', '%', '=', '&', '$'];
/// The sign where several curves meet, which no curve has.
const SEVERAL: char = '#';
/// The signs of the regions of classes.
const REGIONS: [char; 10] = ['.', ':', '-', '~', '\'', ',', '_', '"', '`', ';'];
/// Colours of the 256-colour palette next to those of the pictures.
const COLORS: [u8; 8] = [32, 214, 36, 175, 117, 166, 227, 250];

/// Columns for the labels of the y axis.
const GUTTER: usize = 9;

/// One character, and the class or curve that it belongs to.
type Cell = (char, Option<usize>);

impl Terminal {
    /// Text of at most so many columns and rows, without colours. A legend that needs more than one row makes it longer.
    ///
    /// # Panics
    /// If there are less than 24 columns or 6 rows, or more than 1000 of either.
    #[track_caller]
    pub fn new(columns: usize, rows: usize) -> Terminal {
        if !(24..=1000).contains(&columns) || !(6..=1000).contains(&rows) {
            mistake!(
                "terminal: needs 24 to 1000 columns and 6 to 1000 rows, got {columns} x {rows}; try 72 x 20"
            );
        }
        Terminal { columns, rows, color: false, class_names: Vec::new(), x_label: None, y_label: None }
    }

    /// Turns ANSI colours on: for a terminal, not for a file.
    pub fn color(mut self, on: bool) -> Terminal {
        self.color = on;
        self
    }

    /// Names the classes, in the order of their numbers.
    pub fn class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Terminal {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the x axis. Without it, two features are "x1" and "x2".
    ///
    /// ```
    /// # use rekindle_plot::Terminal;
    /// use rekindle_tensor::tensor;
    /// let (x, y) = (tensor([[0.0, 0.0], [1.0, 1.0]]), tensor([0, 1]));
    /// let text = Terminal::new(40, 10).x_label("length").y_label("width").scatter(&x, &y);
    /// assert!(text.starts_with("width over length\n"));
    /// ```
    pub fn x_label(mut self, label: &str) -> Terminal {
        self.x_label = Some(label.to_owned());
        self
    }

    /// Names the y axis.
    pub fn y_label(mut self, label: &str) -> Terminal {
        self.y_label = Some(label.to_owned());
        self
    }

    /// Draws curves over the epochs, as [`crate::curves`] does. One curve, and coloured ones, are drawn with Braille dots;
    /// several without colour with a sign each, and `#` where they meet.
    ///
    /// ```
    /// # use rekindle_plot::Terminal;
    /// let (train, test) = ([(1.0, 0.9), (2.0, 0.5)], [(1.0, 1.0), (2.0, 0.7)]);
    /// let text = Terminal::new(40, 10).curves(&[("train", &train), ("test", &test)], "loss");
    /// assert!(text.contains("o train") && text.contains("x test"));
    /// ```
    pub fn curves(&self, series: &[Series], y_label: &str) -> String {
        let group = Group::new(series, y_label);
        let log = group.spans_decades();
        let (x, y) = (group.x_axis(), group.y_axis(log));
        let dots = self.color || series.len() < 2;
        let (columns, rows) = self.inner();
        let mut canvas = vec![vec![(' ', None); columns]; rows];
        for (i, (_, points)) in series.iter().enumerate() {
            for piece in points.split(|p| !(x.shows(p.0) && y.shows(p.1))) {
                let at = |p: &(f64, f64)| {
                    let across = x.fraction(p.0) * (columns * 2 - 1) as f64;
                    (across.round() as i64, ((1.0 - y.fraction(p.1)) * (rows * 4 - 1) as f64).round() as i64)
                };
                let places: Vec<(i64, i64)> = piece.iter().map(at).collect();
                for pair in places.windows(2) {
                    between(pair[0], pair[1]).for_each(|dot| put(&mut canvas, dot, i, dots));
                }
                places.iter().take(1).for_each(|dot| put(&mut canvas, *dot, i, dots));
            }
        }
        let sign = |i: usize| if dots { '⠶' } else { curve_sign(i) };
        let mut legend: Vec<_> =
            series.iter().enumerate().map(|(i, s)| (sign(i), Some(i), s.0.to_owned())).collect();
        if canvas.iter().flatten().any(|cell| cell.0 != ' ' && cell.1.is_none()) {
            legend.push((if dots { '⠶' } else { SEVERAL }, None, "several".into()));
        }
        let y_label = self.y_label.as_deref().unwrap_or(y_label);
        let mut name = if log { format!("{y_label} (logarithmic)") } else { y_label.to_owned() };
        if let Some(x_label) = &self.x_label {
            name += &format!(" over {x_label}");
        }
        self.page(&canvas, &x, &y, &name, &legend)
    }

    /// Draws two features of every sample, as [`crate::scatter`] does, with a sign for each class.
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// ```
    /// # use rekindle_plot::Terminal;
    /// use rekindle_tensor::tensor;
    /// let (x, y) = (tensor([[0.0, 0.0], [1.0, 1.0]]), tensor([0, 1]));
    /// assert!(Terminal::new(40, 10).class_names(["cat", "dog"]).scatter(&x, &y).contains("x dog"));
    /// ```
    #[track_caller]
    pub fn scatter(&self, x: &Tensor, y: &Tensor) -> String {
        let points = Points::new("terminal", x, y);
        let (x, y) = points.axes(0.05);
        let (columns, rows) = self.inner();
        let mut canvas = vec![vec![(' ', None); columns]; rows];
        self.place(&mut canvas, &points, &x, &y);
        let legend = self.legend(&classes::occurring(&points.class));
        self.page(&canvas, &x, &y, &self.features(), &legend)
    }

    /// Draws the regions of the classes that a net predicts, and the points, as [`crate::decision_boundary`] does.
    ///
    /// # Panics
    /// If shapes do not fit, or a probability lies outside of 0 to 1.
    ///
    /// ```
    /// # use rekindle_plot::Terminal;
    /// use rekindle_tensor::{Tensor, tensor};
    /// let (x, y) = (tensor([[0.0, 0.0], [1.0, 1.0]]), tensor([0, 1]));
    /// let net = |x: &Tensor| ((x.sum_dim(1, false) - 1.0) * 8.0).sigmoid();
    /// print!("{}", Terminal::new(60, 20).boundary(&net, &x, &y));
    /// ```
    #[track_caller]
    pub fn boundary(&self, probabilities: &dyn Fn(&Tensor) -> Tensor, x: &Tensor, y: &Tensor) -> String {
        let points = vec![(String::new(), Points::new("terminal", x, y))];
        let (x, y) = around(&points);
        let points = &points[0].1;
        let (columns, rows) = self.inner();
        let middle = |axis: &Axis, i: usize, n: usize| {
            let t = (i as f64 + 0.5) / n as f64;
            (axis.low * (1.0 - t) + axis.high * t) as f32
        };
        let place = |i: usize| [middle(&x, i % columns, columns), middle(&y, rows - 1 - i / columns, rows)];
        let grid: Vec<f32> = (0..columns * rows).flat_map(place).collect();
        let given = no_grad(|| probabilities(&Tensor::from_vec(grid, [columns * rows, 2])));
        let predicted = classes::probabilities("terminal", &given, columns * rows);
        let region = |row: &Vec<f64>| match argmax(row) {
            Some(class) => (REGIONS[class % REGIONS.len()], Some(class)),
            None => ('?', None),
        };
        let cells: Vec<Cell> = predicted.iter().map(region).collect();
        let mut canvas: Vec<Vec<Cell>> = cells.chunks(columns).map(<[Cell]>::to_vec).collect();
        self.place(&mut canvas, points, &x, &y);
        let regions = classes::occurring(&cells.iter().filter_map(|c| c.1).collect::<Vec<_>>());
        let mut legend = self.legend(&classes::occurring(&points.class));
        let name =
            |c: &usize| (REGIONS[c % REGIONS.len()], Some(*c), format!("predicted {}", self.class(*c)));
        legend.extend(regions.iter().map(name));
        self.page(&canvas, &x, &y, &self.features(), &legend)
    }

    /// Columns and rows inside of the axes: above is the name, below are ticks and legend.
    fn inner(&self) -> (usize, usize) {
        (self.columns - GUTTER - 1, self.rows - 4)
    }

    /// The names of both axes of two features.
    fn features(&self) -> String {
        let name = |label: &Option<String>, usual: &str| label.clone().unwrap_or_else(|| usual.into());
        format!("{} over {}", name(&self.y_label, "x2"), name(&self.x_label, "x1"))
    }

    fn class(&self, index: usize) -> String {
        self.class_names.get(index).cloned().unwrap_or_else(|| format!("class {index}"))
    }

    fn legend(&self, classes: &[usize]) -> Vec<(char, Option<usize>, String)> {
        classes.iter().map(|c| (SIGNS[c % SIGNS.len()], Some(*c), self.class(*c))).collect()
    }

    fn place(&self, canvas: &mut [Vec<Cell>], points: &Points, x: &Axis, y: &Axis) {
        let (columns, rows) = self.inner();
        let at = |t: f64, n: usize| ((t * n as f64) as usize).min(n - 1);
        for ((px, py), class) in points.at.iter().zip(&points.class) {
            let cell = &mut canvas[at(1.0 - y.fraction(*py), rows)][at(x.fraction(*px), columns)];
            *cell = (SIGNS[class % SIGNS.len()], Some(*class));
        }
    }

    /// The rows with axes and legend around them.
    fn page(
        &self,
        canvas: &[Vec<Cell>],
        x: &Axis,
        y: &Axis,
        name: &str,
        legend: &[(char, Option<usize>, String)],
    ) -> String {
        let (columns, rows) = self.inner();
        let mut text = format!("{}\n", cut(name, self.columns));
        let y_ticks = y.ticks((rows / 3).clamp(2, 6));
        let row_of = |value: f64| ((1.0 - y.fraction(value)) * (rows - 1) as f64).round() as usize;
        for (i, row) in canvas.iter().enumerate() {
            let tick = y_ticks.iter().find(|(value, _)| row_of(*value) == i);
            let label = tick.map_or("", |(_, label)| label);
            text += &format!(
                "{:>width$} {}",
                cut(label, GUTTER - 1),
                if tick.is_some() { '+' } else { '|' },
                width = GUTTER - 1
            );
            text += self.paint_row(row).trim_end();
            text.push('\n');
        }
        let (line, labels) = x_axis(x, columns);
        let indent = " ".repeat(GUTTER);
        text += &format!("{indent}+{line}\n{indent} {labels}\n");
        text + &self.legend_rows(legend)
    }

    fn paint(&self, text: &str, class: Option<usize>) -> String {
        match class {
            Some(class) if self.color => format!("\x1b[38;5;{}m{text}\x1b[0m", COLORS[class % COLORS.len()]),
            _ => text.to_owned(),
        }
    }

    /// A row of cells; neighbours of one colour share its codes.
    fn paint_row(&self, row: &[Cell]) -> String {
        let group = |cells: &[Cell]| self.paint(&cells.iter().map(|c| c.0).collect::<String>(), cells[0].1);
        row.chunk_by(|a, b| a.1 == b.1).map(group).collect()
    }

    /// The legend, in as many rows as it needs: the text is longer than asked for rather than silent about a class.
    fn legend_rows(&self, legend: &[(char, Option<usize>, String)]) -> String {
        let (mut rows, mut used) = (vec![" ".repeat(GUTTER)], GUTTER);
        for (sign, class, name) in legend {
            // Two columns for each character at most.
            let width = name.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>() + 4;
            if used + width > self.columns && used > GUTTER {
                rows.push(" ".repeat(GUTTER));
                used = GUTTER;
            }
            let row = rows.last_mut().expect("there is a first row");
            *row += &format!(" {} {name} ", self.paint(&sign.to_string(), *class));
            used += width;
        }
        rows.iter().map(|row| row.trim_end().to_string() + "\n").collect()
    }
}

/// Sets a dot, of which a character holds two across and four down.
fn put(canvas: &mut [Vec<Cell>], (x, y): (i64, i64), curve: usize, dots: bool) {
    /// The bits of the Braille dots, row by row (Unicode, "Braille Patterns").
    const BITS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
    let cell = &mut canvas[(y / 4) as usize][(x / 2) as usize];
    let bit = BITS[(y % 4 * 2 + x % 2) as usize];
    let (sign, owner) = *cell;
    let shared = sign != ' ' && owner != Some(curve);
    let before = if sign != ' ' && dots { sign as u32 - 0x2800 } else { 0 };
    let sign = match dots {
        true => char::from_u32(0x2800 + (before | bit)).unwrap_or(' '),
        false if shared => SEVERAL,
        false => curve_sign(curve),
    };
    *cell = (sign, (!shared).then_some(curve));
}

/// The sign of a curve.
fn curve_sign(curve: usize) -> char {
    let own: Vec<char> = SIGNS.into_iter().filter(|sign| *sign != SEVERAL).collect();
    own[curve % own.len()]
}

/// The dots of a straight line.
fn between((x0, y0): (i64, i64), (x1, y1): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    let steps = (x1 - x0).abs().max((y1 - y0).abs()).max(1);
    let along = move |from: i64, to: i64, i: i64| {
        from + ((to - from) as f64 * i as f64 / steps as f64).round() as i64
    };
    (0..=steps).map(move |i| (along(x0, x1, i), along(y0, y1, i)))
}

/// The x axis with its ticks, and the row of their labels.
fn x_axis(x: &Axis, columns: usize) -> (String, String) {
    let (mut line, mut labels) = (vec!['-'; columns], vec![' '; columns]);
    for (value, label) in x.ticks((columns / 14).clamp(2, 8)) {
        let at = (x.fraction(value) * (columns - 1) as f64).round() as usize;
        let start = at.saturating_sub(label.chars().count() / 2);
        let end = start + label.chars().count();
        if at < columns && end <= columns && labels[start.saturating_sub(1)..end].iter().all(|c| *c == ' ') {
            line[at] = '+';
            labels.splice(start..end, label.chars());
        }
    }
    (line.into_iter().collect(), labels.into_iter().collect::<String>().trim_end().to_owned())
}

fn cut(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}
