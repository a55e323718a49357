//! Exact arithmetic on dyadic numbers `m · 2^e`, and the gauge calculus in it:
//! every `f64` is one, sums and products stay exact, quotients and roots are
//! taken to as many bits as asked.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Sub};

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero, float::FloatCore};

/// Bits of a quotient or a root: so many that what they lose is never seen.
pub const BITS: i64 = 900;

/// `mantissa · 2^exponent`.
#[derive(Clone, Debug)]
pub struct Exact {
    mantissa: BigInt,
    exponent: i64,
}

impl Exact {
    /// 0.
    #[must_use]
    pub fn zero() -> Self {
        Self { mantissa: BigInt::zero(), exponent: 0 }
    }

    /// The sum, 0 of nothing.
    #[must_use]
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        terms.into_iter().fold(Self::zero(), |total, term| total + term)
    }

    /// The square.
    #[must_use]
    pub fn square(&self) -> Self {
        self.clone() * self.clone()
    }

    /// Exactly half.
    #[must_use]
    pub fn half(&self) -> Self {
        Self { mantissa: self.mantissa.clone(), exponent: self.exponent - 1 }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self { mantissa: self.mantissa.abs(), exponent: self.exponent }
    }

    /// The number, or 0 where it is negative.
    #[must_use]
    pub fn positive_part(self) -> Self {
        if self.mantissa.is_negative() { Self::zero() } else { self }
    }

    /// Whether it is above 0.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.mantissa.is_positive()
    }

    /// The quotient, cut after [`BITS`] bits.
    #[must_use]
    pub fn over(&self, divisor: &Self) -> Self {
        assert!(!divisor.mantissa.is_zero(), "a divisor other than 0");
        let shift = (BITS + bits(&divisor.mantissa) - bits(&self.mantissa)).max(0);
        Self {
            mantissa: (self.mantissa.clone() << shift) / divisor.mantissa.clone(),
            exponent: self.exponent - divisor.exponent - shift,
        }
    }

    /// The square root of a number at least 0, cut after [`BITS`] bits.
    #[must_use]
    pub fn root(&self) -> Self {
        assert!(!self.mantissa.is_negative(), "a root of a number at least 0");
        let mut shift = (2 * BITS - bits(&self.mantissa)).max(0);
        if (self.exponent - shift) % 2 != 0 {
            shift += 1;
        }
        Self { mantissa: (self.mantissa.clone() << shift).sqrt(), exponent: (self.exponent - shift) / 2 }
    }

    /// The same number with at most [`BITS`] bits, cut towards −∞.
    #[must_use]
    pub fn trimmed(self) -> Self {
        let cut = (bits(&self.mantissa) - BITS).max(0);
        Self { mantissa: self.mantissa >> cut, exponent: self.exponent + cut }
    }

    /// A close `f64` (a few units in the last place).
    #[must_use]
    pub fn approx(&self) -> f64 {
        let cut = (bits(&self.mantissa) - 64).max(0);
        let head = (self.mantissa.clone() >> cut).to_f64().expect("64 bits fit");
        let exponent = self.exponent + cut;
        // In two steps, so that no intermediate power overflows.
        let half = i32::try_from(exponent / 2).expect("a moderate exponent");
        let rest = i32::try_from(exponent - exponent / 2).expect("a moderate exponent");
        head * 2.0_f64.powi(half) * 2.0_f64.powi(rest)
    }
}

fn bits(number: &BigInt) -> i64 {
    i64::try_from(number.bits()).expect("a number that fits in memory")
}

impl From<f64> for Exact {
    fn from(value: f64) -> Self {
        assert!(value.is_finite(), "a finite number, found {value}");
        let (mantissa, exponent, sign) = FloatCore::integer_decode(value);
        Self { mantissa: BigInt::from(mantissa) * sign, exponent: exponent.into() }
    }
}

fn aligned(a: &Exact, b: &Exact) -> (BigInt, BigInt, i64) {
    let exponent = a.exponent.min(b.exponent);
    (a.mantissa.clone() << (a.exponent - exponent), b.mantissa.clone() << (b.exponent - exponent), exponent)
}

impl Add for Exact {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        if self.mantissa.is_zero() {
            return other;
        }
        if other.mantissa.is_zero() {
            return self;
        }
        let (a, b, exponent) = aligned(&self, &other);
        Self { mantissa: a + b, exponent }
    }
}

impl Sub for Exact {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + Self { mantissa: -other.mantissa, exponent: other.exponent }
    }
}

impl Mul for Exact {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { mantissa: self.mantissa * other.mantissa, exponent: self.exponent + other.exponent }
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b, _) = aligned(self, other);
        a.cmp(&b)
    }
}

/// Shorthand for an `f64` taken exactly.
pub fn ex(value: f64) -> Exact {
    Exact::from(value)
}

/// `Σ aᵢbᵢ` exactly.
pub fn inner(a: &[f64], b: &[f64]) -> Exact {
    Exact::sum(a.iter().zip(b).map(|(a, b)| ex(*a) * ex(*b)))
}

/// The gauge with its parameters taken exactly as stored.
pub struct ExactGauge {
    a: Vec<Exact>,
    lambda_sq: Exact,
    gamma_sq: Exact,
}

impl ExactGauge {
    /// The gauge of a row with these √w.
    #[must_use]
    pub fn new(a: &[f64], lambda: f64, gamma: f64) -> Self {
        Self {
            a: a.iter().map(|a| ex(*a)).collect(),
            lambda_sq: ex(lambda).square(),
            gamma_sq: ex(gamma).square(),
        }
    }

    /// `λ²(aᵀz)² + γ²‖z‖²`.
    fn value_sq(&self, z: &[Exact]) -> Exact {
        let mass = Exact::sum(self.a.iter().zip(z).map(|(a, z)| a.clone() * z.clone()));
        let energy = Exact::sum(z.iter().map(Exact::square));
        self.lambda_sq.clone() * mass.square() + self.gamma_sq.clone() * energy
    }

    /// `g(z)`.
    #[must_use]
    pub fn value(&self, z: &[f64]) -> Exact {
        self.value_sq(&z.iter().map(|z| ex(*z)).collect::<Vec<_>>()).root()
    }

    /// `g°(v)²`: the support of the maximizer is a set of largest ratios `vᵢ/aᵢ`,
    /// and on a support `g°² = (‖v_S‖² − λ²(aᵀv_S)²/(γ² + λ²‖a_S‖²))/γ²`, which
    /// grows with S until the best.
    fn polar_sq(&self, v: &[f64]) -> Exact {
        let v: Vec<Exact> = v.iter().map(|v| ex(*v)).collect();
        let mut order: Vec<usize> = (0..v.len()).filter(|&i| v[i].is_positive()).collect();
        order.sort_by(|&i, &j| (v[j].clone() * self.a[i].clone()).cmp(&(v[i].clone() * self.a[j].clone())));
        if !self.gamma_sq.is_positive() {
            return order.first().map_or(Exact::zero(), |&i| {
                v[i].square().over(&(self.lambda_sq.clone() * self.a[i].square()))
            });
        }
        let (mut energy, mut mass, mut square) = (Exact::zero(), Exact::zero(), Exact::zero());
        let mut value = Exact::zero();
        for &i in &order {
            let denominator = self.gamma_sq.clone() + self.lambda_sq.clone() * square.clone();
            // i joins while v_i > τ a_i with τ = λ²·mass/denominator.
            if v[i].clone() * denominator <= self.lambda_sq.clone() * mass.clone() * self.a[i].clone() {
                break;
            }
            energy = energy + v[i].square();
            mass = mass + self.a[i].clone() * v[i].clone();
            square = square + self.a[i].square();
            let denominator = self.gamma_sq.clone() + self.lambda_sq.clone() * square.clone();
            let numerator = energy.clone() * denominator.clone() - self.lambda_sq.clone() * mass.square();
            value = numerator.over(&(self.gamma_sq.clone() * denominator));
        }
        value
    }

    /// `g°(v)`.
    #[must_use]
    pub fn polar(&self, v: &[f64]) -> Exact {
        self.polar_sq(v).root()
    }

    /// `(v − τa)₊`.
    fn shrunk(&self, v: &[Exact], tau: &Exact) -> Vec<Exact> {
        v.iter().zip(&self.a).map(|(v, a)| (v.clone() - tau.clone() * a.clone()).positive_part()).collect()
    }

    /// `argmin_{z ≥ 0} ½‖z − v‖² + t·g(z)`, by bisection over τ to `halvings` bits
    /// of the largest ratio.
    #[must_use]
    pub fn prox(&self, v: &[f64], t: f64, halvings: usize) -> Vec<Exact> {
        let v: Vec<Exact> = v.iter().map(|v| ex(*v)).collect();
        let t = ex(t);
        if !self.gamma_sq.is_positive() {
            return self.shrunk(&v, &(t * self.lambda_sq.root()));
        }
        let largest = v
            .iter()
            .zip(&self.a)
            .map(|(v, a)| v.over(a).positive_part())
            .max()
            .map_or(Exact::zero(), Exact::trimmed);
        let steep = (t.clone() * self.lambda_sq.clone()).square();
        let (mut lo, mut hi) = (Exact::zero(), largest);
        for _ in 0..halvings {
            let tau = (lo.clone() + hi.clone()).half();
            let p = self.shrunk(&v, &tau);
            let mass = Exact::sum(self.a.iter().zip(&p).map(|(a, p)| a.clone() * p.clone()));
            if steep.clone() * mass.square() > tau.square() * self.value_sq(&p) {
                lo = tau;
            } else {
                hi = tau;
            }
        }
        let p = self.shrunk(&v, &lo);
        let gauge = self.value_sq(&p).root();
        let shrunk = (gauge.clone() - t * self.gamma_sq.clone()).positive_part();
        if !shrunk.is_positive() {
            return vec![Exact::zero(); v.len()];
        }
        let factor = shrunk.over(&gauge);
        p.into_iter().map(|p| (p * factor.clone()).trimmed()).collect()
    }
}

/// The exact objective of a point with its stored atoms, codes and center
/// (square roots cut after [`BITS`] bits).
#[must_use]
pub fn objective(problem: &crate::Problem, point: &crate::Factorization) -> Exact {
    let stored = |atom: &[f64]| atom.iter().map(|d| ex(*d)).collect();
    objective_over(problem, point, stored)
}

/// The same with every atom divided by its length, the codes as stored.
#[must_use]
pub fn objective_of_units(problem: &crate::Problem, point: &crate::Factorization) -> Exact {
    let unit = |atom: &[f64]| {
        let length = inner(atom, atom).root();
        atom.iter().map(|d| ex(*d).over(&length)).collect()
    };
    objective_over(problem, point, unit)
}

fn objective_over(
    problem: &crate::Problem,
    point: &crate::Factorization,
    atom: impl Fn(&[f64]) -> Vec<Exact>,
) -> Exact {
    let w = problem.data().weights();
    let atoms: Vec<Vec<Exact>> = point.dictionary().atoms().map(atom).collect();
    let mut fit = Exact::zero();
    for (i, w) in w.iter().enumerate() {
        let code = point.codes().column(i);
        let square = Exact::sum((0..problem.dim()).map(|j| {
            let explained = Exact::sum(code.iter().map(|(k, z)| atoms[k][j].clone() * ex(*z)));
            let center = point.center().map_or(Exact::zero(), |b| ex(b[j]));
            (ex(problem.data().datapoint(i)[j]) - center - explained).square()
        }));
        fit = fit + ex(*w) * square.half();
    }
    let price = Exact::sum(point.codes().rows().iter().zip(&atoms).map(|(row, atom)| {
        let mass = Exact::sum(row.iter().map(|(i, z)| ex(w[i]) * ex(z)));
        let energy = Exact::sum(row.iter().map(|(i, z)| ex(w[i]) * ex(z).square()));
        let gauge = ex(problem.lambda()).square() * mass.square() + ex(problem.gamma()).square() * energy;
        (gauge * Exact::sum(atom.iter().map(Exact::square))).root()
    }));
    fit + price
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_arithmetic_is_right() {
        assert_eq!(ex(0.5) + ex(0.25), ex(0.75));
        assert_eq!(ex(1e300) * ex(1e-300) - ex(1e300) * ex(1e-300), Exact::zero());
        assert!(ex(1.0) + ex(1e-300) > ex(1.0));
        assert_eq!(ex(5e-324).half() + ex(5e-324).half(), ex(5e-324));
        assert_eq!(ex(-0.0), Exact::zero());
        let root = ex(2.0).root();
        assert!((root.square() - ex(2.0)).abs() < ex(1e-200));
        assert!((ex(1.0).over(&ex(3.0)) * ex(3.0) - ex(1.0)).abs() < ex(1e-200));
        for value in [1.0, -3.7e-310, 2.5e290, 0.1] {
            assert!((ex(value).approx() - value).abs() <= 1e-15 * value.abs());
        }
    }
}
