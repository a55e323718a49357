//! Hypothesis H1 of theorem `local-radius`: the pessimistic form over a neighborhood is
//! positive definite, proved by one elimination and one Cholesky factorization with every
//! rounding counted (`proofs/rounding.md`, items 11 and 12).
//!
//! In the metric's variables `√c_k δ_k`, `√c_b β`, `√w_i ζ_i` every entry is without units.
//! Either the codes are eliminated, a datapoint at a time, or the moves, all at once: the
//! dense matrix that is left has the order of the moves, or that of the pairs.

use super::elimination::Proof;
use super::sets::Neighborhood;
use super::{codes_out, moves_out};
use crate::observer::Observer;
use crate::problem::Problem;

/// Orders of the dense matrix that is left where codes are eliminated, and where moves are.
#[derive(Clone, Copy)]
pub(super) struct Orders {
    moves: usize,
    pairs: usize,
}

impl Orders {
    /// For so many atoms in use, pairs, and datapoints with pairs.
    pub(super) fn new(problem: &Problem, atoms: usize, pairs: usize, points: usize) -> Self {
        let blocks = atoms + usize::from(problem.centered());
        let moves = codes_out::order(problem.dim() * blocks, atoms, problem.gamma());
        // With no pair there is nothing left to eliminate moves from.
        let pairs = if pairs == 0 { usize::MAX } else { moves_out::order(pairs, points, blocks) };
        Self { moves, pairs }
    }

    /// For the pairs of a neighborhood.
    fn of(neighborhood: &Neighborhood<'_>) -> Self {
        let form = neighborhood.form;
        let used = neighborhood.columns.iter().map(|column| column.pairs.len()).filter(|pairs| *pairs > 0);
        let pairs = used.clone().sum();
        Self::new(form.subject.problem(), form.atoms.len(), pairs, used.count())
    }

    /// The smaller one.
    pub(super) fn least(self) -> usize {
        self.moves.min(self.pairs)
    }
}

/// Tries to prove H1 with `mu` over a neighborhood, by the elimination that leaves less where it
/// may succeed; none is tried that leaves more than `limit` dense variables.
pub(super) fn prove(
    neighborhood: &Neighborhood<'_>,
    mu: f64,
    limit: usize,
    observer: &dyn Observer,
) -> Proof {
    let orders = Orders::of(neighborhood);
    if orders.least() > limit {
        return Proof::TooLarge(orders.least());
    }
    let moves_first = orders.pairs <= limit && orders.pairs < orders.moves;
    if moves_first && moves_out::has_room(neighborhood, mu) {
        moves_out::prove(neighborhood, mu, observer)
    } else if orders.moves <= limit {
        codes_out::prove(neighborhood, mu, observer)
    } else {
        Proof::Fails
    }
}

/// An upper bound, as computed, of the form's smallest eigenvalue at the factorization itself.
pub(super) fn smallest_eigenvalue(
    at: &Neighborhood<'_>,
    limit: usize,
    observer: &dyn Observer,
) -> Result<f64, Proof> {
    let orders = Orders::of(at);
    if orders.moves > limit {
        return Err(Proof::TooLarge(orders.moves));
    }
    codes_out::smallest_eigenvalue(at, observer)
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
    use crate::linalg::dot;
    use crate::trusted::Subject;
    use crate::trusted::local::elimination::bends;
    use crate::trusted::local::form::Form;
    use crate::trusted::local::sets::{Column, Measures, Pair};

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

    /// A quadratic form as a sum of squares.
    struct Squares(Vec<Vec<Dyadic>>);

    impl Squares {
        /// Adds weight · (Σ coefficients)².
        fn add(&mut self, weight: &Dyadic, terms: &[(usize, Dyadic)]) {
            for (a, x) in terms {
                for (b, y) in terms {
                    let product = weight.clone() * x.clone() * y.clone();
                    self.0[*a][*b] = self.0[*a][*b].clone() + product;
                }
            }
        }

        /// Adds 2 · weight · (product of two variables).
        fn add_product(&mut self, weight: &Dyadic, a: usize, b: usize) {
            for (a, b) in [(a, b), (b, a)] {
                self.0[a][b] = self.0[a][b].clone() + weight.clone();
            }
        }
    }

    /// What [`exact`] is made of.
    struct Exactly<'a> {
        at: &'a Neighborhood<'a>,
        atoms: Vec<Vec<Dyadic>>,
        /// Datapoint and pair, for every code.
        pairs: Vec<(usize, Pair)>,
        alphas: Vec<Dyadic>,
        form: Squares,
    }

    impl Exactly<'_> {
        fn residual(&self, i: usize) -> Vec<Dyadic> {
            let form = self.at.form;
            let (x, center) =
                (form.subject.problem().data().datapoint(i), form.subject.factorization().center());
            let of = |c: usize| {
                let r = ex(x[c] / form.unit) - ex(center.map_or(0.0, |b| b[c]) / form.unit);
                form.codes[i].iter().fold(r, |r, (p, z)| r - ex(*z) * self.atoms[*p][c].clone())
            };
            (0..form.dim()).map(of).collect()
        }

        /// Adds datapoint i, and its part of every `α_k`.
        fn add_datapoint(&mut self, i: usize, bends: &[f64]) {
            let (form, column) = (self.at.form, &self.at.columns[i]);
            let (n, base, w) = (form.dim(), form.size(), ex(form.weights()[i]));
            let residual = self.residual(i);
            for &(p, z) in &form.codes[i] {
                let part = w.clone() * ex(z) * inner(&residual, &self.atoms[p]);
                self.alphas[p] = self.alphas[p].clone() + part;
            }
            let own = self.pairs.iter().enumerate().filter(|(_, pair)| pair.0 == i);
            let own: Vec<(usize, Pair)> = own.map(|(at, pair)| (base + at, pair.1)).collect();
            for (c, residual) in residual.iter().enumerate() {
                let mut terms: Vec<_> = form.codes[i].iter().map(|(p, z)| (p * n + c, ex(*z))).collect();
                if form.centered() {
                    terms.push((form.atoms.len() * n + c, ex(1.0)));
                }
                terms.extend(own.iter().map(|(at, pair)| (*at, self.atoms[pair.atom][c].clone())));
                self.form.add(&(w.clone() * (ex(1.0) - ex(column.eta))), &terms);
                let pull = ex(-1.0) * w.clone() * residual.clone();
                own.iter().for_each(|(at, pair)| self.form.add_product(&pull, pair.atom * n + c, *at));
            }
            for (at, pair) in &own {
                let diagonal = ex(pair.curvature) - ex(column.kappa) - ex(column.nu);
                self.form.add(&(w.clone() * diagonal), &[(*at, ex(1.0))]);
                if form.gamma > 0.0 {
                    let bend = w.clone() * ex(bends[pair.atom]);
                    let c = base + self.pairs.len() + pair.atom;
                    self.form.add(&bend, &[(*at, ex(1.0)), (c, ex(-pair.code))]);
                }
            }
        }

        /// Adds the curvature of the atoms and what `mu` takes off.
        fn add_moves(&mut self, mu: f64, radial: &[f64]) {
            let form = self.at.form;
            let n = form.dim();
            for (p, atom) in form.atoms.iter().enumerate() {
                // ρ_k = ρ/√c_k, √c_k a power of two: exact.
                let angle = ex(self.at.rho / atom.root);
                let lost = ex(0.25) * ex(radial[p]) * angle.clone() * angle;
                let own = self.alphas[p].clone() - lost - ex(mu) * ex(atom.root) * ex(atom.root);
                (0..n).for_each(|j| self.form.add(&own, &[(p * n + j, ex(1.0))]));
                let along: Vec<_> = (0..n).map(|j| (p * n + j, self.atoms[p][j].clone())).collect();
                self.form.add(&ex(radial[p]), &along);
            }
            if form.centered() {
                let own = ex(-mu) * ex(form.center_root) * ex(form.center_root);
                (form.atoms.len() * n..form.size()).for_each(|a| self.form.add(&own, &[(a, ex(1.0))]));
            }
        }
    }

    /// H1 for `mu` and radial weights, as a matrix in `(Δ, β, ζ)` and at γ > 0 one `c` an atom,
    /// from the stored problem and factorization.
    fn exact(at: &Neighborhood<'_>, mu: f64, radial: &[f64]) -> Vec<Vec<Dyadic>> {
        let form = at.form;
        let count = form.atoms.len();
        let of = |(i, column): (usize, &Column)| -> Vec<(usize, Pair)> {
            column.pairs.iter().map(|pair| (i, *pair)).collect()
        };
        let pairs: Vec<(usize, Pair)> = at.columns.iter().enumerate().flat_map(of).collect();
        let size = form.size() + pairs.len() + if form.gamma > 0.0 { count } else { 0 };
        let mut exactly = Exactly {
            at,
            atoms: (0..count).map(|p| direction(form.atom(p))).collect(),
            pairs,
            alphas: vec![ex(0.0); count],
            form: Squares(vec![vec![ex(0.0); size]; size]),
        };
        let bends = bends(at);
        (0..at.columns.len()).for_each(|i| exactly.add_datapoint(i, &bends));
        exactly.add_moves(mu, radial);
        exactly.form.0
    }

    /// Shapes and scales of an instance.
    struct Draw {
        shape: [usize; 3],
        lambda: f64,
        gamma: f64,
        centered: bool,
        /// Decades of the weights, and the size of what residuals have across the atoms.
        decades: f64,
        across: f64,
        /// How far atoms are from each other.
        alike: f64,
    }

    impl Draw {
        fn of(rng: &mut ChaCha8Rng) -> Self {
            let lambda = 10.0_f64.powf(number(rng, -2.0, 0.0));
            let priced = rng.random_range(0..3) == 0;
            Self {
                shape: [rng.random_range(2..5), rng.random_range(1..4), rng.random_range(1..7)],
                lambda,
                gamma: if priced { lambda * 10.0_f64.powf(number(rng, -1.0, 1.0)) } else { 0.0 },
                centered: rng.random_range(0..3) == 0,
                decades: [0.0, 0.0, 2.0, 12.0][rng.random_range(0..4)],
                across: [0.01, 0.1, 0.4, 1.0][rng.random_range(0..4)],
                alike: [1.0, 1.0, 0.1, 1e-4][rng.random_range(0..4)],
            }
        }
    }

    fn number(rng: &mut ChaCha8Rng, from: f64, to: f64) -> f64 {
        from + (to - from) * rng.random::<f64>()
    }

    /// Atoms and how much of each.
    type Code = Vec<(usize, f64)>;

    /// A datapoint with a code over some atoms: their sum, what holds the code, and something
    /// across.
    fn datapoint(rng: &mut ChaCha8Rng, draw: &Draw, dictionary: &Dictionary) -> Option<(Vec<f64>, Code)> {
        let n = draw.shape[0];
        let used: Vec<usize> = (0..dictionary.len()).filter(|_| rng.random_range(0..5) < 3).take(n).collect();
        let gram = Matrix::from_fn(used.len(), used.len(), |a, b| {
            dot(dictionary.atom(used[a]), dictionary.atom(used[b])) + if a == b { 1e-9 } else { 0.0 }
        });
        let mut pulls = Matrix::from_fn(used.len(), 1, |_, _| draw.lambda);
        if !used.is_empty() {
            crate::linalg::Cholesky::new(gram)?.solve(&mut pulls);
        }
        let code: Code = used.iter().map(|&k| (k, 10.0_f64.powf(number(rng, -2.0, 0.5)))).collect();
        let mut x: Vec<f64> = (0..n).map(|_| draw.across * draw.lambda * number(rng, -1.0, 1.0)).collect();
        for (&(k, z), y) in code.iter().zip(pulls.as_slice()) {
            crate::linalg::axpy(z + y, dictionary.atom(k), &mut x);
        }
        Some((x, code))
    }

    /// Data, codes and atoms of a few datapoints whose residuals nearly hold their codes.
    fn instance(rng: &mut ChaCha8Rng) -> Option<(Problem, Factorization)> {
        let draw = Draw::of(rng);
        let [n, m, len] = draw.shape;
        let first: Vec<f64> = (0..n).map(|_| number(rng, -1.0, 1.0)).collect();
        let mut atom =
            || -> Vec<f64> { first.iter().map(|f| f + draw.alike * number(rng, -1.0, 1.0)).collect() };
        let atoms: Vec<Vec<f64>> = (0..m).map(|_| atom()).collect();
        let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(n, &atoms)).ok()?;
        let made: Option<Vec<_>> = (0..len).map(|_| datapoint(rng, &draw, &dictionary)).collect();
        let (columns, codes): (Vec<_>, Vec<_>) = made?.into_iter().unzip();
        let weights = (0..len).map(|_| 10.0_f64.powf(number(rng, -draw.decades, draw.decades))).collect();
        let builder = Problem::builder(Matrix::from_columns(n, &columns)).weights(weights);
        let builder = builder.lambda(draw.lambda).gamma(draw.gamma).centered(draw.centered);
        let center = draw.centered.then(|| vec![0.0; n]);
        let point = Factorization::new(dictionary, Codes::from_columns(m, &codes), center).ok()?;
        Some((builder.build().ok()?, point))
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
        let enough = proved.iter().all(|&proved| proved > 50) && 5 * weak[0] < proved[0];
        assert!(enough, "proved {proved:?}, of them by less than 0.99 of what is there {weak:?}");
    }
}
