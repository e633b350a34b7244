//! What all pages have in common: the frame around them, the answer that carries them, the page of an error.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use postback_core::{Error, ErrorKind};

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The name under which actions are noted.
    pub(crate) name: String,
    /// Whether there is a session to end.
    pub(crate) signed_in: bool,
    /// Whether actions are allowed.
    pub(crate) operates: bool,
    /// What every form must carry.
    pub(crate) form: String,
    /// What an action that led here came to.
    pub(crate) done: Option<String>,
}

/// What stands around a page's own content.
pub(crate) struct Frame {
    /// The page's name.
    pub(crate) title: String,
    /// Which entry of the navigation it belongs to.
    pub(crate) section: &'static str,
    /// Who looks at it; nobody on the sign-in page.
    pub(crate) visitor: Option<Visitor>,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// After how many seconds each the script brings it up to date; never where 0.
    pub(crate) live: u32,
}

impl Frame {
    /// A page of a section.
    pub(crate) fn new(
        title: impl Into<String>,
        section: &'static str,
        visitor: Visitor,
        now: Timestamp,
    ) -> Self {
        Self { title: title.into(), section, visitor: Some(visitor), now, live: 0 }
    }

    /// The same page, brought up to date after so many seconds each.
    pub(crate) fn live(mut self, seconds: u32) -> Self {
        self.live = seconds;
        self
    }

    /// Whether the visitor may act.
    pub(crate) fn operates(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.operates)
    }

    /// What a form of this page must carry.
    pub(crate) fn form(&self) -> &str {
        self.visitor.as_ref().map_or("", |visitor| &visitor.form)
    }
}

/// The sections of the navigation: name, address.
pub(crate) const SECTIONS: [(&str, &str); 7] = [
    ("Overview", "/"),
    ("Clicks", "/clicks"),
    ("Conversions", "/conversions"),
    ("Deliveries", "/deliveries"),
    ("Campaigns", "/campaigns"),
    ("Live", "/live"),
    ("Trail", "/trail"),
];

/// A page, or the page of the error that stands in its way.
pub(crate) type Shown = Result<Response, Failed>;

/// The answer that carries a page.
pub(crate) fn show(page: &impl Template) -> Shown {
    let html = page.render().map_err(|error| Error::internal("the page was not made").caused_by(error))?;
    Ok(Html(html).into_response())
}

/// What a store must have answered.
pub(crate) fn found<T>(found: Option<T>, field: &'static str) -> Result<T, Failed> {
    found.ok_or_else(|| Failed::from(Error::not_found("NOT_FOUND", "is not there any more").at(field)))
}

/// An error on its way to a person.
#[derive(Debug)]
pub(crate) struct Failed(StatusCode, String);

impl Failed {
    pub(crate) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self(status, words.into())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::AlreadyExists | ErrorKind::FailedPrecondition => StatusCode::CONFLICT,
            ErrorKind::ResourceExhausted | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::warn!(%error, "a page of the console was not made");
        }
        Self(status, error.to_string())
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage {
    frame: Frame,
    words: String,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Self(status, words) = self;
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        let frame = Frame { title, section: "", visitor: None, now: Timestamp::UNIX_EPOCH, live: 0 };
        let page = FailedPage { frame, words }.render();
        (status, Html(page.unwrap_or_else(|_| "the page was not made".to_owned()))).into_response()
    }
}
