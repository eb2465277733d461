//! Which route a delivery takes, and whether an instance can be launched where that is the way.

use crate::*;
use aws_sdk_ec2::types::{PlatformValues, ProductCode, ProductCodeValues};
use bakery::plan::Delivery;

const CODE: &str = "aw0evgkw8e5c1q413zgy5pjce";

/// The owner's instance runs a product of AWS Marketplace; the receivers have this to launch in.
fn of_marketplace(network: &[&'static str]) -> World {
    let mut instance = owner::instance(INSTANCE, &[("/dev/xvda", "vol-1"), ("/dev/sdf", "vol-2")]);
    let code = ProductCode::builder().product_code_id(CODE).product_code_type(ProductCodeValues::Marketplace).build();
    instance.product_codes = Some(vec![code]);
    World { instances: vec![instance], network: network.to_vec(), ..World::default() }
}

/// The first delivery, the receiver being described so.
async fn first(world: &World, receiver: Value) -> Delivery {
    let mut fields = json!({"AccountId": RECEIVERS[0]});
    fields.as_object_mut().expect("fields").extend(receiver.as_object().expect("fields").clone());
    let request = request_with(json!({"Receivers": [fields], "DryRun": true}));
    plan(world, request).await.deliveries.remove(0)
}

fn sealed() -> Value {
    json!({"SubnetId": "subnet-0123456789abcdef0", "InstanceProfile": "sealer", "SealDocument": "AWSEC2-RunSysprep"})
}

#[tokio::test]
async fn what_has_product_codes_is_launched() {
    let delivery = first(&of_marketplace(&["default VPC"]), json!({})).await;
    assert_eq!((delivery.route, delivery.problem), (Route::Relaunch, None));
    assert!(delivery.why.contains(CODE), "{}", delivery.why);
    let asked = first(&of_marketplace(&[]), json!({"Route": "Copy"})).await;
    assert_eq!((asked.route, asked.relaunch), (Route::Copy, None), "as asked for, though AWS will refuse it");
}

#[tokio::test]
async fn windows_is_copied_and_may_be_launched() {
    let mut world = of_marketplace(&[]);
    world.instances[0].product_codes = None;
    world.instances[0].platform = Some(PlatformValues::from("windows"));
    let delivery = first(&world, json!({})).await;
    assert_eq!((delivery.route, delivery.relaunch.is_some()), (Route::Copy, true));
    assert!(delivery.why.contains("Windows"), "{}", delivery.why);
}

#[tokio::test]
async fn an_image_with_product_codes_is_launched_too() {
    let mut image = looks::image(IMAGE, "available", &SNAPSHOTS, &[]);
    image.owner_id = Some(OWNER.to_owned());
    let code = ProductCode::builder().product_code_id(CODE).product_code_type(ProductCodeValues::Marketplace).build();
    image.product_codes = Some(vec![code]);
    let snapshots = SNAPSHOTS.map(|snapshot| looks::snapshot(snapshot, "completed", "100%", Some(KEYS[0]), &[]));
    let world = World { images: vec![image], snapshots: snapshots.to_vec(), ..World::default() };
    let mut request = image_request();
    request["DryRun"] = json!(true);
    assert_eq!(plan(&world, request).await.deliveries[0].route, Route::Relaunch);
}

#[tokio::test]
async fn there_must_be_a_network_to_launch_in() {
    let delivery = first(&of_marketplace(&[]), json!({})).await;
    let problem = delivery.problem.expect("there is none");
    assert!(problem.contains("no default VPC") && problem.contains("SubnetId"), "{problem}");
    let named = json!({"SubnetId": "subnet-0123456789abcdef0"});
    for code in ["InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"] {
        let world = World { refusals: vec![("ec2:DescribeSubnets", code)], ..of_marketplace(&["default VPC"]) };
        let problem = first(&world, named.clone()).await.problem.expect("it is not there");
        assert!(problem.contains("there is no subnet subnet-0123456789abcdef0"), "{problem}");
    }
    assert_eq!(first(&of_marketplace(&["subnet"]), named).await.problem, None);
}

#[tokio::test]
async fn ssm_must_be_reached_to_seal() {
    for (network, reached) in [(&["subnet"][..], false), (&["subnet", "NAT"], true), (&["subnet", "endpoint"], true)] {
        let delivery = first(&of_marketplace(network), sealed()).await;
        assert_eq!(delivery.problem.is_none(), reached, "{network:?}: {:?}", delivery.problem);
        if let Some(problem) = delivery.problem {
            assert!(problem.contains("AWSEC2-RunSysprep") && problem.contains("NAT gateway"), "{problem}");
        }
    }
}

#[tokio::test]
async fn sealing_needs_a_profile_and_a_subnet_and_launching_a_route_that_launches() {
    let request = request_with(json!({"Receivers": [
        {"AccountId": RECEIVERS[0], "SealDocument": "AWSEC2-RunSysprep"},
        {"AccountId": RECEIVERS[1], "Route": "Copy", "InstanceType": "t3.small"},
        {"AccountId": OWNER, "Route": "Relaunch"},
        {"AccountId": "444444444444", "SubnetId": "10.0.0.0/24", "InstanceType": "big", "SecurityGroupIds": ["web"]},
    ]}));
    let problems = problems(&World::default(), request).await;
    let says = [
        ("Receivers[0].InstanceProfile", "required with SealDocument"),
        ("Receivers[0].SubnetId", "required with SealDocument"),
        ("Receivers[1].InstanceType", "only with Route Auto or Relaunch"),
        ("Receivers[3].SubnetId", "subnet-"),
        ("Receivers[3].SecurityGroupIds", "sg-"),
        ("Receivers[3].InstanceType", "t3.small"),
        ("Receivers[2].AccountId", "within its account"),
    ];
    for (field, says) in says {
        assert!(problems.iter().any(|problem| problem.starts_with(field) && problem.contains(says)), "{problems:#?}");
    }
    assert_eq!(problems.len(), says.len(), "{problems:#?}");
}
