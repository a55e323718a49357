//! Hypothesis H1 of theorem `local-radius`: the pessimistic form over a neighborhood is
//! positive definite, proved by one elimination and one Cholesky factorization with every
//! rounding counted (`proofs/rounding.md`, items 11 and 12).
//!
//! In the metric's variables `√c_k δ_k`, `√c_b β`, `√w_i ζ_i` every entry is without units.
//! Either the codes are eliminated, a datapoint at a time, or the moves, all at once: the
//! dense matrix that is left has the order of the moves, or that of the pairs.

use super::form::{Form, Live};
use super::sets::{Column, Neighborhood, down};
use super::{codes_out, moves_out};
use crate::linalg::{Factored, dot};
use crate::observer::Observer;

/// Roundings of one entry beside those of its sums, at most.
pub(super) const ENTRY: usize = 24;

/// How an attempt ended.
pub(super) enum Proof {
    Holds,
    /// A datapoint's block is not positive definite.
    Dependent,
    Fails,
    Stopped,
    /// The least order of a dense matrix that is above the limit.
    TooLarge(usize),
}

impl Proof {
    /// What a factorization proves.
    pub(super) fn of(factored: &Factored) -> Self {
        match factored {
            Factored::Done(_) => Self::Holds,
            Factored::Indefinite => Self::Fails,
            Factored::Stopped => Self::Stopped,
        }
    }
}

/// Orders of the dense matrix that is left where codes are eliminated, and where moves are.
#[derive(Clone, Copy)]
pub(crate) struct Orders {
    moves: usize,
    pairs: usize,
}

impl Orders {
    /// For so many atoms in use, pairs, and datapoints with pairs.
    pub(super) fn new(
        dim: usize,
        centered: bool,
        gamma: f64,
        atoms: usize,
        pairs: usize,
        points: usize,
    ) -> Self {
        let blocks = atoms + usize::from(centered);
        let moves = codes_out::order(dim * blocks, atoms, gamma);
        // With no pair there is nothing to eliminate moves from.
        let pairs = if pairs == 0 { usize::MAX } else { moves_out::order(pairs, points, blocks) };
        Self { moves, pairs }
    }

    /// The smaller one.
    pub(crate) fn least(self) -> usize {
        self.moves.min(self.pairs)
    }
}

/// Tries to prove H1 with `mu` over a neighborhood, by the elimination that leaves less; none
/// is tried that leaves more than `limit` dense variables.
pub(super) fn prove(
    neighborhood: &Neighborhood<'_>,
    mu: f64,
    limit: usize,
    observer: &dyn Observer,
) -> Proof {
    let orders = neighborhood.orders();
    if orders.least() > limit {
        Proof::TooLarge(orders.least())
    } else if orders.moves <= orders.pairs {
        codes_out::prove(neighborhood, mu, observer)
    } else {
        moves_out::prove(neighborhood, mu, observer)
    }
}

/// An upper bound, as computed, of the form's smallest eigenvalue at the factorization itself.
pub(super) fn smallest_eigenvalue(
    at: &Neighborhood<'_>,
    limit: usize,
    observer: &dyn Observer,
) -> Result<f64, Proof> {
    let orders = at.orders();
    if orders.moves > limit {
        return Err(Proof::TooLarge(orders.moves));
    }
    codes_out::smallest_eigenvalue(at, observer)
}

/// `γ²/((1 + ω_k)g_k)` from below for every atom; zeros at γ = 0. Any smaller number is valid.
pub(super) fn bends(neighborhood: &Neighborhood<'_>) -> Vec<f64> {
    let form = neighborhood.form;
    let square = form.gamma * form.gamma;
    let bend =
        |(atom, omega): (&Live, &f64)| down(square / ((1.0 + omega) * atom.gauge), 2 * atom.uses + ENTRY);
    form.atoms.iter().zip(&neighborhood.omega).map(bend).collect()
}

/// The rows of the factor of a datapoint's block `(1 − η)G + diag(h + curvature) − (κ + ν + shift)I`.
pub(super) fn shifted_block(
    form: &Form<'_>,
    bends: &[f64],
    column: &Column,
    shift: f64,
) -> Option<Vec<Vec<f64>>> {
    let m = column.pairs.len();
    let loss = column.kappa + column.nu + shift;
    let mut factor = vec![vec![0.0; m]; m];
    for a in 0..m {
        for b in 0..=a {
            let (pa, pb) = (&column.pairs[a], &column.pairs[b]);
            let mut s = (1.0 - column.eta) * dot(form.atom(pa.atom), form.atom(pb.atom));
            if a == b {
                s += bends[pa.atom] + pa.curvature - loss;
            }
            s -= dot(&factor[a][..b], &factor[b][..b]);
            if a != b {
                factor[a][b] = s / factor[b][b];
            } else if s > 0.0 {
                factor[a][a] = s.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(factor)
}

#[cfg(test)]
mod tests {
    use std::ops::{Add, Mul, Sub};

    use num_bigint::BigInt;
    use num_traits::{Signed, Zero, float::FloatCore};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::atoms::{Codes, Dictionary, Factorization};
    use crate::linalg::Matrix;
    use crate::problem::Problem;
    use crate::trusted::Subject;
    use crate::trusted::local::sets::{Measures, Pair};

    /// `m · 2^e`, exactly.
    #[derive(Clone)]
    struct Dyadic(BigInt, i64);

    impl From<f64> for Dyadic {
        fn from(value: f64) -> Self {
            let (mantissa, exponent, sign) = FloatCore::integer_decode(value);
            Self(BigInt::from(mantissa) * sign, exponent.into())
        }
    }

    impl Add for Dyadic {
        type Output = Self;
        fn add(self, other: Self) -> Self {
            if self.0.is_zero() || other.0.is_zero() {
                return if self.0.is_zero() { other } else { self };
            }
            let least = self.1.min(other.1);
            Self((self.0 << (self.1 - least)) + (other.0 << (other.1 - least)), least)
        }
    }

    impl Sub for Dyadic {
        type Output = Self;
        fn sub(self, other: Self) -> Self {
            self + Self(-other.0, other.1)
        }
    }

    impl Mul for Dyadic {
        type Output = Self;
        fn mul(self, other: Self) -> Self {
            Self(self.0 * other.0, self.1 + other.1)
        }
    }

    fn ex(value: f64) -> Dyadic {
        value.into()
    }

    fn inner(a: &[Dyadic], b: &[Dyadic]) -> Dyadic {
        a.iter().zip(b).fold(ex(0.0), |sum, (a, b)| sum + a.clone() * b.clone())
    }

    /// The direction of a vector to 250 bits.
    fn direction(d: &[f64]) -> Vec<Dyadic> {
        let d: Vec<Dyadic> = d.iter().map(|d| ex(*d)).collect();
        let mut square = inner(&d, &d);
        if square.1 % 2 != 0 {
            square = Dyadic(square.0 << 1, square.1 - 1);
        }
        // 1/√m to 2^-300, whatever the size of m.
        let bits = 300 + i64::try_from(square.0.bits()).unwrap();
        let root = ((BigInt::from(1) << (2 * bits)) / square.0).sqrt();
        let inverse = Dyadic(root, -bits - square.1 / 2);
        d.into_iter().map(|d| d * inverse.clone()).collect()
    }

    /// Whether a symmetric matrix is positive definite: its leading minors, by elimination
    /// without fractions. Variables are first scaled by powers of two.
    fn is_positive(matrix: &[Vec<Dyadic>]) -> bool {
        let size = matrix.len();
        if matrix.iter().enumerate().any(|(a, row)| !row[a].0.is_positive()) {
            return false;
        }
        let log = |x: &Dyadic| i64::try_from(x.0.bits()).unwrap() + x.1;
        let scale: Vec<i64> = (0..size).map(|a| -log(&matrix[a][a]) / 2).collect();
        let scaled =
            |a: usize, b: usize| Dyadic(matrix[a][b].0.clone(), matrix[a][b].1 + scale[a] + scale[b]);
        let entries = || (0..size).flat_map(|a| (0..=a).map(move |b| (a, b)));
        let least = entries().map(|(a, b)| scaled(a, b)).filter(|x| !x.0.is_zero()).map(|x| x.1).min();
        let least = least.unwrap_or(0);
        let mut rows: Vec<Vec<BigInt>> = vec![vec![BigInt::zero(); size]; size];
        for (a, b) in entries() {
            let x = scaled(a, b);
            rows[a][b] = if x.0.is_zero() { x.0 } else { x.0 << (x.1 - least) };
            rows[b][a] = rows[a][b].clone();
        }
        let mut before = BigInt::from(1);
        for k in 0..size {
            let pivot = rows[k][k].clone();
            if !pivot.is_positive() {
                return false;
            }
            for a in k + 1..size {
                for b in k + 1..=a {
                    let value = (&rows[a][b] * &pivot - &rows[a][k] * &rows[b][k]) / &before;
                    rows[a][b] = value.clone();
                    rows[b][a] = value;
                }
            }
            before = pivot;
        }
        true
    }

    /// H1 for `mu` and radial weights, as a matrix in `(Δ, β, ζ)` and at γ > 0 one `c` an atom,
    /// from the stored problem and factorization.
    fn exact(at: &Neighborhood<'_>, mu: f64, radial: &[f64]) -> Vec<Vec<Dyadic>> {
        let (form, bends) = (at.form, bends(at));
        let (n, count) = (form.dim(), form.atoms.len());
        let (problem, point) = (form.subject.problem(), form.subject.factorization());
        let atoms: Vec<Vec<Dyadic>> = (0..count).map(|p| direction(form.atom(p))).collect();
        let pairs: Vec<(usize, Pair)> = (at.columns.iter().enumerate())
            .flat_map(|(i, column)| column.pairs.iter().map(move |pair| (i, *pair)))
            .collect();
        let base = form.size();
        let size = base + pairs.len() + if form.gamma > 0.0 { count } else { 0 };
        let mut out = vec![vec![ex(0.0); size]; size];
        // Adds weight · (Σ coefficients)².
        let mut square = |weight: &Dyadic, terms: &[(usize, Dyadic)]| {
            for (a, x) in terms {
                for (b, y) in terms {
                    out[*a][*b] = out[*a][*b].clone() + weight.clone() * x.clone() * y.clone();
                }
            }
        };
        let both =
            |weight: Dyadic, a: usize, b: usize, square: &mut dyn FnMut(&Dyadic, &[(usize, Dyadic)])| {
                // 2ab = (a + b)² − a² − b².
                let minus = ex(0.0) - weight.clone();
                square(&weight, &[(a, ex(1.0)), (b, ex(1.0))]);
                square(&minus, &[(a, ex(1.0))]);
                square(&minus, &[(b, ex(1.0))]);
            };
        let mut alphas = vec![ex(0.0); count];
        for (i, column) in at.columns.iter().enumerate() {
            let (w, x) = (ex(form.weights()[i]), problem.data().datapoint(i));
            let residual: Vec<Dyadic> = (0..n)
                .map(|c| {
                    let center = point.center().map_or(0.0, |b| b[c]);
                    let r = ex(x[c] / form.unit) - ex(center / form.unit);
                    form.codes[i].iter().fold(r, |r, (p, z)| r - ex(*z) * atoms[*p][c].clone())
                })
                .collect();
            for &(p, z) in &form.codes[i] {
                alphas[p] = alphas[p].clone() + w.clone() * ex(z) * inner(&residual, &atoms[p]);
            }
            let own: Vec<(usize, Pair)> =
                pairs.iter().enumerate().filter(|(_, p)| p.0 == i).map(|(at, p)| (base + at, p.1)).collect();
            for c in 0..n {
                let mut terms: Vec<(usize, Dyadic)> =
                    form.codes[i].iter().map(|(p, z)| (p * n + c, ex(*z))).collect();
                if form.centered() {
                    terms.push((count * n + c, ex(1.0)));
                }
                terms.extend(own.iter().map(|(at, pair)| (*at, atoms[pair.atom][c].clone())));
                square(&(w.clone() * ex(1.0 - column.eta)), &terms);
                for (at, pair) in &own {
                    both(ex(-1.0) * w.clone() * residual[c].clone(), pair.atom * n + c, *at, &mut square);
                }
            }
            for (at, pair) in &own {
                let diagonal = ex(pair.curvature) - ex(column.kappa) - ex(column.nu);
                square(&(w.clone() * diagonal), &[(*at, ex(1.0))]);
                if form.gamma > 0.0 {
                    let bend = w.clone() * ex(bends[pair.atom]);
                    let c = base + pairs.len() + pair.atom;
                    square(&bend, &[(*at, ex(1.0)), (c, ex(-pair.code))]);
                }
            }
        }
        for (p, atom) in form.atoms.iter().enumerate() {
            let c = ex(atom.root) * ex(atom.root);
            // ρ_k = ρ/√c_k, a power of two: exact.
            let angle = ex(at.rho / atom.root);
            let lost = ex(0.25) * ex(radial[p]) * angle.clone() * angle;
            let own = alphas[p].clone() - lost - ex(mu) * c;
            (0..n).for_each(|j| square(&own, &[(p * n + j, ex(1.0))]));
            let along: Vec<_> = (0..n).map(|j| (p * n + j, atoms[p][j].clone())).collect();
            square(&ex(radial[p]), &along);
        }
        if form.centered() {
            let own = ex(-mu) * ex(form.center_root) * ex(form.center_root);
            (count * n..base).for_each(|a| square(&own, &[(a, ex(1.0))]));
        }
        out
    }

    /// Data, codes and atoms of a few datapoints whose residuals nearly hold their codes.
    fn instance(rng: &mut ChaCha8Rng) -> Option<(Problem, Factorization)> {
        let mut number = |from: f64, to: f64| from + (to - from) * rng.random::<f64>();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let mut whole = |from: f64, to: f64| number(from, to + 0.999).floor() as usize;
        let (n, m, len) = (whole(2.0, 4.0), whole(1.0, 3.0), whole(1.0, 6.0));
        let choice = [whole(0.0, 2.0), whole(0.0, 2.0), whole(0.0, 3.0), whole(0.0, 3.0), whole(0.0, 3.0)];
        let decades = [0.0, 0.0, 2.0, 12.0][choice[2]];
        let across = [0.01, 0.1, 0.4, 1.0][choice[3]];
        let alike = [1.0, 1.0, 0.1, 1e-4][choice[4]];
        let first: Vec<f64> = (0..n).map(|_| number(-1.0, 1.0)).collect();
        let atoms = Matrix::from_columns(
            n,
            &(0..m)
                .map(|_| first.iter().map(|f| f + alike * number(-1.0, 1.0)).collect::<Vec<f64>>())
                .collect::<Vec<_>>(),
        );
        let (dictionary, _) = Dictionary::normalize(atoms).ok()?;
        let lambda = 10.0_f64.powf(number(-2.0, 0.0));
        let (mut columns, mut codes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..len {
            let used: Vec<usize> = (0..m).filter(|_| number(0.0, 1.0) < 0.6).take(n).collect();
            let code: Vec<(usize, f64)> =
                used.iter().map(|&k| (k, 10.0_f64.powf(number(-2.0, 0.5)))).collect();
            let gram = Matrix::from_fn(used.len(), used.len(), |a, b| {
                dot(dictionary.atom(used[a]), dictionary.atom(used[b])) + if a == b { 1e-9 } else { 0.0 }
            });
            let mut pulls = Matrix::from_fn(used.len(), 1, |_, _| lambda);
            if !used.is_empty() {
                crate::linalg::Cholesky::new(gram)?.solve(&mut pulls);
            }
            let mut x: Vec<f64> = (0..n).map(|_| across * lambda * number(-1.0, 1.0)).collect();
            for (&(k, z), y) in code.iter().zip(pulls.as_slice()) {
                crate::linalg::axpy(z + y, dictionary.atom(k), &mut x);
            }
            columns.push(x);
            codes.push(code);
            weights.push(10.0_f64.powf(number(-decades, decades)));
        }
        let gamma = if choice[0] == 0 { lambda * 10.0_f64.powf(number(-1.0, 1.0)) } else { 0.0 };
        let centered = choice[1] == 0;
        let builder = Problem::builder(Matrix::from_columns(n, &columns)).weights(weights);
        let problem = builder.lambda(lambda).gamma(gamma).centered(centered).build().ok()?;
        let center = centered.then(|| vec![0.0; n]);
        let point = Factorization::new(dictionary, Codes::from_columns(m, &codes), center).ok()?;
        Some((problem, point))
    }

    /// Numbers of a radius, and idle pairs, as a search might choose them.
    fn perturb(at: &mut Neighborhood<'_>, rng: &mut ChaCha8Rng) {
        let mut size = |from: f64, to: f64| 10.0_f64.powf(from + (to - from) * rng.random::<f64>());
        let count = at.form.atoms.len();
        at.rho = size(-9.0, -2.0);
        let loss = size(-9.0, -1.0);
        for column in &mut at.columns {
            for atom in 0..count {
                if column.pairs.iter().all(|pair| pair.atom != atom) && size(0.0, 1.0) < 2.0 {
                    column.pairs.push(Pair::idle(atom));
                }
            }
            if column.pairs.is_empty() {
                continue;
            }
            column.eta = loss * size(-1.0, 0.0);
            column.nu = loss * size(-2.0, 0.0);
            column.kappa = loss * size(-2.0, 0.0);
            if at.form.gamma == 0.0 {
                let idle = column.pairs.iter_mut().filter(|pair| pair.code == 0.0);
                idle.for_each(|pair| pair.curvature = size(-6.0, 2.0));
            }
        }
        at.omega.iter_mut().for_each(|omega| *omega = 0.5 * size(-6.0, 0.0));
    }

    /// The largest `mu` that is proved, to a millionth.
    fn most(holds: impl Fn(f64) -> bool) -> Option<f64> {
        let (mut low, mut high) = (1e-13_f64, 1e6_f64);
        if !holds(low) {
            return None;
        }
        while high > low * (1.0 + 1e-7) {
            let middle = (low * high).sqrt();
            *(if holds(middle) { &mut low } else { &mut high }) = middle;
        }
        Some(low)
    }

    /// Whatever is proved is so in exact arithmetic, by either elimination; and what is proved is
    /// nearly all there is, by the one that leaves the moves.
    #[test]
    fn the_largest_growth_that_is_proved_is_there() {
        let count: u64 = std::env::var("LOCAL_PROOFS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
        let mut proved = [0, 0];
        let mut weak = [0, 0];
        for seed in 0..count {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let Some((problem, point)) = instance(&mut rng) else { continue };
            let subject = Subject::of(&problem, &point).unwrap();
            let form = Form::of(&subject);
            let Some(measures) = Measures::of(&form) else { continue };
            let mut at = Neighborhood::at(&form, &measures);
            perturb(&mut at, &mut rng);
            let ways: [&dyn Fn(f64) -> Proof; 2] =
                [&|mu| codes_out::prove(&at, mu, &()), &|mu| moves_out::prove(&at, mu, &())];
            for (way, prove) in ways.into_iter().enumerate() {
                let Some(mu) = most(|mu| matches!(prove(mu), Proof::Holds)) else { continue };
                let radial = |mu: f64| match way {
                    0 => codes_out::radial(&form),
                    _ => moves_out::radial(&form, at.rho, mu),
                };
                proved[way] += 1;
                assert!(is_positive(&exact(&at, mu, &radial(mu))), "{seed}: {mu:e} by {way}");
                weak[way] += usize::from(is_positive(&exact(&at, 1.01 * mu, &radial(1.01 * mu))));
            }
        }
        println!("proved {proved:?}, of them by less than 0.99 of what is there {weak:?}");
        assert!(proved[0] > 50 && proved[1] > 50, "{proved:?}");
    }
}
