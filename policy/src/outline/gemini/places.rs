//! Where a value stands in a Gemini body, and whether a string there is text.
//!
//! An exclusion, as for the other dialects: what is not known to be a name, a setting, a
//! signature, data or part of a schema is text. Google's JSON readers take every member under two
//! names, `lowerCamelCase` and that of the protocol buffer (<https://protobuf.dev/programming-guides/json/>),
//! and one object where a list is wanted, so both names are known here and lists make no place.

/// What the container that a value stands in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The request itself.
    Root,
    /// A request within the request: of a batch, or the one to count the tokens of.
    Request,
    /// `generationConfig`.
    Config,
    /// `contents`.
    Contents,
    /// One of `tools`.
    Tools,
    /// One of `functionDeclarations`.
    Declaration,
    /// `functionCall`, or the provider's own `toolCall`.
    Call,
    /// `functionResponse`, or the provider's own `toolResponse`.
    Response,
    /// `inlineData` or `fileData`.
    Blob,
    /// Anything else of the API.
    Api,
    /// Free JSON of the caller's: every string is text.
    Free,
    /// A JSON schema: only its descriptions and examples are text.
    Schema,
    /// The members of a schema that are named by the caller: `properties`.
    SchemaNames,
    /// Nothing below is text.
    Closed,
}

impl Place {
    /// The place of the object or list under `key`.
    pub(super) fn below(self, key: &str) -> Self {
        match self {
            Self::Free | Self::Closed => self,
            Self::SchemaNames => Self::Schema,
            Self::Schema => match key {
                "properties" | "patternProperties" | "$defs" | "defs" | "definitions" => {
                    Self::SchemaNames
                }
                "default" | "example" | "examples" => Self::Free,
                "enum" | "const" => Self::Closed,
                _ => Self::Schema,
            },
            Self::Config if is_answer_schema(key) => Self::Schema,
            Self::Config => match key {
                "thinkingConfig" | "thinking_config" | "speechConfig" | "speech_config"
                | "imageConfig" | "image_config" => Self::Closed,
                _ => Self::Api,
            },
            Self::Declaration => match key {
                "parameters"
                | "parametersJsonSchema"
                | "parameters_json_schema"
                | "response"
                | "responseJsonSchema"
                | "response_json_schema" => Self::Schema,
                _ => Self::Api,
            },
            Self::Call if key == "args" => Self::Free,
            Self::Response if key == "response" => Self::Free,
            Self::Tools if matches!(key, "functionDeclarations" | "function_declarations") => {
                Self::Declaration
            }
            Self::Root | Self::Request => match key {
                "generationConfig" | "generation_config" => Self::Config,
                "contents" | "content" => Self::Contents,
                "tools" => Self::Tools,
                "requests" | "generateContentRequest" | "generate_content_request" => Self::Request,
                "safetySettings" | "safety_settings" | "toolConfig" | "tool_config" => Self::Closed,
                "labels" => Self::Free,
                _ => Self::Api.below(key),
            },
            _ => match key {
                "inlineData" | "inline_data" | "fileData" | "file_data" => Self::Blob,
                "functionCall" | "function_call" | "toolCall" | "tool_call" => Self::Call,
                "functionResponse" | "function_response" | "toolResponse" | "tool_response" => {
                    Self::Response
                }
                "partMetadata" | "part_metadata" => Self::Free,
                "videoMetadata" | "video_metadata" | "mediaResolution" | "media_resolution" => {
                    Self::Closed
                }
                _ => Self::Api,
            },
        }
    }

    /// Whether a string under `key` (its own, or that of the list it is an item of) is text.
    pub(super) fn is_text(self, key: &str) -> bool {
        match self {
            Self::Free => true,
            Self::Closed | Self::SchemaNames => false,
            Self::Schema => {
                matches!(key, "description" | "title" | "default" | "example" | "examples")
            }
            Self::Blob => {
                !matches!(key, "data" | "mimeType" | "mime_type" | "fileUri" | "file_uri")
            }
            _ => !is_fixed(key),
        }
    }
}

fn is_answer_schema(key: &str) -> bool {
    matches!(
        key,
        "responseSchema"
            | "response_schema"
            | "responseJsonSchema"
            | "response_json_schema"
            | "_responseJsonSchema"
    )
}

/// Members of the API whose strings are names, ids, signatures or settings.
fn is_fixed(key: &str) -> bool {
    matches!(
        key,
        "model"
            | "role"
            | "id"
            | "name"
            | "language"
            | "outcome"
            | "behavior"
            | "scheduling"
            | "thoughtSignature"
            | "thought_signature"
            | "cachedContent"
            | "cached_content"
            | "continuationToken"
            | "continuation_token"
            | "serviceTier"
            | "service_tier"
            | "toolType"
            | "tool_type"
            | "taskType"
            | "task_type"
            | "mediaResolution"
            | "media_resolution"
            | "responseMimeType"
            | "response_mime_type"
            | "responseModalities"
            | "response_modalities"
            | "fileSearchStoreNames"
            | "file_search_store_names"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &[&str]) -> Place {
        path.iter().fold(Place::Root, |place, key| place.below(key))
    }

    #[test]
    fn what_is_not_known_is_text() {
        assert!(Place::Root.is_text("a_member_of_tomorrow"));
        assert!(place(&["contents", "parts"]).is_text("text"));
        assert!(place(&["contents", "parts", "functionCall", "args"]).is_text("id"));
        assert!(place(&["contents", "parts", "inline_data"]).is_text("displayName"));
        assert!(place(&["generationConfig"]).is_text("stopSequences"));
        assert!(place(&["contents", "parts", "part_metadata", "x"]).is_text("id"));
        assert!(!place(&["contents", "parts"]).is_text("thought_signature"));
        assert!(!place(&["contents", "parts", "fileData"]).is_text("fileUri"));
        assert!(!place(&["safety_settings"]).is_text("category"));
    }

    #[test]
    fn a_response_is_free_or_a_schema_by_where_it_stands() {
        let answer = ["contents", "parts", "functionResponse", "response"];
        assert_eq!(place(&answer), Place::Free);
        let declared = ["tools", "function_declarations", "response"];
        assert_eq!(place(&declared), Place::Schema);
        // A parameter may have any name, that of a keyword among them.
        let parameter = ["tools", "functionDeclarations", "parameters", "properties", "default"];
        assert_eq!(place(&parameter), Place::Schema);
        assert_eq!(place(&["generation_config", "response_schema", "enum"]), Place::Closed);
    }
}
