//! `Hull.v`, T20: what the first-order conditions say of the cosines between atoms and of the codes.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Q, Stationary, added, assert_balanced, dot, frac, int, is_nonnegative,
    larger, norm2, plain_objective, scaled, square, sum, tally,
};

/// Stationary points, one time in two with a centre.
fn stationary(dice: &mut Dice) -> (Stationary, bool) {
    let centred = dice.chance(50);
    let point = Stationary::random(dice, centred);
    assert!(point.codes_hold() && point.atoms_hold() && sum(point.weights.iter().cloned()).is_one());
    assert!(!centred || point.is_centred());
    (point, centred)
}

/// wᵢ (λ − d_jᵀrᵢ) / λ.
fn multipliers(point: &Stationary, j: usize) -> Vec<Q> {
    let products = point.residuals.transposed().apply(&point.atoms.col(j));
    products.iter().zip(&point.weights).map(|(p, w)| w * (&point.lambda - p) / &point.lambda).collect()
}

/// Nonnegative, zero where atom j fires, and with the target for a combination of codes.
fn represents(point: &Stationary, j: usize, multipliers: &[Q]) -> bool {
    is_nonnegative(multipliers)
        && (0..multipliers.len()).all(|i| point.codes[(j, i)].is_zero() || multipliers[i].is_zero())
        && point.codes.apply(multipliers) == point.target(j)
}

/// Two points on a line, one atom each, always on: stationary at the center 0 alone.
fn without_centre(codes: &[i64]) -> Stationary {
    let points = codes.len();
    let weight = frac(1, i64::try_from(points).expect("few points"));
    Stationary {
        lambda: int(1),
        weights: vec![weight; points],
        atoms: Matrix::of_rows(&[vec![int(1), int(-1)]]),
        codes: Matrix::from_fn(2, points, |k, i| {
            if (k == 0) == (codes[i] > 0) { int(codes[i].abs()) } else { Q::zero() }
        }),
        residuals: Matrix::from_fn(1, points, |_, i| int(codes[i].signum())),
    }
}

/// PROOF: Widedict.Hull.T20_planted
#[test]
fn t20_planted() {
    let mut improved = 0;
    let several = tally(CASES, 140, |dice| {
        let (point, _) = stationary(dice);
        let data = point.atoms.times(&point.codes).plus(&point.residuals);
        let column = |matrix: &Matrix, i: usize| Matrix::of_cols(&[matrix.col(i)]);
        let width = point.codes.rows;
        for i in 0..data.cols {
            let value = |code: Matrix| plain_objective(&point.lambda, &column(&data, i), &point.atoms, &code);
            let least = value(column(&point.codes, i));
            for k in 0..width {
                let step = frac(dice.between(-3, 3), 10);
                let near = Matrix::from_fn(width, 1, |l, _| {
                    let code = point.codes[(l, i)].clone();
                    if l == k { larger(code + &step, Q::zero()) } else { code }
                });
                assert!(least <= value(near));
            }
            assert!(least <= value(dice.nonnegative_matrix(width, 1)));
        }
        // A residual that an atom which is off exceeds: its code wants to grow.
        let (i, k) = (dice.below(data.cols), dice.below(width));
        let excess = scaled(&point.atoms.col(k), &(int(3) * &point.lambda));
        let rebuilt = point.atoms.apply(&point.codes.col(i));
        let turned = Matrix::of_cols(&[added(&rebuilt, &excess)]);
        let grown = Matrix::from_fn(width, 1, |l, _| {
            &point.codes[(l, i)] + if l == k { point.lambda.clone() } else { Q::zero() }
        });
        let value = |code: &Matrix| plain_objective(&point.lambda, &turned, &point.atoms, code);
        improved += u64::from(value(&grown) < value(&column(&point.codes, i)));
        (0..data.cols).any(|i| point.codes.col(i).iter().filter(|code| code.is_positive()).count() > 1)
    });
    assert_balanced(several, CASES);
    assert_eq!(improved, CASES);
}

/// PROOF: Widedict.Hull.T20_conic_condition
#[test]
fn t20_conic_condition() {
    let (mut no_atoms, mut no_codes) = (0, 0);
    let centred = tally(CASES, 141, |dice| {
        let (point, centred) = stationary(dice);
        for j in 0..point.atoms.cols {
            assert!(represents(&point, j, &multipliers(&point, j)));
        }
        // Longer residuals break the conditions of the codes, shorter ones those of the atoms.
        let other = |factor: Q| Stationary { residuals: point.residuals.scaled(&factor), ..point.clone() };
        let fails =
            |other: &Stationary| (0..other.atoms.cols).any(|j| !represents(other, j, &multipliers(other, j)));
        let (longer, shorter) = (other(int(3)), other(frac(1, 3)));
        assert!(!longer.codes_hold() && !shorter.atoms_hold());
        no_codes += u64::from(fails(&longer));
        no_atoms += u64::from(fails(&shorter));
        centred
    });
    assert_balanced(centred, CASES);
    assert_eq!((no_codes, no_atoms), (CASES, CASES));
}

/// PROOF: Widedict.Hull.T20_hull_condition
#[test]
fn t20_hull_condition() {
    let mut elsewhere = 0;
    let used = tally(CASES, 142, |dice| {
        let (point, centred) = stationary(dice);
        for j in 0..point.atoms.cols {
            let multipliers = multipliers(&point, j);
            let total = sum(multipliers.iter().cloned());
            assert!(represents(&point, j, &multipliers));
            // Without a centre they add up to something else.
            assert!(!centred || total.is_one());
            elsewhere += u64::from(!centred && !total.is_one());
        }
        centred
    });
    assert_balanced(used, CASES);
    assert!(elsewhere > CASES / 2, "{elsewhere}");
}

/// yᵀzᵢ, largest where atom j is off.
fn support_value(point: &Stationary, j: usize, vector: &[Q]) -> Option<Q> {
    point.off(j).into_iter().map(|i| dot(vector, &point.codes.col(i))).reduce(larger)
}

/// PROOF: Widedict.Hull.T20_cone_refuted
#[test]
fn t20_cone_refuted() {
    // No vector separates at a stationary point.
    let separable = tally(4 * CASES, 143, |dice| {
        let (point, _) = stationary(dice);
        let (j, vector) = (dice.below(point.atoms.cols), dice.vector(point.atoms.cols));
        let cone = support_value(&point, j, &vector).is_none_or(|value| !value.is_positive());
        assert!(!cone || !dot(&vector, &point.target(j)).is_positive());
        cone
    });
    assert!(8 * separable > CASES && separable < 4 * CASES, "{separable}");
    // Nested codes are refuted by a unit vector; residuals that suit the codes do not suit atoms.
    let refuted = tally(CASES, 144, |dice| {
        let (mut point, _) = stationary(dice);
        for i in 0..point.codes.cols {
            if point.codes[(0, i)].is_zero() {
                point.codes[(1, i)] = Q::zero();
            }
        }
        let mut unit = vec![Q::zero(); point.atoms.cols];
        unit[1] = Q::one();
        assert!(support_value(&point, 0, &unit).is_none_or(|value| value.is_zero()));
        let refuted = dot(&unit, &point.target(0)).is_positive();
        assert!(!(refuted && point.codes_hold() && point.atoms_hold()));
        refuted
    });
    assert!(refuted > 0, "{refuted}");
    // At λ = 0 the residuals 0 make every dictionary stationary.
    let (mut point, mut unit) = (without_centre(&[1, 1]), vec![Q::zero(); 2]);
    point.codes = Matrix::of_rows(&[vec![int(1), int(1)], vec![int(1), int(0)]]);
    (point.lambda, point.residuals) = (Q::zero(), Matrix::zeros(1, 2));
    unit[1] = Q::one();
    assert!(point.codes_hold() && point.atoms_hold() && dot(&unit, &point.target(0)).is_positive());
}

/// PROOF: Widedict.Hull.T20_hull_refuted
#[test]
fn t20_hull_refuted() {
    let mut separated = 0;
    let used = tally(8 * CASES, 145, |dice| {
        let (point, centred) = stationary(dice);
        let (j, vector) = (dice.below(point.atoms.cols), dice.vector(point.atoms.cols));
        let separates =
            support_value(&point, j, &vector).is_none_or(|value| value < dot(&vector, &point.target(j)));
        // Without a centre some stationary points are outside the hull.
        assert!(!(centred && separates));
        separated += u64::from(separates);
        centred
    });
    assert_balanced(used, 8 * CASES);
    assert!(4 * separated > CASES, "{separated}");
}

/// A convex combination of columns, which of them are barred, and a vector.
struct Combination {
    points: Matrix,
    barred: Vec<bool>,
    shares: Vec<Q>,
    target: Vec<Q>,
    vector: Vec<Q>,
}

impl Combination {
    fn random(dice: &mut Dice) -> Self {
        let (width, count) = (1 + dice.below(3), 1 + dice.below(4));
        let mut barred: Vec<bool> = (0..count).map(|_| dice.chance(30)).collect();
        barred[0] = false;
        let shares: Vec<Q> =
            barred.iter().map(|&barred| if barred { Q::zero() } else { dice.nonnegative() }).collect();
        let total = sum(shares.iter().cloned());
        let mut shares = if total.is_zero() { shares } else { scaled(&shares, &(Q::one() / total)) };
        if shares.iter().all(Zero::is_zero) {
            shares[0] = Q::one();
        }
        let (points, vector) = (dice.nonnegative_matrix(width, count), dice.vector(width));
        let far = scaled(&vector, &dice.nonnegative());
        let target = added(&points.apply(&shares), &added(&far, &dice.vector(width)));
        Self { points, barred, shares, target, vector }
    }
    fn value(&self) -> Q {
        let allowed = (0..self.barred.len()).filter(|&i| !self.barred[i]);
        let values = allowed.map(|i| dot(&self.vector, &self.points.col(i)));
        values.reduce(larger).expect("one is allowed")
    }
    /// (yᵀt − c)² ≤ ‖y‖² ‖t − p‖².
    fn holds(&self, c: &Q) -> bool {
        let apart = added(&self.target, &scaled(&self.points.apply(&self.shares), &int(-1)));
        square(&(dot(&self.vector, &self.target) - c)) <= norm2(&self.vector) * norm2(&apart)
    }
}

/// PROOF: Widedict.Hull.T20_hull_distance
#[test]
fn t20_hull_distance() {
    let (mut outside, mut heavy) = (0, 0);
    let used = tally(4 * CASES, 146, |dice| {
        let mut case = Combination::random(dice);
        let c = case.value();
        let separated = c <= dot(&case.vector, &case.target);
        assert!(!separated || case.holds(&c));
        // A point of the hull's face, and the target straight above: attained.
        if separated && case.vector.iter().any(|entry| !entry.is_zero()) {
            let kept = case.shares.clone();
            let face = (0..kept.len())
                .find(|&i| !case.barred[i] && dot(&case.vector, &case.points.col(i)) == c)
                .expect("the value is attained");
            let above = added(&case.points.col(face), &scaled(&case.vector, &dice.positive()));
            let apart = added(&above, &scaled(&case.points.col(face), &int(-1)));
            let equal = square(&(dot(&case.vector, &above) - &c));
            assert_eq!(equal, norm2(&case.vector) * norm2(&apart));
            // With a barred point, or with shares of another sum, one comes closer.
            let bars = case.barred.iter().position(|&barred| barred);
            if let Some(i) = bars {
                for b in 0..case.points.rows {
                    case.points[(b, i)] = case.target[b].clone();
                }
                case.shares = (0..kept.len()).map(|l| if l == i { Q::one() } else { Q::zero() }).collect();
                outside += u64::from(!case.holds(&c));
            }
            case.shares = scaled(&kept, &int(5));
            case.target = case.points.apply(&case.shares);
            heavy += u64::from(c <= dot(&case.vector, &case.target) && !case.holds(&c));
        }
        separated
    });
    assert_balanced(used, 4 * CASES);
    assert!(outside > 0 && heavy > 0, "{outside} {heavy}");
}

/// PROOF: Widedict.Hull.T20_cone_distance
#[test]
fn t20_cone_distance() {
    let mut negative = 0;
    let used = tally(8 * CASES, 147, |dice| {
        let mut case = Combination::random(dice);
        // In a cone the sum is free.
        case.shares = scaled(&case.shares, &dice.nonnegative());
        let cone = !case.value().is_positive() && !dot(&case.vector, &case.target).is_negative();
        assert!(!cone || case.holds(&Q::zero()));
        if cone {
            case.shares = scaled(&case.shares, &int(-1));
            case.target = case.points.apply(&case.shares);
            negative += u64::from(dot(&case.vector, &case.target).is_positive() && !case.holds(&Q::zero()));
        }
        cone
    });
    assert!(used > CASES && used < 7 * CASES, "{used}");
    assert!(negative > 0, "{negative}");
}

/// PROOF: Widedict.Hull.T20_nested
#[test]
fn t20_nested() {
    let nested = tally(4 * CASES, 148, |dice| {
        let (point, _) = stationary(dice);
        let width = point.atoms.cols;
        let mut nested = false;
        for (j, k) in (0..width).flat_map(|j| (0..width).map(move |k| (j, k))).filter(|(j, k)| j != k) {
            if point.mass(k).is_positive() && point.off(j).iter().all(|&i| point.codes[(k, i)].is_zero()) {
                assert_eq!(point.atoms.col(k), point.atoms.col(j));
                nested = true;
            }
        }
        nested
    });
    assert!(nested > CASES / 2 && nested < 3 * CASES, "{nested}");
    // λ > 0 is needed: without residuals distinct atoms may nest.
    let mut point = without_centre(&[1, 1]);
    point.codes = Matrix::of_rows(&[vec![int(1), int(1)], vec![int(1), int(0)]]);
    (point.lambda, point.residuals) = (Q::zero(), Matrix::zeros(1, 2));
    assert!(point.codes_hold() && point.atoms_hold() && point.off(0).is_empty());
    assert_ne!(point.atoms.col(0), point.atoms.col(1));
}

/// PROOF: Widedict.Hull.T20_off_somewhere
#[test]
fn t20_off_somewhere() {
    let mut always = 0;
    let used = tally(4 * CASES, 149, |dice| {
        let (point, centred) = stationary(dice);
        for j in 0..point.atoms.cols {
            assert!(!centred || !point.off(j).is_empty());
        }
        // A datapoint of atom 0 on its own is stationary without a centre.
        let alone = without_centre(&[2, 3]);
        assert!(alone.codes_hold() && alone.atoms_hold() && !alone.is_centred());
        always += u64::from(alone.off(0).is_empty());
        centred
    });
    assert_balanced(used, 4 * CASES);
    assert_eq!(always, 4 * CASES);
}

/// PROOF: Widedict.Hull.T20_window
#[test]
fn t20_window() {
    let (mut outside, mut tight) = (0, 0);
    let used = tally(4 * CASES, 150, |dice| {
        let (point, centred) = stationary(dice);
        let width = point.atoms.cols;
        for (j, k) in (0..width).flat_map(|j| (0..width).map(move |k| (j, k))) {
            let values: Vec<Q> = point.off(j).iter().map(|&i| point.codes[(k, i)].clone()).collect();
            let (low, high) = (values.iter().min(), values.iter().max());
            let target = point.target(j)[k].clone();
            let within = low.is_some_and(|low| *low <= target) && high.is_some_and(|high| target <= *high);
            assert!(within || !centred);
            outside += u64::from(!within);
            tight += u64::from(centred && high == Some(&target) && target.is_positive());
        }
        centred
    });
    assert_balanced(used, 4 * CASES);
    assert!(outside > 0, "{outside} {tight}");
    // Both ends are attained: an antipodal pair, and two atoms at a right angle.
    let pair = without_centre(&[2, -2]);
    assert!(pair.codes_hold() && pair.atoms_hold() && pair.is_centred());
    assert_eq!(pair.target(0)[1], int(2));
    let square = Stationary {
        lambda: int(1),
        weights: vec![frac(1, 4); 4],
        atoms: Matrix::of_cols(&[vec![int(1), int(0)], vec![int(0), int(1)]]),
        codes: Matrix::of_rows(&[[1, 3, 0, 0].map(int).to_vec(), [0, 2, 1, 1].map(int).to_vec()]),
        residuals: Matrix::of_rows(&[[1, 1, -1, -1].map(int).to_vec(), [-3, 1, 1, 1].map(int).to_vec()]),
    };
    assert!(square.codes_hold() && square.atoms_hold() && square.is_centred());
    assert_eq!((square.target(0)[1].clone(), square.target(1)[0].clone()), (int(1), int(1)));
}

/// PROOF: Widedict.Hull.T20_antipodal
#[test]
fn t20_antipodal() {
    let peaks = |point: &Stationary, j: usize, k: usize| {
        point.off(j).iter().any(|&i| point.codes[(k, i)] >= int(2) * point.mass(k))
    };
    let pairs = tally(8 * CASES, 151, |dice| {
        let (point, centred) = stationary(dice);
        let opposite = point.atoms.col(1) == scaled(&point.atoms.col(0), &int(-1));
        assert!(!(centred && opposite) || (peaks(&point, 0, 1) && peaks(&point, 1, 0)));
        centred && opposite
    });
    assert!(pairs > CASES / 2 && pairs < 4 * CASES, "{pairs}");
    // Twice the mass and no more; and without a centre less.
    let pair = without_centre(&[2, -2]);
    assert!(pair.is_centred() && peaks(&pair, 0, 1) && pair.codes[(1, 1)] == int(2) * pair.mass(1));
    let dense = without_centre(&[1, -1, -1]);
    assert!(dense.codes_hold() && dense.atoms_hold() && !dense.is_centred() && !peaks(&dense, 0, 1));
}

/// Two unit atoms with an atom price, in whitened units: rows that fire on two datapoints each,
/// residuals that satisfy the first-order conditions, and a last datapoint without an atom.
struct Priced {
    gauge: Gauge,
    atoms: Matrix,
    codes: Matrix,
    gauges: Vec<Q>,
    residuals: Matrix,
}

impl Priced {
    fn random(dice: &mut Dice) -> Self {
        let (dim, points) = (2 + dice.below(2), 5);
        let gauge = Gauge::random(dice, points);
        let mut units = dice.units(dim, 2);
        if dot(&units[0], &units[1]).is_positive() {
            units[1] = scaled(&units[1], &int(-1));
        }
        let (rows, gauges): (Vec<_>, Vec<_>) = (0..2)
            .map(|k| {
                let wish = (0..points).map(|i| if i / 2 == k { dice.positive() } else { Q::zero() });
                let wish = wish.collect();
                gauge.row_along(dice, wish)
            })
            .unzip();
        let residuals = Matrix::zeros(dim, points);
        let (atoms, codes) = (Matrix::of_cols(&units), Matrix::of_rows(&rows));
        let mut priced = Self { gauge, atoms, codes, gauges, residuals };
        for k in 0..2 {
            let (first, second) = (2 * k, 2 * k + 1);
            let atom = priced.atoms.col(k);
            let free = dice.vector(dim);
            let mut across = added(&free, &scaled(&atom, &-dot(&free, &atom)));
            let share = -&priced.codes[(k, first)] / &priced.codes[(k, second)];
            loop {
                priced.place(first, added(&scaled(&atom, &priced.slope(k)[first]), &across));
                let other = scaled(&across, &share);
                priced.place(second, added(&scaled(&atom, &priced.slope(k)[second]), &other));
                if priced.allows(first) && priced.allows(second) {
                    break;
                }
                across = scaled(&across, &frac(1, 2));
            }
        }
        let mut last = dice.vector(dim);
        priced.place(4, last.clone());
        while !priced.allows(4) {
            last = scaled(&last, &frac(1, 2));
            priced.place(4, last.clone());
        }
        priced
    }
    /// With residuals that the last datapoint's balances, where that is allowed.
    fn centred(mut self) -> Option<Self> {
        let mut weights = self.gauge.a.clone();
        weights[4] = Q::zero();
        let rest = self.residuals.apply(&weights);
        self.place(4, scaled(&rest, &(-Q::one() / &self.gauge.a[4])));
        self.allows(4).then_some(self)
    }
    fn place(&mut self, i: usize, residual: Vec<Q>) {
        for (b, entry) in residual.into_iter().enumerate() {
            self.residuals[(b, i)] = entry;
        }
    }
    /// A z_k / g_k.
    fn slope(&self, k: usize) -> Vec<Q> {
        scaled(&self.gauge.matrix().apply(&self.codes.row(k)), &(Q::one() / &self.gauges[k]))
    }
    fn allows(&self, i: usize) -> bool {
        (0..2).all(|k| dot(&self.atoms.col(k), &self.residuals.col(i)) <= self.slope(k)[i])
    }
    fn multipliers(&self, j: usize) -> Vec<Q> {
        let products = self.residuals.transposed().apply(&self.atoms.col(j));
        added(&self.slope(j), &scaled(&products, &int(-1)))
    }
    fn rows_hold(&self, j: usize) -> bool {
        let multipliers = self.multipliers(j);
        is_nonnegative(&multipliers)
            && (0..5).all(|i| self.codes[(j, i)].is_zero() || multipliers[i].is_zero())
    }
    fn atoms_hold(&self) -> bool {
        (0..2)
            .all(|k| self.residuals.apply(&self.codes.row(k)) == scaled(&self.atoms.col(k), &self.gauges[k]))
    }
    /// z_kᵀA z_j / g_j − g_k d_jᵀd_k.
    fn target(&self, j: usize, k: usize) -> Q {
        let steep = dot(&self.codes.row(k), &self.gauge.matrix().apply(&self.codes.row(j)));
        steep / &self.gauges[j] - &self.gauges[k] * dot(&self.atoms.col(j), &self.atoms.col(k))
    }
}

/// PROOF: Widedict.Hull.T20_priced_condition
#[test]
fn t20_priced_condition() {
    let mut broken = 0;
    let apart = tally(CASES, 152, |dice| {
        let mut priced = Priced::random(dice);
        assert!(priced.atoms_hold());
        for (j, k) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(priced.rows_hold(j));
            assert_eq!(dot(&priced.multipliers(j), &priced.codes.row(k)), priced.target(j, k));
            assert_eq!(j == k, priced.target(j, k).is_zero());
        }
        // Without the atoms' conditions the products are others.
        priced.residuals = priced.residuals.scaled(&frac(1, 2));
        assert!(!priced.atoms_hold());
        let other = dot(&priced.multipliers(0), &priced.codes.row(0)) != priced.target(0, 0);
        broken += u64::from(other);
        priced.target(0, 1) != priced.target(1, 0)
    });
    assert!(2 * apart > CASES, "{apart}");
    assert_eq!(broken, CASES);
}

/// PROOF: Widedict.Hull.T20_priced_centre
#[test]
fn t20_priced_centre() {
    let mut elsewhere = 0;
    let used = tally(CASES, 153, |dice| {
        let priced = Priced::random(dice);
        let a = priced.gauge.a.clone();
        let weighs = |priced: &Priced, j: usize| {
            let factor = square(&priced.gauge.lambda) * norm2(&a) + square(&priced.gauge.gamma);
            let expected = factor * dot(&a, &priced.codes.row(j)) / &priced.gauges[j];
            (dot(&priced.multipliers(j), &a), expected)
        };
        let (actual, expected) = weighs(&priced, 0);
        elsewhere += u64::from(actual != expected);
        let Some(priced) = priced.centred() else { return false };
        assert!(priced.atoms_hold() && priced.residuals.apply(&a).iter().all(Zero::is_zero));
        for j in 0..2 {
            assert!(priced.rows_hold(j));
            let (actual, expected) = weighs(&priced, j);
            assert_eq!(actual, expected);
            for k in 0..2 {
                assert_eq!(dot(&priced.multipliers(j), &priced.codes.row(k)), priced.target(j, k));
            }
        }
        true
    });
    assert!(4 * used > CASES, "{used}");
    assert!(2 * elsewhere > CASES, "{elsewhere}");
}
