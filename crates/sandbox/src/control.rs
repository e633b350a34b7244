//! The control API under `/sandbox/`: JSON in whatever content type, JSON out.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Fault, IssueClicks, JournalQuery, Network, Sandbox, SandboxError, reply::Reply};

/// A control call that was refused.
pub(crate) struct Refused(StatusCode, String);

type Answered = Result<Response, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        Reply::json(self.0, &Body { error: self.1 }).response()
    }
}

impl From<SandboxError> for Refused {
    fn from(error: SandboxError) -> Self {
        let status = match error {
            SandboxError::Full { .. } => StatusCode::TOO_MANY_REQUESTS,
            SandboxError::Seed(_) | SandboxError::Invalid { .. } => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

#[derive(Serialize)]
struct Issued {
    network: Network,
    clicks: Vec<String>,
}

/// `POST /sandbox/clicks`
pub(crate) async fn issue(State(sandbox): State<Sandbox>, body: Bytes) -> Answered {
    let order: IssueClicks = read(&body)?;
    let clicks = sandbox.issue(&order)?;
    Ok(said(StatusCode::CREATED, &Issued { network: order.network, clicks }))
}

/// `GET /sandbox/journal?network=&since=&limit=`
pub(crate) async fn journal(State(sandbox): State<Sandbox>, uri: Uri) -> Answered {
    let query: JournalQuery = query(&uri)?;
    if query.limit.is_some_and(|limit| !(1..=1000).contains(&limit)) {
        return Err(SandboxError::invalid("limit", "want 1 to 1000").into());
    }
    Ok(said(StatusCode::OK, &sandbox.journal(&query)))
}

/// `DELETE /sandbox/journal`
pub(crate) async fn clear_journal(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear_journal();
    StatusCode::NO_CONTENT
}

/// `GET /sandbox/stats`
pub(crate) async fn stats(State(sandbox): State<Sandbox>) -> Response {
    said(StatusCode::OK, &sandbox.stats())
}

/// `GET /sandbox/faults`
pub(crate) async fn faults(State(sandbox): State<Sandbox>) -> Response {
    said(StatusCode::OK, &sandbox.faults_in_force())
}

/// `POST /sandbox/faults`
pub(crate) async fn inject(State(sandbox): State<Sandbox>, body: Bytes) -> Answered {
    let fault: Fault = read(&body)?;
    sandbox.inject(fault.clone())?;
    Ok(said(StatusCode::CREATED, &fault))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfNetwork {
    network: Option<Network>,
}

#[derive(Serialize)]
struct Cleared {
    cleared: usize,
}

/// `DELETE /sandbox/faults?network=`
pub(crate) async fn clear_faults(State(sandbox): State<Sandbox>, uri: Uri) -> Answered {
    let of: OfNetwork = query(&uri)?;
    Ok(said(StatusCode::OK, &Cleared { cleared: sandbox.clear_faults(of.network) }))
}

#[derive(Serialize)]
struct Time {
    now: Timestamp,
    shift_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shift {
    shift_seconds: i64,
}

/// `GET /sandbox/clock`
pub(crate) async fn clock(State(sandbox): State<Sandbox>) -> Response {
    let time = Time { now: sandbox.now(), shift_seconds: sandbox.shift().as_secs() };
    said(StatusCode::OK, &time)
}

/// `POST /sandbox/clock`
pub(crate) async fn set_clock(State(sandbox): State<Sandbox>, body: Bytes) -> Answered {
    let Shift { shift_seconds } = read(&body)?;
    sandbox.set_shift(SignedDuration::from_secs(shift_seconds));
    Ok(clock(State(sandbox)).await)
}

/// `GET /sandbox/leads/{id}`
pub(crate) async fn lead(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Answered {
    let lead = id.parse().ok().and_then(|id| sandbox.lead(id));
    let lead = lead.ok_or_else(|| Refused(StatusCode::NOT_FOUND, "id: no such lead".to_owned()))?;
    Ok(said(StatusCode::OK, &lead))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refused> {
    let query = Query::try_from_uri(uri);
    query.map(|query| query.0).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.body_text()))
}

fn said(status: StatusCode, body: &impl Serialize) -> Response {
    Reply::json(status, body).response()
}
