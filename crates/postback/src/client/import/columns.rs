//! What the columns of a CSV file say of a conversion.

use std::collections::BTreeMap;

use csv::StringRecord;
use jiff::Timestamp;
use postback_proto::{
    timestamp,
    v1::{
        ConversionDetails, Customer, FlowSource, Kind, Money, NetworkClick, RecordConversionRequest, Source,
        UserSource, flow_source, source,
    },
};

use super::super::{failure::Failure, words::find};

pub(super) const HELP: &str = "\
The file is CSV in UTF-8 with commas; its first line names the columns, in any order:
  source       one of click_token | account + click_id | user_id (+ account) |
               account + flow_id | account + flow_code
  kind         lead, order or goal; goal names the goal
  money        value, shipping, tax, payout: decimals such as 89.99; currency, such as EUR,
               is that of all of them
  also         transaction_id, status, occur_time (RFC 3339), request_id, customer_name,
               customer_phone, customer_email, customer_country, field:NAME for what a
               network alone knows
A column that is not known is an error. An empty cell says nothing.

What is done stands in FILE.import beside the file: an import that was stopped goes on when it is run again. Each \
line has a request id of its own, made of the file's content and the line's place in it, so that a line which is sent again \
is not recorded again. Lines that are refused are kept with the reason in FILE.refused.csv (FILE.invalid.csv with \
--validate-only), which can be imported once it is mended.

Examples:
  postback import orders.csv --validate-only
  postback import orders.csv";

/// The columns that say something.
const KNOWN: [&str; 21] = [
    "click_token", "account", "click_id", "user_id", "flow_id", "flow_code", "kind", "goal", "value",
    "shipping", "tax", "payout", "currency", "transaction_id", "status", "occur_time", "request_id",
    "customer_name", "customer_phone", "customer_email", "customer_country",
];
/// The columns that a report puts before those of the file.
pub(super) const REPORT: [&str; 4] = ["refused_line", "refused_field", "refused_reason", "refused_message"];
/// What a column begins with that a network alone knows.
const FIELD: &str = "field:";
/// The columns of which a line fills one.
const SOURCES: [&str; 5] = ["click_token", "click_id", "user_id", "flow_id", "flow_code"];

/// Why a line is not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) field: String,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: "INVALID_VALUE".to_owned(), message: message.into() }
    }
}

/// The columns of a file, by name.
#[derive(Debug)]
pub(super) struct Columns {
    places: BTreeMap<String, usize>,
    width: usize,
}

impl Columns {
    /// Reads a header.
    pub(super) fn read(header: &StringRecord) -> Result<Self, Failure> {
        let mut places = BTreeMap::new();
        let mut unknown = Vec::new();
        for (place, name) in header.iter().enumerate() {
            let own = name.strip_prefix(FIELD).is_some_and(|name| !name.is_empty());
            if !own && !KNOWN.contains(&name) && !REPORT.contains(&name) {
                unknown.push(format!("`{name}`"));
            }
            if places.insert(name.to_owned(), place).is_some() {
                return Err(Failure::usage(format!("the column `{name}` is there twice")));
            }
        }
        if !unknown.is_empty() {
            let (unknown, known) = (unknown.join(", "), KNOWN.join(", "));
            return Err(Failure::usage(format!("unknown columns: {unknown}; want {known} or field:NAME")));
        }
        if !SOURCES.iter().any(|name| places.contains_key(*name)) {
            return Err(Failure::usage(format!(
                "no column names a source; want one of {}",
                SOURCES.join(", ")
            )));
        }
        if !places.contains_key("kind") {
            return Err(Failure::usage("the column `kind` is missing; want lead, order or goal in it"));
        }
        Ok(Self { places, width: header.len() })
    }

    /// The request of a line. `id` is its request id where it brings none.
    pub(super) fn request(
        &self,
        line: &StringRecord,
        id: String,
    ) -> Result<RecordConversionRequest, Refused> {
        if line.len() != self.width {
            let message = format!("has {} fields; want {}", line.len(), self.width);
            return Err(Refused::new("line", message));
        }
        let cells = Cells { columns: self, line };
        let (kind, occurred, own_id) = (cells.get("kind"), cells.get("occur_time"), cells.get("request_id"));
        let kind: Kind = find(&kind.to_lowercase())
            .ok_or_else(|| Refused::new("kind", format!("`{kind}` is not lead, order or goal")))?;
        let occurred = match occurred.as_str() {
            "" => None,
            text => Some(text.parse::<Timestamp>().map_err(|_| {
                Refused::new("occur_time", format!("`{text}` is not a time such as 2026-11-21T09:30:00Z"))
            })?),
        };
        Ok(RecordConversionRequest {
            source: Some(cells.source()?),
            details: Some(cells.details(kind)),
            occur_time: occurred.map(timestamp),
            request_id: if own_id.is_empty() { id } else { own_id },
            validate_only: false,
        })
    }
}

/// The cells of one line.
struct Cells<'a> {
    columns: &'a Columns,
    line: &'a StringRecord,
}

impl Cells<'_> {
    fn get(&self, name: &str) -> String {
        let place = self.columns.places.get(name);
        place.and_then(|&place| self.line.get(place)).unwrap_or_default().to_owned()
    }

    fn source(&self) -> Result<Source, Refused> {
        use source::Source as By;
        let said: Vec<(&str, String)> = SOURCES
            .map(|name| (name, self.get(name)))
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let [(name, value)] = said.as_slice() else {
            let names: Vec<&str> = said.iter().map(|(name, _)| *name).collect();
            let found = if names.is_empty() { "none".to_owned() } else { names.join(" and ") };
            let message = format!("{found} of {} is said; want one", SOURCES.join(", "));
            return Err(Refused::new("source", message));
        };
        let (value, account) = (value.clone(), self.get("account"));
        Ok(Source {
            source: Some(match *name {
                "click_token" => By::ClickToken(value),
                "click_id" => By::NetworkClick(NetworkClick { account, click_id: value }),
                "user_id" => By::User(UserSource { user_id: value, account, ..UserSource::default() }),
                "flow_id" => By::Flow(FlowSource { account, flow: Some(flow_source::Flow::Id(value)) }),
                _ => By::Flow(FlowSource { account, flow: Some(flow_source::Flow::Code(value)) }),
            }),
        })
    }

    fn money(&self, name: &str) -> Option<Money> {
        let amount = self.get(name);
        (!amount.is_empty()).then(|| Money { amount, currency: self.get("currency") })
    }

    fn customer(&self) -> Option<Customer> {
        let [name, phone, email, country] =
            ["name", "phone", "email", "country"].map(|part| self.get(&format!("customer_{part}")));
        let said = [&name, &phone, &email, &country].iter().any(|part| !part.is_empty());
        said.then_some(Customer { name, phone, email, country })
    }

    fn details(&self, kind: Kind) -> ConversionDetails {
        let fields = self.columns.places.keys().filter_map(|column| {
            let value = self.get(column);
            let name = column.strip_prefix(FIELD)?;
            (!value.is_empty()).then(|| (name.to_owned(), value))
        });
        ConversionDetails {
            kind: kind.into(),
            goal: self.get("goal"),
            value: self.money("value"),
            shipping: self.get("shipping"),
            tax: self.get("tax"),
            payout: self.money("payout"),
            transaction_id: self.get("transaction_id"),
            status: self.get("status"),
            customer: self.customer(),
            fields: fields.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Result<Columns, String> {
        Columns::read(&StringRecord::from(names.to_vec())).map_err(|failure| failure.to_string())
    }

    fn request(names: &[&str], cells: &[&str]) -> Result<RecordConversionRequest, Refused> {
        columns(names).unwrap().request(&StringRecord::from(cells.to_vec()), "id".into())
    }

    #[test]
    fn a_column_that_is_unknown_missing_or_there_twice_is_named() {
        let unknown = columns(&["click_token", "kind", "amout", "field:"]).unwrap_err();
        assert!(unknown.contains("`amout`, `field:`"), "{unknown}");
        assert!(columns(&["kind", "account"]).unwrap_err().contains("click_token"));
        assert!(columns(&["click_token"]).unwrap_err().contains("`kind`"));
        assert!(columns(&["click_token", "kind", "kind"]).unwrap_err().contains("`kind` is there twice"));
        assert!(
            columns(&["refused_line", "click_token", "kind", "field:sub1"]).is_ok(),
            "a report is a file too"
        );
    }

    #[test]
    fn a_line_says_its_conversion_and_empty_cells_say_nothing() {
        let names =
            ["account", "click_id", "kind", "value", "payout", "currency", "field:sub1", "customer_phone"];
        let order = request(&names, &["ps", "abc", "Order", "89.99", "", "EUR", "x", "+4930"]).unwrap();
        let details = order.details.unwrap();
        assert_eq!((details.kind(), details.payout, order.request_id.as_str()), (Kind::Order, None, "id"));
        assert_eq!(details.value, Some(Money { amount: "89.99".into(), currency: "EUR".into() }));
        assert_eq!(details.fields["sub1"], "x");
        assert_eq!(details.customer.unwrap().phone, "+4930");
        let click = NetworkClick { account: "ps".into(), click_id: "abc".into() };
        assert_eq!(order.source.unwrap().source, Some(source::Source::NetworkClick(click)));
    }

    #[test]
    fn a_line_that_cannot_be_one_is_refused_at_its_column() {
        let names = ["click_token", "user_id", "kind", "occur_time"];
        let field = |cells: &[&str]| request(&names, cells).unwrap_err().field;
        assert_eq!(field(&["a", "", "sale", ""]), "kind");
        assert_eq!(field(&["a", "", "lead", "yesterday"]), "occur_time");
        assert_eq!(field(&["a", "b", "lead", ""]), "source");
        assert_eq!(field(&["", "", "lead", ""]), "source");
        assert_eq!(field(&["a", "", "lead"]), "line");
    }
}
