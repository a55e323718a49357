//! Grids: monotone in the price and in the width, in the caller's order, stopped
//! by the observer with what is there.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::solve::path;
use widedict::testing::planted;
use widedict::{ColumnGeneration, Finite, Interrupt, Observer, Problem, Run, Stop};

fn problem(seed: u64) -> Problem {
    Problem::builder(planted::mixture(5, 40, 6, 2, 0.05, seed)).lambda(0.1).build().unwrap()
}

/// The optimum does not fall with γ: no lower bound exceeds an objective at a
/// larger price, and warm starts leave no point above its neighbor's.
#[test]
fn prices_cost_more_the_larger_they_are() {
    for seed in 0..3 {
        let problem = problem(seed);
        let gammas = [0.2, 0.0, 0.05, 0.8, 0.1, 1e3];
        let steps =
            path::over_prices(&problem, &gammas, &ColumnGeneration::default(), &Run::default()).unwrap();
        assert_eq!(steps.len(), gammas.len());
        for (one, gamma) in steps.iter().zip(gammas) {
            assert_eq!(one.problem.gamma(), gamma);
            assert_eq!(one.solution.stop, Stop::ToleranceMet);
            let low = one.solution.certified.certificate().lower_bound().get();
            for other in steps.iter().filter(|other| other.problem.gamma() >= gamma) {
                assert!(low <= other.solution.certified.certificate().objective());
            }
        }
        // The point of the next larger price is feasible here and costs no more there.
        let mut sorted: Vec<_> = steps.iter().collect();
        sorted.sort_by(|l, r| l.problem.gamma().total_cmp(&r.problem.gamma()));
        for pair in sorted.windows(2) {
            let values = [0, 1].map(|i| pair[i].solution.certified.certificate().objective());
            assert!(values[0] <= values[1] * (1.0 + 1e-12), "{values:?}");
        }
    }
}

#[test]
fn widths_come_back_in_the_order_asked_for() {
    let widths = [9, 3, 40, 3];
    let steps = path::over_widths(&problem(0), &widths, &Finite::new(1), &Run::default()).unwrap();
    let found: Vec<usize> = steps.iter().filter_map(|step| step.width).collect();
    assert_eq!(found, widths);
    let value = |i: usize| steps[i].solution.certified.certificate().objective();
    assert!(value(2) <= value(0) && value(0) <= value(1) && value(3) <= value(1));
}

/// Stops after a number of polls.
struct Impatient {
    left: AtomicUsize,
}

impl Observer for Impatient {
    fn poll(&self) -> ControlFlow<Interrupt> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return ControlFlow::Break(Interrupt::Cancelled);
        }
        self.left.store(left - 1, Ordering::Relaxed);
        ControlFlow::Continue(())
    }
}

#[test]
fn an_interrupted_grid_keeps_what_it_has() {
    for polls in [0, 1, 50, 500] {
        let impatient = || Impatient { left: AtomicUsize::new(polls) };
        let prices = path::over_prices(
            &problem(1),
            &[0.4, 0.2, 0.1],
            &ColumnGeneration::default(),
            &Run::observed(&impatient()),
        );
        let widths =
            path::over_widths(&problem(1), &[2, 8, 20], &Finite::new(1), &Run::observed(&impatient()));
        for steps in [prices.unwrap(), widths.unwrap()] {
            assert!(!steps.is_empty());
            for step in steps {
                let certificate = step.solution.certified.certificate();
                assert!(certificate.lower_bound().get() <= certificate.objective());
            }
        }
    }
}

#[test]
fn an_empty_grid_has_no_points() {
    assert!(
        path::over_prices(&problem(0), &[], &ColumnGeneration::default(), &Run::default())
            .unwrap()
            .is_empty()
    );
    assert!(path::over_widths(&problem(0), &[], &Finite::new(1), &Run::default()).unwrap().is_empty());
    let error = path::over_prices(&problem(0), &[f64::NAN], &ColumnGeneration::default(), &Run::default())
        .unwrap_err();
    assert!(error.to_string().starts_with("gamma must be"), "{error}");
}
