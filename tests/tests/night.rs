//! "The network shows 25 conversions and we have 61: why?", asked at night by someone who did not build this.

use postback_tests::{
    Engine, House, Postback, Visitor,
    night::{
        ACCOUNT, CONVERSIONS, DEAD, DELIVERED, EXPIRED, IN_DOUBT, LOST, MACROS, NOBODYS, OURS, PENDING,
        TOO_LATE, UNKNOWN_THERE, WRONG_ID, night,
    },
};

/// A text of a page with its characters as they are.
fn plain(html: &str) -> String {
    [("&#39;", "'"), ("&#34;", "\""), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&"), ("&amp;", "&")]
        .iter()
        .fold(html.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// A text without its markup, as a person sees it.
fn seen(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        let (tag, after) = part.split_once('>').unwrap_or(("", part));
        // Words of a sentence may be marked up; a cell or a paragraph ends what stands in it.
        let inline = ["strong", "bdi", "code", "a", "span", "time"];
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        if !inline.contains(&name) {
            text.push(' ');
        }
        text.push_str(after);
    }
    plain(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of a page's tables, cell by cell.
fn rows(html: &str) -> Vec<Vec<String>> {
    let row = |row: &str| {
        let cells = row.split("</tr>").next().unwrap_or_default().replace("</th>", "</td>");
        cells.split_inclusive("</td>").filter(|cell| cell.contains("</td>")).map(seen).collect()
    };
    html.split("<tr>").skip(1).map(row).collect()
}

/// A person before the console, at a page.
struct Person {
    browser: Visitor,
    page: String,
}

impl Person {
    async fn at(house: &House) -> Self {
        let browser = Visitor::of(house.console);
        let page = browser.get("/").await.body;
        Self { browser, page }
    }

    /// Clicks a link by its text, in the row of a table that shows all these words.
    async fn click(&mut self, row: &[&str], text: &str) {
        let mut rows = self.page.split("<tr").skip(1).filter_map(|row| row.split("</tr>").next());
        let row = rows.find(|it| row.iter().all(|word| seen(it).contains(word)));
        let row = row.unwrap_or_else(|| panic!("no row with {text} in {}", seen(&self.page)));
        let mut links = row.split("<a ").skip(1).filter_map(|link| link.split("</a>").next());
        let link = links.find(|link| seen(&format!("<a {link}")) == text);
        let link = link.unwrap_or_else(|| panic!("no link {text} in {}", seen(row)));
        let address =
            link.split_once("href=\"").and_then(|(_, after)| after.split_once('"')).expect("an href").0;
        let path = plain(address);
        let answer = self.browser.get(path.split('#').next().unwrap_or_default()).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        self.page = answer.body;
    }

    fn sees(&self, text: &str) {
        let seen = seen(&self.page);
        assert!(seen.contains(text), "no `{text}` in {seen}");
    }

    /// The row of a table that begins so.
    fn row(&self, start: &[&str]) -> Vec<String> {
        let found =
            rows(&self.page).into_iter().find(|row| row.iter().zip(start).all(|(cell, want)| cell == want));
        found.unwrap_or_else(|| panic!("no row {start:?} in {:?}", rows(&self.page)))
    }

    /// The rows of the table with this caption.
    fn table(&self, caption: &str) -> Vec<Vec<String>> {
        let mut tables = self.page.split("<table").skip(1).filter_map(|table| table.split("</table>").next());
        let table = tables.find(|table| table.contains(caption));
        let (_, body) = table.and_then(|table| table.split_once("<tbody>")).expect("a table with a body");
        rows(body)
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_clicks_say_why_the_network_shows_25_and_we_have_61() {
    let house = House::on(Engine::Embedded).await;
    night(&house).await;
    let mut person = Person::at(&house).await;
    for need in [
        "powerspace: 5 in doubt; a person decides",
        "powerspace: paused",
        "powerspace: 9 dead letters since yesterday",
        "powerspace: 4 reports refused since yesterday",
        "no known account: 8 reports refused since yesterday",
        "powerspace: 3 visitors came with a macro that the network did not replace",
    ] {
        person.sees(need);
    }
    let numbers = [CONVERSIONS, DELIVERED, PENDING, 0, IN_DOUBT, DEAD, EXPIRED].map(|n| n.to_string());
    assert_eq!(person.row(&[ACCOUNT])[2..9], numbers, "conversions, where they stand, and what was refused");

    person.click(&["powerspace", "paused"], ACCOUNT).await;
    person.sees("61 reported = 49 conversions + 12 refused");
    person.sees("Conversions 49 + changes 0 = delivered 25 + pending 10 + waiting 0 + in doubt 5 + dead 9");
    let missing = person.table("What is dead, in doubt, or behind a doubt or a pause");
    let refused = person.table("Reports of conversions that were refused");
    let told = |row: &Vec<String>, of: usize| (number(&row[0]), row[of].clone(), row[2].clone());
    let mut why: Vec<_> = missing.iter().chain(&refused).map(|row| told(row, 1)).collect();
    why.sort();
    let mut want = [
        (UNKNOWN_THERE, "dead", "expired_click"),
        (WRONG_ID, "dead", "invalid_click"),
        (TOO_LATE, "dead", "expired"),
        (IN_DOUBT, "in doubt", "connection_lost"),
        (PENDING, "pending", "http_403"),
        (EXPIRED, "this account", "click_expired"),
        (NOBODYS, "no known account", "unknown_user"),
    ]
    .map(|(count, of, reason)| (count, of.to_owned(), reason.to_owned()));
    want.sort();
    assert_eq!(why, want);
    assert_eq!(why.iter().map(|(count, ..)| count).sum::<u64>(), OURS - DELIVERED, "each that is missing");
    for row in missing.iter().chain(&refused) {
        assert!(row.last().is_some_and(|advice| advice.len() > 40), "nothing is said to be done: {row:?}");
    }
    person.sees(&format!("{LOST}: no click id in the URL"));
    person.sees(&format!("{MACROS}: the network did not replace its macro"));

    person.click(&["invalid_click"], &WRONG_ID.to_string()).await;
    person.sees("3 on this page, the latest first");
    let conversion = person.table("on this page")[0][4].clone();

    person.click(&["invalid_click"], &conversion).await;
    person.sees("What the network was told");
    person.sees("Answered with HTTP 400");
    person.sees("A person can replay it until");
    house.end().await;
}

/// What the program prints for a person, asked of this house's hub.
async fn printed(house: &House, arguments: &[&str]) -> String {
    Postback::with(arguments).env("POSTBACK_API", &house.api).run("").await.done()
}

/// The rows of the printed table under this heading, up to its end.
fn printed_rows(printed: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, table) = printed.split_once(heading).unwrap_or_else(|| panic!("no {heading} in\n{printed}"));
    let (table, _) = table.split_once('└').expect("a table ends");
    let rows = table.split('╡').nth(1).expect("a table has a head").lines();
    let cells = |row: &str| row.trim_matches('│').split('┆').map(|cell| cell.trim().to_owned()).collect();
    rows.filter(|row| row.starts_with('│')).map(cells).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_commands_say_the_same() {
    let house = House::on(Engine::Embedded).await;
    night(&house).await;

    let stats = printed(&house, &["stats", "--account", ACCOUNT]).await;
    assert!(
        stats.contains("61 reported = 25 delivered + 10 pending + 5 in doubt + 9 dead + 12 refused"),
        "{stats}"
    );
    let rows = printed_rows(&stats, " to ");
    let numbers = [CONVERSIONS, DELIVERED, PENDING, IN_DOUBT, DEAD, EXPIRED].map(|n| n.to_string());
    assert_eq!((rows[0][0].as_str(), &rows[0][4..]), (ACCOUNT, &numbers[..]));
    assert_eq!((rows[1][0].as_str(), number(&rows[1][9])), ("(not known)", NOBODYS));
    let missing = printed_rows(&stats, "Not delivered, and why");
    let refused = printed_rows(&stats, "Reports refused, which became no conversion");
    let mut why: Vec<_> =
        missing.iter().map(|row| (number(&row[3]), row[2].as_str(), row[4].as_str())).collect();
    why.extend(refused.iter().map(|row| (number(&row[2]), row[1].as_str(), row[3].as_str())));
    why.sort();
    let mut want = [
        (
            UNKNOWN_THERE,
            "expired_click",
            "once mended, postback replay --account powerspace --reason expired_click",
        ),
        (
            WRONG_ID,
            "invalid_click",
            "once mended, postback replay --account powerspace --reason invalid_click",
        ),
        (TOO_LATE, "expired", "nothing: its click's life is over"),
        (
            IN_DOUBT,
            "connection_lost",
            "postback resolve --account powerspace --reason connection_lost --delivered|--resend",
        ),
        (PENDING, "http_403", "mend the account, then postback resume powerspace"),
        (EXPIRED, "click_expired", "nothing: it was reported after its click's 30 days"),
        (NOBODYS, "unknown_user", "no click brought that user: see the landings without a click id"),
    ];
    want.sort();
    assert_eq!(why, want);
    assert_eq!(why.iter().map(|(count, ..)| count).sum::<u64>(), OURS - DELIVERED, "each that is missing");
    let lost = printed_rows(&stats, "Landings without a click id");
    let lost: Vec<_> = lost.iter().map(|row| (row[3].as_str(), number(&row[4]))).collect();
    assert_eq!(lost, [("macro", MACROS), ("missing", LOST)]);

    let dead = ["deliveries", "--account", ACCOUNT, "--state", "dead", "--reason", "invalid_click"];
    let dead = printed_rows(&printed(&house, &dead).await, "");
    assert_eq!(dead.len() as u64, WRONG_ID);
    let story = printed(&house, &["deliveries", &dead[0][0]]).await;
    for word in ["dead", "invalid_click: Powerspace says", "HTTP 400 rejected", "qci=", "sent until"] {
        assert!(story.contains(word), "no {word} in\n{story}");
    }
    house.end().await;
}
