//! What goes wrong on AWS, at every task of the machine, and what must hold all the same: section 6 of the design.

mod combinations;
mod effects;
mod half_way;
mod invariants;
mod look;
mod recorded;
mod runner;
mod scenarios;
mod scene;
mod started;
mod storms;
mod sweeps;
mod table;
mod tasks;
