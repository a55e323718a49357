//! An observer that breaks at its k-th poll, on every entry point: what is there comes
//! back, and the run says why it ended.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::search::relaxation::Relaxation;
use widedict::solve::path;
use widedict::testing::planted;
use widedict::{
    ColumnGeneration, Finite, Interrupt, Observer, Participation, Problem, Run, Solution, Stop, wide,
};

/// Breaks from its k-th poll on, and counts the polls.
struct Breaks {
    after: usize,
    polls: AtomicUsize,
}

impl Breaks {
    fn after(after: usize) -> Self {
        Self { after, polls: AtomicUsize::new(0) }
    }

    fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    /// Whether the run was told to stop.
    fn broke(&self) -> bool {
        self.polls() > self.after
    }
}

impl Observer for Breaks {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.polls.fetch_add(1, Ordering::Relaxed) < self.after {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Interrupt::TimeLimit)
        }
    }
}

/// The first polls one by one, then ever rarer.
fn moments() -> impl Iterator<Item = usize> {
    (0..40).chain((0..).map(|j| 40 + 7 * (1 << j)).take(10))
}

/// Polls that follow the break at most: a run that goes on asking goes on working.
const MOST_AFTER: usize = 100;

fn problem(gamma: f64, centered: bool) -> Problem {
    let data = planted::mixture(3, 24, 5, 2, 0.05, 3);
    Problem::builder(data).lambda(0.1).gamma(gamma).centered(centered).build().unwrap()
}

/// A valid answer, and the right reason for its end.
fn check(name: &str, observer: &Breaks, solution: &Solution) {
    let certificate = solution.certified.certificate();
    let at = observer.after;
    assert!(certificate.objective().is_finite(), "{name}, poll {at}");
    assert!(certificate.lower_bound().get() <= certificate.upper().get(), "{name}, poll {at}");
    if !observer.broke() {
        assert_ne!(solution.stop, Stop::TimeLimit, "{name}, poll {at}");
    }
    assert!(observer.polls() <= at + MOST_AFTER, "{name}, poll {at}: {} polls", observer.polls());
}

/// Runs `solve` with a break at every moment; the last runs to its end.
fn at_every_moment(name: &str, solve: impl Fn(&Run<'_>) -> Vec<Solution>) {
    for moment in moments().chain([usize::MAX / 2]) {
        let observer = Breaks::after(moment);
        let solutions = solve(&Run::observed(&observer));
        assert!(!solutions.is_empty(), "{name}, poll {moment}");
        solutions.iter().for_each(|solution| check(name, &observer, solution));
        if !observer.broke() {
            return;
        }
    }
}

#[test]
fn column_generation_stops() {
    for centered in [false, true] {
        let problem = problem(0.05, centered);
        at_every_moment("column generation", |run| {
            vec![ColumnGeneration::default().solve_with(&problem, run).unwrap()]
        });
    }
}

#[cfg(feature = "conic")]
#[test]
fn the_conic_master_stops() {
    use widedict::master::{Conic, Method};
    let problem = problem(0.05, true);
    let solver = ColumnGeneration { master: Method::Conic(Conic::default()), ..Default::default() };
    at_every_moment("conic", |run| vec![solver.solve_with(&problem, run).unwrap()]);
}

#[test]
fn a_width_stops() {
    for (gamma, centered) in [(0.0, false), (0.0, true), (0.05, false), (0.05, true)] {
        let problem = problem(gamma, centered);
        let finite = Finite { restarts: 2, ..Finite::new(4) };
        at_every_moment("width", |run| vec![finite.solve_with(&problem, run).unwrap()]);
        let start = finite.solve(&problem).unwrap().certified.into_parts().0;
        at_every_moment("width from a start", |run| {
            vec![finite.solve_with(&problem, &run.with_start(&start)).unwrap()]
        });
    }
}

#[test]
fn grids_stop() {
    let problem = problem(0.0, false);
    let all = |steps: Vec<path::Step>| steps.into_iter().map(|step| step.solution).collect::<Vec<_>>();
    let solver = ColumnGeneration::default();
    at_every_moment(
        "prices",
        |run| all(path::over_prices(&problem, &[0.2, 0.1, 0.0], &solver, run).unwrap()),
    );
    at_every_moment("widths", |run| {
        all(path::over_widths(&problem, &[1, 2, 4], &Finite::new(1), run).unwrap())
    });
}

#[test]
fn the_closed_form_stops() {
    for centered in [false, true] {
        let problem = problem(0.0, centered);
        at_every_moment("closed form", |run| vec![wide::closed_form_with(&problem, run).unwrap()]);
    }
}

/// The bound is at least that of the wide limit whenever the run ends.
#[test]
fn the_participation_bound_stops() {
    let problem = problem(0.0, false);
    let start = Finite::new(4).solve(&problem).unwrap().certified;
    let least = widedict::trusted::bounds::wide_limit(&problem).lower.get();
    for moment in moments() {
        let observer = Breaks::after(moment);
        let run = Run::observed(&observer).with_start(start.solution());
        let bound = Participation::default().bound_with(&problem, 0.2, &run).unwrap();
        assert!(bound.lower.get() >= least, "poll {moment}");
        assert!(observer.polls() <= moment + MOST_AFTER, "poll {moment}: {} polls", observer.polls());
        if !observer.broke() {
            return;
        }
    }
}

#[test]
fn the_search_for_a_split_stops() {
    let problem = problem(0.05, false);
    let start = ColumnGeneration::default().solve(&problem).unwrap().certified.into_parts().0;
    for moment in moments() {
        let observer = Breaks::after(moment);
        let found = Relaxation::default().search(&problem, &start, &observer);
        let interrupted = found.as_ref().is_none_or(|proposal| proposal.interrupt.is_some());
        assert!(interrupted || !observer.broke(), "poll {moment}");
        assert!(observer.polls() <= moment + MOST_AFTER, "poll {moment}");
    }
}
