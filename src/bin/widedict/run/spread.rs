//! Data that are spread over the processes of a job: each reads its own rows.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use widedict::answer::input::{Input, Origin};
use widedict::gauge::Penalty;
use widedict::io::{Masked, RowStream, Rows, save_checkpoint};
use widedict::reduce::Share;
use widedict::{Codes, Datapoints, Factorization, Keeper, Matrix, Problem, datasets};

use super::input::{self, name, note, weights};
use crate::arguments::DataArgs;
use crate::failure::Failure;
use crate::output::checkpoints::Checkpoints;
use crate::ranks;

/// This process's part of the data; `None` where there is but one process.
///
/// The rows of `origin` are those of all processes; datapoints and weights are this one's.
pub(super) fn read(args: &DataArgs, quiet: bool) -> Result<Option<(Input, Share)>, Failure> {
    let Some(all) = ranks::all() else { return Ok(None) };
    ranks::refuse(args.max_norm_multiple.is_some(), "--max-norm-multiple")?;
    let cut = |rows: &Rows| Share::of(Arc::clone(all), rows.len());
    let quiet = quiet || !ranks::is_root();
    let Some(path) = &args.data else {
        let digits = datasets::digits();
        let share = cut(&Rows::all(digits.ncols()));
        let mine: Vec<usize> = positions(&share).collect();
        let rows = Rows::all(digits.ncols());
        return Ok(Some((
            joined(args, digits.select_columns(&mine).into(), None, rows, Masked::default()),
            share,
        )));
    };
    let opened = ranks::agree(open(path, args, quiet))?;
    let (stream, given, rows) = opened;
    let mut share = cut(&rows);
    let read = ranks::agree(mine(&stream, &rows, &share, args.skip_nonfinite))?;
    let mut points = read.0;
    let masked_by_weight = rows.of() - rows.len();
    // What is masked here is known to all, who cut again.
    let masked = share.broadcast(share.gather(read.1.iter().map(|row| *row as u64).collect()).concat());
    let mut kept = rows;
    if !masked.is_empty() {
        let dropped: Vec<usize> = masked.iter().filter_map(|row| usize::try_from(*row).ok()).collect();
        let left = (0..kept.len()).map(|i| kept.row(i)).filter(|row| dropped.binary_search(row).is_err());
        kept = Rows::kept(kept.of(), left.collect());
        share = cut(&kept);
        points = ranks::agree(mine(&stream, &kept, &share, false))?.0;
    }
    let masked = Masked {
        of: kept.of(),
        rows: kept.of() - kept.len(),
        weight: masked_by_weight,
        nonfinite: masked.len(),
        skip_nonfinite: args.skip_nonfinite,
        ..Masked::default()
    };
    let given = given.map(|given| positions(&share).map(|i| given[kept.row(i)]).collect());
    Ok(Some((joined(args, points, given, kept, masked), share)))
}

/// Reads the data, this process's part where there are several, and joins them to a problem.
pub(super) fn read_problem(
    args: &DataArgs,
    penalty: Penalty,
    centered: bool,
    quiet: bool,
) -> Result<(Problem, Origin), Failure> {
    match read(args, quiet)? {
        None => input::problem(input::read(args, quiet)?, penalty, centered),
        Some((input, share)) => {
            let built = widedict::answer::input::spread(input, Some(&share), penalty, centered);
            ranks::agree(built.map_err(Failure::from))
        }
    }
}

/// The numbers of this process's datapoints among all.
fn positions(share: &Share) -> std::ops::Range<usize> {
    share.first()..share.first() + share.len()
}

fn joined(
    args: &DataArgs,
    points: Datapoints,
    weights: Option<Vec<f64>>,
    rows: Rows,
    masked: Masked,
) -> Input {
    let masked = Masked { of: rows.of(), ..masked };
    let weights_name = args.weights.as_deref().map(|path| path.display().to_string());
    Input {
        points,
        weights,
        origin: Origin { name: name(args), weights_name, rows, masked, mean_norm: None },
    }
}

/// What a process knows before it reads numbers: the files, the weights of all rows, and the
/// rows whose weight is not 0.
type Opened = (RowStream, Option<Vec<f64>>, Rows);

fn open(path: &Path, args: &DataArgs, quiet: bool) -> Result<Opened, Failure> {
    let stream = RowStream::open(path, args.key.as_deref())?;
    note(path, stream.notes(), (stream.dim(), stream.len()), quiet);
    let given = args.weights.as_deref().map(|path| weights(path, stream.len())).transpose()?;
    let rows = match &given {
        None => Rows::all(stream.len()),
        Some(given) => Rows::kept(stream.len(), (0..given.len()).filter(|i| given[*i] > 0.0).collect()),
    };
    Ok((stream, given, rows))
}

/// Reads this process's rows. Those that are not finite are told where they may be masked, and
/// an error elsewhere.
fn mine(
    stream: &RowStream,
    rows: &Rows,
    share: &Share,
    skip_nonfinite: bool,
) -> Result<(Datapoints, Vec<usize>), Failure> {
    if share.is_empty() {
        return Ok((Matrix::zeros(stream.dim(), 0).into(), Vec::new()));
    }
    let part = rows.part(positions(share));
    let points = stream.take(&part)?;
    if !skip_nonfinite {
        stream.check_finite(&part, &points)?;
        return Ok((points, Vec::new()));
    }
    let finite = |i: &usize| points.col(*i).iter().all(|v| v.is_finite());
    let dropped = (0..points.ncols()).filter(|i| !finite(i)).map(|i| part.row(i)).collect();
    Ok((points, dropped))
}

/// Codes of all processes at the first one; `None` at the others.
pub(super) fn gathered<'c>(codes: &'c Codes, share: Option<&Share>) -> Option<Cow<'c, Codes>> {
    match share {
        None => Some(Cow::Borrowed(codes)),
        Some(share) => codes.gathered(share).map(Cow::Owned),
    }
}

/// A factorization with the codes of all processes, at the first one.
pub(super) fn whole(point: &Factorization, share: &Share) -> Result<Option<Factorization>, Failure> {
    let Some(codes) = point.codes().gathered(share) else { return Ok(None) };
    let center = point.center().map(<[f64]>::to_vec);
    let whole = Factorization::new(point.dictionary().clone(), codes, center);
    whole.map(Some).map_err(|error| widedict::SolveError::from(error).into())
}

/// A factorization of all datapoints with the codes of this process's alone.
pub(super) fn part(point: Factorization, share: &Share) -> Result<Factorization, Failure> {
    let (dictionary, codes, center) = point.into_parts();
    let columns: Vec<Vec<(usize, f64)>> =
        positions(share).map(|i| codes.column(i).iter().map(|(k, z)| (k, *z)).collect()).collect();
    let triplets = columns.into_iter().enumerate().flat_map(|(i, column)| {
        column.into_iter().map(move |(atom, value)| (atom, i, value)).collect::<Vec<_>>()
    });
    let codes = Codes::from_triplets(dictionary.len(), share.len(), triplets);
    let part = codes.and_then(|codes| Factorization::new(dictionary, codes, center));
    part.map_err(|error| widedict::SolveError::from(error).into())
}

/// Checkpoints of all processes, which the first one writes: what it wants, all hand over.
pub(super) struct Together<'a> {
    share: &'a Share,
    writes: Option<Checkpoints<'a>>,
    /// One offer at a time.
    offer: Mutex<()>,
}

impl<'a> Together<'a> {
    /// `writes` is the first process's.
    pub(super) fn new(problem: &'a Problem, writes: Option<Checkpoints<'a>>) -> Self {
        Self { share: problem.share(), writes, offer: Mutex::new(()) }
    }
}

impl Keeper for Together<'_> {
    fn wants(&self) -> bool {
        let wants = self.writes.as_ref().is_some_and(Keeper::wants);
        self.share.broadcast(vec![u64::from(wants)]) == [1]
    }

    fn keep(&self, factorization: &Factorization, objective: f64) {
        let _one = self.offer.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = whole(factorization, self.share);
        if let (Some(writes), Ok(Some(whole))) = (&self.writes, whole) {
            writes.keep(&whole, objective);
        }
    }
}

/// Writes what another run can go on from: the point of all processes, without claims.
pub(super) fn save(
    folder: &Path,
    problem: &Problem,
    whole: &Factorization,
    rows: &Rows,
) -> Result<(), Failure> {
    Ok(save_checkpoint(folder, problem, whole, Some(rows))?)
}
