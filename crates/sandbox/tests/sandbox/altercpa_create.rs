//! AlterCPA: tokens, sources, duplicates, and what a lead keeps.

use postback_sandbox::{Booking, Kind, Meant, Network, Source, Status};

use crate::client::{Site, error, ok};

#[tokio::test]
async fn ac_1_any_site_of_the_offer_or_the_global_key_opens() {
    let site = Site::open().await;
    for (token, want) in [
        ("12-abc", ok(1234)),
        ("123-abcd", ok(1235)),
        ("123-abcde", ok(1236)),
        ("sandbox-global-api-key", ok(1237)),
        ("12-abcd", error("auth")),
        ("123-abc", error("auth")),
        ("88-other", error("auth")),
        ("500-abc", error("auth")),
        ("abc", error("auth")),
        ("-abc", error("auth")),
        ("12-", error("auth")),
        ("", error("auth")),
    ] {
        let got = site.get(&format!("/api/site/click.json?token={token}&click=1234")).await;
        assert_eq!((got.status, got.text()), (200, want), "{token}");
    }
    assert_eq!(site.get("/api/site/click.json?click=1234").await.text(), error("auth"));
    assert_eq!(
        site.get("/api/site/click.json?token=sandbox-global-api-key&click=1250").await.text(),
        ok(1238)
    );
}

#[tokio::test]
async fn ac_1_parameters_may_be_in_the_query_or_the_form_or_both() {
    let site = Site::open().await;
    let form = "token=12-abc&click=1234&exto=a";
    assert_eq!(site.post_form("/api/site/click.json", form).await.text(), ok(1234));
    assert_eq!(
        site.post_form("/api/site/click.json?token=12-abc&click=1234", "exto=b").await.text(),
        ok(1235)
    );
    let received = site.sandbox.received(Network::Altercpa);
    assert_eq!((received[0].query.len(), received[0].form.len()), (0, 3));
    assert_eq!((received[1].query.len(), received[1].form.len()), (2, 1));

    let json = "content-type: application/json\r\n";
    let got =
        site.send("POST", "/api/site/click.json", json, r#"{"token":"12-abc","click":1234}"#).await.unwrap();
    assert_eq!(got.text(), error("auth"));
    let remark = "the body is not application/x-www-form-urlencoded: passed over";
    assert_eq!(site.remarks(Network::Altercpa), [remark]);
}

#[tokio::test]
async fn ac_2_each_documented_combination_creates_and_no_other() {
    let site = Site::open().await;
    for (query, want) in [
        ("click=1234", ok(1234)),
        ("click=1234&exto=a", ok(1235)),
        ("flow=1234", ok(1236)),
        ("code=5FAC-D4E8", ok(1237)),
        ("flow=1234&exto=b", ok(1238)),
        ("code=5FAC-D4E8&exto=c", ok(1239)),
        ("", error("no-id")),
        ("exto=a", error("no-id")),
        ("click=", error("no-id")),
        ("click=1234&flow=1234", error("bad-id")),
        ("flow=1234&code=5FAC-D4E8", error("bad-id")),
        ("click=9", error("bad-id")),
        ("click=abc", error("bad-id")),
        ("click=%2B1234", error("bad-id")),
        ("click=1100", error("bad-id")),
        ("flow=9", error("bad-id")),
        ("code=5fac-d4e8", error("bad-id")),
        ("click=1250", error("auth")),
    ] {
        assert_eq!(site.site("click", query).await, want, "{query}");
    }
}

#[tokio::test]
async fn ac_3_9_the_same_pair_never_makes_a_second_lead() {
    let site = Site::open().await;
    let first = site.lead("click=1234&exto=a").await;
    let duplicate = format!(r#"{{"status":"error","error":"duplicate","id":{first}}}"#);
    assert_eq!(site.site("click", "click=1234&exto=a&status=approve").await, duplicate);
    assert_eq!(site.sandbox.lead(first).unwrap().status, Status::New);
    assert_ne!(site.lead("click=1233&exto=a").await, first);
    let of_flow = site.lead("flow=1234&exto=a").await;
    let duplicate = format!(r#"{{"status":"error","error":"duplicate","id":{of_flow}}}"#);
    assert_eq!(site.site("click", "flow=1234&exto=a").await, duplicate);
    assert_ne!(site.lead("code=5FAC-D4E8&exto=a").await, of_flow);
    // Without exto a postback that fires twice makes two leads.
    assert_ne!(site.lead("click=1234").await, site.lead("click=1234").await);
    let stats = site.sandbox.stats().altercpa;
    assert_eq!((stats.counted, stats.duplicates), (6, 2));
}

#[tokio::test]
async fn ac_9_private_offers_and_broken_clicks_have_their_errors() {
    let site = Site::open().await;
    let private = site.get("/api/site/click.json?token=99-private&click=1260").await;
    assert_eq!((private.status, private.text()), (200, error("traffic")));
    assert_eq!(site.site("click", "click=1270").await, error("db"));
    assert_eq!(site.site("status", "click=1270&status=new&stn=new").await, error("db"));
    assert_eq!(site.sandbox.stats().altercpa.counted, 0);
}

#[tokio::test]
async fn ac_4_5_18_19_20_a_lead_is_created_in_the_wanted_status() {
    let site = Site::open().await;
    for (query, want) in [
        ("", Status::New),
        ("&accept=1", Status::Completed),
        ("&accept=0", Status::New),
        ("&stid=2", Status::Processing),
        ("&stid=12", Status::Trash),
        ("&stid=6", Status::Packing),
        ("&stid=5&reason=3", Status::Cancelled),
        ("&status=make", Status::New),
        ("&status=Confirmed", Status::Completed),
        ("&status=a", Status::Completed),
        ("&status=canceled", Status::Cancelled),
        ("&status=d", Status::Cancelled),
        ("&status=reject", Status::Trash),
        ("&status=hold", Status::Hold),
        ("&status=hold&stw=hold", Status::Processing),
        ("&status=lead_ok&sta=sold,%20lead_ok", Status::Completed),
        ("&status=x&sta=x&stc=x", Status::Completed),
        ("&status=x&stc=x&stt=x", Status::Cancelled),
        ("&status=x&stt=x&sth=x", Status::Trash),
        ("&status=x&sth=x&stw=x", Status::Hold),
        ("&status=x&stw=x&stn=x", Status::Processing),
        ("&status=approve&stn=approve", Status::New),
        ("&status=approve&stc=other", Status::Completed),
    ] {
        let lead = site.lead(&format!("click=1234{query}")).await;
        let lead = site.sandbox.lead(lead).unwrap();
        assert_eq!(lead.status, want, "{query}");
        assert_eq!(lead.life.len(), 1, "{query}");
        assert!(site.remarks(Network::Altercpa).is_empty(), "{query}");
    }
}

#[tokio::test]
async fn ac_4_what_cannot_be_read_is_passed_over_and_remarked_on() {
    let site = Site::open().await;
    for (query, want) in [
        ("status=sold", "the status word is not recognized: passed over"),
        ("stid=99", "`stid` is no status: passed over"),
        ("stid=x", "`stid` is not a number: passed over"),
        ("wm=1,5&cc=USD", "`wm` is not a decimal: passed over"),
        ("wm=1.5", "a payment without `cc`: the offer's currency is taken"),
        ("pay=1&cc=US", "`cc` is not three letters: passed over"),
        ("goal=unknown", "the goal is not one of the offer's: passed over"),
        ("country=usa", "`country` is not two letters: passed over"),
        ("count=two", "`count` is not a number: passed over"),
        ("order=5", "`order` is not a parameter of this call: passed over"),
        (
            "accept=1&status=new",
            "the status is given in more than one way: stid, then accept, then status counts",
        ),
    ] {
        site.lead(&format!("click=1234&{query}")).await;
        assert!(site.remarks(Network::Altercpa).contains(&want.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn ac_8_a_lead_keeps_what_was_said_and_hides_the_person() {
    let site = Site::open().await;
    let query = "click=1234&exto=e-1&name=Jane+Doe&phone=%2B15550100&email=jane%40doe.example&country=us&base=49.90\
                 &curr=3&currency=usd&count=2&comment=ring+twice&mobile=tablet&bad=1&time=1700000000&goal=dep";
    let id = site.lead(query).await;
    let lead = site.sandbox.lead(id).unwrap();
    let details = &lead.details;
    assert_eq!((lead.source, lead.exto.as_deref(), lead.offer), (Source::Click(1234), Some("e-1"), 7));
    assert_eq!(details.name.as_ref().unwrap().reveal(), "Jane Doe");
    assert_eq!(details.phone.as_ref().unwrap().reveal(), "+15550100");
    assert_eq!(details.email.as_ref().unwrap().reveal(), "jane@doe.example");
    assert_eq!((details.country.as_deref(), details.currency.as_deref()), (Some("US"), Some("USD")));
    assert_eq!((details.curr, details.count, details.time), (Some(3), Some(2), Some(1_700_000_000)));
    assert_eq!((details.mobile, details.bad), (Some(true), Some(true)));
    assert_eq!(details.base.unwrap().to_string(), "49.90");
    assert_eq!(lead.goal.as_deref(), Some("deposit"));
    let booking = Booking {
        kind: Kind::Goal,
        click: Some("1234".to_owned()),
        key: Some("e-1".to_owned()),
        goal: Some("deposit".to_owned()),
        lead: Some(id),
        status: Some("new"),
        ..Booking::default()
    };
    assert_eq!(site.meant(Network::Altercpa), Meant::Counted(booking));
    let shown = format!("{lead:?} {:?}", site.sandbox.received(Network::Altercpa));
    for secret in ["Jane", "5550100", "jane@", "ring twice", "12-abc"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let told = site.get(&format!("/sandbox/leads/{id}")).await.json();
    assert_eq!((&told["details"]["name"], &told["source"]["click"]), (&"Jane Doe".into(), &1234.into()));
}
