//! `sweep` against mocked EC2, KMS and Step Functions, and the stack's bucket.

mod grants;
mod region;
mod runs;

use ami_bakery_tests::bucket::Bucket;
use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::looks::{self, COPY_TAGS};
use ami_bakery_tests::mocks::{self, MatchAny, answers, refused};
use ami_bakery_tests::samples::{
    IMAGE, KEYS, REVOKE_ROLE, SNAPSHOTS, STACK, at, bake, delivery, here, id, region, run, settings,
};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{Image, LaunchPermission};
use aws_sdk_kms::Client as Kms;
use aws_sdk_kms::operation::list_grants::ListGrantsOutput;
use aws_sdk_kms::operation::list_retirable_grants::ListRetirableGrantsOutput;
use aws_sdk_kms::operation::retire_grant::RetireGrantError;
use aws_sdk_kms::operation::revoke_grant::{RevokeGrantError, RevokeGrantOutput};
use aws_sdk_kms::types::GrantListEntry;
use aws_sdk_sfn::operation::describe_execution::{DescribeExecutionError, DescribeExecutionOutput};
use aws_sdk_sfn::operation::describe_map_run::DescribeMapRunOutput;
use aws_sdk_sfn::operation::list_map_runs::ListMapRunsOutput;
use aws_sdk_sfn::types::{ExecutionStatus, MapRunListItem, MapRunStatus};
use aws_smithy_mocks::{Rule, mock};
use bakery::StepError;
use bakery::grants::Grants;
use bakery::ledger::Ledger;
use bakery::store::ledger_key;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use sweep::{Clients, Output, handle};

const COPY: &str = "ami-0000000000000000a";
const TEMPORARY: &str = "i-0000000000000000a";

/// What a dead run has left, and what is done about it: every change is in the bucket's list of changes.
#[derive(Clone, Default)]
struct World {
    bucket: Bucket,
    /// By the run's name; others do not exist.
    executions: BTreeMap<&'static str, ExecutionStatus>,
    /// Whether the runs' Map Runs are still open.
    open_map_runs: bool,
    copies: Vec<Image>,
    instances: Vec<&'static str>,
    /// Grants by id and name; one that is revoked is gone.
    grants: Arc<Mutex<BTreeMap<&'static str, &'static str>>>,
    /// The accounts that can launch from the shared image.
    launch: Vec<&'static str>,
    /// Operations that are refused, and the code.
    refusals: Vec<(&'static str, &'static str)>,
}

impl World {
    async fn call(&self, input: Value) -> Result<Output, StepError> {
        let ec2: Vec<Rule> = self.ec2();
        let clients = Clients {
            ec2: bakery::Clients::fixed(mocks::ec2(MatchAny, &ec2.iter().collect::<Vec<_>>())),
            sfn: self.sfn(),
            grants: Grants {
                kms: bakery::Clients::fixed(self.kms()),
                stack: STACK.to_owned(),
                settings: settings(),
                retiring: REVOKE_ROLE.to_owned(),
                here: here(),
            },
            store: self.bucket.store(),
            here: here(),
            stack: STACK.to_owned(),
            execution_prefix: "arn:aws:states:us-east-1:111111111111:execution:ami-bakery-bake:".to_owned(),
        };
        // As the state machine sends it.
        handle(&clients, bakery::runner::parse(input).expect("the function's input")).await
    }

    fn refusal(&self, operation: &str) -> Option<&'static str> {
        self.refusals.iter().find(|(refused, _)| *refused == operation).map(|(_, code)| *code)
    }

    /// What was taken back, in order.
    fn done(&self) -> Vec<String> {
        self.bucket.changes()
    }

    fn sfn(&self) -> aws_sdk_sfn::Client {
        use aws_sdk_sfn::Client;
        let (world, is_open) = (self.clone(), self.open_map_runs);
        let describe = answers(mock!(Client::describe_execution), move |asked| {
            let arn = asked.execution_arn().expect("an execution");
            let name = arn.rsplit(':').next().expect("a name");
            let refused_with = world.refusal("states:DescribeExecution");
            match refused_with.map_or(world.executions.get(name).ok_or("ExecutionDoesNotExist"), Err) {
                Err(code) => Err(DescribeExecutionError::generic(refused(code))),
                Ok(status) => {
                    let output = DescribeExecutionOutput::builder().execution_arn(arn).state_machine_arn("machine");
                    let started = aws_sdk_sfn::primitives::DateTime::from_secs(at(0).epoch_seconds());
                    Ok(output.status(status.clone()).start_date(started).build().expect("an execution"))
                }
            }
        });
        let maps = mock!(Client::list_map_runs).then_output(|| {
            let date = aws_sdk_sfn::primitives::DateTime::from_secs(at(0).epoch_seconds());
            let map = MapRunListItem::builder().execution_arn("e").map_run_arn("m").state_machine_arn("s");
            let map = map.start_date(date).build().expect("a Map Run");
            ListMapRunsOutput::builder().map_runs(map).build().expect("Map Runs")
        });
        let map = mock!(Client::describe_map_run).then_output(move || {
            let status = if is_open { MapRunStatus::Running } else { MapRunStatus::Aborted };
            map_run(status)
        });
        mocks::sfn(MatchAny, &[&describe, &maps, &map])
    }

    fn kms(&self) -> Kms {
        let entries = |world: &World| {
            let entry = |(id, name): (&&str, &&str)| {
                GrantListEntry::builder().key_id(KEYS[0]).grant_id(*id).name(*name).build()
            };
            world.grants.lock().expect("no panic").iter().map(entry).collect::<Vec<_>>()
        };
        let (all, retirable, revoking) = (self.clone(), self.clone(), self.clone());
        let list = answers(mock!(Kms::list_grants), move |asked| {
            let wanted = |entry: &GrantListEntry| asked.grant_id().is_none_or(|id| entry.grant_id() == Some(id));
            let found = entries(&all).into_iter().filter(wanted).collect();
            Ok::<_, aws_sdk_kms::operation::list_grants::ListGrantsError>(
                ListGrantsOutput::builder().set_grants(Some(found)).build(),
            )
        });
        let retirable = answers(mock!(Kms::list_retirable_grants), move |asked| {
            assert_eq!(asked.retiring_principal(), Some(REVOKE_ROLE));
            Ok::<_, aws_sdk_kms::operation::list_retirable_grants::ListRetirableGrantsError>(
                ListRetirableGrantsOutput::builder().set_grants(Some(entries(&retirable))).build(),
            )
        });
        let revoke = answers(mock!(Kms::revoke_grant), move |asked| {
            if let Some(code) = revoking.refusal("kms:RevokeGrant") {
                return Err(RevokeGrantError::generic(refused(code)));
            }
            let id = asked.grant_id().expect("a grant");
            revoking.grants.lock().expect("no panic").remove(id);
            revoking.bucket.note(format!("revoke {id}"));
            Ok(RevokeGrantOutput::builder().build())
        });
        // The grants name the revoke function's role for that.
        let retire =
            mock!(Kms::retire_grant).then_error(|| RetireGrantError::generic(refused("AccessDeniedException")));
        mocks::kms(MatchAny, &[&list, &retirable, &revoke, &retire])
    }
}

fn map_run(status: MapRunStatus) -> DescribeMapRunOutput {
    use aws_sdk_sfn::types::{MapRunExecutionCounts, MapRunItemCounts};
    let items = MapRunItemCounts::builder()
        .pending(0)
        .running(0)
        .succeeded(0)
        .failed(0)
        .timed_out(0)
        .aborted(0)
        .total(0)
        .results_written(0);
    let executions = MapRunExecutionCounts::builder()
        .pending(0)
        .running(0)
        .succeeded(0)
        .failed(0)
        .timed_out(0)
        .aborted(0)
        .total(0)
        .results_written(0);
    let date = aws_sdk_sfn::primitives::DateTime::from_secs(at(0).epoch_seconds());
    DescribeMapRunOutput::builder()
        .map_run_arn("m")
        .execution_arn("e")
        .status(status)
        .start_date(date)
        .max_concurrency(1)
        .tolerated_failure_percentage(100.0)
        .tolerated_failure_count(0)
        .item_counts(items.build())
        .execution_counts(executions.build())
        .build()
        .expect("a Map Run")
}

fn ledger() -> Ledger {
    Ledger {
        run: run("web-1"),
        bake: bake(),
        regions: vec![region(&run("web-1"), 1)],
        accounts: [id(RECEIVERS[0])].into(),
        keys: [id(KEYS[0])].into(),
        keep_hops: false,
    }
}

fn swept(output: Output) -> (usize, Vec<String>) {
    match output {
        Output::Swept { taken_back, problems } => (taken_back, problems),
        other => panic!("what was swept: {other:?}"),
    }
}
