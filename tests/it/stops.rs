//! An observer that breaks at its k-th poll, on every entry point: what is there comes
//! back, and the run says why it ended.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::ThreadPoolBuilder;
use widedict::bounding::Bounded;
use widedict::certificate::{Options, Record, certify, certify_observed};
use widedict::search::escape;
use widedict::search::relaxation::Relaxation;
use widedict::solve::{finite, path};
use widedict::testing::planted;
use widedict::trusted::{Subject, exact, local, nesting};
use widedict::{
    Bounding, Certified, ColumnGeneration, Factorization, Finite, Interrupt, Observer, Participation,
    Problem, Run, Solution, Stop, Witness, wide,
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

/// Polls that follow the break at most, on one thread: a run that goes on asking goes on
/// working. A run remembers the first break and asks no more; what consists of several runs
/// asks once for each.
const MOST_AFTER: usize = 8;

/// Runs on one thread, so that polls are counted in order.
fn on_one_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(run)
}

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
fn at_every_moment(name: &str, solve: impl Fn(&Run<'_>) -> Vec<Solution> + Sync) {
    for moment in moments().chain([usize::MAX / 2]) {
        let observer = Breaks::after(moment);
        let solutions = on_one_thread(|| solve(&Run::observed(&observer)));
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
            let solution = finite.solve_with(&problem, &run.with_start(&start)).unwrap();
            not_above("width from a start", &problem, &start, &solution.certified);
            vec![solution]
        });
    }
}

/// A run that stops while its start is made codes every datapoint by the atom chosen for it:
/// with each atom more the objective is lower.
#[test]
fn what_a_start_has_chosen_is_kept() {
    let problem = problem(0.0, false);
    let idle: f64 = problem.data().datapoints().columns().map(|x| x.iter().map(|v| v * v).sum::<f64>()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let mut last = 0.5 * idle / problem.len() as f64;
    for moment in 1..8 {
        let finite = Finite { start: Some(finite::Start::Spread), local: None, ..Finite::new(8) };
        let solution = finite.solve_with(&problem, &Run::observed(&Breaks::after(moment))).unwrap();
        let objective = solution.certified.certificate().objective();
        assert!(objective < last, "{moment} atoms: {objective} after {last}");
        assert!(solution.certified.solution().width() <= moment);
        last = objective;
    }
}

/// The objective is not above that of a factorization.
fn not_above(name: &str, problem: &Problem, start: &Factorization, certified: &Certified) {
    let before = Subject::of(problem, start).unwrap().primal().value();
    let after = certified.certificate().objective();
    assert!(after <= before * (1.0 + 1e-12), "{name}: {after} after {before}");
}

/// A coarse solution of a width, which leaves something to descend to.
fn coarse(problem: &Problem) -> Solution {
    let coarse = Finite { max_iterations: 1, local: None, ..Finite::new(4) };
    coarse.solve(problem).unwrap()
}

#[test]
fn settling_stops() {
    for (gamma, centered) in [(0.0, false), (0.0, true), (0.05, false)] {
        let problem = problem(gamma, centered);
        let start = coarse(&problem);
        let finite = Finite { max_iterations: 50, ..Finite::new(4) };
        at_every_moment("settle", |run| {
            let settled = finite.settle(&problem, start.clone(), &Options::default(), run.observer).unwrap();
            not_above("settle", &problem, start.certified.solution(), &settled.certified);
            vec![settled]
        });
    }
}

#[test]
fn a_start_of_column_generation_is_not_lost() {
    for centered in [false, true] {
        let problem = problem(0.05, centered);
        let start = ColumnGeneration::default().solve(&problem).unwrap().certified.into_parts().0;
        let cheaper = problem.with_penalty(0.08, 0.04).unwrap();
        at_every_moment("column generation from a start", |run| {
            let run = run.with_start(&start);
            let solution = ColumnGeneration::default().solve_with(&cheaper, &run).unwrap();
            not_above("column generation", &cheaper, &start, &solution.certified);
            vec![solution]
        });
    }
}

/// What is left out of a certificate is not claimed, and what is claimed is proved again.
#[test]
fn a_stopped_certificate_verifies() {
    for gamma in [0.0, 0.05] {
        let problem = problem(gamma, false);
        let point = coarse(&problem).certified.into_parts().0;
        let local = Some(local::Limits::default());
        let options = Options { local, exact: Some(exact::Limits::default()), ..Options::default() };
        let witness = Witness::none();
        for moment in moments() {
            let observer = Breaks::after(moment);
            let certified = on_one_thread(|| {
                certify_observed(&problem, point.clone(), &witness, &options, &observer).unwrap()
            });
            assert!(observer.polls() <= moment + MOST_AFTER, "poll {moment}: {} polls", observer.polls());
            let statistics = certified.certificate().statistics();
            assert!(statistics.max_coherence.is_some() || observer.broke(), "poll {moment}");
            assert!(certified.certificate().local().is_some() || observer.broke(), "poll {moment}");
            // One that stopped inside the exact polar or the local test cannot be reproduced.
            if moment == 0 || !observer.broke() {
                let record = Record::new(&problem, &certified, &witness, &options);
                record.verify(&problem, point.clone(), &witness, &()).unwrap();
            }
            if !observer.broke() {
                break;
            }
        }
    }
}

#[test]
fn bounding_stops() {
    for gamma in [0.0, 0.05] {
        let problem = problem(gamma, false);
        let start = coarse(&problem);
        let options = Options { local: Some(local::Limits::default()), ..Options::default() };
        let as_solution = |bounded: Bounded| {
            let Bounded { certified, witness, .. } = bounded;
            vec![Solution { certified, witness, stop: Stop::Stalled, iterations: 0 }]
        };
        for bounding in [Bounding::Fast, Bounding::Relaxation, Bounding::Exact, Bounding::Auto] {
            at_every_moment(bounding.as_str(), |run| {
                let point = start.certified.solution().clone();
                as_solution(bounding.certify(&problem, point, &options, run.observer).unwrap())
            });
            at_every_moment(bounding.as_str(), |run| {
                as_solution(bounding.bound(&problem, start.clone(), &options, run.observer).unwrap())
            });
        }
    }
}

/// A stopped run is not certified a second time, but judged by what is asked now.
#[test]
fn a_certificate_is_judged_again_without_work() {
    let problem = problem(0.05, false);
    let start = coarse(&problem);
    let first = start.certified.certificate().clone();
    let stopped = Breaks::after(0);
    let loose = Options { gap_tolerance: 0.9999, ..Options::default() };
    let bounded = Bounding::Fast.bound(&problem, start.clone(), &loose, &stopped).unwrap().certified;
    assert_eq!(bounded.certificate().lower_bound().get(), first.lower_bound().get());
    let global = first.relative_gap() <= 0.9999;
    assert_eq!(*bounded.certificate().verdict() == widedict::Verdict::Global, global);
    let none = Options { bounds: false, ..Options::default() };
    let bounded = Bounding::None.bound(&problem, start, &none, &stopped).unwrap().certified;
    assert_eq!(bounded.certificate().lower_bound().get(), 0.0);
    assert!(bounded.certificate().estimate().is_none());
}

/// Where nothing is to be searched for, the solver's certificate is the one a second would be.
#[test]
fn a_certificate_without_a_search_is_the_same() {
    for (gamma, bounded) in [(0.0, true), (0.05, false), (0.05, true)] {
        let problem = problem(gamma, true);
        let solver = ColumnGeneration { gap_tolerance: 0.05, bounded, ..ColumnGeneration::default() };
        let start = solver.solve(&problem).unwrap();
        let choices = [(Bounding::Fast, true), (Bounding::None, false), (Bounding::Nuclear, true)];
        for (bounding, bounds) in choices {
            let options = Options { stop: Some(start.stop), bounds, ..Options::default() };
            let Bounded { certified, witness, .. } =
                bounding.bound(&problem, start.clone(), &options, &()).unwrap();
            assert!(bounding == Bounding::Nuclear || witness.nuclear.is_none());
            let again = certify(&problem, certified.solution().clone(), &witness, &options).unwrap();
            assert_eq!(certified, again, "{gamma} {bounded} {bounding:?}");
        }
        // One that was certified without bounds gets them.
        let bare = Options { bounds: false, ..Options::default() };
        let point = start.certified.solution().clone();
        let certified = certify(&problem, point, &start.witness, &bare).unwrap();
        let bare = Solution { certified, ..start };
        let bounded = Bounding::Fast.bound(&problem, bare, &Options::default(), &()).unwrap().certified;
        assert!(bounded.certificate().lower_bound().get() > 0.0);
    }
}

#[test]
fn searches_around_a_point_stop() {
    for gamma in [0.0, 0.05] {
        let problem = problem(gamma, true);
        let point = coarse(&problem).certified.into_parts().0;
        let subject = Subject::of(&problem, &point).unwrap();
        let limits = local::Limits::default();
        let whole = escape::curvature(&problem, &point, &limits, &()).unwrap().smallest;
        for moment in moments() {
            let observer = Breaks::after(moment);
            let found = on_one_thread(|| escape::curvature(&problem, &point, &limits, &observer));
            assert!(found.is_some() || observer.broke(), "poll {moment}");
            // An interrupted Ritz value is none.
            let same = |smallest: f64| smallest.to_bits() == whole.to_bits();
            assert!(found.is_none_or(|found| same(found.smallest)), "poll {moment}");
            assert!(observer.polls() <= moment + 1, "poll {moment}: {} polls", observer.polls());
            let observer = Breaks::after(moment);
            assert_eq!(nesting::pairs(&subject, &observer).is_none(), observer.broke(), "poll {moment}");
        }
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

/// The location of a stopped search is used as it is: no second search starts, from the mean.
#[test]
fn a_location_is_found_once() {
    let problem = problem(0.0, true);
    let location = wide::location(problem.data(), problem.lambda(), &());
    let again = wide::closed_form(&problem).unwrap();
    at_every_moment("closed form about a location", |run| {
        let found = wide::closed_form_at(&problem, &location, run.observer).unwrap();
        assert_eq!(found.certified.solution(), again.certified.solution());
        vec![found]
    });
}

/// Directions that tie on the probe are compared pair by pair: the one loop of the closed form
/// that can take quadratic time.
#[test]
fn comparing_directions_stops() {
    // The probe is the same at the coordinates 0, 3 and 8, whose sum is 0 in every column.
    let columns: Vec<Vec<f64>> = (0..400)
        .map(|i| {
            let angle = f64::from(i) * 0.01;
            let mut x = vec![0.0; 9];
            (x[0], x[3]) = (angle.cos(), (angle + 2.0).sin());
            x[8] = -x[0] - x[3];
            x
        })
        .collect();
    let problem = Problem::builder(widedict::Matrix::from_columns(9, &columns)).lambda(0.01).build().unwrap();
    let whole = wide::population(&problem, None);
    let polls = Breaks::after(usize::MAX / 2);
    assert_eq!(wide::population_observed(&problem, None, &polls), whole);
    assert!(polls.polls() > 10, "{} polls", polls.polls());
    for moment in 0..polls.polls() {
        let observer = Breaks::after(moment);
        let found = wide::population_observed(&problem, None, &observer);
        assert_eq!(found.value, whole.value);
        assert!(found.distinct_directions >= whole.distinct_directions);
        assert_eq!(observer.polls(), moment + 1);
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
        let bound = on_one_thread(|| Participation::default().bound_with(&problem, 0.2, &run).unwrap());
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
        let found = on_one_thread(|| Relaxation::default().search(&problem, &start, &observer));
        let interrupted = found.as_ref().is_none_or(|proposal| proposal.interrupt.is_some());
        assert!(interrupted || !observer.broke(), "poll {moment}");
        assert!(observer.polls() <= moment + MOST_AFTER, "poll {moment}");
    }
}
