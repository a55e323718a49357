//! Hunts for false claims: `hunt [INSTANCES] [SEED] [DATAPOINTS]`.
//!
//! Adversarial instances are solved, certified and attacked: by points of another optimizer,
//! judged in exact arithmetic. Prints a table, a line a strategy and claim, and the failures,
//! each with the strategy and seed that repeat it. Ends with 1 where a claim failed. With a third
//! argument instances have up to so many datapoints, and their bounds are attacked.

use std::process::ExitCode;

use widedict::testing::hunt::{Effort, hunt, hunt_many};

/// What runs in some seconds.
const INSTANCES: usize = 100;

fn main() -> Result<ExitCode, std::num::ParseIntError> {
    let mut arguments = std::env::args().skip(1);
    let instances = arguments.next().map_or(Ok(INSTANCES), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let report = match arguments.next() {
        Some(most) => hunt_many(instances, seed, most.parse()?),
        None => hunt(instances, seed, &Effort::default()),
    };
    println!("{report}");
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
