//! The stack's bucket: deliveries, results, reports, and the ledger of what is under way.
//!
//! | object | what it is |
//! |---|---|
//! | `open/<run>.json` | the ledger: what a run may touch, written before its first effect, removed by its report |
//! | `bakes/<bake id>/run.json` | which run has, or had last, the bake, and what its image is known by; by its id also an instance that is imaged, an image that is distributed |
//! | `hops/<golden image id>/<Region>/<image id>.json` | the owner's copies that receivers in the Region could copy from |
//! | `bakes/<bake id>/report.json` | the outcome, with every delivery |
//! | `runs/<run>/<Region>/deliveries.json` | what is planned |
//! | `runs/<run>/<Region>/failures/<index>.json` | why a delivery failed |
//! | `runs/<run>/<Region>/results.json` | how the deliveries ended |
//! | `receivers/…` | lists of receivers, put there by people, for `ReceiversFrom` |
//! | `shared/<Region>/<image id>.json` | the permissions that an image had before it was first shared |
//! | `audits/<run>.json` | what an audit has found |
//! | `standing/<golden image id>/<Region>.json` | the permissions that were given to stay |

use crate::ids::{BakeId, ImageId, Region};
use crate::{Context, ErrorKind, Place, StepError};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub fn ledger_key(run: &BakeId) -> String {
    format!("open/{run}.json")
}

pub fn claim_key(bake: &BakeId) -> String {
    format!("bakes/{bake}/run.json")
}

pub fn report_key(bake: &BakeId) -> String {
    format!("bakes/{bake}/report.json")
}

pub fn deliveries_key(run: &BakeId, region: &Region) -> String {
    format!("runs/{run}/{region}/deliveries.json")
}

pub fn failure_key(run: &BakeId, region: &Region, index: usize) -> String {
    format!("runs/{run}/{region}/failures/{index}.json")
}

pub fn results_key(run: &BakeId, region: &Region) -> String {
    format!("runs/{run}/{region}/results.json")
}

pub fn audit_key(run: &BakeId) -> String {
    format!("audits/{run}.json")
}

pub fn sharing_key(region: &Region, image: &ImageId) -> String {
    format!("{}{image}.json", sharing_prefix(region))
}

/// The owner's copies of an image that receivers in a Region could copy from are under this.
pub fn hops_prefix(golden: &ImageId, region: &Region) -> String {
    format!("hops/{golden}/{region}/")
}

pub fn hop_key(golden: &ImageId, region: &Region, hop: &ImageId) -> String {
    format!("{}{hop}.json", hops_prefix(golden, region))
}

/// The image that the name of an object tells.
pub fn image_of_key(key: &str) -> Option<ImageId> {
    ImageId::try_from(key.rsplit('/').next()?.strip_suffix(".json")?).ok()
}

/// The records of all images that are shared in a Region begin with this.
pub fn sharing_prefix(region: &Region) -> String {
    format!("shared/{region}/")
}

/// All that stands of an image begins with this.
pub fn standing_prefix(golden: &ImageId) -> String {
    format!("standing/{golden}/")
}

pub fn standing_key(golden: &ImageId, region: &Region) -> String {
    format!("{}{region}.json", standing_prefix(golden))
}

/// JSON objects in the stack's bucket.
#[derive(Clone)]
pub struct Store {
    client: Client,
    bucket: String,
    here: Place,
}

/// An object and the version that was read.
pub struct Stored<T> {
    pub value: T,
    pub etag: String,
}

impl Store {
    pub fn new(client: Client, bucket: String, here: Place) -> Self {
        Self { client, bucket, here }
    }

    /// The stack's bucket, with the function's own role.
    pub fn from_env(aws: &crate::Aws) -> Result<Self, StepError> {
        Ok(Self::new(Client::new(aws.config()), crate::settings::setting("BUCKET")?, aws.here().clone()))
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// An object as a person finds it.
    pub fn name(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// The object, or nothing if there is none.
    ///
    /// # Errors
    /// AWS's, and `Unexpected` when the object is not what this version writes.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Stored<T>>, StepError> {
        let answer = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let answer = match answer.doing("s3:GetObject", self.name(key), &self.here) {
            Err(error) if error.is("NoSuchKey") => return Ok(None),
            answer => answer?,
        };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let bytes = answer.body.collect().await.map_err(|error| {
            StepError::new(ErrorKind::Unavailable, format!("Reading {} broke off: {error}.", self.name(key)))
        })?;
        let value = serde_json::from_slice(&bytes.into_bytes()).map_err(|error| {
            StepError::new(ErrorKind::Unexpected, format!("{} is not what AMI Bakery writes: {error}.", self.name(key)))
        })?;
        Ok(Some(Stored { value, etag }))
    }

    /// The object that must be there.
    ///
    /// # Errors
    /// As [`Store::get`], and `Unexpected` when there is none.
    pub async fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T, StepError> {
        self.get(key).await?.map(|stored| stored.value).ok_or_else(|| {
            StepError::new(ErrorKind::Unexpected, format!("{} is missing from the stack's bucket.", self.name(key)))
        })
    }

    pub async fn put(&self, key: &str, value: &impl Serialize) -> Result<(), StepError> {
        self.write(key, value, |put| put).await.map(|_| ())
    }

    /// Writes the object unless there is one; false if there is.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
    pub async fn create(&self, key: &str, value: &impl Serialize) -> Result<bool, StepError> {
        self.write(key, value, |put| put.if_none_match("*")).await
    }

    /// Writes over the version that was read; false if another was written meanwhile.
    pub async fn replace(&self, key: &str, etag: &str, value: &impl Serialize) -> Result<bool, StepError> {
        self.write(key, value, |put| put.if_match(etag)).await
    }

    async fn write(
        &self,
        key: &str,
        value: &impl Serialize,
        condition: impl FnOnce(
            aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder,
        ) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder,
    ) -> Result<bool, StepError> {
        let body = serde_json::to_vec(value).map_err(|e| StepError::new(ErrorKind::Unexpected, e.to_string()))?;
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(body));
        match condition(put).send().await.doing("s3:PutObject", self.name(key), &self.here) {
            Ok(_) => Ok(true),
            Err(error) if error.is("PreconditionFailed") => Ok(false),
            // Two conditional writes met; the other one may yet fail, so look again.
            Err(error) if error.is("ConditionalRequestConflict") => Err(error.as_kind(ErrorKind::Unavailable)),
            Err(error) => Err(error),
        }
    }

    /// The keys that begin with this.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StepError> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.doing("s3:ListBucket", self.name(prefix), &self.here)?;
            keys.extend(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
        }
        Ok(keys)
    }

    /// What receivers in a Region could copy from, of an image: that itself, and its hops there, gone ones included.
    ///
    /// # Errors
    /// AWS's.
    pub async fn sources(&self, golden: &ImageId, region: &Region) -> Result<Vec<ImageId>, StepError> {
        let hops = self.list(&hops_prefix(golden, region)).await?;
        Ok([golden.clone()].into_iter().chain(hops.iter().filter_map(|key| image_of_key(key))).collect())
    }

    /// Removes the object; gone already is success.
    pub async fn remove(&self, key: &str) -> Result<(), StepError> {
        let answer = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        answer.doing("s3:DeleteObject", self.name(key), &self.here).map(|_| ())
    }
}
