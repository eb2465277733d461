//! Whole bakes on the local AWS: the template itself, real binaries, the real runtime API, the real wire.

mod costs;
mod delivered;
mod keys;
mod logs;
mod parameters;
mod partitions;
mod provenance;
mod refused;
mod regions;
mod relaunched;
mod repeated;
mod requests;
mod shared;
mod started;
mod swept;
mod twice;
mod upgraded;
