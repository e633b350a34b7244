//! The conversion service.

use std::{
    future::ready,
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    sync::Arc,
};

use futures_util::{Stream, StreamExt, future::Either};
use jiff::Timestamp;
use postback_core::{AccountId, Details, Error, LaneId, RequestId, Result, Source, ports::ConversionFilter};
use postback_hub::{ChangeReport, ChangeTarget, Report, SourceBy, place_of};
use postback_proto::{change_from, details_from, kind_from, parsed, time_from, v1};
use tokio::sync::Mutex;
use tonic::{Request, Response, Status, Streaming};
use tracing::{Instrument, Span};

use crate::{
    Api, ending, page,
    source::source,
    status::{code, status},
};

/// How many conversions of one stream are recorded at once.
const AT_ONCE: usize = 64;

type Results<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What is told of a conversion beside its source.
type Told = (Details, Option<Timestamp>, Option<RequestId>);

fn told(request: v1::RecordConversionRequest) -> Result<Told> {
    let details =
        request.details.ok_or_else(|| Error::invalid("details", "is missing").because("MISSING"))?;
    let occurred_at = request.occur_time.as_ref().map(|time| time_from("occur_time", time)).transpose()?;
    Ok((details_from(details)?, occurred_at, parsed("request_id", &request.request_id)?))
}

fn change_report(request: v1::ChangeConversionStatusRequest) -> Result<ChangeReport> {
    use v1::change_conversion_status_request::Conversion;
    let target = match request.conversion {
        None => {
            let want = "is missing; want conversion_id or key";
            return Err(Error::invalid("conversion", want).because("MISSING"));
        }
        Some(Conversion::ConversionId(id)) => ChangeTarget::Conversion(id.parse()?),
        Some(Conversion::Key(key)) => ChangeTarget::Key {
            source: source(key.source).map_err(|error| within("key", error))?,
            kind: match key.kind {
                0 => postback_core::Kind::Lead,
                kind => kind_from("key.kind", kind)?,
            },
            goal: parsed("key.goal", &key.goal)?,
            transaction_id: key
                .transaction_id
                .parse()
                .map_err(|error: Error| error.at("key.transaction_id"))?,
        },
    };
    let change = v1::Change {
        status: request.status,
        goal: request.goal,
        value: request.value,
        payout: request.payout,
        fields: request.fields,
    };
    Ok(ChangeReport {
        target,
        change: change_from(change)?,
        request_id: parsed("request_id", &request.request_id)?,
    })
}

fn within(outer: &str, error: Error) -> Error {
    let field = error.field().map_or_else(|| outer.to_owned(), |field| format!("{outer}.{field}"));
    error.at(field)
}

impl Api {
    /// A report from the wire. One that cannot be read is refused, and counted so.
    fn report(&self, mut request: v1::RecordConversionRequest) -> Result<Report> {
        let validate_only = request.validate_only;
        let refused = |source: Option<&SourceBy>, error: &Error| {
            if !validate_only {
                self.hub.refused(source, error);
            }
        };
        let source = source(request.source.take()).inspect_err(|error| refused(None, error))?;
        let (details, occurred_at, request_id) =
            told(request).inspect_err(|error| refused(Some(&source), error))?;
        Ok(Report { source, details, occurred_at, request_id })
    }

    /// Reads a report, of which nothing is held on to but what it says, and records it.
    fn record(
        &self,
        request: v1::RecordConversionRequest,
    ) -> impl Future<Output = Result<v1::RecordConversionResponse>> + Send {
        fail::fail_point!("decode");
        let validate_only = request.validate_only;
        let report = match self.report(request) {
            Ok(report) => report,
            Err(error) => return Either::Right(ready(Err(error))),
        };
        Either::Left(async move {
            if validate_only {
                let rendered = self.hub.validate(&report).await?;
                return Ok(v1::RecordConversionResponse {
                    call: rendered.call,
                    warnings: rendered.warnings,
                    ..Default::default()
                });
            }
            let recorded = self.hub.record(&report).await?;
            fail::fail_point!("acknowledge");
            Ok(v1::RecordConversionResponse {
                conversion_id: recorded.conversion.to_string(),
                delivery_id: recorded.delivery.to_string(),
                already_recorded: recorded.already,
                call: recorded.rendered.call,
                warnings: recorded.rendered.warnings,
            })
        })
    }

    async fn change(
        &self,
        request: v1::ChangeConversionStatusRequest,
    ) -> Result<v1::ChangeConversionStatusResponse> {
        fail::fail_point!("decode");
        let validate_only = request.validate_only;
        let report = change_report(request).inspect_err(|error| {
            if !validate_only {
                self.hub.refused_change(error);
            }
        })?;
        if validate_only {
            let rendered = self.hub.validate_change(report).await?;
            return Ok(v1::ChangeConversionStatusResponse {
                call: rendered.call,
                warnings: rendered.warnings,
                ..Default::default()
            });
        }
        let changed = self.hub.change(report).await?;
        fail::fail_point!("acknowledge");
        Ok(v1::ChangeConversionStatusResponse {
            conversion_id: changed.conversion.to_string(),
            delivery_id: changed.delivery.to_string(),
            waiting: changed.waiting,
            already_recorded: changed.already,
            call: changed.rendered.call,
            warnings: changed.rendered.warnings,
        })
    }

    async fn list(&self, request: v1::ListConversionsRequest) -> Result<v1::ListConversionsResponse> {
        let account: Option<AccountId> = parsed("account", &request.account)?;
        let lane = match (&account, request.click_id.as_str()) {
            (_, "") => None,
            (Some(account), id) => Some(LaneId::of(account, &Source::Click(id.parse()?), "")),
            (None, _) => return Err(Error::invalid("account", "is needed with click_id").because("MISSING")),
        };
        let filter = ConversionFilter {
            account,
            campaign: parsed("campaign", &request.campaign)?,
            kind: match request.kind {
                0 => None,
                kind => Some(kind_from("kind", kind)?),
            },
            lane,
            since: request.start_time.as_ref().map(|time| time_from("start_time", time)).transpose()?,
            until: request.end_time.as_ref().map(|time| time_from("end_time", time)).transpose()?,
        };
        let (limit, after) = (page::size(request.page_size)?, place_of(&request.page_token)?);
        let found = self.hub.conversions(filter, limit, after).await?;
        let (conversions, next_page_token) = page::told(&found, |conversion| *conversion.id.as_bytes());
        Ok(v1::ListConversionsResponse { conversions, next_page_token })
    }

    async fn story(&self, request: v1::GetConversionRequest) -> Result<v1::ConversionStory> {
        let (story, click) = self.hub.story(request.conversion_id.parse()?).await?;
        Ok(v1::ConversionStory { click: click.as_ref().map(Into::into), ..(&story).into() })
    }
}

fn refusal(error: Error) -> v1::Refusal {
    v1::Refusal {
        code: code(error.kind()).into(),
        reason: error.reason().to_owned(),
        field: error.field().unwrap_or_default().to_owned(),
        message: error.to_string(),
    }
}

/// Requests of one source keep their order; others run beside each other.
struct Stripes(Vec<Arc<Mutex<()>>>);

impl Stripes {
    fn new() -> Self {
        Self((0..AT_ONCE).map(|_| Arc::default()).collect())
    }

    fn of(&self, request: &v1::RecordConversionRequest) -> Arc<Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        prost::Message::encode_to_vec(&request.source.clone().unwrap_or_default()).hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % AT_ONCE as u64).unwrap_or_default();
        self.0[stripe].clone()
    }
}

#[tonic::async_trait]
impl v1::conversion_service_server::ConversionService for Api {
    async fn record_conversion(
        &self,
        request: Request<v1::RecordConversionRequest>,
    ) -> Result<Response<v1::RecordConversionResponse>, Status> {
        self.record(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type RecordConversionsStream = Results<v1::RecordConversionsResponse>;

    async fn record_conversions(
        &self,
        requests: Request<Streaming<v1::RecordConversionRequest>>,
    ) -> Result<Response<Self::RecordConversionsStream>, Status> {
        let (api, stripes, span) = (self.clone(), Arc::new(Stripes::new()), Span::current());
        let requests = ending::until(self.shutdown.clone(), requests.into_inner());
        let in_turn = requests.enumerate().then(move |(index, request)| {
            let stripes = stripes.clone();
            async move {
                let turn = match &request {
                    Ok(request) => Some(stripes.of(request).lock_owned().await),
                    Err(_) => None,
                };
                (index, request, turn)
            }
        });
        let answers = in_turn.map(move |(index, request, turn)| {
            let api = api.clone();
            let answer = async move {
                use v1::record_conversions_response::Result as Answer;
                let result = match api.record(request?).await {
                    Ok(recorded) => Answer::Recorded(recorded),
                    Err(error) => Answer::Refusal(refusal(error)),
                };
                drop(turn);
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                Ok(v1::RecordConversionsResponse { index, result: Some(result) })
            };
            answer.instrument(span.clone())
        });
        Ok(Response::new(Box::pin(answers.buffered(AT_ONCE))))
    }

    async fn change_conversion_status(
        &self,
        request: Request<v1::ChangeConversionStatusRequest>,
    ) -> Result<Response<v1::ChangeConversionStatusResponse>, Status> {
        self.change(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn get_conversion(
        &self,
        request: Request<v1::GetConversionRequest>,
    ) -> Result<Response<v1::ConversionStory>, Status> {
        self.story(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn list_conversions(
        &self,
        request: Request<v1::ListConversionsRequest>,
    ) -> Result<Response<v1::ListConversionsResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
