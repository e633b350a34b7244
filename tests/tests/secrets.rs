//! Canaries: secrets and personal data that must be in no log, error, metric or stored record.

use std::{
    fs,
    io::Write,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use postback_access::TokenHash;
use postback_core::{Key, ports::ConversionFilter};
use postback_proto::v1::{Customer, GetConversionRequest};
use postback_sandbox::{FaultKind, Network};
use postback_tests::{Caller, Engine, House, lead, order, token};
use tonic::transport::Channel;
use tracing_subscriber::fmt::MakeWriter;

/// A caller's token, and one that nobody has.
const TOKEN: &str = "pbt_canarycanarycanarycanarycanarycanarycanary1";
const WRONG: &str = "pbt_cuckoocuckoocuckoocuckoocuckoocuckoocuckoo1";

/// The keys and tokens of the test's accounts and callers, and the deployment's key, in every form in which they are written.
fn secrets() -> Vec<String> {
    let key = Key::new(1, [7; 32]).reveal();
    let sealed = key.split_once(':').expect("a number and a secret").1.to_owned();
    let accounts = ["123456789012345678901234567890abcdef", "123-abcde"];
    accounts.into_iter().chain([TOKEN, WRONG]).map(str::to_owned).chain([sealed]).collect()
}

/// A customer whom nobody else is called.
const CUSTOMER: [&str; 3] = ["Canary Nightingale", "+33699887766", "canary@nightingale.example"];

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the store's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
        } else {
            all.extend(fs::read(&path).expect("a file of the store"));
        }
    }
    all
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_error_metric_or_stored_record_holds_a_secret() {
    let lines = Lines::default();
    let log =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(lines.clone());
    log.init();
    let metrics = postback_tests::recorder();
    let access = format!(
        "[access.tokens.all]\nscopes = [\"report\", \"read\", \"operate\"]\nsha256 = [\"{}\"]",
        TokenHash::of(TOKEN)
    );
    let mut house = House::with(Engine::Embedded, &access).await;
    let channel = Channel::from_shared(house.api.clone()).expect("a URI").connect_lazy();
    let wrong = Caller::over(channel.clone(), Some(WRONG)).record(token("x"), lead()).await;
    let said = format!("{wrong:?}");
    assert!(said.contains("is not known") && !said.contains(WRONG), "{said}");
    house.caller = Caller::over(channel, Some(TOKEN));

    // Every way that a call can end, on the networks that have secrets.
    let faults = [
        None,
        Some(FaultKind::Status { code: 503, retry_after: None }),
        Some(FaultKind::Garbage),
        Some(FaultKind::DropBefore),
        Some(FaultKind::DropAfter),
        Some(FaultKind::Redirect("https://elsewhere.example/".into())),
    ];
    let mut ids = Vec::new();
    for fault in faults {
        for network in [Network::Trafficstars, Network::Altercpa] {
            if let Some(kind) = fault.clone() {
                house.inject(network, kind, 1);
            }
        }
        let (ts, ac) = (house.issue(Network::Trafficstars), house.issue(Network::Altercpa));
        let ts = house.land("trafficstars", &format!("tracking_param={ts}")).await;
        let ac = house.land("altercpa", &format!("click={ac}")).await;
        let customer = Customer {
            name: CUSTOMER[0].into(),
            phone: CUSTOMER[1].into(),
            email: CUSTOMER[2].into(),
            country: "FR".into(),
        };
        let mut details = lead();
        details.customer = Some(customer);
        ids.push(house.caller.record(token(&ac), details.clone()).await.expect("a lead").conversion_id);
        house.caller.record(token(&ts), order("5")).await.expect("an order");
        let refused = house.caller.record(token(&ts), details).await;
        let said = format!("{refused:?}");
        assert!(CUSTOMER.iter().all(|canary| !said.contains(canary)), "{said}");
    }
    let calls = house.sandbox.calls();
    house.pass_until(jiff::SignedDuration::from_hours(1), || *calls.borrow() >= 20).await;
    house.quiet("altercpa").await;
    house.quiet("trafficstars").await;
    let mut stories = String::new();
    for id in ids {
        let request = GetConversionRequest { conversion_id: id };
        let story = house.caller.conversions.clone().get_conversion(request).await.expect("a story");
        stories.push_str(&format!("{story:?}"));
    }
    let page = house.hub.conversions(ConversionFilter::default(), 100, None).await.expect("a list");
    let folder = house.folder().to_owned();
    let rendered = metrics.render();
    let kept = bytes_of(&folder);
    house.end().await;

    let log = lines.text();
    assert!(log.contains("altercpa") && rendered.contains("postback_"), "there is something to look through");
    assert!(
        page.items.iter().all(|conversion| conversion.details.customer.is_anonymous()),
        "erased once settled"
    );
    for canary in secrets() {
        assert!(!log.contains(&canary), "in the log: {}", around(&log, &canary));
        assert!(!rendered.contains(&canary) && !stories.contains(&canary), "in a metric or story");
        assert!(!holds(&kept, &canary), "in the store");
    }
    for canary in CUSTOMER {
        assert!(!log.contains(canary), "in the log: {}", around(&log, canary));
        assert!(!rendered.contains(canary) && !stories.contains(canary), "in a metric or story");
    }
}

fn around(text: &str, canary: &str) -> String {
    text.lines().find(|line| line.contains(canary)).unwrap_or_default().chars().take(400).collect()
}
