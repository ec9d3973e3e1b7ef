//! Whether a request with a cookie was meant by the page that the cookie is for.

use symbolon_core::csrf::Forgery::{ForeignOrigin, Nowhere, OtherSite, WrongToken};
use symbolon_core::csrf::{Asked, Forgery, Origin, Site, Token};

const SITES: [Option<Site>; 6] = [
    None,
    Some(Site::SameOrigin),
    Some(Site::SameSite),
    Some(Site::CrossSite),
    Some(Site::Person),
    Some(Site::Unknown),
];
const ORIGINS: [Origin; 3] = [Origin::Absent, Origin::Listed, Origin::Foreign];
const TOKENS: [Token; 3] = [Token::Absent, Token::Right, Token::Wrong];

fn asked(site: Option<Site>, origin: Origin, token: Token) -> Asked<'static> {
    Asked { method: "POST", upgrades: false, site, origin, token }
}

/// Everything that a request can say beside its method.
fn all() -> impl Iterator<Item = Asked<'static>> {
    SITES.into_iter().flat_map(|site| {
        ORIGINS
            .into_iter()
            .flat_map(move |origin| TOKENS.into_iter().map(move |token| asked(site, origin, token)))
    })
}

#[test]
fn what_only_reads_passes_whoever_caused_it() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        for asked in all() {
            assert_eq!(Asked { method, ..asked }.judge(), Ok(()), "{method} {asked:?}");
        }
    }
}

#[test]
fn the_opening_of_a_websocket_is_judged_like_an_act() {
    for asked in all() {
        let opens = Asked { method: "GET", upgrades: true, ..asked };
        assert_eq!(opens.judge(), asked.judge(), "{opens:?}");
    }
}

#[test]
fn a_method_that_nobody_knows_may_act() {
    for method in ["PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "get", "", "GET "] {
        for asked in all() {
            assert_eq!(Asked { method, ..asked }.judge(), asked.judge(), "{method} {asked:?}");
        }
    }
}

#[test]
fn an_act_passes_by_the_strongest_word_that_is_there() {
    type Row = (Option<Site>, Origin, Token, Result<(), Forgery>);
    let any = |site: Site, verdict: Result<(), Forgery>| -> Vec<Row> {
        let rows = all().filter(|asked| asked.site == Some(site));
        rows.map(|asked| (asked.site, asked.origin, asked.token, verdict)).collect()
    };
    let by_origin = |site, origin, verdict| -> Vec<Row> {
        TOKENS.into_iter().map(|token| (site, origin, token, verdict)).collect()
    };
    let rows = [
        any(Site::SameOrigin, Ok(())),
        any(Site::Person, Ok(())),
        by_origin(Some(Site::SameSite), Origin::Listed, Ok(())),
        by_origin(Some(Site::SameSite), Origin::Absent, Err(OtherSite)),
        by_origin(Some(Site::SameSite), Origin::Foreign, Err(OtherSite)),
        any(Site::CrossSite, Err(OtherSite)),
        any(Site::Unknown, Err(OtherSite)),
        by_origin(None, Origin::Listed, Ok(())),
        by_origin(None, Origin::Foreign, Err(ForeignOrigin)),
        vec![
            (None, Origin::Absent, Token::Right, Ok(())),
            (None, Origin::Absent, Token::Wrong, Err(WrongToken)),
            (None, Origin::Absent, Token::Absent, Err(Nowhere)),
        ],
    ];
    let rows = rows.concat();
    assert_eq!(rows.len(), all().count(), "every case is in one row");
    for (site, origin, token, verdict) in rows {
        assert_eq!(asked(site, origin, token).judge(), verdict, "{site:?} {origin:?} {token:?}");
    }
}

#[test]
fn a_word_that_no_browser_says_is_no_friend() {
    for (word, site) in [
        ("same-origin", Site::SameOrigin),
        ("same-site", Site::SameSite),
        ("cross-site", Site::CrossSite),
        ("none", Site::Person),
        ("", Site::Unknown),
        ("None", Site::Unknown),
        ("same-origin, cross-site", Site::Unknown),
        ("SAME-ORIGIN", Site::Unknown),
    ] {
        assert_eq!(Site::parse(word), site, "{word}");
    }
}
