//! The texts that speed is measured on: clean prose, and the mix that agents send (code, logs, JSON,
//! base64, prose, and values to find).

/// The sizes compared, in bytes. Both texts are ASCII: any cut is a cut between characters.
pub(crate) const LONG: usize = 100_000;
pub(crate) const SHORT: usize = LONG / 50;

const PROSE: &str = "It was the best of times, it was the worst of times, it was the age of \
    wisdom, it was the age of foolishness, it was the epoch of belief, it was the epoch of \
    incredulity, it was the season of Light, it was the season of Darkness. There were a king with \
    a large jaw and a queen with a plain face, on the throne of England; there were a king with a \
    large jaw and a queen with a fair face, on the throne of France. In both countries it was \
    clearer than crystal to the lords of the State preserves of loaves and fishes, that things in \
    general were settled for ever.\n\n";

const MIXED: &[&str] = &[
    "fn main() {\n    let limit: u64 = 1_000 * 60;\n    for i in 0..limit { println!(\"{i:>8}\"); }\n}\n",
    "2026-05-20T21:03:42.123Z INFO request id=req_011CSHoEeqs5C35K2UUqR7Fy status=200 took=37ms bytes=48213\n",
    "{\"id\":\"toolu_01A09q90qw90lq917835lq9\",\"type\":\"tool_use\",\"input\":{\"line\":42,\"path\":\"src/lib.rs\"}}\n",
    "commit 83a6f36bb3457dfdc4e4bb3aa1c7e4eb6e6a2f5d 550e8400-e29b-41d4-a716-446655440000\n",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\n",
    "Please write to ann.lee@example.com or call +1 202-555-0143 about card 4242 4242 4242 4242.\n",
    "<div class=\"row-12\"><a href=\"https://example.com/a?page=3\">Version 1.2.3 of task-runner</a></div>\n",
    PROSE,
];

/// 100 KB with nothing to find.
pub(crate) fn clean() -> String {
    filled(PROSE)
}

/// 100 KB with a finding every four hundred bytes.
pub(crate) fn mixed() -> String {
    filled(&MIXED.concat())
}

/// 100 KB of a text over and over.
fn filled(unit: &str) -> String {
    let mut text = unit.repeat(LONG / unit.len() + 1);
    text.truncate(LONG);
    text
}
