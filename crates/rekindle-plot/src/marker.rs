//! The shapes of points. Each class has a colour and a shape, so that colour is never the only difference.

/// The corners of a shape around 0 with radius 1, all of about the same area; none for a circle.
fn corners(shape: usize) -> Vec<(f64, f64)> {
    let around = |n: usize, start: f64, radius: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        let angle = |i: usize| (start + 360.0 * i as f64 / n as f64).to_radians();
        (0..n).map(|i| (radius(i) * angle(i).cos(), radius(i) * angle(i).sin())).collect()
    };
    let cross = |turn: f64| -> Vec<(f64, f64)> {
        let (a, b) = (0.38, 1.15);
        let arms = [
            (a, b),
            (a, a),
            (b, a),
            (b, -a),
            (a, -a),
            (a, -b),
            (-a, -b),
            (-a, -a),
            (-b, -a),
            (-b, a),
            (-a, a),
        ];
        let (sin, cos) = turn.to_radians().sin_cos();
        arms.iter().chain(&[(-a, b)]).map(|(x, y)| (x * cos - y * sin, x * sin + y * cos)).collect()
    };
    match shape % SHAPES {
        0 => Vec::new(),
        1 => around(4, 45.0, &|_| 1.25),
        2 => around(3, -90.0, &|_| 1.5),
        3 => around(4, 0.0, &|_| 1.35),
        4 => cross(45.0),
        5 => around(3, 90.0, &|_| 1.5),
        6 => cross(0.0),
        7 => around(10, -90.0, &|i| if i % 2 == 0 { 1.55 } else { 0.65 }),
        8 => around(3, 180.0, &|_| 1.5),
        _ => around(6, 0.0, &|_| 1.15),
    }
}

/// How many shapes there are; with 8 colours they name 40 classes.
const SHAPES: usize = 10;

/// The outline of a shape of `radius` units around 0, or none for a circle.
pub(crate) fn outline(shape: usize, radius: f64) -> Vec<(i32, i32)> {
    corners(shape)
        .into_iter()
        .map(|(x, y)| ((x * radius).round() as i32, (y * radius).round() as i32))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_differ() {
        let shapes: Vec<_> = (0..SHAPES).map(|s| outline(s, 100.0)).collect();
        for i in 0..SHAPES {
            assert!(!shapes[..i].contains(&shapes[i]), "{i}");
        }
    }
}
