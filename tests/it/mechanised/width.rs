//! `Width.v`, T26: one copositive matrix against every dictionary of a given width.

use num_traits::{One, Signed, Zero};

use super::fixed_dictionary::{exact_code, lasso};
use super::lens::Seen;
use super::support::{
    CASES, Dice, Matrix, Q, added, copositivity_witness, dot, frac, half, int, larger, nearly_unit, norm2,
    root, scaled, square, sum, tally,
};

/// PROOF: Widedict.Width.T26_line
#[test]
fn t26_line() {
    let touched = tally(CASES, 52, |dice| {
        let (alpha, lambda, gain) = (dice.positive(), dice.positive(), dice.nonnegative());
        let (p, q) = (dice.positive(), dice.nonnegative());
        let delta = &alpha * &lambda - square(&p);
        let threshold = &lambda - square(&q) / &alpha;
        let slope = &gain / square(&(&p + &q));
        let sides = |t: &Q| (&gain * (t - &lambda), &slope * (t - &threshold) * (&alpha * t - &delta));
        let (left, right) = sides(&(&lambda + dice.nonnegative()));
        assert!(left <= right);
        // The line is a tangent: a lower one is too low.
        let (left, right) = sides(&(&lambda + &p * &q / &alpha));
        assert!(left == right);
        gain.is_positive() && q.is_positive()
    });
    assert!(3 * touched > CASES);
}

/// Lines, thresholds and weights: l lᵀ + η diag(l/(wu)) − RᵀR.
fn matrix(weights: &[Q], slopes: &[Q], thresholds: &[Q], eta: &Q, residuals: &Matrix) -> Matrix {
    Matrix::from_fn(residuals.cols, residuals.cols, |i, j| {
        let price = if i == j { eta * &thresholds[i] / (&weights[i] * &slopes[i]) } else { Q::zero() };
        &thresholds[i] * &thresholds[j] + price
    })
    .minus(&residuals.gram())
}

/// At most 5/4 of the least η for which the matrix is copositive, or 1/64.
fn enough(weights: &[Q], slopes: &[Q], thresholds: &[Q], residuals: &Matrix) -> Q {
    let mut eta = frac(1, 64);
    while copositivity_witness(&matrix(weights, slopes, thresholds, &eta, residuals)).is_some() {
        eta *= frac(5, 4);
    }
    eta
}

/// PROOF: Widedict.Width.T26_payment
#[test]
fn t26_payment() {
    let mut broken = 0;
    let large = tally(CASES, 53, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(3));
        let positive = |dice: &mut Dice| (0..points).map(|_| dice.positive()).collect::<Vec<Q>>();
        let (weights, slopes, thresholds) = (positive(dice), positive(dice), positive(dice));
        let residuals = dice.matrix(dim, points);
        let eta = enough(&weights, &slopes, &thresholds, &residuals);
        let payment = |atom: &[Q]| {
            sum((0..points).map(|i| {
                let over = larger(dot(atom, &residuals.col(i)) - &thresholds[i], Q::zero());
                &weights[i] * &slopes[i] * over
            }))
        };
        let random = dice.unit(dim);
        let towards = residuals.apply(&dice.nonnegative_vector(points));
        let towards = if norm2(&towards).is_zero() { random.clone() } else { nearly_unit(&towards) };
        let most = larger(payment(&random), payment(&towards));
        assert!(most <= half(&eta));
        broken += u64::from(int(32) * &most > eta);
        most.is_positive()
    });
    assert!(4 * large > CASES);
    assert!(broken > 0, "every payment is far below what the matrix allows");
}

/// A center on the way to the residual, its δ, and a line over the payment.
struct Line {
    gain: Q,
    slope: Q,
    threshold: Q,
}

impl Line {
    fn random(dice: &mut Dice, seen: &Seen, lambda: &Q) -> Option<Self> {
        let gain = seen.gain();
        // The best of eight centers on the segment from 0 to the residual.
        let centers = (1..=8).map(|k| {
            let alpha = frac(k, 8);
            let away = added(&seen.point, &scaled(&seen.residual, &(&alpha - Q::one())));
            let (_, far) = root(&norm2(&away));
            let reach = &alpha * lambda;
            let delta = larger(far - (&seen.radius - lambda), -&reach);
            (reach - delta, alpha)
        });
        let (room, alpha) = centers.max().expect("eight centers");
        if gain.is_negative() || !room.is_positive() {
            return None;
        }
        let threshold = lambda * frac(dice.between(14, 16), 16);
        let (p, _) = root(&room);
        let (q, _) = root(&(&alpha * (lambda - &threshold)));
        let slope = if gain.is_zero() { Q::one() } else { &gain / square(&(p + q)) };
        Some(Self { gain, slope, threshold })
    }
}

/// PROOF: Widedict.Width.T26_width_bound
#[test]
fn t26_width_bound() {
    let mut above = 0;
    let held = tally(CASES, 54, |dice| {
        let (dim, points, width) = (2, 3 + dice.below(2), 1 + dice.below(2));
        let lambda = dice.positive();
        let weights: Vec<Q> = (0..points).map(|_| int(dice.between(4, 6))).collect();
        let apart = dice.chance(60);
        let axes = [[1, 0], [0, 1], [-1, 0], [0, -1]];
        let seen: Vec<Seen> = (0..points)
            .map(|i| {
                if apart {
                    Seen::radial(dice, axes[i].map(int).to_vec(), &lambda)
                } else {
                    Seen::random(dice, dim, &lambda)
                }
            })
            .collect();
        let lines: Option<Vec<Line>> = seen.iter().map(|s| Line::random(dice, s, &lambda)).collect();
        let Some(lines) = lines else { return false };
        let of = |part: fn(&Line) -> &Q| lines.iter().map(|line| part(line).clone()).collect::<Vec<Q>>();
        let (gains, slopes, thresholds) = (of(|l| &l.gain), of(|l| &l.slope), of(|l| &l.threshold));
        let residuals = Matrix::of_cols(&seen.iter().map(|s| s.residual.clone()).collect::<Vec<_>>());
        let eta = enough(&weights, &slopes, &thresholds, &residuals);
        let wide = sum((0..points).map(|i| &weights[i] * &seen[i].level));
        let count = int(i64::try_from(width).expect("small"));
        let bound = &wide + dot(&weights, &gains) - count * half(&eta);
        let atoms = Matrix::of_cols(&dice.units(dim, width));
        let objective = sum((0..points).map(|i| {
            &weights[i] * lasso(&lambda, &atoms, &seen[i].point, &exact_code(&lambda, &atoms, &seen[i].point))
        }));
        assert!(bound <= objective);
        above += u64::from(bound > wide);
        true
    });
    assert!(4 * held > CASES);
    assert!(above > 0, "the bound never rises above the wide limit");
}
