//! Checks of the trail of actions.

use postback_core::ports::{ACTIONS_KEPT, Action, Deed, Resolution};

use super::{Bench, SECOND, spring};

async fn all(bench: &Bench) -> Vec<Action> {
    bench.logbook.actions(100, None).await.unwrap().items
}

pub async fn an_action_is_kept_whole_and_listed_once(bench: &Bench) {
    let action = Action {
        deed: Deed::Resolve(Resolution::Resend),
        account: None,
        reason: "the network says so".into(),
        ..bench.action(36)
    };
    bench.logbook.enter(action.clone()).await.unwrap();
    bench.logbook.enter(action.clone()).await.unwrap();
    assert_eq!(all(bench).await, [action]);
}

pub async fn actions_are_listed_page_by_page_the_latest_first(bench: &Bench) {
    for count in 0..7 {
        bench.logbook.enter(bench.action(count)).await.unwrap();
        bench.clock.advance(SECOND);
    }
    let (mut counts, mut sizes, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = bench.logbook.actions(3, after).await.unwrap();
        sizes.push(page.items.len());
        counts.extend(page.items.into_iter().map(|action| action.count));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((counts, sizes), (vec![6, 5, 4, 3, 2, 1, 0], vec![3, 3, 1]));
}

pub async fn an_action_is_kept_for_four_hundred_days(bench: &Bench) {
    bench.logbook.enter(bench.action(1)).await.unwrap();
    bench.clock.advance(ACTIONS_KEPT - SECOND * 10);
    bench.logbook.enter(bench.action(2)).await.unwrap();
    bench.logbook.sweep().await.unwrap();
    assert_eq!(all(bench).await.len(), 2);
    bench.clock.advance(SECOND * 20);
    assert_eq!(all(bench).await.len(), 1);
    while bench.logbook.sweep().await.unwrap() > 0 {}
    bench.logbook.enter(bench.action(3)).await.unwrap();
    bench.clock.advance(SECOND * -20);
    let counts: Vec<u64> = all(bench).await.into_iter().map(|action| action.count).collect();
    assert_eq!(counts, [3, 2], "what was too old is gone");
}

pub async fn a_clock_that_leaps_ahead_takes_no_action_and_no_click_away(bench: &Bench) {
    for (count, leap) in [(1, ACTIONS_KEPT * 2), (2, ACTIONS_KEPT * -2)] {
        bench.logbook.enter(bench.action(count)).await.unwrap();
        bench.logbook.glimpse(&spring(), &[bench.click(&count.to_string())]).await.unwrap();
        bench.clock.advance(leap);
    }
    let counts: Vec<u64> = all(bench).await.into_iter().map(|action| action.count).collect();
    let clicks = bench.logbook.latest(&spring(), 10, None).await.unwrap().items.len();
    assert_eq!((counts, clicks), (vec![2, 1], 2));
}
