//! Real clients, unchanged, and the matrix of what they did.
//!
//! The libraries run with the other tests. The agents are over a gigabyte of npm: `make test-clients`.
//! What was measured is compared with `tests/clients/results.json`; `IRON_WRITE_DOCS=1` records it.

use iron_tests::clients::{self, Client, Route};

use crate::docs;

async fn measured(client: Client, route: Route) {
    clients::check(&clients::measure(client, route).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_in_python_by_base_url() {
    measured(Client::Python("openai"), Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_in_python_by_iron_run() {
    measured(Client::Python("openai"), Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_in_python_by_base_url() {
    measured(Client::Python("anthropic"), Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while: make test-clients"]
async fn anthropic_in_python_by_iron_run() {
    measured(Client::Python("anthropic"), Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_genai_in_python_by_base_url() {
    measured(Client::Python("google-genai"), Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while: make test-clients"]
async fn google_genai_in_python_by_iron_run() {
    measured(Client::Python("google-genai"), Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_in_node_by_base_url() {
    measured(Client::Node("openai"), Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while: make test-clients"]
async fn openai_in_node_by_iron_run() {
    measured(Client::Node("openai"), Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_in_node_by_base_url() {
    measured(Client::Node("anthropic"), Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_in_node_by_iron_run() {
    measured(Client::Node("anthropic"), Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_genai_in_node_by_base_url() {
    measured(Client::Node("google-genai"), Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while: make test-clients"]
async fn google_genai_in_node_by_iron_run() {
    measured(Client::Node("google-genai"), Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn claude_code_by_base_url() {
    measured(Client::ClaudeCode, Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn claude_code_by_iron_run() {
    measured(Client::ClaudeCode, Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn codex_by_base_url() {
    measured(Client::Codex, Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn codex_by_iron_run() {
    measured(Client::Codex, Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn gemini_cli_by_base_url() {
    measured(Client::GeminiCli, Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn gemini_cli_by_iron_run() {
    measured(Client::GeminiCli, Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn opencode_by_base_url() {
    measured(Client::OpenCode, Route::BaseUrl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn opencode_by_iron_run() {
    measured(Client::OpenCode, Route::IronRun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_in_python_by_https_proxy() {
    measured(Client::Python("openai"), Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_in_python_by_https_proxy() {
    measured(Client::Python("anthropic"), Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_genai_in_python_by_https_proxy() {
    measured(Client::Python("google-genai"), Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_in_node_by_https_proxy() {
    measured(Client::Node("openai"), Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_in_node_by_https_proxy() {
    measured(Client::Node("anthropic"), Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_genai_in_node_by_https_proxy() {
    measured(Client::Node("google-genai"), Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn claude_code_by_https_proxy() {
    measured(Client::ClaudeCode, Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn codex_by_https_proxy() {
    measured(Client::Codex, Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn gemini_cli_by_https_proxy() {
    measured(Client::GeminiCli, Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn opencode_by_https_proxy() {
    measured(Client::OpenCode, Route::HttpsProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn codex_by_websocket() {
    measured(Client::Codex, Route::BaseUrlWebSocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_script_that_iron_run_starts_has_a_receipt() {
    clients::simulated(Client::Python("openai")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "over a gigabyte of npm: make test-clients"]
async fn agents_that_iron_run_starts_have_receipts() {
    for agent in [Client::ClaudeCode, Client::Codex, Client::GeminiCli, Client::OpenCode] {
        clients::simulated(agent).await;
    }
}

#[test]
fn the_matrix_is_what_was_measured() {
    docs::between("clients.md", "matrix", &clients::table());
}
