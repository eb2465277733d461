//! A function's environment serves runs that began with different settings, one after the other: each enters a receiver's
//! account as it began.

use ami_bakery_tests::local_aws::RECEIVERS;
use ami_bakery_tests::samples::{at, here, id};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::test_util::infallible_client_fn;
use bakery::settings::{ReceiverRole, RunSettings};
use bakery::{Aws, Clients, Place};
use std::sync::{Arc, Mutex};

/// What STS answers, <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>, with an end far away.
const ANSWER: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>key</AccessKeyId><SecretAccessKey>\
    secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
    </AssumeRoleResult></AssumeRoleResponse>";

#[tokio::test]
async fn each_role_and_external_id_has_a_session_of_its_own() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        heard.lock().expect("nobody panics").push(body);
        http::Response::builder().status(200).body(ANSWER).expect("an answer")
    });
    let credentials = Credentials::new("owner", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(here().region.as_str().to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .build();
    let aws = Arc::new(Aws::new(config, here(), "ami-bakery-copy".to_owned()));
    let kms = Clients::new(&aws, aws_sdk_kms::Client::new);
    let receiver = Place { account_id: id(RECEIVERS[0]), ..here() };
    let runs = [("Old", ""), ("New", ""), ("New", "a:b"), ("Old", ""), ("New", "a:b")];
    for (role, external_id) in runs {
        aws.settings().set(Some(RunSettings {
            receiver_role_arn: ReceiverRole::new(format!("arn:aws:iam::*:role/{role}")),
            external_id: external_id.to_owned(),
        }));
        kms.at(&receiver, at(0)).await.expect("it is let in");
    }
    let asked = asked.lock().expect("nobody panics");
    let has = |body: &str, role: &str, id: Option<&str>| {
        body.contains(&format!("role%2F{role}")) && id.map_or(!body.contains("ExternalId"), |id| body.contains(id))
    };
    assert_eq!(asked.len(), 3, "one for each, and no more: {asked:?}");
    assert!(has(&asked[0], "Old", None) && has(&asked[1], "New", None), "{asked:?}");
    assert!(has(&asked[2], "New", Some("ExternalId=a%3Ab")), "{asked:?}");
}
