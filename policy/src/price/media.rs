//! STUB
pub fn image_tokens(_: crate::types::Dialect, _: &str, _: Option<&str>) -> u64 {
    0
}
