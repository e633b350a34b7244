//! From a request to its answer: read the visit, ask the hub, send the visitor on.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, LOCATION, REFERRER_POLICY, SET_COOKIE, USER_AGENT},
};
use http_body_util::Full;
use hyper::body::Body;
use memchr::memchr_iter;
use postback_core::{ErrorKind, Result};
use postback_hub::{Hub, Landing, Visit};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{Settings, flags::flags, measure, refusal::Refusal};

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What every connection of one edge shares.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) hub: Hub,
    pub(crate) settings: Settings,
    /// A connection holds one of them to its end.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
    /// Whether the shutdown began, for those who ask at every request.
    pub(crate) ending: AtomicBool,
    /// Ends what is left of it when the shutdown has lasted long enough.
    pub(crate) cut: CancellationToken,
}

impl Edge {
    /// Answers a request, or says why it is refused where the gate found a reason.
    pub(crate) async fn answer<B: Body>(
        &self,
        peer: IpAddr,
        refused: Option<Refusal>,
        request: Request<B>,
    ) -> Response<Full<Bytes>> {
        let came_at = Instant::now();
        let answer = match refused {
            Some(refusal) => Err(refusal),
            None => self.redirect(peer, &request, came_at).await,
        };
        let mut answer = answer.unwrap_or_else(|refusal| {
            measure::refused(refusal);
            tracing::debug!(reason = refusal.reason(), %peer, "refused");
            refusal.answer()
        });
        if self.ending.load(Relaxed) || self.is_crowded() || !request.body().is_end_stream() {
            answer.headers_mut().insert(CONNECTION, CLOSE);
        }
        answer
    }

    /// Whether so few places are left that no connection may rest on one.
    fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.settings.limits.connections / 4
    }

    async fn redirect<B: Body>(
        &self,
        peer: IpAddr,
        request: &Request<B>,
        came_at: Instant,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        let (campaign, query) = self.target(request)?;
        let visit = self.visit(peer, campaign, query, request.headers());
        let (probe, flags) = (request.method() == Method::HEAD, visit.flags);
        let landing = if probe { self.hub.peek(&visit) } else { self.hub.land(visit).await };
        let answer = self.send_on(landing.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Refusal::NoSuchCampaign,
            _ => {
                tracing::error!(campaign, %error, "the hub failed a visitor");
                Refusal::Defect
            }
        })?)?;
        measure::redirected(campaign, probe, flags, came_at.elapsed());
        Ok(answer)
    }

    /// The campaign and the query, where the request is one for a campaign.
    fn target<'a, B: Body>(&self, request: &'a Request<B>) -> Result<(&'a str, &'a str), Refusal> {
        let campaign = request.uri().path().strip_prefix("/c/");
        let campaign = campaign.filter(|name| !name.is_empty() && !name.contains('/'));
        let campaign = campaign.ok_or(Refusal::NoSuchPage)?;
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Refusal::Method);
        }
        if !request.body().is_end_stream() {
            return Err(Refusal::Body);
        }
        let query = request.uri().query().unwrap_or("");
        if memchr_iter(b'&', query.as_bytes()).count() >= self.settings.limits.parameters {
            return Err(Refusal::ManyParameters);
        }
        Ok((campaign, query))
    }

    fn visit<'a>(
        &self,
        peer: IpAddr,
        campaign: &'a str,
        query: &'a str,
        headers: &'a HeaderMap,
    ) -> Visit<'a> {
        let believed = self.settings.proxies.trust(peer);
        let said = |name: &Option<HeaderName>| {
            let name = name.as_ref().filter(|_| believed)?;
            headers.get(name)?.to_str().ok()
        };
        Visit {
            campaign,
            query,
            ip: self.settings.proxies.visitor(peer, headers),
            user_agent: headers.get(USER_AGENT).and_then(|agent| str::from_utf8(agent.as_bytes()).ok()),
            country: said(&self.settings.country_header),
            device: said(&self.settings.device_header),
            flags: flags(headers),
        }
    }

    fn send_on(&self, landing: Landing) -> Result<Response<Full<Bytes>>, Refusal> {
        let location = visible(HeaderValue::try_from(landing.location).ok())?;
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::FOUND;
        let headers = answer.headers_mut();
        headers.reserve(6);
        headers.insert(LOCATION, location);
        if let Some(token) = landing.token {
            headers.insert(SET_COOKIE, self.settings.cookie.header(&token).ok_or(Refusal::Defect)?);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, self.settings.referrer_policy.header());
        headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
        Ok(answer)
    }
}

/// A location goes out in visible ASCII or not at all.
fn visible(location: Option<HeaderValue>) -> Result<HeaderValue, Refusal> {
    // It never stops early, so that the loop is vectorised.
    let all =
        |value: &HeaderValue| value.as_bytes().iter().fold(true, |all, byte| all & byte.is_ascii_graphic());
    location.filter(all).ok_or(Refusal::Defect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_with_a_byte_that_is_not_visible_ascii_goes_nowhere() {
        for location in ["https://a.example/b c", "https://a.example/é", "https://a.example/\t"] {
            assert_eq!(visible(HeaderValue::try_from(location).ok()), Err(Refusal::Defect), "{location}");
        }
        assert_eq!(visible(HeaderValue::try_from("https://a.example/\r\nx: y").ok()), Err(Refusal::Defect));
        assert!(visible(HeaderValue::try_from("https://a.example/%C3%A9").ok()).is_ok());
    }
}
