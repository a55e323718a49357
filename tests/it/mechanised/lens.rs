//! `Lens.v`, T26a: a residual beyond the ball of radius λ, and what the atoms that see it take.

use num_traits::{One, Signed, Zero};

use super::fixed_dictionary::{exact_code, lasso};
use super::support::{
    CASES, Dice, Matrix, Q, added, dot, frac, half, huber, int, larger, norm2, root, scaled, square, sum,
    tally,
};

/// A datapoint longer than λ with a rational norm, and a residual `r` somewhere about it.
pub(super) struct Seen {
    pub(super) direction: Vec<Q>,
    pub(super) radius: Q,
    pub(super) point: Vec<Q>,
    pub(super) residual: Vec<Q>,
    pub(super) level: Q,
}

impl Seen {
    pub(super) fn random(dice: &mut Dice, dim: usize, lambda: &Q) -> Self {
        let direction = dice.unit(dim);
        let mut seen = Self::radial(dice, direction, lambda);
        // Between λx̂ and x, and a little aside.
        let beyond = &seen.radius - lambda;
        let along = lambda + &beyond * frac(dice.between(0, 8), 8);
        let aside = scaled(&dice.unit(dim), &(beyond * frac(dice.between(0, 4), 16)));
        seen.residual = added(&scaled(&seen.direction, &along), &aside);
        seen
    }
    /// The residual on the way to the datapoint, a quarter of what is beyond the ball.
    pub(super) fn radial(dice: &mut Dice, direction: Vec<Q>, lambda: &Q) -> Self {
        let radius = lambda * frac(dice.between(9, 40), 8);
        let point = scaled(&direction, &radius);
        let residual = scaled(&direction, &(lambda + (&radius - lambda) * frac(1, 4)));
        let level = huber(lambda, &radius);
        Self { direction, radius, point, residual, level }
    }
    /// xᵀρ − ½‖ρ‖².
    pub(super) fn value(&self, rho: &[Q]) -> Q {
        dot(&self.point, rho) - half(&norm2(rho))
    }
    pub(super) fn gain(&self) -> Q {
        self.value(&self.residual) - &self.level
    }
}

/// PROOF: Widedict.Lens.T26a_lens_bound
#[test]
fn t26a_lens_bound() {
    let (mut useful, mut beyond) = (0, 0);
    let gained = tally(CASES, 50, |dice| {
        let (dim, width) = (1 + dice.below(3), 1 + dice.below(3));
        let lambda = dice.positive();
        let seen = Seen::random(dice, dim, &lambda);
        let gain = seen.gain();
        if !gain.is_positive() {
            return false;
        }
        let atoms: Vec<Vec<Q>> =
            (0..width).map(|_| scaled(&dice.unit(dim), &frac(dice.between(6, 8), 8))).collect();
        // A point of the lens for each atom: the ball's, or one on the way to the residual's.
        let shares: Vec<Q> = atoms
            .iter()
            .map(|atom| {
                let short = scaled(&seen.residual, &frac(dice.between(4, 7), 8));
                let ball = scaled(&seen.direction, &lambda);
                let lens = if seen.value(&short) >= seen.level { short } else { ball };
                assert!(seen.value(&lens) >= seen.level);
                let seen_by = dot(atom, &seen.residual);
                if seen_by > lambda {
                    (&seen_by - &lambda) / (&seen_by - dot(atom, &lens))
                } else {
                    Q::zero()
                }
            })
            .collect();
        let atoms = Matrix::of_cols(&atoms);
        let cost = lasso(&lambda, &atoms, &seen.point, &exact_code(&lambda, &atoms, &seen.point));
        let total = sum(shares);
        assert!(&seen.level + &gain * larger(Q::one() - &total, Q::zero()) <= cost);
        useful += u64::from(total.is_positive() && total < Q::one());
        // The atoms do take something.
        beyond += u64::from(&seen.level + &gain > cost);
        true
    });
    assert!(2 * gained > CASES);
    assert!(useful > 0 && beyond > 0);
}

/// The y of the proof: towards the point when δ ≥ 0, against the atom otherwise.
fn step(delta: &Q, tau: &Q, away: &[Q], atom: &[Q]) -> Vec<Q> {
    if delta.is_negative() {
        scaled(atom, delta)
    } else if (tau + delta).is_zero() {
        scaled(away, &Q::zero())
    } else {
        scaled(away, &(delta / (tau + delta)))
    }
}

/// PROOF: Widedict.Lens.T26a_lens_point
#[test]
fn t26a_lens_point() {
    let mut negative = 0;
    let held = tally(2 * CASES, 51, |dice| {
        let dim = 1 + dice.below(3);
        let lambda = dice.positive();
        let seen = Seen::random(dice, dim, &lambda);
        let tau = &seen.radius - &lambda;
        let alpha = frac(dice.between(0, 8), 8);
        let reach = &alpha * &lambda;
        let aside_norm = &reach * frac(dice.between(0, 2), 8);
        let aside = scaled(&dice.unit(dim), &aside_norm);
        let center = added(&scaled(&seen.residual, &(Q::one() - &alpha)), &aside);
        let away = added(&seen.point, &scaled(&center, &int(-1)));
        let (_, far) = root(&norm2(&away));
        let delta = larger(far - &tau, &aside_norm - &reach);
        if delta.abs() + &aside_norm > reach {
            return false;
        }
        let atom = dice.unit(dim);
        let moved = step(&delta, &tau, &away, &atom);
        let lens = added(&center, &moved);
        assert!(norm2(&added(&aside, &moved)) <= square(&reach));
        assert!(seen.level <= seen.value(&lens));
        assert!(dot(&atom, &lens) <= dot(&atom, &center) + &delta);
        negative += u64::from(delta.is_negative());
        true
    });
    assert!(CASES < held && held < 2 * CASES);
    assert!(4 * negative > held);
}
