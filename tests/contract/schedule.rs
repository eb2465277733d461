//! What the template's schedule sends is what `start` understands.

use ami_bakery_tests::repository;

#[test]
fn the_schedule_s_payload_is_an_input() {
    let template = repository::text("infra/template.yaml");
    let (_, rest) = template.split_once("Input: !Sub >-\n").expect("the schedule's input");
    let text: String = rest.lines().take_while(|line| !line.contains("RetryPolicy")).collect();
    let attributes = [
        ("<aws.scheduler.schedule-arn>", "arn:aws:scheduler:us-east-1:111111111111:schedule/default/ami-bakery-bake"),
        ("<aws.scheduler.scheduled-time>", "2026-11-24T03:00:00Z"),
        ("${ScheduleRequest}", r#"{"Profile": "web", "InstanceTags": {"stage": "golden"}}"#),
    ];
    let text = attributes.iter().fold(text, |text, (name, value)| text.replace(name, value));
    let payload = serde_json::from_str(&text).expect("JSON");
    let input: start::Input = bakery::runner::parse(payload).expect("the function's input");
    assert!(matches!(input, start::Input::Scheduled(_)), "{input:?}");
}
