//! Who is let through to a page: those who signed in, or all of this machine where nobody is asked. A form is taken
//! from the console's own pages alone.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{
        HeaderMap, Method, StatusCode, Uri,
        header::{COOKIE, HOST, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use postback_access::{Caller, Certificate, Scope};

use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::{
    actions,
    desk::{Desk, Shared},
    page::{Failed, Visitor},
    session::{self, Session},
};

/// The longest form, in bytes.
const FORM: usize = 64 * 1024;
/// How long it may take.
const FORM_WITHIN: Duration = Duration::from_secs(10);

/// Lets a request through to its page with its [`Visitor`], or answers why not.
pub(crate) async fn guard(State(desk): State<Desk>, mut request: Request, next: Next) -> Response {
    let mut visitor = match visitor(&desk, &request) {
        Ok(visitor) => visitor,
        Err(answer) => return *answer,
    };
    if request.method() == Method::POST {
        if !visitor.operates && request.uri().path() != "/sign-out" {
            return Failed::new(StatusCode::FORBIDDEN, "your token may read, and not act").into_response();
        }
        request = match own_form(request, &visitor.form).await {
            Ok(request) => request,
            Err(failed) => return failed.into_response(),
        };
    }
    visitor.done = request.uri().query().and_then(actions::done);
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

/// Who asks; or the way to the sign-in.
fn visitor(desk: &Shared, request: &Request) -> Result<Visitor, Box<Response>> {
    let headers = request.headers();
    let of = |caller: &Caller, session: Option<Session>| Visitor {
        name: caller.name().to_owned(),
        signed_in: session.is_some(),
        operates: caller.may(Scope::Operate),
        form: session.map_or_else(|| desk.form_of(caller.name()), |session| session.form),
        done: None,
    };
    own_name(desk, headers).map_err(|failed| Box::new(failed.into_response()))?;
    if let Some((session, caller)) = session(desk, headers) {
        return Ok(of(&caller, Some(session)));
    }
    if let Ok(caller) = desk.access.identify(None, request.extensions().get::<Certificate>())
        && looks(&caller)
    {
        return Ok(of(&caller, None));
    }
    let to = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    Err(Box::new(Redirect::to(&format!("/sign-in?{query}")).into_response()))
}

/// Whether a caller may look at pages: who may act may look.
pub(crate) fn looks(caller: &Caller) -> bool {
    caller.may(Scope::Read) || caller.may(Scope::Operate)
}

/// The session of a request, while its token is good.
pub(crate) fn session(desk: &Shared, headers: &HeaderMap) -> Option<(Session, Caller)> {
    let session = desk.sessions.get(&cookie(desk, headers)?, desk.now())?;
    let caller = desk.access.caller(session.token.expose_secret())?;
    looks(&caller).then_some((session, caller))
}

/// Refuses a request for another name where nobody is asked.
pub(crate) fn own_name(desk: &Shared, headers: &HeaderMap) -> Result<(), Failed> {
    if !desk.access.is_open() || names_this_machine(headers) {
        return Ok(());
    }
    let words = "nobody is asked who they are here, so only an address of this machine is answered";
    Err(Failed::new(StatusCode::MISDIRECTED_REQUEST, words))
}

/// Whether the request was meant for an address, or for `localhost`: a name could be anybody's who points it here.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}

/// The word of the session's cookie.
pub(crate) fn cookie(desk: &Shared, headers: &HeaderMap) -> Option<String> {
    let name = desk.cookie_name();
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
}

/// Reads a form whole, and sees that one of the console's own pages sent it.
pub(crate) async fn own_form(request: Request, form: &str) -> Result<Request, Failed> {
    if !from_here(request.headers()) {
        return Err(Failed::new(StatusCode::FORBIDDEN, "the form came from another site; nothing was done"));
    }
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let said = form_urlencoded::parse(&body).find(|(name, _)| name == "form");
    if !said.is_some_and(|(_, word)| session::same(&word, form)) {
        let words = "the form is not of this session; open the page again. Nothing was done";
        return Err(Failed::new(StatusCode::FORBIDDEN, words));
    }
    Ok(Request::from_parts(head, Body::from(body)))
}

async fn read(body: Body) -> Result<Bytes, Failed> {
    let long =
        |_| Failed::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the form is longer than {FORM} bytes"));
    let slow =
        |_| Failed::new(StatusCode::REQUEST_TIMEOUT, "the form did not come in time; nothing was done");
    timeout(FORM_WITHIN, to_bytes(body, FORM)).await.map_err(slow)?.map_err(long)
}

/// Whether the browser says that the request comes from a page of this very origin.
fn from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(ORIGIN.as_str()).and_then(|origin| origin.parse::<Uri>().ok());
    let host = text(HOST.as_str());
    origin.is_some_and(|origin| {
        let theirs = origin.authority().map(Authority::as_str);
        theirs.is_some() && theirs.map(str::to_ascii_lowercase) == host.map(str::to_ascii_lowercase)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_request_comes_from_here_by_the_browsers_word_alone() {
        let host = ("host", "127.0.0.1:9090");
        for (said, want) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:9090")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("origin", "http://127.0.0.1:9090")], true),
            (vec![("origin", "http://127.0.0.1:9091")], false),
            (vec![("origin", "https://evil.example")], false),
            (vec![("origin", "null")], false),
            (vec![], false),
        ] {
            let mut all = vec![host];
            all.extend(&said);
            assert_eq!(from_here(&headers(&all)), want, "{said:?}");
        }
    }

    #[test]
    fn where_nobody_is_asked_a_foreign_name_is_not_answered() {
        for host in ["localhost", "localhost:9090", "127.0.0.1:9090", "[::1]:9090", "192.0.2.7"] {
            assert!(names_this_machine(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:9090", "127.0.0.1.evil.example"] {
            assert!(!names_this_machine(&headers(&[("host", host)])), "{host}");
        }
        assert!(!names_this_machine(&headers(&[])));
    }
}
