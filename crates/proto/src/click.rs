//! Clicks, between the contract and the core.

use postback_core::{Click, ClickRef, Error, Flags, IpHash, Result, Utm, VisitorIp};

use crate::{
    v1,
    value::{some, text, time_of, timestamp},
};

impl From<&Click> for v1::Click {
    fn from(click: &Click) -> Self {
        Self {
            account: click.click.account.to_string(),
            click_id: click.click.id.to_string(),
            campaign: click.campaign.to_string(),
            create_time: Some(timestamp(click.click.captured_at)),
            expire_time: Some(timestamp(click.click.expires_at())),
            utm: (click.utm != Utm::default()).then(|| (&click.utm).into()),
            parameters: click
                .parameters
                .iter()
                .map(|(name, value)| v1::Parameter { name: name.clone(), value: value.clone() })
                .collect(),
            country: text(click.country.as_ref()),
            device: text(click.device.as_ref()),
            ip: click.ip.as_ref().map(|ip| ip.shown.clone()).unwrap_or_default(),
            ip_hash: click.ip.as_ref().map(|ip| ip.hash.as_bytes().to_vec()).unwrap_or_default(),
            user_agent: text(click.user_agent.as_ref()),
            bot: click.flags.bot,
            prefetch: click.flags.prefetch,
            click_token: String::new(),
        }
    }
}

impl TryFrom<v1::Click> for Click {
    type Error = Error;

    /// Reads a record; its end of life follows from its capture.
    fn try_from(click: v1::Click) -> Result<Self> {
        let ip = match <[u8; 16]>::try_from(click.ip_hash.as_slice()) {
            Ok(hash) => Some(VisitorIp { shown: click.ip, hash: IpHash::from_bytes(hash) }),
            Err(_) => None,
        };
        Ok(Self {
            click: ClickRef {
                account: click.account.parse()?,
                id: click.click_id.parse()?,
                captured_at: time_of("create_time", click.create_time.as_ref())?,
            },
            campaign: click.campaign.parse()?,
            utm: click.utm.map(Into::into).unwrap_or_default(),
            parameters: click.parameters.into_iter().map(|pair| (pair.name, pair.value)).collect(),
            country: some(&click.country),
            device: some(&click.device),
            ip,
            user_agent: some(&click.user_agent),
            flags: Flags { bot: click.bot, prefetch: click.prefetch },
        })
    }
}

impl From<&Utm> for v1::Utm {
    fn from(utm: &Utm) -> Self {
        Self {
            source: text(utm.source.as_ref()),
            medium: text(utm.medium.as_ref()),
            campaign: text(utm.campaign.as_ref()),
            term: text(utm.term.as_ref()),
            content: text(utm.content.as_ref()),
        }
    }
}

impl From<v1::Utm> for Utm {
    fn from(utm: v1::Utm) -> Self {
        Self {
            source: some(&utm.source),
            medium: some(&utm.medium),
            campaign: some(&utm.campaign),
            term: some(&utm.term),
            content: some(&utm.content),
        }
    }
}

#[cfg(test)]
mod tests {
    use postback_core::CLICK_LIFE;

    use super::*;

    #[test]
    fn a_click_survives_its_record() {
        let click = Click {
            click: ClickRef {
                account: "powerspace".parse().unwrap(),
                id: "+&=%/ é".parse().unwrap(),
                captured_at: "2026-03-04T05:06:07.123456789Z".parse().unwrap(),
            },
            campaign: "spring".parse().unwrap(),
            utm: Utm { source: Some("powerspace".into()), ..Utm::default() },
            parameters: vec![("a".into(), "1".into()), ("a".into(), String::new())],
            country: Some("FR".into()),
            device: Some("mobile".into()),
            ip: Some(VisitorIp { shown: "192.0.2.0/24".into(), hash: IpHash::from_bytes([3; 16]) }),
            user_agent: Some("Mozilla/5.0".into()),
            flags: Flags { bot: true, prefetch: true },
        };
        assert_eq!(Click::try_from(v1::Click::from(&click)).unwrap(), click);
        assert_eq!(click.click.expires_at().duration_since(click.click.captured_at), CLICK_LIFE);
    }
}
