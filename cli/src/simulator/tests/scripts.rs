//! Which order a call meets.

use super::{anthropic, call, chat, messages_body, start};
use crate::simulator::{Behaviour, When};

#[tokio::test]
async fn next_calls_come_first_then_standing_orders_then_health() {
    let simulator = start();
    simulator.always(Behaviour::status(500));
    simulator.script([Behaviour::status(429), Behaviour::default()]);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(call(&simulator, chat("x")).await.status);
    }
    simulator.heal();
    seen.push(call(&simulator, chat("x")).await.status);
    assert_eq!(seen, [429, 200, 500, 200]);
}

#[tokio::test]
async fn orders_can_be_bound_to_a_path_or_a_model() {
    let simulator = start();
    simulator.script_when(When::Model("claude-haiku-4-5".into()), [Behaviour::status(529)]);
    simulator.always_when(When::Path("/v1/messages".into()), Behaviour::status(503));
    assert_eq!(call(&simulator, chat("x")).await.status, 200);
    for status in [529, 503] {
        let request = anthropic("/v1/messages", &messages_body("x"));
        assert_eq!(call(&simulator, request).await.status, status);
    }
    assert_eq!(call(&simulator, chat("x")).await.status, 200);
}
