//! `revoke` against a mocked KMS.

mod close;
mod delivery;
mod failed;

use ami_bakery_tests::mocks::{self, MatchAny, Sequential, answers, refused};
use ami_bakery_tests::samples::{IMAGE, KEYS, REVOKE_ROLE, STACK, delivery, here, id, region, run, settings};
use aws_sdk_kms::Client;
use aws_sdk_kms::operation::create_grant::{CreateGrantError, CreateGrantOutput};
use aws_sdk_kms::operation::list_grants::{ListGrantsError, ListGrantsOutput};
use aws_sdk_kms::operation::retire_grant::{RetireGrantError, RetireGrantOutput};
use aws_sdk_kms::operation::revoke_grant::{RevokeGrantError, RevokeGrantOutput};
use aws_sdk_kms::types::GrantListEntry;
use aws_smithy_mocks::{Rule, mock};
use bakery::grants::{Grant, Grants};
use bakery::plan::Failure;
use bakery::{ErrorKind, StepError};
use revoke::{Clients, Input, Output, handle};

const NAME: &str = "ami-bakery/ami-bakery/web-1/222222222222/us-east-1";

fn clients(kms: Client) -> Clients {
    let (kms, retiring) = (bakery::Clients::fixed(kms), REVOKE_ROLE.to_owned());
    Clients { grants: Grants { kms, stack: STACK.to_owned(), settings: settings(), retiring, here: here() } }
}

/// Exactly these calls, in this order.
async fn call(input: Input, kms: &[&Rule]) -> Result<Output, StepError> {
    let answer = handle(&clients(mocks::kms(Sequential, kms)), input).await;
    assert!(kms.iter().all(|rule| rule.num_calls() == 1), "a call is missing: {answer:?}");
    answer
}

/// The grants of one delivery, by their ids.
fn known(grants: &[(&str, &str)]) -> Input {
    let grant = |(key, grant): &(&str, &str)| Grant { kms_key_id: id(key), grant_id: (*grant).to_owned() };
    Input::Delivery {
        run: run("web-1"),
        delivery: delivery(),
        image_id: id(IMAGE),
        kms_key_ids: grants.iter().map(|(key, _)| id(key)).collect(),
        grants: Some(grants.iter().map(grant).collect()),
        failure: None,
    }
}

/// The grants of one delivery, whose ids are lost.
fn lost() -> Input {
    failed(None)
}

/// The same, of a delivery that has failed of this.
fn failed(error: Option<&str>) -> Input {
    let failure = |error: &str| Failure { error: error.to_owned(), cause: "why".to_owned(), also: None };
    Input::Delivery {
        run: run("web-1"),
        delivery: delivery(),
        image_id: id(IMAGE),
        kms_key_ids: vec![id(KEYS[0])],
        grants: None,
        failure: error.map(failure),
    }
}

fn close() -> Input {
    let run = run("web-1");
    Input::Close { region: region(&run, 2), run, kms_key_ids: vec![id(KEYS[0])] }
}

fn revokes(key: &'static str, grant: &'static str) -> Rule {
    mock!(Client::revoke_grant)
        .match_requests(move |asked| asked.key_id() == Some(key) && asked.grant_id() == Some(grant))
        .then_output(|| RevokeGrantOutput::builder().build())
}

fn revoke_refused(code: &'static str) -> Rule {
    mock!(Client::revoke_grant).then_error(move || RevokeGrantError::generic(refused(code)))
}

fn retires(grant: &'static str) -> Rule {
    mock!(Client::retire_grant)
        .match_requests(move |asked| asked.grant_id() == Some(grant))
        .then_output(|| RetireGrantOutput::builder().build())
}

fn retire_refused(code: &'static str) -> Rule {
    mock!(Client::retire_grant).then_error(move || RetireGrantError::generic(refused(code)))
}

/// A look for one grant by its id.
fn looks(grant: &'static str, there: bool) -> Rule {
    mock!(Client::list_grants)
        .match_requests(move |asked| asked.grant_id() == Some(grant))
        .then_output(move || page(if there { vec![(grant, NAME)] } else { Vec::new() }, None))
}

fn look_refused(code: &'static str) -> Rule {
    mock!(Client::list_grants).then_error(move || ListGrantsError::generic(refused(code)))
}

/// One page of all grants of the first key.
fn lists(grants: Vec<(&'static str, &'static str)>) -> Rule {
    mock!(Client::list_grants)
        .match_requests(|asked| asked.key_id() == Some(KEYS[0]) && asked.grant_id().is_none())
        .then_output(move || page(grants.clone(), None))
}

fn revoked(revoked: usize) -> Output {
    Output { revoked, strange: Vec::new() }
}

fn page(grants: Vec<(&str, &str)>, next: Option<&str>) -> ListGrantsOutput {
    let entry = |(id, name): (&str, &str)| {
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        GrantListEntry::builder().grant_id(id).set_name(name).build()
    };
    ListGrantsOutput::builder()
        .set_grants(Some(grants.into_iter().map(entry).collect()))
        .truncated(next.is_some())
        .set_next_marker(next.map(str::to_owned))
        .build()
}

fn creates(grant: &'static str) -> Rule {
    mock!(Client::create_grant)
        .match_requests(|asked| asked.name() == Some(NAME) && asked.key_id() == Some(KEYS[0]))
        .then_output(move || CreateGrantOutput::builder().grant_id(grant).build())
}

fn create_refused(code: &'static str) -> Rule {
    mock!(Client::create_grant).then_error(move || CreateGrantError::generic(refused(code)))
}
