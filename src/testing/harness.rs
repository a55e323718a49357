//! Checks that any solver must pass, whoever wrote it: hand over a closure and
//! problems; the first thing that does not hold comes back, named.

use std::fmt::Display;

use super::{dense_codes, naive};
use crate::certificate::{Options, Record};
use crate::{Certified, Factorization, Matrix, Problem, Solution, Witness, certify};

/// What a solver hands over: a certified factorization and what its bound rests on.
#[derive(Clone, Debug)]
pub struct Answer {
    certified: Certified,
    witness: Witness,
}

impl From<Certified> for Answer {
    fn from(certified: Certified) -> Self {
        Self { certified, witness: Witness::none() }
    }
}

impl From<Solution> for Answer {
    fn from(solution: Solution) -> Self {
        Self { certified: solution.certified, witness: solution.witness }
    }
}

/// What is asked of every answer beside what holds for any certificate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectations {
    /// Largest relative stationarity residual.
    pub stationarity: f64,
    /// Largest certified relative gap; infinite where none is promised.
    pub gap: f64,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Problems solved and checked.
    pub problems: usize,
    /// Alterations made, each of them rejected.
    pub alterations: usize,
    /// Largest relative stationarity residual.
    pub stationarity: f64,
    /// Largest certified relative gap.
    pub gap: f64,
}

/// A problem on which something did not hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("problem {problem}: {what}")]
pub struct Violation {
    /// Its place in the order given.
    pub problem: usize,
    /// What did not hold.
    pub what: String,
}

/// Relative room between a naive sum and the fast one: a few hundred roundings.
const ROUNDING: f64 = 1e-11;

/// Runs `solver` on every problem and checks what comes back: the objective and
/// the stationarity by their formulas, the bound on its side of the objective,
/// every number of the certificate by a second certification, and that a changed
/// code, atom, weight, objective or bound is rejected by name.
///
/// # Errors
/// The first [`Violation`].
pub fn verify_solver<A: Into<Answer>, E: Display>(
    solver: impl Fn(&Problem) -> Result<A, E>,
    problems: impl IntoIterator<Item = Problem>,
    expected: &Expectations,
) -> Result<Seen, Violation> {
    let mut seen = Seen::default();
    for (index, problem) in problems.into_iter().enumerate() {
        let violated = |what: String| Violation { problem: index, what };
        let answer: Answer = solver(&problem).map_err(|e| violated(e.to_string()))?.into();
        check(&problem, &answer, expected, &mut seen).map_err(violated)?;
        seen.problems += 1;
    }
    Ok(seen)
}

fn check(problem: &Problem, answer: &Answer, expected: &Expectations, seen: &mut Seen) -> Result<(), String> {
    let ask = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let (factorization, certificate) = (answer.certified.solution(), answer.certified.certificate());
    let objective = naive::objective(problem, factorization);
    let room = ROUNDING * (objective + energy(problem));
    ask(
        (certificate.objective() - objective).abs() <= room,
        "the objective is not that of the factorization",
    )?;
    ask(certificate.upper().get() >= objective - room, "the upper bound is below the objective")?;
    ask(certificate.lower_bound().get() <= objective + room, "the lower bound is above the objective")?;
    let stationarity = certificate.kkt().relative();
    ask(stationarity <= expected.stationarity, &format!("not stationary: {stationarity:e}"))?;
    ask(certificate.relative_gap() <= expected.gap, &format!("gap {:e}", certificate.relative_gap()))?;
    seen.stationarity = crate::num::max(seen.stationarity, stationarity);
    seen.gap = crate::num::max(seen.gap, certificate.relative_gap());

    // Made again from (problem, factorization, witness), the certificate is the same.
    let options = Options::default();
    let again =
        certify(problem, factorization.clone(), &answer.witness, &options).map_err(|e| e.to_string())?;
    ask(again.certificate().objective().to_bits() == certificate.objective().to_bits(), "another objective")?;
    let (lower, claimed) = (again.certificate().lower_bound().get(), certificate.lower_bound().get());
    ask(lower >= claimed * (1.0 - ROUNDING), "the bound is not proved again")?;
    let record = Record::new(problem, &again, &answer.witness, &options);
    let (factorization, witness) = (again.solution(), &answer.witness);
    let mut tamper = Tamper { problem, factorization, witness, record, alterations: 0 };
    let outcome = tamper.run();
    seen.alterations += tamper.alterations;
    outcome
}

fn energy(problem: &Problem) -> f64 {
    problem
        .data()
        .datapoints()
        .columns()
        .zip(problem.data().weights())
        .map(|(x, w)| w * naive::inner(&x, &x))
        .sum()
}

/// Changes one thing at a time; each must be rejected, by name.
struct Tamper<'a> {
    problem: &'a Problem,
    factorization: &'a Factorization,
    witness: &'a Witness,
    record: Record,
    /// Alterations that were rejected.
    alterations: usize,
}

/// Share by which a claimed number is changed: far above the room that a record leaves.
const CLAIM: f64 = 1e-6;

/// Claims below this are not changed: the change would underflow.
const SMALLEST_CLAIM: f64 = 1e-300;

/// What is added to a coordinate of an atom before it is brought to length 1 again.
const TURN: f64 = 1e-3;

/// Factor on a weight.
const REWEIGHTED: f64 = 1.001;

impl Tamper<'_> {
    fn verify(&self, record: &Record, problem: &Problem, factorization: Factorization) -> Result<(), String> {
        let verified = record.verify(problem, factorization, self.witness, &());
        verified.map(|_| ()).map_err(|mismatch| mismatch.to_string())
    }

    fn rejected(&mut self, name: &str, result: Result<(), String>) -> Result<(), String> {
        match result {
            Ok(()) => Err(format!("{name} changed and not noticed")),
            Err(why) if why.contains(name) => {
                self.alterations += 1;
                Ok(())
            }
            Err(why) => Err(format!("{name} changed and called: {why}")),
        }
    }

    fn run(&mut self) -> Result<(), String> {
        self.verify(&self.record, self.problem, self.factorization.clone())
            .map_err(|why| format!("a valid record is rejected: {why}"))?;
        self.claims()?;
        if self.factorization.width() > 0 {
            self.codes()?;
            // In one dimension an atom has nowhere to turn.
            if self.problem.dim() > 1 {
                self.atoms()?;
            }
        }
        if self.problem.len() > 1 { self.weights() } else { Ok(()) }
    }

    fn claims(&mut self) -> Result<(), String> {
        for name in ["objective", "lower_bound"] {
            let mut changed = self.record.clone();
            let mut meant = changed.claims.iter_mut().filter(|c| c.name == name && c.value > SMALLEST_CLAIM);
            let Some(claim) = meant.next() else { continue };
            claim.value *= 1.0 + CLAIM;
            let verified = self.verify(&changed, self.problem, self.factorization.clone());
            self.rejected(name, verified)?;
        }
        Ok(())
    }

    fn codes(&mut self) -> Result<(), String> {
        let mut codes = dense_codes(self.factorization);
        let at = codes.as_slice().iter().position(|z| *z > 0.0).unwrap_or(0);
        let code = &mut codes.as_mut_slice()[at];
        *code = *code * (1.0 + 4.0 * f64::EPSILON) + f64::MIN_POSITIVE;
        self.changed("codes", self.factorization.dictionary().matrix().clone(), &codes)
    }

    fn atoms(&mut self) -> Result<(), String> {
        let mut atoms = self.factorization.dictionary().matrix().clone();
        atoms.col_mut(0)[self.problem.dim() - 1] += TURN;
        self.changed("dictionary", atoms, &dense_codes(self.factorization))
    }

    /// The same center with other atoms or codes.
    fn changed(&mut self, name: &str, atoms: Matrix, codes: &Matrix) -> Result<(), String> {
        let center = self.factorization.center().map(<[f64]>::to_vec);
        let changed = super::factorization(atoms, codes, center).map_err(|e| e.to_string())?;
        let verified = self.verify(&self.record, self.problem, changed);
        self.rejected(name, verified)
    }

    fn weights(&mut self) -> Result<(), String> {
        let mut weights = self.problem.data().weights().to_vec();
        weights[0] *= REWEIGHTED;
        let changed = Problem::builder(self.problem.data().datapoints().clone())
            .lambda(self.problem.lambda())
            .gamma(self.problem.gamma())
            .centered(self.problem.centered())
            .weights(weights)
            .build()
            .map_err(|e| e.to_string())?;
        let verified = self.verify(&self.record, &changed, self.factorization.clone());
        self.rejected("weights", verified)
    }
}
