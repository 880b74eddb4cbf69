//! Which strings of a request are text, and which must never be touched.
//!
//! The rule is an exclusion: whatever is not known to be a name, an id, a signature, media data
//! or part of a schema is text. A field that a provider adds tomorrow is then scanned, not leaked.

/// How the strings below a container are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// The API's own structure: text except for the known exceptions.
    Api,
    /// Free JSON of the caller's (a tool's input, metadata): every string is text.
    Free,
    /// A JSON schema: only its descriptions are text.
    Schema,
    /// Nothing below is text.
    Closed,
}

impl Region {
    /// The region of the value under `key` in an object of this region.
    pub(super) fn below(self, key: &str, top: bool) -> Self {
        match (self, key) {
            (Self::Api, "cache_control" | "stream_options" | "logit_bias" | "tool_choice") => {
                Self::Closed
            }
            (Self::Api, "parameters" | "input_schema" | "schema") => Self::Schema,
            // At the top `input` is the conversation of a Responses call.
            (Self::Api, "input") if !top => Self::Free,
            (Self::Api, "arguments" | "metadata" | "variables") => Self::Free,
            (region, _) => region,
        }
    }

    /// Whether a string under `key` (its own, or that of the list it is an item of) is text.
    pub(super) fn is_text(self, key: &str) -> bool {
        match self {
            Self::Api => !is_fixed(key),
            Self::Free => true,
            Self::Schema => matches!(key, "description" | "title"),
            Self::Closed => false,
        }
    }
}

/// Keys of the providers' APIs whose strings are names, ids, signatures, settings or data.
fn is_fixed(key: &str) -> bool {
    matches!(
        key,
        "model"
            | "role"
            | "type"
            | "id"
            | "name"
            | "object"
            | "status"
            | "signature"
            | "encrypted_content"
            | "data"
            | "media_type"
            | "file_data"
            | "b64_json"
            | "url"
            | "image_url"
            | "file_url"
            | "detail"
            | "format"
            | "encoding_format"
            | "service_tier"
            | "reasoning_effort"
            | "effort"
            | "verbosity"
            | "truncation"
            | "syntax"
            | "include"
            | "modalities"
            | "previous_response_id"
            | "conversation"
            | "container"
            | "prompt_cache_key"
            | "prompt_cache_retention"
    ) || key.ends_with("_id")
        || key.ends_with("_ids")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_text() {
        assert!(Region::Api.is_text("content"));
        assert!(Region::Api.is_text("a_field_of_tomorrow"));
        assert!(!Region::Api.is_text("tool_call_id"));
        assert!(!Region::Api.is_text("signature"));
        assert!(Region::Free.is_text("id"));
        assert!(!Region::Schema.is_text("pattern"));
        assert!(Region::Schema.is_text("description"));
    }

    #[test]
    fn input_is_the_conversation_at_the_top_and_free_below() {
        assert_eq!(Region::Api.below("input", true), Region::Api);
        assert_eq!(Region::Api.below("input", false), Region::Free);
        assert_eq!(Region::Free.below("schema", false), Region::Free);
        assert_eq!(Region::Api.below("input_schema", false), Region::Schema);
    }
}
