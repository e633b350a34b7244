//! Takes over changed accounts and campaigns without dropping a request.

use std::{path::PathBuf, time::Duration};

use postback_hub::Hub;
use tokio::{
    fs,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::config::{Config, Problem};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Watches the config for as long as it is polled: SIGHUP or a changed file reloads it. A bad one changes nothing.
pub(crate) async fn watch(file: PathBuf, hub: Hub) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be waited for; the config is read at start alone");
        return;
    };
    let mut look = interval(EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = fs::read(&file).await.ok();
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            _ = look.tick() => false,
        };
        let now = fs::read(&file).await.ok();
        if asked || now != seen {
            reload(&file, &hub);
        }
        seen = now;
    }
}

fn reload(file: &std::path::Path, hub: &Hub) {
    let registry = Config::load(Some(file))
        .map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))
        .and_then(|config| config.registry().map_err(|error| error.to_string()));
    match registry {
        Ok(registry) => {
            hub.replace(registry);
            tracing::info!(file = %file.display(), "accounts and campaigns are reloaded");
        }
        Err(problems) => {
            tracing::error!(file = %file.display(), problems, "the config is wrong; what held before holds on");
        }
    }
}
