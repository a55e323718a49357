//! What the library answers for an instance, and the attack on each part of it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Claim, Claims, Effort, Instance, Report, local, rivals, shared};
use crate::bounding::Bounding;
use crate::certificate::Options;
use crate::coder::Coder;
use crate::problem::Problem;
use crate::search::escape;
use crate::search::nuclear::Nuclear;
use crate::search::quartic::Quartic;
use crate::search::relaxation::SquareSearch;
use crate::solve::participation::Participation;
use crate::solve::width_bound::WidthBound;
use crate::testing::exact::{self, Exact, ex};
use crate::testing::naive::{self, length};
use crate::trusted::{
    Bound, Coding, Goal, QuarticForm, Squares, Subject, WidthSplit, bounds, exact as polar,
    local as second_order, participation, planar, width,
};
use crate::{
    Certified, ColumnGeneration, Factorization, Finite, Matrix, Run, Verdict, Witness, certify, wide,
};

/// A feasible point with its exact objective.
struct Valued {
    point: Factorization,
    value: Exact,
}

impl Valued {
    fn of(problem: &Problem, point: Factorization) -> Self {
        Self { value: exact::objective(problem, &point), point }
    }
}

/// Share of the γ = 0 instances whose bounds for participations and for widths are searched
/// for: either search is as long as all the rest.
const SEARCHED: f64 = 0.25;

/// A dimension in which no cones are cut.
const NO_CONES: usize = 5;

/// Halvings of a quarter of the circle for the bound of a plane.
const LEVELS: u32 = 10;

/// Settings that end in milliseconds; what they find need not be good.
const ITERATIONS: usize = 200;
const ROUNDS: usize = 20;
const POLAR: polar::Limits = polar::Limits { polar_tolerance: 1e-7, max_steps: 500 };

pub(super) fn attack(instance: &Instance, effort: &Effort, rng: &mut ChaCha8Rng, report: &mut Report) {
    let problem = &instance.problem;
    let answers = answers(instance, rng);
    let near: Vec<&Factorization> = answers.iter().map(Certified::solution).collect();
    let mut points: Vec<Valued> = near.iter().map(|p| Valued::of(problem, (*p).clone())).collect();
    let others = rivals::of_any_width(problem, &near, effort, rng);
    points.extend(others.into_iter().map(|point| Valued::of(problem, point)));
    for valued in &points {
        enclosure(instance, valued, report);
    }
    let Some(best) = points.iter().map(|v| &v.value).min() else { return };
    for (answer, valued) in answers.iter().zip(&points) {
        Claims::of(answer.certificate(), TOLERANCE).judge(instance, &valued.value, best, report);
        refutation(instance, answer, valued, effort, rng, report);
        local::attack(instance, answer, effort, rng, report);
        coding(instance, answer.solution(), effort, report);
    }
    nuclear(instance, &points[0].point, best, rng, report);
    quartic(instance, &points[0].point, best, rng, report);
    squares(instance, &points[0].point, best, rng, report);
    participations(instance, &points, rng, report);
    widths(instance, &points, effort, rng, report);
    shared::attack(instance, &points.iter().map(|v| v.value.clone()).collect::<Vec<_>>(), effort, report);
}

/// Rounds at many datapoints.
const FEW_ROUNDS: usize = 12;

/// The bounds that are proved for any number of datapoints, against what column generation finds.
pub(super) fn attack_bounds(instance: &Instance, rng: &mut ChaCha8Rng, report: &mut Report) {
    let problem = &instance.problem;
    let solver = ColumnGeneration { max_rounds: FEW_ROUNDS, ..ColumnGeneration::default() };
    let Ok(solved) = solver.solve(problem) else { return };
    let best = Valued::of(problem, solved.certified.into_parts().0);
    enclosure(instance, &best, report);
    let options = Options { gap_tolerance: TOLERANCE, ..Options::default() };
    for bounding in [Bounding::Auto, Bounding::Nuclear] {
        if let Ok(bounded) = bounding.certify(problem, best.point.clone(), &options, &()) {
            let claims = Claims::of(bounded.certified.certificate(), TOLERANCE);
            claims.judge(instance, &best.value, &best.value, report);
        }
    }
    nuclear(instance, &best.point, &best.value, rng, report);
    quartic(instance, &best.point, &best.value, rng, report);
    squares(instance, &best.point, &best.value, rng, report);
}

/// Tolerance of the certificates.
const TOLERANCE: f64 = 5e-3;

/// Certified points: those of the solvers and one at random. A solver may refuse.
fn answers(instance: &Instance, rng: &mut ChaCha8Rng) -> Vec<Certified> {
    let (problem, width) = (&instance.problem, instance.width);
    let mut points: Vec<Factorization> = Vec::new();
    if problem.gamma() == 0.0 {
        points.extend(wide::closed_form(problem).ok().map(|s| s.certified.into_parts().0));
    } else {
        let solver = ColumnGeneration { max_rounds: ROUNDS, ..ColumnGeneration::default() };
        points.extend(solver.solve(problem).ok().map(|s| s.certified.into_parts().0));
    }
    let solver = Finite { max_iterations: ITERATIONS, seed: instance.seed, ..Finite::new(width) };
    points.extend(solver.solve(problem).ok().map(|s| s.certified.into_parts().0));
    points.extend(rivals::random(problem, width, rng));
    points.into_iter().filter_map(|point| certified(problem, point)).collect()
}

fn certified(problem: &Problem, point: Factorization) -> Option<Certified> {
    let found = Bounding::Relaxation.witness(problem, &point, TOLERANCE, &());
    let witness = found.map_or_else(|_| Witness::none(), |evidence| evidence.witness);
    let limits = second_order::Limits::default();
    let curvature = escape::curvature(problem, &point, &limits, &());
    let exact = (problem.dim() <= 3).then_some(POLAR);
    let options = Options { gap_tolerance: TOLERANCE, local: Some(limits), exact, ..Options::default() };
    certify(problem, point, &Witness { curvature, ..witness }, &options).ok()
}

fn enclosure(instance: &Instance, valued: &Valued, report: &mut Report) {
    let Ok(subject) = Subject::of(&instance.problem, &valued.point) else { return };
    let (lower, upper) = (ex(subject.primal().lower.get()), ex(subject.primal().upper.get()));
    report.at_most(instance, Claim::Enclosure, &lower, &valued.value, "lower end and objective");
    report.at_most(instance, Claim::Enclosure, &valued.value, &upper, "objective and upper end");
}

/// Bounds from affine maps of the data, searched for and spoiled, against the best point. Of a
/// certificate they are only a part, and a better one hides them.
fn nuclear(
    instance: &Instance,
    point: &Factorization,
    best: &Exact,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    let (problem, n) = (&instance.problem, instance.problem.dim());
    let Ok(subject) = Subject::of(problem, point) else { return };
    let found = Nuclear::default().search(problem, &()).map(|found| found.map);
    let stretch = rng.random_range(0.5..4.0);
    let spoiled = found.as_ref().map(|map| {
        Matrix::from_fn(n, n + 1, |i, j| stretch * map.get(i, j) + 1e-3 * rng.random_range(-1.0..1.0))
    });
    let size = length(&problem.data().datapoint(0));
    let random =
        Matrix::from_fn(n, n + 1, |_, j| rng.random_range(-1.0..1.0) * if j == n { size } else { 1.0 });
    let witnesses = [found, spoiled, Some(random)];
    let proved = witnesses.iter().flatten().filter_map(|found| bounds::nuclear(&subject, found));
    proved.for_each(|bound| below(instance, &bound, best, "nuclear bound and a point", report));
}

/// A bound is at most the objective of the best point.
fn below(instance: &Instance, bound: &Bound, best: &Exact, what: &'static str, report: &mut Report) {
    report.at_most(instance, Claim::LowerBound, &ex(bound.lower.get()), best, what);
}

/// Bounds from squares of features, searched for, spoiled and at random, against the best point.
fn squares(
    instance: &Instance,
    point: &Factorization,
    best: &Exact,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    let (problem, n) = (&instance.problem, instance.problem.dim());
    let Ok(subject) = Subject::of(problem, point) else { return };
    let found = Nuclear::default().search(problem, &()).and_then(|nuclear| {
        SquareSearch::default().search(problem, &nuclear.map, subject.primal().value(), &())
    });
    let found = found.map(|found| found.squares);
    let mut spoiled = found.clone();
    for matrix in spoiled.iter_mut().flat_map(|s| [&mut s.features, &mut s.forms, &mut s.dual]) {
        let stretch = rng.random_range(0.5..2.0);
        matrix.as_mut_slice().iter_mut().for_each(|v| *v *= stretch + 1e-3 * rng.random_range(-1.0..1.0));
    }
    let size = length(&problem.data().datapoint(0));
    let mut any =
        |rows, columns, size: f64| Matrix::from_fn(rows, columns, |_, _| size * rng.random_range(-1.0..1.0));
    let random = Squares {
        features: any(2, n + 1, 1.0),
        forms: any(3, 6, problem.gamma()),
        dual: any(n, 6 + n, size),
    };
    let witnesses = [found, spoiled, Some(random)];
    let proved = witnesses.iter().flatten().filter_map(|found| bounds::squares(&subject, found));
    proved.for_each(|bound| below(instance, &bound, best, "split of squares and a point", report));
}

/// Bounds from quartic forms, searched for and spoiled, against the best point.
fn quartic(
    instance: &Instance,
    point: &Factorization,
    best: &Exact,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    let (problem, n) = (&instance.problem, instance.problem.dim());
    let Ok(subject) = Subject::of(problem, point) else { return };
    let search = Quartic { rounds: 8, steps: 6, ..Quartic::default() };
    let found = search.search(problem, point.dictionary().matrix(), 0.0, &()).map(|found| found.witness);
    let stretch = rng.random_range(0.5..4.0);
    let spoiled = found.as_ref().map(|found| QuarticForm {
        map: Matrix::from_fn(n + 1, found.map.ncols(), |i, j| stretch * found.map.get(i, j)),
        form: Matrix::from_fn(found.form.nrows(), found.form.ncols(), |p, q| {
            stretch * found.form.get(p, q) + 1e-3 * rng.random_range(-1.0..1.0)
        }),
    });
    let size = length(&problem.data().datapoint(0));
    let pairs = n * (n + 1) / 2;
    let random = QuarticForm {
        map: Matrix::from_fn(n + 1, 3, |_, j| rng.random_range(-1.0..1.0) * if j == 0 { size } else { 1.0 }),
        form: Matrix::from_fn(pairs, pairs, |_, _| size.powi(4) * rng.random_range(-1.0..1.0)),
    };
    let witnesses = [found, spoiled, Some(random)];
    let proved = witnesses.iter().flatten().filter_map(|found| bounds::quartic(&subject, found));
    proved.for_each(|bound| below(instance, &bound, best, "quartic bound and a point", report));
}

/// A refuted point can be lowered: by the point handed back, or by a descent from it.
fn refutation(
    instance: &Instance,
    answer: &Certified,
    valued: &Valued,
    effort: &Effort,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    if !matches!(answer.certificate().verdict(), Verdict::Refuted { .. }) {
        return;
    }
    let problem = &instance.problem;
    if let Some(better) = answer.improvement() {
        let value = exact::objective(problem, better);
        let holds = value < valued.value && better.width() <= valued.point.width();
        report.note(instance, Claim::Improvement, holds, 0.0, || {
            format!("{:e} does not lower {:e}", value.approx(), valued.value.approx())
        });
        return;
    }
    let lower = rivals::of_width(problem, &valued.point, effort, rng)
        .iter()
        .map(|point| exact::objective(problem, point))
        .min();
    if let Some(lower) = lower {
        report.note(instance, Claim::NotStationary, lower < valued.value, 0.0, || {
            format!("nothing found below {:e}: {}", valued.value.approx(), answer.certificate().verdict())
        });
    }
}

/// Bounds over fixed atoms, and the gaps of exact codes.
fn coding(instance: &Instance, point: &Factorization, effort: &Effort, report: &mut Report) {
    let problem = &instance.problem;
    let Some(rival) = rivals::with_atoms(problem, point.dictionary(), effort) else { return };
    let value = exact::objective(problem, &rival);
    for point in [point, &rival] {
        let Ok(coding) = Coding::new(problem, point, None) else { continue };
        let own = exact::objective(problem, point);
        let best = std::cmp::min(&own, &value);
        report.at_most(instance, Claim::Coding, &ex(coding.lower.get()), best, "coding bound and codes");
        report.at_most(instance, Claim::Coding, &own, &ex(coding.upper.get()), "codes and upper bound");
    }
    if problem.gamma() == 0.0 && !problem.centered() {
        encoded(instance, &rival, report);
    }
}

/// Rounding of a datapoint's objective that [`Coder`]'s gaps leave out near λ = 0, as a share
/// of ½‖x‖².
const CODE_ROUNDING: f64 = 256.0 * f64::EPSILON;

fn encoded(instance: &Instance, rival: &Factorization, report: &mut Report) {
    let (problem, dictionary) = (&instance.problem, rival.dictionary());
    let x = problem.data().datapoints();
    let Ok(encoded) = Coder::default().encode(x, dictionary, problem.lambda(), &()) else { return };
    for (i, point) in x.columns().enumerate() {
        let single = Problem::builder(Matrix::from_columns(problem.dim(), &[point.to_vec()]))
            .lambda(problem.lambda())
            .build();
        let Ok(single) = single else { continue };
        let value = |codes: &crate::Codes| {
            let entries: Vec<_> = codes.column(i).iter().map(|(k, &z)| (k, 0, z)).collect();
            let codes = crate::Codes::from_triplets(dictionary.len(), 1, entries).ok()?;
            let point = Factorization::new(dictionary.clone(), codes, None).ok()?;
            Some(exact::objective(&single, &point))
        };
        let (Some(own), Some(best)) = (value(&encoded.codes), value(rival.codes())) else { continue };
        // In two factors: a square of the smallest lengths underflows.
        let size = ex(length(&point));
        let room = ex(encoded.gaps[i]) + ex(CODE_ROUNDING) * size.square().half() + ex(f64::MIN_POSITIVE);
        report.at_most(instance, Claim::EncodeGap, &(own - best), &room, "what codes gain and the gap");
    }
}

/// The bound for common atoms against every point whose atoms are as common.
fn participations(instance: &Instance, points: &[Valued], rng: &mut ChaCha8Rng, report: &mut Report) {
    let problem = &instance.problem;
    if problem.gamma() > 0.0 || !rng.random_bool(SEARCHED) {
        return;
    }
    let chosen = &points[rng.random_range(0..points.len())].point;
    let Ok(subject) = Subject::of(problem, chosen) else { return };
    let Some(least) = participation::LeastParticipation::of(&subject) else { return };
    let p = crate::num::min(least.lower.get(), 1.0);
    let search = Participation {
        column_generation: ColumnGeneration {
            max_rounds: ROUNDS,
            ..Participation::default().column_generation
        },
        bounding: Bounding::Relaxation,
    };
    let Ok(bound) = search.bound(problem, p) else { return };
    for valued in points.iter().filter(|v| as_common(problem, &v.point, p)) {
        let lower = ex(bound.lower.get());
        report.at_most(
            instance,
            Claim::Participation,
            &lower,
            &valued.value,
            "participation bound and a point",
        );
    }
}

/// Whether `(Σ wz)² ≥ p Σ wz²` for every code row in use, exactly.
fn as_common(problem: &Problem, point: &Factorization, p: f64) -> bool {
    let w = problem.data().weights();
    point.codes().rows().iter().all(|row| {
        let mass = Exact::sum(row.iter().map(|(i, z)| ex(w[i]) * ex(z)));
        let energy = Exact::sum(row.iter().map(|(i, z)| ex(w[i]) * ex(z).square()));
        mass.square() >= ex(p) * energy
    })
}

/// The bound for a number of atoms, from evidence that is searched for and from any, against
/// every point of at most as many.
fn widths(
    instance: &Instance,
    points: &[Valued],
    effort: &Effort,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    let problem = &instance.problem;
    let mut lines = Vec::new();
    if rng.random_bool(SEARCHED) {
        let rough = ColumnGeneration { max_rounds: ROUNDS, ..WidthBound::default().column_generation };
        let whole = if rng.random_bool(0.5) { usize::MAX } else { 6 };
        let search = WidthBound { column_generation: rough, whole, part: 4, ..WidthBound::default() };
        let found = search.search(problem, instance.width, &Run::default()).ok().flatten();
        lines.extend(found.and_then(|split| width::line(problem, &split)));
    }
    // Residuals of some point, longer or shorter, with whatever is nonnegative.
    let residuals = naive::residuals(problem, &points[rng.random_range(0..points.len())].point);
    let (factor, size) = (rng.random_range(0.8..1.5), problem.lambda() * problem.lambda());
    let dual = Matrix::from_fn(problem.dim(), problem.len(), |j, i| factor * residuals.get(j, i));
    // Of all pairs, or of those within parts of the datapoints.
    let rows = if rng.random_bool(0.5) { problem.len() } else { rng.random_range(1..=problem.len()) };
    let slack = Matrix::from_fn(rows, problem.len(), |_, _| size * rng.random_range(0.0..0.5));
    lines.extend(width::line(problem, &WidthSplit { dual: dual.clone(), slack: None }));
    // In few dimensions cones give the smaller price: the split is tried beside zeros.
    let pad = |columns: &Matrix| {
        let entry = |j: usize, i: usize| if j < columns.nrows() { columns.get(j, i) } else { 0.0 };
        Matrix::from_fn(columns.nrows().max(NO_CONES), columns.ncols(), entry)
    };
    let beside = Problem::builder(pad(&problem.data().datapoints().as_matrix()))
        .lambda(problem.lambda())
        .gamma(problem.gamma())
        .centered(problem.centered())
        .weights(problem.data().weights().to_vec())
        .build();
    let split = WidthSplit { dual: pad(&dual), slack: Some(slack) };
    // Normalized again, weights may differ in a last bit: it would be another problem.
    let beside = beside.ok().filter(|beside| beside.data().weights() == problem.data().weights());
    lines.extend(beside.and_then(|beside| width::line(&beside, &split)));
    // A goal on either side of what is attained.
    let attained = naive::objective(problem, &points[rng.random_range(0..points.len())].point);
    let goal = Goal { levels: LEVELS, ..Goal::new(instance.width, attained * rng.random_range(0.5..1.5)) };
    let planar = planar::prove(problem, &goal, &());
    if lines.is_empty() && planar.is_none() {
        return;
    }
    let mut narrow: Vec<Factorization> = Vec::new();
    for width in 0..=instance.width {
        let start = rivals::random(problem, width, rng);
        narrow.extend(
            start.iter().flat_map(|start| rivals::of_width(problem, start, effort, rng)).collect::<Vec<_>>(),
        );
    }
    let narrow: Vec<Valued> = narrow.into_iter().map(|point| Valued::of(problem, point)).collect();
    for valued in points.iter().chain(&narrow) {
        let used = valued.point.codes().rows().iter().filter(|row| !row.is_empty()).count();
        for line in &lines {
            let lower = ex(line.at(used).get());
            report.at_most(instance, Claim::Width, &lower, &valued.value, "bound of a width and a point");
        }
        if let Some(planar) = planar.as_ref().filter(|planar| used <= planar.goal.width) {
            let lower = ex(planar.lower.get());
            report.at_most(instance, Claim::Width, &lower, &valued.value, "bound of a plane and a point");
        }
    }
}
