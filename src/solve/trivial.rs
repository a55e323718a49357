//! The factorization without atoms, which every solver falls back on.

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::problem::Problem;
use crate::trusted::Subject;

/// `factorization`, or the one without atoms (about the mean, where a center is learnt)
/// where that is no higher. For equal datapoints with a center it is the optimum, of
/// objective 0, while atoms whose codes are rounding cost something. O(n·nnz + nN).
pub(super) fn or_without_atoms(problem: &Problem, factorization: Factorization) -> Factorization {
    let Ok(bare) = without_atoms(problem) else { return factorization };
    let Ok(lower) = Subject::of(problem, &bare).map(|subject| subject.primal().value()) else {
        return factorization;
    };
    match Subject::of(problem, &factorization) {
        Ok(subject) if subject.primal().value() < lower => factorization,
        _ => bare,
    }
}

/// The factorization without atoms, about the mean where a center is learnt.
///
/// # Errors
/// As [`Factorization::new`]; none for the data of a problem.
pub(super) fn without_atoms(problem: &Problem) -> Result<Factorization, AtomsError> {
    let center = problem.centered().then(|| problem.data().mean());
    Factorization::new(Dictionary::empty(problem.dim()), Codes::from_rows(problem.len(), &[]), center)
}
