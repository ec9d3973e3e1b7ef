//! What a client's settings say of its access tokens beside their life: whom they are for, how they are signed, and
//! what they ask of whoever verifies them.

use crate::config::check::Members;
use crate::config::duration::duration_text;
use crate::config::place::{Problems, nearest};
use crate::config::{Audience, Client, Format, Preset};
use std::sync::Arc;
use symbolon_wire::Algorithm;

/// The algorithm that a client names.
pub(super) fn alg(row: &Members) -> Option<Algorithm> {
    row.table("access_token")?.text("alg").and_then(Algorithm::from_name)
}

/// Whom its tokens are for where nobody asks; some of those that it has.
pub(super) fn usual_audience(
    row: &Members,
    own: &[Arc<str>],
    problems: &mut Problems,
) -> Vec<Arc<str>> {
    let Some(table) = row.table("access_token") else { return Vec::new() };
    let mut found: Vec<Arc<str>> = Vec::new();
    for (at, (place, name)) in table.texts("audience").iter().enumerate() {
        let what = match own.iter().find(|audience| ***audience == **name) {
            Some(audience) if !found.contains(audience) => {
                found.push(Arc::clone(audience));
                continue;
            }
            Some(_) => format!("{name:?} is listed twice; keep one"),
            None => match nearest(name, own.iter().map(|audience| &**audience)) {
                Some(near) => {
                    format!("{name:?} is no `audience` of this client; did you mean {near:?}?")
                }
                None => format!("{name:?} is no `audience` of this client; list it there too"),
            },
        };
        problems.add(place, format!("{}[{at}]", table.path_of("audience")), what);
    }
    found
}

/// Checks what these settings are to each other and to the audiences.
pub(super) fn check(
    row: &Members,
    client: &Client,
    audiences: &[Audience],
    problems: &mut Problems,
) {
    let of_client: Vec<_> =
        audiences.iter().filter(|audience| client.audience.contains(&audience.name)).collect();
    check_alg(row, client, &of_client, problems);
    check_staleness(row, client, problems);
    check_one_use(row, client, &of_client, problems);
}

fn check_alg(row: &Members, client: &Client, own: &[&Audience], problems: &mut Problems) {
    let (Some(table), Some(alg)) = (row.table("access_token"), client.alg) else { return };
    let refusing = own.iter().find(|audience| !audience.algorithms().any(|other| other == alg));
    let what = match (client.preset.format(), refusing) {
        (Format::Opaque, _) => "an opaque token is not signed; leave it out".to_owned(),
        (Format::Jwt, None) => return,
        (Format::Jwt, Some(audience)) if audience.alg.is_symmetric() => {
            format!("{:?} takes HS256 alone; leave it out", audience.name)
        }
        (Format::Jwt, Some(audience)) => format!(
            "{:?} takes {} tokens; say `accepts = [{:?}]` there once everybody who verifies for it does",
            audience.name,
            audience.alg.name(),
            alg.name()
        ),
    };
    problems.add(table.place_of("alg"), table.path_of("alg"), what);
}

fn check_staleness(row: &Members, client: &Client, problems: &mut Problems) {
    if let Some(age) = client.policy.staleness.filter(|age| age.subsec_nanos() != 0) {
        let what = format!("{} is not whole seconds, and tokens say seconds", duration_text(age));
        problems.add(row.place_of("staleness"), row.path_of("staleness"), what);
    }
}

/// A token for one use is renewed for each: by whoever can, and never in place of one for many uses.
fn check_one_use(row: &Members, client: &Client, own: &[&Audience], problems: &mut Problems) {
    let Some(once) = own.iter().find(|audience| audience.one_use) else { return };
    let lasting = match client.preset {
        Preset::DualToken if client.thin => {
            Some("what its tokens leave out would be asked for with each")
        }
        Preset::DualToken | Preset::Service => None,
        Preset::GatewaySession => Some("a gateway uses one token for many requests"),
        Preset::SlidingSession | Preset::OpaqueSession => Some("its one token is for all requests"),
    };
    let usual = |audience: &&&Audience| {
        client.usual_audience.is_empty() || client.usual_audience.contains(&audience.name)
    };
    let beside = own.iter().filter(usual).find(|audience| !audience.one_use);
    let beside = beside.filter(|_| usual(&once));
    let what = match (lasting, beside) {
        (None, None) => return,
        (Some(why), _) => format!(
            "{:?} takes each token once, and {why}; make a client of preset \"dual-token\" or \"service\" with \
             \"full\" claims for it",
            once.name
        ),
        (None, Some(other)) => format!(
            "{:?} takes each token once, and a token for {:?} too would be for one use there as well; name the \
             others in `access_token.audience`, so that only who asks for {:?} (`resource`) gets one for it",
            once.name, other.name, once.name
        ),
    };
    problems.add(row.place_of("audience"), row.path_of("audience"), what);
}
