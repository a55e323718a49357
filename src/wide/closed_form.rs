//! γ = 0 with as many atoms as wanted: radial soft-thresholding (theorem `wide-limit`).

use super::centre::location;
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::certificate::{Certified, Options, Witness, certify};
use crate::linalg::{Matrix, distance_sq, dot, norm};
use crate::observer::Observer;
use crate::problem::Problem;
use crate::solution::{Solution, SolveError};

/// Directions closer than this (Euclidean distance of unit vectors) share an
/// atom: collinear datapoints whose normalised coordinates differ by rounding.
/// The objective changes by its square, far below rounding.
const SAME_DIRECTION: f64 = 1e-13;

/// The optimum at γ = 0 without a centre: datapoint i is active iff `‖xᵢ‖ > λ`;
/// its atom is `xᵢ/‖xᵢ‖`, its code `‖xᵢ‖ − λ`. Collinear datapoints share an atom.
///
/// # Guarantees
/// The exact optimum for every width of at least the number of distinct active
/// directions, with a certified gap of rounding size:
/// [`wide-limit`](crate::proofs::wide_limit).
///
/// # Errors
/// [`SolveError::NotApplicable`] unless γ = 0 and no centre is learnt.
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem, wide};
/// let x = Matrix::from_columns(2, &[[3.0, 4.0], [0.1, 0.0]]);
/// let problem = Problem::builder(x).lambda(1.0).build()?;
/// let certificate = wide::closed_form(&problem)?;
/// // ½·(1·5 − ½) + ½·(½·0.01)
/// assert!((certificate.certificate().objective() - 2.2525).abs() < 1e-12);
/// assert!(certificate.certificate().relative_gap() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn closed_form(problem: &Problem) -> Result<Certified<Factorization>, SolveError> {
    needs_no_price(problem)?;
    if problem.centered() {
        return Err(SolveError::NotApplicable {
            method: "closed form",
            needs: "a fixed centre (closed_form_centered learns it)",
            found: "a free centre".to_owned(),
        });
    }
    let point = radial(problem.data().points(), problem.lambda(), None)?;
    Ok(certify(problem, point, &Witness::none(), &Options::default())?)
}

/// The optimum at γ = 0 with a learnt centre: the centre is the Huber location
/// `min_b Σ wᵢ h_λ(‖xᵢ − b‖)` (theorem
/// [`centre`](crate::proofs::centre)), the rest radial about it.
///
/// The centre need not be unique; one of the optimal ones is returned. The
/// certified gap is that of the location problem.
///
/// # Errors
/// [`SolveError::NotApplicable`] unless γ = 0 and a centre is learnt.
pub fn closed_form_centered(
    problem: &Problem,
    observer: &dyn Observer,
) -> Result<Solution<Factorization>, SolveError> {
    needs_no_price(problem)?;
    if !problem.centered() {
        return Err(SolveError::NotApplicable {
            method: "centred closed form",
            needs: "a problem with a centre",
            found: "a fixed centre".to_owned(),
        });
    }
    let found = location(problem.data(), problem.lambda(), observer);
    let mut shifted = problem.data().points().clone();
    for i in 0..shifted.ncols() {
        crate::linalg::axpy(-1.0, &found.center, shifted.col_mut(i));
    }
    let point = radial(&shifted, problem.lambda(), Some(found.center))?;
    let witness = Witness { dual: Some(found.dual), ..Witness::none() };
    let certified = certify(problem, point, &witness, &Options::default())?;
    Ok(Solution { certified, witness, stop: found.stop, iterations: found.iterations })
}

fn needs_no_price(problem: &Problem) -> Result<(), SolveError> {
    if problem.gamma() == 0.0 {
        Ok(())
    } else {
        Err(SolveError::NotApplicable {
            method: "closed form",
            needs: "gamma = 0",
            found: format!("gamma = {}", problem.gamma()),
        })
    }
}

/// Atoms and codes of the radial solution for (shifted) points.
fn radial(points: &Matrix, lambda: f64, center: Option<Vec<f64>>) -> Result<Factorization, SolveError> {
    let n = points.nrows();
    let active: Vec<(usize, f64)> =
        points.columns().map(norm).enumerate().filter(|(_, length)| *length > lambda).collect();
    let directions: Vec<&[f64]> = active.iter().map(|&(i, _)| points.col(i)).collect();
    let (directions, _) = Dictionary::normalise(Matrix::from_columns(n, &directions))?;
    let (atom_of, representatives) = distinct_directions(directions.matrix());
    let atoms = directions.matrix().select_columns(&representatives);
    let mut columns = vec![Vec::new(); points.ncols()];
    for (&(i, length), &k) in active.iter().zip(&atom_of) {
        columns[i].push((k, length - lambda));
    }
    let (dictionary, _) = Dictionary::normalise(atoms)?;
    let codes = Codes::from_columns(dictionary.len(), &columns);
    Ok(Factorization::new(dictionary, codes, center)?)
}

/// For unit columns: the group of each, and one column of each group, groups in
/// the order of their first column. O(nN + N log N) unless many columns have
/// the same projection without being equal.
pub(crate) fn distinct_directions(unit: &Matrix) -> (Vec<usize>, Vec<usize>) {
    // Any fixed generic vector: equal directions have projections equal up to rounding.
    #[expect(clippy::cast_precision_loss, reason = "a small index")]
    let probe: Vec<f64> = (0..unit.nrows()).map(|j| ((j + 1) as f64).sqrt().fract() - 0.5).collect();
    let reach = SAME_DIRECTION * (1.0 + norm(&probe));
    let keys: Vec<f64> = unit.columns().map(|d| dot(d, &probe)).collect();
    let mut order: Vec<usize> = (0..unit.ncols()).collect();
    order.sort_by(|&i, &j| keys[i].total_cmp(&keys[j]).then(i.cmp(&j)));
    let mut leader: Vec<usize> = (0..unit.ncols()).collect();
    for (position, &i) in order.iter().enumerate() {
        for &j in order[..position].iter().rev().take_while(|&&j| keys[i] - keys[j] <= reach) {
            if distance_sq(unit.col(i), unit.col(j)) <= SAME_DIRECTION * SAME_DIRECTION {
                leader[i] = leader[j];
                break;
            }
        }
    }
    // Renumber by first appearance.
    let mut number = vec![usize::MAX; unit.ncols()];
    let (mut groups, mut representatives) = (Vec::with_capacity(unit.ncols()), Vec::new());
    for (i, l) in leader.into_iter().enumerate() {
        if number[l] == usize::MAX {
            number[l] = representatives.len();
            representatives.push(i);
        }
        groups.push(number[l]);
    }
    (groups, representatives)
}
