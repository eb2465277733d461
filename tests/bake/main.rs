//! Whole bakes on the local AWS: the template itself, real binaries, the real runtime API, the real wire.

mod delivered;
mod keys;
mod refused;
mod regions;
mod relaunched;
mod repeated;
mod shared;
mod swept;
mod twice;
