//! What two or more functions of AMI Bakery need: the request and its plan, names, readiness of images, errors,
//! AWS clients, and the runner that every function's `main` hands over to.

pub mod aws;
pub mod cost;
#[cfg(feature = "kms")]
pub mod delegated_grants;
pub mod error;
pub mod form;
#[cfg(feature = "kms")]
pub mod grants;
pub mod ids;
#[cfg(feature = "ec2")]
pub mod images;
#[cfg(feature = "ec2")]
pub mod instances;
pub mod key_errors;
pub mod ledger;
#[cfg(feature = "ssm")]
pub mod limits;
mod log;
pub mod names;
pub mod outcome;
#[cfg(feature = "ec2")]
pub mod permissions;
pub mod plan;
pub mod prediction;
pub mod provenance;
pub mod readiness;
pub mod receivers;
#[cfg(feature = "ec2")]
pub mod removal;
pub mod request;
pub mod revoke;
pub mod runner;
pub mod schema;
pub mod settings;
#[cfg(feature = "s3")]
pub mod store;
pub mod time;

pub use aws::{Aws, Clients, Place};
pub use error::{Context, ErrorKind, StepError};
pub use runner::run;
