//! `grant-key` against a mocked KMS.

use ami_bakery_tests::mocks::{self, MatchAny, Sequential, answers, refused};
use ami_bakery_tests::samples::{IMAGE, KEYS, REVOKE_ROLE, STACK, at, delivery, here, id, run, settings};
use aws_sdk_kms::Client;
use aws_sdk_kms::operation::create_grant::{CreateGrantError, CreateGrantInput, CreateGrantOutput};
use aws_sdk_kms::operation::list_grants::ListGrantsOutput;
use aws_sdk_kms::operation::revoke_grant::{RevokeGrantError, RevokeGrantOutput};
use aws_sdk_kms::types::GrantListEntry;
use aws_smithy_mocks::{Rule, mock};
use bakery::grants::{Grant, Grants};
use bakery::limits::LimitsParameter;
use bakery::plan::{Delivery, Route};
use bakery::{ErrorKind, StepError};
use grant_key::{Clients, Input, Output, handle};
use std::sync::{Arc, Mutex};

fn clients(kms: Client) -> Clients {
    allowed(kms, mocks::allowing("*", true))
}

fn allowed(kms: Client, limits: LimitsParameter) -> Clients {
    let (kms, retiring) = (bakery::Clients::fixed(kms), REVOKE_ROLE.to_owned());
    let grants = Grants { kms, stack: STACK.to_owned(), settings: settings(), retiring, here: here() };
    Clients { grants, limits }
}

fn input(keys: &[&str]) -> Input {
    Input {
        run: run("web-1"),
        delivery: delivery(),
        image_id: id(IMAGE),
        kms_key_ids: keys.iter().copied().map(id).collect(),
        now: at(300),
    }
}

/// What KMS promises: everything the same, the same grant; anything else, another.
fn grant_id(asked: &CreateGrantInput) -> String {
    let asked = (asked.key_id(), asked.name(), asked.grantee_principal(), asked.operations());
    bakery::names::token(&[&format!("{asked:?}")])
}

fn kms() -> Rule {
    answers(mock!(Client::create_grant), |asked| {
        Ok(CreateGrantOutput::builder().grant_id(grant_id(asked)).grant_token("secret").build())
    })
}

async fn refusal(code: &'static str) -> StepError {
    let create = mock!(Client::create_grant).then_error(|| CreateGrantError::generic(refused(code)));
    handle(&clients(mocks::kms(Sequential, &[&create])), input(&KEYS[..1])).await.expect_err(code)
}

#[tokio::test]
async fn an_image_that_is_not_encrypted_costs_no_call() {
    let create = kms();
    let output = handle(&clients(mocks::kms(MatchAny, &[&create])), input(&[])).await.expect("nothing to grant");
    assert_eq!(output, Output { grants: Vec::new() });
    assert_eq!(create.num_calls(), 0);
}

#[tokio::test]
async fn each_key_is_granted_once_in_the_order_of_the_keys() {
    let create = kms();
    let output = handle(&clients(mocks::kms(MatchAny, &[&create])), input(&KEYS)).await.expect("both are granted");
    assert_eq!(create.num_calls(), 2);
    let keys: Vec<_> = output.grants.iter().map(|grant| grant.kms_key_id.as_str()).collect();
    assert_eq!(keys, KEYS);
    assert_ne!(output.grants[0].grant_id, output.grants[1].grant_id);
}

#[tokio::test]
async fn the_grant_is_for_the_receivers_role_and_no_more_than_a_copy_needs() {
    let create = mock!(Client::create_grant)
        .match_requests(|asked| {
            let operations: Vec<_> = asked.operations().iter().map(|operation| operation.as_str()).collect();
            asked.key_id() == Some(KEYS[0])
                && asked.name() == Some("ami-bakery/ami-bakery/web-1/222222222222/us-east-1")
                && asked.grantee_principal() == Some("arn:aws:iam::222222222222:role/AmiBakeryReceiver")
                && asked.retiring_principal() == Some(REVOKE_ROLE)
                && asked.dry_run().is_none()
                && operations
                    == [
                        "DescribeKey",
                        "CreateGrant",
                        "Decrypt",
                        "ReEncryptFrom",
                        "ReEncryptTo",
                        "GenerateDataKey",
                        "GenerateDataKeyWithoutPlaintext",
                    ]
        })
        .then_output(|| CreateGrantOutput::builder().grant_id("0123").grant_token("secret").build());
    let output = handle(&clients(mocks::kms(Sequential, &[&create])), input(&KEYS[..1])).await.expect("it is granted");
    assert_eq!(output.grants, [Grant { kms_key_id: id(KEYS[0]), grant_id: "0123".to_owned() }]);
    let told = serde_json::to_string(&output).expect("it can be written");
    assert!(!told.contains("secret"), "a grant token is a credential: {told}");
}

#[tokio::test]
async fn done_twice_it_asks_for_the_same_grant_to_the_letter() {
    let create = kms();
    let clients = clients(mocks::kms(MatchAny, &[&create]));
    let first = handle(&clients, input(&KEYS)).await.expect("granted");
    let second = handle(&clients, input(&KEYS)).await.expect("granted already");
    assert_eq!(first, second);
}

#[tokio::test]
async fn another_run_asks_for_another_grant() {
    let clients = clients(mocks::kms(MatchAny, &[&kms()]));
    let first = handle(&clients, input(&KEYS[..1])).await.expect("granted");
    let again = Input { run: run("web-2"), ..input(&KEYS[..1]) };
    assert_ne!(handle(&clients, again).await.expect("granted"), first);
}

#[tokio::test]
async fn a_role_made_a_moment_ago_is_not_visible_yet() {
    assert_eq!(refusal("InvalidArnException").await.kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn what_kms_says_decides_the_kind_of_the_error() {
    for (code, kind) in [
        ("ThrottlingException", ErrorKind::Throttled),
        ("KMSInternalException", ErrorKind::Unavailable),
        ("DependencyTimeoutException", ErrorKind::Unavailable),
        ("AccessDeniedException", ErrorKind::AccessDenied),
        ("DisabledException", ErrorKind::AccessDenied),
        ("KMSInvalidStateException", ErrorKind::AccessDenied),
        ("LimitExceededException", ErrorKind::Unexpected),
    ] {
        let error = refusal(code).await;
        assert_eq!(error.kind, kind, "{code}");
        for said in ["kms:CreateGrant", KEYS[0], "111111111111", "us-east-1", code] {
            assert!(error.message.contains(said), "{said} is missing: {}", error.message);
        }
    }
}

#[tokio::test]
async fn the_second_key_s_failure_fails_the_step() {
    let create = answers(mock!(Client::create_grant), |asked| match asked.key_id() {
        Some(key) if key == KEYS[1] => Err(CreateGrantError::generic(refused("DisabledException"))),
        _ => Ok(CreateGrantOutput::builder().grant_id(grant_id(asked)).build()),
    });
    let error = handle(&clients(mocks::kms(MatchAny, &[&create])), input(&KEYS)).await.expect_err("one is disabled");
    assert!(error.message.contains(KEYS[1]), "{}", error.message);
}

#[tokio::test]
async fn an_answer_without_an_id_is_unexpected() {
    let create = mock!(Client::create_grant).then_output(|| CreateGrantOutput::builder().build());
    let error = handle(&clients(mocks::kms(Sequential, &[&create])), input(&KEYS[..1])).await.expect_err("no id");
    assert_eq!(error.kind, ErrorKind::Unexpected);
}

#[tokio::test]
async fn what_is_only_shared_is_opened_to_each_grantee_under_a_name_of_no_run() {
    let launcher = "arn:aws:iam::222222222222:role/launcher";
    let grantees = vec![id("arn:aws:iam::222222222222:root"), id(launcher)];
    let shared = Delivery { route: Route::ShareOnly, grantees, ..delivery() };
    let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let asked_for = Arc::clone(&seen);
    let create = answers(mock!(Client::create_grant), move |asked| {
        let text = |field: Option<&str>| field.expect("it is named").to_owned();
        asked_for.lock().expect("no test panicked").push((text(asked.grantee_principal()), text(asked.name())));
        Ok(CreateGrantOutput::builder().grant_id(grant_id(asked)).build())
    });
    let kms = mocks::kms(MatchAny, &[&create]);
    let input = Input { delivery: shared, ..input(&KEYS[..1]) };
    assert_eq!(handle(&clients(kms), input).await.expect("both are granted").grants.len(), 2);
    let seen = seen.lock().expect("no test panicked");
    let [(first, one), (second, two)] = seen.as_slice() else { panic!("two grants: {seen:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("arn:aws:iam::222222222222:root", launcher));
    let prefix = format!("ami-bakery-standing/{STACK}/{IMAGE}/222222222222/");
    assert!(one.starts_with(&prefix) && two.starts_with(&prefix) && one != two, "{one} {two}");
}

/// The receiver, by the route, where the stack's limits are these: what came of it, and how many calls KMS had.
async fn limited(limits: LimitsParameter, delivery: Delivery) -> (Result<Output, StepError>, usize) {
    let create = kms();
    let clients = allowed(mocks::kms(MatchAny, &[&create]), limits);
    let answer = handle(&clients, Input { delivery, ..input(&KEYS) }).await;
    (answer, create.num_calls())
}

fn only_shared() -> Delivery {
    let grantees = vec![id("arn:aws:iam::222222222222:root")];
    Delivery { route: Route::ShareOnly, grantees, ..delivery() }
}

#[tokio::test]
async fn a_receiver_that_was_removed_from_the_stack_gets_no_grant() {
    for delivery in [delivery(), only_shared()] {
        let (answer, calls) = limited(mocks::allowing("333333333333", true), delivery).await;
        let error = answer.expect_err("it is not a receiver any more");
        assert_eq!((error.kind, calls), (ErrorKind::NotAllowed, 0));
        assert!(error.message.contains("222222222222") && error.message.contains("ReceiverAccounts"), "{error}");
    }
}

#[tokio::test]
async fn sharing_to_stay_that_is_not_allowed_any_more_gets_no_grant() {
    let (answer, calls) = limited(mocks::allowing("222222222222", false), only_shared()).await;
    let error = answer.expect_err("the stack does not share to stay any more");
    assert_eq!((error.kind, calls), (ErrorKind::NotAllowed, 0));
    assert!(error.message.contains("222222222222") && error.message.contains("AllowShareOnly"), "{error}");
    let (answer, calls) = limited(mocks::allowing("222222222222", false), delivery()).await;
    assert_eq!((answer.expect("a copy is").grants.len(), calls), (2, 2));
}

#[tokio::test]
async fn limits_that_cannot_be_read_open_nothing() {
    for (limits, kind) in [
        (mocks::limits(Err("ParameterNotFound")), ErrorKind::Unexpected),
        (mocks::limits(Err("AccessDeniedException")), ErrorKind::AccessDenied),
        (mocks::limits(Err("ThrottlingException")), ErrorKind::Throttled),
        (mocks::limits(Ok("*")), ErrorKind::Unexpected),
    ] {
        let (answer, calls) = limited(limits, delivery()).await;
        assert_eq!((answer.expect_err("nobody knows").kind, calls), (kind, 0));
    }
}

mod auto_scaling {
    use super::*;

    const GROUP: &str =
        "arn:aws:iam::222222222222:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";

    fn to_group(keys: &[&str]) -> Input {
        Input { delivery: Delivery { route: Route::ShareOnly, grantees: vec![id(GROUP)], ..delivery() }, ..input(keys) }
    }

    fn operations(asked: &CreateGrantInput) -> Vec<&str> {
        asked.operations().iter().map(|operation| operation.as_str()).collect()
    }

    /// The owner opens the key to the receiver's role, in the name of the run.
    fn opens() -> Rule {
        mock!(Client::create_grant)
            .match_requests(|asked| {
                asked.name() == Some("ami-bakery/ami-bakery/web-1/222222222222/us-east-1")
                    && asked.grantee_principal() == Some("arn:aws:iam::222222222222:role/AmiBakeryReceiver")
                    && asked.grant_tokens().is_empty()
                    && operations(asked).contains(&"Encrypt")
            })
            .then_output(|| CreateGrantOutput::builder().grant_id("opening").grant_token("secret").build())
    }

    /// The role makes the grant by that one's token, to stay, for the owner to retire.
    fn asks(asked: &CreateGrantInput) -> bool {
        asked.key_id() == Some(KEYS[0])
            && asked.grantee_principal() == Some(GROUP)
            && asked.name().is_some_and(|name| name.starts_with(&format!("ami-bakery-standing/{STACK}/{IMAGE}/222222222222/")))
            && asked.retiring_principal() == Some(REVOKE_ROLE)
            && asked.grant_tokens() == ["secret"]
            // https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
            && operations(asked)
                == [
                    "DescribeKey",
                    "CreateGrant",
                    "Decrypt",
                    "Encrypt",
                    "ReEncryptFrom",
                    "ReEncryptTo",
                    "GenerateDataKey",
                    "GenerateDataKeyWithoutPlaintext",
                ]
    }

    fn closes() -> Rule {
        mock!(Client::revoke_grant)
            .match_requests(|asked| asked.grant_id() == Some("opening"))
            .then_output(|| RevokeGrantOutput::builder().build())
    }

    fn is_gone() -> Rule {
        mock!(Client::list_grants)
            .match_requests(|asked| asked.grant_id() == Some("opening"))
            .then_output(|| ListGrantsOutput::builder().build())
    }

    /// KMS lists it, or not.
    fn standing(is_listed: bool) -> Rule {
        mock!(Client::list_grants).match_requests(|asked| asked.grant_id() == Some("standing")).then_output(move || {
            let entry = GrantListEntry::builder().grant_id("standing").build();
            ListGrantsOutput::builder().set_grants(is_listed.then(|| vec![entry])).build()
        })
    }

    fn makes() -> Rule {
        mock!(Client::create_grant)
            .match_requests(asks)
            .then_output(|| CreateGrantOutput::builder().grant_id("standing").grant_token("other secret").build())
    }

    async fn call(rules: &[&Rule]) -> Result<Output, StepError> {
        let answer = handle(&clients(mocks::kms(Sequential, rules)), to_group(&KEYS[..1])).await;
        assert!(rules.iter().all(|rule| rule.num_calls() == 1), "a call is missing: {answer:?}");
        answer
    }

    #[tokio::test]
    async fn the_receivers_role_makes_the_grant_and_the_key_is_closed_to_it_again() {
        let output = call(&[&opens(), &makes(), &closes(), &is_gone(), &standing(true)]).await.expect("it is granted");
        assert_eq!(output.grants, [Grant { kms_key_id: id(KEYS[0]), grant_id: "standing".to_owned() }]);
        assert!(!format!("{output:?}").contains("secret"), "a grant token is a credential");
    }

    /// AWS does not say whether a grant outlives the one that it was made by.
    #[tokio::test]
    async fn a_grant_that_goes_with_the_one_it_was_made_by_is_not_told_as_made() {
        let error = call(&[&opens(), &makes(), &closes(), &is_gone(), &standing(false)]).await.expect_err("it is gone");
        assert_eq!(error.kind, ErrorKind::NotVisibleYet);
        assert!(
            error.message.contains("Grant standing of") && error.message.contains("not listed any more"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_key_is_closed_to_it_also_when_it_could_not() {
        let denied = || CreateGrantError::generic(refused("AccessDeniedException"));
        let makes = mock!(Client::create_grant).match_requests(asks).then_error(denied);
        let error = call(&[&opens(), &makes, &closes(), &is_gone()]).await.expect_err("it may not");
        assert_eq!(error.kind, ErrorKind::AccessDenied);
        for part in ["AllowAutoScaling=true", "222222222222", KEYS[0]] {
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_key_that_stays_open_to_it_is_told_before_anything_else() {
        let makes = mock!(Client::create_grant)
            .match_requests(asks)
            .then_error(|| CreateGrantError::generic(refused("InvalidArnException")));
        let stays = mock!(Client::revoke_grant).then_error(|| RevokeGrantError::generic(refused("DisabledException")));
        let error = call(&[&opens(), &makes, &stays]).await.expect_err("it stays");
        assert_eq!(error.kind, ErrorKind::RevokeFailed);
        assert!(error.message.contains("opening") && error.message.contains("InvalidArnException"), "{error}");
    }

    #[tokio::test]
    async fn each_key_is_opened_by_itself_and_nothing_is_opened_for_others() {
        let revoked = Arc::new(Mutex::new(Vec::new()));
        let (noted, looked_up) = (Arc::clone(&revoked), Arc::clone(&revoked));
        let create = kms();
        let revoke = answers(mock!(Client::revoke_grant), move |asked| {
            noted.lock().expect("no panic").push(asked.grant_id().map(str::to_owned));
            Ok(RevokeGrantOutput::builder().build())
        });
        let list = answers(mock!(Client::list_grants), move |asked| {
            let is_there = !looked_up.lock().expect("no panic").contains(&asked.grant_id().map(str::to_owned));
            let entry = GrantListEntry::builder().set_grant_id(asked.grant_id().map(str::to_owned)).build();
            Ok(ListGrantsOutput::builder().set_grants(is_there.then(|| vec![entry])).build())
        });
        let output = handle(&clients(mocks::kms(MatchAny, &[&create, &revoke, &list])), to_group(&KEYS)).await;
        assert_eq!(output.expect("both are granted").grants.len(), 2);
        assert_eq!((create.num_calls(), revoke.num_calls(), list.num_calls()), (4, 2, 4));
    }
}
