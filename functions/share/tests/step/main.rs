//! `share` against a mocked EC2 that remembers permissions, and the stack's bucket.

mod keep;
mod limits;
mod refusals;
mod share;
mod standing;
mod stop;

use ::share::{Clients, Here, Input, Output, TakeBack, handle};
use ami_bakery_tests::bucket::Bucket;
use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::mocks::{self, MatchAny, answers, refused, refused_saying};
use ami_bakery_tests::samples::{IMAGE, SNAPSHOTS, delivery_to, id, image, region, run};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_image_attribute::{
    DescribeImageAttributeError as ImageError, DescribeImageAttributeOutput as ImageOutput,
};
use aws_sdk_ec2::operation::describe_snapshot_attribute::{
    DescribeSnapshotAttributeError as SnapshotError, DescribeSnapshotAttributeOutput as SnapshotOutput,
};
use aws_sdk_ec2::operation::modify_image_attribute::{ModifyImageAttributeError, ModifyImageAttributeOutput};
use aws_sdk_ec2::operation::modify_snapshot_attribute::{ModifySnapshotAttributeError, ModifySnapshotAttributeOutput};
use aws_sdk_ec2::types::{CreateVolumePermission, LaunchPermission, PermissionGroup};
use aws_smithy_mocks::mock;
use bakery::ledger::Sharing;
use bakery::limits::LimitsParameter;
use bakery::plan::Delivery;
use bakery::store::{deliveries_key, sharing_key};
use bakery::{ErrorKind, StepError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// What is done: an [`Input`] of the Region.
type Mode = fn(Here) -> Input;

/// Someone whom the image was shared with before any bake.
const FRIEND: &str = "999999999999";

/// An image, its snapshots, who can use them, and the stack's bucket. Every change is in the bucket's list of changes.
#[derive(Clone, Default)]
struct World {
    bucket: Bucket,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By image or snapshot.
    shared: BTreeMap<String, BTreeSet<String>>,
    /// Changes are taken but not shown.
    lagging: bool,
    /// An account that EC2 does not know.
    nobody: Option<&'static str>,
    /// The operation, on what, and with what code it is refused.
    refusals: Vec<(&'static str, &'static str, &'static str)>,
}

impl World {
    /// The run has these deliveries before it.
    fn with(deliveries: &[Delivery]) -> Self {
        let world = Self::default();
        let bucket = world.bucket.clone().with(&deliveries_key(&id("web-1"), &id(REGION)), &deliveries);
        Self { bucket, ..world }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked")
    }

    fn refuse(&self, operation: &'static str, on: &'static str, code: &'static str) {
        self.state().refusals.push((operation, on, code));
    }

    /// Shares by hand.
    fn give(&self, on: &str, account: &str) {
        self.state().shared.entry(on.to_owned()).or_default().insert(account.to_owned());
    }

    fn shared(&self, on: &str) -> Vec<String> {
        self.state().shared.get(on).into_iter().flatten().cloned().collect()
    }

    fn record(&self) -> Option<Sharing> {
        let record = self.bucket.get(&record_key())?;
        Some(serde_json::from_value(record).expect("as the function writes it"))
    }

    /// The stack allows everyone everything.
    async fn call(&self, mode: Mode, of_run: &str) -> Result<usize, StepError> {
        self.call_with(&self.clients(mocks::allowing("*", true)), mode, of_run).await
    }

    fn clients(&self, limits: LimitsParameter) -> Clients {
        Clients { ec2: bakery::Clients::fixed(self.ec2()), store: self.bucket.store(), owner: id(OWNER), limits }
    }

    async fn call_with(&self, clients: &Clients, mode: Mode, of_run: &str) -> Result<usize, StepError> {
        // The list of deliveries is always that of the run `web-1`.
        let region = region(&run("web-1"), 2);
        let here = Here { run: run(of_run), region, golden_image_id: id(IMAGE), image: image() };
        handle(clients, mode(here)).await.map(|Output { accounts }| accounts)
    }

    fn check(&self, operation: &str, on: &str) -> Result<(), &'static str> {
        let state = self.state();
        let refusal = state.refusals.iter().find(|(refused, of, _)| *refused == operation && *of == on);
        refusal.map_or(Ok(()), |(_, _, code)| Err(code))
    }

    fn read(&self, on: Option<&str>) -> Result<Vec<String>, &'static str> {
        let on = on.expect("it is named");
        self.check("read", on)?;
        Ok(self.shared(on))
    }

    fn change<T>(
        &self,
        on: Option<&str>,
        add: &[T],
        remove: &[T],
        account: impl Fn(&T) -> Option<&str>,
    ) -> Result<(), &'static str> {
        let on = on.expect("it is named");
        self.check("modify", on)?;
        let nobody = self.state().nobody;
        if nobody.is_some() && add.iter().any(|one| account(one) == nobody) {
            self.bucket.note(format!("refuse {} {on}", add.len()));
            return Err("InvalidAMIAttributeItemValue");
        }
        for (change, accounts) in [("add", add), ("remove", remove)] {
            if !accounts.is_empty() {
                self.bucket.note(format!("{change} {} {on}", accounts.len()));
            }
        }
        let mut state = self.state();
        if !state.lagging {
            let shared = state.shared.entry(on.to_owned()).or_default();
            shared.extend(add.iter().filter_map(&account).map(str::to_owned));
            remove.iter().filter_map(&account).for_each(|account| _ = shared.remove(account));
        }
        Ok(())
    }

    fn ec2(&self) -> Client {
        let world = [0; 4].map(|_| self.clone());
        let [one, two, three, four] = world;
        let read_image = answers(mock!(Client::describe_image_attribute), move |asked| {
            let accounts = one.read(asked.image_id()).map_err(|code| ImageError::generic(refused(code)))?;
            let users = accounts.into_iter().map(|holder| match holder.starts_with("arn:") {
                true => LaunchPermission::builder().organization_arn(holder).build(),
                false => LaunchPermission::builder().user_id(holder).build(),
            });
            // Neither is a receiver's.
            let organization =
                LaunchPermission::builder().organization_arn("arn:aws:organizations::1:organization/o-1");
            let group = LaunchPermission::builder().group(PermissionGroup::All);
            let all = users.chain([organization.build(), group.build()]).collect();
            Ok(ImageOutput::builder().set_launch_permissions(Some(all)).build())
        });
        let read_snapshot = answers(mock!(Client::describe_snapshot_attribute), move |asked| {
            let accounts = two.read(asked.snapshot_id()).map_err(|code| SnapshotError::generic(refused(code)))?;
            let users = accounts.into_iter().map(|account| CreateVolumePermission::builder().user_id(account).build());
            Ok(SnapshotOutput::builder().set_create_volume_permissions(Some(users.collect())).build())
        });
        let modify_image = answers(mock!(Client::modify_image_attribute), move |asked| {
            let change = asked.launch_permission().expect("what to change");
            let answer = three.change(asked.image_id(), change.add(), change.remove(), |one| {
                one.user_id().or(one.organization_arn())
            });
            answer.map_err(|code| ModifyImageAttributeError::generic(refused(code)))?;
            Ok(ModifyImageAttributeOutput::builder().build())
        });
        let modify_snapshot = answers(mock!(Client::modify_snapshot_attribute), move |asked| {
            let change = asked.create_volume_permission().expect("what to change");
            let answer =
                four.change(asked.snapshot_id(), change.add(), change.remove(), CreateVolumePermission::user_id);
            let said = "Not authorized to use key arn:aws:kms:us-east-1:111111111111:key/1 ";
            answer.map_err(|code| ModifySnapshotAttributeError::generic(refused_saying(code, said)))?;
            Ok(ModifySnapshotAttributeOutput::builder().build())
        });
        mocks::ec2(MatchAny, &[&read_image, &read_snapshot, &modify_image, &modify_snapshot])
    }
}

fn both() -> [Delivery; 2] {
    [delivery_to(0, RECEIVERS[0]), delivery_to(1, RECEIVERS[1])]
}

fn record_key() -> String {
    sharing_key(&id(REGION), &id(IMAGE))
}

/// What a run has noted, with the friend as all that was there before.
fn noted(of_run: &str, accounts: &[&str]) -> Sharing {
    let friend = || BTreeSet::from([id(FRIEND)]);
    Sharing {
        run: run(of_run),
        golden_image_id: id(IMAGE),
        accounts: accounts.iter().copied().map(id).collect(),
        image: friend(),
        snapshots: SNAPSHOTS.map(|snapshot| (id(snapshot), friend())).into(),
    }
}
