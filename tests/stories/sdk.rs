//! The official Python SDKs, unchanged, pointed at the proxy.

use std::path::Path;

use iron_tests::{World, python};
use tokio::process::Command as AsyncCommand;

/// Runs a story of the SDKs, which only the environment points at the proxy.
async fn tell(python: &Path, world: &World, story: &str) {
    run(python, world, "sdk/story.py", story).await;
}

/// Runs one of the SDKs' scripts.
async fn run(python: &Path, world: &World, script: &str, story: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let base = format!("http://{}", world.address);
    let output = AsyncCommand::new(python)
        .arg(script)
        .arg(story)
        .env("OPENAI_BASE_URL", format!("{base}/v1"))
        .env("OPENAI_API_KEY", "sk-caller")
        .env("ANTHROPIC_BASE_URL", &base)
        .env("ANTHROPIC_API_KEY", "sk-ant-caller")
        .env("GOOGLE_GEMINI_BASE_URL", &base)
        .env("GEMINI_API_KEY", "google-caller")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all steps passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdks_work_unchanged() {
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let world = World::with(
        "[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n",
    )
    .await;
    tell(&python, &world, "all").await;
    for call in world.provider.received() {
        assert!(!call.text().contains("ada@example.org"), "{}", call.text());
    }
    // One request for each refusal: two of the first SDKs, two of Google's.
    let calls = world.calls().await;
    assert_eq!(calls.iter().filter(|call| call.agent == "poor").count(), 4);
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending.0, totals.estimated.0), (0, 0));

    // In a world of its own, since it is charged whole.
    let world = World::plain().await;
    tell(&python, &world, "broken").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdk_speaks_websocket_unchanged() {
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let world = World::plain().await;
    run(&python, &world, "sdk/websocket_story.py", "").await;
    for call in world.provider.received() {
        assert!(!call.text().contains("ada@example.org"), "{}", call.text());
    }
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending.0, totals.estimated.0), (0, 0));
}
