//! Bare tonic with the hub's own contract: what a report costs when nothing is checked or rendered.

use std::net::SocketAddr;

use clap::Args;
use postback_proto::v1::{
    ChangeConversionStatusRequest, ChangeConversionStatusResponse, ConversionStory, GetConversionRequest,
    ListConversionsRequest, ListConversionsResponse, RecordConversionRequest, RecordConversionResponse,
    RecordConversionsResponse,
    conversion_service_server::{ConversionService, ConversionServiceServer},
};
use redis::aio::MultiplexedConnection;
use tokio_stream::Empty;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

/// What is awaited before an answer.
#[derive(Debug, Args)]
pub(super) struct Script {
    /// The Redis that runs it.
    #[arg(long)]
    redis: String,
    /// How many commands it calls.
    #[arg(long)]
    commands: u32,
}

/// Does what a record is made of, so many times: fields, sorted sets, lists, look-ups.
const SCRIPT: &str = "\
local id, body, n = KEYS[1], ARGV[1], tonumber(ARGV[2])
for i = 1, n do
  local turn = i % 4
  if turn == 1 then redis.call('HSET', 'c:' .. id .. ':' .. i, 'body', body)
  elseif turn == 2 then redis.call('ZADD', 'all', 0, id)
  elseif turn == 3 then redis.call('RPUSH', 'l:' .. id, i)
  else redis.call('HGET', 'c:' .. id, 'body') end
end
return {'new', id}";

pub(super) async fn serve(listen: SocketAddr, script: Option<Script>) -> anyhow::Result<()> {
    let work = match script {
        None => None,
        Some(Script { redis, commands }) => {
            let client = redis::Client::open(redis)?;
            let connection = client.get_multiplexed_async_connection().await?;
            Some(Work { connection, script: redis::Script::new(SCRIPT), commands })
        }
    };
    let incoming = TcpIncoming::bind(listen)?.with_nodelay(Some(true));
    let service = ConversionServiceServer::new(Echo { work });
    Ok(Server::builder().add_service(service).serve_with_incoming(incoming).await?)
}

struct Work {
    connection: MultiplexedConnection,
    script: redis::Script,
    commands: u32,
}

struct Echo {
    work: Option<Work>,
}

#[tonic::async_trait]
impl ConversionService for Echo {
    type RecordConversionsStream = Empty<Result<RecordConversionsResponse, Status>>;

    async fn record_conversion(
        &self,
        request: Request<RecordConversionRequest>,
    ) -> Result<Response<RecordConversionResponse>, Status> {
        let request = request.into_inner();
        let id = request.details.map(|details| details.transaction_id).unwrap_or_default();
        if let Some(Work { connection, script, commands }) = &self.work {
            let mut run = script.key(&id);
            // About as long as a conversion's record.
            run.arg(format!("{id:-<150}")).arg(*commands);
            let said: Result<(String, String), _> = run.invoke_async(&mut connection.clone()).await;
            said.map_err(|error| Status::unavailable(error.to_string()))?;
        }
        Ok(Response::new(RecordConversionResponse {
            conversion_id: "01a1fdcc-8046-755c-b59d-500142c5b1b7".to_owned(),
            delivery_id: "01a1fdcc-8046-755c-b59d-5002fe3938b7".to_owned(),
            call: format!("GET https://network.example/postback?order={id}&value=49.90&currency=USD"),
            ..RecordConversionResponse::default()
        }))
    }

    async fn record_conversions(
        &self,
        _: Request<Streaming<RecordConversionRequest>>,
    ) -> Result<Response<Self::RecordConversionsStream>, Status> {
        Err(not_here())
    }

    async fn change_conversion_status(
        &self,
        _: Request<ChangeConversionStatusRequest>,
    ) -> Result<Response<ChangeConversionStatusResponse>, Status> {
        Err(not_here())
    }

    async fn get_conversion(
        &self,
        _: Request<GetConversionRequest>,
    ) -> Result<Response<ConversionStory>, Status> {
        Err(not_here())
    }

    async fn list_conversions(
        &self,
        _: Request<ListConversionsRequest>,
    ) -> Result<Response<ListConversionsResponse>, Status> {
        Err(not_here())
    }
}

fn not_here() -> Status {
    Status::unimplemented("a peer takes single reports alone")
}
