//! What each task asks of AWS that changes anything, or, where nothing is changed, what it reads.

use ami_bakery_tests::asl::State;

pub type Action = (&'static str, &'static str);

/// In the order in which it is done. `recorded.rs` compares it with healthy bakes.
pub fn effects(state: &State) -> &'static [Action] {
    match state.name.as_str() {
        "Plan" => &[("s3", "PutObject")],
        "RebootAndCreate" | "CreateReceiverImage" => &[("ec2", "CreateImage")],
        "CopyToRegion" | "CopyImage" => &[("ec2", "CopyImage")],
        "ShareImage" => &[("s3", "PutObject"), ("ec2", "ModifySnapshotAttribute"), ("ec2", "ModifyImageAttribute")],
        "GrantKey" => &[("kms", "CreateGrant")],
        // To let Auto Scaling in, a key is opened to the receiver's role, and closed again.
        "GrantAccess" => &[("kms", "CreateGrant"), ("kms", "RevokeGrant")],
        "LaunchInstance" => &[("ec2", "RunInstances")],
        "CancelCopy" | "RemoveHop" => &[("ec2", "DeregisterImage")],
        "TerminateInstance" => &[("ec2", "TerminateInstances")],
        "RevokeKey" | "TakeBackKeys" => &[("kms", "RevokeGrant")],
        "StopSharing" => &[("ec2", "ModifyImageAttribute"), ("ec2", "ModifySnapshotAttribute"), ("s3", "DeleteObject")],
        // Copies that are under way when a run is stopped; those of a child that dies stay for its bake.
        "SweepRegion" if state.machine == "SweepRegions" => &[
            ("ec2", "DeregisterImage"),
            ("kms", "RevokeGrant"),
            ("ec2", "ModifyImageAttribute"),
            ("ec2", "ModifySnapshotAttribute"),
            ("s3", "DeleteObject"),
        ],
        "SweepRegion" => &[
            ("kms", "RevokeGrant"),
            ("ec2", "ModifyImageAttribute"),
            ("ec2", "ModifySnapshotAttribute"),
            ("s3", "DeleteObject"),
        ],
        "TakeBackSharing" => {
            &[("ec2", "ModifyImageAttribute"), ("ec2", "ModifySnapshotAttribute"), ("s3", "PutObject")]
        }
        "KeepSharing" => &[("s3", "PutObject"), ("s3", "DeleteObject")],
        "ForgetRuns" => &[("s3", "DeleteObject")],
        "RecordRegion" | "RecordFailure" => &[("s3", "PutObject")],
        "Report" => &[("s3", "PutObject"), ("events", "PutEvents"), ("s3", "DeleteObject")],
        _ => &[],
    }
}

/// What a task that changes nothing reads, and what another reads that may not go on without it.
pub fn reads(state: &str) -> Option<Action> {
    match state {
        "LookAtImage" | "LookAtHop" | "LookAtCopy" => Some(("ec2", "DescribeImages")),
        "LookAtInstance" => Some(("ec2", "DescribeInstances")),
        "Count" => Some(("cloudwatch", "PutMetricData")),
        "CloseKeys" => Some(("kms", "ListGrants")),
        "FindDeadRuns" => Some(("s3", "ListObjectsV2")),
        "SweepGrants" => Some(("kms", "ListRetirableGrants")),
        "Audit" | "NameRegions" => Some(("ec2", "DescribeRegions")),
        // The limits of the stack.
        "ShareImage" | "GrantKey" | "GrantAccess" => Some(("ssm", "GetParameter")),
        _ => None,
    }
}

/// The calls of a task that are made to fail.
///
/// # Panics
/// If none is known: a new task has to say which there are.
pub fn calls(state: &State) -> Vec<Action> {
    let found: Vec<_> = effects(state).iter().copied().chain(reads(&state.name)).collect();
    assert!(!found.is_empty(), "effects.rs does not know what the task {} does", state.name);
    found
}

/// How a service says that it is short of something, asks to slow down, and refuses.
pub fn codes(service: &str) -> (&'static str, &'static str, &'static str) {
    match service {
        "ec2" => ("InternalError", "RequestLimitExceeded", "UnauthorizedOperation"),
        "kms" => ("KMSInternalException", "ThrottlingException", "AccessDeniedException"),
        "s3" => ("InternalError", "SlowDown", "AccessDenied"),
        "cloudwatch" => ("InternalServiceFault", "Throttling", "AccessDenied"),
        "ssm" => ("InternalServerError", "ThrottlingException", "AccessDeniedException"),
        "events" => ("InternalFailure", "ThrottlingException", "AccessDeniedException"),
        other => panic!("effects.rs does not know the errors of {other}"),
    }
}
