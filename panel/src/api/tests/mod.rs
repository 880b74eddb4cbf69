//! The API as its callers see it.

use std::collections::BTreeSet;

use super::access::table;
use crate::testing::worlds;

mod people;
mod walk;

#[test]
fn every_route_is_in_the_table_and_nothing_else_is() {
    let document = super::document();
    let mut documented = BTreeSet::from([("GET".to_owned(), "/api/v1/openapi.json".to_owned())]);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| key.len() < 8) {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let listed: BTreeSet<_> =
        table().map(|door| (door.method.to_owned(), door.path.to_owned())).collect();
    assert_eq!(table().count(), listed.len(), "a route is listed twice");
    // Pages for people, and figures for Prometheus, are not in the document.
    let (api, pages): (BTreeSet<_>, BTreeSet<_>) =
        listed.into_iter().partition(|(_, path)| path.starts_with("/api/") || path == "/ws");
    assert_eq!(documented, api);
    assert_eq!(pages.len(), 5, "{pages:?}");
}

#[test]
fn the_document_refers_to_nothing_that_it_lacks_and_names_each_operation() {
    let document = super::document();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let referred: BTreeSet<_> = text
        .split("\"#/components/schemas/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let lacking: Vec<_> = referred.iter().filter(|name| !schemas.contains_key(**name)).collect();
    assert!(referred.len() > 50 && lacking.is_empty(), "{lacking:?}");
    let mut names = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is two operations");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                assert!(answer["description"].is_string(), "{name} does not say what {status} is");
            }
        }
    }
    // Two that are called alike would pass for one another.
    assert!(
        schemas["Asks"]["properties"]["asks"]["items"]["$ref"].as_str().unwrap().ends_with("/Ask")
    );
    assert!(schemas["Ask"]["properties"]["budget"].is_object());
    assert!(schemas["Report"]["properties"]["lease"].is_object());
}

#[tokio::test]
async fn whoever_asks_for_what_is_not_there_gets_a_problem_document() {
    for world in worlds().await {
        let answer = world.get("/api/v1/nothing").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json["code"], "not_found");
        assert!(answer.json["request_id"].as_str().unwrap().starts_with("req_"));
        assert_eq!(answer.json["request_id"], answer.header("x-request-id"));
        assert_eq!(world.get("/api/v1/health?a=%00").await.status, 400);
        let answer = world.post("/api/v1/health", &serde_json::Value::Null).await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str().unwrap()),
            (405, "method_not_allowed")
        );
        assert_eq!(world.get("/api/v1/health").await.json["status"], "ok");
        let answer = world.with_bearer("iron_user_none").get("/api/v1/health").await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str().unwrap()),
            (401, "unauthenticated")
        );
    }
}
