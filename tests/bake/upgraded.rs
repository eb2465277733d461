//! The stack is updated while a bake is under way.

use ami_bakery_tests::repository;
use ami_bakery_tests::world::World;
use aws_sdk_sfn::types::ExecutionStatus;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A folder with a program for each function that does nothing but end.
fn useless(functions: &Path) -> PathBuf {
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
    let run = world.start_and_hold("web-1", &world.request(), "WaitForImage").await;
    let programs = useless(&repository::path("functions"));
    world.aws.update_stack(&programs);
    world.go_on();
    let ended = world.end_of(&run).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(ended.outcome()["Delivered"], 2);
    world.assert_nothing_is_left_open().await;
    let ended = world.bake("web-2", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Failed, "{ended:?}");
    fs::remove_dir_all(programs).expect("it goes");
}
