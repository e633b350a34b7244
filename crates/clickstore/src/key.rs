//! The names under which clicks, and places where clicks are found, lie in a store.

use postback_core::{AccountId, CampaignId, ClickId, Error, IpHash, Result};

/// Between the parts of a name: no account, campaign or click id holds it.
const END: u8 = 0;

/// The name of a click: no two pairs of account and id share one.
pub(crate) fn of_click(account: &AccountId, id: &ClickId) -> Vec<u8> {
    [account.as_str().as_bytes(), &[END], id.as_str().as_bytes()].concat()
}

/// The name of a place: one campaign, one visitor's address.
pub(crate) fn of_place(campaign: &CampaignId, ip: &IpHash) -> Vec<u8> {
    [campaign.as_str().as_bytes(), &[END], ip.as_bytes()].concat()
}

/// The account and id in a click's name.
///
/// # Errors
/// `Internal` for what is not the name of a click.
pub(crate) fn parse_click(name: &[u8]) -> Result<(AccountId, ClickId)> {
    let parts = || {
        let (account, id) = std::str::from_utf8(name).ok()?.split_once(char::from(END))?;
        Some((account.parse().ok()?, id.parse().ok()?))
    };
    parts().ok_or_else(|| Error::internal("the store holds a damaged name of a click"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_back_its_click() {
        let (account, id) = ("powerspace".parse().unwrap(), "+&=%/ é:{}".parse().unwrap());
        assert_eq!(parse_click(&of_click(&account, &id)).unwrap(), (account, id));
        for wrong in [&b""[..], b"powerspace", b"\0id", b"powerspace\0", b"powerspace\0\xff"] {
            assert!(parse_click(wrong).is_err(), "{wrong:?}");
        }
    }
}
