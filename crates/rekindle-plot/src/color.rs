//! Colours that people with any kind of colour vision can tell apart.

use plotters::style::RGBColor;

/// Colours of classes and lines: the palette of Okabe and Ito, "Color Universal Design" (2008), in an order in which
/// neighbours differ most, with yellow last, which is hard to see on white.
pub(crate) const CLASSES: [RGBColor; 8] = [
    RGBColor(0, 114, 178),   // blue
    RGBColor(230, 159, 0),   // orange
    RGBColor(0, 158, 115),   // bluish green
    RGBColor(204, 121, 167), // reddish purple
    RGBColor(86, 180, 233),  // sky blue
    RGBColor(213, 94, 0),    // vermilion
    RGBColor(0, 0, 0),       // black
    RGBColor(240, 228, 66),  // yellow
];

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(38, 38, 38);
/// Second-rank text: notes, counts.
pub(crate) const GREY: RGBColor = RGBColor(96, 96, 96);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(228, 228, 228);
/// What marks a mistake: vermilion, which no kind of colour vision takes for [`RIGHT`].
pub(crate) const WRONG: RGBColor = RGBColor(213, 94, 0);
/// What is as it should be: blue.
pub(crate) const RIGHT: RGBColor = RGBColor(0, 114, 178);
/// Where there is no number.
pub(crate) const NOTHING: RGBColor = RGBColor(200, 200, 200);
pub(crate) const WHITE: RGBColor = RGBColor(255, 255, 255);

/// The colour of the class or line with this index.
pub(crate) fn class(index: usize) -> RGBColor {
    CLASSES[index % CLASSES.len()]
}

/// A colour between two: `t` = 0 gives the first, 1 the second.
pub(crate) fn mix(a: RGBColor, b: RGBColor, t: f64) -> RGBColor {
    let part =
        |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t.clamp(0.0, 1.0)).round() as u8;
    RGBColor(part(a.0, b.0), part(a.1, b.1), part(a.2, b.2))
}

/// The colour of the region of a class: that of its points, pale, so that the points stand out.
pub(crate) fn region(index: usize) -> RGBColor {
    mix(class(index), WHITE, 0.62)
}

/// The colour at `t` (0 to 1) of a table of equally spaced colours.
fn along(table: &[RGBColor], t: f64) -> RGBColor {
    let place = t.clamp(0.0, 1.0) * (table.len() - 1) as f64;
    let i = (place as usize).min(table.len() - 2);
    mix(table[i], table[i + 1], place - i as f64)
}

/// Amounts, from none (nearly white) to all (dark blue): ColorBrewer's "Blues" (Brewer, Harrower, 2003).
pub(crate) fn amount(t: f64) -> RGBColor {
    const BLUES: [RGBColor; 7] = [
        RGBColor(247, 251, 255),
        RGBColor(222, 235, 247),
        RGBColor(198, 219, 239),
        RGBColor(158, 202, 225),
        RGBColor(107, 174, 214),
        RGBColor(49, 130, 189),
        RGBColor(8, 81, 156),
    ];
    along(&BLUES, t)
}

/// Probabilities of class 1 against class 0: from blue over white (0.5) to orange, paler than the colours of the two
/// classes, so that points stand out.
pub(crate) fn diverging(t: f64) -> RGBColor {
    let ends = [mix(class(0), WHITE, 0.45), mix(class(1), WHITE, 0.5)];
    along(&[ends[0], mix(class(0), WHITE, 0.73), WHITE, mix(class(1), WHITE, 0.76), ends[1]], t)
}

/// Probabilities without a middle: cividis (Nuñez, Anderton, Renslow, 2018), at nine points.
pub(crate) fn cividis(t: f64) -> RGBColor {
    const CIVIDIS: [RGBColor; 9] = [
        RGBColor(0, 34, 78),
        RGBColor(26, 56, 111),
        RGBColor(67, 78, 108),
        RGBColor(97, 101, 111),
        RGBColor(125, 124, 120),
        RGBColor(155, 148, 118),
        RGBColor(188, 174, 108),
        RGBColor(222, 201, 88),
        RGBColor(254, 232, 56),
    ];
    along(&CIVIDIS, t)
}

/// Black or white, whichever is easier to read on a colour (relative luminance as in WCAG 2.2).
pub(crate) fn readable_on(color: RGBColor) -> RGBColor {
    let linear = |v: u8| (f64::from(v) / 255.0).powf(2.2);
    let luminance = 0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2);
    if luminance > 0.22 { INK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates full deuteranopia (Viénot, Brettel, Mollon 1999, in linear RGB).
    fn seen_without_green(c: RGBColor) -> [f64; 3] {
        let [r, g, b] = [c.0, c.1, c.2].map(|v| (f64::from(v) / 255.0).powf(2.2));
        let common = 0.29275 * r + 0.70725 * g;
        [common, common, (-0.02234 * r + 0.02234 * g + b).max(0.0)].map(|v| v.powf(1.0 / 2.2) * 255.0)
    }

    #[test]
    fn the_first_classes_differ_for_the_colour_blind() {
        for i in 0..6 {
            for j in 0..i {
                let (a, b) = (seen_without_green(class(i)), seen_without_green(class(j)));
                let distance = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                assert!(distance > 25.0, "{i} and {j}: {distance}");
            }
        }
    }

    #[test]
    fn maps_keep_their_ends() {
        assert_eq!(amount(-1.0), amount(0.0));
        assert_eq!(diverging(0.5), WHITE);
        assert_eq!(cividis(2.0), RGBColor(254, 232, 56));
        assert_eq!(readable_on(amount(1.0)), WHITE);
        assert_eq!(readable_on(amount(0.0)), INK);
    }
}
