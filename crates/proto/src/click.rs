//! Clicks of the core, in the contract's words.

use postback_core::{Click, Utm};

use crate::{
    v1,
    value::{text, timestamp},
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
            ip: click.ip.map(|ip| ip.network.to_string()).unwrap_or_default(),
            user_agent: text(click.user_agent.as_ref()),
            bot: click.flags.bot,
            prefetch: click.flags.prefetch,
            click_token: String::new(),
        }
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
