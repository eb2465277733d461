//! The state machine and the functions fit each other: what one sends the other reads, by name and by type.

mod errors;
mod partitions;
mod paths;
mod payloads;
mod picture;
mod samples;
mod schedule;
mod schema;
mod sessions;

use ami_bakery_tests::asl;
