//! What the atoms of a stationary point demand of its codes, and how far codes are from it
//! (theorem `hull-condition`): no data enter.
//!
//! With `g_k = g(z_k)` and `A` as everywhere, let
//!
//! ```math
//! t_{jk}=\frac{\tilde z_k^\top A\tilde z_j-g_kg_j\,d_j^\top d_k}{(\lambda^2+\gamma^2)\,s_j}\qquad
//! \Big(\gamma=0:\ t_{jk}=s_k(1-d_j^\top d_k)\Big).
//! ```
//!
//! At a stationary point, for every live atom j the vector `t_j` lies in the convex hull of the
//! codes of the datapoints at which j is off, where the center is a variable, and in their cone
//! where it is fixed. A vector y that separates them bounds the distance from below, also where
//! it looks at a few atoms only.

use super::direction::Lower;
use crate::atoms::{Codes, Dictionary};
use crate::gauge::Penalty;
use crate::linalg::{Row, dot, largest_magnitude, norm_sq};
use crate::num::rounding::{FEW, radius};
use crate::num::{Interval, max, power_of_two};

/// A dictionary with its codes, and what is needed of them.
#[derive(Clone, Debug)]
pub struct Demands<'a> {
    weights: &'a [f64],
    dictionary: &'a Dictionary,
    /// Codes over a power of two, so that the largest is near 1.
    rows: Vec<Row>,
    /// Whether that was exact.
    exact: bool,
    /// The same of λ and γ.
    penalty: [f64; 2],
    centered: bool,
    /// `Σ wᵢ`: 1 to rounding.
    total: Interval,
    masses: Vec<Interval>,
    prices: Vec<Interval>,
    /// `‖d_k‖`: 1 to rounding.
    lengths: Vec<Interval>,
    /// `‖s‖`.
    size: Interval,
}

impl<'a> Demands<'a> {
    /// Of atoms and codes with weights `wᵢ > 0`, one a datapoint, of sum 1. `centered` tells
    /// whether the center is a variable. O(nM + nnz).
    ///
    /// # Panics
    /// Unless there is a weight a datapoint and a code row an atom.
    #[must_use]
    pub fn new(
        weights: &'a [f64],
        penalty: Penalty,
        centered: bool,
        dictionary: &'a Dictionary,
        codes: &Codes,
    ) -> Self {
        assert_eq!((codes.datapoints(), codes.atoms()), (weights.len(), dictionary.len()), "shapes");
        let mut rows = codes.rows();
        let largest = rows.iter().map(|row| largest_magnitude(&row.values)).fold(0.0, max);
        let scale = power_of_two(largest);
        let mut exact = true;
        for z in rows.iter_mut().flat_map(|row| &mut row.values) {
            *z /= scale;
            exact &= *z >= f64::MIN_POSITIVE;
        }
        let scale = power_of_two(max(penalty.lambda(), penalty.gamma()));
        let penalty = [penalty.lambda() / scale, penalty.gamma() / scale];
        let mut demands = Self {
            weights,
            dictionary,
            rows,
            exact,
            penalty,
            centered,
            total: {
                let sum = weights.iter().sum();
                Interval::around(sum, radius(weights.len(), sum))
            },
            masses: Vec::new(),
            prices: Vec::new(),
            lengths: Vec::new(),
            size: Interval::point(0.0),
        };
        let atoms = 0..dictionary.len();
        demands.masses = atoms.clone().map(|k| demands.mass(k)).collect();
        demands.prices = atoms.clone().map(|k| demands.price(k)).collect();
        demands.lengths = atoms.map(|k| length(dictionary.atom(k))).collect();
        let squares = demands.masses.iter().fold(Interval::point(0.0), |sum, s| sum.add(s.square()));
        demands.size = squares.sqrt();
        demands
    }

    /// Number of atoms.
    #[must_use]
    pub fn atoms(&self) -> usize {
        self.rows.len()
    }

    /// Number of datapoints.
    #[must_use]
    pub fn datapoints(&self) -> usize {
        self.weights.len()
    }

    /// Whether the center is a variable.
    #[must_use]
    pub fn centered(&self) -> bool {
        self.centered
    }

    /// Whether γ > 0.
    #[must_use]
    pub fn priced(&self) -> bool {
        self.penalty[1] > 0.0
    }

    /// Codes of an atom, those of all atoms times the same number.
    #[must_use]
    pub fn row(&self, k: usize) -> &Row {
        &self.rows[k]
    }

    /// `s_k` times that number, as computed.
    #[must_use]
    pub fn mass_of(&self, k: usize) -> f64 {
        0.5 * (self.masses[k].lo + self.masses[k].hi)
    }

    /// `‖s‖` times that number, as computed: the unit of distances.
    #[must_use]
    pub fn unit(&self) -> f64 {
        0.5 * (self.size.lo + self.size.hi)
    }

    /// `d_jᵀd_k`, enclosed.
    #[must_use]
    pub fn cosine(&self, j: usize, k: usize) -> Interval {
        let (a, b) = (self.dictionary.atom(j), self.dictionary.atom(k));
        if a == b {
            return Interval::point(1.0);
        }
        // |Σ a b| ≤ Σ |a||b| ≤ ‖a‖‖b‖, at most 2 for atoms of length 1 to rounding.
        let product = Interval::around(dot(a, b), radius(a.len(), 2.0));
        product.div(self.lengths[j].mul(self.lengths[k]))
    }

    /// `(z̃_kᵀAz̃_j, g_k g_j, (λ²Σw + γ²) s_j)`, enclosed: `t_jk` is the first less the second
    /// times the cosine, over the third.
    fn parts(&self, j: usize, k: usize) -> (Interval, Interval, Interval) {
        let [l, g] = self.penalty.map(|p| Interval::point(p).square());
        let prices = self.prices[k].mul(self.prices[j]);
        let mut affinity = l.mul(self.masses[k].mul(self.masses[j]));
        if self.penalty[1] > 0.0 {
            affinity = affinity.add(g.mul(self.shared(j, k)));
        }
        (affinity, prices, l.mul(self.total).add(g).mul(self.masses[j]))
    }

    /// `t_jk` times the codes' number, enclosed.
    #[must_use]
    pub fn target(&self, j: usize, k: usize) -> Interval {
        if self.penalty[1] > 0.0 {
            let (affinity, prices, over) = self.parts(j, k);
            affinity.sub(prices.mul(self.cosine(j, k))).div(over)
        } else {
            self.masses[k].mul(Interval::point(1.0).sub(self.cosine(j, k))).div(self.total)
        }
    }

    /// A proved lower end of the distance of `t_j` from the hull (or the cone) of the codes where
    /// atom j is off, over `‖s‖`, by the separating vector with these entries (atom and value). An
    /// atom that is never off has no hull where the center is a variable: the distance is
    /// infinite, and 1 is what is said. 0 where the vector separates nothing.
    ///
    /// O(nnz of the rows named, N in memory).
    ///
    /// # Guarantees
    /// Where the answer is above 0, no data make dictionary and codes a stationary point, for the
    /// `f64` numbers as they are stored: [`hull-condition`](crate::proofs::hull_condition),
    /// [`rounding`](crate::proofs::rounding).
    #[must_use]
    pub fn distance(&self, j: usize, direction: &[(usize, f64)]) -> Lower {
        if self.centered && self.rows[j].len() == self.datapoints() {
            return Lower::proved(1.0);
        }
        let scale = power_of_two(direction.iter().map(|(_, y)| y.abs()).fold(0.0, max));
        let y: Vec<(usize, f64)> = direction.iter().map(|(k, y)| (*k, y / scale)).collect();
        let (shift, support) = if self.centered {
            (0.0, self.support(j, &y))
        } else {
            (self.shift(j, &y), Interval::point(0.0))
        };
        let (mut value, mut square) = (Interval::point(0.0), Interval::point(0.0));
        for &(k, y) in &y {
            let y = Interval::point(y).sub(Interval::point(shift));
            value = value.add(y.mul(self.target(j, k)));
            square = square.add(y.square());
        }
        let distance = value.sub(support).div(square.sqrt()).div(self.size).lo;
        if self.exact && distance > 0.0 && distance.is_finite() {
            Lower::proved(distance)
        } else {
            Lower::ZERO
        }
    }

    /// `max yᵀzᵢ` over the datapoints at which j is off, from above.
    fn support(&self, j: usize, y: &[(usize, f64)]) -> Interval {
        let look = |(most, seen), sums: Sums| (max(most, sums.product), seen + 1);
        let (most, seen) = self.off(j, y).fold((f64::NEG_INFINITY, 0), look);
        // At the others that are off no atom of y is on.
        let off = self.datapoints() - self.rows[j].len();
        Interval::point(if seen < off { max(most, 0.0) } else { most })
    }

    /// The least δ ≥ 0 of which it is proved that `(y − δ1)ᵀzᵢ ≤ 0` wherever j is off.
    fn shift(&self, j: usize, y: &[(usize, f64)]) -> f64 {
        let needed = |Sums { product, mass }: Sums| match (product > 0.0, mass > 0.0) {
            (false, _) => 0.0,
            (true, true) => (product / mass).next_up(),
            (true, false) => f64::INFINITY,
        };
        self.off(j, y).map(needed).fold(0.0, max)
    }

    /// `yᵀzᵢ` from above and `1ᵀzᵢ` from below, over the atoms of y, of the datapoints at which
    /// one of them is on and j is not.
    fn off(&self, j: usize, y: &[(usize, f64)]) -> impl Iterator<Item = Sums> {
        let mut sums = vec![[0.0; 3]; self.datapoints()];
        for &(k, y) in y {
            for (i, z) in self.rows[k].iter() {
                let [product, absolute, mass] = &mut sums[i];
                *product += y * z;
                *absolute += y.abs() * z;
                *mass += z;
            }
        }
        self.rows[j].indices.iter().for_each(|&i| sums[i] = [0.0; 3]);
        let terms = y.len();
        sums.into_iter().filter(|[_, _, mass]| *mass > 0.0).map(move |[product, absolute, mass]| Sums {
            product: (product + radius(terms, absolute)).next_up(),
            mass: (mass - radius(terms, mass)).next_down(),
        })
    }

    /// `s_k`, enclosed.
    fn mass(&self, k: usize) -> Interval {
        let sum: f64 = self.rows[k].iter().map(|(i, z)| self.weights[i] * z).sum();
        Interval::around(sum, radius(self.rows[k].len(), sum))
    }

    /// `Σ wᵢz_ji z_ki`, enclosed.
    fn shared(&self, j: usize, k: usize) -> Interval {
        let (mut sum, mut others) = (0.0, self.rows[k].iter().peekable());
        for (i, z) in self.rows[j].iter() {
            while others.next_if(|(other, _)| *other < i).is_some() {}
            if let Some((_, other)) = others.next_if(|(other, _)| *other == i) {
                sum += self.weights[i] * z * other;
            }
        }
        Interval::around(sum, radius(self.rows[j].len() + FEW, sum))
    }

    /// `g(z_k)`, enclosed.
    fn price(&self, k: usize) -> Interval {
        let [l, g] = self.penalty.map(Interval::point);
        if self.penalty[1] > 0.0 {
            let energy = g.square().mul(self.shared(k, k));
            l.mul(self.masses[k]).square().add(energy).sqrt()
        } else {
            l.mul(self.masses[k])
        }
    }
}

/// Two sums over the codes of a datapoint.
struct Sums {
    product: f64,
    mass: f64,
}

/// `‖d‖`, enclosed.
fn length(d: &[f64]) -> Interval {
    let square = norm_sq(d);
    Interval::around(square, radius(d.len(), square)).sqrt()
}
