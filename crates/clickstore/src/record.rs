//! A click as its store keeps it: few bytes, without what the name or the life implies.
//!
//! A byte for the format and 16 bits that say what is there; the time of capture, the campaign and the
//! address; then texts, each after its length, and the parameters after their number. Numbers take seven bits
//! a byte.

use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, Click, ClickId, ClickRef, Error, Flags, IpHash, IpNetwork, Result, Utm, VisitorIp,
};

const FORMAT: u8 = 1;

// What is there, after one bit for each of the eight texts.
const V4: u16 = 1 << 8;
const V6: u16 = 1 << 9;
const BOT: u16 = 1 << 10;
const PREFETCH: u16 = 1 << 11;
const UNKNOWN: u16 = !0 << 12;

/// The record of a click, with `agent` in the place of its user agent. Its account, id and end are left out:
/// the name and the capture imply them.
pub(crate) fn encode(click: &Click, agent: Option<&[u8]>) -> Vec<u8> {
    let utm = &click.utm;
    let [source, medium, campaign] = [&utm.source, &utm.medium, &utm.campaign].map(bytes);
    let [term, content, country, device] =
        [&utm.term, &utm.content, &click.country, &click.device].map(bytes);
    let texts = [source, medium, campaign, term, content, country, device, agent];
    let mut bits = texts.iter().rev().fold(0, |bits, text| bits << 1 | u16::from(text.is_some()));
    bits |= if click.flags.bot { BOT } else { 0 } | if click.flags.prefetch { PREFETCH } else { 0 };
    bits |= click.ip.map_or(0, |ip| if matches!(ip.network, IpNetwork::V4(_)) { V4 } else { V6 });

    let mut record = Vec::with_capacity(256);
    record.push(FORMAT);
    record.extend(bits.to_le_bytes());
    let time = click.click.captured_at;
    number(&mut record, time.as_second().cast_unsigned());
    record.extend(time.subsec_nanosecond().to_le_bytes());
    part(&mut record, click.campaign.as_str().as_bytes());
    if let Some(ip) = &click.ip {
        match &ip.network {
            IpNetwork::V4(network) => record.extend(network),
            IpNetwork::V6(network) => record.extend(network),
        }
        record.extend(ip.hash.as_bytes());
    }
    for text in texts.into_iter().flatten() {
        part(&mut record, text);
    }
    number(&mut record, click.parameters.len() as u64);
    for text in click.parameters.iter().flat_map(|(name, value)| [name, value]) {
        part(&mut record, text.as_bytes());
    }
    record
}

fn bytes(text: &Option<String>) -> Option<&[u8]> {
    text.as_deref().map(str::as_bytes)
}

fn number(record: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        record.push(number as u8 | 0x80);
        number >>= 7;
    }
    record.push(number as u8);
}

fn part(record: &mut Vec<u8>, bytes: &[u8]) {
    number(record, bytes.len() as u64);
    record.extend(bytes);
}

/// The click that was recorded under the name of `account` and `id`, without its user agent, and what was put
/// in that one's place.
///
/// # Errors
/// `Internal` for bytes that are no record.
pub(crate) fn decode<'a>(
    account: &AccountId,
    id: &ClickId,
    record: &'a [u8],
) -> Result<(Click, Option<&'a [u8]>)> {
    read(account, id, Reader(record)).ok_or_else(damaged)
}

/// The error for bytes that are no record.
pub(crate) fn damaged() -> Error {
    Error::internal("the store holds a damaged record of a click")
}

/// When a recorded click was captured, and its campaign.
///
/// # Errors
/// As [`decode`].
pub(crate) fn head(record: &[u8]) -> Result<(Timestamp, CampaignId)> {
    let (_, captured_at, campaign) = Reader(record).head().ok_or_else(damaged)?;
    Ok((captured_at, campaign))
}

fn read<'a>(account: &AccountId, id: &ClickId, mut record: Reader<'a>) -> Option<(Click, Option<&'a [u8]>)> {
    let (bits, captured_at, campaign) = record.head()?;
    let network = match bits & (V4 | V6) {
        0 => None,
        V4 => Some(IpNetwork::V4(record.array()?)),
        V6 => Some(IpNetwork::V6(record.array()?)),
        _ => return None,
    };
    let ip = match network {
        Some(network) => Some(VisitorIp { network, hash: IpHash::from_bytes(record.array()?) }),
        None => None,
    };
    let mut text = |at: u32| if bits >> at & 1 == 0 { Some(None) } else { record.text().map(Some) };
    let utm =
        Utm { source: text(0)?, medium: text(1)?, campaign: text(2)?, term: text(3)?, content: text(4)? };
    let (country, device) = (text(5)?, text(6)?);
    let agent = if bits >> 7 & 1 == 0 { None } else { Some(record.part()?) };
    let parameters =
        (0..record.number()?).map(|_| Some((record.text()?, record.text()?))).collect::<Option<_>>()?;
    let click = Click {
        click: ClickRef { account: account.clone(), id: id.clone(), captured_at },
        campaign,
        utm,
        parameters,
        country,
        device,
        ip,
        user_agent: None,
        flags: Flags { bot: bits & BOT != 0, prefetch: bits & PREFETCH != 0 },
    };
    record.0.is_empty().then_some((click, agent))
}

/// What is left of a record.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// What is there, when it was captured, and the campaign.
    fn head(&mut self) -> Option<(u16, Timestamp, CampaignId)> {
        let [format] = self.array()?;
        let bits = u16::from_le_bytes(self.array()?);
        if format != FORMAT || bits & UNKNOWN != 0 {
            return None;
        }
        let second = self.number()?.cast_signed();
        let captured_at = Timestamp::new(second, i32::from_le_bytes(self.array()?)).ok()?;
        Some((bits, captured_at, CampaignId::parse(self.text()?).ok()?))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte <= 0x7f {
                return Some(number);
            }
        }
        None
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    fn text(&mut self) -> Option<String> {
        self.part().and_then(|part| String::from_utf8(part.to_vec()).ok())
    }
}

#[cfg(test)]
mod tests {
    use postback_core::ErrorKind;
    use proptest::{collection::vec, option, prelude::*};

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

    fn full() -> Click {
        let some = |text: &str| Some(text.to_owned());
        Click {
            campaign: "shoes-france".parse().unwrap(),
            utm: Utm {
                source: some("newsletter"),
                medium: some("cpc"),
                campaign: some("spring-sale-2026"),
                term: some("running shoes"),
                content: some("banner-7"),
            },
            country: some("FR"),
            device: some("mobile"),
            ip: Some(VisitorIp { network: IpNetwork::V4([192, 0, 2]), hash: IpHash::from_bytes([7; 8]) }),
            flags: Flags { bot: false, prefetch: true },
            ..click()
        }
    }

    /// The full click with a user agent, as it is kept in stores that are there.
    const FULL: &[u8] = b"\x01\xff\t\xbf\xfb\x9e\xcd\x06\x15\xcd[\x07\x0cshoes-france\xc0\x00\x02\x07\x07\x07\x07\x07\
        \x07\x07\x07\nnewsletter\x03cpc\x10spring-sale-2026\rrunning shoes\x08banner-7\x02FR\x06mobile\x088 bytes.\
        \x01\x04page\x017";

    #[test]
    fn a_record_that_was_kept_is_read_for_ever() {
        let click = Click { parameters: vec![("page".into(), "7".into())], ..full() };
        assert_eq!(decoded(&click, FULL).unwrap(), (click, Some(&b"8 bytes."[..])));
    }

    fn decoded<'a>(click: &Click, record: &'a [u8]) -> Result<(Click, Option<&'a [u8]>)> {
        decode(&click.click.account, &click.click.id, record)
    }

    #[test]
    fn a_record_holds_nothing_that_its_name_implies_and_is_short() {
        for (click, agent, most) in [(click(), None, 20), (full(), Some(&b"8 bytes."[..]), 111)] {
            let record = encode(&click, agent);
            let text = String::from_utf8_lossy(&record);
            assert!(!text.contains("powerspace") && !text.contains("abc123xyz789"));
            assert!(record.len() <= most, "{} bytes", record.len());
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_that_says_so() {
        let click = full();
        let record = encode(&click, None);
        let cut = (0..record.len()).map(|end| record[..end].to_vec());
        let changed = |at: usize, byte| {
            let mut record = record.clone();
            record[at] = byte;
            record
        };
        let longer = [&record[..], b"\0"].concat();
        // Another format, an unknown bit, two addresses, a campaign that is no name, a text that is no UTF-8.
        let wrong =
            [changed(0, 2), changed(2, 0xff), changed(2, 3), changed(13, b'A'), changed(45, 0xff), longer];
        for wrong in cut.chain(wrong) {
            let error = decoded(&click, &wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{wrong:?}");
            assert_eq!(error.to_string(), "the store holds a damaged record of a click");
        }
    }

    prop_compose! {
        fn any_click()(
            nanosecond in Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond(),
            campaign in "[a-z0-9_-]{1,64}",
            texts in vec(option::of("\\PC{0,200}"), 7),
            parameters in vec(("\\PC{0,20}", "\\PC{0,200}"), 0..70),
            ip in option::of((any::<std::net::IpAddr>(), any::<[u8; 8]>())),
            flags in any::<(bool, bool)>(),
        ) -> Click {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            let captured_at = Timestamp::from_nanosecond(nanosecond).unwrap();
            Click {
                click: ClickRef { captured_at, ..click().click },
                campaign: campaign.parse().unwrap(),
                utm: Utm { source: text(), medium: text(), campaign: text(), term: text(), content: text() },
                parameters,
                country: text(),
                device: text(),
                ip: ip.map(|(ip, hash)| VisitorIp { network: ip.into(), hash: IpHash::from_bytes(hash) }),
                user_agent: None,
                flags: Flags { bot: flags.0, prefetch: flags.1 },
            }
        }
    }

    proptest! {
        #[test]
        fn any_click_survives_its_record(
            click in any_click(),
            agent in option::of(vec(any::<u8>(), 0..600)),
        ) {
            let record = encode(&click, agent.as_deref());
            prop_assert_eq!(decoded(&click, &record).unwrap(), (click, agent.as_deref()));
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..300), at in 0_usize..100, byte: u8) {
            let _ = decoded(&click(), &bytes);
            let mut record = encode(&full(), None);
            record[at] = byte;
            let _ = decoded(&click(), &record);
        }
    }
}
