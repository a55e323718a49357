//! Observers: clocks, closures, and several at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use widedict::observer::Until;
use widedict::{
    ColumnGeneration, Interrupt, Matrix, Observer, Problem, Progress, Run, Solution, Stop, TimeLimit,
};

fn problem() -> Problem {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let data = Matrix::from_fn(6, 60, |j, i| (0.37 * (7 * i + j) as f64).sin().abs());
    Problem::builder(data).lambda(0.05).gamma(0.02).build().unwrap()
}

fn run(observer: &dyn Observer) -> Solution {
    let generation = ColumnGeneration { gap_tolerance: 1e-10, ..ColumnGeneration::default() };
    generation.solve_with(&problem(), &Run::observed(observer)).unwrap()
}

/// What a stopped run returns is certified.
fn valid(solution: &Solution) {
    let certificate = solution.certified.certificate();
    assert!(certificate.lower_bound().get() <= certificate.objective());
}

#[test]
fn a_time_limit_ends_a_run() {
    let started = Instant::now();
    let none = run(&TimeLimit::new(Duration::ZERO));
    assert_eq!(none.stop, Stop::TimeLimit);
    valid(&none);
    let limit = TimeLimit::new(Duration::from_millis(50));
    assert!(limit.poll().is_continue());
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(limit.poll(), ControlFlow::Break(Interrupt::TimeLimit));
    assert!(limit.elapsed() >= Duration::from_millis(60) && limit.elapsed() <= started.elapsed());
}

#[test]
fn a_closure_is_an_observer() {
    let polls = AtomicUsize::new(0);
    let solution = run(&|_: &Progress| {
        if polls.fetch_add(1, Ordering::Relaxed) < 5 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Interrupt::Cancelled)
        }
    });
    assert_eq!(solution.stop, Stop::Cancelled);
    valid(&solution);
    assert!(Progress::unknown().objective.is_nan());
}

#[test]
fn slow_a_condition_is_remembered() {
    let free = run(&Until::new(|_: &Progress| false));
    let target = 1.05 * free.certified.certificate().objective();
    let solution = run(&Until::new(|p: &Progress| p.objective <= target));
    assert_eq!(solution.stop, Stop::Cancelled);
    assert!(solution.certified.certificate().objective() <= target);
    assert!(solution.iterations < free.iterations);
}

#[test]
fn the_first_of_two_observers_that_stops_says_why() {
    let heard = AtomicUsize::new(0);
    let counts = |_: &Progress| {
        heard.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let stops = |_: &Progress| ControlFlow::Break(Interrupt::Cancelled);
    let both = (counts, (TimeLimit::new(Duration::ZERO), stops));
    assert_eq!(run(&both).stop, Stop::TimeLimit);
    assert!(heard.load(Ordering::Relaxed) > 0);
    let borrowed: &dyn Observer = &stops;
    assert_eq!(run(&(borrowed, ())).stop, Stop::Cancelled);
}
