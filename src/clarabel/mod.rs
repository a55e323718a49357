//! Everything that speaks to clarabel: the [conic master](crate::master::Conic) and the
//! [semidefinite relaxation](crate::search::relaxation) state programs, this room runs
//! them.
//!
//! `lower` writes the program of codes over a dictionary by the places that `layout`
//! gives, `program` runs clarabel, `status` says what its run is worth, `lift` turns its
//! answer into codes and a dual point. `location` is the program of a center. Nothing that
//! clarabel says is believed: the certificate computes its own numbers.

pub(crate) mod layout;
pub(crate) mod lift;
pub(crate) mod location;
pub(crate) mod lower;
pub(crate) mod program;
mod status;
