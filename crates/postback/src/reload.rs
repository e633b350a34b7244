//! Takes over changed access, accounts and campaigns without dropping a request.

use std::{path::PathBuf, time::Duration};

use postback_access::Access;
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
pub(crate) async fn watch(file: PathBuf, hub: Hub, access: Access) {
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
            reload(&file, &hub, &access);
        }
        seen = now;
    }
}

fn reload(file: &std::path::Path, hub: &Hub, access: &Access) {
    match take(file, hub, access) {
        Ok(()) => tracing::info!(file = %file.display(), "access, accounts and campaigns are reloaded"),
        Err(problems) => {
            tracing::error!(file = %file.display(), problems, "the config is wrong; what held before holds on");
        }
    }
}

fn take(file: &std::path::Path, hub: &Hub, access: &Access) -> Result<(), String> {
    let said =
        |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
    let config = Config::load(Some(file)).map_err(said)?;
    let registry = config.registry().map_err(|error| error.to_string())?;
    access.replace(config.access).map_err(|error| error.to_string())?;
    hub.replace(registry);
    Ok(())
}
