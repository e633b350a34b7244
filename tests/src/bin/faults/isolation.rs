//! Isolation: how long deliveries took at networks that were well, while another was broken and while none was.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use postback_sandbox::Network;

use crate::{audit::Books, load::Acknowledged};

/// How long after a strike its failures may be felt: the end of a call under way, the first retry, a second more.
pub(crate) const AFTERMATH: Duration = Duration::from_secs(8);

/// Which networks were broken when.
#[derive(Debug)]
pub(crate) struct Struck {
    pub(crate) networks: Vec<Network>,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// The slowest from acknowledged to counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waits {
    /// At networks that were well while another was broken.
    pub(crate) beside: Duration,
    /// While none was broken.
    healthy: Duration,
}

impl Waits {
    /// Reads them from a journal and the networks' books.
    pub(crate) fn of(strikes: &[Struck], journal: &[Acknowledged], books: &Books) -> Self {
        let mut waits = Self::default();
        for one in journal {
            let Some(counted) = books.arrived(one) else { continue };
            let itself = |strike: &Struck| {
                strike.networks.contains(&one.network)
                    && strike.from <= counted
                    && one.at <= strike.to.saturating_add(AFTERMATH).unwrap_or(Timestamp::MAX)
            };
            if strikes.iter().any(itself) {
                continue;
            }
            let other = strikes.iter().any(|strike| (strike.from..=strike.to).contains(&one.at));
            let slowest = if other { &mut waits.beside } else { &mut waits.healthy };
            *slowest = (*slowest).max(books.waited(one).unwrap_or_default());
        }
        waits
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (beside, healthy) = (self.beside.as_millis(), self.healthy.as_millis());
        write!(
            f,
            "from acknowledged to counted at most {beside} ms beside a broken network, {healthy} ms else"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Step;
    use jiff::SignedDuration;

    fn at(ms: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)
    }

    #[test]
    fn what_a_broken_network_itself_delays_is_not_counted() {
        let strikes = [Struck { networks: vec![Network::Altercpa], from: at(1_000), to: at(2_000) }];
        let told = [
            (Network::Altercpa, 990, 8_000),
            (Network::Altercpa, 9_900, 9_999),
            (Network::Powerspace, 1_500, 1_540),
            (Network::Powerspace, 3_000, 3_020),
            (Network::Powerspace, 4_000, 3_990),
            (Network::Altercpa, 500, 530),
        ];
        let (mut journal, mut books) = (Vec::new(), Books::default());
        for (number, (network, acknowledged, counted)) in told.into_iter().enumerate() {
            let click = number.to_string();
            books.note((network, click.clone()), Step::Lead, true, at(counted));
            let (step, delivery_id) = (Step::Lead, String::new());
            journal.push(Acknowledged { network, click, step, delivery_id, at: at(acknowledged) });
        }
        let waits = Waits::of(&strikes, &journal, &books);
        assert_eq!((waits.beside.as_millis(), waits.healthy.as_millis()), (40, 30));
    }
}
