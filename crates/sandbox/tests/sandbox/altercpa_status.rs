//! AlterCPA: a lead's life after its creation, and its commissions.

use jiff::SignedDuration;
use postback_sandbox::{Commission, Meant, Network, Status};

use crate::client::{Site, error, ok};

fn money(site: &Site, lead: u64) -> Option<(String, String, String)> {
    let Commission { affiliate, advertiser, currency } = site.sandbox.lead(lead).unwrap().commission?;
    Some((affiliate.to_string(), advertiser.to_string(), currency))
}

fn some(affiliate: &str, advertiser: &str, currency: &str) -> Option<(String, String, String)> {
    Some((affiliate.to_owned(), advertiser.to_owned(), currency.to_owned()))
}

#[tokio::test]
async fn ac_10_11_a_lead_lives_through_its_statuses() {
    let site = Site::open().await;
    let id = site.lead("click=1234&exto=a").await;
    for (query, want) in [
        ("click=1234&exto=a&status=p&stw=p", Status::Processing),
        ("click=1234&exto=a&status=hold", Status::Hold),
        (&format!("order={id}&stid=3"), Status::Callback),
        (&format!("order={id}&accept=1"), Status::Completed),
        ("click=1234&exto=a&stid=5&reason=7", Status::Cancelled),
    ] {
        assert_eq!(site.site("status", query).await, ok(id), "{query}");
        assert_eq!(site.sandbox.lead(id).unwrap().status, want, "{query}");
    }
    let lead = site.sandbox.lead(id).unwrap();
    assert_eq!(lead.reason, Some(7));
    let life: Vec<_> = lead.life.iter().map(|step| step.status.as_str()).collect();
    assert_eq!(life, ["new", "processing", "hold", "callback", "completed", "cancelled"]);
    assert_eq!(site.sandbox.stats().altercpa.changed, 5);
}

#[tokio::test]
async fn ac_10_a_lead_is_changed_by_the_combination_that_created_it_and_no_other() {
    let site = Site::open().await;
    let plain = site.lead("click=1234").await;
    let with_exto = site.lead("click=1233&exto=a").await;
    let of_flow = site.lead("flow=1234&exto=f").await;
    let of_code = site.lead("code=5FAC-D4E8&exto=c").await;
    site.lead("flow=1234").await;
    for (query, want) in [
        ("click=1234&status=approve", ok(plain)),
        ("click=1233&exto=a&status=approve", ok(with_exto)),
        ("flow=1234&exto=f&status=approve", ok(of_flow)),
        ("code=5FAC-D4E8&exto=c&status=approve", ok(of_code)),
        (&format!("order={plain}&status=cancel"), ok(plain)),
        ("click=1234&exto=a&status=approve", error("bad-id")),
        ("click=1233&status=approve", error("bad-id")),
        ("click=1230&status=approve", error("bad-id")),
        ("code=5FAC-D4E8&exto=f&status=cancel", error("bad-id")),
        ("flow=1234&exto=c&status=cancel", error("bad-id")),
        ("flow=1234&status=approve", error("bad-id")),
        ("code=5FAC-D4E8&status=approve", error("bad-id")),
        ("order=99&status=approve", error("bad-id")),
        ("order=x&status=approve", error("bad-id")),
        (&format!("order={plain}&exto=a&status=approve"), error("bad-id")),
        (&format!("order={plain}&click=1234&status=approve"), error("bad-id")),
        ("status=approve", error("no-id")),
        ("exto=a&status=approve", error("no-id")),
    ] {
        assert_eq!(site.site("status", query).await, want, "{query}");
    }
    let foreign = site.get(&format!("/api/site/status.json?token=88-other&order={plain}&status=trash")).await;
    assert_eq!(foreign.text(), error("auth"));
}

#[tokio::test]
async fn ac_13_a_lead_that_is_there_already_answers_edit() {
    let site = Site::open().await;
    let id = site.lead("click=1234&exto=a&status=approve&wm=5&cc=USD").await;
    for query in ["status=approve", "accept=1", "stid=10", "wm=5.00&cc=usd", "", "status=new&stn=new"] {
        assert_eq!(
            site.site("status", &format!("click=1234&exto=a&{query}")).await,
            error("edit"),
            "{query}"
        );
        assert!(matches!(site.meant(Network::Altercpa), Meant::Duplicate(_)), "{query}");
    }
    assert_eq!(site.site("status", "click=1234&exto=a&status=sold").await, error("edit"));
    assert!(matches!(site.meant(Network::Altercpa), Meant::Refused { .. }));
    assert_eq!(site.site("status", "click=1234&exto=a&wm=6&cc=USD").await, ok(id));
}

#[tokio::test]
async fn ac_12_auto_creates_a_lost_lead_in_the_wanted_status_and_stn_in_new() {
    let site = Site::open().await;
    assert_eq!(site.site("status", "click=1234&exto=a&status=approve").await, error("bad-id"));
    assert_eq!(site.site("status", "click=1234&exto=a&status=approve&auto=1").await, ok(1234));
    assert_eq!(site.sandbox.lead(1234).unwrap().status, Status::Completed);
    assert!(matches!(site.meant(Network::Altercpa), Meant::Counted(_)));
    assert_eq!(site.site("status", "click=1234&exto=a&status=cancel&auto=1").await, ok(1234));

    assert_eq!(site.site("status", "click=1233&status=approve&stn=pending").await, error("bad-id"));
    assert_eq!(site.site("status", "click=1233&status=pending&stn=new,pending").await, ok(1235));
    assert_eq!(site.sandbox.lead(1235).unwrap().status, Status::New);
    assert_eq!(site.site("status", "click=1233&status=approve&stn=pending").await, ok(1235));
    assert_eq!(site.site("status", "click=1233&status=pending&stn=pending").await, error("edit"));
    assert_eq!(site.sandbox.lead(1235).unwrap().status, Status::Completed);

    assert_eq!(site.site("status", "click=9&status=approve&auto=1").await, error("bad-id"));
    assert_eq!(site.site("status", "order=9&status=approve&auto=1").await, error("bad-id"));
    assert_eq!(site.site("status", "flow=1234&status=approve&auto=1").await, error("bad-id"));
    assert_eq!(site.site("status", "flow=1234&exto=f&status=approve&auto=1").await, ok(1236));
}

#[tokio::test]
async fn ac_12_auto_creates_no_lead_of_a_click_that_has_one_under_another_exto() {
    let site = Site::open().await;
    site.lead("click=1234&exto=a").await;
    assert_eq!(site.site("status", "click=1234&exto=b&status=approve&auto=1").await, error("bad-id"));
    assert_eq!(site.site("status", "click=1234&status=approve&auto=1").await, error("bad-id"));
    assert_eq!(site.site("status", "click=1234&exto=b&status=new&stn=new").await, ok(1235));
    assert_eq!(site.site("status", "click=1233&exto=b&status=approve&auto=1").await, ok(1236));
    assert_eq!(site.site("status", "flow=1234&exto=a&status=approve&auto=1").await, ok(1237));
    assert_eq!(site.site("status", "flow=1234&exto=b&status=approve&auto=1").await, ok(1238));
}

#[tokio::test]
async fn ac_6_payments_come_from_the_call_or_from_the_offer() {
    let site = Site::open().await;
    for (query, want) in [
        ("", some("10", "14", "USD")),
        ("&wm=20&cc=EUR", some("20", "20", "EUR")),
        ("&pay=30&cc=EUR", some("10", "30", "EUR")),
        ("&wm=20&pay=30&cc=USD", some("20", "30", "USD")),
        ("&wm=20&pd=3&cc=USD", some("17", "20", "USD")),
        ("&wm=20&pd=-3&cc=USD", some("20", "23", "USD")),
        ("&wm=20&pp=10&cc=USD", some("18", "20", "USD")),
        ("&wm=20&pp=-10&cc=USD", some("20", "22", "USD")),
        ("&goal=reg", some("2", "3", "USD")),
        ("&goal=registration&pay=9&cc=USD", some("2", "9", "USD")),
        ("&gid=2", some("40", "55", "USD")),
        ("&goal=dep&gid=1", some("40", "55", "USD")),
    ] {
        let id = site.lead(&format!("click=1234&status=approve{query}")).await;
        assert_eq!(money(&site, id), want, "{query}");
    }
    let unapproved = site.lead("click=1234&wm=20&cc=USD").await;
    assert_eq!(money(&site, unapproved), None);
}

#[tokio::test]
async fn ac_7_a_new_goal_on_an_approved_lead_recomputes_its_commissions() {
    let site = Site::open().await;
    let id = site.lead("click=1234&exto=a&status=approve&goal=reg").await;
    assert_eq!(money(&site, id), some("2", "3", "USD"));
    assert_eq!(site.site("status", "click=1234&exto=a&goal=ftd").await, ok(id));
    assert_eq!(money(&site, id), some("40", "55", "USD"));
    assert_eq!(site.site("status", "click=1234&exto=a&goal=deposit").await, error("edit"));

    assert_eq!(site.site("status", "click=1234&exto=a&wm=50&cc=EUR").await, ok(id));
    assert_eq!(money(&site, id), some("50", "50", "EUR"));
    assert_eq!(site.site("status", "click=1234&exto=a&gid=1").await, ok(id));
    assert_eq!(money(&site, id), some("2", "3", "EUR"));

    assert_eq!(site.site("status", "click=1234&exto=a&status=cancel").await, ok(id));
    assert_eq!(money(&site, id), None);
}

#[tokio::test]
async fn ac_7_payments_named_before_approval_survive_a_goal() {
    let site = Site::open().await;
    let id = site.lead("click=1234&exto=a&wm=5&cc=USD").await;
    assert_eq!(site.site("status", "click=1234&exto=a&goal=dep").await, ok(id));
    assert_eq!(site.site("status", "click=1234&exto=a&accept=1").await, ok(id));
    assert_eq!(money(&site, id), some("5", "5", "USD"));
}

#[tokio::test]
async fn a_lead_can_be_changed_after_its_click_has_expired() {
    let site = Site::open().await;
    let id = site.lead("click=1234&exto=a").await;
    site.sandbox.set_shift(SignedDuration::from_hours(31 * 24));
    assert_eq!(site.site("click", "click=1234&exto=b").await, error("bad-id"));
    assert_eq!(site.site("status", "click=1234&exto=a&accept=1").await, ok(id));
}
