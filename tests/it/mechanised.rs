//! The machine-checked theorems of `proofs/rocq`, each run in exact rational arithmetic.
//!
//! A proof speaks of a statement; a statement can be mistyped. So every theorem that
//! `proofs/rocq/trace.tsv` lists has a test here that evaluates the same statement on random
//! rationals, counts how often its hypotheses hold, and, where the theorem is an equivalence
//! or a hypothesis looks removable, exhibits the counterexample on the other side.
//!
//! Square roots: atoms are rational points of spheres and code rows rational points of the
//! gauge's quadric, so norms and gauges are rational. Where a root cannot be had, the squared
//! form or an enclosure by rationals is used. No number here is rounded.

use std::ops::{Index, IndexMut};

use num_bigint::BigInt;
use num_rational::BigRational as Q;
use num_traits::{One, Signed, Zero};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

// ---------------------------------------------------------------- numbers

fn int(value: i64) -> Q {
    Q::from_integer(BigInt::from(value))
}

fn frac(numerator: i64, denominator: i64) -> Q {
    Q::new(BigInt::from(numerator), BigInt::from(denominator))
}

fn half(value: &Q) -> Q {
    value * frac(1, 2)
}

fn square(value: &Q) -> Q {
    value * value
}

fn larger(left: Q, right: Q) -> Q {
    if left >= right { left } else { right }
}

fn sum(values: impl IntoIterator<Item = Q>) -> Q {
    values.into_iter().fold(Q::zero(), |total, value| total + value)
}

/// Neighbouring multiples of `1/denominator` that enclose the root of `value >= 0`.
fn root_between(value: &Q, denominator: &BigInt) -> (Q, Q) {
    assert!(!value.is_negative());
    let floor = (value * Q::from_integer(denominator * denominator)).floor().to_integer().sqrt();
    let low = Q::new(floor.clone(), denominator.clone());
    let high = if square(&low) == *value { low.clone() } else { Q::new(floor + 1, denominator.clone()) };
    assert!(square(&low) <= *value && *value <= square(&high));
    (low, high)
}

/// An enclosure of the root of `value >= 0` of width at most 2^-80.
fn root(value: &Q) -> (Q, Q) {
    root_between(value, &(BigInt::one() << 80))
}

// ---------------------------------------------------------------- vectors and matrices

fn dot(left: &[Q], right: &[Q]) -> Q {
    assert_eq!(left.len(), right.len());
    sum(left.iter().zip(right).map(|(l, r)| l * r))
}

fn norm2(vector: &[Q]) -> Q {
    dot(vector, vector)
}

fn scaled(vector: &[Q], factor: &Q) -> Vec<Q> {
    vector.iter().map(|entry| entry * factor).collect()
}

fn added(left: &[Q], right: &[Q]) -> Vec<Q> {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(l, r)| l + r).collect()
}

fn is_nonnegative(values: &[Q]) -> bool {
    values.iter().all(|value| !value.is_negative())
}

#[derive(Clone, Debug, PartialEq)]
struct Matrix {
    rows: usize,
    cols: usize,
    entries: Vec<Q>,
}

impl Index<(usize, usize)> for Matrix {
    type Output = Q;
    fn index(&self, (row, col): (usize, usize)) -> &Q {
        &self.entries[row * self.cols + col]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (row, col): (usize, usize)) -> &mut Q {
        &mut self.entries[row * self.cols + col]
    }
}

impl Matrix {
    fn from_fn(rows: usize, cols: usize, mut entry: impl FnMut(usize, usize) -> Q) -> Self {
        let entries = (0..rows * cols).map(|k| entry(k / cols, k % cols)).collect();
        Self { rows, cols, entries }
    }
    fn zeros(rows: usize, cols: usize) -> Self {
        Self::from_fn(rows, cols, |_, _| Q::zero())
    }
    fn of_rows(rows: &[Vec<Q>]) -> Self {
        Self::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j].clone())
    }
    fn of_cols(cols: &[Vec<Q>]) -> Self {
        Self::from_fn(cols[0].len(), cols.len(), |i, j| cols[j][i].clone())
    }
    fn outer(left: &[Q], right: &[Q]) -> Self {
        Self::from_fn(left.len(), right.len(), |i, j| &left[i] * &right[j])
    }
    fn row(&self, row: usize) -> Vec<Q> {
        (0..self.cols).map(|col| self[(row, col)].clone()).collect()
    }
    fn col(&self, col: usize) -> Vec<Q> {
        (0..self.rows).map(|row| self[(row, col)].clone()).collect()
    }
    fn transposed(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self[(j, i)].clone())
    }
    fn times(&self, other: &Self) -> Self {
        assert_eq!(self.cols, other.rows);
        Self::from_fn(self.rows, other.cols, |i, j| {
            sum((0..self.cols).map(|k| &self[(i, k)] * &other[(k, j)]))
        })
    }
    fn apply(&self, vector: &[Q]) -> Vec<Q> {
        assert_eq!(self.cols, vector.len());
        (0..self.rows).map(|i| sum((0..self.cols).map(|j| &self[(i, j)] * &vector[j]))).collect()
    }
    fn plus(&self, other: &Self) -> Self {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        Self::from_fn(self.rows, self.cols, |i, j| &self[(i, j)] + &other[(i, j)])
    }
    fn minus(&self, other: &Self) -> Self {
        self.plus(&other.scaled(&int(-1)))
    }
    fn scaled(&self, factor: &Q) -> Self {
        Self::from_fn(self.rows, self.cols, |i, j| &self[(i, j)] * factor)
    }
    fn dot(&self, other: &Self) -> Q {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        dot(&self.entries, &other.entries)
    }
    fn norm2(&self) -> Q {
        norm2(&self.entries)
    }
    fn gram(&self) -> Self {
        self.transposed().times(self)
    }
    /// The quadratic form vᵀAv.
    fn form(&self, vector: &[Q]) -> Q {
        dot(vector, &self.apply(vector))
    }
    fn is_nonnegative(&self) -> bool {
        is_nonnegative(&self.entries)
    }
    fn is_symmetric(&self) -> bool {
        *self == self.transposed()
    }
    fn with_col(&self, col: &[Q]) -> Self {
        Self::from_fn(self.rows, self.cols + 1, |i, j| {
            if j < self.cols { self[(i, j)].clone() } else { col[i].clone() }
        })
    }
    fn with_row(&self, row: &[Q]) -> Self {
        Self::from_fn(self.rows + 1, self.cols, |i, j| {
            if i < self.rows { self[(i, j)].clone() } else { row[j].clone() }
        })
    }
    fn principal(&self, keep: &[usize]) -> Self {
        Self::from_fn(keep.len(), keep.len(), |i, j| self[(keep[i], keep[j])].clone())
    }
    fn without(&self, row: usize, col: usize) -> Self {
        let skip = |k: usize, gone: usize| if k < gone { k } else { k + 1 };
        Self::from_fn(self.rows - 1, self.cols - 1, |i, j| self[(skip(i, row), skip(j, col))].clone())
    }
    fn determinant(&self) -> Q {
        assert_eq!(self.rows, self.cols);
        if self.rows == 0 {
            return Q::one();
        }
        sum((0..self.cols).map(|j| {
            let minor = &self[(0, j)] * self.without(0, j).determinant();
            if j % 2 == 0 { minor } else { -minor }
        }))
    }
    /// Positive semidefinite, by symmetric elimination: exact, so no tolerance.
    fn is_psd(&self) -> bool {
        assert!(self.is_symmetric());
        let mut rest = self.clone();
        for k in 0..self.rows {
            let pivot = rest[(k, k)].clone();
            if pivot.is_negative() {
                return false;
            }
            if pivot.is_zero() {
                if (k..self.rows).any(|j| !rest[(k, j)].is_zero()) {
                    return false;
                }
                continue;
            }
            for i in k + 1..self.rows {
                let factor = &rest[(i, k)] / &pivot;
                for j in k..self.rows {
                    let change = &factor * &rest[(k, j)];
                    rest[(i, j)] -= change;
                }
            }
        }
        true
    }
}

/// Solves a square system; `None` when it is singular.
fn solve(matrix: &Matrix, right: &[Q]) -> Option<Vec<Q>> {
    let determinant = matrix.determinant();
    if determinant.is_zero() {
        return None;
    }
    let cramer = |k: usize| {
        Matrix::from_fn(matrix.rows, matrix.cols, |i, j| {
            if j == k { right[i].clone() } else { matrix[(i, j)].clone() }
        })
    };
    Some((0..matrix.cols).map(|k| cramer(k).determinant() / &determinant).collect())
}

fn subsets(size: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_usize << size).map(move |mask| (0..size).filter(|k| (mask >> k) & 1 == 1).collect())
}

/// A vector v ≥ 0 with vᵀBv < 0, or `None` when B is copositive. Hadeler's criterion: a
/// smallest principal submatrix that is not copositive has a negative determinant and a
/// nonnegative adjugate, whose row sums are then the witness.
fn copositivity_witness(matrix: &Matrix) -> Option<Vec<Q>> {
    assert!(matrix.is_symmetric());
    for keep in subsets(matrix.rows).filter(|keep| !keep.is_empty()) {
        let block = matrix.principal(&keep);
        if !block.determinant().is_negative() {
            continue;
        }
        let adjugate = Matrix::from_fn(keep.len(), keep.len(), |i, j| {
            let minor = block.without(i, j).determinant();
            if (i + j) % 2 == 0 { minor } else { -minor }
        });
        if adjugate.is_nonnegative() {
            let mut witness = vec![Q::zero(); matrix.rows];
            for (row, &k) in keep.iter().enumerate() {
                witness[k] = sum(adjugate.row(row));
            }
            assert!(matrix.form(&witness).is_negative());
            return Some(witness);
        }
    }
    None
}

// ---------------------------------------------------------------- random inputs

struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
    fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).expect("bounds are small");
        usize::try_from(self.0.next_u32() % bound).expect("a usize has 32 bits or more")
    }
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::from(self.0.next_u32()) % (high - low + 1)
    }
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    fn rational(&mut self) -> Q {
        frac(self.between(-12, 12), self.between(1, 5))
    }
    fn positive(&mut self) -> Q {
        frac(self.between(1, 12), self.between(1, 6))
    }
    /// Zero one time in four.
    fn nonnegative(&mut self) -> Q {
        if self.chance(25) { Q::zero() } else { self.positive() }
    }
    fn vector(&mut self, len: usize) -> Vec<Q> {
        (0..len).map(|_| self.rational()).collect()
    }
    fn nonnegative_vector(&mut self, len: usize) -> Vec<Q> {
        (0..len).map(|_| self.nonnegative()).collect()
    }
    fn matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |_, _| self.rational())
    }
    fn nonnegative_matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |_, _| self.nonnegative())
    }
    fn symmetric(&mut self, size: usize) -> Matrix {
        let upper = self.matrix(size, size);
        Matrix::from_fn(size, size, |i, j| upper[(i.min(j), i.max(j))].clone())
    }
    /// A rational point of the unit sphere, by stereographic projection.
    fn unit(&mut self, len: usize) -> Vec<Q> {
        let plane: Vec<Q> = (1..len).map(|_| frac(self.between(-4, 4), self.between(1, 2))).collect();
        let height = norm2(&plane);
        let scale = Q::one() / (Q::one() + &height);
        let mut point: Vec<Q> = plane.iter().map(|entry| int(2) * entry * &scale).collect();
        point.insert(self.below(len), (height - Q::one()) * scale);
        assert!(norm2(&point).is_one());
        point
    }
    fn units(&mut self, len: usize, count: usize) -> Vec<Vec<Q>> {
        (0..count).map(|_| self.unit(len)).collect()
    }
}

/// Vectors with their (rational) norms.
struct Normed {
    matrix: Matrix,
    norms: Vec<Q>,
}

impl Normed {
    fn new(units: &[Vec<Q>], norms: Vec<Q>) -> Self {
        let cols: Vec<Vec<Q>> = units.iter().zip(&norms).map(|(unit, norm)| scaled(unit, norm)).collect();
        Self { matrix: Matrix::of_cols(&cols), norms }
    }
    /// Random directions, norms as given by `norm`.
    fn random(dice: &mut Dice, dim: usize, count: usize, norm: impl Fn(&mut Dice) -> Q) -> Self {
        let norms = (0..count).map(|_| norm(dice)).collect();
        Self::new(&dice.units(dim, count), norms)
    }
}

/// A whitened gauge whose single-datapoint values κᵢ = √(λ²aᵢ² + γ²) are rational.
struct Gauge {
    a: Vec<Q>,
    kappa: Vec<Q>,
    lambda: Q,
    gamma: Q,
}

/// Code rows with their (rational) gauges.
struct Rows {
    matrix: Matrix,
    gauges: Vec<Q>,
}

impl Gauge {
    fn random(dice: &mut Dice, points: usize) -> Self {
        let (lambda, gamma) = (dice.positive(), dice.positive());
        // λa = γ(1 − s²)/(2s) makes λ²a² + γ² = (γ(1 + s²)/(2s))².
        let slopes: Vec<Q> = (0..points).map(|_| frac(dice.between(1, 6), 7)).collect();
        let on = |s: &Q, sign: i64| &gamma * (Q::one() + int(sign) * s * s) / (int(2) * s);
        let a = slopes.iter().map(|s| on(s, -1) / &lambda).collect();
        let kappa = slopes.iter().map(|s| on(s, 1)).collect();
        Self { a, kappa, lambda, gamma }
    }
    fn points(&self) -> usize {
        self.a.len()
    }
    fn weights(&self) -> Vec<Q> {
        self.a.iter().map(square).collect()
    }
    fn squared(&self, row: &[Q]) -> Q {
        square(&(&self.lambda * dot(&self.a, row))) + square(&self.gamma) * norm2(row)
    }
    /// A = λ²aaᵀ + γ²I.
    fn matrix(&self) -> Matrix {
        Matrix::from_fn(self.points(), self.points(), |i, j| {
            let price = if i == j { square(&self.gamma) } else { Q::zero() };
            square(&self.lambda) * &self.a[i] * &self.a[j] + price
        })
    }
    /// A row z ≥ 0 with rational gauge: the second point in which a line through
    /// −e/κ meets the quadric zᵀAz = 1, near a random point of the orthant, rescaled.
    fn row(&self, dice: &mut Dice) -> (Vec<Q>, Q) {
        let wish: Vec<Q> =
            (0..self.points()).map(|_| if dice.chance(40) { Q::zero() } else { dice.positive() }).collect();
        let Some(base) = wish.iter().position(Signed::is_positive) else {
            return (wish, Q::zero());
        };
        let (_, near) = root_between(&self.squared(&wish), &BigInt::from(64));
        let mut start = vec![Q::zero(); self.points()];
        start[base] = -Q::one() / &self.kappa[base];
        let line = added(&scaled(&wish, &(Q::one() / near)), &scaled(&start, &int(-1)));
        let matrix = self.matrix();
        let step = int(-2) * dot(&start, &matrix.apply(&line)) / matrix.form(&line);
        let gauge = dice.positive();
        let row = scaled(&added(&start, &scaled(&line, &step)), &gauge);
        assert!(is_nonnegative(&row) && self.squared(&row) == square(&gauge));
        (row, gauge)
    }
    fn rows(&self, dice: &mut Dice, count: usize) -> Rows {
        let (rows, gauges): (Vec<_>, Vec<_>) = (0..count).map(|_| self.row(dice)).unzip();
        Rows { matrix: Matrix::of_rows(&rows), gauges }
    }
    /// ½‖X − DZ‖² + Σ‖d_k‖g(z_k).
    fn objective(&self, data: &Matrix, atoms: &Normed, rows: &Rows) -> Q {
        half(&data.minus(&atoms.matrix.times(&rows.matrix)).norm2()) + penalty(atoms, rows)
    }
    /// Codes in the units of the unwhitened problem.
    fn unwhitened(&self, matrix: &Matrix) -> Matrix {
        Matrix::from_fn(matrix.rows, matrix.cols, |i, j| &matrix[(i, j)] / &self.a[j])
    }
    /// κ²A − RᵀR.
    fn slack(&self, residual: &Matrix, kappa: &Q) -> Matrix {
        self.matrix().scaled(&square(kappa)).minus(&residual.gram())
    }
    /// A nearly least multiple of 1/8 for which `accepted` holds of κ.
    fn least_kappa(&self, accepted: impl Fn(&Q) -> bool) -> Q {
        let (mut low, mut high) = (0_i64, 1_i64);
        while !accepted(&frac(high, 8)) {
            (low, high) = (high, 2 * high);
        }
        while high - low > 1 {
            let middle = i64::midpoint(low, high);
            if accepted(&frac(middle, 8)) { high = middle } else { low = middle }
        }
        frac(high, 8)
    }
    /// A bound on the polar of R, by copositivity.
    fn polar(&self, residual: &Matrix) -> Q {
        self.least_kappa(|kappa| copositivity_witness(&self.slack(residual, kappa)).is_none())
    }
    /// Whether dᵀRz ≤ κg(z), squared so that no root is taken.
    fn polar_holds(&self, residual: &Matrix, kappa: &Q, atom: &[Q], row: &[Q]) -> bool {
        let paired = dot(atom, &residual.apply(row));
        !paired.is_positive() || square(&paired) <= square(kappa) * self.squared(row)
    }
}

fn penalty(atoms: &Normed, rows: &Rows) -> Q {
    dot(&atoms.norms, &rows.gauges)
}

/// A vector of norm at most one along `direction`, of norm 1 up to the width of an enclosure.
fn nearly_unit(direction: &[Q]) -> Vec<Q> {
    let (_, high) = root(&norm2(direction));
    scaled(direction, &(Q::one() / high))
}

fn huber(lambda: &Q, radius: &Q) -> Q {
    if lambda < radius { lambda * radius - half(&square(lambda)) } else { half(&square(radius)) }
}

fn soft(lambda: &Q, radius: &Q) -> Q {
    larger(radius - lambda, Q::zero())
}

fn radial_value(lambda: &Q, radius: &Q, total: &Q) -> Q {
    half(&square(&soft(total, radius))) + lambda * total
}

/// Σ wᵢ (½‖xᵢ − Dzᵢ‖² + λ Σ_k z_ki).
fn weighted_objective(weights: &[Q], lambda: &Q, data: &Matrix, atoms: &Matrix, codes: &Matrix) -> Q {
    let residual = data.minus(&atoms.times(codes));
    sum((0..data.cols).map(|i| &weights[i] * (half(&norm2(&residual.col(i))) + lambda * sum(codes.col(i)))))
}

/// ½‖X − DZ‖² + λ ΣΣ z_ki.
fn plain_objective(lambda: &Q, data: &Matrix, atoms: &Matrix, codes: &Matrix) -> Q {
    half(&data.minus(&atoms.times(codes)).norm2()) + lambda * sum(codes.entries.iter().cloned())
}

/// t⟨X, R⟩ − ½t²‖R‖².
fn dual_value(data: &Matrix, residual: &Matrix, t: &Q) -> Q {
    t * data.dot(residual) - half(&(square(t) * residual.norm2()))
}

/// The atoms and codes of the wide limit; a zero atom where the datapoint is zero.
fn wide_pair(lambda: &Q, data: &Normed) -> (Matrix, Matrix) {
    let (dim, points) = (data.matrix.rows, data.matrix.cols);
    let atoms = Matrix::from_fn(dim, points, |b, i| {
        if data.norms[i].is_zero() { Q::zero() } else { &data.matrix[(b, i)] / &data.norms[i] }
    });
    let codes =
        Matrix::from_fn(points, points, |k, i| if k == i { soft(lambda, &data.norms[i]) } else { Q::zero() });
    (atoms, codes)
}

/// Runs `case` on `count` seeds and returns how often it answered `true`.
fn tally(count: u64, seed: u64, mut case: impl FnMut(&mut Dice) -> bool) -> u64 {
    (0..count).map(|k| u64::from(case(&mut Dice::new(seed * 1_000_003 + k)))).sum()
}

/// Asserts that at least a fifth and at most four fifths of the cases answered `true`.
fn assert_balanced(hits: u64, count: u64) {
    assert!(5 * hits >= count && 5 * hits <= 4 * count, "{hits} of {count}");
}

const CASES: u64 = 64;

// ---------------------------------------------------------------- Radial

/// PROOF: Widedict.Radial.T4_radial_bound
#[test]
fn t4_radial_bound() {
    let mut tight = 0;
    let above = tally(CASES, 1, |dice| {
        let (lambda, radius) = (dice.nonnegative(), dice.nonnegative());
        let total = if dice.chance(40) { soft(&lambda, &radius) } else { dice.nonnegative() };
        let (bound, value) = (huber(&lambda, &radius), radial_value(&lambda, &radius, &total));
        assert!(bound <= value);
        tight += u64::from(bound == value);
        lambda < radius
    });
    assert_balanced(above, CASES);
    assert_balanced(tight, CASES);
    // Each of the three signs is needed.
    for (radius, total, lambda) in
        [(0, 1, -1), (0, -1, 1), (-1, 0, 0)].map(|(r, t, l)| (int(r), int(t), int(l)))
    {
        assert!(huber(&lambda, &radius) > radial_value(&lambda, &radius, &total));
    }
}

/// PROOF: Widedict.Radial.T4_radial_eq
#[test]
fn t4_radial_eq() {
    let active = tally(CASES, 2, |dice| {
        let (lambda, radius) = (dice.nonnegative(), dice.nonnegative());
        let total = soft(&lambda, &radius);
        assert_eq!(radial_value(&lambda, &radius, &total), huber(&lambda, &radius));
        total.is_positive()
    });
    assert_balanced(active, CASES);
}

/// PROOF: Widedict.Radial.T4_huber_is_min
#[test]
fn t4_huber_is_min() {
    let strict = tally(CASES, 3, |dice| {
        let (lambda, radius) = (dice.nonnegative(), dice.nonnegative());
        let least = huber(&lambda, &radius);
        let grid: Vec<Q> = (0..40).map(|k| radial_value(&lambda, &radius, &frac(k, 8))).collect();
        assert!(grid.iter().all(|value| least <= *value));
        assert_eq!(radial_value(&lambda, &radius, &soft(&lambda, &radius)), least);
        // The minimum is not attained everywhere: the bound says something.
        grid.iter().any(|value| least < *value)
    });
    assert!(2 * strict > CASES);
}

// ---------------------------------------------------------------- WideLimit

/// PROOF: Widedict.WideLimit.T4_lower_bound
#[test]
fn t4_lower_bound() {
    let one_point = |lambda: &Q, point: &[Q], atoms: &Matrix, code: &[Q]| {
        let data = Matrix::of_cols(&[point.to_vec()]);
        plain_objective(lambda, &data, atoms, &Matrix::of_cols(&[code.to_vec()]))
    };
    let active = tally(CASES, 4, |dice| {
        let (dim, width) = (1 + dice.below(4), 1 + dice.below(5));
        let lambda = dice.nonnegative();
        let point = Normed::random(dice, dim, 1, Dice::nonnegative);
        let atoms = Normed::random(dice, dim, width, |dice| frac(dice.between(0, 3), 3));
        let code = scaled(&dice.nonnegative_vector(width), &frac(1, 4));
        let bound = huber(&lambda, &point.norms[0]);
        assert!(bound <= one_point(&lambda, &point.matrix.col(0), &atoms.matrix, &code));
        bound < half(&square(&point.norms[0]))
    });
    assert_balanced(active, CASES);
    // A long atom, or a negative code, goes below.
    let atom = |norm: i64| Matrix::of_cols(&[vec![int(norm)]]);
    let bound = huber(&frac(1, 2), &int(1));
    assert!(one_point(&frac(1, 2), &[int(1)], &atom(2), &[frac(3, 8)]) < bound);
    assert!(one_point(&frac(1, 2), &[int(1)], &atom(-1), &[int(-1)]) < bound);
}

/// PROOF: Widedict.WideLimit.T4_attained
#[test]
fn t4_attained() {
    let active = tally(CASES, 5, |dice| {
        let (dim, lambda) = (1 + dice.below(5), dice.nonnegative());
        let point = Normed::random(dice, dim, 1, Dice::nonnegative);
        let (atoms, codes) = wide_pair(&lambda, &point);
        let value = plain_objective(&lambda, &point.matrix, &atoms, &codes);
        assert_eq!(value, huber(&lambda, &point.norms[0]));
        codes[(0, 0)].is_positive()
    });
    assert_balanced(active, CASES);
}

fn wide_bound(lambda: &Q, data: &Normed) -> Q {
    sum(data.norms.iter().map(|radius| huber(lambda, radius)))
}

fn weighted_wide_bound(weights: &[Q], lambda: &Q, data: &Normed) -> Q {
    sum(weights.iter().zip(&data.norms).map(|(weight, radius)| weight * huber(lambda, radius)))
}

/// PROOF: Widedict.WideLimit.T4_dataset_lower_bound
#[test]
fn t4_dataset_lower_bound() {
    let close = tally(CASES, 6, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(5));
        let lambda = dice.nonnegative();
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let bound = wide_bound(&lambda, &data);
        let atoms = Normed::random(dice, dim, 3, |dice| frac(dice.between(0, 3), 3));
        let codes = dice.nonnegative_matrix(3, points);
        assert!(bound <= plain_objective(&lambda, &data.matrix, &atoms.matrix, &codes));
        // Perturbations of the minimiser come close and stay above.
        let (atoms, mut codes) = wide_pair(&lambda, &data);
        codes[(0, 0)] = larger(&codes[(0, 0)] + frac(dice.between(-1, 1), 100), Q::zero());
        let value = plain_objective(&lambda, &data.matrix, &atoms, &codes);
        assert!(bound <= value);
        value < &bound * frac(101, 100)
    });
    assert!(2 * close > CASES);
}

/// PROOF: Widedict.WideLimit.T4_dataset_attained
#[test]
fn t4_dataset_attained() {
    let mixed = tally(CASES, 7, |dice| {
        let (dim, points) = (1 + dice.below(4), 2 + dice.below(4));
        let lambda = dice.positive();
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let (atoms, codes) = wide_pair(&lambda, &data);
        assert!(codes.is_nonnegative());
        assert!((0..points).all(|k| norm2(&atoms.col(k)) <= Q::one()));
        assert_eq!(plain_objective(&lambda, &data.matrix, &atoms, &codes), wide_bound(&lambda, &data));
        let active = data.norms.iter().filter(|radius| **radius > lambda).count();
        0 < active && active < points
    });
    assert!(5 * mixed >= CASES);
}

/// PROOF: Widedict.WideLimit.T4_weighted_lower_bound
#[test]
fn t4_weighted_lower_bound() {
    let close = tally(CASES, 8, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(5));
        let (lambda, weights) = (dice.nonnegative(), dice.nonnegative_vector(points));
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let bound = weighted_wide_bound(&weights, &lambda, &data);
        let atoms = Normed::random(dice, dim, 3, |_| Q::one());
        let codes = dice.nonnegative_matrix(3, points);
        assert!(bound <= weighted_objective(&weights, &lambda, &data.matrix, &atoms.matrix, &codes));
        let (atoms, mut codes) = wide_pair(&lambda, &data);
        codes[(0, 0)] = larger(&codes[(0, 0)] + frac(dice.between(-1, 1), 100), Q::zero());
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert!(bound <= value);
        value <= &bound * frac(101, 100)
    });
    assert!(2 * close > CASES);
    // A negative weight reverses the inequality.
    let data = Normed::new(&[vec![int(1)]], vec![int(2)]);
    let (lambda, weights) = (frac(1, 2), [int(-1)]);
    let (atoms, code) = (Matrix::of_cols(&[vec![int(1)]]), Matrix::of_cols(&[vec![int(1)]]));
    let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &code);
    assert!(value < weighted_wide_bound(&weights, &lambda, &data));
}

/// PROOF: Widedict.WideLimit.T4_weighted_attained
#[test]
fn t4_weighted_attained() {
    let active = tally(CASES, 9, |dice| {
        let (dim, points) = (1 + dice.below(4), 1 + dice.below(5));
        let (lambda, weights) = (dice.nonnegative(), dice.nonnegative_vector(points));
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let (atoms, codes) = wide_pair(&lambda, &data);
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert_eq!(value, weighted_wide_bound(&weights, &lambda, &data));
        (0..points).any(|i| weights[i].is_positive() && codes[(i, i)].is_positive())
    });
    assert!(2 * active > CASES);
}

/// Σ wᵢ ½‖xᵢ − Dzᵢ‖² + Σ‖d_k‖g(z_k), with the weights written and `rows` whitened.
fn weighted_gauge_objective(gauge: &Gauge, data: &Matrix, atoms: &Normed, rows: &Rows) -> Q {
    let residual = data.minus(&atoms.matrix.times(&gauge.unwhitened(&rows.matrix)));
    let weights = gauge.weights();
    let fit = sum((0..data.cols).map(|i| half(&(&weights[i] * norm2(&residual.col(i))))));
    fit + penalty(atoms, rows)
}

/// PROOF: Widedict.WideLimit.T4_gauge_lower_bound
#[test]
fn t4_gauge_lower_bound() {
    let active = tally(CASES, 10, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(4));
        let gauge = Gauge::random(dice, points);
        let data = Normed::random(dice, dim, points, |dice| int(3) * dice.nonnegative());
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let mut rows = gauge.rows(dice, width);
        // Small codes too, where the penalty is weakest.
        let shrink = frac(1, dice.between(1, 20));
        rows.matrix = rows.matrix.scaled(&shrink);
        rows.gauges = scaled(&rows.gauges, &shrink);
        let bound = weighted_wide_bound(&gauge.weights(), &gauge.lambda, &data);
        assert!(bound <= weighted_gauge_objective(&gauge, &data.matrix, &atoms, &rows));
        data.norms.iter().any(|radius| *radius > gauge.lambda)
    });
    assert!(2 * active > CASES);
}

// ---------------------------------------------------------------- Gauge

/// PROOF: Widedict.Gauge.T2_whitening
#[test]
fn t2_whitening() {
    let dense = tally(CASES, 11, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let weights = gauge.weights();
        let data = dice.matrix(dim, points);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let whitened = Matrix::from_fn(dim, points, |b, i| &gauge.a[i] * &data[(b, i)]);
        assert_eq!(
            weighted_gauge_objective(&gauge, &data, &atoms, &rows),
            gauge.objective(&whitened, &atoms, &rows)
        );
        // The gauge with the weights written is the whitened one.
        let codes = gauge.unwhitened(&rows.matrix);
        for k in 0..width {
            let row = codes.row(k);
            let squares: Vec<Q> = row.iter().map(square).collect();
            let written = square(&(&gauge.lambda * dot(&weights, &row)))
                + square(&gauge.gamma) * dot(&weights, &squares);
            assert_eq!(written, square(&rows.gauges[k]));
        }
        rows.gauges.iter().any(Signed::is_positive)
    });
    assert!(2 * dense > CASES);
}

fn cut(v: &[Q], a: &[Q], tau: &Q) -> Vec<Q> {
    v.iter().zip(a).map(|(v, a)| larger(v - tau * a, Q::zero())).collect()
}

/// ‖(v − τa)₊‖²/γ² + τ²/λ².
fn polar_bound(gauge: &Gauge, v: &[Q], tau: &Q) -> Q {
    norm2(&cut(v, &gauge.a, tau)) / square(&gauge.gamma) + square(tau) / square(&gauge.lambda)
}

/// The root of τ = (λ²/γ²)aᵀ(v − τa)₊: on the right active set the equation is linear.
fn polar_root(gauge: &Gauge, v: &[Q]) -> Q {
    let ratio = square(&gauge.lambda) / square(&gauge.gamma);
    let consistent = subsets(v.len()).find_map(|active| {
        let pick = |x: &[Q]| active.iter().map(|&i| x[i].clone()).collect::<Vec<_>>();
        let (v_on, a_on) = (pick(v), pick(&gauge.a));
        let tau = &ratio * dot(&a_on, &v_on) / (Q::one() + &ratio * norm2(&a_on));
        (tau == &ratio * dot(&gauge.a, &cut(v, &gauge.a, &tau))).then_some(tau)
    });
    consistent.expect("the equation has a root")
}

/// PROOF: Widedict.Gauge.T7_polar_upper_bound
#[test]
fn t7_polar_upper_bound() {
    let mut unsigned_breaks = false;
    let positive = tally(4 * CASES, 12, |dice| {
        let points = 1 + dice.below(4);
        let gauge = Gauge::random(dice, points);
        let (v, tau) = (dice.vector(points), dice.rational());
        let holds = |row: &[Q], tau: &Q| {
            let paired = dot(&v, row);
            !paired.is_positive() || square(&paired) <= gauge.squared(row) * polar_bound(&gauge, &v, tau)
        };
        let row = dice.nonnegative_vector(points);
        assert!(holds(&row, &tau));
        // The sharpest row and the sharpest tau, against the other's random choice.
        let best = polar_root(&gauge, &v);
        assert!(holds(&row, &best) && holds(&cut(&v, &gauge.a, &best), &tau));
        unsigned_breaks |= !holds(&v, &tau);
        dot(&v, &row).is_positive()
    });
    assert_balanced(positive, 4 * CASES);
    assert!(unsigned_breaks, "without z >= 0 the bound fails");
}

/// PROOF: Widedict.Gauge.T7_polar_attained
#[test]
fn t7_polar_attained() {
    let positive = tally(CASES, 13, |dice| {
        let points = 1 + dice.below(4);
        let gauge = Gauge::random(dice, points);
        let v = dice.vector(points);
        let tau = polar_root(&gauge, &v);
        let row = cut(&v, &gauge.a, &tau);
        let least = polar_bound(&gauge, &v, &tau);
        assert!(!dot(&v, &row).is_negative());
        assert_eq!(square(&dot(&v, &row)), gauge.squared(&row) * &least);
        // So no tau does better, and off the root some do worse.
        let others: Vec<Q> = (0..8).map(|_| polar_bound(&gauge, &v, &dice.rational())).collect();
        assert!(others.iter().all(|other| least <= *other));
        row.iter().any(Signed::is_positive) && others.iter().any(|other| least < *other)
    });
    assert!(2 * positive > CASES);
}

// ---------------------------------------------------------------- CopositiveDuality

/// ½‖X − DZ‖² + ½‖D‖² + ½ tr ZAZᵀ.
fn balanced_objective(data: &Matrix, penalty: &Matrix, atoms: &Matrix, codes: &Matrix) -> Q {
    let rows = sum((0..codes.rows).map(|k| penalty.form(&codes.row(k))));
    half(&(data.minus(&atoms.times(codes)).norm2() + atoms.norm2() + rows))
}

/// PROOF: Widedict.CopositiveDuality.T2_copositive_weak_duality
#[test]
fn t2_copositive_weak_duality() {
    let held = tally(CASES, 14, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 2 + dice.below(3), 1 + dice.below(3));
        let residual = dice.matrix(dim, points);
        let slack = dice
            .symmetric(points)
            .plus(&Matrix::from_fn(points, points, |i, j| if i == j { int(5) } else { Q::zero() }));
        let penalty = residual.gram().plus(&slack);
        match copositivity_witness(&slack) {
            None => {
                let (data, atoms) = (dice.matrix(dim, points), dice.matrix(dim, width));
                let codes = dice.nonnegative_matrix(width, points);
                let value = balanced_objective(&data, &penalty, &atoms, &codes);
                assert!(dual_value(&data, &residual, &Q::one()) <= value);
                // The sharp direction: D = RZᵀ.
                let atoms = residual.times(&codes.transposed());
                let data = residual.plus(&atoms.times(&codes));
                let value = balanced_objective(&data, &penalty, &atoms, &codes);
                assert!(dual_value(&data, &residual, &Q::one()) <= value);
                true
            }
            Some(witness) => {
                let codes = Matrix::of_rows(&[witness]);
                let atoms = residual.times(&codes.transposed());
                let data = residual.plus(&atoms.times(&codes));
                let value = balanced_objective(&data, &penalty, &atoms, &codes);
                assert!(value < dual_value(&data, &residual, &Q::one()));
                false
            }
        }
    });
    assert_balanced(held, CASES);
}

/// PROOF: Widedict.CopositiveDuality.T3_split_weak_duality
#[test]
fn t3_split_weak_duality() {
    let split = tally(CASES, 15, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let residual = dice.matrix(dim, points);
        let psd = dice.matrix(points, points).gram();
        let nonnegative = dice.nonnegative_matrix(points, points);
        assert!(psd.is_psd());
        let penalty = residual.gram().plus(&psd).plus(&nonnegative);
        let codes = dice.nonnegative_matrix(width, points);
        let atoms = residual.times(&codes.transposed());
        for data in [dice.matrix(dim, points), residual.plus(&atoms.times(&codes))] {
            let value = balanced_objective(&data, &penalty, &atoms, &codes);
            assert!(dual_value(&data, &residual, &Q::one()) <= value);
        }
        // The split reaches further than positive semidefiniteness alone.
        let symmetric = psd.plus(&nonnegative.plus(&nonnegative.transposed()));
        !symmetric.is_psd() || points == 1
    });
    assert!(split > 0);
}

/// PROOF: Widedict.CopositiveDuality.T3_psd_factor
#[test]
fn t3_psd_factor() {
    let held = tally(CASES, 16, |dice| {
        let (rank, points) = (1 + dice.below(4), 1 + dice.below(4));
        let factor = dice.matrix(rank, points);
        let pivots: Vec<Q> =
            (0..rank).map(|_| if dice.chance(75) { dice.nonnegative() } else { -dice.positive() }).collect();
        let scaled_factor = Matrix::from_fn(rank, points, |i, j| &pivots[i] * &factor[(i, j)]);
        let product = factor.transposed().times(&scaled_factor);
        let holds = is_nonnegative(&pivots);
        if holds {
            assert!(product.is_psd());
            assert!(!product.form(&dice.vector(points)).is_negative());
        }
        holds
    });
    assert_balanced(held, CASES);
    let negative = Matrix::of_rows(&[vec![int(-1)]]);
    assert!(!negative.is_psd(), "a negative pivot is not a factor");
}

/// PROOF: Widedict.CopositiveDuality.T2_unit_atom_lower_bound
#[test]
fn t2_unit_atom_lower_bound() {
    let held = tally(CASES, 17, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let lambda = dice.positive();
        let residual = Normed::random(dice, dim, points, |dice| frac(dice.between(0, 6), 4));
        let slack = Matrix::from_fn(points, points, |_, _| square(&lambda)).minus(&residual.matrix.gram());
        let witness = copositivity_witness(&slack);
        // Without an atom price the polar is the longest residual over lambda.
        assert_eq!(witness.is_none(), residual.norms.iter().all(|norm| *norm <= lambda));
        match witness {
            None => {
                let atoms = Normed::random(dice, dim, width, |dice| frac(dice.between(0, 3), 3));
                let codes = dice.nonnegative_matrix(width, points);
                for data in [dice.matrix(dim, points), residual.matrix.plus(&atoms.matrix.times(&codes))] {
                    let value = plain_objective(&lambda, &data, &atoms.matrix, &codes);
                    assert!(dual_value(&data, &residual.matrix, &Q::one()) <= value);
                }
                true
            }
            Some(witness) => {
                let atom = nearly_unit(&residual.matrix.apply(&witness));
                let (atoms, codes) = (Matrix::of_cols(&[atom]), Matrix::of_rows(&[witness]));
                let data = residual.matrix.plus(&atoms.times(&codes));
                let value = plain_objective(&lambda, &data, &atoms, &codes);
                assert!(value < dual_value(&data, &residual.matrix, &Q::one()));
                false
            }
        }
    });
    assert_balanced(held, CASES);
}

// ---------------------------------------------------------------- GaugeDuality

/// A gauge, a residual and a bound on its polar that is hard to improve.
fn dual_point(dice: &mut Dice, dim: usize, points: usize) -> (Gauge, Matrix, Q) {
    let gauge = Gauge::random(dice, points);
    let residual = dice.matrix(dim, points);
    let kappa = gauge.polar(&residual);
    (gauge, residual, kappa)
}

/// Some t in [0, 1/κ], the end one time in two.
fn dual_step(dice: &mut Dice, kappa: &Q) -> Q {
    let share = if dice.chance(50) { Q::one() } else { frac(dice.between(0, 4), 4) };
    share / kappa
}

/// For κ that is not a bound on the polar of R: data and one atom whose objective lies
/// below the dual value at t = 1/κ. The gauge is replaced by an upper bound of it.
fn dual_violation(gauge: &Gauge, residual: &Matrix, kappa: &Q) -> Option<(Q, Q)> {
    let witness = copositivity_witness(&gauge.slack(residual, kappa))?;
    let t = Q::one() / kappa;
    let atom = nearly_unit(&residual.apply(&witness));
    let (_, cost) = root(&gauge.squared(&witness));
    let data = residual.scaled(&t).plus(&Matrix::outer(&atom, &witness));
    let fit = half(&data.minus(&Matrix::outer(&atom, &witness)).norm2());
    Some((fit + cost, dual_value(&data, residual, &t)))
}

/// PROOF: Widedict.GaugeDuality.T2_gauge_weak_duality
#[test]
fn t2_gauge_weak_duality() {
    let positive = tally(CASES, 18, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let (gauge, residual, kappa) = dual_point(dice, dim, points);
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let near = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        for data in [&near, &dice.matrix(dim, points)] {
            assert!(dual_value(data, &residual, &t) <= gauge.objective(data, &atoms, &rows));
        }
        // Just below the polar the inequality fails.
        let smaller = &kappa - frac(1, 8);
        if smaller.is_positive() {
            let (value, bound) = dual_violation(&gauge, &residual, &smaller).expect("kappa is nearly least");
            assert!(value < bound);
        }
        dual_value(&near, &residual, &t).is_positive()
    });
    assert!(5 * positive >= CASES);
}

/// A residual with Ra = c.
fn with_defect(gauge: &Gauge, residual: &Matrix, defect: &[Q]) -> Matrix {
    let now = residual.apply(&gauge.a);
    let change = scaled(&added(defect, &scaled(&now, &int(-1))), &(Q::one() / norm2(&gauge.a)));
    residual.plus(&Matrix::outer(&change, &gauge.a))
}

/// PROOF: Widedict.GaugeDuality.T2_centred_weak_duality
#[test]
fn t2_centred_weak_duality() {
    let mut uncentred_breaks = 0;
    let positive = tally(CASES, 19, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 2 + dice.below(2), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let raw = dice.matrix(dim, points);
        let residual = with_defect(&gauge, &raw, &vec![Q::zero(); dim]);
        let kappa = gauge.polar(&residual);
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let shift = Matrix::outer(&scaled(&dice.vector(dim), &int(10)), &gauge.a);
        let data = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix)).plus(&shift);
        let bound = dual_value(&data, &residual, &t);
        assert!(bound <= gauge.objective(&data.minus(&shift), &atoms, &rows));
        // With Ra ≠ 0 a centre far along Ra explains the data and the "bound" is positive.
        let defect = raw.apply(&gauge.a);
        let t = Q::one() / gauge.polar(&raw);
        let far = Matrix::outer(&scaled(&defect, &int(1000)), &gauge.a);
        uncentred_breaks += u64::from(dual_value(&far, &raw, &t).is_positive());
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
    assert!(2 * uncentred_breaks > CASES, "Ra = 0 is needed");
}

/// PROOF: Widedict.GaugeDuality.T6_centre_defect
#[test]
fn t6_centre_defect() {
    let repaired = tally(CASES, 20, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        // Ra = size·u for a unit vector u, so that its norm is rational.
        let (size, direction) = (dice.nonnegative(), dice.unit(dim));
        let raw = dice.matrix(dim, points);
        let residual = with_defect(&gauge, &raw, &scaled(&direction, &size));
        let kappa = gauge.polar(&residual);
        if kappa.is_zero() {
            return false;
        }
        let t = dual_step(dice, &kappa);
        let radius = dice.positive();
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        // The centre that the defect favours most, and a random one.
        let other = dice.unit(dim);
        let mut needed = false;
        for centre in [scaled(&direction, &radius), scaled(&other, &radius)] {
            let shift = Matrix::outer(&centre, &gauge.a);
            let fitted = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix)).plus(&shift);
            for (data, atoms_on) in [(&fitted, true), (&shift, false)] {
                let data_centred = data.minus(&shift);
                let value = if atoms_on {
                    gauge.objective(&data_centred, &atoms, &rows)
                } else {
                    half(&data_centred.norm2())
                };
                let bound = dual_value(data, &residual, &t);
                assert!(&bound - &t * &radius * &size <= value);
                needed |= bound > value;
            }
        }
        needed
    });
    assert!(5 * repaired >= CASES, "the correction is needed in {repaired} of {CASES}");
}

/// PROOF: Widedict.GaugeDuality.T2_polar_iff_copositive
#[test]
fn t2_polar_iff_copositive() {
    let held = tally(CASES, 21, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(4));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let kappa = gauge.polar(&residual) * frac(dice.between(4, 11), 8);
        match copositivity_witness(&gauge.slack(&residual, &kappa)) {
            None => {
                for _ in 0..8 {
                    let row = dice.nonnegative_vector(points);
                    let sharpest = nearly_unit(&added(&residual.apply(&row), &vec![frac(1, 1000); dim]));
                    for atom in [sharpest, dice.unit(dim)] {
                        assert!(gauge.polar_holds(&residual, &kappa, &atom, &row));
                    }
                }
                true
            }
            Some(witness) => {
                let atom = nearly_unit(&residual.apply(&witness));
                assert!(norm2(&atom) <= Q::one());
                assert!(!gauge.polar_holds(&residual, &kappa, &atom, &witness));
                false
            }
        }
    });
    assert_balanced(held, CASES);
}

/// A symmetric T ≥ 0 with zero diagonal, positive where datapoints oppose each other.
fn splitting(dice: &mut Dice, residual: &Matrix) -> Matrix {
    let gram = residual.gram();
    let mut split = Matrix::zeros(gram.rows, gram.rows);
    for i in 0..gram.rows {
        for j in 0..i {
            let opposed = larger(-gram[(i, j)].clone(), Q::zero()) * frac(dice.between(0, 3), 2);
            split[(i, j)] = opposed.clone();
            split[(j, i)] = opposed;
        }
    }
    split
}

/// PROOF: Widedict.GaugeDuality.T3a_split_certificate
#[test]
fn t3a_split_certificate() {
    let mut sharper = 0;
    let held = tally(CASES, 22, |dice| {
        let (dim, points) = (1 + dice.below(3), 2 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let split = splitting(dice, &residual);
        let certifies = |kappa: &Q| gauge.slack(&residual, kappa).minus(&split).is_psd();
        let plain = gauge.least_kappa(|kappa| gauge.slack(&residual, kappa).is_psd());
        let kappa = &plain * frac(dice.between(6, 9), 8);
        if !certifies(&kappa) {
            return false;
        }
        sharper += u64::from(kappa < plain);
        assert_eq!(copositivity_witness(&gauge.slack(&residual, &kappa)), None);
        for _ in 0..8 {
            let row = dice.nonnegative_vector(points);
            for atom in
                [nearly_unit(&added(&residual.apply(&row), &vec![frac(1, 1000); dim])), dice.unit(dim)]
            {
                assert!(gauge.polar_holds(&residual, &kappa, &atom, &row));
            }
        }
        // Without T ≥ 0 anything is "certified": T = −K at κ = 0.
        let free = residual.gram().scaled(&int(-1));
        assert!(gauge.slack(&residual, &Q::zero()).minus(&free).is_psd());
        assert!(copositivity_witness(&gauge.slack(&residual, &Q::zero())).is_some());
        true
    });
    assert_balanced(held, CASES);
    assert!(sharper > 0, "no T did better than T = 0");
}

/// PROOF: Widedict.GaugeDuality.T3a_certified_bound
#[test]
fn t3a_certified_bound() {
    let positive = tally(CASES, 23, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let split = splitting(dice, &residual);
        let kappa = gauge.least_kappa(|kappa| gauge.slack(&residual, kappa).minus(&split).is_psd());
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let data = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        let bound = dual_value(&data, &residual, &t);
        assert!(bound <= gauge.objective(&data, &atoms, &rows));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}

/// PROOF: Widedict.GaugeDuality.T8_gap_identity
#[test]
fn t8_gap_identity() {
    let signs = tally(CASES, 24, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let data = dice.matrix(dim, points);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let product = atoms.matrix.times(&rows.matrix);
        let residual = data.minus(&product);
        let gap = penalty(&atoms, &rows) - residual.dot(&product);
        let dual = dual_value(&data, &residual, &Q::one());
        assert_eq!(gauge.objective(&data, &atoms, &rows) - dual, gap);
        gap.is_negative()
    });
    // A negative "gap" occurs: at t = 1 it is a gap only when the residual is in the polar ball.
    assert!(signs > 0 && signs < CASES);
}

/// Datapoints of whitened norm at least κᵢ with one unit atom each, as T5 has them.
struct OneAtomEach {
    gauge: Gauge,
    data: Matrix,
    units: Vec<Vec<Q>>,
    atoms: Normed,
    rows: Rows,
}

impl OneAtomEach {
    fn random(dice: &mut Dice, dim: usize, points: usize) -> Self {
        let gauge = Gauge::random(dice, points);
        let units = dice.units(dim, points);
        let radii = gauge.kappa.iter().map(|kappa| kappa + dice.nonnegative()).collect::<Vec<_>>();
        let data = Normed::new(&units, radii.clone()).matrix;
        let atoms = Normed::new(&units, vec![Q::one(); points]);
        let code = |k: usize| &radii[k] - &gauge.kappa[k];
        let matrix = Matrix::from_fn(points, points, |k, i| if k == i { code(k) } else { Q::zero() });
        let gauges = (0..points).map(|k| code(k) * &gauge.kappa[k]).collect();
        let rows = Rows { matrix, gauges };
        for k in 0..points {
            assert_eq!(gauge.squared(&rows.matrix.row(k)), square(&rows.gauges[k]));
        }
        Self { gauge, data, units, atoms, rows }
    }
    fn value(&self) -> Q {
        self.gauge.objective(&self.data, &self.atoms, &self.rows)
    }
    fn residual(&self) -> Matrix {
        self.data.minus(&self.atoms.matrix.times(&self.rows.matrix))
    }
    /// The objective is least: against perturbations and against random factorisations.
    fn assert_optimal(&self, dice: &mut Dice) {
        let value = self.value();
        for _ in 0..4 {
            let width = 1 + dice.below(3);
            let atoms = Normed::random(dice, self.data.rows, width, Dice::nonnegative);
            let rows = self.gauge.rows(dice, width);
            assert!(value <= self.gauge.objective(&self.data, &atoms, &rows));
            // One more atom with a small code.
            let (row, cost) = self.gauge.row(dice);
            let small = frac(1, dice.between(1, 50));
            let atom = scaled(&dice.unit(self.data.rows), &small);
            let more = Normed {
                matrix: self.atoms.matrix.with_col(&atom),
                norms: [self.atoms.norms.clone(), vec![small]].concat(),
            };
            let longer = Rows {
                matrix: self.rows.matrix.with_row(&row),
                gauges: [self.rows.gauges.clone(), vec![cost]].concat(),
            };
            assert!(value <= self.gauge.objective(&self.data, &more, &longer));
        }
    }
}

/// One more atom that lowers the objective of a factorisation whose residual lies outside
/// the polar ball; its cost is an upper bound.
fn improvement(gauge: &Gauge, data: &Matrix, atoms: &Normed, rows: &Rows) -> Option<Q> {
    let residual = data.minus(&atoms.matrix.times(&rows.matrix));
    let witness = copositivity_witness(&gauge.slack(&residual, &Q::one()))?;
    let atom = nearly_unit(&residual.apply(&witness));
    let (_, cost) = root(&gauge.squared(&witness));
    let gain = dot(&atom, &residual.apply(&witness)) - &cost;
    let step = gain / (norm2(&atom) * norm2(&witness));
    let more = atoms.matrix.with_col(&scaled(&atom, &step));
    let longer = rows.matrix.with_row(&witness);
    Some(half(&data.minus(&more.times(&longer)).norm2()) + penalty(atoms, rows) + step * cost)
}

/// PROOF: Widedict.GaugeDuality.T8_global_criterion
#[test]
fn t8_global_criterion() {
    let optimal = tally(CASES, 25, |dice| {
        let (dim, points) = (2 + dice.below(2), 1 + dice.below(3));
        let case = OneAtomEach::random(dice, dim, points);
        let (residual, product) = (case.residual(), case.atoms.matrix.times(&case.rows.matrix));
        assert_eq!(residual.dot(&product), penalty(&case.atoms, &case.rows));
        let better = improvement(&case.gauge, &case.data, &case.atoms, &case.rows);
        match &better {
            // In the polar ball and tightly paired: nothing beats it.
            None => case.assert_optimal(dice),
            Some(value) => assert!(*value < case.value()),
        }
        better.is_none()
    });
    assert_balanced(optimal, CASES);
    // Loosely paired: shrinking or stretching the dictionary gains, so it is no optimum.
    let loose = tally(CASES, 26, |dice| {
        let gauge = Gauge::random(dice, 2);
        let (data, rows) = (dice.matrix(2, 2), gauge.rows(dice, 2));
        let atoms = Normed::random(dice, 2, 2, Dice::positive);
        let product = atoms.matrix.times(&rows.matrix);
        let excess = penalty(&atoms, &rows) - data.minus(&product).dot(&product);
        let reach = larger(product.norm2(), excess.abs());
        if excess.is_zero() || reach.is_zero() {
            return false;
        }
        let factor = Q::one() - &excess / reach;
        let resized = Normed { matrix: atoms.matrix.scaled(&factor), norms: scaled(&atoms.norms, &factor) };
        assert!(!factor.is_negative());
        assert!(gauge.objective(&data, &resized, &rows) < gauge.objective(&data, &atoms, &rows));
        true
    });
    assert!(2 * loose > CASES);
}

/// PROOF: Widedict.GaugeDuality.T2_weighted_weak_duality
#[test]
fn t2_weighted_weak_duality() {
    let positive = tally(CASES, 27, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let (gauge, residual, kappa) = dual_point(dice, dim, points);
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let whitened = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        let data = Matrix::from_fn(dim, points, |b, i| &whitened[(b, i)] / &gauge.a[i]);
        let bound = dual_value(&whitened, &residual, &t);
        assert!(bound <= weighted_gauge_objective(&gauge, &data, &atoms, &rows));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}

// ---------------------------------------------------------------- RegimeBoundary

/// A symmetric matrix with zero diagonal and few negative entries.
fn hollow(dice: &mut Dice, size: usize) -> Matrix {
    let upper =
        Matrix::from_fn(
            size,
            size,
            |_, _| {
                if dice.chance(15) { -dice.positive() } else { dice.nonnegative() }
            },
        );
    Matrix::from_fn(size, size, |i, j| if i == j { Q::zero() } else { upper[(i.min(j), i.max(j))].clone() })
}

/// PROOF: Widedict.RegimeBoundary.T5_copositive_offdiag
#[test]
fn t5_copositive_offdiag() {
    let held = tally(CASES, 28, |dice| {
        let size = 2 + dice.below(3);
        let matrix = hollow(dice, size);
        let copositive = copositivity_witness(&matrix).is_none();
        if copositive {
            assert!(matrix.is_nonnegative());
        }
        copositive
    });
    assert_balanced(held, CASES);
    // With a diagonal, copositive matrices have negative entries.
    let diagonal = Matrix::of_rows(&[vec![int(1), int(-1)], vec![int(-1), int(1)]]);
    assert!(copositivity_witness(&diagonal).is_none() && !diagonal.is_nonnegative());
}

/// PROOF: Widedict.RegimeBoundary.T5_zero_diag_copositive_iff
#[test]
fn t5_zero_diag_copositive_iff() {
    let held = tally(CASES, 29, |dice| {
        let size = 1 + dice.below(4);
        let matrix = hollow(dice, size);
        assert_eq!(copositivity_witness(&matrix).is_none(), matrix.is_nonnegative());
        let row = dice.nonnegative_vector(size);
        assert!(!matrix.is_nonnegative() || !matrix.form(&row).is_negative());
        matrix.is_nonnegative()
    });
    assert_balanced(held, CASES);
}

/// κᵢκⱼ uᵢᵀuⱼ ≤ λ²aᵢaⱼ for every pair.
fn angles_hold(gauge: &Gauge, units: &[Vec<Q>]) -> bool {
    (0..units.len()).all(|i| {
        (0..i).all(|j| {
            let angle = &gauge.kappa[i] * &gauge.kappa[j] * dot(&units[i], &units[j]);
            angle <= square(&gauge.lambda) * &gauge.a[i] * &gauge.a[j]
        })
    })
}

/// PROOF: Widedict.RegimeBoundary.T5_angle_iff
#[test]
fn t5_angle_iff() {
    let held = tally(CASES, 30, |dice| {
        let (dim, points) = (2 + dice.below(2), 2 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let units = dice.units(dim, points);
        let residual = Normed::new(&units, gauge.kappa.clone()).matrix;
        let slack = gauge.slack(&residual, &Q::one());
        assert!((0..points).all(|i| slack[(i, i)].is_zero()));
        let holds = angles_hold(&gauge, &units);
        assert_eq!(copositivity_witness(&slack).is_none(), holds);
        holds
    });
    assert_balanced(held, CASES);
}

/// PROOF: Widedict.RegimeBoundary.T5_one_atom_each_iff
#[test]
fn t5_one_atom_each_iff() {
    let optimal = tally(CASES, 31, |dice| {
        let (dim, points) = (2 + dice.below(2), 2 + dice.below(2));
        let case = OneAtomEach::random(dice, dim, points);
        let holds = angles_hold(&case.gauge, &case.units);
        match improvement(&case.gauge, &case.data, &case.atoms, &case.rows) {
            None => {
                assert!(holds);
                case.assert_optimal(dice);
            }
            Some(value) => assert!(!holds && value < case.value()),
        }
        holds
    });
    assert_balanced(optimal, CASES);
}

// ---------------------------------------------------------------- FixedDictionary

fn lasso(lambda: &Q, atoms: &Matrix, point: &[Q], code: &[Q]) -> Q {
    let residual = added(point, &scaled(&atoms.apply(code), &int(-1)));
    half(&norm2(&residual)) + lambda * sum(code.iter().cloned())
}

fn residual_of(atoms: &Matrix, point: &[Q], code: &[Q]) -> Vec<Q> {
    added(point, &scaled(&atoms.apply(code), &int(-1)))
}

/// Dᵀ(x − Dz) − λ1.
fn slopes(lambda: &Q, atoms: &Matrix, point: &[Q], code: &[Q]) -> Vec<Q> {
    let pulls = atoms.transposed().apply(&residual_of(atoms, point, code));
    pulls.into_iter().map(|pull| pull - lambda).collect()
}

fn complementary(code: &[Q], slopes: &[Q]) -> bool {
    code.iter().zip(slopes).all(|(z, g)| (z * g).is_zero())
}

fn satisfies_kkt(code: &[Q], slopes: &[Q]) -> bool {
    is_nonnegative(code) && slopes.iter().all(|g| !g.is_positive()) && complementary(code, slopes)
}

/// The exact code, by trying every support; knows nothing but linear algebra and the KKT
/// conditions.
fn exact_code(lambda: &Q, atoms: &Matrix, point: &[Q]) -> Vec<Q> {
    let pulls: Vec<Q> = atoms.transposed().apply(point).into_iter().map(|pull| pull - lambda).collect();
    let gram = atoms.gram();
    let candidates = subsets(atoms.cols).filter_map(|support| {
        let right: Vec<Q> = support.iter().map(|&k| pulls[k].clone()).collect();
        let on = solve(&gram.principal(&support), &right)?;
        let mut code = vec![Q::zero(); atoms.cols];
        for (&k, value) in support.iter().zip(on) {
            code[k] = value;
        }
        Some(code)
    });
    let mut optimal = candidates.filter(|code| satisfies_kkt(code, &slopes(lambda, atoms, point, code)));
    optimal.next().expect("some support is optimal")
}

struct Coding {
    lambda: Q,
    atoms: Matrix,
    point: Vec<Q>,
    code: Vec<Q>,
}

impl Coding {
    fn random(dice: &mut Dice) -> Self {
        let (dim, width) = (1 + dice.below(3), 1 + dice.below(4));
        let lambda = dice.nonnegative();
        let atoms = Matrix::of_cols(&dice.units(dim, width));
        let point = dice.vector(dim);
        let code = exact_code(&lambda, &atoms, &point);
        Self { lambda, atoms, point, code }
    }
    fn value(&self, code: &[Q]) -> Q {
        lasso(&self.lambda, &self.atoms, &self.point, code)
    }
    fn residual(&self) -> Vec<Q> {
        residual_of(&self.atoms, &self.point, &self.code)
    }
    /// Codes to compare with: random ones and neighbours of the optimum.
    fn rivals(&self, dice: &mut Dice) -> Vec<Vec<Q>> {
        let mut rivals: Vec<Vec<Q>> = (0..4).map(|_| dice.nonnegative_vector(self.code.len())).collect();
        for _ in 0..4 {
            let step = scaled(&dice.vector(self.code.len()), &frac(1, 100));
            rivals.push(added(&self.code, &step).into_iter().map(|z| larger(z, Q::zero())).collect());
        }
        rivals
    }
    fn fires(&self) -> bool {
        self.code.iter().any(Signed::is_positive)
    }
}

/// PROOF: Widedict.FixedDictionary.T10_kkt_sufficient
#[test]
fn t10_kkt_sufficient() {
    let mut refuted = 0;
    let fires = tally(CASES, 32, |dice| {
        let coding = Coding::random(dice);
        let least = coding.value(&coding.code);
        for rival in coding.rivals(dice) {
            assert!(least <= coding.value(&rival));
            // A rival that breaks the conditions is not optimal: they are necessary too.
            let slopes = slopes(&coding.lambda, &coding.atoms, &coding.point, &rival);
            if !satisfies_kkt(&rival, &slopes) {
                assert!(least < coding.value(&rival));
                refuted += 1;
            }
        }
        coding.fires()
    });
    assert_balanced(fires, CASES);
    assert!(refuted > CASES);
}

/// PROOF: Widedict.FixedDictionary.T11_kkt_gap
#[test]
fn t11_kkt_gap() {
    let (mut inexact, mut violated) = (0, 0);
    let held = tally(4 * CASES, 33, |dice| {
        let coding = Coding::random(dice);
        let step = scaled(&dice.vector(coding.code.len()), &frac(1, dice.between(1, 20)));
        let code = added(&coding.code, &step);
        let slopes = slopes(&coding.lambda, &coding.atoms, &coding.point, &code);
        let bound = coding.value(&code) + dot(&slopes, &code);
        let rivals = [coding.rivals(dice), vec![coding.code.clone()]].concat();
        if slopes.iter().any(Signed::is_positive) {
            violated += u64::from(rivals.iter().any(|rival| coding.value(rival) < bound));
            return false;
        }
        assert!(rivals.iter().all(|rival| bound <= coding.value(rival)));
        inexact += u64::from(bound < coding.value(&code));
        true
    });
    assert_balanced(held, 4 * CASES);
    assert!(5 * inexact >= CASES, "few inexact codes: {inexact}");
    assert!(violated > 0, "a slope of the wrong sign never mattered");
}

/// PROOF: Widedict.FixedDictionary.T11_polytope_bound
#[test]
fn t11_polytope_bound() {
    let mut outside_breaks = 0;
    let held = tally(4 * CASES, 34, |dice| {
        let coding = Coding::random(dice);
        let guess = coding.residual();
        let noise = scaled(&dice.vector(guess.len()), &frac(1, dice.between(1, 30)));
        let rho = added(&guess, &noise);
        let inside = coding.atoms.transposed().apply(&rho).iter().all(|pull| *pull <= coding.lambda);
        let bound = dot(&coding.point, &rho) - half(&norm2(&rho));
        let rivals = [coding.rivals(dice), vec![coding.code.clone()]].concat();
        if inside {
            assert!(rivals.iter().all(|rival| bound <= coding.value(rival)));
        } else {
            outside_breaks += u64::from(rivals.iter().any(|rival| coding.value(rival) < bound));
        }
        inside
    });
    assert_balanced(held, 4 * CASES);
    assert!(outside_breaks > 0, "the polytope never mattered");
}

/// PROOF: Widedict.FixedDictionary.T11_scaled_residual
#[test]
fn t11_scaled_residual() {
    let shrunk = tally(CASES, 35, |dice| {
        let coding = Coding::random(dice);
        let code = dice.nonnegative_vector(coding.code.len());
        let residual = residual_of(&coding.atoms, &coding.point, &code);
        let most = coding.atoms.transposed().apply(&residual).into_iter().reduce(larger).unwrap();
        // Where no atom pulls, the residual is inside as it is; else shrink it until it is.
        let t = if most > coding.lambda && most.is_positive() { &coding.lambda / &most } else { Q::one() };
        let bound = &t * dot(&coding.point, &residual) - half(&(square(&t) * norm2(&residual)));
        assert!(bound <= coding.value(&coding.code) && bound <= coding.value(&code));
        // At the optimum nothing is shrunk and the gap closes.
        let (best, residual) = (coding.value(&coding.code), coding.residual());
        assert_eq!(dot(&coding.point, &residual) - half(&norm2(&residual)), best);
        t < Q::one()
    });
    assert_balanced(shrunk, CASES);
}

/// PROOF: Widedict.FixedDictionary.T10_energy_identity
#[test]
fn t10_energy_identity() {
    let mut slack_breaks = 0;
    let fires = tally(CASES, 36, |dice| {
        let coding = Coding::random(dice);
        let defect = |code: &[Q]| {
            let residual = residual_of(&coding.atoms, &coding.point, code);
            let parts = norm2(&coding.atoms.apply(code))
                + int(2) * &coding.lambda * sum(code.iter().cloned())
                + norm2(&residual);
            norm2(&coding.point) - parts
        };
        assert!(defect(&coding.code).is_zero());
        slack_breaks += u64::from(!defect(&dice.nonnegative_vector(coding.code.len())).is_zero());
        coding.fires()
    });
    assert_balanced(fires, CASES);
    assert!(2 * slack_breaks > CASES, "complementary slackness is needed");
}

/// PROOF: Widedict.FixedDictionary.T10_residual_length
#[test]
fn t10_residual_length() {
    let fires = tally(CASES, 37, |dice| {
        let coding = Coding::random(dice);
        if coding.fires() {
            assert!(square(&coding.lambda) <= norm2(&coding.residual()));
        }
        coding.fires()
    });
    assert_balanced(fires, CASES);
    // A silent code may leave less, and so may a long atom.
    for (length, place, fires) in [(int(1), frac(1, 2), false), (int(2), int(2), true)] {
        let (atom, point) = (Matrix::of_cols(&[vec![length]]), [place]);
        let code = exact_code(&Q::one(), &atom, &point);
        assert_eq!(code[0].is_positive(), fires);
        assert!(norm2(&residual_of(&atom, &point, &code)) < Q::one());
    }
}

/// PROOF: Widedict.FixedDictionary.T10_residual_is_projection
#[test]
fn t10_residual_is_projection() {
    let mut inside = 0;
    let fires = tally(CASES, 38, |dice| {
        let coding = Coding::random(dice);
        let residual = coding.residual();
        let in_polytope =
            |rho: &[Q]| coding.atoms.transposed().apply(rho).iter().all(|pull| *pull <= coding.lambda);
        let distance = |rho: &[Q]| norm2(&added(&coding.point, &scaled(rho, &int(-1))));
        assert!(in_polytope(&residual));
        let least = distance(&residual);
        assert_eq!(coding.value(&coding.code), half(&(norm2(&coding.point) - &least)));
        for _ in 0..16 {
            let noise = scaled(&dice.vector(residual.len()), &frac(1, dice.between(1, 20)));
            let rho = added(&residual, &noise);
            if in_polytope(&rho) {
                inside += 1;
                assert!(least <= distance(&rho));
            }
        }
        coding.fires()
    });
    assert_balanced(fires, CASES);
    assert!(inside > 2 * CASES);
}

/// PROOF: Widedict.FixedDictionary.T13_residual_identity
#[test]
fn t13_residual_identity() {
    let mut broken = 0;
    let used = tally(CASES, 39, |dice| {
        let (dim, points, width) = (2 + dice.below(2), 2 + dice.below(3), 1 + dice.below(3));
        let (lambda, weights) = (dice.positive(), (0..points).map(|_| dice.positive()).collect::<Vec<_>>());
        let atoms = Matrix::of_cols(&dice.units(dim, width));
        let codes = dice.nonnegative_matrix(width, points);
        let atom = atoms.col(0);
        // Residuals λd + p with p ⊥ d where the atom fires; the last p balances the others.
        let firing: Vec<usize> = (0..points).filter(|&i| codes[(0, i)].is_positive()).collect();
        let mut residuals = dice.matrix(dim, points);
        let mut balance = vec![Q::zero(); dim];
        for (place, &i) in firing.iter().enumerate() {
            let share = &weights[i] * &codes[(0, i)];
            let free = dice.vector(dim);
            let mut across = added(&free, &scaled(&atom, &-dot(&free, &atom)));
            if place + 1 == firing.len() {
                across = scaled(&balance, &(-Q::one() / &share));
            }
            balance = added(&balance, &scaled(&across, &share));
            for b in 0..dim {
                residuals[(b, i)] = &lambda * &atom[b] + &across[b];
            }
        }
        let data = atoms.times(&codes).plus(&residuals);
        let mean = |residuals: &Matrix| {
            (0..points).fold(vec![Q::zero(); dim], |mean, i| {
                added(&mean, &scaled(&residuals.col(i), &(&weights[i] * &codes[(0, i)])))
            })
        };
        let mass = sum((0..points).map(|i| &weights[i] * &codes[(0, i)]));
        let residuals = data.minus(&atoms.times(&codes));
        for i in 0..points {
            let slopes = slopes(&lambda, &atoms, &data.col(i), &codes.col(i));
            assert!((&codes[(0, i)] * &slopes[0]).is_zero());
        }
        let length = dot(&mean(&residuals), &atom);
        assert_eq!(mean(&residuals), scaled(&atom, &length));
        assert_eq!(length, &lambda * &mass);
        // Without complementary slackness the length is another.
        broken += u64::from(dot(&mean(&residuals.scaled(&int(2))), &atom) != length);
        firing.len() >= 2
    });
    assert!(2 * used > CASES);
    assert!(2 * broken > CASES);
}

// ---------------------------------------------------------------- NoNesting

/// A pair of unit atoms l = 0 and j = 1 with ε > 0 for which ‖d_l + εd_j‖ is rational,
/// codes nested with slack at least ε, and other atoms besides.
struct Nested {
    weights: Vec<Q>,
    lambda: Q,
    data: Matrix,
    atoms: Matrix,
    codes: Matrix,
    epsilon: Q,
    merged: Q,
}

impl Nested {
    fn random(dice: &mut Dice) -> Self {
        let (dim, points, width) = (2 + dice.below(2), 2 + dice.below(3), 2 + dice.below(3));
        let mut units = dice.units(dim, width);
        if units[0] == units[1] || dice.chance(15) {
            units[1] = scaled(&units[0], &int(-1));
        }
        // The conic 1 + 2cε + ε² = m², through (ε, m) = (0, 1) with slope s in (c, 1).
        let cosine = dot(&units[0], &units[1]);
        let (epsilon, merged) = if cosine == int(-1) {
            let epsilon = if dice.chance(50) { Q::one() } else { dice.positive() };
            let merged = (Q::one() - &epsilon).abs();
            (epsilon, merged)
        } else {
            let slope = &cosine + (Q::one() - &cosine) * frac(dice.between(1, 9), 10);
            let epsilon = int(2) * (&slope - &cosine) / (Q::one() - square(&slope));
            let merged = (Q::one() + &slope * &epsilon).abs();
            (epsilon, merged)
        };
        let mut codes = dice.nonnegative_matrix(width, points);
        codes[(0, 0)] = dice.positive();
        for i in 0..points {
            if codes[(0, i)].is_positive() {
                codes[(1, i)] = &epsilon * &codes[(0, i)] * (Q::one() + dice.nonnegative());
            }
        }
        let weights = (0..points).map(|_| dice.positive()).collect();
        let (lambda, data) = (dice.positive(), dice.matrix(dim, points));
        Self { weights, lambda, data, atoms: Matrix::of_cols(&units), codes, epsilon, merged }
    }
    fn sum_of_pair(&self) -> Vec<Q> {
        added(&self.atoms.col(0), &scaled(&self.atoms.col(1), &self.epsilon))
    }
    /// The merged atom and the codes that keep every reconstruction.
    fn exchanged(&self) -> (Matrix, Matrix) {
        assert_eq!(square(&self.merged), norm2(&self.sum_of_pair()));
        let (mut atoms, mut codes) = (self.atoms.clone(), self.codes.clone());
        let direction = self.sum_of_pair();
        for b in 0..atoms.rows {
            if !self.merged.is_zero() {
                atoms[(b, 0)] = &direction[b] / &self.merged;
            }
        }
        for i in 0..codes.cols {
            codes[(0, i)] = &self.merged * &self.codes[(0, i)];
            codes[(1, i)] = &self.codes[(1, i)] - &self.epsilon * &self.codes[(0, i)];
        }
        (atoms, codes)
    }
    fn value(&self, atoms: &Matrix, codes: &Matrix) -> Q {
        weighted_objective(&self.weights, &self.lambda, &self.data, atoms, codes)
    }
    fn mass(&self) -> Q {
        dot(&self.weights, &self.codes.row(0))
    }
    /// λ s_l (1 + ε − ‖d_l + εd_j‖).
    fn decrease(&self) -> Q {
        &self.lambda * self.mass() * (Q::one() + &self.epsilon - &self.merged)
    }
}

/// PROOF: Widedict.NoNesting.T14_same_reconstruction
#[test]
fn t14_same_reconstruction() {
    let vanishing = tally(4 * CASES, 40, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        assert_ne!(codes, nested.codes);
        assert_eq!(atoms.times(&codes), nested.atoms.times(&nested.codes));
        nested.merged.is_zero()
    });
    // The case d_l + εd_j = 0 is among them.
    assert!(vanishing > 0 && 2 * vanishing < 4 * CASES);
}

/// PROOF: Widedict.NoNesting.T14_exact_decrease
#[test]
fn t14_exact_decrease() {
    let lower = tally(CASES, 41, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        let before = nested.value(&nested.atoms, &nested.codes);
        let after = nested.value(&atoms, &codes);
        assert_eq!(after, &before - nested.decrease());
        after < before
    });
    assert_eq!(lower, CASES);
}

/// PROOF: Widedict.NoNesting.T14_decrease_pos
#[test]
fn t14_decrease_pos() {
    let used = tally(CASES, 42, |dice| {
        let mut nested = Nested::random(dice);
        assert!(nested.mass().is_positive() && nested.decrease().is_positive());
        // Equal atoms gain nothing, nor does λ = 0.
        let same = Matrix::of_cols(&[nested.atoms.col(0), nested.atoms.col(0)]);
        let pair = Matrix::of_rows(&[nested.codes.row(0), nested.codes.row(1)]);
        let merged = Q::one() + &nested.epsilon;
        let twins = Nested { atoms: same, codes: pair, merged, ..Nested::random(dice) };
        let twins = Nested { epsilon: nested.epsilon.clone(), ..twins };
        let (atoms, codes) = twins.exchanged();
        assert_eq!(atoms.times(&codes), twins.atoms.times(&twins.codes));
        assert_eq!(sum(codes.entries), sum(twins.codes.entries));
        nested.lambda = Q::zero();
        assert!(nested.decrease().is_zero());
        nested.merged.is_positive()
    });
    assert!(2 * used > CASES);
}

/// PROOF: Widedict.NoNesting.T14_feasible
#[test]
fn t14_feasible() {
    let beyond = tally(CASES, 43, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        assert!(codes.is_nonnegative());
        assert!((0..atoms.cols).all(|k| norm2(&atoms.col(k)).is_one()));
        // Past the slack a code turns negative.
        let mut short = nested.codes.clone();
        short[(1, 0)] = half(&(&nested.epsilon * &short[(0, 0)]));
        let (_, codes) = Nested { codes: short, ..nested }.exchanged();
        !codes.is_nonnegative()
    });
    assert_eq!(beyond, CASES);
}

/// PROOF: Widedict.NoNesting.T14_no_nesting
#[test]
fn t14_no_nesting() {
    // Whoever nests is not optimal: a feasible point of the same width lies lower.
    let nests = tally(CASES, 44, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        assert!(codes.is_nonnegative() && atoms.cols == nested.atoms.cols);
        nested.value(&atoms, &codes) < nested.value(&nested.atoms, &nested.codes)
    });
    assert_eq!(nests, CASES);
    // An optimum of known value does not nest: the wide limit on distinct directions.
    let optima = tally(CASES, 45, |dice| {
        let points = 2 + dice.below(3);
        let (lambda, weights) = (dice.positive(), (0..points).map(|_| dice.positive()).collect::<Vec<_>>());
        let data = Normed::random(dice, 3, points, |dice| int(4) * dice.positive());
        let (atoms, codes) = wide_pair(&lambda, &data);
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert_eq!(value, weighted_wide_bound(&weights, &lambda, &data));
        let fires = |k: usize| codes.row(k).iter().any(Signed::is_positive);
        let mut pairs = 0;
        for (l, j) in (0..points).flat_map(|l| (0..points).map(move |j| (l, j))) {
            if fires(l) && atoms.col(l) != atoms.col(j) {
                assert!((0..points).any(|i| codes[(l, i)].is_positive() && codes[(j, i)].is_zero()));
                pairs += 1;
            }
        }
        pairs > 0
    });
    assert!(2 * optima > CASES);
    // λ > 0 is needed: at λ = 0 a nested pair reconstructs exactly, at cost 0.
    let atoms = Matrix::of_cols(&[vec![int(1), int(0)], vec![frac(3, 5), frac(4, 5)]]);
    let codes = Matrix::of_rows(&[vec![int(1), int(0)], vec![int(1), int(1)]]);
    let data = atoms.times(&codes);
    assert!(weighted_objective(&[int(1), int(1)], &Q::zero(), &data, &atoms, &codes).is_zero());
    // And so is γ = 0: with an atom price the same exchange can raise the penalty.
    let with_price = |row: &[Q]| root(&(square(&sum(row.iter().cloned())) * frac(1, 100) + norm2(row)));
    let (pair, rest) = (added(&atoms.col(0), &atoms.col(1)), vec![int(0), int(1)]);
    let before = with_price(&codes.row(0)).1 + with_price(&codes.row(1)).1;
    let after = root(&norm2(&pair)).0 * with_price(&codes.row(0)).0 + with_price(&rest).0;
    assert!(after > before, "the atom price favours sharing");
}

// ---------------------------------------------------------------- Participation

fn mass_and_square(weights: &[Q], row: &[Q]) -> (Q, Q) {
    let squares: Vec<Q> = row.iter().map(square).collect();
    (dot(weights, row), dot(weights, &squares))
}

/// PROOF: Widedict.Participation.T19_participation_le_share
#[test]
fn t19_participation_le_share() {
    let mut tight = 0;
    let sparse = tally(CASES, 46, |dice| {
        let points = 1 + dice.below(5);
        let weights = dice.nonnegative_vector(points);
        let level = dice.positive();
        let flat = dice.chance(40);
        let row: Vec<Q> = dice
            .nonnegative_vector(points)
            .into_iter()
            .map(|z| if flat && z.is_positive() { level.clone() } else { z })
            .collect();
        let (mass, squares) = mass_and_square(&weights, &row);
        let share = sum((0..points).filter(|&i| !row[i].is_zero()).map(|i| weights[i].clone()));
        let (left, right) = (square(&mass), &share * squares);
        assert!(left <= right);
        tight += u64::from(left == right);
        share.is_positive() && share < sum(weights)
    });
    assert_balanced(sparse, CASES);
    // A row of one level attains the share.
    assert!(5 * tight >= CASES);
}

/// PROOF: Widedict.Participation.T19_participation_bound
#[test]
fn t19_participation_bound() {
    let mut beyond = 0;
    let held = tally(4 * CASES, 47, |dice| {
        let points = 1 + dice.below(4);
        let (weights, row) = (dice.nonnegative_vector(points), dice.nonnegative_vector(points));
        let lambda = dice.positive();
        let lambda_less = &lambda * frac(dice.between(0, 8), 8);
        let (mass, squares) = mass_and_square(&weights, &row);
        let participation = dice.positive();
        // γ² = p(λ² − λ'²); the gauge is compared squared.
        let price = &participation * (square(&lambda) - square(&lambda_less));
        let gauge2 = square(&(&lambda_less * &mass)) + &price * &squares;
        let holds = &participation * &squares <= square(&mass);
        if holds {
            assert!(gauge2 <= square(&(&lambda * &mass)));
        } else {
            beyond += u64::from(gauge2 > square(&(&lambda * &mass)));
        }
        holds
    });
    assert_balanced(held, 4 * CASES);
    assert!(beyond > 0, "a rarer atom never broke the bound");
}

/// A gauge (λ', γ), unit atoms, rows, and a λ for which every row participates enough.
struct Common {
    gauge: Gauge,
    atoms: Normed,
    rows: Rows,
    lambda: Q,
}

impl Common {
    fn random(dice: &mut Dice, dim: usize, points: usize) -> Self {
        let width = 1 + dice.below(3);
        let gauge = Gauge::random(dice, points);
        let atoms = Normed::random(dice, dim, width, |_| Q::one());
        let rows = gauge.rows(dice, width);
        let weights = gauge.weights();
        let codes = gauge.unwhitened(&rows.matrix);
        let least = (0..width)
            .filter_map(|k| {
                let (mass, squares) = mass_and_square(&weights, &codes.row(k));
                squares.is_positive().then(|| square(&mass) / squares)
            })
            .reduce(|left, right| if left <= right { left } else { right });
        // λ² ≥ λ'² + γ²/p for the least participation p, so that γ² = p'(λ² − λ'²), p' ≤ p.
        let price = least.map_or(Q::zero(), |least| square(&gauge.gamma) / least);
        let (_, lambda) = root_between(&(square(&gauge.lambda) + price), &BigInt::from(1000));
        let common = Self { gauge, atoms, rows, lambda };
        let participation = common.participation();
        for k in 0..width {
            let (mass, squares) = mass_and_square(&weights, &codes.row(k));
            assert!(participation.as_ref().is_none_or(|p| p * squares <= square(&mass)));
        }
        common
    }
    /// p' = γ²/(λ² − λ'²); `None` when every atom is dead and λ = λ'.
    fn participation(&self) -> Option<Q> {
        let room = square(&self.lambda) - square(&self.gauge.lambda);
        room.is_positive().then(|| square(&self.gauge.gamma) / room)
    }
    fn l1_objective(&self, data: &Matrix) -> Q {
        let codes = self.gauge.unwhitened(&self.rows.matrix);
        weighted_objective(&self.gauge.weights(), &self.lambda, data, &self.atoms.matrix, &codes)
    }
}

/// PROOF: Widedict.Participation.T19_objective_bound
#[test]
fn t19_objective_bound() {
    let mut close = 0;
    let alive = tally(CASES, 48, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(4));
        let common = Common::random(dice, dim, points);
        let data = dice.matrix(dim, points);
        if common.participation().is_none() {
            return false;
        }
        let below = weighted_gauge_objective(&common.gauge, &data, &common.atoms, &common.rows);
        let value = common.l1_objective(&data);
        assert!(below <= value);
        close += u64::from(below * frac(11, 10) > value);
        common.rows.gauges.iter().any(Signed::is_positive)
    });
    assert!(2 * alive > CASES);
    assert!(close > 0);
}

/// PROOF: Widedict.Participation.T19_certified_bound
#[test]
fn t19_certified_bound() {
    let positive = tally(CASES, 49, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(3));
        let common = Common::random(dice, dim, points);
        if common.participation().is_none() {
            return false;
        }
        let residual = dice.matrix(dim, points);
        let t = dual_step(dice, &common.gauge.polar(&residual));
        let whitened = residual.scaled(&t).plus(&common.atoms.matrix.times(&common.rows.matrix));
        let data = Matrix::from_fn(dim, points, |b, i| &whitened[(b, i)] / &common.gauge.a[i]);
        let bound = dual_value(&whitened, &residual, &t);
        assert!(bound <= common.l1_objective(&data));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}
