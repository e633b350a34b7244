//! The points at which a campaign ends the hub: the path of a conversion leads through each of them.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, Mutex},
};

use fail::FailGuard;
use postback_sandbox::Network;
use postback_tests::{Engine, House, POINTS, lead, token};

/// How often each point was passed.
type Passes = Arc<Mutex<BTreeMap<&'static str, usize>>>;

fn watch(passes: &Passes) -> Vec<FailGuard> {
    let watch = |point: &'static str| {
        let passes = Arc::clone(passes);
        let pass = move || *passes.lock().unwrap().entry(point).or_default() += 1;
        FailGuard::with_callback(point, pass).unwrap()
    };
    POINTS.into_iter().map(watch).collect()
}

/// Which points one lead passes on its way to a network, beyond what a hub at rest passes.
async fn passed(engine: Engine, network: Network, campaign: &str, parameter: &str) -> Vec<&'static str> {
    let house = House::on(engine).await;
    let click = house.issue(network);
    let landed = house.land(campaign, &format!("{parameter}={click}")).await;
    let passes = Passes::default();
    let watched = watch(&passes);
    house.caller.record(token(&landed), lead()).await.unwrap();
    assert_eq!(house.quiet(campaign).await.delivered, 1);
    house.end().await;
    drop(watched);
    let passes = std::mem::take(&mut *passes.lock().unwrap());
    POINTS.into_iter().filter(|point| passes.contains_key(point)).collect()
}

/// The points are the process's own, so this is one test.
#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_passes_every_point_but_the_mark_of_what_may_be_repeated() {
    for engine in [Engine::Embedded, Engine::Redis] {
        assert_eq!(passed(engine, Network::Powerspace, "powerspace", "clickId").await, POINTS, "{engine:?}");
        let keyed = passed(engine, Network::Trafficstars, "trafficstars", "tracking_param").await;
        let unmarked: Vec<_> = POINTS.into_iter().filter(|point| *point != "mark-started").collect();
        assert_eq!(keyed, unmarked, "{engine:?}");
    }
}

/// Who asks for which features of the crate behind the points, when a package is built.
fn asked_by(package: &str) -> String {
    let arguments = ["tree", "--offline", "--edges", "features", "--invert", "fail", "--package", package];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn only_what_is_built_with_the_tests_can_be_ended_at_a_point() {
    assert!(asked_by("postback-tests").contains("failpoints"));
    let program = asked_by("postback");
    assert!(program.contains("postback-dispatch") && !program.contains("failpoints"), "{program}");
}
