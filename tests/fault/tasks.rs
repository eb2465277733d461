//! Every task of the machine, with every fault.

use crate::combinations as all;
use crate::combinations::tasks;
use crate::runner::run;
use ami_bakery_tests::asl::states;

#[tokio::test]
async fn an_error_before_the_effect() {
    run("error_before", all::error_before(&tasks())).await;
}

#[tokio::test]
async fn the_effect_with_the_answer_lost() {
    run("answer_lost", all::answer_lost(&tasks())).await;
}

#[tokio::test]
async fn the_effect_twice() {
    run("twice", all::twice(&tasks())).await;
}

#[tokio::test]
async fn a_call_that_fails() {
    run("call_fails", all::call_fails(&tasks())).await;
}

#[tokio::test]
async fn a_call_whose_answer_is_lost() {
    run("call_answer_lost", all::call_answer_lost(&tasks())).await;
}

#[tokio::test]
async fn a_function_that_crashes() {
    run("crash", all::crash(&tasks())).await;
}

#[tokio::test]
async fn a_function_that_runs_out_of_memory() {
    run("out_of_memory", all::out_of_memory(&tasks())).await;
}

#[tokio::test]
async fn a_function_that_times_out() {
    run("timed_out", all::timed_out(&tasks())).await;
}

#[tokio::test]
async fn throttling_for_minutes() {
    run("throttled", all::throttled(&tasks())).await;
}

#[tokio::test]
async fn access_denied() {
    run("denied", all::denied(&tasks())).await;
}

#[tokio::test]
async fn an_abort_as_any_state_is_entered() {
    run("aborted_on_entering", all::aborted_on_entering(&states())).await;
}

#[tokio::test]
async fn an_abort_before_the_effect_lands() {
    run("aborted_in_flight", all::aborted_in_flight(&tasks())).await;
}

#[tokio::test]
async fn an_abort_when_the_effect_is_done() {
    run("aborted_when_done", all::aborted_when_done(&tasks())).await;
}
