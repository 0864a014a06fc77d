//! Functions on a grid of points: the areas where one lies above a level, and where each is the largest.
//!
//! Areas are cut out of the grid's cells with linear interpolation between corners, as marching squares do, so that
//! their borders are smooth lines and not stairs.

use crate::axis::Axis;
use crate::classes::argmax;
use rekindle_tensor::Tensor;
use std::collections::BTreeMap;

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
            // Beyond the largest float there would be infinity.
            [x, y].map(|v| (v as f32).clamp(f32::MIN, f32::MAX))
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
                polygons.extend(defined.map(|c| above(c, level)).filter(|p| p.len() > 2));
            }
        }
        polygons
    }

    /// Where which class is the most probable: `rows` holds the probabilities of all classes for each grid point. Cells are
    /// cut in triangles, in which probabilities are linear, so the regions fit each other exactly. Whole cells of a row
    /// are joined. A cell with a NaN at a corner belongs to none.
    pub(crate) fn regions(&self, rows: &[Vec<f64>]) -> Regions {
        let best: Vec<Option<usize>> = rows.iter().map(|row| argmax(row)).collect();
        let mut regions = Regions::default();
        for row in 0..SIDE - 1 {
            let mut whole: Option<(usize, usize)> = None;
            for column in 0..SIDE {
                let corners = (column < SIDE - 1).then(|| self.corners(column, row));
                let all =
                    corners.and_then(|c| c.iter().map(|i| best[*i]).reduce(|a, b| a.filter(|_| a == b))?);
                if let Some((class, first)) = whole.filter(|(class, _)| all != Some(*class)) {
                    regions.polygons.entry(class).or_default().push(self.block(first, column, row));
                    whole = None;
                }
                whole = whole.or(all.map(|class| (class, column)));
                if let Some([a, b, c, d]) =
                    corners.filter(|c| all.is_none() && c.iter().all(|i| best[*i].is_some()))
                {
                    for triangle in [[a, b, c], [a, c, d]] {
                        regions.cut(triangle.map(|i| (self.point(i % SIDE, i / SIDE), rows[i].as_slice())));
                    }
                }
            }
        }
        regions
    }

    /// The cells with a NaN at a corner.
    pub(crate) fn undefined(&self, values: &[f64]) -> Vec<Vec<(f64, f64)>> {
        let cells = (0..(SIDE - 1) * (SIDE - 1)).map(|i| (i % (SIDE - 1), i / (SIDE - 1)));
        let missing = |&(c, r): &(usize, usize)| self.cell(values, c, r).iter().any(|(_, v)| v.is_nan());
        cells.filter(missing).map(|(c, r)| self.block(c, c + 1, r)).collect()
    }

    /// The four corners of a cell with their values, around it.
    fn cell(&self, values: &[f64], column: usize, row: usize) -> [((f64, f64), f64); 4] {
        self.corners(column, row).map(|i| (self.point(i % SIDE, i / SIDE), values[i]))
    }

    /// The indices of the four corners of a cell, around it.
    fn corners(&self, column: usize, row: usize) -> [usize; 4] {
        let first = row * SIDE + column;
        [first, first + 1, first + SIDE + 1, first + SIDE]
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

/// The regions of classes, and the lines between them.
#[derive(Default)]
pub(crate) struct Regions {
    pub(crate) polygons: BTreeMap<usize, Vec<Vec<(f64, f64)>>>,
    pub(crate) borders: Vec<[(f64, f64); 2]>,
}

impl Regions {
    /// Shares a triangle among the classes.
    fn cut(&mut self, corners: [((f64, f64), &[f64]); 3]) {
        // Somewhere in the triangle a class must come up to what another has everywhere.
        let ends = |class: usize, better: fn(f64, f64) -> f64| {
            corners.iter().map(|(_, row)| row[class]).reduce(better).unwrap_or(f64::NAN)
        };
        let classes = 0..corners[0].1.len();
        let floor = classes.clone().map(|c| ends(c, f64::min)).fold(f64::NEG_INFINITY, f64::max);
        let rivals: Vec<usize> = classes.filter(|c| ends(*c, f64::max) >= floor).collect();
        let values = |row: &[f64]| rivals.iter().map(|c| row[*c]).collect::<Vec<f64>>();
        let triangle: Vec<Vertex> =
            corners.iter().map(|(at, row)| Vertex { at: *at, values: values(row) }).collect();
        for (k, class) in rivals.iter().enumerate() {
            let others = (0..rivals.len()).filter(|j| *j != k);
            // Of equals the first wins.
            let least = |j: usize| if j < k { f64::MIN_POSITIVE } else { 0.0 };
            let region = others
                .fold(triangle.clone(), |region, j| clip(&region, |v| v.values[k] - v.values[j], least(j)));
            if region.len() < 3 {
                continue;
            }
            for (i, a) in region.iter().enumerate() {
                let b = &region[(i + 1) % region.len()];
                let level = |j: &usize| [a, b].iter().all(|v| (v.values[k] - v.values[*j]).abs() < 1e-12);
                // The later class of two draws their border: the region of the earlier may be a line where they are equal.
                if a.at != b.at && (0..k).any(|j| level(&j)) {
                    self.borders.push([a.at, b.at]);
                }
            }
            self.polygons.entry(*class).or_default().push(region.into_iter().map(|v| v.at).collect());
        }
    }
}

/// A point with the probabilities of some classes.
#[derive(Clone)]
struct Vertex {
    at: (f64, f64),
    values: Vec<f64>,
}

impl Vertex {
    /// A point on the way to another: `t` = 0 gives this, 1 the other.
    fn between(&self, other: &Vertex, t: f64) -> Vertex {
        let part = |a: f64, b: f64| a + (b - a) * t;
        let values = self.values.iter().zip(&other.values).map(|(a, b)| part(*a, *b)).collect();
        Vertex { at: (part(self.at.0, other.at.0), part(self.at.1, other.at.1)), values }
    }
}

/// The part of a polygon where a value, interpolated along its sides, is at least `level` (Sutherland and Hodgman's
/// clipping, on values).
fn clip(corners: &[Vertex], value: impl Fn(&Vertex) -> f64, level: f64) -> Vec<Vertex> {
    let mut kept = Vec::new();
    for (i, a) in corners.iter().enumerate() {
        let b = &corners[(i + 1) % corners.len()];
        let (va, vb) = (value(a), value(b));
        if va >= level {
            kept.push(a.clone());
        }
        if (va >= level) != (vb >= level) {
            kept.push(a.between(b, ((level - va) / (vb - va)).clamp(0.0, 1.0)));
        }
    }
    kept
}

/// The part of a cell where the values at its corners are at least `level`.
fn above(cell: [((f64, f64), f64); 4], level: f64) -> Vec<(f64, f64)> {
    let corners = cell.map(|(at, value)| Vertex { at, values: vec![value] });
    clip(&corners, |v| v.values[0], level).into_iter().map(|v| v.at).collect()
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
    fn regions_share_the_plane_and_meet_at_their_borders() {
        let grid = Grid::new(&Axis::new(-1.0, 1.0), &Axis::new(-1.0, 1.0));
        // Three sectors of 120 degrees around a point between grid points.
        let toward =
            |(x, y): (f64, f64), angle: f64| x * angle.to_radians().cos() + y * angle.to_radians().sin();
        let row = |i: usize| {
            let (x, y) = grid.point(i % SIDE, i / SIDE);
            [90.0, 210.0, 330.0].map(|angle| toward((x - 0.013, y + 0.007), angle)).to_vec()
        };
        let rows: Vec<Vec<f64>> = (0..grid.len()).map(row).collect();
        let regions = grid.regions(&rows);
        let areas: Vec<f64> = regions.polygons.values().map(|p| area(p)).collect();
        assert!((areas.iter().sum::<f64>() - 4.0).abs() < 1e-9, "{areas:?}");
        assert!(areas.iter().all(|a| *a > 1.2), "{areas:?}");
        // One border straight down, two up to the sides at 30 degrees.
        let length: f64 = regions.borders.iter().map(|[a, b]| (a.0 - b.0).hypot(a.1 - b.1)).sum();
        let wanted = 0.993 + 0.987 / 30f64.to_radians().cos() + 1.013 / 30f64.to_radians().cos();
        assert!((length - wanted).abs() < 1e-6, "{length} {wanted}");
    }

    #[test]
    fn equals_belong_to_the_first_and_have_their_border_once() {
        let grid = Grid::new(&Axis::new(0.0, 1.0), &Axis::new(0.0, 1.0));
        let rows: Vec<Vec<f64>> = (0..grid.len()).map(|i| vec![0.5, (i % SIDE) as f64 / 100.0]).collect();
        let regions = grid.regions(&rows);
        assert!((area(&regions.polygons[&0]) - 0.5).abs() < 1e-9);
        assert!(regions.borders.iter().flatten().all(|p| (p.0 - 0.5).abs() < 1e-9));
        // A third class between them does not make the second the owner of what is equal.
        let rows: Vec<Vec<f64>> =
            (0..grid.len()).map(|i| vec![0.435, 0.435, (i % SIDE) as f64 / 100.0]).collect();
        assert_eq!(grid.regions(&rows).polygons.keys().collect::<Vec<_>>(), [&0, &2]);
        assert_eq!(grid.regions(&vec![vec![0.5, 0.5]; grid.len()]).polygons.keys().collect::<Vec<_>>(), [&0]);
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
