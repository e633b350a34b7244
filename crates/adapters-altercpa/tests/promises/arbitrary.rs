//! What must hold for any input.

use bytes::Bytes;
use postback_adapters_altercpa::{Lists, Origin, Recognized, recognize};
use postback_core::{Adapter, ClickId, Event, LandingQuery, LookUp, LookUpSource, Status, Verdict};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::*;

/// Bodies that are nearly answers: right ones with bytes changed, cut, doubled or put in other company.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![
        Just(r#"{"status":"ok","id":1234}"#),
        Just(r#"{"status":"error","error":"duplicate","id":1234}"#),
        Just(r#"{"error":"ok","id":1234,"status":"error"}"#),
        Just(r#"["ok",1234]"#),
        Just(r#"{"data":{"status":"ok"}}"#),
    ];
    (whole, any::<u8>(), 0..64usize, 0..64usize).prop_map(|(whole, byte, at, end)| {
        let mut body = whole.as_bytes().to_vec();
        let at = at % body.len();
        body[at] = byte;
        body.truncate(body.len().saturating_sub(end.saturating_sub(32)));
        body
    })
}

/// Whether a body is an object whose `status` is `ok`, as another reader sees it.
fn is_ok(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice::<Value>(body).is_ok_and(|value| value.is_object() && value["status"] == "ok")
}

fn is_accepted(status: u16, body: &[u8]) -> bool {
    let answer = answer(status, Bytes::copy_from_slice(body));
    matches!(verdict(&Event::Created, &answer), Verdict::Accepted { .. })
}

proptest! {
    #[test]
    fn ac_9_no_body_is_accepted_that_does_not_say_ok(
        status in 200..600u16,
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), nearly()],
    ) {
        prop_assert_eq!(is_accepted(status, &body), (200..300).contains(&status) && is_ok(&body));
    }

    #[test]
    fn ac_17_no_answer_breaks_a_look_up(
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), nearly()],
    ) {
        let ask = LookUp::Offer(LookUpSource::Offer(1));
        let found = plain().found(&ask, &answer(200, Bytes::copy_from_slice(&body)));
        prop_assert!(found.is_err() || is_ok(&body));
    }

    #[test]
    fn any_click_id_and_any_comment_survive_the_form(
        id in "[^\\p{Cc}]{1,100}",
        comment in "[^\\p{Cc}]{1,100}",
        exto in "[^\\p{Cc}]{1,30}",
    ) {
        prop_assume!(!LandingQuery::is_macro(&id));
        let origin = Origin::click(ClickId::parse(id.as_str()).unwrap()).exto(exto.as_str());
        let call = plain().lead(origin).field("comment", comment.as_str()).call().unwrap();
        prop_assert_eq!(
            values(&call, ["token", "click", "exto", "comment"]),
            [TOKEN.to_owned(), id, exto, comment]
        );
        prop_assert_eq!(call.shown.lines().count(), 1);
    }

    #[test]
    fn any_click_id_survives_the_landing_query(id in "[^\\p{Cc}]{1,100}") {
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let query = format!("a=1&click={encoded}");
        let read = plain().click_id(&LandingQuery::new(&query), "click");
        if LandingQuery::is_macro(&id) {
            prop_assert!(read.is_err());
        } else {
            prop_assert_eq!(read.as_ref().map(ClickId::as_str), Ok(id.as_str()));
        }
    }

    #[test]
    fn ac_5_any_own_word_goes_as_it_is_and_any_listed_one_is_understood(word in "[a-z_-]{1,20}") {
        let lists = Lists([vec![], vec![word.clone()], vec![], vec![], vec![], vec![]]);
        prop_assert_eq!(recognize(&word, &lists), Recognized::Listed(Status::Cancelled));
        let altercpa = account(&format!("stc = ['{word}']"));
        let conversion = lead_with(|details| details.status = Some(Status::Own(word.clone())));
        let call = created(&altercpa, &conversion).unwrap();
        prop_assert_eq!(values(&call, ["status", "stc"]), [word.clone(), word]);
    }
}
