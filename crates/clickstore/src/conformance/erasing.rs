//! Checks of erasing.

use jiff::Timestamp;
use postback_core::{IpHash, IpNetwork, VisitorIp, ports::FindClicks};

use super::{Bench, days};

/// An erased click is neither read nor found, and its id can be captured again.
pub async fn an_erased_click_is_gone_from_everywhere(bench: &Bench) {
    let ip = VisitorIp { network: IpNetwork::V4([192, 0, 2]), hash: IpHash::from_bytes([1; 8]) };
    let place = FindClicks {
        ip: vec![ip.hash],
        campaign: "spring".parse().unwrap(),
        since: Timestamp::MIN,
        limit: 10,
    };
    let click = bench.capture(bench.click_from("c1", &ip), true).await.unwrap();
    let other = bench.capture(bench.click_from("c2", &ip), true).await.unwrap();
    let erase = async || bench.store.erase_click(&click.click.account, &click.click.id).await.unwrap();
    assert!(erase().await);
    assert!(!erase().await);
    assert_eq!(bench.found(&click).await, None);
    assert_eq!(bench.store.find(&place).await.unwrap(), [other]);
    assert_eq!(bench.captured(bench.click("c1")).await.ip, None);
    bench.clock.advance(days(31));
    assert!(!erase().await);
    while bench.store.sweep().await.unwrap() > 0 {}
}

/// An erased user has no clicks; the clicks themselves stay.
pub async fn an_erased_user_is_gone(bench: &Bench) {
    let user = "user".parse().unwrap();
    let click = bench.captured(bench.click("c1")).await;
    bench.store.attach(&user, bench.attribution(&click)).await.unwrap();
    assert!(bench.store.erase_user(&user).await.unwrap());
    assert!(!bench.store.erase_user(&user).await.unwrap());
    assert_eq!(bench.store.clicks_of(&user).await.unwrap(), []);
    assert_eq!(bench.found(&click).await, Some(click.clone()));
    bench.store.attach(&user, bench.attribution(&click)).await.unwrap();
    bench.clock.advance(days(31));
    assert!(!bench.store.erase_user(&user).await.unwrap());
}
