//! What every picture has: title, names, size; and the page they are laid out on.

use crate::canvas::{Canvas, Rect, Style};
use crate::color::GREY;
use crate::legend::{self, Entry};
use crate::picture::Picture;
use crate::svg::Svg;
use rekindle_tensor::mistake;
use std::path::Path;

/// A picture to be drawn: what a function of this crate gives. Options are set one after the other; [`Plot::draw`] or
/// [`Plot::save`] ends the chain.
///
/// ```
/// # use rekindle_plot as plot;
/// let counts = vec![vec![48, 2], vec![5, 45]];
/// let picture = plot::confusion_matrix(&counts)
///     .title("Test set, epoch 10")
///     .class_names(["티셔츠", "바지"])
///     .size(600, 500)
///     .draw();
/// assert_eq!(picture.size(), (600, 500));
/// ```
pub struct Plot {
    chart: Box<dyn Chart>,
    options: Options,
}

/// What the user asked for; each chart knows what to do without.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    title: Option<String>,
    class_names: Vec<String>,
    x_label: Option<String>,
    y_label: Option<String>,
    size: Option<(u32, u32)>,
    note: Option<String>,
    pub(crate) log: Option<bool>,
}

impl Options {
    /// The name of a class, or "class 3".
    pub(crate) fn class(&self, index: usize) -> String {
        self.class_names.get(index).cloned().unwrap_or_else(|| format!("class {index}"))
    }

    /// The name of a class, or its number alone.
    pub(crate) fn short_class(&self, index: usize) -> String {
        self.class_names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }

    /// The summary of a chart, unless the user takes it away, and the line that the user adds.
    fn last_notes(&self, chart: &dyn Chart) -> impl Iterator<Item = String> {
        let summary = chart.summary().filter(|_| self.note.as_deref() != Some(""));
        summary.into_iter().chain(self.note.clone().filter(|note| !note.is_empty()))
    }

    pub(crate) fn x_label<'s>(&'s self, usual: &'s str) -> &'s str {
        self.x_label.as_deref().unwrap_or(usual)
    }

    pub(crate) fn y_label<'s>(&'s self, usual: &'s str) -> &'s str {
        self.y_label.as_deref().unwrap_or(usual)
    }
}

/// A kind of picture: its data, and how they are drawn.
pub(crate) trait Chart: Send + Sync {
    /// The title if the user gives none.
    fn title(&self) -> String;

    /// The size if the user gives none.
    fn size(&self, _: &Options) -> (u32, u32) {
        (800, 600)
    }

    /// The rows of the legend.
    fn legend(&self, _: &Options) -> Vec<Entry> {
        Vec::new()
    }

    /// What must be said below the picture, a line each.
    fn notes(&self, _: &Options) -> Vec<String> {
        Vec::new()
    }

    /// The line below the picture that sums it up, which the user can take away.
    fn summary(&self) -> Option<String> {
        None
    }

    /// Draws everything but title, legend and notes into `body`.
    fn draw(&self, canvas: &Canvas, body: Rect, options: &Options);
}

impl Plot {
    pub(crate) fn new(chart: impl Chart + 'static) -> Plot {
        Plot { chart: Box::new(chart), options: Options::default() }
    }

    /// Sets the title; "" for none.
    pub fn title(mut self, title: &str) -> Plot {
        self.options.title = Some(title.to_owned());
        self
    }

    /// Names the classes, in the order of their numbers, in any script. Without it they are "class 0", "class 1", ..
    ///
    /// ```
    /// # use rekindle_plot as plot;
    /// # use rekindle_tensor::tensor;
    /// let picture = plot::scatter(&tensor([[0.0, 1.0], [1.0, 0.0]]), &tensor([0, 1])).class_names(["cat", "dog"]).draw();
    /// assert!(picture.svg().contains("aria-label=\"dog\""));
    /// ```
    pub fn class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Plot {
        self.options.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the x axis, with its unit.
    pub fn x_label(mut self, label: &str) -> Plot {
        self.options.x_label = Some(label.to_owned());
        self
    }

    /// Names the y axis, with its unit.
    pub fn y_label(mut self, label: &str) -> Plot {
        self.options.y_label = Some(label.to_owned());
        self
    }

    /// Sets width and height in pixels. Each kind of picture has a size of its own otherwise.
    ///
    /// # Panics
    /// If a side is not in 100 to 10 000.
    #[track_caller]
    pub fn size(mut self, width: u32, height: u32) -> Plot {
        if !(100..=10_000).contains(&width) || !(100..=10_000).contains(&height) {
            mistake!(
                "size: a side must have 100 to 10000 pixels, got {width} x {height}; the usual size is 800 x 600"
            );
        }
        self.options.size = Some((width, height));
        self
    }

    /// Adds a line below the picture: whose data it shows, or what it leaves out. "" instead takes away the line in which
    /// some pictures sum themselves up ("23 of 25 right"); what was left out of the data is always said.
    ///
    /// ```
    /// # use rekindle_plot as plot;
    /// let (fpr, tpr) = ([0.0, 0.0, 1.0], [0.0, 0.9, 1.0]);
    /// let picture = plot::roc(&[("cat", &fpr, &tpr, 0.95)]).note("1 of 40 classes").draw();
    /// assert!(picture.svg().contains("aria-label=\"1 of 40 classes\""));
    /// ```
    pub fn note(mut self, text: &str) -> Plot {
        self.options.note = Some(text.to_owned());
        self
    }

    /// Makes the y axis of curves logarithmic, or not. Without it, losses and learning rates that fall far get a logarithmic
    /// axis (see [`crate::curves`]). Other pictures take no notice.
    pub fn log_y(mut self, on: bool) -> Plot {
        self.options.log = Some(on);
        self
    }

    /// Draws the picture. The same plot always gives the same bytes.
    pub fn draw(&self) -> Picture {
        let title = self.options.title.clone().unwrap_or_else(|| self.chart.title());
        let size = self.options.size.unwrap_or_else(|| self.chart.size(&self.options));
        let legend = self.chart.legend(&self.options);
        let notes = self.notes();
        let page = Page::new(size, &title, &legend, notes.len());
        let mut text = String::new();
        let canvas = Canvas::new(Svg::new(&mut text, size, &title));
        canvas.text_within(&title, page.title, Style::new(17.0).bold(), f64::from(size.0) - 20.0);
        self.chart.draw(&canvas, page.body, &self.options);
        legend::draw(&canvas, page.legend, &legend, f64::from(size.0));
        for (i, note) in notes.iter().enumerate() {
            let at = (page.notes.left, page.notes.top + 16.0 * i as f64 + 8.0);
            canvas.text_within(note, at, Style::new(11.5).left().color(GREY), page.notes.width());
        }
        drop(canvas);
        Picture::new(text, size)
    }

    /// The lines below the picture: what must be said, what sums it up, and what the user adds.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.chart.notes(&self.options);
        if notes.len() > MOST_NOTES {
            let more = notes.len() - (MOST_NOTES - 1);
            notes.truncate(MOST_NOTES - 1);
            notes.push(format!("and {more} more notes like these"));
        }
        notes.extend(self.options.last_notes(&*self.chart));
        notes
    }

    /// Draws the picture and writes it to a file, as [`Picture::save`] does.
    ///
    /// # Errors
    /// If the name does not end in `.png` or `.svg`, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        self.draw().save(path)
    }
}

/// How many lines of a picture say what was left out of it.
const MOST_NOTES: usize = 6;

/// Where things are on the page. Nothing overlaps.
#[derive(Debug)]
struct Page {
    title: (f64, f64),
    body: Rect,
    legend: Rect,
    notes: Rect,
}

/// Where a chart is drawn that must say this many lines; its summary and the user's note stand below them.
pub(crate) fn body(chart: &dyn Chart, options: &Options, notes: usize) -> Rect {
    let title = options.title.clone().unwrap_or_else(|| chart.title());
    let size = options.size.unwrap_or_else(|| chart.size(options));
    let lines = notes + options.last_notes(chart).count();
    Page::new(size, &title, &chart.legend(options), lines).body
}

impl Page {
    fn new((width, height): (u32, u32), title: &str, entries: &[Entry], notes: usize) -> Page {
        let (width, height) = (f64::from(width), f64::from(height));
        let top = if title.is_empty() { 12.0 } else { 44.0 };
        let below = if notes == 0 { 0.0 } else { 16.0 * notes as f64 + 4.0 };
        let bottom = (height - 12.0 - below).max(top + 1.0);
        let beside = legend::Layout::new(entries, width, bottom - top - 26.0).width();
        let right = width - 14.0 - if beside > 0.0 { beside + 14.0 } else { 0.0 };
        Page {
            title: (width / 2.0, 24.0),
            body: Rect::new(12.0, top, right, bottom),
            legend: Rect::new(right + 14.0, top + 26.0, width - 14.0, bottom),
            notes: Rect::new(16.0, bottom + 4.0, width - 14.0, height - 12.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legend::Sign;

    #[test]
    fn legend_and_notes_lie_outside_of_the_body() {
        let sign = Sign::Patch(GREY);
        for name in [
            "a",
            "티셔츠",
            "a name so long that nobody would ever want to read it in a legend, not even here",
        ] {
            let entries = [Entry { sign, name: name.to_owned() }];
            for size in [(800, 600), (1200, 560), (300, 200), (100, 100)] {
                let page = Page::new(size, "title", &entries, 2);
                assert!(page.legend.left > page.body.right, "{page:?}");
                assert!(page.legend.right <= f64::from(size.0), "{page:?}");
                assert!(page.notes.top > page.body.bottom, "{page:?}");
                assert!(page.body.top > page.title.1, "{page:?}");
            }
        }
    }
}
