//! The stack's bucket, kept in memory behind a mocked S3 client: conditional writes and all.

use crate::mocks::{self, MatchAny, answers, refused};
use crate::samples::here;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::delete_object::{DeleteObjectError, DeleteObjectOutput};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectInput, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Object;
use aws_smithy_mocks::mock;
use bakery::store::Store;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

pub const BUCKET: &str = "ami-bakery-111111111111";

/// Every handle is the same bucket.
#[derive(Clone, Default)]
pub struct Bucket(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    objects: BTreeMap<String, (String, Vec<u8>)>,
    /// Every write and removal, in order: `put <key>`, `remove <key>`, and what others note.
    changes: Vec<String>,
    /// What the next calls of an operation on a key are refused with.
    refusals: Vec<(&'static str, String, &'static str)>,
    /// What another run writes just before the next write.
    overtaken: Option<(String, Vec<u8>)>,
}

impl Bucket {
    /// Puts an object there, as an earlier call or run would have.
    pub fn with(self, key: &str, value: &impl Serialize) -> Self {
        self.write(key, bytes(value));
        self
    }

    /// Takes an object away.
    pub fn without(self, key: &str) -> Self {
        self.contents().objects.remove(key);
        self
    }

    /// From now on `operation` (`get`, `put`, `remove`) on the key is refused.
    pub fn refuse(&self, operation: &'static str, key: &str, code: &'static str) {
        self.contents().refusals.push((operation, key.to_owned(), code));
    }

    /// Another run writes this just before the next write to the key arrives.
    pub fn overtake(&self, key: &str, value: &impl Serialize) {
        self.contents().overtaken = Some((key.to_owned(), bytes(value)));
    }

    /// The object, if there is one.
    pub fn get(&self, key: &str) -> Option<Value> {
        let contents = self.contents();
        contents.objects.get(key).map(|(_, body)| serde_json::from_slice(body).expect("objects are JSON"))
    }

    pub fn keys(&self) -> Vec<String> {
        self.contents().objects.keys().cloned().collect()
    }

    /// Every write and removal so far, in order, and what was noted between them.
    pub fn changes(&self) -> Vec<String> {
        self.contents().changes.clone()
    }

    /// Notes what happens elsewhere, to show the order.
    pub fn note(&self, what: impl Into<String>) {
        self.contents().changes.push(what.into());
    }

    pub fn store(&self) -> Store {
        Store::new(self.client(), BUCKET.to_owned(), here())
    }

    fn client(&self) -> Client {
        let (get, put, remove, list) = (self.clone(), self.clone(), self.clone(), self.clone());
        let get = answers(mock!(Client::get_object), move |asked| {
            let key = asked.key().expect("a key");
            get.check("get", key).map_err(|code| GetObjectError::generic(refused(code)))?;
            let contents = get.contents();
            let Some((etag, body)) = contents.objects.get(key) else {
                return Err(GetObjectError::generic(refused("NoSuchKey")));
            };
            Ok(GetObjectOutput::builder().e_tag(etag).body(ByteStream::from(body.clone())).build())
        });
        let put = answers(mock!(Client::put_object), move |asked| put.put(asked));
        let remove = answers(mock!(Client::delete_object), move |asked| {
            let key = asked.key().expect("a key");
            remove.check("remove", key).map_err(|code| DeleteObjectError::generic(refused(code)))?;
            let mut contents = remove.contents();
            contents.objects.remove(key);
            contents.changes.push(format!("remove {key}"));
            Ok(DeleteObjectOutput::builder().build())
        });
        let list = answers(mock!(Client::list_objects_v2), move |asked| {
            let prefix = asked.prefix().unwrap_or_default();
            let contents = list.contents();
            let object = |key: &String| Object::builder().key(key).build();
            let found = contents.objects.keys().filter(|key| key.starts_with(prefix)).map(object).collect();
            Ok(ListObjectsV2Output::builder().set_contents(Some(found)).build())
        });
        mocks::s3(MatchAny, &[&get, &put, &remove, &list])
    }

    fn put(&self, asked: &PutObjectInput) -> Result<PutObjectOutput, PutObjectError> {
        let key = asked.key().expect("a key");
        self.check("put", key).map_err(|code| PutObjectError::generic(refused(code)))?;
        let overtaken = self.contents().overtaken.take_if(|(other, _)| other == key);
        if let Some((key, body)) = overtaken {
            self.write(&key, body);
        }
        let etag = self.contents().objects.get(key).map(|(etag, _)| etag.clone());
        let unlike = asked.if_match().is_some_and(|wanted| etag.as_deref() != Some(wanted));
        if unlike || (asked.if_none_match() == Some("*") && etag.is_some()) {
            return Err(PutObjectError::generic(refused("PreconditionFailed")));
        }
        self.write(key, asked.body().bytes().expect("the body is in memory").to_vec());
        self.note(format!("put {key}"));
        Ok(PutObjectOutput::builder().build())
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().expect("no test panicked")
    }

    fn check(&self, operation: &str, key: &str) -> Result<(), &'static str> {
        let contents = self.contents();
        let refusal = contents.refusals.iter().find(|(refused, of, _)| *refused == operation && of == key);
        refusal.map_or(Ok(()), |(_, _, code)| Err(code))
    }

    fn write(&self, key: &str, body: Vec<u8>) {
        let mut contents = self.contents();
        // As S3 has it: the same bytes, the same ETag.
        let etag = format!("\"{}\"", bakery::names::token(&[&String::from_utf8_lossy(&body)]));
        contents.objects.insert(key.to_owned(), (etag, body));
    }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it can be written")
}
