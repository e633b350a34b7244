//! The way to a hub's gRPC: where it is, what is shown to it, how long it may take.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use jiff::SignedDuration;
use postback_proto::v1::{
    click_service_client::ClickServiceClient, conversion_service_client::ConversionServiceClient,
    delivery_service_client::DeliveryServiceClient, logbook_service_client::LogbookServiceClient,
};
use secrecy::{ExposeSecret, SecretString};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use url::{Host, Url};

use super::failure::{Failure, chain};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a connection is asked whether it still lives.
const ALIVE: Duration = Duration::from_secs(30);
/// The largest answer that is taken: a page of deliveries with all their attempts.
const ANSWER: usize = 64 * 1024 * 1024;

/// Where the hub is, and what is shown to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Where the hub's gRPC answers.
    #[arg(long, env = "POSTBACK_API", value_name = "URL", default_value = "http://127.0.0.1:50051")]
    api: String,
    /// The token to show. Others on this machine can see it here; better a file or the variable.
    #[arg(long, env = "POSTBACK_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = secret)]
    token: Option<SecretString>,
    /// A file that holds the token to show, in place of --token.
    #[arg(long, env = "POSTBACK_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authorities whose certificates the hub may show, in PEM; by default those that browsers believe.
    #[arg(long, env = "POSTBACK_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A client certificate to show, in PEM.
    #[arg(long, env = "POSTBACK_CERTIFICATE", value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The client certificate's private key, in PEM.
    #[arg(long, env = "POSTBACK_CERTIFICATE_KEY", value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// How long one call may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) timeout: Duration,
}

fn secret(text: &str) -> Result<SecretString, String> {
    Ok(text.into())
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    duration.filter(|time| !time.is_zero()).ok_or_else(|| "is not a time such as 30s or 2m".to_owned())
}

/// A channel whose calls carry a token, where there is one.
type Signed = InterceptedService<Channel, Credentials>;

/// What each call carries.
#[derive(Clone)]
pub(crate) struct Credentials(Option<MetadataValue<Ascii>>);

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// The hub's services.
pub(crate) struct Api {
    pub(super) clicks: ClickServiceClient<Signed>,
    pub(super) conversions: ConversionServiceClient<Signed>,
    pub(super) deliveries: DeliveryServiceClient<Signed>,
    pub(super) logbook: LogbookServiceClient<Signed>,
}

impl Connection {
    /// Where the hub is.
    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// Whether a token would leave this machine in the clear.
    pub(super) fn tells_the_token(&self) -> bool {
        let here = |url: &Url| match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => true,
        };
        let shown = self.token.is_some() || self.token_file.is_some();
        shown && Url::parse(&self.api).is_ok_and(|url| url.scheme() == "http" && !here(&url))
    }

    /// Connects.
    pub(super) async fn open(&self) -> Result<Api, Failure> {
        let credentials = self.credentials()?;
        let wrong =
            |_| Failure::usage(format!("--api: `{}` is not a URL such as http://127.0.0.1:50051", self.api));
        let endpoint = Endpoint::from_shared(self.api.clone()).map_err(wrong)?;
        if endpoint.uri().host().is_none() {
            return Err(Failure::usage(format!(
                "--api: `{}` is not a URL such as http://127.0.0.1:50051",
                self.api
            )));
        }
        let mut endpoint = endpoint
            .connect_timeout(CONNECT)
            .timeout(self.timeout)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_while_idle(true);
        if endpoint.uri().scheme_str() == Some("https") {
            let wrong = |error| Failure::usage(format!("--ca, --certificate or --key: {}", chain(&error)));
            endpoint = endpoint.tls_config(self.tls()?).map_err(wrong)?;
        } else if self.ca.is_some() || self.certificate.is_some() {
            return Err(Failure::usage("--api: is http; want https with --ca and --certificate"));
        }
        let channel = endpoint.connect().await.map_err(|error| Failure::away(&error))?;
        let signed = InterceptedService::new(channel, credentials);
        Ok(Api {
            clicks: ClickServiceClient::new(signed.clone()).max_decoding_message_size(ANSWER),
            conversions: ConversionServiceClient::new(signed.clone()).max_decoding_message_size(ANSWER),
            deliveries: DeliveryServiceClient::new(signed.clone()).max_decoding_message_size(ANSWER),
            logbook: LogbookServiceClient::new(signed).max_decoding_message_size(ANSWER),
        })
    }

    fn credentials(&self) -> Result<Credentials, Failure> {
        let token = match (&self.token_file, &self.token) {
            (Some(file), _) => Some(SecretString::from(read("--token-file", file)?)),
            (None, token) => token.clone(),
        };
        let Some(token) = token else { return Ok(Credentials(None)) };
        let mut bearer: MetadataValue<Ascii> =
            format!("Bearer {}", token.expose_secret().trim()).parse().map_err(|_| {
                Failure::usage("--token: holds what no token holds; want what `postback token` printed")
            })?;
        bearer.set_sensitive(true);
        Ok(Credentials(Some(bearer)))
    }

    fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let tls = match &self.ca {
            Some(file) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("--ca", file)?)),
            None => ClientTlsConfig::new().with_webpki_roots(),
        };
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(tls) };
        Ok(tls.identity(Identity::from_pem(read("--certificate", certificate)?, read("--key", key)?)))
    }
}

fn read(flag: &str, file: &PathBuf) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{flag}: `{}` cannot be read: {error}", file.display())))
}
