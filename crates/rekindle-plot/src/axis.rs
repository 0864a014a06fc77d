//! One axis: a range of numbers, linear or logarithmic, and where its ticks stand.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// An axis of a panel, in plotters' terms a ranged coordinate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log: bool,
    /// Whether there is nothing between two whole numbers.
    pub(crate) whole: bool,
}

impl Axis {
    /// A linear axis with exactly these ends.
    pub(crate) fn new(low: f64, high: f64) -> Axis {
        Axis { low, high, log: false, whole: false }
    }

    /// A linear axis around all finite values, with `margin` of their span free on both sides; around 0 to 1 if there
    /// are none, and with room around a single value.
    pub(crate) fn around(values: impl IntoIterator<Item = f64>, margin: f64) -> Axis {
        let Some((low, high)) = span(values) else { return Axis::new(0.0, 1.0) };
        let room = match (high - low) * margin {
            room if high - low > 1e-12 * high.abs().max(low.abs()) && room.is_finite() => room,
            _ if high == 0.0 => 1.0,
            _ => high.abs() * 0.1,
        };
        Axis::new(low - room, high + room)
    }

    /// The same axis, wider by this factor on both sides alike.
    fn wider(&self, factor: f64) -> Axis {
        let room = (self.high - self.low) * (factor - 1.0) / 2.0;
        Axis { low: self.low - room, high: self.high + room, ..*self }
    }

    /// A logarithmic axis around the positive values among these.
    pub(crate) fn log_around(values: impl IntoIterator<Item = f64>) -> Axis {
        let Some((low, high)) = span(values.into_iter().filter(|v| *v > 0.0)) else {
            return Axis::new(0.0, 1.0);
        };
        let room = (high / low).powf(0.05).max(1.1);
        Axis { low: (low / room).max(1e-300), high: (high * room).min(1e300), log: true, whole: false }
    }

    /// The same axis for counts: no ticks between whole numbers.
    pub(crate) fn whole(self, on: bool) -> Axis {
        Axis { whole: on, ..self }
    }

    /// The place of a value: 0 at the low end, 1 at the high end.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        match self.log {
            true => (value.max(1e-300).ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
            // Halves, because the difference of two floats need not be a float.
            false => (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0),
        }
    }

    /// Whether the axis can show this value.
    pub(crate) fn shows(&self, value: f64) -> bool {
        usable(value) && (!self.log || value > 0.0)
    }

    /// Ticks with their labels, about `count` of them.
    pub(crate) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log { self.log_ticks(count) } else { self.linear_ticks(count) }
    }

    fn linear_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let steps = |count: usize| {
            let step = nice_step((self.high - self.low) / count.max(1) as f64);
            let step = if self.whole { step.max(1.0) } else { step };
            (step, (self.low / step - 1e-6).ceil(), (self.high / step + 1e-6).floor())
        };
        // One tick alone would not tell the scale.
        let enough = (count..4 * count).map(steps).find(|(_, first, last)| last > first);
        let (step, first, last) = enough.unwrap_or_else(|| steps(count));
        if !(step > 0.0 && (last - first).abs() < 1000.0) {
            return Vec::new();
        }
        let largest = self.low.abs().max(self.high.abs());
        (0..=(last - first) as usize)
            .map(|i| (first + i as f64) * step)
            .map(|value| (value, format_tick(value, step, largest)))
            .collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.low.log10(), self.high.log10());
        let decades = high - low;
        let shown = |exponent: i32, digit: i32| {
            let value = f64::from(digit) * 10f64.powi(exponent);
            (value >= self.low * 0.999 && value <= self.high * 1.001).then(|| (value, power(exponent, digit)))
        };
        let exponents = low.floor() as i32..=high.ceil() as i32;
        let every = (decades / count.max(2) as f64).ceil().max(1.0) as i32;
        let digits: &[i32] = if decades < 1.2 {
            &[1, 2, 3, 5, 7]
        } else if decades < 2.5 {
            &[1, 2, 5]
        } else {
            &[1]
        };
        exponents
            .filter(|e| e.rem_euclid(every) == 0)
            .flat_map(|e| digits.iter().filter_map(move |d| shown(e, *d)))
            .collect()
    }
}

/// Height over width of a picture of two axes in which a unit is as long on both; none if one spans three times as
/// much as the other, or more, for then they hardly measure the same.
pub(crate) fn ratio(x: &Axis, y: &Axis) -> Option<f64> {
    let ratio = (y.high - y.low) / (x.high - x.low);
    (!x.log && !y.log && ratio > 1.0 / 3.0 && ratio < 3.0).then_some(ratio)
}

/// Two axes in which a unit is as long on both in a picture of this height over width: the one with room shows more.
pub(crate) fn equal(x: &Axis, y: &Axis, picture: f64) -> (Axis, Axis) {
    match ratio(x, y) {
        Some(ratio) if ratio > picture => (x.wider(ratio / picture), y.clone()),
        Some(ratio) => (x.clone(), y.wider(picture / ratio)),
        None => (x.clone(), y.clone()),
    }
}

/// Whether a number can be drawn. Numbers next to the largest float would make axes whose ends are not finite.
fn usable(value: f64) -> bool {
    value.abs() <= 1e300
}

/// The smallest and the largest of the finite values.
pub(crate) fn span(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|v| usable(*v));
    finite.fold(None, |span, v| match span {
        None => Some((v, v)),
        Some((low, high)) => Some((v.min(low), v.max(high))),
    })
}

/// The next of 1, 2, 5, 10 times a power of ten; from 25 on also 2.5.
pub(crate) fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let between = if power >= 10.0 { 2.5 } else { 2.0 };
    let factor =
        [1.0, 2.0, between, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// A tick's label with as many digits as its step needs.
fn format_tick(value: f64, step: f64, largest: f64) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    if !(1e-3..1e6).contains(&largest) {
        if value == 0.0 {
            return "0".into();
        }
        let exponent = largest.log10().floor() as i32;
        let mantissa_step = step / 10f64.powi(exponent);
        return format!("{}·10{}", fixed(value / 10f64.powi(exponent), mantissa_step), superscript(exponent));
    }
    fixed(value, step)
}

fn fixed(value: f64, step: f64) -> String {
    let digits =
        (0..8).find(|d| ((step * 10f64.powi(*d)).round() / 10f64.powi(*d) - step).abs() < step * 1e-6);
    minus(&format!("{value:.0$}", digits.unwrap_or(8) as usize))
}

/// A label on a logarithmic axis: plain between 0.001 and 1000, else a power of ten.
fn power(exponent: i32, digit: i32) -> String {
    match (exponent, digit) {
        (-3..=3, _) => fixed(f64::from(digit) * 10f64.powi(exponent), 10f64.powi(exponent)),
        (_, 1) => format!("10{}", superscript(exponent)),
        _ => format!("{digit}·10{}", superscript(exponent)),
    }
}

fn superscript(exponent: i32) -> String {
    let high = |c: char| match c {
        '-' => '⁻',
        digit => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize - '0' as usize],
    };
    exponent.to_string().chars().map(high).collect()
}

/// A number with a true minus sign.
pub(crate) fn minus(number: &str) -> String {
    number.replace('-', "−")
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let place = f64::from(from) + self.fraction(*value) * f64::from(to - from);
        place.round().clamp(-1e8, 1e8) as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks(hint.max_num_points()).into_iter().map(|(value, _)| value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let step = nice_step((self.high - self.low) / 6.0);
        format_tick(*value, step, self.low.abs().max(self.high.abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks(5).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_with_no_more_digits_than_needed() {
        assert_eq!(labels(&Axis::new(0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::new(-1.1, 1.1)), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&Axis::new(0.0, 2000.0)), ["0", "500", "1000", "1500", "2000"]);
        assert_eq!(labels(&Axis::new(0.0, 2e-5)), ["0", "0.5·10⁻⁵", "1.0·10⁻⁵", "1.5·10⁻⁵", "2.0·10⁻⁵"]);
        let log = Axis { low: 1e-5, high: 10.0, log: true, whole: false };
        assert_eq!(labels(&log), ["10⁻⁴", "0.01", "1"]);
        assert_eq!(labels(&Axis::new(0.0, 2.5).whole(true)), ["0", "1", "2"]);
    }

    #[test]
    fn any_data_makes_an_axis_with_room() {
        for values in [
            vec![],
            vec![f64::NAN, f64::INFINITY],
            vec![3.0],
            vec![0.0],
            vec![f64::MAX, f64::MIN, 1.0],
            vec![1e300, -1e300],
            vec![1e-320, 2e-320],
            vec![1.0, 1.0 + 1e-16],
            vec![-7.0, 7.0],
        ] {
            let axis = Axis::around(values.clone(), 0.05);
            assert!(
                axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite(),
                "{values:?}: {axis:?}"
            );
            for v in values.into_iter().filter(|v| axis.shows(*v)) {
                let place = axis.fraction(v);
                assert!((-0.01..=1.01).contains(&place), "{v}: {place}");
            }
            assert!(axis.ticks(6).len() < 20);
        }
    }

    #[test]
    fn a_unit_is_as_long_on_both_axes() {
        let (x, y) = equal(&Axis::new(-1.0, 1.0), &Axis::new(0.0, 3.0), 0.75);
        assert_eq!((x, y), (Axis::new(-2.0, 2.0), Axis::new(0.0, 3.0)));
        let (x, y) = equal(&Axis::new(-1.0, 1.0), &Axis::new(0.0, 1.0), 0.75);
        assert_eq!((x, y), (Axis::new(-1.0, 1.0), Axis::new(-0.25, 1.25)));
        // Metres and years have no common unit.
        let other = (Axis::new(0.0, 1.0), Axis::new(0.0, 3.0));
        assert_eq!(equal(&other.0, &other.1, 0.75), other);
    }

    #[test]
    fn a_logarithmic_axis_knows_only_positive_values() {
        let axis = Axis::log_around([0.0, -1.0, 1e-4, 1.0]);
        assert!(axis.log && axis.low < 1e-4 && axis.low > 1e-5);
        assert!(!axis.shows(0.0));
        assert!((axis.fraction(axis.low) - 0.0).abs() < 1e-12);
    }
}
