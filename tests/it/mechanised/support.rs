//! What the theorems are made of, in exact rationals: matrices, random inputs, the gauge and the
//! objectives.

use std::ops::{Index, IndexMut};

use num_bigint::BigInt;
pub(crate) use num_rational::BigRational as Q;
use num_traits::{One, Signed, Zero};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

// ---------------------------------------------------------------- numbers

pub(crate) fn int(value: i64) -> Q {
    Q::from_integer(BigInt::from(value))
}

pub(crate) fn frac(numerator: i64, denominator: i64) -> Q {
    Q::new(BigInt::from(numerator), BigInt::from(denominator))
}

pub(crate) fn half(value: &Q) -> Q {
    value * frac(1, 2)
}

pub(crate) fn square(value: &Q) -> Q {
    value * value
}

pub(crate) fn larger(left: Q, right: Q) -> Q {
    if left >= right { left } else { right }
}

pub(crate) fn sum(values: impl IntoIterator<Item = Q>) -> Q {
    values.into_iter().fold(Q::zero(), |total, value| total + value)
}

/// Neighbouring multiples of `1/denominator` that enclose the root of `value >= 0`.
pub(crate) fn root_between(value: &Q, denominator: &BigInt) -> (Q, Q) {
    assert!(!value.is_negative());
    let floor = (value * Q::from_integer(denominator * denominator)).floor().to_integer().sqrt();
    let low = Q::new(floor.clone(), denominator.clone());
    let high = if square(&low) == *value { low.clone() } else { Q::new(floor + 1, denominator.clone()) };
    assert!(square(&low) <= *value && *value <= square(&high));
    (low, high)
}

/// An enclosure of the root of `value >= 0` of width at most 2^-80.
pub(crate) fn root(value: &Q) -> (Q, Q) {
    root_between(value, &(BigInt::one() << 80))
}

// ---------------------------------------------------------------- vectors and matrices

pub(crate) fn dot(left: &[Q], right: &[Q]) -> Q {
    assert_eq!(left.len(), right.len());
    sum(left.iter().zip(right).map(|(l, r)| l * r))
}

pub(crate) fn norm2(vector: &[Q]) -> Q {
    dot(vector, vector)
}

pub(crate) fn scaled(vector: &[Q], factor: &Q) -> Vec<Q> {
    vector.iter().map(|entry| entry * factor).collect()
}

pub(crate) fn added(left: &[Q], right: &[Q]) -> Vec<Q> {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(l, r)| l + r).collect()
}

pub(crate) fn is_nonnegative(values: &[Q]) -> bool {
    values.iter().all(|value| !value.is_negative())
}

/// A vector of norm at most one along `direction`, of norm 1 up to the width of an enclosure.
pub(crate) fn nearly_unit(direction: &[Q]) -> Vec<Q> {
    let (_, high) = root(&norm2(direction));
    scaled(direction, &(Q::one() / high))
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) entries: Vec<Q>,
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
    pub(crate) fn from_fn(rows: usize, cols: usize, mut entry: impl FnMut(usize, usize) -> Q) -> Self {
        let entries = (0..rows * cols).map(|k| entry(k / cols, k % cols)).collect();
        Self { rows, cols, entries }
    }
    pub(crate) fn zeros(rows: usize, cols: usize) -> Self {
        Self::from_fn(rows, cols, |_, _| Q::zero())
    }
    pub(crate) fn of_rows(rows: &[Vec<Q>]) -> Self {
        Self::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j].clone())
    }
    pub(crate) fn of_cols(cols: &[Vec<Q>]) -> Self {
        Self::from_fn(cols[0].len(), cols.len(), |i, j| cols[j][i].clone())
    }
    pub(crate) fn outer(left: &[Q], right: &[Q]) -> Self {
        Self::from_fn(left.len(), right.len(), |i, j| &left[i] * &right[j])
    }
    pub(crate) fn row(&self, row: usize) -> Vec<Q> {
        (0..self.cols).map(|col| self[(row, col)].clone()).collect()
    }
    pub(crate) fn col(&self, col: usize) -> Vec<Q> {
        (0..self.rows).map(|row| self[(row, col)].clone()).collect()
    }
    pub(crate) fn transposed(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self[(j, i)].clone())
    }
    pub(crate) fn times(&self, other: &Self) -> Self {
        assert_eq!(self.cols, other.rows);
        Self::from_fn(self.rows, other.cols, |i, j| {
            sum((0..self.cols).map(|k| &self[(i, k)] * &other[(k, j)]))
        })
    }
    pub(crate) fn apply(&self, vector: &[Q]) -> Vec<Q> {
        assert_eq!(self.cols, vector.len());
        (0..self.rows).map(|i| sum((0..self.cols).map(|j| &self[(i, j)] * &vector[j]))).collect()
    }
    pub(crate) fn plus(&self, other: &Self) -> Self {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        Self::from_fn(self.rows, self.cols, |i, j| &self[(i, j)] + &other[(i, j)])
    }
    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.plus(&other.scaled(&int(-1)))
    }
    pub(crate) fn scaled(&self, factor: &Q) -> Self {
        Self::from_fn(self.rows, self.cols, |i, j| &self[(i, j)] * factor)
    }
    pub(crate) fn dot(&self, other: &Self) -> Q {
        assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        dot(&self.entries, &other.entries)
    }
    pub(crate) fn norm2(&self) -> Q {
        norm2(&self.entries)
    }
    pub(crate) fn gram(&self) -> Self {
        self.transposed().times(self)
    }
    /// The quadratic form vᵀAv.
    pub(crate) fn form(&self, vector: &[Q]) -> Q {
        dot(vector, &self.apply(vector))
    }
    pub(crate) fn is_nonnegative(&self) -> bool {
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
    pub(crate) fn principal(&self, keep: &[usize]) -> Self {
        Self::from_fn(keep.len(), keep.len(), |i, j| self[(keep[i], keep[j])].clone())
    }
    fn without(&self, row: usize, col: usize) -> Self {
        let skip = |k: usize, gone: usize| if k < gone { k } else { k + 1 };
        Self::from_fn(self.rows - 1, self.cols - 1, |i, j| self[(skip(i, row), skip(j, col))].clone())
    }
    pub(crate) fn determinant(&self) -> Q {
        assert_eq!(self.rows, self.cols);
        if self.rows == 0 {
            return Q::one();
        }
        sum((0..self.cols).map(|j| {
            let minor = &self[(0, j)] * self.without(0, j).determinant();
            if j % 2 == 0 { minor } else { -minor }
        }))
    }
    /// The inverse, by cofactors; `None` if the determinant is 0.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let determinant = self.determinant();
        (!determinant.is_zero()).then(|| {
            Self::from_fn(self.rows, self.rows, |i, j| {
                let minor = self.without(j, i).determinant() / &determinant;
                if (i + j) % 2 == 0 { minor } else { -minor }
            })
        })
    }
    /// Positive semidefinite, by symmetric elimination: exact, so no tolerance.
    pub(crate) fn is_psd(&self) -> bool {
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

pub(crate) fn subsets(size: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_usize << size).map(move |mask| (0..size).filter(|k| (mask >> k) & 1 == 1).collect())
}

/// A vector v ≥ 0 with vᵀBv < 0, or `None` when B is copositive. Hadeler's criterion: a
/// smallest principal submatrix that is not copositive has a negative determinant and a
/// nonnegative adjugate, whose row sums are then the witness.
pub(crate) fn copositivity_witness(matrix: &Matrix) -> Option<Vec<Q>> {
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

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).expect("bounds are small");
        usize::try_from(self.0.next_u32() % bound).expect("a usize has 32 bits or more")
    }
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::from(self.0.next_u32()) % (high - low + 1)
    }
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    pub(crate) fn rational(&mut self) -> Q {
        frac(self.between(-12, 12), self.between(1, 5))
    }
    pub(crate) fn positive(&mut self) -> Q {
        frac(self.between(1, 12), self.between(1, 6))
    }
    /// Zero one time in four.
    pub(crate) fn nonnegative(&mut self) -> Q {
        if self.chance(25) { Q::zero() } else { self.positive() }
    }
    pub(crate) fn vector(&mut self, len: usize) -> Vec<Q> {
        (0..len).map(|_| self.rational()).collect()
    }
    pub(crate) fn nonnegative_vector(&mut self, len: usize) -> Vec<Q> {
        (0..len).map(|_| self.nonnegative()).collect()
    }
    pub(crate) fn matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |_, _| self.rational())
    }
    pub(crate) fn nonnegative_matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        Matrix::from_fn(rows, cols, |_, _| self.nonnegative())
    }
    pub(crate) fn symmetric(&mut self, size: usize) -> Matrix {
        let upper = self.matrix(size, size);
        Matrix::from_fn(size, size, |i, j| upper[(i.min(j), i.max(j))].clone())
    }
    /// A rational point of the unit sphere, by stereographic projection.
    pub(crate) fn unit(&mut self, len: usize) -> Vec<Q> {
        let plane: Vec<Q> = (1..len).map(|_| frac(self.between(-4, 4), self.between(1, 2))).collect();
        let height = norm2(&plane);
        let scale = Q::one() / (Q::one() + &height);
        let mut point: Vec<Q> = plane.iter().map(|entry| int(2) * entry * &scale).collect();
        point.insert(self.below(len), (height - Q::one()) * scale);
        assert!(norm2(&point).is_one());
        point
    }
    pub(crate) fn units(&mut self, len: usize, count: usize) -> Vec<Vec<Q>> {
        (0..count).map(|_| self.unit(len)).collect()
    }
}

/// Vectors with their (rational) norms.
pub(crate) struct Normed {
    pub(crate) matrix: Matrix,
    pub(crate) norms: Vec<Q>,
}

impl Normed {
    pub(crate) fn new(units: &[Vec<Q>], norms: Vec<Q>) -> Self {
        let cols: Vec<Vec<Q>> = units.iter().zip(&norms).map(|(unit, norm)| scaled(unit, norm)).collect();
        Self { matrix: Matrix::of_cols(&cols), norms }
    }
    /// Random directions, norms as given by `norm`.
    pub(crate) fn random(dice: &mut Dice, dim: usize, count: usize, norm: impl Fn(&mut Dice) -> Q) -> Self {
        let norms = (0..count).map(|_| norm(dice)).collect();
        Self::new(&dice.units(dim, count), norms)
    }
}

// ---------------------------------------------------------------- the gauge

/// A whitened gauge whose single-datapoint values κᵢ = √(λ²aᵢ² + γ²) are rational.
pub(crate) struct Gauge {
    pub(crate) a: Vec<Q>,
    pub(crate) kappa: Vec<Q>,
    pub(crate) lambda: Q,
    pub(crate) gamma: Q,
}

/// Code rows with their (rational) gauges.
pub(crate) struct Rows {
    pub(crate) matrix: Matrix,
    pub(crate) gauges: Vec<Q>,
}

impl Gauge {
    pub(crate) fn random(dice: &mut Dice, points: usize) -> Self {
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
    pub(crate) fn weights(&self) -> Vec<Q> {
        self.a.iter().map(square).collect()
    }
    pub(crate) fn squared(&self, row: &[Q]) -> Q {
        square(&(&self.lambda * dot(&self.a, row))) + square(&self.gamma) * norm2(row)
    }
    /// A = λ²aaᵀ + γ²I.
    pub(crate) fn matrix(&self) -> Matrix {
        Matrix::from_fn(self.points(), self.points(), |i, j| {
            let price = if i == j { square(&self.gamma) } else { Q::zero() };
            square(&self.lambda) * &self.a[i] * &self.a[j] + price
        })
    }
    /// A row z ≥ 0 with rational gauge: the second point in which a line through
    /// −e/κ meets the quadric zᵀAz = 1, near a random point of the orthant, rescaled.
    pub(crate) fn row(&self, dice: &mut Dice) -> (Vec<Q>, Q) {
        let wish: Vec<Q> =
            (0..self.points()).map(|_| if dice.chance(40) { Q::zero() } else { dice.positive() }).collect();
        self.row_along(dice, wish)
    }
    /// One that fires where `wish` is positive.
    pub(crate) fn row_along(&self, dice: &mut Dice, wish: Vec<Q>) -> (Vec<Q>, Q) {
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
    pub(crate) fn rows(&self, dice: &mut Dice, count: usize) -> Rows {
        let (rows, gauges): (Vec<_>, Vec<_>) = (0..count).map(|_| self.row(dice)).unzip();
        Rows { matrix: Matrix::of_rows(&rows), gauges }
    }
    /// ½‖X − DZ‖² + Σ‖d_k‖g(z_k).
    pub(crate) fn objective(&self, data: &Matrix, atoms: &Normed, rows: &Rows) -> Q {
        half(&data.minus(&atoms.matrix.times(&rows.matrix)).norm2()) + penalty(atoms, rows)
    }
    /// Codes in the units of the unwhitened problem.
    pub(crate) fn unwhitened(&self, matrix: &Matrix) -> Matrix {
        Matrix::from_fn(matrix.rows, matrix.cols, |i, j| &matrix[(i, j)] / &self.a[j])
    }
    /// κ²A − RᵀR.
    pub(crate) fn slack(&self, residual: &Matrix, kappa: &Q) -> Matrix {
        self.matrix().scaled(&square(kappa)).minus(&residual.gram())
    }
    /// A nearly least multiple of 1/8 for which `accepted` holds of κ.
    pub(crate) fn least_kappa(&self, accepted: impl Fn(&Q) -> bool) -> Q {
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
    pub(crate) fn polar(&self, residual: &Matrix) -> Q {
        self.least_kappa(|kappa| copositivity_witness(&self.slack(residual, kappa)).is_none())
    }
    /// Whether dᵀRz ≤ κg(z), squared so that no root is taken.
    pub(crate) fn polar_holds(&self, residual: &Matrix, kappa: &Q, atom: &[Q], row: &[Q]) -> bool {
        let paired = dot(atom, &residual.apply(row));
        !paired.is_positive() || square(&paired) <= square(kappa) * self.squared(row)
    }
}

pub(crate) fn penalty(atoms: &Normed, rows: &Rows) -> Q {
    dot(&atoms.norms, &rows.gauges)
}

// ---------------------------------------------------------------- objectives and their bounds

/// ½‖X − DZ‖² + λ ΣΣ z_ki.
pub(crate) fn plain_objective(lambda: &Q, data: &Matrix, atoms: &Matrix, codes: &Matrix) -> Q {
    half(&data.minus(&atoms.times(codes)).norm2()) + lambda * sum(codes.entries.iter().cloned())
}

/// Σ wᵢ (½‖xᵢ − Dzᵢ‖² + λ Σ_k z_ki).
pub(crate) fn weighted_objective(
    weights: &[Q],
    lambda: &Q,
    data: &Matrix,
    atoms: &Matrix,
    codes: &Matrix,
) -> Q {
    let residual = data.minus(&atoms.times(codes));
    sum((0..data.cols).map(|i| &weights[i] * (half(&norm2(&residual.col(i))) + lambda * sum(codes.col(i)))))
}

/// Σ wᵢ ½‖xᵢ − Dzᵢ‖² + Σ‖d_k‖g(z_k), with the weights written and `rows` whitened.
pub(crate) fn weighted_gauge_objective(gauge: &Gauge, data: &Matrix, atoms: &Normed, rows: &Rows) -> Q {
    let residual = data.minus(&atoms.matrix.times(&gauge.unwhitened(&rows.matrix)));
    let weights = gauge.weights();
    let fit = sum((0..data.cols).map(|i| half(&(&weights[i] * norm2(&residual.col(i))))));
    fit + penalty(atoms, rows)
}

/// t⟨X, R⟩ − ½t²‖R‖².
pub(crate) fn dual_value(data: &Matrix, residual: &Matrix, t: &Q) -> Q {
    t * data.dot(residual) - half(&(square(t) * residual.norm2()))
}

/// Some t in [0, 1/κ], the end one time in two.
pub(crate) fn dual_step(dice: &mut Dice, kappa: &Q) -> Q {
    let share = if dice.chance(50) { Q::one() } else { frac(dice.between(0, 4), 4) };
    share / kappa
}

/// One more atom that lowers the objective of a factorisation whose residual lies outside
/// the polar ball; its cost is an upper bound.
pub(crate) fn improvement(gauge: &Gauge, data: &Matrix, atoms: &Normed, rows: &Rows) -> Option<Q> {
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

// ---------------------------------------------------------------- optima in closed form

pub(crate) fn huber(lambda: &Q, radius: &Q) -> Q {
    if lambda < radius { lambda * radius - half(&square(lambda)) } else { half(&square(radius)) }
}

pub(crate) fn soft(lambda: &Q, radius: &Q) -> Q {
    larger(radius - lambda, Q::zero())
}

/// The atoms and codes of the wide limit; a zero atom where the datapoint is zero.
pub(crate) fn wide_pair(lambda: &Q, data: &Normed) -> (Matrix, Matrix) {
    let (dim, points) = (data.matrix.rows, data.matrix.cols);
    let atoms = Matrix::from_fn(dim, points, |b, i| {
        if data.norms[i].is_zero() { Q::zero() } else { &data.matrix[(b, i)] / &data.norms[i] }
    });
    let codes =
        Matrix::from_fn(points, points, |k, i| if k == i { soft(lambda, &data.norms[i]) } else { Q::zero() });
    (atoms, codes)
}

pub(crate) fn weighted_wide_bound(weights: &[Q], lambda: &Q, data: &Normed) -> Q {
    sum(weights.iter().zip(&data.norms).map(|(weight, radius)| weight * huber(lambda, radius)))
}

/// Datapoints of whitened norm at least κᵢ with one unit atom each, as T5 has them.
pub(crate) struct OneAtomEach {
    pub(crate) gauge: Gauge,
    pub(crate) data: Matrix,
    pub(crate) units: Vec<Vec<Q>>,
    pub(crate) atoms: Normed,
    pub(crate) rows: Rows,
}

impl OneAtomEach {
    pub(crate) fn random(dice: &mut Dice, dim: usize, points: usize) -> Self {
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
    pub(crate) fn value(&self) -> Q {
        self.gauge.objective(&self.data, &self.atoms, &self.rows)
    }
    pub(crate) fn residual(&self) -> Matrix {
        self.data.minus(&self.atoms.matrix.times(&self.rows.matrix))
    }
    /// The objective is least: against perturbations and against random factorisations.
    pub(crate) fn assert_optimal(&self, dice: &mut Dice) {
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

// ---------------------------------------------------------------- stationary points

/// Σ wᵢ aᵢbᵢᵀ over the columns.
pub(crate) fn moment(weights: &[Q], left: &Matrix, right: &Matrix) -> Matrix {
    Matrix::from_fn(left.rows, left.cols, |b, i| &weights[i] * &left[(b, i)]).times(&right.transposed())
}

/// Σ wᵢ ‖aᵢ‖².
pub(crate) fn energy(weights: &[Q], columns: &Matrix) -> Q {
    sum((0..columns.cols).map(|i| &weights[i] * norm2(&columns.col(i))))
}

/// Unit atoms, codes and residuals that satisfy the first-order conditions of γ = 0.
#[derive(Clone)]
pub(crate) struct Stationary {
    pub(crate) lambda: Q,
    pub(crate) weights: Vec<Q>,
    pub(crate) atoms: Matrix,
    pub(crate) codes: Matrix,
    pub(crate) residuals: Matrix,
}

impl Stationary {
    /// Two or three atoms, one time in four with an antipodal pair and one in four with a pair
    /// of equal atoms, of which 1 then fires only where 0 does. Every atom has a datapoint of its
    /// own, whose residual balances the others'; there are others with zero to two atoms, and
    /// with a centre one with none, whose residual balances all. Weights add up to 1.
    pub(crate) fn random(dice: &mut Dice, centred: bool) -> Self {
        let (dim, width, more) = (2 + dice.below(2), 2 + dice.below(2), 1 + dice.below(3));
        let mut units = dice.units(dim, width);
        let twins = dice.chance(25);
        if twins {
            units[1] = units[0].clone();
        } else if dice.chance(33) {
            units[1] = scaled(&units[0], &int(-1));
        }
        let points = width + more + usize::from(centred);
        let mut point = Self {
            lambda: dice.positive(),
            weights: (0..points).map(|_| dice.positive()).collect(),
            atoms: Matrix::of_cols(&units),
            codes: Matrix::zeros(width, points),
            residuals: Matrix::zeros(dim, points),
        };
        for i in 0..width + more {
            let mut fires = vec![i % width];
            if i >= width {
                let count = dice.below(3);
                fires = (0..count).map(|_| dice.below(width)).collect();
            }
            if twins && fires.contains(&1) {
                fires.push(0);
            }
            point.set(dice, i, &fires);
        }
        // The last atom first: the point of atom 1 may have atom 0 as well.
        for k in (0..width).rev() {
            point.balance_atom(k);
        }
        if centred {
            point.balance_all();
        }
        let total = sum(point.weights.iter().cloned());
        point.weights = scaled(&point.weights, &(Q::one() / total));
        point
    }
    fn allows(&self, residual: &[Q]) -> bool {
        (0..self.atoms.cols).all(|k| dot(&self.atoms.col(k), residual) <= self.lambda)
    }
    /// Codes of the atoms in `fires`, of the first alone where no residual has them all.
    fn set(&mut self, dice: &mut Dice, i: usize, fires: &[usize]) {
        let Some(&first) = fires.first() else {
            let mut residual = dice.vector(self.atoms.rows);
            while !self.allows(&residual) {
                residual = scaled(&residual, &frac(1, 2));
            }
            self.place(i, &residual);
            return;
        };
        let atom = self.atoms.col(first);
        let other = fires.iter().map(|&k| self.atoms.col(k)).find(|other| *other != atom);
        if let Some(other) = other {
            let apart = Q::one() + dot(&atom, &other);
            if !apart.is_zero() {
                let residual = scaled(&added(&atom, &other), &(&self.lambda / apart));
                if self.allows(&residual) {
                    for &k in fires {
                        self.codes[(k, i)] = dice.positive();
                    }
                    self.place(i, &residual);
                    return;
                }
            }
        }
        for &k in fires.iter().filter(|&&k| self.atoms.col(k) == atom) {
            self.codes[(k, i)] = dice.positive();
        }
        let free = dice.vector(self.atoms.rows);
        let mut across = added(&free, &scaled(&atom, &-dot(&free, &atom)));
        let along = scaled(&atom, &self.lambda);
        while !self.allows(&added(&along, &across)) {
            across = scaled(&across, &frac(1, 2));
        }
        self.place(i, &added(&along, &across));
    }
    fn place(&mut self, i: usize, residual: &[Q]) {
        for (b, entry) in residual.iter().enumerate() {
            self.residuals[(b, i)] = entry.clone();
        }
    }
    /// Column k of the residuals' moment with the codes, datapoint k left out if asked for.
    pub(crate) fn mean_residual(&self, k: usize, leave: Option<usize>) -> Vec<Q> {
        (0..self.codes.cols).filter(|&i| leave != Some(i)).fold(
            vec![Q::zero(); self.atoms.rows],
            |mean, i| {
                added(&mean, &scaled(&self.residuals.col(i), &(&self.weights[i] * &self.codes[(k, i)])))
            },
        )
    }
    /// The residual of atom k's own datapoint balances the atom, with a code so large that it
    /// is allowed.
    fn balance_atom(&mut self, k: usize) {
        let atom = self.atoms.col(k);
        let rest = self.mean_residual(k, Some(k));
        let across = added(&rest, &scaled(&atom, &-dot(&rest, &atom)));
        loop {
            let share = &self.weights[k] * &self.codes[(k, k)];
            let residual = added(&scaled(&atom, &self.lambda), &scaled(&across, &(-Q::one() / share)));
            if self.allows(&residual) {
                return self.place(k, &residual);
            }
            self.codes[(k, k)] *= int(2);
        }
    }
    fn balance_all(&mut self) {
        let last = self.codes.cols - 1;
        let rest = self.sum_of_residuals();
        loop {
            let residual = scaled(&rest, &(-Q::one() / &self.weights[last]));
            if self.allows(&residual) {
                return self.place(last, &residual);
            }
            self.weights[last] *= int(2);
        }
    }
    pub(crate) fn sum_of_residuals(&self) -> Vec<Q> {
        self.residuals.apply(&self.weights)
    }
    pub(crate) fn mass(&self, k: usize) -> Q {
        dot(&self.weights, &self.codes.row(k))
    }
    pub(crate) fn cosine(&self, j: usize, k: usize) -> Q {
        dot(&self.atoms.col(j), &self.atoms.col(k))
    }
    /// The point s_k (1 − d_jᵀd_k) of T20.
    pub(crate) fn target(&self, j: usize) -> Vec<Q> {
        (0..self.atoms.cols).map(|k| self.mass(k) * (Q::one() - self.cosine(j, k))).collect()
    }
    pub(crate) fn off(&self, j: usize) -> Vec<usize> {
        (0..self.codes.cols).filter(|&i| self.codes[(j, i)].is_zero()).collect()
    }
    pub(crate) fn codes_hold(&self) -> bool {
        let products = self.atoms.transposed().times(&self.residuals);
        products.entries.iter().zip(&self.codes.entries).all(|(product, code)| {
            *product <= self.lambda && (!code.is_positive() || *product == self.lambda)
        })
    }
    pub(crate) fn atoms_hold(&self) -> bool {
        (0..self.atoms.cols).all(|k| {
            self.mean_residual(k, None) == scaled(&self.atoms.col(k), &(&self.lambda * self.mass(k)))
        })
    }
    pub(crate) fn is_centred(&self) -> bool {
        self.sum_of_residuals().iter().all(Zero::is_zero)
    }
}

// ---------------------------------------------------------------- cases

pub(crate) const CASES: u64 = 64;

/// Runs `case` on `count` seeds and returns how often it answered `true`.
pub(crate) fn tally(count: u64, seed: u64, mut case: impl FnMut(&mut Dice) -> bool) -> u64 {
    (0..count).map(|k| u64::from(case(&mut Dice::new(seed * 1_000_003 + k)))).sum()
}

/// Asserts that at least a fifth and at most four fifths of the cases answered `true`.
pub(crate) fn assert_balanced(hits: u64, count: u64) {
    assert!(5 * hits >= count && 5 * hits <= 4 * count, "{hits} of {count}");
}
