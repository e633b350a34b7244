//! What the console answers, and where.

use std::sync::{Arc, atomic::AtomicBool};

use axum::{
    Router,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use postback_access::Access;
use postback_core::Result;
use postback_hub::Hub;

use crate::{
    account, actions, campaigns, clicks, conversions, deliveries,
    desk::{Desk, Shared},
    guard, live, overview,
    page::Failed,
    probes, render, sign_in, trail,
};

/// What the console shows, and to whom.
#[derive(Clone)]
pub struct Console {
    /// The hub that it looks into.
    pub hub: Hub,
    /// Whether the process takes in work: false from the moment it drains.
    pub ready: Arc<AtomicBool>,
    /// What [`metrics`](crate::metrics) returned.
    pub metrics: PrometheusHandle,
    /// Who is let in.
    pub access: Access,
    /// Whether a proxy in front ends TLS, so that browsers come by https.
    pub tls_in_front: bool,
}

impl Console {
    /// The routes; `tls` says whether they are served under TLS here.
    pub(crate) fn router(self, tls: bool) -> Result<Router> {
        let desk = Shared::of(self, tls)?;
        Ok(Router::new()
            .merge(pages(&desk))
            .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
            .route("/livez", get(probes::live))
            .route("/readyz", get(probes::ready))
            .route("/metrics", get(probes::metrics))
            .route("/console.css", file("text/css; charset=utf-8", include_str!("../assets/console.css")))
            .route(
                "/console.js",
                file("text/javascript; charset=utf-8", include_str!("../assets/console.js")),
            )
            .route("/console.svg", file("image/svg+xml", include_str!("../assets/console.svg")))
            .fallback(|| async { Failed::new(StatusCode::NOT_FOUND, "there is no such page") })
            .method_not_allowed_fallback(|| async {
                Failed::new(StatusCode::METHOD_NOT_ALLOWED, "this page is not asked so")
            })
            .layer(map_response(harden))
            .with_state(desk))
    }
}

/// The pages that a visitor must be let through to.
fn pages(desk: &Desk) -> Router<Desk> {
    Router::new()
        .route("/", get(overview::page))
        .route("/accounts/{id}", get(account::page))
        .route("/accounts/{id}/{deed}", get(actions::ask_account).post(actions::do_account))
        .route("/clicks", get(clicks::search))
        .route("/click", get(clicks::one))
        .route("/conversions", get(conversions::list))
        .route("/conversions/{id}", get(conversions::story))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(deliveries::one))
        .route("/deliveries/{id}/{decision}", get(actions::ask_one).post(actions::do_one))
        .route("/replay", get(actions::ask_all).post(actions::do_all))
        .route("/resolve/{decision}", get(actions::ask_all).post(actions::do_all))
        .route("/campaigns", get(campaigns::list))
        .route("/campaigns/{id}", get(campaigns::one))
        .route("/render", get(render::page))
        .route("/live", get(live::page))
        .route("/trail", get(trail::page))
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(from_fn_with_state(desk.clone(), guard::guard))
}

/// A file of the console's own.
fn file(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter<Desk> {
    get(move || async move { ([(CONTENT_TYPE, kind)], text).into_response() })
}

/// Nothing but the console's own files makes a page, nothing of it is kept by a cache, and nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

async fn harden(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    let set: [(HeaderName, &'static str); 7] = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
