//! `postback demo`: the networks, the hub, visitors and conversions in one process, over real sockets.

mod account;
mod landing;
mod report;
mod visitor;

use std::{
    io::Write,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use postback_hub::SystemClock;
use postback_proto::v1::{GetStatsRequest, delivery_service_client::DeliveryServiceClient};
use postback_sandbox::{Network, Sandbox, Seed};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, LogFormat},
    keygen, logs,
    serve::{House, Listeners, Running, asked_to_stop, block_on},
};

/// What the demo does.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Stops when everything is delivered; exit code 0 only if every conversion is accounted for on both sides.
    #[arg(long)]
    once: bool,
    /// Prints one JSON object instead of the table.
    #[arg(long, requires = "once")]
    json: bool,
    /// How many conversions, over the three networks.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    conversions: u32,
}

/// How long the deliveries may take once all conversions are reported, beside a second per 500 of them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo. Returns whether every conversion is accounted for on both sides.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> anyhow::Result<bool> {
    logs::start(LogFormat::Auto, "warn")?;
    block_on(show(options, out))?
}

/// The addresses of everything that the demo serves.
struct Places {
    edge: String,
    api: String,
    console: String,
    sandbox: String,
    landing: String,
}

async fn show(options: &Options, out: &mut impl Write) -> anyhow::Result<bool> {
    let (stop, asked) = (CancellationToken::new(), asked_to_stop()?);
    let folder = tempfile::tempdir().context("no folder for the demo's store")?;
    let sandbox = Sandbox::new(Seed::documented())?;
    let (sandbox_at, listener) = listen(9100, options.once).await?;
    let served = tokio::spawn({
        let (sandbox, stop) = (sandbox.clone(), stop.clone());
        async move { sandbox.serve(listener, stop.cancelled()).await }
    });
    let (landing_at, listener) = listen(9101, options.once).await?;
    let landed = tokio::spawn(landing::serve(listener, stop.clone()));

    let config = account::config(folder.path(), &keygen::key(1)?, &sandbox_at, &landing_at)?;
    let house = House::build(&config, Arc::new(SystemClock)).await?;
    let (edge, edge_listener) = listen(8080, options.once).await?;
    let (api, api_listener) = listen(50_051, options.once).await?;
    let (console, console_listener) = listen(9090, options.once).await?;
    let console_listener = Some((console_listener, postback_console::metrics()?));
    let listeners =
        Listeners { edge: Some(edge_listener), api: Some(api_listener), console: console_listener };
    let running = Running::start(&house, &config, listeners, true)?;
    let places = Places { edge, api, console, sandbox: sandbox_at, landing: landing_at };

    let began = Instant::now();
    let mut asked = pin!(asked);
    let shown = tokio::select! {
        shown = tell(options, &sandbox, &places) => shown,
        () = &mut asked => Err(anyhow!("stopped before every conversion was accounted for")),
    };
    if let Ok(shown) = &shown {
        shown.print(options.json, began.elapsed(), out)?;
    }
    if !options.once && shown.is_ok() {
        places.invite(out)?;
        running.until(asked).await?;
    } else {
        running.until(std::future::ready(())).await?;
    }
    stop.cancel();
    served.await??;
    landed.await??;
    Ok(shown?.accounted())
}

/// Listens where an operator would look, or on a free port where that is taken or nobody will look.
async fn listen(usual: u16, anywhere: bool) -> anyhow::Result<(String, TcpListener)> {
    let usual = if anywhere { 0 } else { usual };
    let listener = match TcpListener::bind(("127.0.0.1", usual)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.context("no free port on 127.0.0.1")?,
    };
    Ok((format!("http://{}", listener.local_addr()?), listener))
}

/// Sends the visitors, reports their conversions, waits for the deliveries and reads both sides' counts.
async fn tell(options: &Options, sandbox: &Sandbox, places: &Places) -> anyhow::Result<report::Report> {
    let mut rows = Vec::new();
    let share = options.conversions / 3;
    let shares = [share + options.conversions % 3, share, share];
    for (network, share) in Network::ALL.into_iter().zip(shares) {
        let clicks = account::issue(sandbox, network, share)?;
        let tokens = visitor::visit_all(places, network, &clicks).await?;
        ensure!(
            tokens.len() == clicks.len(),
            "{network}: only {} of {} visitors landed",
            tokens.len(),
            clicks.len()
        );
        let conversions = visitor::report_all(&places.api, network, tokens).await?;
        rows.push(report::Row::of(network, clicks.len() as u64, conversions));
    }
    settle(&places.api, &mut rows, PATIENCE + Duration::from_millis(u64::from(options.conversions) * 2))
        .await?;
    for row in &mut rows {
        row.received = account::received(sandbox, row.network);
    }
    Ok(report::Report { rows })
}

/// Waits until nothing is pending, or for as long as `patience`; fills in what the hub says.
async fn settle(api: &str, rows: &mut [report::Row], patience: Duration) -> anyhow::Result<()> {
    let mut deliveries = DeliveryServiceClient::connect(api.to_owned()).await?;
    let began = Instant::now();
    loop {
        let stats = deliveries.get_stats(GetStatsRequest::default()).await?.into_inner();
        for row in rows.iter_mut() {
            let account = stats.accounts.iter().find(|account| account.account == row.network.as_str());
            row.take(account.context("an account without stats")?);
        }
        if rows.iter().all(|row| row.pending == 0) || began.elapsed() > patience {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Places {
    fn invite(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { edge, api, console, sandbox, landing } = self;
        writeln!(out, "\nStill serving; stop it with Ctrl-C.")?;
        writeln!(out, "  networks   {sandbox}/  (their documents' examples work here)")?;
        writeln!(out, "  edge       {edge}/c/powerspace")?;
        writeln!(out, "  gRPC       {api}  (reflection is on)")?;
        writeln!(out, "  console    {console}/")?;
        writeln!(out, "  landing    {landing}/")?;
        writeln!(out, "\nTry:")?;
        writeln!(out, "  curl -i '{edge}/c/powerspace?clickId=abc123xyz789&utm_source=powerspace'")?;
        writeln!(out, "  curl -i '{edge}/c/trafficstars?click_id=c86b8a88b91228911e723b93c65a5900bb49bc99'")?;
        let program = std::env::args_os().next().unwrap_or_else(|| "postback".into());
        writeln!(
            out,
            "  {} send --api {api} --account powerspace --click-id abc123xyz789 --kind order --value 89.99 \
             --currency USD --transaction-id A-1001",
            program.display()
        )?;
        writeln!(out, "  curl '{sandbox}/ld?qci=abc123xyz789'")?;
        writeln!(out, "  curl '{sandbox}/sandbox/stats'")?;
        writeln!(out, "  curl '{console}/readyz'")?;
        Ok(out.flush()?)
    }
}

/// The config that the demo runs on; a wrong one is a defect, told in full.
fn checked(text: &str) -> anyhow::Result<Config> {
    Config::read(text, std::iter::empty()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the demo's own config is wrong: {}", problems.join("; "))
    })
}
