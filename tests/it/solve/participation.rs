//! The bound for common atoms: never below what takes no search, and no search where p is so
//! small that an atom a datapoint will do.

use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::search::nuclear::Nuclear;
use widedict::search::relaxation::Relaxation;
use widedict::testing::planted;
use widedict::trusted::participation::price;
use widedict::trusted::{BoundKind, Subject, bounds};
use widedict::{
    Bounding, Codes, ColumnGeneration, Dictionary, Factorization, Observer, Participation, Problem, Progress,
    Run, datasets,
};

/// Counts what searches tell, by the part of their name.
struct Count(&'static str, AtomicUsize);

impl Observer for Count {
    fn progress(&self, progress: &Progress) {
        self.1.fetch_add(usize::from(progress.phase.contains(self.0)), Ordering::Relaxed);
    }
}

fn zero(problem: &Problem) -> Factorization {
    let center = problem.centered().then(|| problem.data().mean());
    let codes = Codes::zeros(0, problem.len());
    Factorization::new(Dictionary::empty(problem.dim()), codes, center).unwrap()
}

fn mixture(points: usize) -> Problem {
    Problem::builder(planted::mixture(8, points, 12, 3, 0.05, 3)).lambda(0.2).build().unwrap()
}

#[test]
fn an_atom_a_datapoint_needs_no_search() {
    let problem = mixture(50);
    let count = Count("", AtomicUsize::new(0));
    let run = Run::observed(&count);
    let bound = Participation::default().bound_with(&problem, 1.0 / 50.0, &run).unwrap();
    assert!(!bound.beats_wide_limit() && bound.kind == BoundKind::ClosedForm);
    assert_eq!(bound.lower, bounds::wide_limit(&problem).lower);
    assert_eq!(count.1.into_inner(), 0);
    let more = Participation::default().bound(&problem, 0.3).unwrap();
    assert!(more.beats_wide_limit() && more.lower.get() > bound.lower.get());
}

/// A larger p, a longer search: never a lower bound. The price it names is allowed.
#[test]
fn more_is_never_less() {
    let (problem, mut last) = (mixture(60), 0.0);
    for p in [0.02, 0.1, 0.4, 1.0] {
        let choices = [Bounding::None, Bounding::Nuclear, Bounding::Auto];
        let mut before = 0.0;
        for bounding in choices {
            let bound = Participation { bounding, ..Participation::default() }.bound(&problem, p).unwrap();
            assert!(bound.lower.get() >= before, "{bounding} at {p}");
            assert_eq!(bound.gamma, price(problem.lambda(), bound.lambda, p));
            before = bound.lower.get();
        }
        assert!(before >= last, "p {p}");
        last = before;
    }
}

/// With a center there is no wide limit to begin with.
#[test]
fn a_learnt_center_is_bounded_too() {
    let x = planted::mixture(6, 40, 8, 2, 0.05, 5);
    let problem = Problem::builder(x).lambda(0.2).centered(true).build().unwrap();
    let bound = Participation::default().bound(&problem, 0.3).unwrap();
    let own = zero(&problem);
    assert!(bound.lower.get() > 0.0);
    assert!(bound.lower.get() <= Subject::of(&problem, &own).unwrap().primal().upper.get());
}

/// Both partial searches prove what they promise, below a feasible value; and where γ is small a
/// split without a dictionary rises above wide limit and nuclear bound alike.
#[test]
fn splits_of_the_digits_are_below_their_optimum() {
    let all = datasets::digits();
    let points = widedict::Matrix::from_fn(all.nrows(), 150, |j, i| all.get(j, 3 * i));
    for gamma in [0.04, 0.15] {
        let problem = Problem::builder(points.clone()).lambda(0.27).gamma(gamma).build().unwrap();
        let settings = ColumnGeneration { gap_tolerance: 2e-2, ..ColumnGeneration::default() };
        let point = settings.solve(&problem).unwrap().certified.into_parts().0;
        let subject = Subject::of(&problem, &point).unwrap();
        let few = Relaxation { max_iterations: 3, ..Relaxation::default() };
        let at_residuals = few.at_residuals(&problem, &point, &()).unwrap();
        let risen = few.rise(&problem, &()).unwrap();
        for found in [&at_residuals, &risen] {
            let proved = bounds::split(&subject, &found.split).unwrap().lower.get();
            assert!(proved <= subject.primal().value() && proved >= 0.999 * found.promised, "{found:?}");
        }
        let wide = bounds::wide_limit(&problem).lower.get();
        let nuclear = Nuclear::default().search(&problem, &()).unwrap().promised;
        assert!(risen.promised > wide && risen.promised > nuclear, "{wide} {nuclear} {}", risen.promised);
        let count = Count("moving", AtomicUsize::new(0));
        few.at_residuals(&problem, &point, &count).unwrap();
        assert_eq!(count.1.into_inner(), 0);
    }
}
