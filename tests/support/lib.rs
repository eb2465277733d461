//! What several tests need.

pub mod asl;
pub mod bucket;
pub mod local_aws;
pub mod looks;
pub mod mocks;
pub mod repository;
pub mod samples;
pub mod world;
