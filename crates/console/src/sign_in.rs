//! Signing in with a token, and out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use askama::Template;
use axum::{
    Form,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    desk::{Desk, Shared},
    guard,
    page::{self, Failed, Frame, Shown},
    session::LIFE,
};

/// Who sends the sign-in's own form; no caller has this name.
const NOBODY: &str = "";

#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    to: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    form: String,
    to: String,
    wrong: &'static str,
}

fn ask(desk: &Shared, to: &str, wrong: &'static str) -> Shown {
    let frame = Frame { title: "Sign in".into(), section: "", visitor: None, now: desk.now(), live: 0 };
    page::show(&SignIn { frame, form: desk.form_of(NOBODY), to: own_path(to).to_owned(), wrong })
}

/// The form.
pub(crate) async fn form(State(desk): State<Desk>, Query(wish): Query<Wish>) -> Shown {
    if desk.access.is_open() {
        return Ok(Redirect::to("/").into_response());
    }
    ask(&desk, &wish.to, "")
}

#[derive(Deserialize)]
struct Told {
    token: String,
    #[serde(default)]
    to: String,
}

/// Begins a session for one who shows a token that may read or act.
pub(crate) async fn sign_in(State(desk): State<Desk>, request: Request) -> Shown {
    let from =
        request.extensions().get::<SocketAddr>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), SocketAddr::ip);
    let request = guard::own_form(request, &desk.form_of(NOBODY)).await?;
    let Form(told) = <Form<Told> as axum::extract::FromRequest<()>>::from_request(request, &())
        .await
        .map_err(|_| Failed::new(StatusCode::BAD_REQUEST, "token: is missing"))?;
    let now = desk.now();
    let token = told.token.trim();
    let wrong = match desk.access.caller(token) {
        Some(caller) if guard::looks(&caller) => {
            tracing::info!(caller = caller.name(), "signed in to the console");
            let cookie = desk.sessions.begin(token.into(), now)?;
            let kept = set_cookie(&desk, &cookie, LIFE.as_secs());
            return Ok(([(SET_COOKIE, kept)], Redirect::to(own_path(&told.to))).into_response());
        }
        Some(_) => "This token may neither read nor operate.",
        None => "This token is not known. It may have been replaced or removed.",
    };
    if desk.sessions.failed(from, now) {
        let words = "too many wrong tokens came from your address; a right one is taken all the same";
        return Err(Failed::new(StatusCode::TOO_MANY_REQUESTS, words));
    }
    tracing::warn!(%from, "a wrong token was shown to the console");
    Ok((StatusCode::FORBIDDEN, ask(&desk, &told.to, wrong)?).into_response())
}

/// Ends the session.
pub(crate) async fn sign_out(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    if let Some(cookie) = guard::cookie(&desk, &headers) {
        desk.sessions.end(&cookie);
    }
    ([(SET_COOKIE, set_cookie(&desk, "", 0))], Redirect::to("/sign-in")).into_response()
}

fn set_cookie(desk: &Shared, value: &str, life: i64) -> String {
    let name = desk.cookie_name();
    let secure = if desk.https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life}{secure}")
}

/// A path of this console, or its overview: nobody is sent elsewhere after signing in.
fn own_path(to: &str) -> &str {
    let own = to.starts_with('/')
        && !to.starts_with("//")
        && to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !to.starts_with("/sign-");
    if own { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for own in ["/", "/deliveries?state=dead", "/conversions/1"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb", "/sign-out"]
        {
            assert_eq!(own_path(foreign), "/");
        }
    }
}
