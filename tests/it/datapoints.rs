//! Datapoints in the numbers they came in: the same answers, to the bit, as for the same numbers
//! in doubles.

use std::fmt::Debug;

use half::{bf16, f16};
use proptest::prelude::*;
use widedict::certificate::Options;
use widedict::coder::{Coder, CoderRun};
use widedict::linalg::{Columns, Float};
use widedict::search::nuclear::Nuclear;
use widedict::testing::planted;
use widedict::trusted::{Subject, bounds};
use widedict::{
    Bounding, ColumnGeneration, Datapoints, Dictionary, Factorization, Finite, Matrix, Problem, ProblemError,
    Witness, certify, wide,
};

/// A matrix whose numbers are numbers of a type, and the same in that type.
fn held<F: Float + PartialEq>(points: &Matrix) -> (Matrix, Datapoints) {
    let narrow: Vec<F> = points.as_slice().iter().map(|&v| F::nearest(v)).collect();
    let wide = narrow.iter().map(|&v| v.into()).collect();
    let (n, count) = (points.nrows(), points.ncols());
    (
        Matrix::from_column_major(n, count, wide).expect("an entry a place"),
        Datapoints::from_column_major(n, count, narrow).expect("an entry a place"),
    )
}

/// What a problem is, without its data.
#[derive(Clone, Copy)]
struct Setting {
    lambda: f64,
    gamma: f64,
    centered: bool,
}

impl Setting {
    fn of(self, points: impl Into<Datapoints>) -> Problem {
        let Self { lambda, gamma, centered } = self;
        Problem::builder(points).lambda(lambda).gamma(gamma).centered(centered).build().expect("finite")
    }
}

/// That an answer is the same for numbers of every type as for these in doubles.
fn same_in_every_type<T: PartialEq + Debug>(
    points: &Matrix,
    setting: Setting,
    answer: impl Fn(&Problem) -> T,
) {
    let pairs = [held::<f16>(points), held::<bf16>(points), held::<f32>(points), held::<f64>(points)];
    for (bytes, (wide, narrow)) in [2, 2, 4, 8].into_iter().zip(pairs) {
        assert_eq!(narrow.bytes(), bytes * points.as_slice().len());
        assert_eq!(answer(&setting.of(narrow)), answer(&setting.of(wide)), "{bytes} bytes a number");
    }
}

const SETTINGS: [Setting; 3] = [
    Setting { lambda: 0.3, gamma: 0.1, centered: false },
    Setting { lambda: 0.2, gamma: 0.2, centered: true },
    Setting { lambda: 0.4, gamma: 0.0, centered: false },
];

/// More datapoints than a grain or a block of codes.
fn points() -> Matrix {
    planted::mixture(5, 300, 8, 2, 0.1, 7)
}

#[test]
fn convex_solutions_and_their_certificates() {
    for setting in SETTINGS.into_iter().filter(|setting| setting.gamma > 0.0) {
        same_in_every_type(&points(), setting, |problem| {
            let solver = ColumnGeneration { gap_tolerance: 0.05, max_rounds: 4, ..Default::default() };
            let solution = solver.solve(problem).expect("solved");
            let options = Options { gap_tolerance: 0.05, ..Options::default() };
            Bounding::Nuclear.bound(problem, solution, &options, &()).expect("certified")
        });
    }
}

/// Atoms of the data, codes over them, and every bound of that point.
#[test]
fn codes_and_bounds_of_any_dictionary() {
    for setting in SETTINGS {
        same_in_every_type(&points(), setting, |problem| {
            let data = problem.data();
            let atoms = data.datapoints().select_columns(&[0, 3, 9, 27, 81, 243]);
            let (dictionary, _) = Dictionary::normalize(atoms).expect("nonzero");
            let center = setting.centered.then(|| data.mean());
            let run = CoderRun { center: center.as_deref(), ..CoderRun::default() };
            let coded = Coder::default().encode_with(data.datapoints(), &dictionary, setting.lambda, &run);
            let codes = coded.expect("coded").codes;
            let refitted =
                Coder::default().refit(data.datapoints(), &dictionary, setting.lambda, &codes, &());
            let point = Factorization::new(dictionary, codes, center).expect("shapes");
            let nuclear = Nuclear::default().search(problem, &()).map(|found| found.map);
            let proved = nuclear
                .as_ref()
                .and_then(|map| bounds::nuclear(&Subject::of(problem, &point).expect("shapes"), map));
            let witness = Witness { nuclear, directions: Some(points()), ..Witness::none() };
            let certified = certify(problem, point, &witness, &Options::default()).expect("certified");
            (refitted.expect("coded"), certified, proved)
        });
    }
}

#[test]
fn the_wide_limit() {
    let setting = Setting { lambda: 0.4, gamma: 0.0, centered: false };
    same_in_every_type(&points(), setting, |problem| {
        let location = wide::location(problem.data(), problem.lambda(), &());
        (
            bounds::wide_limit(problem),
            wide::population(problem, None),
            wide::population(problem, Some(&location)),
            wide::closed_form(problem).expect("gamma is 0").certified,
            wide::boundary(problem, &()).expect("one place"),
        )
    });
}

#[test]
fn a_given_width() {
    let setting = Setting { lambda: 0.4, gamma: 0.0, centered: true };
    same_in_every_type(&points(), setting, |problem| {
        let solver = Finite { max_iterations: 20, local: None, ..Finite::new(6) };
        solver.solve(problem).expect("solved").certified
    });
}

/// A NaN is refused by its place, in every type.
#[test]
fn numbers_are_checked_where_they_are() {
    for at in [0, 7, 31] {
        let mut values = vec![f16::ONE; 32];
        values[at] = f16::NAN;
        let points = Datapoints::from_column_major(4, 8, values).expect("4 × 8");
        let error = Problem::builder(points).lambda(1.0).build().expect_err("a NaN");
        let place = format!("datapoint {}, coordinate {}:", at / 4, at % 4);
        assert!(matches!(error, ProblemError::Data(_)) && error.to_string().starts_with(&place), "{error}");
    }
    assert_eq!(Datapoints::from_column_major(3, 2, vec![0.0_f32; 5]), Err(vec![0.0; 5]));
}

proptest! {
    /// Every way to read numbers gives the same ones, and every number of a type comes back.
    #[test]
    fn all_readings_agree(
        bits in proptest::collection::vec(any::<u16>(), 24), kept in proptest::sample::subsequence((0..6).collect::<Vec<_>>(), 0..=6),
    ) {
        let brain: Vec<bf16> = bits.iter().map(|b| bf16::from_bits(*b)).collect();
        let halves: Vec<f16> = bits.iter().map(|b| f16::from_bits(*b)).collect();
        let wide = |all: &[f64]| all.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        for (points, expected) in [
            (
                Datapoints::from_column_major(4, 6, brain.clone()).expect("4 × 6"),
                brain.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
            ),
            (
                Datapoints::from_column_major(4, 6, halves.clone()).expect("4 × 6"),
                halves.iter().map(|v| f64::from(*v)).collect(),
            ),
        ] {
            let matrix = points.to_matrix();
            prop_assert_eq!(wide(matrix.as_slice()), wide(&expected));
            prop_assert_eq!(wide(&points.run(1..5)), wide(&expected[4..20]));
            for (j, column) in points.columns().enumerate() {
                prop_assert_eq!(wide(&column), wide(matrix.col(j)));
                prop_assert!((0..4).all(|i| points.get(i, j).to_bits() == matrix.get(i, j).to_bits()));
            }
            let some = points.kept(&kept).into_matrix();
            prop_assert_eq!(wide(some.as_slice()), wide(matrix.select_columns(&kept).as_slice()));
        }
        for (one, other) in brain.iter().zip(&halves) {
            let (nearest, half) = (bf16::nearest((*one).into()), f16::nearest((*other).into()));
            prop_assert!(one.is_nan() || nearest.to_bits() == one.to_bits());
            prop_assert!(other.is_nan() || half.to_bits() == other.to_bits());
        }
    }
}
