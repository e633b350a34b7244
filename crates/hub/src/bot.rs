//! Which user agents are no visitors'.

use std::{cell::RefCell, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};
use foldhash::HashMap;

/// Words that no browser's user agent holds.
const CRAWLERS: [&str; 20] = [
    "bot", "crawl", "spider", "http", "@", "preview", "fetch", "monitor", "checker", "feed", "headless",
    "lighthouse", "phantomjs", "slurp", "externalhit", "embed", "validator", "archive", "scrap",
    "mediapartners",
];

/// Words of which a browser's user agent holds one.
const ENGINES: [&str; 16] = [
    "gecko", "webkit", "khtml", "trident", "msie", "presto", "opera", "netfront", "ucbrowser", "ucweb",
    "midp", "blackberry", "konqueror", "lynx", "links", "w3m",
];

/// A brand of telephones, which is no bot.
const TELEPHONE: &str = "cubot";

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = CRAWLERS.iter().chain(&ENGINES).chain([&TELEPHONE]);
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(words)
        .ok()
});

/// How many user agents each thread knows; past it all are judged again.
const KNOWN: usize = 1_024;
/// The longest one that is remembered, in bytes.
const LONGEST: usize = 512;

thread_local! {
    /// User agents that this thread has judged, and which of them are bots: most visitors have one of a few.
    static JUDGED: RefCell<HashMap<Box<[u8]>, bool>> = RefCell::default();
}

/// Whether a user agent is a known crawler, link preview or program: it says so, or names no browser engine.
pub fn is_bot(agent: &[u8]) -> bool {
    JUDGED.with_borrow_mut(|judged| {
        if let Some(bot) = judged.get(agent) {
            return *bot;
        }
        let bot = judge(agent);
        if agent.len() <= LONGEST {
            if judged.len() >= KNOWN {
                judged.clear();
            }
            judged.insert(agent.into(), bot);
        }
        bot
    })
}

fn judge(agent: &[u8]) -> bool {
    let Some(words) = WORDS.as_ref() else { return false };
    let mut browser = false;
    for found in words.find_iter(agent) {
        match found.pattern().as_usize() {
            crawler if crawler < CRAWLERS.len() => return true,
            engine if engine < CRAWLERS.len() + ENGINES.len() => browser = true,
            _telephone => {}
        }
    }
    !browser
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_no_bot() {
        for agent in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 380.0.0.0",
            "Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
            "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1/28.3492; U; en) Presto/2.8.119 Version/11.10",
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        ] {
            assert!(!is_bot(agent.as_bytes()), "{agent}");
        }
    }

    #[test]
    fn a_crawler_a_link_preview_and_a_program_are_bots() {
        for agent in [
            "",
            "curl/8.5.0",
            "python-requests/2.32",
            "Go-http-client/2.0",
            "WhatsApp/2.24.10 A",
            "facebookexternalhit/1.1",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingBOT/2.0) Chrome/116.0 Safari/537.36",
            "Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36 (compatible; AdsBot) Safari/537.36",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0 Safari/537.36",
        ] {
            assert!(is_bot(agent.as_bytes()), "{agent}");
        }
    }
}
