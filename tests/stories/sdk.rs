//! The official Python SDKs, unchanged, pointed at the proxy.

use std::path::Path;

use iron_tests::{Scripted, Site, World, python};
use tokio::process::Command as AsyncCommand;

use crate::platforms::CLOUDS;

/// Runs a story of the SDKs, which only the environment points at the proxy.
async fn tell(python: &Path, world: &World, story: &str) {
    run(python, world, "sdk/story.py", story, &[]).await;
}

/// Runs one of the SDKs' scripts, with these variables besides.
async fn run(python: &Path, world: &World, script: &str, story: &str, variables: &[(&str, &str)]) {
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
        .envs(variables.iter().copied())
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
async fn the_sdks_of_the_clouds_work_unchanged() {
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let poor = "[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n";
    let world = World::with(&format!("{CLOUDS}{poor}")).await;
    let key = "base_url = \"{provider}\"\napi_key_env = \"STORY_KEY\"\n";
    let keyed = World::with(&CLOUDS.replace("base_url = \"{provider}\"\n", key)).await;
    let [base, keyed_base] = [&world, &keyed].map(|world| format!("http://{}", world.address));
    let ca = world.folder().join("ca/ca.pem");
    let variables = [
        ("STORY_BASE", base.as_str()),
        ("STORY_BASE_WITH_KEYS", &keyed_base),
        ("AWS_BEARER_TOKEN_BEDROCK", "caller"),
        ("AWS_CA_BUNDLE", ca.to_str().unwrap()),
        // Nothing of this machine's user, and no look for credentials in the network.
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("GOOGLE_API_KEY", ""),
        ("GEMINI_API_KEY", ""),
    ];
    run(&python, &world, "sdk/clouds_story.py", "", &variables).await;
    for call in world.provider.received() {
        assert!(!call.text().contains("ada@example.org"), "{}", call.text());
    }
    // One request for each refusal.
    let calls = world.calls().await;
    assert_eq!(calls.iter().filter(|call| call.agent == "poor").count(), 9);
    assert_eq!(calls.iter().filter(|call| call.reason == "signed_request").count(), 1);
    let totals = world.totals().await;
    assert!(totals.posted.0 > 0);
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending.0, totals.estimated.0), (0, 0));
    // The caller's signature went no further.
    let sent = &keyed.provider.received()[0].headers;
    assert_eq!(sent["authorization"], format!("Bearer {}", iron_tests::world::OPERATOR_KEY));
    assert!(!format!("{sent:?}").contains("AKIDEXAMPLE"), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdk_speaks_websocket_unchanged() {
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let world = World::plain().await;
    run(&python, &world, "sdk/websocket_story.py", "", &[]).await;
    for call in world.provider.received() {
        assert!(!call.text().contains("ada@example.org"), "{}", call.text());
    }
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending.0, totals.estimated.0), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdks_work_unchanged_through_the_proxy() {
    const VALUE: &str = "ghp_theValueOfTheStory0123456789abcdefg";
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let site = Site::start("site.example", true).await;
    let lines = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{{provider}}\"\n\
         hosts = [\"api.openai.com\"]\napi_key_env = \"STORY_KEY\"\n\
         [[upstream]]\nname = \"anthropic\"\ndialect = \"anthropic\"\nbase_url = \"{{provider}}\"\n\
         hosts = [\"api.anthropic.com\"]\n\
         [[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"site.example\"]\n\
         [connect]\ndeny = [\"denied.example\"]\nprivate = [\"{}\"]\n",
        site.target
    );
    let variables = [("GITHUB_TOKEN", VALUE)];
    let world = World::within(&lines, &variables, |network| site.join(network)).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/through.py");
    let mut command = AsyncCommand::new(python);
    let status = world.client().get("/_iron/status").await.json();
    command.envs(iron_cli::secret::placeholders(&status));
    let output = command
        .arg(script)
        .env("HTTPS_PROXY", format!("http://nightly:run%3Dr-1@{}", world.address))
        .env("SSL_CERT_FILE", world.folder().join("ca/ca.pem"))
        .env("OPENAI_API_KEY", "anything")
        .env("ANTHROPIC_API_KEY", "sk-ant-caller")
        .env("SITE", &site.target)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("OPENAI_BASE_URL")
        .env_remove("ANTHROPIC_BASE_URL")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all steps passed"), "{said}");
    let received = world.provider.received();
    assert_eq!(received.len(), 3);
    let key = format!("Bearer {}", iron_tests::world::OPERATOR_KEY);
    assert_eq!(received[0].headers["authorization"], key);
    assert!(received.iter().all(|call| !call.text().contains("ada@example.org")));
    assert_eq!(site.received()[0].headers["authorization"], format!("Bearer {VALUE}"));
    let calls = world.calls().await;
    assert!(calls.iter().all(|call| call.agent == "nightly"), "{calls:?}");
    assert_eq!(calls.iter().filter(|call| call.reason == "unpriced_endpoint").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdks_take_a_token_for_their_key_and_ask_once_where_it_is_no_good() {
    let python = tokio::task::spawn_blocking(|| python::with_requirements_of("sdk")).await.unwrap();
    let (world, plane) = (World::with(crate::tokens::KEYED).await, Scripted::default());
    world.linked(&plane, true).await;
    let good = Scripted::token("tok_1", |_| {});
    let expired = Scripted::token("tok_2", |claims| claims.exp -= 7_200);
    for (token, story) in [(&good, "good"), (&expired, "token_expired")] {
        let variables =
            ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"].map(|name| (name, &**token));
        run(&python, &world, "sdk/token_story.py", story, &variables).await;
    }
    let calls = world.calls().await;
    let refused = calls.iter().filter(|call| call.reason == "token_expired").count();
    assert_eq!((calls.len(), refused), (6, 3));
    for received in world.provider.received() {
        assert!(!format!("{:?}", received.headers).contains("iron_"), "{:?}", received.headers);
    }
}
