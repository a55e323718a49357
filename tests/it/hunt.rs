//! The hunt for false claims in its quick form, and that it finds what is false.

use rand::SeedableRng;
use widedict::testing::exact::{self, ex};
use widedict::testing::hunt::{
    Claim, Claims, Effort, Instance, Report, Strategy, attack, hunt, hunt_many, outside,
};
use widedict::testing::planted;
use widedict::wide;

/// `examples/hunt.rs` is the long form.
#[test]
fn no_claim_is_contradicted() {
    let effort = Effort { restarts: 1, sweeps: 60, directions: 2 };
    let report = hunt(40, 0, &effort);
    assert_eq!(report.failed(), 0, "{report}");
    for claim in [Claim::Ends, Claim::Enclosure, Claim::LowerBound, Claim::Gap, Claim::Global, Claim::Coding]
    {
        assert!(report.attacked(claim) >= 20, "{claim:?} was hardly attacked:\n{report}");
    }
}

/// The bounds for any number of datapoints.
#[test]
fn slow_no_bound_of_many_datapoints_is_contradicted() {
    let report = hunt_many(12, 0, 3000);
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.attacked(Claim::LowerBound) >= 60, "{report}");
    assert_eq!(Instance::many(5, 700).problem, Instance::many(5, 700).problem);
}

#[test]
fn every_strategy_draws_what_its_seed_says() {
    for strategy in Strategy::SMALL {
        for seed in 0..200 {
            let (one, two) = (Instance::draw(strategy, seed), Instance::draw(strategy, seed));
            assert_eq!((&one.problem, one.width), (&two.problem, two.width), "{strategy:?} {seed}");
        }
    }
}

/// Every claim that is made a little better than the truth is found out.
#[test]
fn false_claims_are_found() {
    let instance = (0..)
        .map(|seed| Instance::draw(Strategy::Plain, seed))
        .find(|at| at.problem.gamma() == 0.0 && !at.problem.centered() && at.problem.len() > 2)
        .expect("a closed form");
    let solution = wide::closed_form(&instance.problem).expect("a solution");
    let certificate = solution.certified.certificate();
    let value = exact::objective(&instance.problem, solution.certified.solution());
    let failed = |claims: Claims, best: &exact::Exact| {
        let mut report = Report::default();
        claims.judge(&instance, &value, best, &mut report);
        report
            .tallies
            .iter()
            .filter(|(_, tally)| tally.failures > 0)
            .map(|((_, c), _)| *c)
            .collect::<Vec<_>>()
    };
    let honest = Claims::of(certificate, 5e-3);
    assert_eq!(failed(honest, &value), []);
    let (lower, upper) = (value.approx() * (1.0 + 1e-14), value.approx() * (1.0 - 1e-14));
    assert_eq!(failed(Claims { lower, ..honest }, &value), [Claim::LowerBound]);
    assert_eq!(failed(Claims { upper, ..honest }, &value), [Claim::Enclosure]);
    // Against a point that is better by a hundredth.
    let better = value.clone() * ex(0.99);
    let gap = [Claim::LowerBound, Claim::Gap, Claim::RelativeGap, Claim::Global];
    assert_eq!(failed(honest, &better), gap);
    assert_eq!(failed(Claims { relative_gap: f64::NAN, ..honest }, &value), [Claim::RelativeGap]);
}

/// An atom between two directions is stationary and no minimum: points below it lie at any
/// distance, and the attack finds them outside whatever radius is claimed. The two atoms of
/// the optimum stand up to it.
#[test]
fn a_false_radius_is_found() {
    let planted = planted::split(0.9, 0.3).expect("a decoy");
    let instance = Instance { strategy: Strategy::Plain, seed: 0, problem: planted.problem, width: 1 };
    let effort = Effort { restarts: 1, sweeps: 100, directions: 20 };
    for (point, found) in [(&planted.decoy, true), (&planted.optimum, false)] {
        for radius in [1e-6, 1e-4, 1e-2] {
            let mut report = Report::default();
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
            outside(&instance, point, radius, &effort, &mut rng, &mut report);
            assert!(report.attacked(Claim::Local) >= 20, "{report}");
            assert_eq!(report.failed() > 0, found, "radius {radius}: {report}");
        }
    }
}

/// The first of a run is what its seed alone gives.
#[test]
fn a_failure_is_repeated_by_its_seed() {
    let effort = Effort { restarts: 1, sweeps: 20, directions: 1 };
    let (mut once, mut again) = (Report::default(), Report::default());
    attack(&Instance::draw(Strategy::Hierarchy, 3), &effort, &mut once);
    attack(&Instance::draw(Strategy::Hierarchy, 3), &effort, &mut again);
    assert_eq!(once.tallies, again.tallies);
    assert!(once.attacked(Claim::LowerBound) > 0);
}
