//! Why nothing was answered, and the exit code that says so.

use std::io;
use std::path::PathBuf;

use widedict::SolveError;
use widedict::answer::input::Refusal;
use widedict::answer::participation::NotVanilla;
use widedict::answer::start::{Misfit, StartError};
use widedict::answer::wide::Unanswered;
use widedict::atoms::AtomsError;
use widedict::certificate::CertifyError;
use widedict::coder::CoderError;
use widedict::diagnose::{CompareError, DiagnoseError, MatchL0Error, StreamError};
use widedict::gauge::PenaltyError;
use widedict::io::FileError;
use widedict::io::sae::{EncodeError, FoldError, NoLambda};
use widedict::plot::PlotError;
use widedict::problem::DataError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An option that needs a feature this build has not.
    #[error("not available in this build: {0}")]
    Unavailable(&'static str),
    /// An option that one process alone can do.
    #[error("{0} is not distributed: leave --mpi out")]
    NotDistributed(&'static str),
    /// A failure that all processes of a job know of.
    #[error("{message}")]
    Agreed { code: u8, message: String },
    /// Another process of the job has failed.
    #[error("another process of the job has failed")]
    Elsewhere,
    #[error(transparent)]
    Penalty(#[from] PenaltyError),
    #[error("there is no command '{found}': widedict --help lists them")]
    NoCommand { found: String },
    #[error("--method closed-form needs --gamma 0, found {gamma}")]
    ClosedForm { gamma: f64 },
    #[error(transparent)]
    Participation(#[from] NotVanilla),
    #[error("--global needs --gamma 0 and a positive --lambda, found gamma {gamma}, lambda {lambda}")]
    Global { lambda: f64, gamma: f64 },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {error}", path.display())]
    System { path: PathBuf, error: io::Error },
    #[error("{}: its folder does not exist", path.display())]
    NoParent { path: PathBuf },
    #[error("{}: holds {found}, and --no-clobber was given", path.display())]
    Occupied { path: PathBuf, found: String },
    #[error("{}: {what}", path.display())]
    Saved { path: PathBuf, what: String },
    #[error("{}: every weight is 0, and a weight of 0 masks a row", path.display())]
    Weightless { path: PathBuf },
    #[error("{}: weight {row} must be a number at least 0, found {value}", path.display())]
    Weight { path: PathBuf, row: usize, value: f64 },
    #[error("{source_name}: {error}")]
    Data { source_name: String, error: DataError },
    #[error("{}: {error}", path.display())]
    Atoms { path: PathBuf, error: AtomsError },
    #[error("{}: expected {what} of dimension {expected}, found shape {found:?}{hint}", path.display())]
    Dimension { path: PathBuf, what: &'static str, expected: usize, found: Vec<usize>, hint: &'static str },
    #[error("{}: expected a row for every row of the data, {expected}, found {found}", path.display())]
    Beside { path: PathBuf, expected: usize, found: usize },
    #[error("{}: it is read, and would be replaced", path.display())]
    Replaced { path: PathBuf },
    #[error("{}: {error}", path.display())]
    Plot { path: PathBuf, error: PlotError },
    #[error("standard output: {0}")]
    Print(io::Error),
    #[error("no threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    #[error(transparent)]
    Solve(#[from] SolveError),
    #[error(transparent)]
    Coder(#[from] CoderError),
    #[error(transparent)]
    Certify(#[from] CertifyError),
    #[error("--lambda is needed: {0}")]
    NoLambda(NoLambda),
    #[error("{}: {error}{hint}", path.display())]
    Fold { path: PathBuf, error: FoldError, hint: &'static str },
    #[error("{path}: {error}")]
    Encode { path: String, error: EncodeError },
    #[error("{}: --sample: {error}; --points reads a part of the rows instead", path.display())]
    Stream { path: PathBuf, error: Box<StreamError> },
    #[error(transparent)]
    Diagnose(#[from] DiagnoseError),
    #[error("{option} is for codes that are searched for: give --exact too")]
    Searches { option: &'static str },
    #[error("{option} needs codes: {why}")]
    NoCodes { option: &'static str, why: String },
    #[error("--match-l0: {0}")]
    MatchL0(#[from] MatchL0Error),
    #[error("--compare: {0}")]
    Compare(#[from] CompareError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Penalty(error) => error.into(),
            Refusal::Data { error: DataError::Elsewhere, .. } => Self::Elsewhere,
            Refusal::Data { source_name, error } => Self::Data { source_name, error },
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::File(error) => error.into(),
            StartError::Misfit { path, error: Misfit::Atoms(error) } => Self::Atoms { path, error },
            StartError::Misfit { path, error } => Self::Saved { path, what: error.to_string() },
        }
    }
}

impl From<Unanswered> for Failure {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Solve(error) => error.into(),
            Unanswered::Refused(refusal) => refusal.into(),
        }
    }
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::MatchL0(MatchL0Error::Stopped(_)) => 1,
            Self::Agreed { code, .. } => *code,
            Self::Unavailable(_)
            | Self::NoCommand { .. }
            | Self::NotDistributed(_)
            | Self::Penalty(_)
            | Self::NoLambda(_)
            | Self::NoCodes { .. }
            | Self::Searches { .. }
            | Self::ClosedForm { .. }
            | Self::Participation(_)
            | Self::Global { .. } => 2,
            Self::File(_)
            | Self::System { .. }
            | Self::NoParent { .. }
            | Self::Stream { .. }
            | Self::Occupied { .. }
            | Self::Saved { .. }
            | Self::Weightless { .. }
            | Self::Weight { .. }
            | Self::Data { .. }
            | Self::Atoms { .. }
            | Self::Dimension { .. }
            | Self::Beside { .. }
            | Self::Replaced { .. }
            | Self::Plot { .. }
            | Self::Print(_)
            | Self::Encode { .. }
            | Self::Fold { .. }
            | Self::Compare(_)
            | Self::Threads(_) => 3,
            // Data that a method is not for.
            Self::Solve(SolveError::NotApplicable { .. }) => 3,
            Self::Elsewhere
            | Self::Solve(_)
            | Self::Coder(_)
            | Self::Certify(_)
            | Self::Diagnose(_)
            | Self::MatchL0(_) => 4,
        }
    }
}
