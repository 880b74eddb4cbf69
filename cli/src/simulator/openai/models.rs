//! `GET /v1/models` and `GET /v1/models/{id}`.

use serde_json::{Value, json};

use crate::simulator::bill::{MODELS, Vendor};

/// One model.
pub(in crate::simulator) fn one(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system" })
}

/// All models.
pub(in crate::simulator) fn all() -> Value {
    let ours = MODELS.iter().filter(|model| model.vendor == Vendor::OpenAi);
    let data: Vec<Value> = ours.map(|model| one(model.name)).collect();
    json!({ "object": "list", "data": data })
}
