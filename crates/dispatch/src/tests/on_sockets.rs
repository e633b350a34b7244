//! Whole deliveries over real sockets: what was sent, what was not, and what nobody knows.

use std::{sync::Arc, time::Duration};

use postback_core::{DeliveryState, Outcome, Repeat};
use tokio::sync::Notify;

use super::{
    adapter::{CANARY, HOLD, RESEND, keyed},
    log::Log,
    rig::{MAIN, Rig, account},
    server::{Act, Server, says},
};
use crate::{network::Network, stack::Leaf};

fn rig(server: &Server, repeat: Repeat, timeout: Duration) -> Rig {
    Rig::new([account(MAIN, &server.base(), repeat)])
        .with_timeout(timeout)
        .leads(MAIN, ["c"])
        .run(Leaf::new(Network::new(timeout).unwrap()))
}

const TIMEOUT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_call_without_a_key_has_a_connection_of_its_own_and_is_marked_before_it_is_sent() {
    let server = Server::always([Act::Read, says("200 OK", "ok"), Act::Hang]).await;
    let rig = rig(&server, HOLD, TIMEOUT);
    rig.settled().await;
    rig.add(MAIN, "d");
    rig.wake.notify_one();
    rig.settled().await;
    assert_eq!(rig.outbox.delivery("d").state, DeliveryState::Delivered);
    assert_eq!(rig.outbox.state().asked["start"], 2);
    assert_eq!(server.seen(|seen| seen.connections), 2);
    server.until(|seen| seen.left == 2).await;
    let request = server.seen(|seen| seen.requests[0].clone());
    assert!(request.starts_with(&format!("GET /convert?click=c&key={CANARY} HTTP/1.1\r\n")), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
}

#[tokio::test]
async fn ps_12_a_request_after_which_the_connection_breaks_is_held_in_doubt() {
    for end in [vec![Act::Read], vec![Act::Read, Act::Reset]] {
        let server = Server::always(end).await;
        let rig = rig(&server, HOLD, TIMEOUT);
        rig.settled().await;
        let delivery = rig.outbox.delivery("c");
        assert!(
            matches!(&delivery.state, DeliveryState::InDoubt(reason) if reason.code == "connection_lost")
        );
        assert_eq!(server.seen(|seen| seen.requests.len()), 1);
    }
}

#[tokio::test]
async fn ps_12_a_request_that_is_never_answered_is_held_in_doubt() {
    let server = Server::always([Act::Read, Act::Hang]).await;
    let rig = rig(&server, HOLD, SHORT);
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    assert!(matches!(&delivery.state, DeliveryState::InDoubt(reason) if reason.code == "no_answer"));
    assert!(delivery.attempts[0].duration >= SHORT);
    server.until(|seen| seen.left == 1).await;
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_to_be_sent_again_where_that_is_safe() {
    for repeat in [keyed(), RESEND] {
        let server = Server::always([Act::Read, Act::Reset]).await;
        let delivery = rig(&server, repeat, TIMEOUT).attempted("c", 1).await;
        assert_eq!(delivery.attempts[0].outcome, Outcome::Ambiguous);
        assert_eq!(delivery.state, DeliveryState::Pending);
    }
}

#[tokio::test]
async fn under_a_lost_lease_a_connection_is_made_and_nothing_is_sent_on_it() {
    let server = Server::always([Act::Read, says("200 OK", "ok")]).await;
    let rig = Rig::new([account(MAIN, &server.base(), HOLD)]).leads(MAIN, ["c"]);
    rig.outbox.state().leases_lost = true;
    let rig = rig.run(Leaf::new(Network::new(TIMEOUT).unwrap()));
    server.until(|seen| seen.left == 1).await;
    assert_eq!(rig.outbox.state().asked["start"], 1);
    assert_eq!(server.seen(|seen| (seen.connections, seen.requests.len())), (1, 0));
}

#[tokio::test]
async fn a_connection_that_ended_before_the_mark_was_made_has_sent_nothing() {
    let server = Server::start(|number| match number {
        1 => vec![Act::Reset],
        _ => vec![Act::Read, says("200 OK", "ok")],
    })
    .await;
    let rig = rig(&server, HOLD, TIMEOUT);
    let gone = Arc::new(Notify::new());
    rig.outbox.state().start_waits = Some(gone.clone());
    server.until(|seen| seen.reset == 1).await;
    gone.notify_one();
    rig.settled().await;
    let delivery = rig.outbox.delivery("c");
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 1));
    assert_eq!(rig.outbox.state().asked["start"], 2, "marked again on the second connection");
    assert_eq!(server.seen(|seen| (seen.connections, seen.requests.len())), (2, 1));
}

#[tokio::test]
async fn a_kept_connection_that_the_network_closed_costs_no_attempt() {
    let server = Server::start(|_| vec![Act::Read, says("200 OK", "ok")]).await;
    let rig = rig(&server, keyed(), TIMEOUT);
    rig.settled().await;
    server.until(|seen| seen.left == 1).await;
    rig.add(MAIN, "d");
    rig.wake.notify_one();
    rig.settled().await;
    assert_eq!(rig.outbox.delivery("d").attempts.len(), 1);
    assert_eq!(server.seen(|seen| seen.requests.len()), 2);
}

#[tokio::test]
async fn no_secret_comes_out_of_a_real_failure() {
    let (log, _guard) = Log::catch();
    let server = Server::always([Act::Read, Act::Reset]).await;
    let rig = rig(&server, keyed(), TIMEOUT);
    let delivery = rig.attempted("c", 1).await;
    assert!(!format!("{delivery:?}").contains(CANARY));
    let ours: Vec<String> = log.saying("postback_dispatch");
    assert!(ours.iter().any(|line| line.contains("key=***")), "{}", log.text());
    assert!(!ours.concat().contains(CANARY), "{ours:#?}");
}
