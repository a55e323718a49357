//! No problem, however odd its numbers, makes a solver or the checker panic, or certify
//! what cannot be: every number is finite, bounds are in order, and the relative gap lies
//! between 0 and 1. Limits keep a run to milliseconds; what it finds need not be good.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widedict::certificate::Options;
use widedict::trusted::local;
use widedict::{
    Bounding, Certified, Codes, ColumnGeneration, Dictionary, Factorization, Finite, Matrix, Problem, wide,
};

/// Numbers from bytes: most are tame, some are whatever eight bytes say.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn below(&mut self, count: u8) -> usize {
        usize::from(self.byte() % count)
    }

    fn number(&mut self) -> f64 {
        let kind = self.byte();
        let tame = (f64::from(self.byte()) - 128.0) / 64.0;
        match kind % 16 {
            0 => f64::from_bits((0..8).fold(0, |bits, _| bits << 8 | u64::from(self.byte()))),
            1 => tame * 10.0_f64.powi(i32::from(self.byte()) * 2 - 256),
            2 => tame.next_up(),
            3 => 0.0,
            _ => tame,
        }
    }

    fn size(&mut self) -> f64 {
        self.number().abs()
    }
}

fn problem(from: &mut Numbers<'_>) -> Option<Problem> {
    let (dim, len) = (1 + from.below(3), 1 + from.below(5));
    let settings = from.byte();
    let x = Matrix::from_fn(dim, len, |_, _| from.number());
    let mut builder = Problem::builder(x).lambda(from.size()).centered(settings & 1 == 1);
    if settings & 2 == 2 {
        builder = builder.gamma(from.size());
    }
    if settings & 4 == 4 {
        builder = builder.weights((0..len).map(|_| from.size()).collect::<Vec<f64>>());
    }
    builder.build().ok()
}

fn factorization(problem: &Problem, width: usize, from: &mut Numbers<'_>) -> Option<Factorization> {
    let atoms = Matrix::from_fn(problem.dim(), width, |_, _| from.number());
    let (dictionary, _) = Dictionary::normalize(atoms).ok()?;
    let codes = Codes::from_dense(&Matrix::from_fn(width, problem.len(), |_, _| from.size())).ok()?;
    let center = problem.centered().then(|| (0..problem.dim()).map(|_| from.number()).collect());
    Factorization::new(dictionary, codes, center).ok()
}

fn solved(problem: &Problem, from: &mut Numbers<'_>) -> Option<Certified> {
    let width = 1 + from.below(3);
    let options = Options { local: Some(local::Limits::default()), ..Options::default() };
    let solution = match from.below(4) {
        0 => wide::closed_form(problem).ok()?,
        1 => {
            let solver = ColumnGeneration { max_rounds: 4, max_sweeps: 10, ..ColumnGeneration::default() };
            solver.solve(problem).ok()?
        }
        2 => Finite { max_iterations: 20, ..Finite::new(width) }.solve(problem).ok()?,
        _ => {
            let point = factorization(problem, width, from)?;
            return Some(Bounding::Fast.certify(problem, point, &options, &()).ok()?.certified);
        }
    };
    Some(solution.certified)
}

fuzz_target!(|bytes: &[u8]| {
    let mut from = Numbers(bytes);
    let Some(problem) = problem(&mut from) else { return };
    let Some(certified) = solved(&problem, &mut from) else { return };
    let certificate = certified.certificate();
    let (lower, upper) = (certificate.lower_bound().get(), certificate.upper().get());
    assert!(lower.is_finite() && upper.is_finite() && certificate.objective().is_finite());
    assert!(0.0 <= lower && lower <= upper, "{lower:e} {upper:e}");
    assert!(certificate.objective() >= 0.0 && certificate.gap() >= 0.0);
    assert!((0.0..=1.0).contains(&certificate.relative_gap()), "{}", certificate.relative_gap());
    assert!(!certificate.kkt().relative().is_nan());
    let point = certified.solution();
    for i in 0..problem.len() {
        assert!(point.codes().column(i).iter().all(|(_, z)| z.is_finite() && *z >= 0.0));
    }
    assert!(point.dictionary().matrix().as_slice().iter().all(|d| d.is_finite()));
    assert!(point.center().is_none_or(|b| b.iter().all(|b| b.is_finite())));
});
