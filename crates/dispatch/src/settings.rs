//! How long an attempt and a lease may take, and how often the outbox is asked.

use std::time::Duration;

use postback_core::{Error, Result, schedule};

/// The dispatcher's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For one attempt in all: connect, TLS, request, answer and body. 5 s.
    pub timeout: Duration,
    /// For how long a claimed delivery is nobody else's. A worker that dies gives it back by this. 30 s.
    pub lease: Duration,
    /// How long an idle worker waits at most before it asks the outbox again. 250 ms.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            poll: Duration::from_millis(250),
        }
    }
}

impl Settings {
    /// Checks that the times do not contradict each other.
    ///
    /// # Errors
    /// `InvalidArgument` that names the setting: a time of zero, or a lease of less than three times the timeout.
    /// Such a lease could end before its attempt is settled, and the delivery would be sent twice. One that is longer
    /// than the schedule's longest wait would be taken for the work of a wrong clock.
    pub fn check(&self) -> Result<()> {
        for (name, time) in [("timeout", self.timeout), ("lease", self.lease), ("poll", self.poll)] {
            if time.is_zero() {
                return Err(Error::invalid(name, "is zero"));
            }
        }
        if self.lease < self.timeout.saturating_mul(3) {
            return Err(Error::invalid(
                "lease",
                format!(
                    "{:?} is too short for a timeout of {:?}; want at least three times as long",
                    self.lease, self.timeout
                ),
            ));
        }
        if self.lease > schedule::LONGEST.unsigned_abs() {
            let message = format!("{:?} is longer than any wait of the schedule", self.lease);
            return Err(Error::invalid("lease", format!("{message}; want at most {:#}", schedule::LONGEST)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_11_an_attempt_takes_five_seconds_at_most_unless_told_otherwise() {
        assert_eq!(Settings::default().timeout, Duration::from_secs(5));
        assert!(Settings::default().check().is_ok());
    }

    #[test]
    fn a_lease_that_could_end_before_its_attempt_is_refused() {
        let short = Settings { lease: Duration::from_secs(14), ..Settings::default() };
        assert_eq!(
            short.check().unwrap_err().to_string(),
            "lease: 14s is too short for a timeout of 5s; want at least three times as long"
        );
        let long = Settings { lease: Duration::from_secs(50 * 3_600), ..Settings::default() };
        assert_eq!(
            long.check().unwrap_err().to_string(),
            "lease: 180000s is longer than any wait of the schedule; want at most 49h"
        );
        let zero = Settings { poll: Duration::ZERO, ..Settings::default() };
        assert_eq!(zero.check().unwrap_err().to_string(), "poll: is zero");
    }
}
