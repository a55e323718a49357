//! What each of clarabel's statuses is worth.
//!
//! A status is evidence about a run, never a verdict: it decides whether there is a
//! point to look at and how the run is said to have ended. What the point is worth
//! is computed from the iterate.

use clarabel::solver::SolverStatus;

use crate::observer::{Interrupt, Stop};

/// How a run that left a point to look at ended. Our programs have interior points on
/// both sides (`lower`, `location`, `relaxation`), so a claim of infeasibility is a
/// breakdown, whose name is given back.
pub(crate) fn outcome(status: SolverStatus, interrupt: Option<Interrupt>) -> Result<Stop, String> {
    Ok(match status {
        SolverStatus::Solved => Stop::ToleranceMet,
        // Its reduced tolerances are met, not ours; or it got no further.
        SolverStatus::AlmostSolved | SolverStatus::InsufficientProgress | SolverStatus::NumericalError => {
            Stop::Stalled
        }
        SolverStatus::MaxIterations => Stop::IterationLimit,
        SolverStatus::MaxTime => Stop::TimeLimit,
        SolverStatus::CallbackTerminated => interrupt.map_or(Stop::Cancelled, Stop::from),
        SolverStatus::Unsolved
        | SolverStatus::PrimalInfeasible
        | SolverStatus::DualInfeasible
        | SolverStatus::AlmostPrimalInfeasible
        | SolverStatus::AlmostDualInfeasible => return Err(status.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use clarabel::algebra::CscMatrix;
    use clarabel::solver::{DefaultSettings, SupportedConeT};

    use super::*;
    use crate::clarabel::program::Program;
    use crate::observer::Observer;
    use crate::solution::SolveError;

    fn settings() -> DefaultSettings<f64> {
        DefaultSettings { verbose: false, presolve_enable: false, ..DefaultSettings::default() }
    }

    /// `min ½p x² + q x` over `rows·x ≤ offsets`.
    fn line(p: f64, q: f64, rows: &[f64], offsets: &[f64]) -> Program {
        let quadratic = if p == 0.0 { CscMatrix::zeros((1, 1)) } else { CscMatrix::from(&[[p]]) };
        let constraints =
            CscMatrix::new(rows.len(), 1, vec![0, rows.len()], (0..rows.len()).collect(), rows.to_vec());
        Program {
            quadratic,
            linear: vec![q],
            constraints,
            offsets: offsets.to_vec(),
            cones: vec![SupportedConeT::NonnegativeConeT(rows.len())],
        }
    }

    /// A program with enough iterations to stop in between: `min Σ √…` of a cone.
    fn cone() -> Program {
        // min t + 0.1 x over ‖(x − 1, 3x + 2)‖ ≤ t.
        let constraints = CscMatrix::new(3, 2, vec![0, 2, 3], vec![1, 2, 0], vec![-1.0, -3.0, -1.0]);
        Program {
            quadratic: CscMatrix::zeros((2, 2)),
            linear: vec![0.1, 1.0],
            constraints,
            offsets: vec![0.0, -1.0, 2.0],
            cones: vec![SupportedConeT::SecondOrderConeT(3)],
        }
    }

    fn stop(program: &Program, settings: DefaultSettings<f64>) -> Result<Stop, SolveError> {
        program.solve_with(settings, &()).map(|raw| raw.stop)
    }

    fn breakdown(program: &Program, settings: DefaultSettings<f64>) -> String {
        match stop(program, settings) {
            Err(SolveError::Conic { status }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_solved_program() {
        let raw = line(1.0, -3.0, &[-1.0], &[0.0]).solve_with(settings(), &()).unwrap();
        assert_eq!(raw.stop, Stop::ToleranceMet);
        assert!((raw.x[0] - 3.0).abs() < 1e-6);
        assert_eq!(stop(&cone(), settings()), Ok(Stop::ToleranceMet));
    }

    #[test]
    fn limits() {
        let few = DefaultSettings { max_iter: 1, ..settings() };
        assert_eq!(stop(&cone(), few), Ok(Stop::IterationLimit));
        let short = DefaultSettings { time_limit: 1e-12, ..settings() };
        assert_eq!(stop(&cone(), short), Ok(Stop::TimeLimit));
    }

    #[test]
    fn an_observer_stops_it_and_is_named() {
        struct Says(Interrupt);
        impl Observer for Says {
            fn poll(&self) -> ControlFlow<Interrupt> {
                ControlFlow::Break(self.0)
            }
        }
        for (interrupt, expected) in
            [(Interrupt::TimeLimit, Stop::TimeLimit), (Interrupt::Cancelled, Stop::Cancelled)]
        {
            let raw = cone().solve_with(settings(), &Says(interrupt)).unwrap();
            assert_eq!((raw.stop, raw.iterations), (expected, 0));
        }
    }

    #[test]
    fn claims_of_infeasibility_are_breakdowns() {
        // x ≤ −1 and x ≥ 0.
        let empty = line(0.0, 1.0, &[1.0, -1.0], &[-1.0, 0.0]);
        assert_eq!(breakdown(&empty, settings()), "PrimalInfeasible");
        // min −x over x ≥ 0.
        let unbounded = line(0.0, -1.0, &[-1.0], &[0.0]);
        assert_eq!(breakdown(&unbounded, settings()), "DualInfeasible");
        // Tolerances that cannot be met, while the reduced ones are.
        let strict = DefaultSettings { tol_infeas_abs: 1e-300, tol_infeas_rel: 1e-300, ..settings() };
        for (program, expected) in [(&empty, "AlmostPrimalInfeasible"), (&unbounded, "AlmostDualInfeasible")]
        {
            let found = breakdown(program, strict.clone());
            assert!(found == expected || expected.ends_with(&found), "{found}");
        }
    }

    #[test]
    fn tolerances_that_cannot_be_met_end_in_a_stall() {
        let reduced =
            DefaultSettings { tol_gap_abs: 1e-300, tol_gap_rel: 1e-300, tol_feas: 1e-300, ..settings() };
        let raw = cone().solve_with(reduced.clone(), &()).unwrap();
        assert_eq!(raw.stop, Stop::Stalled);
        let none = DefaultSettings {
            reduced_tol_gap_abs: 1e-300,
            reduced_tol_gap_rel: 1e-300,
            reduced_tol_feas: 1e-300,
            ..reduced
        };
        let raw = cone().solve_with(none, &()).unwrap();
        assert!(matches!(raw.stop, Stop::Stalled | Stop::IterationLimit));
    }

    #[test]
    fn numbers_that_are_none_are_a_breakdown() {
        assert!(stop(&line(1.0, f64::NAN, &[-1.0], &[0.0]), settings()).is_err());
        assert!(stop(&line(1.0, 1.0, &[-1.0], &[f64::NAN]), settings()).is_err());
    }

    #[test]
    fn bad_input_is_a_breakdown() {
        let mut program = cone();
        program.offsets.pop();
        assert!(breakdown(&program, settings()).contains("input"));
        let bad = DefaultSettings { direct_solve_method: "none such".to_owned(), ..settings() };
        assert!(!breakdown(&cone(), bad).is_empty());
    }

    #[test]
    fn every_status_has_its_meaning() {
        let every = [
            (SolverStatus::Unsolved, None),
            (SolverStatus::Solved, Some(Stop::ToleranceMet)),
            (SolverStatus::PrimalInfeasible, None),
            (SolverStatus::DualInfeasible, None),
            (SolverStatus::AlmostSolved, Some(Stop::Stalled)),
            (SolverStatus::AlmostPrimalInfeasible, None),
            (SolverStatus::AlmostDualInfeasible, None),
            (SolverStatus::MaxIterations, Some(Stop::IterationLimit)),
            (SolverStatus::MaxTime, Some(Stop::TimeLimit)),
            (SolverStatus::NumericalError, Some(Stop::Stalled)),
            (SolverStatus::InsufficientProgress, Some(Stop::Stalled)),
            (SolverStatus::CallbackTerminated, Some(Stop::Cancelled)),
        ];
        for (status, expected) in every {
            assert_eq!(outcome(status, None).ok(), expected, "{status}");
        }
        let interrupted = outcome(SolverStatus::CallbackTerminated, Some(Interrupt::TimeLimit));
        assert_eq!(interrupted.unwrap(), Stop::TimeLimit);
    }
}
