//! The gRPC services of `proto/` over the hub: what internal services and operators speak.
//!
//! Health and reflection are served beside them. Every refusal carries `google.rpc` details: `ErrorInfo` with a
//! stable reason, `BadRequest` with the field, `RetryInfo` where another try makes sense. Where [`Access`] names
//! callers, every method but health wants one of them, with the method's scope.

mod access;
mod actor;
mod click;
mod connection;
mod conversion;
mod delivery;
mod ending;
mod logbook;
mod methods;
mod network;
mod observe;
mod page;
mod source;
mod status;

use std::{io, pin::pin, time::Duration};

use postback_access::{Access, Tls};
use postback_hub::Hub;
use postback_proto::{
    MESSAGE,
    v1::{
        click_service_server::{self, ClickServiceServer},
        conversion_service_server::{self, ConversionServiceServer},
        delivery_service_server::{self, DeliveryServiceServer},
        logbook_service_server::{self, LogbookServiceServer},
        network_service_server::{self, NetworkServiceServer},
    },
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};

/// The services whose health is told beside the server's own.
const SERVICES: [&str; 5] = [
    click_service_server::SERVICE_NAME,
    conversion_service_server::SERVICE_NAME,
    delivery_service_server::SERVICE_NAME,
    logbook_service_server::SERVICE_NAME,
    network_service_server::SERVICE_NAME,
];
/// The most calls under way on one connection; further ones wait.
const STREAMS: u32 = 256;
/// How many bytes of one call may wait to be read. A connection has room for as many of each of its calls: what waits
/// holds up none beside it, and h2, which ends a connection whose unread small frames cost half of its window, lets
/// dozens of streams of small requests wait.
const WINDOW: u32 = 32 * 1024;

/// What the server is allowed, and whom it lets in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest time to finish what is under way when shutting down.
    pub drain: Duration,
    /// Connections at once; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// How long a TLS handshake may take, and a new connection until its first words.
    pub handshake: Duration,
    /// Who may call which methods.
    pub access: Access,
    /// The TLS under which callers come; in the clear where there is none.
    pub tls: Option<Tls>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(10),
            connections: 1_000,
            handshake: Duration::from_secs(5),
            access: Access::open(),
            tls: None,
        }
    }
}

/// The services over one hub; each is a view of it.
#[derive(Clone)]
struct Api {
    hub: Hub,
    shutdown: CancellationToken,
}

/// Serves until `shutdown`, then says NOT_SERVING, ends open streams with UNAVAILABLE, answers what is under way or in
/// the kernel's backlog and returns. What is not answered by the end of [`Settings::drain`] is cut.
///
/// # Errors
/// Where the listener fails or the reflection service cannot be built.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    settings: Settings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    observe::describe();
    let health = HealthReporter::new();
    let watched = ending::Watched(HealthService::from_health_reporter(health.clone()));
    let current = reflection().build_v1().map_err(io::Error::other)?;
    // Many clients, Python's among them, still ask by the older name.
    let older = reflection().build_v1alpha().map_err(io::Error::other)?;
    let api = Api { hub, shutdown: shutdown.clone() };
    let clicks = ClickServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE);
    let conversions = ConversionServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE);
    let deliveries = DeliveryServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE);
    let logbook = LogbookServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE);
    let networks = NetworkServiceServer::new(api).max_decoding_message_size(MESSAGE);
    for service in SERVICES {
        health.set_service_status(service, ServingStatus::Serving).await;
    }

    let drain = shutdown.clone();
    let stop = async move {
        drain.cancelled().await;
        for service in [""].into_iter().chain(SERVICES) {
            health.set_service_status(service, ServingStatus::NotServing).await;
        }
    };
    let cut = CancellationToken::new();
    let server = Server::builder()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(STREAMS * WINDOW)
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .http2_max_header_list_size(16 * 1024)
        .layer(observe::layer())
        .layer(access::layer(settings.access.clone()))
        .add_service(HealthServer::new(watched))
        .add_service(current)
        .add_service(older)
        .add_service(clicks)
        .add_service(conversions)
        .add_service(deliveries)
        .add_service(logbook)
        .add_service(networks)
        // The end of its connections drains the server, where there is a signal at all.
        .serve_with_incoming_shutdown(
            connection::incoming(listener, &settings, stop, cut.clone()),
            std::future::pending(),
        );
    let mut server = pin!(server);
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(settings.drain).await;
    };
    tokio::select! {
        served = &mut server => return served.map_err(io::Error::other),
        () = late => tracing::warn!("calls that are still under way after the drain are cut"),
    }
    cut.cancel();
    server.await.map_err(io::Error::other)
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(postback_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
