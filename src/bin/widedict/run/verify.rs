//! `widedict verify`: everything that `--out` claims, proved again from its files and the
//! data.

use widedict::answer::verify::{Saved, VerifyError};

use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::VerifyArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::progress::Watch;

/// Reads everything, proves again, prints.
pub(super) fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let named = |error| match error {
        VerifyError::File(error) => error.into(),
        VerifyError::Refused(refusal) => refusal.into(),
        checkpoint @ VerifyError::Checkpoint => {
            Failure::Saved { path: args.folder.clone(), what: checkpoint.to_string() }
        }
    };
    let saved = Saved::read(&args.folder).map_err(named)?;
    let data = saved.has_record().then(|| input::read(&args.source, args.run.quiet)).transpose()?;
    let joined = saved.join(data).map_err(named)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let verification = on_threads(&args.run, || Ok(joined.verify(&watch)))?;
    watch.finish();
    output::answer(args.run.json, &verification, || verification.summary(&args.folder))?;
    Ok(Outcome::of(verification.verified))
}
