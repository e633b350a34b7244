//! Takes over changed access, accounts and campaigns without dropping a request.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use postback_access::Access;
use postback_hub::Hub;
use tokio::{
    fs,
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use toml::Table;

use crate::config::{Config, Problem};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// What changes of a config from the moment at which it is read: at SIGHUP, or in its file.
pub(crate) struct Changes {
    file: PathBuf,
    hangup: Signal,
    seen: Option<Vec<u8>>,
    /// What the hub began with.
    began: Table,
    /// What is wrong with what was last read; what is wrong may lie outside the file.
    wrong: Option<String>,
}

impl Changes {
    /// Those of a config that is read after this.
    pub(crate) fn of(file: PathBuf) -> anyhow::Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be waited for")?;
        let seen = std::fs::read(&file).ok();
        let began = table(seen.as_deref());
        Ok(Self { file, hangup, seen, began, wrong: None })
    }

    /// Takes changes over for as long as it is polled. A config that is wrong changes nothing.
    pub(crate) async fn take_over(mut self, hub: Hub, access: Access) {
        let mut look = interval(EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                _ = look.tick() => false,
            };
            self.look(asked, &hub, &access).await;
        }
    }

    /// Reads the config where that is asked, where its file changed, and for as long as it is wrong.
    async fn look(&mut self, asked: bool, hub: &Hub, access: &Access) {
        let now = fs::read(&self.file).await.ok();
        let news = asked || now != self.seen;
        self.seen = now;
        if !news && self.wrong.is_none() {
            return;
        }
        let (file, wrong) = (self.file.display(), take(&self.file, hub, access).err());
        match &wrong {
            None => {
                tracing::info!(%file, "access, accounts and campaigns are reloaded");
                let sections = left(&self.began, &table(self.seen.as_deref())).join(", ");
                if !sections.is_empty() {
                    tracing::warn!(%file, sections, "these sections have changed as well, and take a restart");
                }
            }
            Some(problems) if news || wrong != self.wrong => {
                tracing::error!(%file, problems, "the config is wrong; what held before holds on");
            }
            Some(_) => {}
        }
        self.wrong = wrong;
    }
}

/// A config's sections; none where it is not to be read.
fn table(text: Option<&[u8]>) -> Table {
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The sections in which two configs differ, but for those that a reload takes over.
fn left(before: &Table, now: &Table) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let left = names.into_iter().filter(|name| !["access", "accounts", "campaigns"].contains(&name.as_str()));
    left.filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
}

fn take(file: &Path, hub: &Hub, access: &Access) -> Result<(), String> {
    let said =
        |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
    let config = Config::load(Some(file)).map_err(said)?;
    let registry = config.registry().map_err(|error| error.to_string())?;
    access.replace(config.access).map_err(|error| error.to_string())?;
    hub.replace(registry);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{process::Command, sync::Arc};

    use postback_hub::SystemClock;
    use tempfile::TempDir;
    use tokio::{sync::Mutex, time::timeout};

    use super::*;
    use crate::{keygen, serve::House};

    /// A hangup reaches the whole process: one test at a time.
    static ALONE: Mutex<()> = Mutex::const_new(());
    /// How long a config that nobody takes over is waited for.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A config that was read, and what changes of it from then on.
    async fn read(folder: &TempDir) -> (Changes, House) {
        let file = folder.path().join("postback.toml");
        let key = keygen::key(1).unwrap();
        std::fs::write(&file, format!("key.current = \"{}\"\nstore.path = \"data\"\n", key.reveal()))
            .unwrap();
        let changes = Changes::of(file).unwrap();
        let config = Config::load(Some(&changes.file)).unwrap();
        (changes, House::build(&config, Arc::new(SystemClock)).await.unwrap())
    }

    #[test]
    fn what_a_reload_leaves_is_named_by_section() {
        let table = |text: &str| super::table(Some(text.as_bytes()));
        let before = table("edge.listen = \"127.0.0.1:1\"\n[accounts.ps]\nnetwork = \"powerspace\"\n");
        assert!(left(&before, &table("# more\nedge = { listen = \"127.0.0.1:1\" }\n")).is_empty());
        assert_eq!(left(&before, &table("log.filter = \"info\"\n")), ["edge", "log"]);
    }

    #[tokio::test]
    async fn a_config_that_changes_before_the_hub_runs_is_taken_over_once_it_runs() {
        let _alone = ALONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let (changes, house) = read(&folder).await;
        let text = std::fs::read_to_string(&changes.file).unwrap();
        let account = "[accounts.ps]\nnetwork = \"powerspace\"\n";
        std::fs::write(&changes.file, text + account).unwrap();
        let mut accounts = house.hub.accounts();
        tokio::spawn(changes.take_over(house.hub.clone(), house.access.clone()));
        timeout(PATIENCE, accounts.changed()).await.expect("it is taken over").unwrap();
        assert!(house.hub.registry().account(&"ps".parse().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn a_secret_that_comes_after_the_config_is_taken_over_without_another_change() {
        let _alone = ALONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let (mut changes, house) = read(&folder).await;
        let text = std::fs::read_to_string(&changes.file).unwrap();
        let account =
            "[accounts.ts]\nnetwork = \"trafficstars\"\ncurrency = \"USD\"\nkey_file = \"ts.key\"\n";
        std::fs::write(&changes.file, text + account).unwrap();
        let known = || house.hub.registry().account(&"ts".parse().unwrap()).is_ok();
        changes.look(false, &house.hub, &house.access).await;
        assert!(!known(), "its key is not there");
        std::fs::write(folder.path().join("ts.key"), "a-key").unwrap();
        changes.look(false, &house.hub, &house.access).await;
        assert!(known());
    }

    #[tokio::test]
    async fn a_hangup_before_the_hub_runs_is_heeded_once_it_runs() {
        let _alone = ALONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let (changes, house) = read(&folder).await;
        let pid = std::process::id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        let mut accounts = house.hub.accounts();
        tokio::spawn(changes.take_over(house.hub.clone(), house.access.clone()));
        timeout(PATIENCE, accounts.changed()).await.expect("it is taken over").unwrap();
    }
}
