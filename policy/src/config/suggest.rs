//! "Did you mean": the known word nearest to an unknown one.

/// Adds the nearest known key to serde's message about an unknown one.
///
/// The message lists the known ones in backticks: ``unknown field `x`, expected one of `a`, `b` ``.
pub(super) fn with_suggestion(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    let Some(unknown) = words.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    match nearest(unknown, words) {
        Some(known) => format!("unknown key `{unknown}`: did you mean `{known}`?"),
        None => message.to_owned(),
    }
}

/// The known word nearest to an unknown one, if one is near.
pub(super) fn nearest<'k>(unknown: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (distance(unknown, known), known))
        .filter(|(far, known)| *far <= 1 + known.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's distance, over one row.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let message = "unknown field `listn`, expected one of `listen`, `passthrough`";
        assert_eq!(with_suggestion(message), "unknown key `listn`: did you mean `listen`?");
        let message = "unknown field `colour`, expected one of `listen`, `passthrough`";
        assert_eq!(with_suggestion(message), message);
        assert_eq!(with_suggestion("invalid type"), "invalid type");
    }
}
