//! What the standard variables of OpenTelemetry ask for.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>
//!
//! Nothing is sent unless one of them names an endpoint. What the SDK reads by itself is not here:
//! headers, compression, samplers, batches, the resource.

use std::path::PathBuf;
use std::time::Duration;

/// How long a collector has for an answer, where no variable says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is sent, and where to; at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Spans of calls.
    pub traces: Option<Signal>,
    /// Sums and distributions.
    pub metrics: Option<Signal>,
}

/// Where one kind of telemetry goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The whole address, path included.
    pub endpoint: String,
    /// How long the collector has for an answer.
    pub timeout: Duration,
    /// Whom to trust instead of the system's roots, in PEM.
    pub ca: Option<PathBuf>,
}

impl Settings {
    /// What these variables ask for; none where that is nothing.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        // A variable that is empty counts as one that is not set.
        let variable = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty())
        };
        if variable("OTEL_SDK_DISABLED").is_some_and(|said| said.eq_ignore_ascii_case("true")) {
            return None;
        }
        let signal = |name: &str| {
            let upper = name.to_ascii_uppercase();
            let own = |what: &str| variable(&format!("OTEL_EXPORTER_OTLP_{upper}_{what}"));
            let either =
                |what: &str| own(what).or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{what}")));
            let base = || variable("OTEL_EXPORTER_OTLP_ENDPOINT");
            let below = |base: String| format!("{}/v1/{name}", base.trim_end_matches('/'));
            let endpoint = own("ENDPOINT").or_else(|| base().map(below))?;
            let exporter = variable(&format!("OTEL_{upper}_EXPORTER"));
            if exporter.is_some_and(|exporter| exporter != "otlp") {
                return None;
            }
            if let Some(protocol) = either("PROTOCOL").filter(|said| said != "http/protobuf") {
                tracing::warn!(
                    "{name} are sent as http/protobuf, not as {protocol}: name the port that takes \
                     it (4318 on most collectors)"
                );
            }
            let timeout = either("TIMEOUT").and_then(|text| text.parse().ok());
            Some(Signal {
                endpoint,
                timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
                ca: either("CERTIFICATE").map(PathBuf::from),
            })
        };
        let settings = Self { traces: signal("traces"), metrics: signal("metrics") };
        (settings.traces.is_some() || settings.metrics.is_some()).then_some(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Settings> {
        Settings::of(|name| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn endpoints(variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let settings = of(variables);
        let endpoint = |signal: Option<Signal>| signal.map(|signal| signal.endpoint);
        settings.map_or((None, None), |own| (endpoint(own.traces), endpoint(own.metrics)))
    }

    #[test]
    fn nothing_is_sent_unless_an_endpoint_is_named() {
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("OTEL_SERVICE_NAME", "cage"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]),
            None
        );
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(of(&[endpoint]).is_some());
        assert_eq!(of(&[endpoint, ("OTEL_SDK_DISABLED", "True")]), None);
        let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "console")];
        assert_eq!(of(&[endpoint, none[0], none[1]]), None);
        assert_eq!(endpoints(&[endpoint, none[0]]).0, None);
    }

    #[test]
    fn an_endpoint_for_one_signal_is_taken_as_it_is() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example.org/in");
        let metrics = Some("http://collector:4318/otlp/v1/metrics".to_owned());
        assert_eq!(endpoints(&[base]).1, metrics);
        assert_eq!(endpoints(&[base, own]), (Some(own.1.to_owned()), metrics));
        assert_eq!(endpoints(&[own]), (Some(own.1.to_owned()), None));
    }

    #[test]
    fn a_time_is_in_milliseconds_and_the_signals_own_comes_first() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let time = |more: &[(&str, &str)]| {
            let all: Vec<_> = [base].into_iter().chain(more.iter().copied()).collect();
            of(&all).unwrap().traces.unwrap().timeout
        };
        assert_eq!(time(&[]), TIMEOUT);
        let both =
            [("OTEL_EXPORTER_OTLP_TIMEOUT", "250"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "50")];
        assert_eq!(time(&both[..1]), Duration::from_millis(250));
        assert_eq!(time(&both), Duration::from_millis(50));
        assert_eq!(time(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]), TIMEOUT);
    }
}
