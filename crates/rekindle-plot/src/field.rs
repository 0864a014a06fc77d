//! A function on a grid of points, and the areas where it lies above a level.
//!
//! Areas are cut out of the grid's cells with linear interpolation between corners, as marching squares do, so that
//! their borders are smooth lines and not stairs.

use crate::axis::Axis;
use rekindle_tensor::Tensor;

/// Points to a side of the grid, as in the usual `plot_decision_boundary` of PyTorch courses.
const SIDE: usize = 101;

/// A grid over two axes.
pub(crate) struct Grid {
    x: Axis,
    y: Axis,
}

impl Grid {
    pub(crate) fn new(x: &Axis, y: &Axis) -> Grid {
        Grid { x: x.clone(), y: y.clone() }
    }

    /// The place of a grid point.
    fn point(&self, column: usize, row: usize) -> (f64, f64) {
        let at = |axis: &Axis, i: usize| {
            let t = i as f64 / (SIDE - 1) as f64;
            axis.low * (1.0 - t) + axis.high * t
        };
        (at(&self.x, column), at(&self.y, row))
    }

    /// All grid points as the rows of a float tensor `[n, 2]`.
    pub(crate) fn tensor(&self) -> Tensor {
        let numbers = (0..SIDE * SIDE).flat_map(|i| {
            let (x, y) = self.point(i % SIDE, i / SIDE);
            [x as f32, y as f32]
        });
        Tensor::from_vec(numbers.collect::<Vec<f32>>(), [SIDE * SIDE, 2])
    }

    pub(crate) fn len(&self) -> usize {
        SIDE * SIDE
    }

    /// The polygons that cover where `values` (one for each grid point) are at least `level`. Whole cells of a row are
    /// joined. A cell with a NaN at a corner is not covered.
    pub(crate) fn above(&self, values: &[f64], level: f64) -> Vec<Vec<(f64, f64)>> {
        let mut polygons = Vec::new();
        for row in 0..SIDE - 1 {
            let mut whole: Option<usize> = None;
            for column in 0..SIDE {
                let corners = (column < SIDE - 1).then(|| self.cell(values, column, row));
                let inside = corners.as_ref().is_some_and(|c| c.iter().all(|(_, v)| *v >= level));
                match (inside, whole) {
                    (true, None) => whole = Some(column),
                    (false, Some(first)) => {
                        polygons.push(self.block(first, column, row));
                        whole = None;
                    }
                    _ => {}
                }
                let defined = corners.filter(|c| !inside && c.iter().all(|(_, v)| !v.is_nan()));
                polygons.extend(defined.map(|c| clip(&c, level)).filter(|p| p.len() > 2));
            }
        }
        polygons
    }

    /// The cells with a NaN at a corner.
    pub(crate) fn undefined(&self, values: &[f64]) -> Vec<Vec<(f64, f64)>> {
        let cells = (0..(SIDE - 1) * (SIDE - 1)).map(|i| (i % (SIDE - 1), i / (SIDE - 1)));
        let missing = |&(c, r): &(usize, usize)| self.cell(values, c, r).iter().any(|(_, v)| v.is_nan());
        cells.filter(missing).map(|(c, r)| self.block(c, c + 1, r)).collect()
    }

    /// The four corners of a cell with their values, around it.
    fn cell(&self, values: &[f64], column: usize, row: usize) -> [((f64, f64), f64); 4] {
        let corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
        corners.map(|(c, r)| (self.point(c, r), values[r * SIDE + c]))
    }

    /// The rectangle of the cells `first..end` of a row.
    fn block(&self, first: usize, end: usize, row: usize) -> Vec<(f64, f64)> {
        vec![
            self.point(first, row),
            self.point(end, row),
            self.point(end, row + 1),
            self.point(first, row + 1),
        ]
    }
}

/// The part of a polygon where the values at its corners, interpolated along its sides, are at least `level`
/// (Sutherland and Hodgman's clipping, on values).
fn clip(corners: &[((f64, f64), f64)], level: f64) -> Vec<(f64, f64)> {
    let mut kept = Vec::new();
    for (i, &(a, va)) in corners.iter().enumerate() {
        let (b, vb) = corners[(i + 1) % corners.len()];
        if va >= level {
            kept.push(a);
        }
        if (va >= level) != (vb >= level) {
            let t = ((level - va) / (vb - va)).clamp(0.0, 1.0);
            kept.push((a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(polygons: &[Vec<(f64, f64)>]) -> f64 {
        let one = |p: &Vec<(f64, f64)>| {
            let next = p.iter().cycle().skip(1);
            p.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>().abs() / 2.0
        };
        polygons.iter().map(one).sum()
    }

    #[test]
    fn a_disc_has_the_area_of_a_disc() {
        let grid = Grid::new(&Axis::new(-1.0, 1.0), &Axis::new(-1.0, 1.0));
        let values: Vec<f64> = (0..grid.len())
            .map(|i| grid.point(i % SIDE, i / SIDE))
            .map(|(x, y)| 0.64 - x * x - y * y)
            .collect();
        let covered = area(&grid.above(&values, 0.0));
        assert!((covered - std::f64::consts::PI * 0.64).abs() < 1e-3, "{covered}");
        // The complement fills the rest.
        let rest: Vec<f64> = values.iter().map(|v| -v).collect();
        assert!((covered + area(&grid.above(&rest, 0.0)) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn where_there_is_no_number_nothing_is_covered() {
        let grid = Grid::new(&Axis::new(0.0, 1.0), &Axis::new(0.0, 1.0));
        let mut values = vec![1.0; grid.len()];
        values[0] = f64::NAN;
        let cell = 1e-4;
        assert!((area(&grid.undefined(&values)) - cell).abs() < 1e-12);
        assert!((area(&grid.above(&values, 0.0)) - (1.0 - cell)).abs() < 1e-9);
    }
}
