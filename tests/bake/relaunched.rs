//! Images that AWS does not copy to another account: launched there, and imaged.

use ami_bakery_tests::local_aws::{Config, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{self, REGIONS, World, images, instance_of, key, snapshots};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image, InstanceType};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

const ELSEWHERE: &str = REGIONS[1];
const CODE: &str = "aw0evgkw8e5c1q413zgy5pjce";

/// The bake's instance runs Windows.
async fn windows() -> (World, Value) {
    let world = World::new().await;
    let image = world::windows(&world.owner).await;
    with_instance_of(world, &image, InstanceType::T3Micro).await
}

async fn with_instance_of(world: World, image: &str, kind: InstanceType) -> (World, Value) {
    let mut request = world.request();
    request["InstanceId"] = json!(instance_of(&world.owner, &world.key, "web", image, kind).await);
    (world, request)
}

/// The bake's instance runs a product of AWS Marketplace, to which these receivers are subscribed.
async fn of_marketplace(subscribed: &[&str]) -> (World, Value) {
    let world = World::new().await;
    let (ec2, instance) = (world.owner.ec2(), &world.instance);
    let made = ec2.create_image().instance_id(instance).name("product").no_reboot(true).send().await.expect("an image");
    let product = made.image_id().expect("an id").to_owned();
    available(&world.owner, &product).await;
    sold(&world, &product, subscribed).await;
    let (world, request) = with_instance_of(world, &product, InstanceType::T3Micro).await;
    ec2.deregister_image().image_id(&product).send().await.expect("it is no image of the bake's");
    (world, request)
}

/// An image becomes a product, to which the owner and these receivers are subscribed.
async fn sold(world: &World, image: &str, subscribed: &[&str]) {
    let ec2 = world.owner.ec2();
    let modify = ec2.modify_image_attribute().image_id(image).attribute("productCodes").product_codes(CODE);
    modify.send().await.expect("it has a code");
    let accounts = subscribed.iter().chain([&OWNER]).map(|account| ((*account).to_owned(), json!([CODE]))).collect();
    world.aws.control("subscriptions", &Value::Object(accounts));
}

#[allow(clippy::disallowed_methods, reason = "how often it looks decides nothing")]
async fn available(account: &Config, image: &str) {
    let shown = || async {
        let found = account.ec2().describe_images().image_ids(image).send().await;
        found.ok().and_then(|found| found.images().first()?.state().map(|state| state.as_str().to_owned()))
    };
    while shown().await.as_deref() != Some("available") {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// The receiver's only image, which is all that it should be, while no instance of its is left.
async fn delivered(world: &World, account: &str, outcome: &Value, route: &str) -> Image {
    let deliveries = outcome["Deliveries"].as_array().expect("deliveries");
    let delivery = deliveries.iter().find(|delivery| delivery["AccountId"] == account).expect("a delivery");
    assert_eq!((&delivery["Status"], &delivery["Route"]), (&json!("Delivered"), &json!(route)), "{delivery}");
    let [image] = world.images(account).await.try_into().expect("one image");
    let image: Image = image;
    assert_eq!(image.image_id(), delivery["ImageId"].as_str());
    assert_eq!(image.state().map(|state| state.as_str()), Some("available"));
    let own_key = world.key_behind(account, "alias/ami-bakery").await;
    let snapshots = world.snapshots(account, image.image_id().expect("an id")).await;
    let golden = world.snapshots(OWNER, outcome["ImageId"].as_str().expect("the golden image")).await;
    assert!(golden.len() > 1 && snapshots.len() == golden.len(), "every volume");
    for snapshot in snapshots {
        assert_eq!(snapshot.kms_key_id(), Some(own_key.as_str()));
        let tags: Vec<_> = snapshot.tags().iter().filter_map(|tag| tag.key()).collect();
        assert!(tags.contains(&"ami-bakery:delivery"), "{tags:?}");
    }
    let golden = world.images(OWNER).await.into_iter().find(|one| one.image_id() == outcome["ImageId"].as_str());
    assert_eq!(kept(&image), kept(&golden.expect("the golden image")), "as in the golden image");
    assert_no_instance_is_left(world, account).await;
    image
}

/// The devices whose volumes stay when an instance is terminated: all but the root.
fn kept(image: &Image) -> Vec<&str> {
    let stays = |one: &&BlockDeviceMapping| one.ebs().and_then(|ebs| ebs.delete_on_termination()) == Some(false);
    let devices: Vec<_> =
        image.block_device_mappings().iter().filter(stays).filter_map(|one| one.device_name()).collect();
    assert!(!devices.is_empty(), "{image:?}");
    devices
}

async fn assert_no_instance_is_left(world: &World, account: &str) {
    let found = world.aws.account(account, REGION).await.ec2().describe_instances().send().await.expect("instances");
    for instance in found.reservations().iter().flat_map(|reservation| reservation.instances()) {
        let state = instance.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned());
        assert!(matches!(state.as_deref(), Some("shutting-down" | "terminated")), "{instance:?}");
    }
}

fn calls(world: &World, action: &str, account: &str) -> usize {
    let of = |call: &&ami_bakery_tests::local_aws::Call| call.action == action && call.account == account;
    world.aws.calls().iter().filter(of).count()
}

#[tokio::test]
async fn windows_is_tried_and_where_aws_refuses_launched() {
    let (world, request) = windows().await;
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    for account in RECEIVERS {
        let image = delivered(&world, account, &ended.outcome(), "Relaunch").await;
        assert_eq!(image.platform().map(|platform| platform.as_str()), Some("windows"));
        assert_eq!(calls(&world, "CopyImage", account), 1, "tried once");
        assert_eq!(calls(&world, "RunInstances", account), 1);
    }
    assert_eq!(ended.outcome()["Deliveries"][0]["Sealed"], json!(false));
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn windows_is_copied_where_aws_allows_it() {
    let (world, request) = windows().await;
    world.aws.control("switches", &json!({"windows-stays-in-account": false}));
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    for account in RECEIVERS {
        let image = delivered(&world, account, &ended.outcome(), "Copy").await;
        assert_eq!(image.platform().map(|platform| platform.as_str()), Some("windows"));
        assert_eq!(calls(&world, "RunInstances", account), 0);
    }
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_marketplace_image_is_launched_at_once_where_the_receiver_is_subscribed() {
    let (world, request) = of_marketplace(&RECEIVERS[..1]).await;
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    let image = delivered(&world, RECEIVERS[0], &outcome, "Relaunch").await;
    let codes: Vec<_> = image.product_codes().iter().filter_map(|code| code.product_code_id()).collect();
    assert_eq!(codes, [CODE], "carried");
    assert_eq!(calls(&world, "CopyImage", RECEIVERS[0]), 0);
    let failed = &outcome["Deliveries"][1];
    let reason = failed["Reason"].as_str().expect("a reason");
    assert!(reason.contains("333333333333 is not subscribed to the AWS Marketplace product"), "{reason}");
    assert_no_instance_is_left(&world, RECEIVERS[1]).await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn codes_that_only_copying_reveals_are_learned_from_the_refusal() {
    let world = World::new().await;
    let hidden = Value::Object([(world.instance.clone(), json!([CODE]))].into_iter().collect());
    world.aws.control("hidden-codes", &hidden);
    let all = [OWNER, RECEIVERS[0], RECEIVERS[1]].map(|account| (account.to_owned(), json!([CODE])));
    world.aws.control("subscriptions", &Value::Object(all.into_iter().collect()));
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    for account in RECEIVERS {
        delivered(&world, account, &ended.outcome(), "Relaunch").await;
        assert_eq!(calls(&world, "CopyImage", account), 1, "tried once");
    }
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn where_only_a_copy_was_asked_for_nothing_is_launched() {
    let (world, mut request) = windows().await;
    request["Receivers"][0]["Route"] = json!("Copy");
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!(outcome["Deliveries"][0]["Error"], json!("InvalidRequest"), "{outcome}");
    assert_eq!(calls(&world, "RunInstances", RECEIVERS[0]), 0);
    delivered(&world, RECEIVERS[1], &outcome, "Relaunch").await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn another_instance_type_is_tried_when_there_is_no_capacity() {
    let (world, request) = windows().await;
    let every = json!([{"type": "t3*", "account": RECEIVERS[0]}, {"type": "*", "account": RECEIVERS[1]}]);
    world.aws.control("capacity", &every);
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    delivered(&world, RECEIVERS[0], &outcome, "Relaunch").await;
    let reason = outcome["Deliveries"][1]["Reason"].as_str().expect("a reason");
    assert!(reason.contains("None of t3.medium, t3a.medium, m5.large"), "{reason}");
    assert_no_instance_is_left(&world, RECEIVERS[1]).await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_image_without_drivers_for_newer_instance_types_boots_on_an_older_one() {
    let world = World::new().await;
    let ec2 = world.owner.ec2();
    let create = ec2.create_image().instance_id(&world.instance).name("first").no_reboot(true);
    let first = create.send().await.expect("an image").image_id().expect("an id").to_owned();
    available(&world.owner, &first).await;
    let root = world.snapshots(OWNER, &first).await[0].snapshot_id().map(str::to_owned);
    let ebs = EbsBlockDevice::builder().set_snapshot_id(root).build();
    let root = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build();
    let register = ec2.register_image().name("old").root_device_name("/dev/xvda").block_device_mappings(root);
    let old = register.virtualization_type("hvm").ena_support(false).send().await.expect("an image");
    let old = old.image_id().expect("an id").to_owned();
    available(&world.owner, &old).await;
    sold(&world, &old, &RECEIVERS).await;
    let (world, request) = with_instance_of(world, &old, InstanceType::T2Micro).await;
    for image in [&old, &first] {
        ec2.deregister_image().image_id(image).send().await.expect("it is no image of the bake's");
    }
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    for account in RECEIVERS {
        delivered(&world, account, &ended.outcome(), "Relaunch").await;
        let found = world.aws.account(account, REGION).await.ec2().describe_instances().send().await;
        let found = found.expect("instances");
        let types = found.reservations().iter().flat_map(|one| one.instances()).filter_map(|one| one.instance_type());
        assert_eq!(types.collect::<Vec<_>>(), [&InstanceType::T2Small], "no newer type could");
    }
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_instance_that_dies_costs_the_other_receiver_nothing() {
    let (world, request) = windows().await;
    world.aws.control("launches", &json!([{"state": "terminated", "after": 60, "account": RECEIVERS[1]}]));
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    delivered(&world, RECEIVERS[0], &outcome, "Relaunch").await;
    let reason = outcome["Deliveries"][1]["Reason"].as_str().expect("a reason");
    assert!(reason.contains("has ended"), "{reason}");
    assert_no_instance_is_left(&world, RECEIVERS[1]).await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_instance_that_never_runs_is_given_up_and_costs_the_other_receiver_nothing() {
    let (world, request) = windows().await;
    world.aws.control("launches", &json!([{"state": "pending", "account": RECEIVERS[1]}]));
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    delivered(&world, RECEIVERS[0], &outcome, "Relaunch").await;
    let failed = &outcome["Deliveries"][1];
    assert_eq!((&failed["Error"], &failed["Route"]), (&json!("TimedOut"), &json!("Relaunch")), "{failed}");
    assert_no_instance_is_left(&world, RECEIVERS[1]).await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_temporary_instance_is_closed_to_the_world() {
    let (world, request) = windows().await;
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let there = world.aws.account(RECEIVERS[0], REGION).await;
    let found = there.ec2().describe_instances().send().await.expect("instances");
    let instance = found.reservations()[0].instances()[0].clone();
    assert_eq!(instance.key_name(), None);
    assert_eq!(instance.public_ip_address(), None);
    let tokens = instance.metadata_options().and_then(|options| options.http_tokens());
    assert_eq!(tokens.map(|tokens| tokens.as_str()), Some("required"));
    let tags: Vec<_> = instance.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
    assert!(tags.contains(&("ami-bakery:bake-id", "web-1")), "{tags:?}");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn the_plan_says_which_route_and_why_and_what_is_missing_for_it() {
    let (world, mut request) = of_marketplace(&RECEIVERS).await;
    request["DryRun"] = json!(true);
    let ended = world.bake("web-1", &request).await;
    let first = ended.output["Deliveries"][0].clone();
    assert_eq!(first["Route"], json!("Relaunch"), "{ended:?}");
    assert!(first["Why"].as_str().is_some_and(|why| why.contains(CODE)), "{first}");
    let there = world.aws.account(RECEIVERS[0], REGION).await.ec2();
    let vpcs = there.describe_vpcs().send().await.expect("VPCs");
    for subnet in there.describe_subnets().send().await.expect("subnets").subnets() {
        there.delete_subnet().subnet_id(subnet.subnet_id().expect("an id")).send().await.expect("it is deleted");
    }
    for gateway in there.describe_internet_gateways().send().await.expect("gateways").internet_gateways() {
        let id = gateway.internet_gateway_id().expect("an id");
        let vpc = vpcs.vpcs()[0].vpc_id().expect("an id");
        let _ = there.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send().await;
    }
    there.delete_vpc().vpc_id(vpcs.vpcs()[0].vpc_id().expect("an id")).send().await.expect("it is deleted");
    request["Receivers"][1]["SubnetId"] = json!("subnet-00000000000000000");
    let ended = world.bake("web-2", &request).await;
    for (n, says) in ["has no default VPC; name a subnet there as SubnetId", "there is no subnet"].iter().enumerate() {
        let problem = ended.output["Deliveries"][n]["Problem"].as_str().unwrap_or_default();
        assert!(problem.contains(says), "{problem} {ended:?}");
    }
}

#[tokio::test]
async fn a_receiver_s_key_that_cannot_be_used_ends_the_instance_and_nothing_is_left() {
    let (world, mut request) = windows().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{}:root", RECEIVERS[1])},
        "Action": ["kms:DescribeKey", "kms:PutKeyPolicy", "kms:CreateKey"], "Resource": "*",
    }]});
    let broken = key(&world.aws.account(RECEIVERS[1], REGION).await, Some(policy)).await;
    request["Receivers"][1]["KmsKeyId"] = json!(broken);
    request["Receivers"][1]["Route"] = json!("Relaunch");
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    delivered(&world, RECEIVERS[0], &outcome, "Relaunch").await;
    assert_eq!(calls(&world, "RunInstances", RECEIVERS[1]), 3, "the grant might have been too young");
    assert_no_instance_is_left(&world, RECEIVERS[1]).await;
    world.assert_nothing_is_left_open().await;
}

/// The first receiver's instance is sealed, by a document of this name, and the second's is not.
async fn seals_the_first(world: &World, mut request: Value, document: &str) {
    let there = world.aws.account(RECEIVERS[0], REGION).await;
    let subnets = there.ec2().describe_subnets().send().await.expect("subnets");
    let subnet = subnets.subnets()[0].clone();
    let endpoint = there.ec2().create_vpc_endpoint().vpc_id(subnet.vpc_id().expect("a VPC"));
    let endpoint = endpoint.service_name("com.amazonaws.us-east-1.ssm").vpc_endpoint_type("Interface".into());
    endpoint.subnet_ids(subnet.subnet_id().expect("an id")).send().await.expect("SSM is reached");
    request["Receivers"][0]["SubnetId"] = json!(subnet.subnet_id());
    request["Receivers"][0]["InstanceProfile"] = json!("Sealer");
    request["Receivers"][0]["SealDocument"] = json!(document);
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    for (account, sealed) in RECEIVERS.into_iter().zip([true, false]) {
        delivered(world, account, &outcome, "Relaunch").await;
        let deliveries = outcome["Deliveries"].as_array().expect("deliveries");
        let delivery = deliveries.iter().find(|delivery| delivery["AccountId"] == account).expect("a delivery");
        assert_eq!(delivery["Sealed"], json!(sealed), "{delivery}");
    }
    assert_eq!(calls(world, "SendCommand", RECEIVERS[0]), 1, "once");
    assert_eq!(calls(world, "SendCommand", RECEIVERS[1]), 0);
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_windows_instance_is_sealed_before_it_is_imaged_where_a_document_is_named() {
    let (world, request) = windows().await;
    seals_the_first(&world, request, "AWSEC2-RunSysprep").await;
}

#[tokio::test]
async fn a_linux_instance_is_sealed_by_a_document_of_the_receiver_s_own() {
    let (world, request) = of_marketplace(&RECEIVERS).await;
    let ssm = world.aws.account(RECEIVERS[0], REGION).await.ssm();
    let content = json!({"schemaVersion": "2.2", "mainSteps": []}).to_string();
    let create = ssm.create_document().name("Seal").document_type("Command".into()).content(content);
    create.send().await.expect("the receiver has a document");
    world.aws.control("documents", &json!({"Seal": {"seals": true}}));
    seals_the_first(&world, request, "Seal").await;
}

#[tokio::test]
async fn a_hop_of_a_marketplace_image_is_a_normal_copy_and_what_is_made_of_it_is_launched() {
    let (world, mut request) = of_marketplace(&RECEIVERS).await;
    let there = world.aws.account(RECEIVERS[0], ELSEWHERE).await;
    let (hop_key, own_key) = (key(&world.aws.account(OWNER, ELSEWHERE).await, None).await, key(&there, None).await);
    request["Keys"] = json!({ELSEWHERE: hop_key});
    request["Receivers"] = json!([{"AccountId": RECEIVERS[0], "Regions": [ELSEWHERE], "KmsKeyId": own_key}]);
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(calls(&world, "CopyImage", OWNER), 1, "the hop");
    assert_eq!(calls(&world, "CopyImage", RECEIVERS[0]), 0);
    let [image] = images(&there).await.try_into().expect("one image");
    let image: Image = image;
    let codes: Vec<_> = image.product_codes().iter().filter_map(|code| code.product_code_id()).collect();
    assert_eq!(codes, [CODE], "carried");
    for snapshot in snapshots(&there, image.image_id().expect("an id")).await {
        assert_eq!(snapshot.kms_key_id(), Some(own_key.as_str()));
    }
    assert!(images(&world.aws.account(OWNER, ELSEWHERE).await).await.is_empty(), "the hop is gone");
    world.assert_nothing_is_left_open().await;
}
