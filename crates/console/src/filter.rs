//! What a list is filtered by, as it stands in the page's address.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use postback_core::{
    AccountId, CampaignId, ConversionId, Delivery, DeliveryId, DeliveryState, Error, Event, Result,
    ports::{ConversionFilter, DeliveryFilter},
};
use serde::Deserialize;

use crate::words;

/// The states that a list of deliveries can be of, and the word of each in the store.
pub(crate) const STATES: [(&str, &str); 6] = [
    ("pending", "pending"),
    ("retrying", "pending"),
    ("waiting", "waiting"),
    ("in_doubt", "in_doubt"),
    ("delivered", "delivered"),
    ("dead", "dead"),
];

/// The states that a conversion's own delivery can be in: it never waits.
pub(crate) const OWN: [&str; 5] = ["pending", "retrying", "in_doubt", "delivered", "dead"];

/// A filter as a person wrote it; what is empty does not matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    pub(crate) account: String,
    pub(crate) campaign: String,
    pub(crate) kind: String,
    /// One of [`STATES`].
    pub(crate) state: String,
    /// `conversion` or `change`.
    pub(crate) what: String,
    /// The code of the reason.
    pub(crate) reason: String,
    /// Created at or after.
    pub(crate) since: String,
    /// Created before.
    pub(crate) until: String,
    /// Changed within so many hours.
    pub(crate) changed: String,
    /// Where the page before ended.
    pub(crate) after: String,
}

impl Filter {
    /// The conversions that are meant.
    pub(crate) fn conversions(&self) -> Result<ConversionFilter> {
        Ok(ConversionFilter {
            account: given(&self.account).map(AccountId::parse).transpose()?,
            campaign: given(&self.campaign).map(CampaignId::parse).transpose()?,
            kind: given(&self.kind).map(str::parse).transpose()?,
            lane: None,
            since: moment("since", &self.since)?,
            until: moment("until", &self.until)?,
        })
    }

    /// The deliveries that are meant, as far as the store tells them apart; [`Filter::fits`] tells the rest.
    pub(crate) fn deliveries(&self) -> Result<DeliveryFilter> {
        let state = match given(&self.state) {
            None => None,
            Some(state) => Some(
                STATES.iter().find(|(name, _)| *name == state).map(|(_, word)| *word).ok_or_else(|| {
                    Error::invalid("state", "is not pending, retrying, waiting, in_doubt, delivered or dead")
                })?,
            ),
        };
        Ok(DeliveryFilter {
            account: given(&self.account).map(AccountId::parse).transpose()?,
            conversion: None,
            state,
            since: moment("since", &self.since)?,
            until: moment("until", &self.until)?,
        })
    }

    /// What the store cannot tell.
    pub(crate) fn fits(&self, now: Timestamp) -> Result<impl Fn(&Delivery) -> bool> {
        let hours: Option<i64> = given(&self.changed)
            .map(str::parse)
            .transpose()
            .map_err(|_| Error::invalid("changed", "is not a number of hours"))?;
        let changed = hours.map(|hours| {
            now.saturating_sub(SignedDuration::from_hours(hours.clamp(0, 100_000))).unwrap_or(Timestamp::MIN)
        });
        let (retrying, what) = (self.state == "retrying", self.what.clone());
        let reason = self.reason().map(str::to_owned);
        Ok(move |delivery: &Delivery| {
            let tried = !(retrying && delivery.attempts.is_empty());
            let told = match what.as_str() {
                "conversion" => delivery.event == Event::Created,
                "change" => delivery.event != Event::Created,
                _ => true,
            };
            let why =
                reason.as_ref().is_none_or(|code| words::reason(delivery).is_some_and(|it| it.code == *code));
            tried && told && why && changed.is_none_or(|changed| delivery.updated_at >= changed)
        })
    }

    /// The code of the reason, where it matters.
    pub(crate) fn reason(&self) -> Option<&str> {
        given(&self.reason)
    }

    /// Whether [`Filter::fits`] has anything to tell.
    pub(crate) fn is_fine(&self) -> bool {
        let asked = [&self.reason, &self.what, &self.changed];
        self.state == "retrying" || asked.iter().any(|it| given(it).is_some())
    }

    /// Whether a person may decide all that it lists at once: the actions know account, reason and time alone.
    pub(crate) fn decidable(&self) -> bool {
        ["in_doubt", "dead"].contains(&self.state.as_str()) && self.what.is_empty() && self.changed.is_empty()
    }

    /// The last conversion of the page before.
    pub(crate) fn after_conversion(&self) -> Result<Option<[u8; 16]>> {
        let after = given(&self.after).map(|id| id.parse::<ConversionId>()).transpose();
        Ok(after.map_err(|error| error.at("after"))?.map(|id| *id.as_bytes()))
    }

    /// The last delivery of the page before.
    pub(crate) fn after_delivery(&self) -> Result<Option<[u8; 16]>> {
        let after = given(&self.after).map(|id| id.parse::<DeliveryId>()).transpose();
        Ok(after.map_err(|error| error.at("after"))?.map(|id| *id.as_bytes()))
    }

    /// The filter as a query, without its place; what is empty is left out.
    pub(crate) fn query(&self) -> String {
        let pairs = [
            ("account", &self.account),
            ("campaign", &self.campaign),
            ("kind", &self.kind),
            ("state", &self.state),
            ("what", &self.what),
            ("reason", &self.reason),
            ("since", &self.since),
            ("until", &self.until),
            ("changed", &self.changed),
        ];
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// A moment in UTC, as a form's field or a link gives it.
pub(crate) fn moment(field: &'static str, text: &str) -> Result<Option<Timestamp>> {
    let Some(text) = given(text) else { return Ok(None) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at));
    }
    let at = text.parse::<DateTime>().ok().and_then(|at| at.to_zoned(TimeZone::UTC).ok());
    let want = "is not a time in UTC such as 2026-11-20T10:00";
    at.map(|at| Some(at.timestamp())).ok_or_else(|| Error::invalid(field, want))
}

/// A moment as a form's field takes it, in UTC.
pub(crate) fn field(text: &str) -> String {
    match moment("", text) {
        Ok(Some(at)) => at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        _ => String::new(),
    }
}

/// Whether a delivery is in doubt.
pub(crate) fn in_doubt(delivery: &Delivery) -> bool {
    matches!(delivery.state, DeliveryState::InDoubt(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_utc_from_a_field_and_from_a_link() {
        let want: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for text in
            ["2026-11-20T10:00", "2026-11-20T10:00:00", "2026-11-20T10:00:00Z", " 2026-11-20T12:00+02:00 "]
        {
            assert_eq!(moment("since", text).unwrap(), Some(want), "{text}");
        }
        assert_eq!(moment("since", "").unwrap(), None);
        assert_eq!(
            moment("since", "yesterday").unwrap_err().to_string(),
            "since: is not a time in UTC such as 2026-11-20T10:00"
        );
    }

    #[test]
    fn a_filter_stands_in_its_query_and_comes_back() {
        let filter =
            Filter { account: "near".into(), reason: "a&b".into(), after: "x".into(), ..Filter::default() };
        assert_eq!(filter.query(), "account=near&reason=a%26b");
    }

    #[test]
    fn blanks_around_a_reason_do_not_matter() {
        let filter = |reason: &str| Filter { reason: reason.into(), ..Filter::default() };
        assert_eq!(filter(" rejected ").reason(), Some("rejected"));
        let blank = filter(" ");
        assert_eq!((blank.reason(), blank.is_fine()), (None, false));
    }

    #[test]
    fn a_wrong_filter_names_its_field() {
        let of = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            let said = [filter.conversions().err(), filter.deliveries().err(), filter.after_delivery().err()];
            said.into_iter().flatten().next().unwrap().field().unwrap().to_owned()
        };
        assert_eq!(of(|it| it.account = "A B".into()), "account");
        assert_eq!(of(|it| it.kind = "sale".into()), "kind");
        assert_eq!(of(|it| it.state = "lost".into()), "state");
        assert_eq!(of(|it| it.until = "soon".into()), "until");
        assert_eq!(of(|it| it.after = "1".into()), "after");
    }
}
