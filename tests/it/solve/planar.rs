//! The best dictionary of a width, proved, for data in a plane.

use std::time::Duration;

use widedict::solve::planar::Planar;
use widedict::testing::planted;
use widedict::{Finite, Matrix, Problem, Run, SolveError, Stop, TimeLimit, Verdict};

fn random(len: usize, seed: u64, lambda: f64) -> Problem {
    Problem::builder(planted::gaussian(2, len, seed)).lambda(lambda).build().unwrap()
}

/// Never above what any start finds, and the solution comes within the tolerance of it.
#[test]
fn the_best_dictionary_is_found_and_proved() {
    for (width, len, seed) in [(2, 30, 1), (3, 40, 2), (4, 60, 3), (6, 40, 4)] {
        let problem = random(len, seed, 0.3);
        let settings = Planar { tolerance: 1e-5, ..Planar::new(width) };
        let solution = settings.solve(&problem).unwrap();
        let certificate = solution.certified.certificate();
        assert_eq!(*certificate.verdict(), Verdict::GlobalWidth, "{certificate}");
        assert_eq!(solution.stop, Stop::ToleranceMet);
        assert_eq!(certificate.width_bound_kind(width), Some("planar"));
        let bound = certificate.width_bound(width).unwrap().get();
        assert!(certificate.objective() - bound <= 2e-6 * certificate.objective());
        assert!(certificate.width_bound(width + 1).is_none(), "more atoms may cost less");
        assert!(certificate.width_bound(width - 1).unwrap().get() >= bound);
        for start in 0..12 {
            let finite = Finite { seed: start, local: None, ..Finite::new(width) };
            let other = finite.solve(&problem).unwrap().certified.certificate().objective();
            assert!(bound <= other, "{bound} above {other}");
        }
    }
}

/// From the worst of starts: the proof meets better dictionaries, and the run goes on from them.
#[test]
fn a_poor_start_does_not_matter() {
    let problem = random(25, 7, 0.2);
    let best = Planar::new(3).solve(&problem).unwrap();
    let far = Matrix::from_columns(2, &[[1.0, 0.0], [1.0, 1e-3], [1.0, -1e-3]]);
    let start = widedict::Factorization::new(
        widedict::Dictionary::normalize(far).unwrap().0,
        widedict::Codes::zeros(3, 25),
        None,
    )
    .unwrap();
    let settings = Planar { finite: Finite { max_iterations: 1, ..Finite::new(3) }, ..Planar::new(3) };
    let other = settings.solve_with(&problem, &Run::starting_at(&start)).unwrap();
    let values = [&best, &other].map(|found| found.certified.certificate().objective());
    assert_eq!(*other.certified.certificate().verdict(), Verdict::GlobalWidth);
    assert!((values[0] - values[1]).abs() <= 5e-3 * values[0], "{values:?}");
}

#[test]
fn a_run_that_is_stopped_has_a_bound_and_says_so() {
    let problem = random(200, 3, 0.2);
    let settings = Planar { tolerance: 1e-9, ..Planar::new(5) };
    let none = TimeLimit::new(Duration::ZERO);
    let solution = settings.solve_with(&problem, &Run::observed(&none)).unwrap();
    assert_eq!(solution.stop, Stop::TimeLimit);
    let certificate = solution.certified.certificate();
    assert_ne!(*certificate.verdict(), Verdict::GlobalWidth);
    let best = settings.solve(&problem).unwrap().certified.certificate().objective();
    assert!(certificate.width_bound(5).unwrap().get() <= best);
}

#[test]
fn threads_do_not_matter() {
    let problem = random(50, 11, 0.25);
    let solved = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Planar::new(3).solve(&problem).unwrap())
    };
    let one = solved(1);
    assert_eq!(one, solved(2));
    assert_eq!(one, solved(7));
}

/// One dimension, one datapoint, zeros, copies, atoms enough: all have the value they must.
#[test]
fn degenerate_data_are_proved_too() {
    let solve = |x: Matrix, lambda: f64, width: usize| {
        let problem = Problem::builder(x).lambda(lambda).build().unwrap();
        let solution = Planar::new(width).solve(&problem).unwrap();
        let certificate = solution.certified.certificate().clone();
        assert!(
            matches!(certificate.verdict(), Verdict::Global | Verdict::GlobalWidth),
            "{certificate} {width}"
        );
        assert_eq!(solution.stop, Stop::ToleranceMet);
        assert!(certificate.width_bound(width).unwrap().get() <= certificate.objective());
        certificate.objective()
    };
    let h = |r: f64, lambda: f64| lambda * r - 0.5 * lambda * lambda;
    let line = Matrix::from_columns(1, &[[2.0], [-1.0], [0.5], [-3.0]]);
    // One atom on the line: the better sign; the others cost half their squares.
    let signs =
        [(h(2.0, 0.3) + h(0.5, 0.3) + 0.5 + 4.5) / 4.0, (h(1.0, 0.3) + h(3.0, 0.3) + 2.0 + 0.125) / 4.0];
    let least = widedict::num::min(signs[0], signs[1]);
    assert!((solve(line.clone(), 0.3, 1) - least).abs() < 1e-9);
    let two = (h(2.0, 0.3) + h(0.5, 0.3) + h(1.0, 0.3) + h(3.0, 0.3)) / 4.0;
    assert!((solve(line, 0.3, 2) - two).abs() < 1e-9);
    assert!((solve(Matrix::from_columns(2, &[[3.0, 4.0]]), 0.5, 1) - h(5.0, 0.5)).abs() < 1e-12);
    assert!(solve(Matrix::zeros(2, 3), 0.5, 2).abs() < 1e-300);
    let short = Matrix::from_columns(3, &[[0.1, 0.0, 0.0], [0.0, 0.2, 0.1]]);
    assert!((solve(short, 0.5, 2) - 0.25 * (0.01 + 0.05)).abs() < 1e-12);
    let copies = Matrix::from_columns(2, &[[1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0]]);
    assert!((solve(copies.clone(), 0.2, 2) - (4.0 * h(1.0, 0.2) + h(2.0, 0.2)) / 5.0).abs() < 1e-9);
    assert!(solve(copies, 0.2, 1) > (4.0 * h(1.0, 0.2) + h(2.0, 0.2)) / 5.0 + 0.01);
}

/// Small prices have many local minima: a gap that stays open is searched again.
#[test]
fn slow_a_gap_that_stays_open_is_searched_again() {
    let rows = [
        [-0.801_931_425_253_447_4, -1.324_358_995_628_145],
        [-0.248_361_622_095_248_54, 0.420_445_238_065_521_5],
        [1.136_046_532_489_642_7, 0.109_706_399_321_808_19],
        [-0.552_647_320_536_232_4, -0.784_780_355_344_278_4],
        [0.748_745_770_734_591_1, 1.634_783_042_958_577_5],
        [0.272_768_775_844_721_76, -1.233_328_664_030_771_7],
        [-0.958_265_205_436_088_7, 1.600_019_088_999_111_5],
    ];
    let problem = Problem::builder(Matrix::from_columns(2, &rows)).lambda(1e-4).build().unwrap();
    let one_start = Planar { finite: Finite::new(2), ..Planar::new(2) };
    let solution = one_start.solve(&problem).unwrap();
    assert_eq!(*solution.certified.certificate().verdict(), Verdict::GlobalWidth);
}

#[test]
fn what_is_not_planar_is_refused() {
    let refused = |problem: &Problem, words: &str| {
        let error = Planar::new(2).solve(problem).unwrap_err();
        assert!(matches!(error, SolveError::NotApplicable { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let build = |x: Matrix| Problem::builder(x).lambda(0.2);
    let square = Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0], [0.7, 0.6]]);
    refused(&build(square.clone()).gamma(0.1).build().unwrap(), "gamma 0.1");
    refused(&build(square.clone()).centered(true).build().unwrap(), "learnt");
    refused(&build(planted::gaussian(3, 10, 1)).build().unwrap(), "singular value");
    let tolerance = Planar { tolerance: f64::NAN, ..Planar::new(2) };
    assert!(matches!(
        tolerance.solve(&build(square).build().unwrap()),
        Err(SolveError::Setting { name: "tolerance", .. })
    ));
    // A third direction that hardly counts is no hindrance.
    let mut x =
        Matrix::from_columns(3, &[[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [-0.5, 0.6, 0.0], [0.2, -1.0, 0.0]]);
    x.col_mut(1)[2] = 1e-6;
    let problem = build(x).build().unwrap();
    assert_eq!(
        *Planar::new(2).solve(&problem).unwrap().certified.certificate().verdict(),
        Verdict::GlobalWidth
    );
}
