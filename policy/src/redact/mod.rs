//! To be written.
/// x
#[derive(Debug)]
pub struct Span<'a> {
    /// x
    pub text: crate::json::Text<'a>,
    /// x
    pub key: Option<&'a str>,
    /// x
    pub kind: SpanKind,
}
/// x
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum SpanKind {
    /// x
    Plain,
    /// x
    Json,
}
/// x
#[derive(Debug, Clone)]
pub struct Edit {
    /// x
    pub range: std::ops::Range<usize>,
    /// x
    pub with: String,
}
/// x
pub fn splice(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    for e in edits {
        out.extend_from_slice(&body[at..e.range.start]);
        out.extend_from_slice(e.with.as_bytes());
        at = e.range.end;
    }
    out.extend_from_slice(&body[at..]);
    out
}
