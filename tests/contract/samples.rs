//! What each variable of the machine holds, made by the functions' own types.

use bakery::Place;
use bakery::grants::Grant;
use bakery::outcome::{Outcome, StrangeGrant};
use bakery::plan::{
    AUDIT, Bake, Delivery, Image, InstanceState, Plan, PlanStatus, PlannedAudit, PlannedRegion, Relaunch, Route, Run,
    StandingImage, TAKE_BACK, TakeBack,
};
use bakery::prediction::Known;
use bakery::request::Reboot;
use bakery::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn id<T: for<'a> TryFrom<&'a str, Error = &'static str>>(text: &str) -> T {
    T::try_from(text).expect("a valid identifier")
}

const KEY: &str = "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000000";
const IMAGE: &str = "ami-0123456789abcdef0";

fn json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("it can be written")
}

fn run() -> Run {
    let arn = "arn:aws:states:us-east-1:111111111111:execution:ami-bakery-bake:web-1".to_owned();
    Run { name: id("web-1"), arn, started_at: Timestamp::from_epoch_seconds(0) }
}

fn bake() -> Bake {
    Bake {
        bake_id: id("web-1"),
        place: Place { account_id: id("111111111111"), region: id("us-east-1") },
        instance_id: Some(id("i-0123456789abcdef0")),
        image_id: Some(id(IMAGE)),
        image_name: "web-web-1".to_owned(),
        reboot: Reboot::Create,
        exclude_devices: vec!["/dev/sdb".to_owned()],
        tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        timeout_minutes: 720,
        began_at: Some(run().started_at),
    }
}

fn delivery() -> Delivery {
    Delivery {
        organization_arn: Some(id("arn:aws:organizations::222222222222:organization/o-0123456789")),
        why: "asked for".to_owned(),
        relaunch: Some(Relaunch {
            subnet_id: Some(id("subnet-0123456789abcdef0")),
            security_group_ids: vec![id("sg-0123456789abcdef0")],
            instance_type: Some(id("t3.small")),
            instance_profile: Some(id("sealer")),
            seal_document: Some(id("AWSEC2-RunSysprep")),
        }),
        grantees: vec![id("arn:aws:iam::222222222222:root")],
        kms_key_id: Some(id(KEY)),
        problem: Some("its role cannot be assumed".to_owned()),
        image_id: Some(id(IMAGE)),
        ..Delivery::new(0, id("222222222222"), id("us-east-1"), Route::Copy)
    }
}

fn region() -> PlannedRegion {
    PlannedRegion {
        region: id("us-east-1"),
        deliveries_key: "runs/web-1/us-east-1/deliveries.json".to_owned(),
        count: 1,
        needed: 1,
        hop: Some(Delivery { route: Route::Hop, ..delivery() }),
    }
}

fn image() -> Image {
    Image {
        image_id: id(IMAGE),
        region: id("us-east-1"),
        snapshot_ids: vec![id("snap-0123456789abcdef0")],
        kms_key_ids: vec![id(KEY)],
        size_gib: 8,
        instance: Some(InstanceState { instance_id: id("i-0123456789abcdef0"), status: "ok".to_owned() }),
    }
}

fn outcome() -> Outcome {
    Outcome {
        bake_id: id("web-1"),
        image_id: Some(id(IMAGE)),
        image_name: "web-web-1".to_owned(),
        instance: None,
        error: None,
        reason: None,
        delivered: 0,
        failed: 0,
        report: "s3://bucket/bakes/web-1/report.json".to_owned(),
        deliveries: Vec::new(),
        strange_grants: Vec::new(),
        estimated_cost: None,
        warnings: Vec::new(),
    }
}

fn plan() -> Plan {
    Plan {
        status: PlanStatus::Ready,
        run: run(),
        bake: bake(),
        regions: vec![region()],
        bucket: "bucket".to_owned(),
        claims: vec![id("web-1")],
        keep_sharing: false,
        keep_hops: false,
        warnings: vec!["beware".to_owned()],
        deliveries: vec![delivery()],
        outcome: Some(outcome()),
    }
}

fn standing() -> StandingImage {
    StandingImage {
        golden_image_id: id(IMAGE),
        image_id: id(IMAGE),
        region: id("us-east-1"),
        snapshot_ids: vec![id("snap-0123456789abcdef0")],
        kms_key_ids: vec![id(KEY)],
    }
}

fn pending() -> wait_snapshots::Output {
    let known = Known { soonest: 90, latest: 100 };
    let snapshot_ids = vec![id("snap-0123456789abcdef0")];
    wait_snapshots::Output::Pending { check_after_seconds: 5, progress: 99, known, snapshot_ids }
}

fn take_back() -> TakeBack {
    TakeBack {
        status: TAKE_BACK,
        run: run(),
        images: vec![standing()],
        receivers: vec![id("222222222222")],
        again_after_seconds: 60,
    }
}

/// Every value that a variable may have; null where a state assigns null.
pub fn values(variable: &str) -> Vec<Value> {
    let failure = json!({"Error": "ImageFailed", "Cause": "why"});
    let look = wait_snapshots::Output::Available { image: image() };
    match variable {
        "plan" => vec![json(plan()), json(take_back()), json(PlannedAudit { status: AUDIT, run: run() })],
        "standing" => vec![json(standing())],
        "run" => vec![json(run())],
        "settings" => vec![json!({"ReceiverRoleArn": "arn:aws:iam::*:role/AmiBakeryReceiver", "ExternalId": "a:b/c"})],
        "bake" => vec![json(bake())],
        "delivery" => vec![json(delivery())],
        "region" => vec![json(region())],
        "image" | "regionImage" => vec![json(look), json!({"ImageId": IMAGE}), Value::Null],
        "source" => vec![json(look)],
        "copy" | "hop" => vec![
            json(copy::Output::Requested { image_id: id(IMAGE), check_after_seconds: 15 }),
            json(look),
            Value::Null,
        ],
        "grants" => vec![json([Grant { kms_key_id: id(KEY), grant_id: "0123".to_owned() }]), Value::Null],
        "reboot" => reboots().into_iter().chain([Value::Null]).collect(),
        "failure" | "regionFailure" | "deliveryFailure" | "notTakenBack" => vec![failure, Value::Null],
        "results" => vec![
            json!([{"Index": 0, "ImageId": IMAGE, "SizeGiB": 8}, {"Index": 1, "Error": "TimedOut"}, null]),
            json!([]),
        ],
        "imageLook" | "hopLook" | "copyLook" => vec![json(pending()), json(look), Value::Null],
        "left" | "lost" => vec![json!(false), json!(true)],
        "strange" => vec![json!([strange()]), json!([])],
        "instance" => instances().into_iter().chain([Value::Null]).collect(),
        "attempt" | "looks" | "allLooks" | "copyLooks" | "hopLooks" => vec![json!(1)],
        "imageStartedAt" | "copyStartedAt" | "hopStartedAt" | "instanceStartedAt" => {
            vec![json!("2026-11-24T01:54:00Z")]
        }
        other => panic!("the machine uses a variable that no sample stands for: ${other}"),
    }
}

fn strange() -> StrangeGrant {
    StrangeGrant {
        kms_key_id: id(KEY),
        grant_id: "0123".to_owned(),
        issuing_account: "arn:aws:iam::222222222222:root".to_owned(),
        grantee_principal: "arn:aws:iam::222222222222:role/other".to_owned(),
    }
}

fn instances() -> Vec<Value> {
    let sealing = r#"{"CommandId": "c", "Since": "2026-11-24T01:54:00Z", "SucceededAt": "2026-11-24T01:54:00Z"}"#;
    let sealing = serde_json::from_str(sealing).expect("as the function writes it");
    let instance_id = id("i-0123456789abcdef0");
    vec![
        json(launch::Output::Pending {
            instance_id: id("i-0123456789abcdef0"),
            check_after_seconds: 20,
            sealing: Some(sealing),
        }),
        json(launch::Output::Ready { instance_id, sealed: true }),
        json(launch::Output::NotThisType { tried: 1, reason: "why".to_owned() }),
        json(launch::Output::KeyNotAccessible { instance_id: id("i-0123456789abcdef0"), reason: "why".to_owned() }),
    ]
}

fn reboots() -> Vec<Value> {
    let text =
        r#"{"Status":"Rebooting","CheckAfterSeconds":20,"Rebooting":{"Since":"2026-11-24T01:54:00Z","LeftOk":false}}"#;
    let rebooting: reboot_and_create::Output = serde_json::from_str(text).expect("as the function writes it");
    vec![json(rebooting), json(reboot_and_create::Output::Requested { image_id: id(IMAGE), check_after_seconds: 15 })]
}

/// Everything that a Task may answer with, for what is read of `$states.input` and `$states.result.Payload`.
pub fn answers() -> Vec<Value> {
    let failed = json!({"Error": "PartialDelivery", "Cause": "{}"});
    let mut all = vec![
        json(plan()),
        json(take_back()),
        json(region()),
        json(grant_key::Output { grants: Vec::new() }),
        json(share::Output { accounts: 1 }),
        json(copy::Output::Cancelled { image_ids: Vec::new() }),
        json(revoke::Output { revoked: 1, strange: vec![strange()] }),
        json(sweep::Output::Swept { taken_back: 0, problems: Vec::new() }),
        json(pending()),
        json(wait_snapshots::Output::Available { image: image() }),
        json(wait_snapshots::Output::KeyNotAccessible { reason: "why".to_owned() }),
        json(report::Output::Bake {
            outcome: Box::new(outcome()),
            metrics: report::Metrics { delivered: 1, failed: 0, strange_grants: 0, revoke_failed: 0 },
            error: Some("PartialDelivery".to_owned()),
            cause: Some("{}".to_owned()),
        }),
        json!({"Run": run(), "Bake": bake(), "Image": image(), "Delivery": delivery()}),
        failed,
        json!({"ImageId": IMAGE, "Region": "us-east-1", "Failure": {"Error": "RevokeFailed", "Cause": "why"}}),
    ];
    all.extend(reboots());
    all.extend(instances());
    all
}
