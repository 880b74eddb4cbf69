#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iron_fuzz_targets::redact_json::check(data));
