//! The state machine and the functions fit each other: what one sends the other reads, by name and by type.

mod asl;
mod errors;
mod payloads;
mod paths;
mod samples;
