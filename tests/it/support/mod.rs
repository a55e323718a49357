//! What the law tests share.

pub(crate) mod checks;
#[cfg(feature = "cli")]
pub(crate) mod command;
pub(crate) use widedict::testing::exact;
pub(crate) mod strategies;

use widedict::{ColumnGeneration, Factorization, Problem};

/// A point that is no optimum: where column generation stands after three rounds.
pub(crate) fn after_three_rounds(problem: &Problem) -> Factorization {
    let few = ColumnGeneration { max_rounds: 3, ..ColumnGeneration::default() };
    few.solve(problem).unwrap().certified.into_parts().0
}
