//! A click as its store keeps it: the contract's message, without what the name or the life implies.

use postback_core::{AccountId, Click, ClickId, Error, Result};
use postback_proto::v1;
use prost::Message;

/// The record of a click. Its account, id and end are left out: the name and the capture imply them.
pub(crate) fn encode(click: &Click) -> Vec<u8> {
    let message = v1::Click {
        account: String::new(),
        click_id: String::new(),
        expire_time: None,
        ..v1::Click::from(click)
    };
    message.encode_to_vec()
}

/// The click that was recorded under the name of `account` and `id`.
///
/// # Errors
/// `Internal` for bytes that are no record.
pub(crate) fn decode(account: &AccountId, id: &ClickId, record: &[u8]) -> Result<Click> {
    let mut message = v1::Click::decode(record).map_err(damaged)?;
    message.account = account.to_string();
    message.click_id = id.to_string();
    message.try_into().map_err(damaged)
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the store holds a damaged record of a click").caused_by(cause)
}

#[cfg(test)]
mod tests {
    use postback_core::{ClickRef, ErrorKind, Flags, Utm};

    use super::*;

    fn click() -> Click {
        Click {
            click: ClickRef {
                account: "powerspace".parse().unwrap(),
                id: "abc123xyz789".parse().unwrap(),
                captured_at: "2026-03-04T05:06:07.123456789Z".parse().unwrap(),
            },
            campaign: "spring".parse().unwrap(),
            utm: Utm::default(),
            parameters: Vec::new(),
            country: None,
            device: None,
            ip: None,
            user_agent: None,
            flags: Flags::default(),
        }
    }

    #[test]
    fn a_record_holds_nothing_that_its_name_implies() {
        let click = click();
        let record = encode(&click);
        let text = String::from_utf8_lossy(&record);
        assert!(!text.contains("powerspace") && !text.contains("abc123xyz789"));
        assert!(record.len() <= 24, "{} bytes", record.len());
        assert_eq!(decode(&click.click.account, &click.click.id, &record).unwrap(), click);
    }

    #[test]
    fn a_damaged_record_is_an_error_that_says_so() {
        let click = click();
        for wrong in [&b""[..], b"\xff", &encode(&click)[1..]] {
            let error = decode(&click.click.account, &click.click.id, wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert_eq!(error.to_string(), "the store holds a damaged record of a click");
        }
    }
}
