//! An owner with an instance `web` on two encrypted volumes, and receivers with a key each. A test changes what it is
//! about before it asks for a plan.

use ami_bakery_tests::bucket::Bucket;
use ami_bakery_tests::looks;
use ami_bakery_tests::mocks::{self, MatchAny, answers, refused};
use ami_bakery_tests::samples::{INSTANCE, KEYS, RECEIVER_KEY, REVOKE_ROLE, STACK, at, here, run, settings};
use aws_sdk_ec2::operation::describe_images::{DescribeImagesError, DescribeImagesInput};
use aws_sdk_ec2::operation::describe_instances::{
    DescribeInstancesError, DescribeInstancesInput, DescribeInstancesOutput,
};
use aws_sdk_ec2::operation::describe_regions::{DescribeRegionsError, DescribeRegionsOutput};
use aws_sdk_ec2::operation::describe_route_tables::DescribeRouteTablesOutput;
use aws_sdk_ec2::operation::describe_snapshots::DescribeSnapshotsError;
use aws_sdk_ec2::operation::describe_subnets::{DescribeSubnetsError, DescribeSubnetsOutput};
use aws_sdk_ec2::operation::describe_volumes::{DescribeVolumesError, DescribeVolumesOutput};
use aws_sdk_ec2::operation::describe_vpc_endpoints::DescribeVpcEndpointsOutput;
use aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput;
use aws_sdk_ec2::types::{
    DeviceType, EbsInstanceBlockDevice, Filter, Image, Instance, InstanceBlockDeviceMapping, InstanceState,
    InstanceStateName, Region, Reservation, Route, RouteTable, RouteTableAssociation, Snapshot, Subnet, Tag, Volume,
    Vpc, VpcEndpoint,
};
use aws_sdk_kms::operation::create_grant::{CreateGrantError, CreateGrantOutput};
use aws_sdk_kms::operation::describe_key::{DescribeKeyError, DescribeKeyOutput};
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeySpec, KeyState};
use aws_sdk_sfn::operation::describe_execution::{DescribeExecutionError, DescribeExecutionOutput};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
use aws_sdk_ssm::types::{Parameter, ParameterType};
use aws_smithy_mocks::mock;
use bakery::grants::Grants;
use bakery::names::DELIVERY_TAG;
use bakery::plan::Plan;
use bakery::{Aws, StepError};
use plan::{Clients, Execution, Input, Output, handle};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What KMS says of a key, or the code with which it refuses to.
pub type Key = Result<KeyMetadata, &'static str>;

/// Instead of a code: KMS answers, and tells nothing.
pub const NOTHING: &str = "nothing";

#[derive(Clone)]
pub struct World {
    pub run_name: &'static str,
    /// How often `plan` was tried before.
    pub retries: u32,
    pub bucket: Bucket,
    pub instances: Vec<Instance>,
    /// The key of each volume.
    pub volumes: BTreeMap<&'static str, Option<&'static str>>,
    /// The owner's images.
    pub images: Vec<Image>,
    /// The receivers' images.
    pub copies: Vec<Image>,
    /// Everyone's.
    pub snapshots: Vec<Snapshot>,
    pub owner_keys: BTreeMap<String, Key>,
    /// By what the request calls them.
    pub receiver_keys: BTreeMap<String, Key>,
    /// What KMS answers to `CreateGrant` with `DryRun`.
    pub grant: &'static str,
    pub executions: BTreeMap<String, ExecutionStatus>,
    /// The profile `web`.
    pub profile: Option<&'static str>,
    pub profile_type: ParameterType,
    pub allowed: &'static str,
    pub allows_share_only: bool,
    /// What receivers have to launch in: `default VPC`, `subnet`, `NAT`, `endpoint`.
    pub network: Vec<&'static str>,
    /// Where receivers' roles let nobody in.
    pub locked_out: bool,
    /// Operations that are refused, and the code.
    pub refusals: Vec<(&'static str, &'static str)>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            run_name: "web-1",
            retries: 0,
            bucket: Bucket::default(),
            instances: vec![instance(INSTANCE, &[("/dev/xvda", "vol-1"), ("/dev/sdf", "vol-2")])],
            volumes: BTreeMap::from([("vol-1", Some(KEYS[0])), ("vol-2", Some(KEYS[1]))]),
            images: Vec::new(),
            copies: Vec::new(),
            snapshots: Vec::new(),
            owner_keys: KEYS.map(|arn| (arn.to_owned(), Ok(key(arn)))).into(),
            receiver_keys: BTreeMap::from([("alias/ami-bakery".to_owned(), Ok(key(RECEIVER_KEY)))]),
            grant: "DryRunOperationException",
            executions: BTreeMap::from([(run("web-1").arn, ExecutionStatus::Running)]),
            profile: None,
            profile_type: ParameterType::String,
            allowed: "*",
            allows_share_only: true,
            network: vec!["default VPC"],
            locked_out: false,
            refusals: Vec::new(),
        }
    }
}

/// A running instance named `web` with these volumes, the first of which is its root.
pub fn instance(id: &str, volumes: &[(&str, &str)]) -> Instance {
    let mapping = |(device, volume): &(&str, &str)| {
        let ebs = EbsInstanceBlockDevice::builder().volume_id(*volume).build();
        InstanceBlockDeviceMapping::builder().device_name(*device).ebs(ebs).build()
    };
    Instance::builder()
        .instance_id(id)
        .state(state(InstanceStateName::Running))
        .root_device_type(DeviceType::Ebs)
        .root_device_name(volumes[0].0)
        .set_block_device_mappings(Some(volumes.iter().map(mapping).collect()))
        .tags(Tag::builder().key("Name").value("web").build())
        .build()
}

pub fn state(name: InstanceStateName) -> InstanceState {
    InstanceState::builder().name(name).build()
}

/// A symmetric customer managed key, enabled.
pub fn key(arn: &str) -> KeyMetadata {
    KeyMetadata::builder()
        .key_id(arn)
        .arn(arn)
        .key_state(KeyState::Enabled)
        .key_manager(KeyManagerType::Customer)
        .key_spec(KeySpec::SymmetricDefault)
        .build()
        .expect("a key")
}

impl World {
    pub async fn plan(&self, request: Value) -> Result<Plan, StepError> {
        match self.answer(request).await? {
            Output::Bake(plan) => Ok(*plan),
            other => panic!("a bake was asked for: {other:?}"),
        }
    }

    pub async fn answer(&self, request: Value) -> Result<Output, StepError> {
        let run = Execution { name: self.run_name.to_owned(), arn: run("web-1").arn, started_at: at(0) };
        handle(&self.clients(), Input { request, run, now: at(60), retries: self.retries }).await
    }

    fn clients(&self) -> Clients {
        let ec2 = self.ec2();
        let locked: Option<Arc<Aws>> = self.locked_out.then(mocks::no_role_lets_in);
        Clients {
            ec2: bakery::Clients::fixed(ec2),
            kms: match &locked {
                Some(aws) => bakery::Clients::new(aws, aws_sdk_kms::Client::new),
                None => bakery::Clients::fixed(self.kms("kms:DescribeKey by the receiver", &self.receiver_keys)),
            },
            sfn: self.sfn(),
            ssm: self.ssm(),
            grants: Grants {
                kms: bakery::Clients::fixed(self.kms("kms:DescribeKey", &self.owner_keys)),
                stack: STACK.to_owned(),
                settings: settings(),
                retiring: REVOKE_ROLE.to_owned(),
                here: here(),
            },
            store: self.bucket.store(),
            here: here(),
            stack: STACK.to_owned(),
            limits: match self.refusal("ssm:GetParameter of the limits") {
                Some(code) => mocks::limits(Err(code)),
                None => mocks::allowing(self.allowed, self.allows_share_only),
            },
        }
    }

    /// The code with which this operation is refused.
    fn refusal(&self, operation: &str) -> Option<&'static str> {
        self.refusals.iter().find(|(refused, _)| *refused == operation).map(|(_, code)| *code)
    }

    fn ec2(&self) -> aws_sdk_ec2::Client {
        use aws_sdk_ec2::Client;
        let [for_instances, for_volumes, for_images, for_snapshots] = [0; 4].map(|_| self.clone());
        let instances = answers(mock!(Client::describe_instances), move |asked| {
            for_instances.find_instances(asked).map_err(|code| DescribeInstancesError::generic(refused(code)))
        });
        let volumes = answers(mock!(Client::describe_volumes), move |asked| {
            if let Some(code) = for_volumes.refusal("ec2:DescribeVolumes") {
                return Err(DescribeVolumesError::generic(refused(code)));
            }
            if asked.volume_ids().iter().any(|id| !for_volumes.volumes.contains_key(id.as_str())) {
                return Err(DescribeVolumesError::generic(refused("InvalidVolume.NotFound")));
            }
            let key = |volume: &String| for_volumes.volumes[volume.as_str()].map(str::to_owned);
            let volume = |id: &String| Volume::builder().volume_id(id).set_kms_key_id(key(id)).build();
            let found = asked.volume_ids().iter().map(volume).collect();
            Ok(DescribeVolumesOutput::builder().set_volumes(Some(found)).build())
        });
        let images =
            answers(mock!(Client::describe_images), move |asked| match for_images.refusal("ec2:DescribeImages") {
                Some(code) => Err(DescribeImagesError::generic(refused(code))),
                None => Ok(looks::images(for_images.find_images(asked))),
            });
        let snapshots = answers(mock!(Client::describe_snapshots), move |asked| {
            if let Some(code) = for_snapshots.refusal("ec2:DescribeSnapshots") {
                return Err(DescribeSnapshotsError::generic(refused(code)));
            }
            let wanted =
                |snapshot: &&Snapshot| asked.snapshot_ids().iter().any(|id| snapshot.snapshot_id() == Some(id));
            Ok(looks::snapshots(for_snapshots.snapshots.iter().filter(wanted).cloned()))
        });
        // Told from the owner's side with all Regions, from a receiver's side of one.
        let regions = answers(mock!(Client::describe_regions), move |asked| {
            let status = |name: &str| match (name, asked.region_names()) {
                ("af-south-1", _) | ("ap-east-1", [_, ..]) => "not-opted-in",
                ("ap-east-1", []) => "opted-in",
                _ => "opt-in-not-required",
            };
            let wanted =
                |name: &&str| asked.region_names().is_empty() || asked.region_names().iter().any(|n| n == name);
            let region = |name| Region::builder().region_name(name).opt_in_status(status(name)).build();
            let all = ["us-east-1", "eu-west-1", "af-south-1", "ap-east-1"].into_iter().filter(wanted).map(region);
            Ok::<_, DescribeRegionsError>(DescribeRegionsOutput::builder().set_regions(Some(all.collect())).build())
        });
        let mut rules = vec![instances, volumes, images, snapshots, regions];
        rules.extend(network(&self.network, self.refusal("ec2:DescribeSubnets")));
        mocks::ec2(MatchAny, &rules.iter().collect::<Vec<_>>())
    }

    fn find_instances(&self, asked: &DescribeInstancesInput) -> Result<DescribeInstancesOutput, &'static str> {
        if let Some(code) = self.refusal("ec2:DescribeInstances") {
            return Err(code);
        }
        let wanted = |instance: &&Instance| match asked.instance_ids() {
            [] => {
                let state = instance.state().and_then(|state| state.name()).map_or("", |name| name.as_str());
                carries(instance.tags(), asked.filters())
                    && asked.filters().iter().any(|filter| {
                        filter.name() == Some("instance-state-name") && filter.values().iter().any(|s| s == state)
                    })
            }
            ids => ids.iter().any(|id| instance.instance_id() == Some(id)),
        };
        let found: Vec<_> = self.instances.iter().filter(wanted).cloned().collect();
        if found.is_empty() && !asked.instance_ids().is_empty() {
            return Err("InvalidInstanceID.NotFound");
        }
        let reservation = Reservation::builder().set_instances(Some(found)).build();
        Ok(DescribeInstancesOutput::builder().reservations(reservation).build())
    }

    fn find_images(&self, asked: &DescribeImagesInput) -> Vec<Image> {
        let delivery = format!("tag:{DELIVERY_TAG}");
        let of_receivers = asked.filters().iter().any(|filter| filter.name() == Some(&delivery));
        let wanted = |image: &&Image| match asked.image_ids() {
            [] => carries(image.tags(), asked.filters()),
            ids => ids.iter().any(|id| image.image_id() == Some(id)),
        };
        if of_receivers { &self.copies } else { &self.images }.iter().filter(wanted).cloned().collect()
    }

    fn kms(&self, operation: &'static str, keys: &BTreeMap<String, Key>) -> aws_sdk_kms::Client {
        use aws_sdk_kms::Client;
        let (keys, world, grant) = (keys.clone(), self.clone(), self.grant);
        let describe = answers(mock!(Client::describe_key), move |asked| {
            let known = keys.get(asked.key_id().expect("a key")).cloned().unwrap_or(Err("NotFoundException"));
            match world.refusal(operation).map_or(known, Err) {
                Err(NOTHING) => Ok(DescribeKeyOutput::builder().build()),
                Ok(metadata) => Ok(DescribeKeyOutput::builder().key_metadata(metadata).build()),
                Err(code) => Err(DescribeKeyError::generic(refused(code))),
            }
        });
        let grant = answers(mock!(Client::create_grant), move |asked| {
            assert_eq!(asked.dry_run(), Some(true), "a plan grants nothing");
            assert_eq!(asked.grantee_principal(), Some(REVOKE_ROLE), "all that it may ever ask for");
            match grant {
                NOTHING => Ok(CreateGrantOutput::builder().build()),
                code => Err(CreateGrantError::generic(refused(code))),
            }
        });
        mocks::kms(MatchAny, &[&describe, &grant])
    }

    fn sfn(&self) -> aws_sdk_sfn::Client {
        use aws_sdk_sfn::Client;
        let world = self.clone();
        let describe = answers(mock!(Client::describe_execution), move |asked| {
            let arn = asked.execution_arn().expect("an execution");
            let known = world.executions.get(arn).ok_or("ExecutionDoesNotExist");
            let status = match world.refusal("states:DescribeExecution").map_or(known, Err) {
                Ok(status) => status.clone(),
                Err(code) => return Err(DescribeExecutionError::generic(refused(code))),
            };
            let (machine, started) = ("arn:aws:states:us-east-1:111111111111:stateMachine:x", at(0).epoch_seconds());
            let output =
                DescribeExecutionOutput::builder().execution_arn(arn).state_machine_arn(machine).status(status);
            let date = |seconds| aws_sdk_sfn::primitives::DateTime::from_secs(seconds);
            // A minute ago, if it is over.
            let stopped = (*known.expect("a status") != ExecutionStatus::Running).then_some(date(started));
            Ok(output.start_date(date(started)).set_stop_date(stopped).build().expect("an execution"))
        });
        mocks::sfn(MatchAny, &[&describe])
    }

    fn ssm(&self) -> aws_sdk_ssm::Client {
        use aws_sdk_ssm::Client;
        let world = self.clone();
        let get = answers(mock!(Client::get_parameter), move |asked| {
            assert_eq!(asked.name(), Some("/ami-bakery/profiles/web"));
            match world.refusal("ssm:GetParameter").map_or(world.profile.ok_or("ParameterNotFound"), Err) {
                Ok(text) => {
                    let parameter = Parameter::builder().value(text).r#type(world.profile_type.clone()).build();
                    Ok(GetParameterOutput::builder().parameter(parameter).build())
                }
                Err(code) => Err(GetParameterError::generic(refused(code))),
            }
        });
        mocks::ssm(MatchAny, &[&get])
    }
}

/// What a receiver's network looks like.
fn network(has: &[&'static str], no_subnet: Option<&'static str>) -> [aws_smithy_mocks::Rule; 4] {
    use aws_sdk_ec2::Client;
    let has = |what| has.contains(&what);
    let (default, subnet, nat, endpoint) = (has("default VPC"), has("subnet"), has("NAT"), has("endpoint"));
    let vpcs = mock!(Client::describe_vpcs).then_output(move || {
        let found = default.then(|| Vpc::builder().vpc_id("vpc-1").build());
        DescribeVpcsOutput::builder().set_vpcs(Some(found.into_iter().collect())).build()
    });
    let subnets = answers(mock!(Client::describe_subnets), move |asked| {
        if !subnet {
            let code = no_subnet.unwrap_or("InvalidSubnetID.NotFound");
            return Err(DescribeSubnetsError::generic(refused(code)));
        }
        let found = Subnet::builder().set_subnet_id(asked.subnet_ids().first().cloned()).vpc_id("vpc-1").build();
        Ok(DescribeSubnetsOutput::builder().subnets(found).build())
    });
    let endpoints = mock!(Client::describe_vpc_endpoints).then_output(move || {
        let found = endpoint.then(|| VpcEndpoint::builder().service_name("com.amazonaws.us-east-1.ssm").build());
        DescribeVpcEndpointsOutput::builder().set_vpc_endpoints(Some(found.into_iter().collect())).build()
    });
    let tables = mock!(Client::describe_route_tables).then_output(move || {
        let route = Route::builder().destination_cidr_block("0.0.0.0/0");
        let route = if nat { route.nat_gateway_id("nat-1") } else { route.gateway_id("igw-1") };
        let main = RouteTableAssociation::builder().main(true).build();
        let table = RouteTable::builder().associations(main).routes(route.build()).build();
        DescribeRouteTablesOutput::builder().route_tables(table).build()
    });
    [vpcs, subnets, endpoints, tables]
}

/// Whether all of the filters' tags are there.
fn carries(tags: &[Tag], filters: &[Filter]) -> bool {
    let mut wanted = filters.iter().filter_map(|filter| Some((filter.name()?.strip_prefix("tag:")?, filter.values())));
    wanted.all(|(key, values)| {
        tags.iter().any(|tag| tag.key() == Some(key) && values.iter().any(|value| tag.value() == Some(value)))
    })
}
