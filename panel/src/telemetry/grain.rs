//! Spans of time: minutes, hours and days of the reporting time zone, and how a range is covered with
//! as few of them as possible.
//!
//! Every call is in exactly one span of each grain, found by its own time. A range is covered by whole
//! days, at its ends by hours, and at their ends by minutes: sums over the parts of a range are the
//! sum over the range, whatever the zone does with its clocks.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A minute, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// How long the spans are that sums are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// A minute.
    Minute,
    /// An hour of the zone's clock.
    Hour,
    /// A day of the zone's calendar.
    Day,
}

impl Grain {
    /// All, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds, as the database names it.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// By which spans somebody wants to see something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// By minute.
    Minute,
    /// By hour.
    Hour,
    /// By day.
    Day,
    /// By week, from Monday on.
    Week,
    /// By month.
    Month,
}

impl Step {
    /// The longest grain that it can be made of.
    pub const fn grain(self) -> Grain {
        match self {
            Self::Minute => Grain::Minute,
            Self::Hour => Grain::Hour,
            Self::Day | Self::Week | Self::Month => Grain::Day,
        }
    }
}

/// Spans of one grain that follow each other: from the first start to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The grain.
    pub grain: Grain,
    /// The start of the first, in Unix milliseconds.
    pub from: i64,
    /// Before which the last one starts.
    pub to: i64,
}

/// A time zone in which is reported.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// The zone of this name (IANA).
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Some(Self { zone, name })
    }

    /// UTC.
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn at(&self, unix_ms: i64) -> ZonedDateTime {
        let nearest = if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(unix_ms).unwrap_or(nearest).to_zoned_datetime(self.zone.clone())
    }

    /// When the span began in which this moment is.
    pub fn start(&self, grain: Grain, unix_ms: i64) -> i64 {
        match grain {
            Grain::Minute => unix_ms - unix_ms.rem_euclid(MINUTE_MS),
            Grain::Hour => {
                let offset = i64::from(self.at(unix_ms).offset().seconds()) * 1_000;
                unix_ms - (unix_ms + offset).rem_euclid(HOUR_MS)
            }
            Grain::Day => {
                let day = self.at(unix_ms).start_of_day();
                day.map_or(unix_ms, |day| day.timestamp().as_millisecond())
            }
        }
    }

    /// The first start of a span at or after this moment.
    fn next(&self, grain: Grain, unix_ms: i64) -> i64 {
        let start = self.start(grain, unix_ms);
        if start == unix_ms {
            return start;
        }
        match grain {
            Grain::Minute => start + MINUTE_MS,
            Grain::Hour => {
                // Where the clocks are set by half an hour, the next hour may begin elsewhere.
                let next = start + HOUR_MS;
                if self.start(grain, next) == next {
                    next
                } else {
                    self.start(grain, next) + HOUR_MS
                }
            }
            Grain::Day => {
                let day = self.at(unix_ms).tomorrow().and_then(|day| day.start_of_day());
                day.map_or(start + DAY_MS, |day| day.timestamp().as_millisecond())
            }
        }
    }

    /// When the step began in which this moment is.
    pub fn start_of(&self, step: Step, unix_ms: i64) -> i64 {
        let at = self.at(unix_ms);
        let first = match step {
            Step::Minute | Step::Hour | Step::Day => return self.start(step.grain(), unix_ms),
            Step::Week => {
                let days = at.weekday().to_monday_zero_offset();
                at.date().checked_sub(i64::from(days).days())
            }
            Step::Month => Ok(at.date().first_of_month()),
        };
        let start = first.and_then(|date| date.to_zoned_datetime(self.zone.clone()));
        start.map_or(unix_ms, |start| start.timestamp().as_millisecond())
    }

    /// When the step begins that follows the one in which this moment is.
    pub fn end_of(&self, step: Step, unix_ms: i64) -> i64 {
        let start = self.start_of(step, unix_ms);
        let next = match step {
            Step::Minute => return start + MINUTE_MS,
            Step::Hour => return self.next(Grain::Hour, unix_ms + 1).max(start + MINUTE_MS),
            Step::Day => return self.next(Grain::Day, unix_ms + 1).max(start + MINUTE_MS),
            Step::Week => self.at(start).date().checked_add(7.days()),
            Step::Month => self.at(start).date().checked_add(1.month()),
        };
        let next = next.and_then(|date| date.to_zoned_datetime(self.zone.clone()));
        next.map_or(start + DAY_MS, |next| next.timestamp().as_millisecond())
    }

    /// The nearest range around this one whose sums are still kept: to the minute since the first of
    /// these times, to the hour since the second, to the day before it.
    pub fn widen(&self, from: i64, to: i64, kept: [i64; 2]) -> (i64, i64) {
        let grain = |at: i64| match kept {
            [minutes, _] if at >= minutes => Grain::Minute,
            [_, hours] if at >= hours => Grain::Hour,
            _ => Grain::Day,
        };
        (self.start(grain(from), from), self.next(grain(to), to))
    }

    /// The fewest spans that make up this range, none longer than `longest`.
    pub fn cover(&self, from: i64, to: i64, longest: Grain) -> Vec<Segment> {
        let mut segments = Vec::new();
        self.cover_into(&mut segments, from, to, longest);
        segments.retain(|segment| segment.from < segment.to);
        segments
    }

    fn cover_into(&self, segments: &mut Vec<Segment>, from: i64, to: i64, grain: Grain) {
        let shorter = match grain {
            Grain::Minute => {
                segments.push(Segment { grain, from, to });
                return;
            }
            Grain::Hour => Grain::Minute,
            Grain::Day => Grain::Hour,
        };
        let (first, last) = (self.next(grain, from), self.start(grain, to));
        if first < last {
            self.cover_into(segments, from, first, shorter);
            segments.push(Segment { grain, from: first, to: last });
            self.cover_into(segments, last, to, shorter);
        } else {
            self.cover_into(segments, from, to, shorter);
        }
    }

    /// The starts of the steps in this range: the first is the range's own. None where they are more
    /// than `most`.
    pub fn steps(&self, from: i64, to: i64, step: Step, most: usize) -> Option<Vec<i64>> {
        let (mut starts, mut at) = (Vec::new(), from);
        while at < to {
            if starts.len() == most {
                return None;
            }
            starts.push(at);
            at = self.end_of(step, at);
        }
        Some(starts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "America/Havana",
        "Africa/Cairo",
    ];

    /// How many of these calls a range has, counted by spans as the database would.
    fn counted(zone: &Zone, calls: &[i64], from: i64, to: i64, longest: Grain) -> usize {
        let mut rows: BTreeMap<(Grain, i64), usize> = BTreeMap::new();
        for call in calls {
            for grain in Grain::ALL {
                *rows.entry((grain, zone.start(grain, *call))).or_default() += 1;
            }
        }
        let segments = zone.cover(from, to, longest);
        segments
            .iter()
            .flat_map(|s| rows.range((s.grain, s.from)..(s.grain, s.to)))
            .map(|(_, count)| count)
            .sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn days_add_up_to_the_range_in_every_zone_and_through_every_change_of_clocks(
            zone in 0..ZONES.len(),
            // 2024 to 2028.
            start in 28_401_120_i64..30_505_440,
            minutes in 1_i64..60_000,
            calls in prop::collection::vec(0_i64..3_600_000_000, 1..200),
            step in prop::sample::select(vec![Step::Hour, Step::Day, Step::Week, Step::Month]),
        ) {
            let zone = Zone::named(ZONES[zone]).unwrap();
            let (from, to) = (start * MINUTE_MS, (start + minutes) * MINUTE_MS);
            let calls: Vec<i64> = calls.iter().map(|at| from + at % ((minutes + 3_000) * MINUTE_MS)).collect();
            let truth = calls.iter().filter(|at| (from..to).contains(*at)).count();
            for longest in Grain::ALL {
                prop_assert_eq!(counted(&zone, &calls, from, to, longest), truth, "{:?}", longest);
            }
            let starts = zone.steps(from, to, step, usize::MAX).unwrap();
            let ends = starts.iter().skip(1).copied().chain([to]);
            let sum: usize = starts
                .iter()
                .zip(ends)
                .map(|(from, to)| counted(&zone, &calls, *from, to, step.grain()))
                .sum();
            prop_assert_eq!(sum, truth, "{:?}", step);
        }
    }

    #[test]
    fn a_day_is_as_long_as_its_zone_says() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        // 2026-10-25 has 25 hours, 2026-03-29 has 23.
        let starts =
            zone.steps(at("2026-10-23T22:00:00Z"), at("2026-10-26T23:00:00Z"), Step::Day, 9);
        let hours: Vec<i64> =
            starts.unwrap().windows(2).map(|w| (w[1] - w[0]) / 3_600_000).collect();
        assert_eq!(hours, [24, 25]);
        let march = at("2026-03-29T12:00:00Z");
        let day = zone.end_of(Step::Day, march) - zone.start_of(Step::Day, march);
        assert_eq!(day / 3_600_000, 23);
        assert_eq!(zone.start_of(Step::Week, march), at("2026-03-22T23:00:00Z"));
        assert_eq!(zone.start_of(Step::Month, march), at("2026-02-28T23:00:00Z"));
        assert_eq!(zone.end_of(Step::Month, march), at("2026-03-31T22:00:00Z"));
        assert_eq!(zone.steps(0, 1_000_000_000_000, Step::Minute, 1_500), None);
    }

    #[test]
    fn a_range_of_months_is_few_segments() {
        let zone = Zone::named("Asia/Kolkata").unwrap();
        let from = 1_795_000_020_000;
        let segments = zone.cover(from, from + 90 * DAY_MS + 7_260_000, Grain::Day);
        assert!(segments.len() <= 5, "{segments:?}");
        let grains: Vec<_> = segments.iter().map(|segment| segment.grain).collect();
        assert!(grains.contains(&Grain::Day), "{grains:?}");
    }
}
