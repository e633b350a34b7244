//! Accounts and campaigns that do not fit together.

use postback_hub::{Campaign, LandingTemplate, Registry};

use crate::doubles::*;

fn campaign() -> Campaign {
    Campaign {
        id: "spring".parse().unwrap(),
        account: id("near"),
        landing: LandingTemplate::parse("https://shop.example/").unwrap(),
        parameter: None,
        find_by_ip: false,
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_place() {
    let accounts = registry(&[]).unwrap().accounts().clone();
    let parameter = |name: &str| Campaign { parameter: Some(name.into()), ..campaign() };
    for (campaigns, field) in [
        (vec![Campaign { account: id("nobody"), ..campaign() }], "campaigns.spring.account"),
        (vec![campaign(), campaign()], "campaigns.spring"),
        (vec![parameter("")], "campaigns.spring.parameter"),
        (vec![parameter("a b")], "campaigns.spring.parameter"),
        (vec![parameter(&"x".repeat(65))], "campaigns.spring.parameter"),
    ] {
        let refused = Registry::new(accounts.clone(), campaigns).unwrap_err();
        assert_eq!(refused.field(), Some(field));
    }
}
