//! Every task of the machine, with every fault.

use crate::combinations as all;
use crate::runner::run;

#[tokio::test]
async fn an_error_before_the_effect() {
    run("error_before", all::error_before()).await;
}

#[tokio::test]
async fn the_effect_with_the_answer_lost() {
    run("answer_lost", all::answer_lost()).await;
}

#[tokio::test]
async fn the_effect_twice() {
    run("twice", all::twice()).await;
}

#[tokio::test]
async fn a_call_that_fails() {
    run("call_fails", all::call_fails()).await;
}

#[tokio::test]
async fn a_call_whose_answer_is_lost() {
    run("call_answer_lost", all::call_answer_lost()).await;
}

#[tokio::test]
async fn a_function_that_crashes() {
    run("crash", all::crash()).await;
}

#[tokio::test]
async fn a_function_that_runs_out_of_memory() {
    run("out_of_memory", all::out_of_memory()).await;
}

#[tokio::test]
async fn a_function_that_times_out() {
    run("timed_out", all::timed_out()).await;
}

#[tokio::test]
async fn throttling_for_minutes() {
    run("throttled", all::throttled()).await;
}

#[tokio::test]
async fn access_denied() {
    run("denied", all::denied()).await;
}

#[tokio::test]
async fn an_abort_as_any_state_is_entered() {
    run("aborted_on_entering", all::aborted_on_entering()).await;
}

#[tokio::test]
async fn an_abort_before_the_effect_lands() {
    run("aborted_in_flight", all::aborted_in_flight()).await;
}

#[tokio::test]
async fn an_abort_when_the_effect_is_done() {
    run("aborted_when_done", all::aborted_when_done()).await;
}
