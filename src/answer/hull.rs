//! Whether a stationary point can have the codes that are certified (theorem `hull-condition`).

use crate::diagnose::{HullOptions, HullReport, hull};
use crate::io::Rows;
use crate::trusted::hull::Demands;
use crate::{Bounding, Factorization, Observer, Problem};

/// Atoms whose distances are listed.
const LISTED: usize = 10;

/// Whether anything is searched for where these are asked for: no bound and no local test mean no
/// search of any kind.
#[must_use]
pub fn asked(bounding: Bounding, local: bool) -> bool {
    bounding != Bounding::None || local
}

/// The worst of at most so many atoms, their datapoints named by their rows in the data; none
/// where the observer stops it.
pub fn of(
    problem: &Problem,
    point: &Factorization,
    rows: &Rows,
    max_atoms: usize,
    observer: &dyn Observer,
) -> Option<HullReport> {
    let (dictionary, codes) = (point.dictionary(), point.codes());
    let weights = problem.data().weights();
    let demands = Demands::new(weights, problem.penalty(), problem.centered(), dictionary, codes);
    let options = HullOptions { max_atoms, ..HullOptions::default() };
    let mut found = hull(&demands, codes, &options, observer)?.listing(LISTED);
    found.name_points(|point| rows.row(point));
    Some(found)
}
