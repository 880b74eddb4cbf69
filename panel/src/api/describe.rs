//! What the OpenAPI document says of every route alike: who may use it, the headers it takes, and
//! how it can be refused. It is told once, of the access table; handlers declare what they answer
//! when all is well, and refusals that only they have.

use serde_json::{Map, Value, json};

use super::access::{self, Door, May};

/// Completes the document of the handlers' annotations.
pub fn complete(document: &mut Value) {
    let components = &mut document["components"];
    components["securitySchemes"] = json!({
        "person": {"type": "http", "scheme": "bearer", "bearerFormat": "iron_user_…"},
        "browser": {"type": "apiKey", "in": "cookie", "name": "__Host-iron"},
        "proxy": {"type": "http", "scheme": "bearer", "bearerFormat": "iron_proxy_…"},
        "agent": {"type": "http", "scheme": "bearer", "bearerFormat": "iron_JWT"},
    });
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, methods) in paths {
        let Some(methods) = methods.as_object_mut() else { continue };
        for (method, operation) in methods {
            let door = access::door_of(&method.to_uppercase(), path);
            if let (Some(door), Some(operation)) = (door, operation.as_object_mut()) {
                complete_operation(door, operation);
            }
        }
    }
}

fn complete_operation(door: &Door, operation: &mut Map<String, Value>) {
    let schemes: &[&str] = match door.may {
        May::Anyone => &[],
        May::Person(_) => &["person", "browser"],
        May::Proxy => &["proxy"],
        May::AgentOr(_) => &["agent", "person", "browser"],
    };
    let security = schemes.iter().map(|scheme| json!({*scheme: []}));
    operation.insert("security".to_owned(), security.collect());
    name(operation);
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        if door.takes_key() {
            parameters.push(header(
                "Idempotency-Key",
                "The same in each attempt: what is sent twice is done once. Kept for 24 hours.",
                false,
            ));
        }
        if door.versioned {
            parameters.push(header("If-Match", "The thing's ETag, as it was read.", true));
        }
    }
    let has_body = operation.contains_key("requestBody");
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        if let Some(response) = response.as_object_mut() {
            response.entry("description").or_insert_with(|| usual(status).into());
        }
    }
    for (status, why) in refusals(door, has_body) {
        responses.entry(status).or_insert_with(|| {
            json!({
                "description": why,
                "content": {"application/problem+json":
                    {"schema": {"$ref": "#/components/schemas/Problem"}}},
            })
        });
    }
}

/// Gives an operation a name that no other one has: handlers of several resources are called alike.
fn name(operation: &mut Map<String, Value>) {
    let tag = operation.get("tags").and_then(|tags| tags[0].as_str()).unwrap_or_default();
    let own = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    let name = format!("{tag}_{own}").replace([' ', '-'], "_");
    operation.insert("operationId".to_owned(), name.into());
}

/// What an answer says whose handler says no more than its status: every one must say something.
fn usual(status: &str) -> &'static str {
    match status {
        "200" => "It is so.",
        "201" => "It was made.",
        "202" => "It was taken, and is not done yet.",
        "204" => "It was done.",
        "404" => "There is no such thing, or it is not the caller's to see.",
        "410" => "It was there, and is not any more.",
        _ => "See the body.",
    }
}

/// How a route can be refused by what stands before its handler, and by what every handler has.
fn refusals(door: &Door, has_body: bool) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![
        ("400", "The request cannot be read, or makes no sense."),
        // A credential that is none is refused everywhere.
        ("401", "Nobody is signed in, or the credential is not valid."),
        ("403", "Not for whoever is signed in, or from a foreign page."),
        ("421", "The host is not one of the panel's."),
        ("429", "Too much at once: see `retry-after`."),
        ("500", "The panel failed in an unforeseen way."),
        ("503", "The panel's database cannot be used now."),
    ];
    // A body may name things, too.
    if door.path.contains('{') || has_body {
        all.push(("404", "There is no such thing, or it is not the caller's to see."));
    }
    if door.method != "GET" {
        all.push(("409", "It is there already, or not in the state for this."));
        all.push(("413", "The body is too large."));
    }
    if has_body {
        all.push(("415", "The body is not JSON."));
    }
    if has_body || door.takes_key() {
        all.push(("422", "The idempotency key was used for another request, or a rule is broken."));
    }
    if door.versioned {
        all.push(("412", "Somebody changed it since it was read."));
        all.push(("428", "`If-Match` is missing."));
    }
    all
}

fn header(name: &str, why: &str, required: bool) -> Value {
    json!({
        "name": name, "in": "header", "required": required, "description": why,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    })
}
