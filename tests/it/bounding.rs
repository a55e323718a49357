//! The choice of a bound: names, what is searched for, and what every choice proves.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use widedict::bounding::{Bounded, Shortfall};
use widedict::certificate::Options;
use widedict::observer::{Interrupt, Stop};
use widedict::testing::planted;
use widedict::trusted::BoundKind;
use widedict::{Bounding, ColumnGeneration, Matrix, Observer, Problem, Progress, Solution};

use crate::support::after_three_rounds;

/// Datapoints in `dim` dimensions around its axes, without randomness.
fn datapoints(dim: usize, len: usize) -> Matrix {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    Matrix::from_fn(dim, len, |j, i| {
        let t = (i * dim + j) as f64;
        if i % dim == j { 1.0 + (0.7 * t).sin().abs() } else { 0.2 * (1.3 * t).cos().abs() }
    })
}

fn solved(problem: &Problem) -> Solution {
    ColumnGeneration::default().solve(problem).unwrap()
}

#[test]
fn names_are_read_back() {
    for &bounding in Bounding::ALL {
        assert_eq!(bounding.as_str().parse(), Ok(bounding));
        assert_eq!(bounding.to_string(), bounding.as_str());
    }
    assert_eq!(Bounding::default(), Bounding::Auto);
    for name in ["", "Auto", "nuclear ", "sdp"] {
        if Bounding::ALL.iter().any(|b| b.as_str() == name) {
            continue;
        }
        let error = name.parse::<Bounding>().unwrap_err();
        assert!(error.to_string().contains(&format!("'{name}'")), "{error}");
    }
}

#[cfg(feature = "io")]
#[test]
fn the_names_are_those_of_json() {
    for &bounding in Bounding::ALL {
        let text = serde_json::to_string(&bounding).unwrap();
        assert_eq!(text, format!("\"{bounding}\""));
        assert_eq!(serde_json::from_str::<Bounding>(&text).unwrap(), bounding);
    }
}

#[test]
fn every_choice_proves_a_bound_and_none_proves_less_than_fast() {
    for (dim, centered) in [(2, false), (3, false), (5, false), (3, true)] {
        let data = datapoints(dim, 12);
        let problem = Problem::builder(data).lambda(0.1).gamma(0.1).centered(centered).build().unwrap();
        let solution = solved(&problem);
        let objective = solution.certified.certificate().objective();
        let lower = |bounding: Bounding| {
            let options = Options { gap_tolerance: 1e-9, ..Options::default() };
            let Bounded { certified, shortfall, .. } =
                bounding.bound(&problem, solution.clone(), &options, &()).unwrap();
            assert_eq!(shortfall, None);
            certified.certificate().lower_bound().get()
        };
        assert_eq!(lower(Bounding::None), 0.0);
        let fast = lower(Bounding::Fast);
        assert!(fast > 0.0);
        for bounding in [Bounding::Relaxation, Bounding::Exact, Bounding::Auto] {
            let found = lower(bounding);
            assert!(fast <= found && found <= objective, "{bounding} {dim} {centered}: {fast} {found}");
        }
        assert!(lower(Bounding::Relaxation) <= lower(Bounding::Auto), "{dim} {centered}");
    }
}

/// A run that the nuclear bound ended keeps it, also where a lesser bound is asked for: without it no gap
/// would be within the tolerance.
#[test]
fn what_ended_a_run_is_kept() {
    let data = Matrix::from_columns(
        4,
        &[
            [0.0, 0.0, 0.0, 0.293],
            [0.111, 0.0, 0.0, 0.0],
            [0.0, 2.396, 0.0, 1.552],
            [0.0, 0.0, 0.884, 0.12],
            [1.112, 0.0, 0.0, 0.702],
            [0.0, 0.684, 0.0, 0.0],
        ],
    );
    let mut kinds = Vec::new();
    for (gamma, gap_tolerance) in [(0.236, 0.05), (0.24, 0.05), (0.24, 1e-3), (1.0, 0.05)] {
        let problem = Problem::builder(data.clone()).lambda(0.0).gamma(gamma).build().unwrap();
        let solution = ColumnGeneration { gap_tolerance, ..Default::default() }.solve(&problem).unwrap();
        assert_eq!(solution.stop, Stop::ToleranceMet);
        let options = Options { gap_tolerance, ..Options::default() };
        let certified = Bounding::Fast.bound(&problem, solution, &options, &()).unwrap().certified;
        let certificate = certified.certificate();
        let estimated = certificate.estimated_relative_gap().unwrap_or(f64::INFINITY);
        assert!(certificate.relative_gap() <= gap_tolerance || estimated <= gap_tolerance, "{gamma}");
        kinds.push(certificate.bound_kind());
    }
    assert!(kinds.contains(&BoundKind::Nuclear) && kinds.contains(&BoundKind::Fast), "{kinds:?}");
}

#[test]
fn a_foreign_factorization_gets_its_own_witness() {
    let problem = Problem::builder(datapoints(4, 20)).lambda(0.1).gamma(0.2).centered(true).build().unwrap();
    let factorization = solved(&problem).certified.into_parts().0;
    let options = Options::default();
    let none = Bounding::None.witness(&problem, &factorization, 0.0, &()).unwrap();
    assert!(none.witness.dual.is_none() && none.witness.directions.is_none());
    let auto = Bounding::Auto.certify(&problem, factorization.clone(), &options, &()).unwrap();
    assert!(auto.witness.dual.is_some(), "the dual of the location, where a center is learnt");
    assert!(auto.witness.split.is_some() && auto.certified.certificate().estimate().is_some());
    let fast = Bounding::Fast.certify(&problem, factorization, &options, &()).unwrap();
    assert!(fast.witness.split.is_none());
    let (fast, auto) = (fast.certified.certificate(), auto.certified.certificate());
    assert!(fast.lower_bound().get() < auto.lower_bound().get());
}

#[test]
fn what_is_too_large_is_said() {
    let problem = Problem::builder(datapoints(2, 4001)).lambda(0.1).gamma(0.5).build().unwrap();
    let factorization =
        widedict::Factorization::new(widedict::Dictionary::empty(2), widedict::Codes::zeros(0, 4001), None)
            .unwrap();
    let extend = |bounding: Bounding| {
        bounding.extend(&problem, &factorization, widedict::Witness::none(), 0.0, &()).unwrap()
    };
    let evidence = extend(Bounding::Relaxation);
    let shortfall = evidence.shortfall.unwrap();
    assert_eq!(shortfall, Shortfall::TooManyDatapoints { found: 4001, limit: 4000 });
    assert!(shortfall.to_string().contains("4001") && evidence.witness.split.is_none());
    // What nobody asked for by name is left out in silence.
    assert_eq!(extend(Bounding::Auto).shortfall, None);
}

/// Breaks once a search has told of a bound above a floor.
struct Above {
    floor: f64,
    seen: AtomicBool,
}

impl Observer for Above {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.seen.load(Ordering::Relaxed) {
            ControlFlow::Break(Interrupt::TimeLimit)
        } else {
            ControlFlow::Continue(())
        }
    }

    fn progress(&self, progress: &Progress) {
        if progress.estimated_lower_bound > self.floor {
            self.seen.store(true, Ordering::Relaxed);
        }
    }
}

/// What a search had found when it was ended is proved, also where that takes matrices of more than
/// a thousand datapoints, and it is said that it was ended.
#[test]
fn slow_what_was_found_by_the_end_counts() {
    let problem =
        Problem::builder(planted::mixture(8, 1100, 24, 2, 0.05, 3)).lambda(0.5).gamma(0.1).build().unwrap();
    let point = after_three_rounds(&problem);
    let options = Options { local: None, ..Options::default() };
    // Above what needs no split.
    let nuclear = Bounding::Nuclear.certify(&problem, point.clone(), &options, &()).unwrap().certified;
    let certificate = nuclear.certificate();
    let floor = certificate.lower_bound().get() + 0.02 * certificate.objective();
    let observer = Above { floor, seen: AtomicBool::new(false) };
    let found = Bounding::Auto.certify(&problem, point, &options, &observer).unwrap();
    assert!(observer.seen.load(Ordering::Relaxed), "no search told of a better bound");
    assert_eq!(found.shortfall, Some(Shortfall::Ended));
    let bound = found.certified.certificate().lower_bound().get();
    assert!(bound > 0.999 * floor, "{bound} below {floor}, which was promised");
}
