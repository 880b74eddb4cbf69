//! The time after which a budget begins anew, in a named time zone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use serde::Deserialize;

/// A kind of window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// For ever.
    Total,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

impl Window {
    /// The name in configuration, state and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The window of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Total, Self::Day, Self::Week, Self::Month]
            .into_iter()
            .find(|window| window.name() == name)
    }

    /// When the window that holds `now_ms` began; 0 for [`Window::Total`].
    pub fn start(self, now_ms: i64, zone: &TimeZone) -> i64 {
        self.first_day(now_ms, zone).map_or(0, |day| day.timestamp().as_millisecond())
    }

    /// When it ends and the next one begins; none for [`Window::Total`].
    pub fn end(self, now_ms: i64, zone: &TimeZone) -> Option<i64> {
        let length = match self {
            Self::Total => return None,
            Self::Day => Span::new().days(1),
            Self::Week => Span::new().weeks(1),
            Self::Month => Span::new().months(1),
        };
        let first = self.first_day(now_ms, zone)?;
        // By the calendar: a day with a change of the clocks has 23 or 25 hours.
        let next = first.checked_add(length).ok()?.start_of_day().ok()?;
        Some(next.timestamp().as_millisecond())
    }

    fn first_day(self, now_ms: i64, zone: &TimeZone) -> Option<ZonedDateTime> {
        let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned_datetime(zone.clone());
        let day = match self {
            Self::Total => return None,
            Self::Day => now,
            Self::Week => {
                let since = i64::from(now.weekday().since(Weekday::Monday));
                now.checked_sub(Span::new().days(since)).ok()?
            }
            Self::Month => now.first_of_month().ok()?,
        };
        day.start_of_day().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn windows_begin_where_people_expect() {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        let now = ms("2026-11-25T23:30:00Z");
        for (window, start, end) in [
            (Window::Day, "2026-11-25T23:00:00Z", "2026-11-26T23:00:00Z"),
            (Window::Week, "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"),
            (Window::Month, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ] {
            assert_eq!(window.start(now, &paris), ms(start), "{window:?}");
            assert_eq!(window.end(now, &paris), Some(ms(end)), "{window:?}");
        }
        assert_eq!((Window::Total.start(now, &paris), Window::Total.end(now, &paris)), (0, None));
    }

    #[test]
    fn a_day_on_which_the_clocks_change_is_one_day() {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let now = ms("2026-10-25T12:00:00Z");
        let (start, end) = (Window::Day.start(now, &zone), Window::Day.end(now, &zone).unwrap());
        assert_eq!(end - start, 25 * 3_600_000);
    }

    proptest! {
        #[test]
        fn windows_hold_their_moment_and_follow_each_other(
            now in 0_i64..4_000_000_000_000,
            zone in proptest::sample::select(vec!["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]),
            window in proptest::sample::select(vec![Window::Day, Window::Week, Window::Month]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let (start, end) = (window.start(now, &zone), window.end(now, &zone).unwrap());
            prop_assert!(start <= now && now < end);
            prop_assert_eq!(window.start(end, &zone), end);
            prop_assert_eq!(window.end(end - 1, &zone), Some(end));
            prop_assert_eq!(window.start(start, &zone), start);
        }

        #[test]
        fn days_add_up_to_the_week_and_the_month_that_they_are_in_through_every_change_of_clocks(
            now in 0_i64..4_000_000_000_000,
            zone in proptest::sample::select(vec!["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"]),
            window in proptest::sample::select(vec![Window::Week, Window::Month]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let (start, end) = (window.start(now, &zone), window.end(now, &zone).unwrap());
            let (mut at, mut sum, mut days) = (start, 0, 0);
            while at < end {
                prop_assert_eq!(Window::Day.start(at, &zone), at, "a day begins with its window");
                let next = Window::Day.end(at, &zone).unwrap();
                sum += next - at;
                (at, days) = (next, days + 1);
            }
            prop_assert_eq!((at, sum), (end, end - start));
            // Samoa had no 30 December 2011.
            let usual = if window == Window::Week { 6..=7 } else { 28..=31 };
            prop_assert!(usual.contains(&days), "{} days", days);
        }
    }
}
