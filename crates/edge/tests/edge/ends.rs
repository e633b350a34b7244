//! How connections end: by their timers, at their bounds, and in a shutdown.

use std::time::Duration;

use tokio::time::Instant;

use crate::doubles::Edge;

const PLAIN: &str = "GET /c/promo?click_id=plain HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_slow_head_is_answered_with_408_and_closed() {
    let edge = Edge::limited(|limits| limits.head_timeout = SHORT).await;
    let mut visitors = Vec::new();
    for length in 1..PLAIN.len() {
        let mut visitor = edge.visitor().await;
        visitor.say(&PLAIN[..length]).await;
        visitors.push(visitor);
    }
    for mut visitor in visitors {
        let answer = visitor.hear().await;
        assert_eq!((answer.status, answer.body.as_str()), (408, "the request took too long\n"));
        visitor.hear_the_end().await;
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let edge = Edge::limited(|limits| limits.head_timeout = SHORT).await;
    edge.visitor().await.hear_the_end().await;
}

#[tokio::test]
async fn a_connection_that_rests_too_long_is_closed() {
    let edge = Edge::limited(|limits| limits.idle_timeout = SHORT).await;
    let mut visitor = edge.visitor().await;
    for _ in 0..2 {
        visitor.say(PLAIN).await;
        assert_eq!(visitor.hear().await.status, 302);
    }
    visitor.hear_the_end().await;
}

#[tokio::test]
async fn a_visit_that_waits_for_the_store_outlives_the_idle_timer() {
    let edge = Edge::limited(|limits| {
        limits.idle_timeout = SHORT;
        limits.head_timeout = SHORT;
    })
    .await;
    edge.clicks.open(false);
    let mut visitor = edge.visitor().await;
    visitor.say(PLAIN).await;
    edge.clicks.asked.notified().await;
    // A connection that came later and is closed by its timer shows that the time has passed.
    edge.visitor().await.hear_the_end().await;
    edge.clicks.open(true);
    assert_eq!(visitor.hear().await.status, 302);
}

#[tokio::test]
async fn past_the_bound_of_connections_a_visitor_waits_until_another_leaves() {
    let edge = Edge::limited(|limits| limits.connections = 2).await;
    edge.clicks.open(false);
    let (mut one, mut two, mut three) = (edge.visitor().await, edge.visitor().await, edge.visitor().await);
    for (visitor, id) in [(&mut one, "1"), (&mut two, "2")] {
        visitor.say(PLAIN.replace("plain", id)).await;
        edge.clicks.asked.notified().await;
    }
    three.say(PLAIN.replace("plain", "3")).await;
    edge.clicks.open(true);
    assert_eq!(one.hear().await.status, 302);
    assert_eq!(two.hear().await.status, 302);
    let kept =
        |edge: &Edge| edge.clicks.kept().iter().map(|click| click.click.id.to_string()).collect::<Vec<_>>();
    let mut ids = kept(&edge);
    ids.sort();
    assert_eq!(ids, ["1", "2"]);
    drop(one);
    assert_eq!(three.hear().await.status, 302);
    assert_eq!(kept(&edge).len(), 3);
}

#[tokio::test]
async fn where_places_are_few_no_visitor_keeps_one_after_the_answer() {
    let edge = Edge::limited(|limits| limits.connections = 4).await;
    let mut visitors = [(); 4].map(|()| None);
    for visitor in &mut visitors {
        visitor.insert(edge.visitor().await).say(PLAIN).await;
    }
    for visitor in visitors.iter_mut().flatten() {
        assert_eq!(visitor.hear().await.status, 302);
    }
    let mut fifth = edge.visitor().await;
    fifth.say(PLAIN).await;
    let answer = fifth.hear().await;
    assert_eq!((answer.status, answer.header("connection")), (302, Some("close")));
    fifth.hear_the_end().await;
}

#[tokio::test]
async fn a_shutdown_answers_what_is_under_way_and_closes_what_rests() {
    let edge = Edge::start().await;
    let (mut resting, mut busy) = (edge.visitor().await, edge.visitor().await);
    resting.say(PLAIN).await;
    assert_eq!(resting.hear().await.status, 302);
    edge.clicks.asked.notified().await;
    edge.clicks.open(false);
    busy.say(PLAIN.replace("plain", "busy")).await;
    edge.clicks.asked.notified().await;

    edge.shutdown.cancel();
    resting.hear_the_end().await;
    assert!(!edge.serving.is_finished());
    edge.clicks.open(true);
    let answer = busy.hear().await;
    assert_eq!((answer.status, answer.header("connection")), (302, Some("close")));
    busy.hear_the_end().await;
    edge.serving.await.unwrap().unwrap();
    assert_eq!(edge.clicks.kept().len(), 2);
}

#[tokio::test]
async fn a_request_on_its_way_when_the_shutdown_begins_is_answered() {
    let edge = Edge::start().await;
    let (mut used, mut fresh) = (edge.visitor().await, edge.visitor().await);
    used.say(PLAIN).await;
    assert_eq!(used.hear().await.status, 302);
    edge.shutdown.cancel();
    for visitor in [&mut used, &mut fresh] {
        visitor.say(PLAIN).await;
        let answer = visitor.hear().await;
        assert_eq!((answer.status, answer.header("connection")), (302, Some("close")));
        visitor.hear_the_end().await;
    }
    edge.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_without_connections_is_done_at_once_and_the_port_is_free() {
    let edge = Edge::start().await;
    assert_eq!(edge.answer(PLAIN).await.status, 302);
    edge.shutdown.cancel();
    edge.serving.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(edge.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_waits_no_longer_than_it_may() {
    let edge = Edge::limited(|limits| limits.drain = Duration::from_millis(400)).await;
    edge.clicks.open(false);
    let mut stuck = edge.visitor().await;
    stuck.say(PLAIN).await;
    edge.clicks.asked.notified().await;
    let began = Instant::now();
    edge.shutdown.cancel();
    edge.serving.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    stuck.hear_the_end().await;
}
