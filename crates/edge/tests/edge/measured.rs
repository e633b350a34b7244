//! What is measured of visits and refusals.

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::doubles::Edge;

#[tokio::test]
async fn visits_and_refusals_are_counted_under_bounded_labels() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let edge = Edge::start().await;
    let browser = "User-Agent: Mozilla/5.0 Gecko/20100101\r\n";
    for (line, lines) in [
        ("GET /c/promo?click_id=a", browser),
        ("GET /c/promo", browser),
        ("GET /c/promo?click_id=a", ""),
        ("GET /c/promo?click_id=a", "User-Agent: Mozilla/5.0 Gecko/20100101\r\nPurpose: prefetch\r\n"),
        ("GET /c/evil-1", ""),
        ("GET /c/evil-2", ""),
        ("GET /evil", ""),
        ("GET /c/promo", "Host: b\r\n"),
    ] {
        edge.answer(format!("{line} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await;
    }
    let mut visitor = edge.visitor().await;
    visitor.say("HEAD /c/promo?click_id=a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    visitor.hear_without_body().await;

    let page = recorder.handle().render();
    let counted = |line: &str| assert!(page.lines().any(|other| other == line), "{line} is not in\n{page}");
    counted(r#"postback_redirects_total{campaign="promo",visitor="person"} 2"#);
    counted(r#"postback_redirects_total{campaign="promo",visitor="bot"} 1"#);
    counted(r#"postback_redirects_total{campaign="promo",visitor="prefetch"} 1"#);
    counted(r#"postback_redirects_total{campaign="promo",visitor="probe"} 1"#);
    counted(r#"postback_edge_refused_total{reason="no_such_campaign"} 2"#);
    counted(r#"postback_edge_refused_total{reason="no_such_page"} 1"#);
    counted(r#"postback_edge_refused_total{reason="many_hosts"} 1"#);
    counted("postback_redirect_seconds_count 5");
    assert!(!page.contains("evil"), "a visitor's bytes became a label:\n{page}");
}
