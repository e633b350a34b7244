//! Checks of the latest clicks.

use postback_core::{
    CLICK_LIFE, ClickRef,
    ports::{Clock as _, LATEST_MOST},
};

use super::{Bench, SECOND, near, spring};

async fn ids(bench: &Bench) -> Vec<String> {
    let page = bench.logbook.latest(&spring(), 2_000, None).await.unwrap();
    page.items.into_iter().map(|click| click.id.to_string()).collect()
}

pub async fn clicks_are_listed_page_by_page_the_latest_first(bench: &Bench) {
    let now = bench.clock.now();
    let clicks: Vec<ClickRef> =
        (0..7).map(|number| bench.click_at(&format!("c/{number} é"), now - SECOND * number)).collect();
    bench.logbook.glimpse(&spring(), &clicks[4..]).await.unwrap();
    bench.logbook.glimpse(&spring(), &clicks[..4]).await.unwrap();
    bench.logbook.glimpse(&"other".parse().unwrap(), &[bench.click("x")]).await.unwrap();
    bench.logbook.glimpse(&spring(), &[]).await.unwrap();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = bench.logbook.latest(&spring(), 3, after).await.unwrap();
        assert!(page.items.len() <= 3);
        listed.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, clicks);
}

pub async fn of_a_campaigns_clicks_the_latest_thousand_are_kept(bench: &Bench) {
    let now = bench.clock.now();
    let more = LATEST_MOST as i32 + 500;
    let clicks: Vec<ClickRef> =
        (0..more).map(|number| bench.click_at(&number.to_string(), now - SECOND * number)).collect();
    for some in clicks.rchunks(100) {
        bench.logbook.glimpse(&spring(), some).await.unwrap();
    }
    let ids = ids(bench).await;
    assert_eq!((ids.len(), ids[0].as_str(), ids[LATEST_MOST - 1].as_str()), (LATEST_MOST, "0", "999"));
}

pub async fn a_click_past_its_life_is_not_listed_and_is_swept(bench: &Bench) {
    bench.logbook.glimpse(&spring(), &[bench.click("old")]).await.unwrap();
    bench.clock.advance(CLICK_LIFE - SECOND * 10);
    bench.logbook.glimpse(&spring(), &[bench.click("new")]).await.unwrap();
    bench.logbook.sweep().await.unwrap();
    assert_eq!(ids(bench).await, ["new", "old"]);
    bench.clock.advance(SECOND * 20);
    assert_eq!(ids(bench).await, ["new"]);
    while bench.logbook.sweep().await.unwrap() > 0 {}
    bench.logbook.glimpse(&spring(), &[bench.click("newer")]).await.unwrap();
    bench.clock.advance(SECOND * -20);
    assert_eq!(ids(bench).await, ["newer", "new"], "what was past its life is gone");
}

pub async fn a_forgotten_click_is_gone_and_its_likes_stay(bench: &Bench) {
    let now = bench.clock.now();
    let mut clicks = vec![bench.click_at("a", now), bench.click_at("b/a", now - SECOND)];
    clicks.push(ClickRef { account: "far".parse().unwrap(), ..bench.click_at("a", now - SECOND * 2) });
    bench.logbook.glimpse(&spring(), &clicks).await.unwrap();
    bench.logbook.forget(&spring(), &near(), &"a".parse().unwrap()).await.unwrap();
    bench.logbook.forget(&spring(), &near(), &"never".parse().unwrap()).await.unwrap();
    let kept = bench.logbook.latest(&spring(), 10, None).await.unwrap().items;
    assert_eq!(kept, clicks[1..]);
}

pub async fn a_click_that_is_seen_again_is_listed_once(bench: &Bench) {
    let click = bench.click("a");
    bench.logbook.glimpse(&spring(), &[click.clone(), click.clone()]).await.unwrap();
    bench.logbook.glimpse(&spring(), &[click]).await.unwrap();
    assert_eq!(ids(bench).await, ["a"]);
}
