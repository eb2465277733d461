//! The stack is updated while a bake is under way.

use ami_bakery_tests::world::{World, until};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A folder with a program for each function that does nothing but end.
fn useless(functions: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ami-bakery-useless-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    for function in fs::read_dir(functions).expect("the functions") {
        let program = folder.join(function.expect("one of them").file_name());
        fs::write(&program, "#!/bin/sh\nexit 1\n").expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may run");
    }
    folder
}

#[tokio::test]
async fn a_bake_ends_with_the_code_that_it_began_with_and_the_next_has_the_new() {
    let world = World::new().await;
    let hold = json!({"service": "states", "action": "EnterState", "state": "WaitForImage", "error": "Hold"});
    world.aws.inject(&[hold]);
    let run = world.start("web-1", &world.request()).await;
    until("it is held", async || world.aws.faults()[0]["struck"].as_u64() > Some(0)).await;
    let programs = useless(concat!(env!("CARGO_MANIFEST_DIR"), "/../functions"));
    world.aws.update_stack(&programs);
    world.aws.inject(&[]);
    let ended = world.end_of(&run).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(ended.outcome()["Delivered"], 2);
    world.assert_nothing_is_left_open().await;
    let ended = world.bake("web-2", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Failed, "{ended:?}");
    fs::remove_dir_all(programs).expect("it goes");
}
