//! Copositivity face by face, and the polar bound it gives for few datapoints.
//!
//! # The criterion (theorem `cone-branching`, item 7)
//! A symmetric B is copositive if for every nonempty set S of indices there is a
//! vector u with `B_SS u ≥ 0` and `1ᵀu > 0`. For if the minimum μ of `zᵀBz` over
//! the standard simplex were negative, it would lie inside the face of some S,
//! where `B_SS z = μ1`; then `0 ≤ (B_SS u)ᵀz = μ·1ᵀu < 0`. Where B has no such u,
//! and `B_SS` is invertible, `z = −B_SS⁻¹1 ≥ 0` shows that B is not strictly copositive.
//!
//! The vectors u come from floating-point elimination; each is *checked* on the
//! stored matrix, with the rounding of the check on the safe side. A coordinate
//! vector suffices where a column of `B_SS` has no negative entry, which
//! settles most faces without arithmetic.

use super::Search;
use crate::linalg::Matrix;
use crate::num::{Interval, min, rounding};

/// What is known of a stored symmetric matrix.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// It is copositive: proved.
    Copositive,
    /// A face without proof; the vector is nonnegative and nearly minimal there
    /// (empty where elimination broke down).
    Open(Vec<f64>),
    /// The steps did not suffice.
    Stopped,
}

/// Looser and looser goals that are tried where a face stays open although no
/// better direction exists: rounding near a singular matrix. Four times each.
const LOOSENINGS: usize = 8;

/// The polar bound for at most [`super::FACE_POINTS`] datapoints.
///
/// Row and column i of `κ²A₀ − R₀ᵀR₀` are scaled by the power of two nearest
/// `√wᵢ`, which is exact and keeps copositivity.
pub(super) fn prove(search: &mut Search<'_>) -> Option<f64> {
    let units: Vec<f64> = search.scaled.sqrt_weights.iter().map(|a| super::power_of_two(*a)).collect();
    let gram = gram(search, &units);
    let (mut looser, mut left) = (1.0, LOOSENINGS);
    loop {
        let goal = search.attained * (1.0 + looser * search.tolerance);
        let matrix = test_matrix(search, &units, &gram, goal)?;
        match copositive(&matrix, &mut || search.step()) {
            Answer::Copositive => return Some(goal),
            Answer::Stopped => return None,
            Answer::Open(z) => {
                let z: Vec<f64> = z
                    .iter()
                    .zip(&units)
                    .zip(search.scaled.sqrt_weights)
                    .map(|((z, e), a)| z * e / a)
                    .collect();
                let direction = search.scaled.image(&z);
                if !search.look_at(&direction) {
                    left = left.checked_sub(1)?;
                    looser *= 4.0;
                }
            }
        }
    }
}

/// Upper bounds of `eᵢeⱼ rᵢᵀrⱼ`.
fn gram(search: &Search<'_>, units: &[f64]) -> Matrix {
    let dual = &search.scaled.dual;
    let (n, len) = (dual.nrows(), dual.ncols());
    let columns: Vec<Vec<f64>> =
        dual.columns().zip(units).map(|(r, e)| r.iter().map(|v| v * e).collect()).collect();
    Matrix::from_fn(len, len, |i, j| {
        // One order of the pair, so that the matrix is symmetric as stored.
        let (r, s) = (&columns[i.min(j)], &columns[i.max(j)]);
        let absolute: f64 = r.iter().zip(s).map(|(x, y)| (x * y).abs()).sum();
        // The last term covers entries that lost bits to underflow.
        ((crate::linalg::dot(r, s) + rounding::radius(n, absolute)).next_up() + f64::MIN_POSITIVE).next_up()
    })
}

/// A stored matrix at or below the scaled `κ²A₀ − R₀ᵀR₀` entry by entry.
fn test_matrix(search: &Search<'_>, units: &[f64], gram: &Matrix, kappa: f64) -> Option<Matrix> {
    let scaled = search.scaled;
    let square = Interval::point(kappa).square();
    let (l2, g2) = (square.mul(scaled.lambda_sq), square.mul(scaled.gamma_sq));
    let matrix = Matrix::from_fn(units.len(), units.len(), |i, j| {
        let pair = Interval::point(units[i]).mul(Interval::point(units[j]));
        let mut entry = l2.mul(pair);
        if i == j {
            entry = entry.add(g2.mul(pair.div(Interval::point(scaled.weights[i]))));
        }
        entry.sub(Interval::point(gram.get(i, j))).lo
    });
    matrix.as_slice().iter().all(|v| v.is_finite()).then_some(matrix)
}

/// Whether a stored symmetric matrix of order at most 63 is copositive; `step`
/// is asked before each face that needs arithmetic. O(2^m) faces, O(m³) each.
pub(super) fn copositive(matrix: &Matrix, step: &mut dyn FnMut() -> bool) -> Answer {
    let m = matrix.nrows();
    // Bit i of nonnegative[j]: entry (i, j) ≥ 0.
    let nonnegative: Vec<u64> = (0..m)
        .map(|j| (0..m).filter(|&i| matrix.get(i, j) >= 0.0).fold(0, |bits, i| bits | (1 << i)))
        .collect();
    for face in 1..1_u64 << m {
        let plain = (0..m).any(|j| face >> j & 1 == 1 && nonnegative[j] & face == face);
        if plain {
            continue;
        }
        if !step() {
            return Answer::Stopped;
        }
        let members: Vec<usize> = (0..m).filter(|&i| face >> i & 1 == 1).collect();
        if let Err(z) = prove_face(matrix, &members) {
            let mut whole = vec![0.0; if z.is_empty() { 0 } else { m }];
            for (&i, z) in members.iter().zip(&z) {
                whole[i] = *z;
            }
            return Answer::Open(whole);
        }
    }
    Answer::Copositive
}

/// Finds and checks a vector u for one face.
fn prove_face(matrix: &Matrix, members: &[usize]) -> Result<(), Vec<f64>> {
    let k = members.len();
    let ones = vec![1.0; k];
    if checked(matrix, members, &ones) {
        return Ok(());
    }
    let x = solve(matrix, members, &ones).ok_or_else(Vec::new)?;
    if checked(matrix, members, &x) {
        return Ok(());
    }
    // Any y ≥ 0 with yᵀB⁻¹1 > 0 will do for u = B⁻¹y: one coordinate, and
    // enough of all of them to keep B u away from 0.
    let (best, most) =
        x.iter().enumerate().fold((0, f64::NEG_INFINITY), |b, (i, &v)| if v > b.1 { (i, v) } else { b });
    if most > 0.0 {
        let total: f64 = x.iter().sum();
        let share = if total < 0.0 { min(1.0, 0.5 * most / -total) } else { 1.0 };
        let mut y = vec![share; k];
        y[best] += 1.0;
        if solve(matrix, members, &y).is_some_and(|u| checked(matrix, members, &u)) {
            return Ok(());
        }
    }
    Err(x.iter().map(|v| if *v < 0.0 { -v } else { 0.0 }).collect())
}

/// Whether `B_SS u ≥ 0` and `1ᵀu > 0` for certain.
fn checked(matrix: &Matrix, members: &[usize], u: &[f64]) -> bool {
    let k = members.len();
    let certain = |sum: f64, absolute: f64| sum - rounding::radius(k, absolute) >= f64::MIN_POSITIVE;
    if !u.iter().all(|v| v.is_finite()) || !certain(u.iter().sum(), u.iter().map(|v| v.abs()).sum()) {
        return false;
    }
    members.iter().all(|&i| {
        let (mut sum, mut absolute) = (0.0, 0.0);
        for (&j, v) in members.iter().zip(u) {
            let product = matrix.get(i, j) * v;
            sum += product;
            absolute += product.abs();
        }
        certain(sum, absolute)
    })
}

/// `B_SS⁻¹ rhs` by elimination with partial pivoting, refined once; `None` where
/// a pivot vanishes.
fn solve(matrix: &Matrix, members: &[usize], rhs: &[f64]) -> Option<Vec<f64>> {
    let k = members.len();
    let mut rows: Vec<Vec<f64>> =
        members.iter().map(|&i| members.iter().map(|&j| matrix.get(i, j)).collect()).collect();
    let mut order: Vec<usize> = (0..k).collect();
    for c in 0..k {
        let pivot = (c..k).fold(c, |p, r| if rows[r][c].abs() > rows[p][c].abs() { r } else { p });
        rows.swap(c, pivot);
        order.swap(c, pivot);
        let (done, rest) = rows.split_at_mut(c + 1);
        let head = &done[c];
        if head[c] == 0.0 {
            return None;
        }
        for row in rest {
            let factor = row[c] / head[c];
            row[c] = factor;
            for (v, h) in row[c + 1..].iter_mut().zip(&head[c + 1..]) {
                *v -= factor * h;
            }
        }
    }
    let back = |b: &[f64]| {
        let mut x: Vec<f64> = order.iter().map(|&i| b[i]).collect();
        for r in 0..k {
            let (head, tail) = x.split_at_mut(r);
            tail[0] -= crate::linalg::dot(&rows[r][..r], head);
        }
        for r in (0..k).rev() {
            let (head, tail) = x.split_at_mut(r + 1);
            head[r] = (head[r] - crate::linalg::dot(&rows[r][r + 1..], tail)) / rows[r][r];
        }
        x
    };
    let mut x = back(rhs);
    let defect: Vec<f64> = members
        .iter()
        .zip(rhs)
        .map(|(&i, b)| b - members.iter().zip(&x).map(|(&j, v)| matrix.get(i, j) * v).sum::<f64>())
        .collect();
    x.iter_mut().zip(back(&defect)).for_each(|(v, d)| *v += d);
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: &[&[f64]]) -> Answer {
        copositive(&Matrix::from_fn(rows.len(), rows.len(), |i, j| rows[i][j]), &mut || true)
    }

    #[test]
    fn known_matrices() {
        assert_eq!(answer(&[&[1.0, -0.5], &[-0.5, 1.0]]), Answer::Copositive);
        assert_eq!(answer(&[&[0.0, 1.0], &[1.0, 0.0]]), Answer::Copositive);
        assert!(matches!(answer(&[&[1.0, -2.0], &[-2.0, 1.0]]), Answer::Open(z) if z == [1.0, 1.0]));
        assert!(matches!(answer(&[&[-1.0]]), Answer::Open(_)));
        assert!(matches!(answer(&[&[0.0, -1.0], &[-1.0, 5.0]]), Answer::Open(_)));
    }

    #[test]
    fn horn_matrix_is_copositive_with_little_room_and_not_without() {
        // Copositive but not the sum of a semidefinite and a nonnegative matrix.
        let horn = |shift: f64| {
            Matrix::from_fn(5, 5, |i, j| {
                let step = (i + 5 - j) % 5;
                let sign = if step == 1 || step == 4 { -1.0 } else { 1.0 };
                sign + if i == j { shift } else { 0.0 }
            })
        };
        assert_eq!(copositive(&horn(1e-9), &mut || true), Answer::Copositive);
        assert!(matches!(copositive(&horn(-1e-9), &mut || true), Answer::Open(_)));
    }

    #[test]
    fn a_limit_stops_it() {
        let matrix = Matrix::from_fn(2, 2, |i, j| if i == j { 1.0 } else { -0.5 });
        assert_eq!(copositive(&matrix, &mut || false), Answer::Stopped);
    }
}
