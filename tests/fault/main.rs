//! What goes wrong on AWS, at every task of the machine, and what must hold all the same: section 6 of the design.

mod combinations;
mod effects;
mod invariants;
mod look;
mod runner;
mod scenarios;
mod scene;
mod table;
mod tasks;
