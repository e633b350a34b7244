//! Names and ids, parsed once at the border.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{Error, Result, Shard};

fn slug(text: &str) -> bool {
    all(text, |b| b.is_ascii_lowercase() | b.is_ascii_digit() | (b == b'-') | (b == b'_'))
}

fn no_control(text: &str) -> bool {
    all(text, |b| (b' '..=b'~').contains(&b)) || !text.contains(char::is_control)
}

fn visible(text: &str) -> bool {
    all(text, |b| b.is_ascii_graphic())
}

fn digits(text: &str) -> bool {
    all(text, |b| b.is_ascii_digit())
}

/// Whether `is` holds for every byte. It never stops early, so that the loop is vectorised.
pub(crate) fn all(text: &str, is: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & is(byte))
}

/// At most 40 characters of a refused value, escaped, for a message.
pub fn quoted(value: &str) -> String {
    let mut short: String = value.chars().take(40).flat_map(char::escape_debug).collect();
    if value.chars().nth(40).is_some() {
        short.push_str("...");
    }
    short
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal, $allowed:path, $want:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks a text from outside.
            ///
            /// # Errors
            /// `InvalidArgument` that names the field and says what would be right.
            pub fn parse(value: impl Into<String>) -> Result<Self> {
                let value = value.into();
                if value.is_empty() {
                    return Err(Error::invalid($field, concat!("is empty; want ", $want)).because("MISSING"));
                }
                if value.len() > $max || !$allowed(&value) {
                    return Err(Error::invalid(
                        $field,
                        format!(concat!("`{}` is not valid; want ", $want), quoted(&value)),
                    ));
                }
                Ok(Self(value))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(value: &str) -> Result<Self> {
                Self::parse(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text! {
    /// The name of one account at one network, as the config gives it.
    AccountId, "account", 64, slug, "1 to 64 of a-z, 0-9, - and _"
}
text! {
    /// The name of one campaign, as the config gives it; it stands in the edge's URL.
    CampaignId, "campaign", 64, slug, "1 to 64 of a-z, 0-9, - and _"
}
text! {
    /// The network's own id of a click: opaque, never changed, cut or lower-cased.
    ClickId, "click_id", 512, no_control, "1 to 512 bytes of UTF-8 without control characters"
}
text! {
    /// A caller's own id of a user.
    UserId, "user_id", 256, no_control, "1 to 256 bytes of UTF-8 without control characters"
}
text! {
    /// The advertiser's id of one order or lead; it tells a repeat from a new conversion.
    TransactionId, "transaction_id", 128, no_control, "1 to 128 bytes of UTF-8 without control characters"
}
text! {
    /// A caller's id of one request: the same id brings the first answer again.
    RequestId, "request_id", 128, visible, "1 to 128 visible ASCII characters"
}
text! {
    /// Who did something: the name of a caller's token or certificate, or `local`.
    Actor, "actor", 128, no_control, "1 to 128 bytes of UTF-8 without control characters"
}
text! {
    /// The name of a goal at the network.
    Goal, "goal", 64, no_control, "1 to 64 bytes of UTF-8 without control characters"
}
text! {
    /// A numeric flow id at AlterCPA.
    FlowId, "flow", 20, digits, "1 to 20 digits"
}
text! {
    /// A symbolic flow code at AlterCPA.
    FlowCode, "flow_code", 64, visible, "1 to 64 visible ASCII characters"
}

impl Actor {
    /// Whoever calls where nobody is asked who they are.
    pub fn local() -> Self {
        Self("local".to_owned())
    }
}

macro_rules! sharded {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        ///
        /// A version 7 UUID whose last byte is the [`Shard`] of its lane, so that an id alone says
        /// where its record lies.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The id made of a fresh `uuid` for a lane of `shard`.
            pub fn new(uuid: Uuid, shard: Shard) -> Self {
                let mut bytes = *uuid.as_bytes();
                bytes[15] = shard.byte();
                Self(Uuid::from_bytes(bytes))
            }

            /// The id that was stored as these bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id's bytes, in the order of creation.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The part of the store in which the record lies.
            pub fn shard(&self) -> Shard {
                Shard::from_byte(self.0.as_bytes()[15])
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(value: &str) -> Result<Self> {
                if value.is_empty() {
                    return Err(Error::invalid($field, "is empty; want a UUID").because("MISSING"));
                }
                Uuid::try_parse(value).map(Self).map_err(|_| {
                    Error::invalid($field, format!("`{}` is not a UUID", quoted(value)))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

sharded! {
    /// The id of a recorded conversion.
    ConversionId, "conversion_id"
}
sharded! {
    /// The id of one delivery: a conversion's creation or one of its changes, on its way to the network.
    DeliveryId, "delivery_id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_id_names_its_field_its_value_and_what_would_be_right() {
        let refused = AccountId::parse("Power Space").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "account: `Power Space` is not valid; want 1 to 64 of a-z, 0-9, - and _"
        );
        assert_eq!(ClickId::parse("").unwrap_err().reason(), "MISSING");
        assert!(ClickId::parse("a\nb").is_err());
        assert!(ClickId::parse("x".repeat(513)).is_err());
    }

    #[test]
    fn a_click_id_is_never_changed() {
        let id = "AbC+&=%/ é\u{1F600}";
        assert_eq!(ClickId::parse(id).unwrap().as_str(), id);
    }

    #[test]
    fn a_sharded_id_says_where_its_record_lies() {
        let id = ConversionId::new(Uuid::max(), Shard::from_byte(7));
        assert_eq!(id.shard(), Shard::from_byte(7));
        assert_eq!(id.to_string().parse::<ConversionId>().unwrap(), id);
    }
}
