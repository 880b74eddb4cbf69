//! A budget in a word: `5 USD/day`.

use iron_policy::budget::Window;
use iron_policy::types::NanoUsd;

/// Reads `5 USD/day`, `50 cents/week`, `20 USD` (in total).
pub(super) fn read(text: &str) -> Option<(NanoUsd, Window)> {
    let (amount, window) = text.split_once('/').unwrap_or((text, "total"));
    let amount: NanoUsd = amount.trim().parse().ok()?;
    (amount > NanoUsd::ZERO).then_some((amount, Window::named(window.trim())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_an_amount_and_a_window() {
        assert_eq!(read("5 USD/day"), Some((NanoUsd::usd(5), Window::Day)));
        assert_eq!(read("50 cents / month"), Some((NanoUsd(500_000_000), Window::Month)));
        assert_eq!(read("20 USD"), Some((NanoUsd::usd(20), Window::Total)));
        for text in
            ["", "five", "5 USD/fortnight", "-5 USD/day", "0 USD/day", "/day", "5 USD/day/day"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
