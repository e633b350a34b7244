//! What becomes of a visitor: steps in the order of their lane, as they are reported and as the network sees them.

use postback_proto::v1::{
    ChangeConversionStatusRequest, ConversionDetails, ConversionRef, Kind, RecordConversionRequest,
    change_conversion_status_request::Conversion,
};
use postback_sandbox::{Booking, Entry, Meant, Network};
use postback_tests::{details, lead, order, token};
use tonic::Status;

/// One thing that is told of a click, in the order in which a network must hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Lead,
    Order,
    Processing,
    Hold,
}

/// A network with its account's name and the parameter that brings its click ids.
pub(crate) type Place = (Network, &'static str, &'static str);

/// Every network.
pub(crate) const NETWORKS: [Place; 3] = [
    (Network::Powerspace, "powerspace", "clickId"),
    (Network::Trafficstars, "trafficstars", "click_id"),
    (Network::Altercpa, "altercpa", "click"),
];

/// The steps of a click in the order in which its caller reports them. A change may be reported before its lead.
pub(crate) fn journey(network: Network, random: &mut fastrand::Rng) -> &'static [Step] {
    match network {
        Network::Altercpa if random.u8(..4) == 0 => &[Step::Processing, Step::Lead, Step::Hold],
        Network::Altercpa => &[Step::Lead, Step::Processing, Step::Hold],
        _ => &[Step::Lead, Step::Order],
    }
}

impl Step {
    /// Whether it changes what was told before.
    pub(crate) const fn is_change(self) -> bool {
        matches!(self, Self::Processing | Self::Hold)
    }

    /// Reports the step once; returns its delivery's id.
    pub(crate) async fn report(
        self,
        caller: &postback_tests::Caller,
        click: &str,
        landed: &str,
    ) -> Result<String, Status> {
        let transaction_id = format!("T-{click}");
        let request_id = format!("{click}-{self:?}");
        let status = match self {
            Self::Lead | Self::Order => {
                let details = self.price(click).map_or_else(lead, |price| order(&price));
                let request = RecordConversionRequest {
                    source: Some(token(landed)),
                    details: Some(ConversionDetails { transaction_id, ..details }),
                    request_id,
                    ..RecordConversionRequest::default()
                };
                return Ok(caller.send(request).await?.delivery_id);
            }
            Self::Processing => "processing",
            Self::Hold => "hold",
        };
        let lead = ConversionRef {
            source: Some(token(landed)),
            kind: details(Kind::Lead).kind,
            transaction_id,
            ..ConversionRef::default()
        };
        let request = ChangeConversionStatusRequest {
            conversion: Some(Conversion::Key(lead)),
            status: status.to_owned(),
            request_id,
            ..ChangeConversionStatusRequest::default()
        };
        Ok(caller.change(request).await?.delivery_id)
    }

    /// What is reported as its value, which every click has of its own: within what every network takes.
    pub(crate) fn price(self, click: &str) -> Option<String> {
        let mixed = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
        let cents = click.bytes().fold(0, mixed) % 19_999 + 1;
        (self == Self::Order).then(|| format!("{}.{:02}", cents / 100, cents % 100))
    }

    /// What a call that reached the network's books was booked as, and as which step; whether it was counted anew.
    pub(crate) fn seen(entry: &Entry) -> Option<(&Booking, Self, bool)> {
        let (booking, anew) = match &entry.meant {
            Meant::Counted(booking) => (booking, true),
            Meant::Duplicate(booking) | Meant::Changed(booking) => (booking, false),
            Meant::LookedUp { .. } | Meant::Refused { .. } | Meant::Untouched => return None,
        };
        let step = match entry.network {
            Network::Powerspace if booking.kind == postback_sandbox::Kind::Order => Self::Order,
            Network::Trafficstars if booking.value.is_some() => Self::Order,
            Network::Altercpa if entry.path.ends_with("status.json") => match booking.status {
                Some("hold") => Self::Hold,
                _ => Self::Processing,
            },
            _ => Self::Lead,
        };
        Some((booking, step, anew))
    }
}
