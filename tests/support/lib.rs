//! What several tests need.

pub mod local_aws;
pub mod world;
