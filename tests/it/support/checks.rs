//! Assertions that every point and every certificate must pass, whoever made it.

use widedict::certificate::{Certificate, Options};
use widedict::testing::naive;
use widedict::{Certified, Factorization, Problem, Witness, certify};

use super::exact::{self, ExactGauge, ex};
use super::strategies::data_size;

/// `|a − b| ≤ absolute + relative·max(|a|, |b|)`, with both in the message.
pub(crate) fn close(what: &str, a: f64, b: f64, absolute: f64, relative: f64) {
    let size = widedict::num::max(a.abs(), b.abs());
    assert!((a - b).abs() <= absolute + relative * size, "{what}: {a:e} and {b:e} differ by {:e}", a - b);
}

/// Codes are finite and positive where stored, atoms of unit length, the center finite.
pub(crate) fn feasible(problem: &Problem, point: &Factorization) {
    assert_eq!((point.dictionary().dim(), point.codes().datapoints()), (problem.dim(), problem.len()));
    for (k, atom) in point.dictionary().atoms().enumerate() {
        close(&format!("length of atom {k}"), naive::length(atom), 1.0, 32.0 * f64::EPSILON, 0.0);
    }
    for i in 0..problem.len() {
        for (k, &z) in point.codes().column(i).iter() {
            assert!(z.is_finite() && z > 0.0, "code of atom {k} at datapoint {i}: {z}");
        }
    }
    assert!(point.center().is_none_or(|b| problem.centered() && b.iter().all(|v| v.is_finite())));
}

/// Rounding of a naive sum over this problem, as a share of its terms.
pub(crate) fn rounding(problem: &Problem, point: &Factorization) -> f64 {
    let terms = problem.dim() + problem.len() + point.width() + 8;
    8.0 * f64::EPSILON * f64::from(u32::try_from(terms).expect("a small problem"))
}

/// What the objective's terms add up to before anything cancels: the size that
/// rounding is relative to.
pub(crate) fn magnitude(problem: &Problem, point: &Factorization) -> f64 {
    let codes = widedict::testing::dense_codes(point);
    let w = problem.data().weights();
    let fit: f64 = (0..problem.len())
        .map(|i| {
            let square: f64 = (0..problem.dim())
                .map(|j| {
                    let explained: f64 = (0..point.width())
                        .map(|k| (point.dictionary().atom(k)[j] * codes.get(k, i)).abs())
                        .sum();
                    let center = point.center().map_or(0.0, |b| b[j].abs());
                    (problem.data().datapoint(i)[j].abs() + center + explained).powi(2)
                })
                .sum();
            0.5 * w[i] * square
        })
        .sum();
    let price: f64 = (0..point.width()).map(|k| naive::row_gauge(problem, &naive::row(&codes, k))).sum();
    fit + price
}

/// Every number of a certificate recomputed: the objective naively and exactly,
/// the bounds on their sides of it, the stationarity residuals by their formulas.
pub(crate) fn certificate(problem: &Problem, point: &Factorization, certificate: &Certificate) {
    feasible(problem, point);
    let slack = rounding(problem, point) * magnitude(problem, point);
    close("objective", certificate.objective(), naive::objective(problem, point), slack, 0.0);
    let exact = exact::objective(problem, point);
    let (lower, upper) = (certificate.lower_bound().get(), certificate.upper().get());
    assert!(ex(upper) >= exact, "upper {upper:e} is below the exact objective {:e}", exact.approx());
    assert!(ex(lower) <= exact, "lower {lower:e} is above the exact objective {:e}", exact.approx());
    close("upper", upper, exact.approx(), slack + f64::MIN_POSITIVE, 0.0);
    assert!(ex(certificate.gap()) >= ex(upper) - ex(lower) && certificate.gap() >= 0.0);
    kkt(problem, point, certificate);
}

/// The certificate's stationarity residuals are those of the formulas.
pub(crate) fn kkt(problem: &Problem, point: &Factorization, certificate: &Certificate) {
    let (found, naive) = (certificate.kkt(), naive::kkt(problem, point));
    let size = rounding(problem, point) * residual_size(problem, point);
    let expected = widedict::num::max(naive.codes, dead_atoms(problem, point) * found.codes.scale);
    close("codes", found.codes.value, expected, size, 1e-9);
    let usage = widedict::testing::dense_codes(point);
    let mass = (0..point.width())
        .map(|k| naive::inner(problem.data().weights(), &naive::row(&usage, k)))
        .fold(0.0, widedict::num::max);
    close("dictionary", found.dictionary.value, naive.dictionary, size * mass, 1e-9);
    close("center", found.center.value, naive.center, size, 1e-9);
}

/// Largest `g°(R̃ᵀd_k) − 1` over atoms without codes, at any ratio of the penalties.
fn dead_atoms(problem: &Problem, point: &Factorization) -> f64 {
    if problem.gamma() == 0.0 {
        return 0.0;
    }
    let gauge = naive::Gauge::of(problem);
    let exact = ExactGauge::new(&gauge.a, gauge.lambda, gauge.gamma);
    let residuals = naive::residuals(problem, point);
    let rows = point.codes().rows();
    (0..point.width())
        .filter(|&k| rows[k].is_empty())
        .map(|k| {
            let d = point.dictionary().atom(k);
            let v: Vec<f64> =
                (0..problem.len()).map(|i| gauge.a[i] * naive::inner(d, residuals.col(i))).collect();
            exact.polar(&v).approx() - 1.0
        })
        .fold(0.0, widedict::num::max)
}

/// The size of the residuals' terms before they cancel, and of λ and γ.
fn residual_size(problem: &Problem, point: &Factorization) -> f64 {
    let codes = widedict::testing::dense_codes(point);
    let largest = (0..problem.len())
        .map(|i| (0..point.width()).map(|k| codes.get(k, i)).sum::<f64>())
        .fold(0.0, widedict::num::max);
    let center = point.center().map_or(0.0, naive::length);
    let smallest = problem.data().weights().iter().copied().fold(1.0, widedict::num::min).sqrt();
    let n = f64::from(u32::try_from(problem.dim()).expect("a small problem")).sqrt();
    n * data_size(problem) + largest + center + problem.lambda() + problem.gamma() / smallest
}

/// Certifies a point and checks the certificate.
pub(crate) fn certified(problem: &Problem, point: &Factorization, witness: &Witness) -> Certified {
    let out = certify(problem, point.clone(), witness, &Options::default()).expect("a point of this problem");
    certificate(problem, out.solution(), out.certificate());
    assert_eq!(out.solution(), point);
    out
}

/// A certified lower bound is not above the exact objective of any other point.
pub(crate) fn never_crosses(problem: &Problem, lower: f64, others: &[Factorization]) {
    for other in others {
        let exact = exact::objective(problem, other);
        assert!(ex(lower) <= exact, "the bound {lower:e} is above {:e}, which is attained", exact.approx());
    }
}
