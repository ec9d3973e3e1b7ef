//! `{user, client, session, device, key} disabled × every grant`: none alive after the 200. A new grant is a new
//! column, a new thing that can be disabled a new row.

use crate::common::{Answer, Ask, Configuration, Server, Tokens, run, until};
use serde_json::{Value, json};

/// What is disabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Off {
    User,
    Client,
    SessionKicked,
    SessionSignedOut,
    DeviceReplaced,
    DeviceDisplaced,
    SigningKey,
    ApiKey,
}

/// How something may be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grant {
    SignIn,
    Repeat,
    Refresh,
    RefreshRetried,
    ClientCredentials,
    IntrospectionOfAPerson,
    IntrospectionOfAService,
}

use Grant::{
    ClientCredentials, IntrospectionOfAPerson, IntrospectionOfAService, Refresh, RefreshRetried,
    Repeat, SignIn,
};

const GRANTS: [Grant; 7] = [
    SignIn,
    Repeat,
    Refresh,
    RefreshRetried,
    ClientCredentials,
    IntrospectionOfAPerson,
    IntrospectionOfAService,
];

impl Off {
    /// Which grants are dead by it, and what they say. What is not named here is not about the thing that
    /// is disabled: a ban of alice is nothing to the service, and who was kicked may sign in again.
    fn kills(self) -> (&'static [Grant], &'static str) {
        const SESSION: &[Grant] = &[Repeat, Refresh, RefreshRetried, IntrospectionOfAPerson];
        match self {
            Self::User => {
                (&[SignIn, Repeat, Refresh, RefreshRetried, IntrospectionOfAPerson], "banned")
            }
            Self::Client => (&GRANTS, "client_disabled"),
            Self::SessionKicked => (SESSION, "kicked"),
            Self::SessionSignedOut => (SESSION, "signed_out"),
            Self::DeviceReplaced | Self::DeviceDisplaced => (SESSION, "displaced"),
            // What it signed is dead; the sessions go on under another key.
            Self::SigningKey => (&[IntrospectionOfAPerson, IntrospectionOfAService], "stale"),
            Self::ApiKey => (&[SignIn, Repeat], "no reason: it is nobody's key any more"),
        }
    }

    /// Disables it, and waits for the 200.
    async fn disable(self, house: &House) {
        let server = &house.server;
        match self {
            Self::User => {
                let ban = Ask::put("/v1/subjects/alice/ban", &json!({}));
                server.ask_as_back_end(ban).await.expect(200);
            }
            Self::Client => {
                for client in ["web", "service"] {
                    server.switch(client, &json!({"disabled": true})).await.expect(200);
                }
            }
            Self::SessionKicked => drop(server.kick(&house.newest.sid).await.expect(200)),
            Self::SessionSignedOut => {
                let form = [("client_id", "web"), ("token", &*house.newest.refresh)];
                server.ask(Ask::form("/oauth2/revoke", &form)).await.expect(200);
            }
            Self::DeviceReplaced => drop(house.sign_in("phone-1").await.expect(201)),
            Self::DeviceDisplaced => drop(house.sign_in("phone-2").await.expect(201)),
            Self::SigningKey => {
                for key in server.list("/v1/keys").await {
                    let revoke = Ask::delete(&format!("/v1/keys/{}", key["kid"].as_str().unwrap()));
                    server.ask_as_back_end(revoke).await.expect(200);
                }
            }
            Self::ApiKey => house.revoke_api_key().await,
        }
    }
}

/// Alice, signed in on a phone and renewed once, beside a service.
struct House {
    server: Server,
    first: Tokens,
    newest: Tokens,
    service: String,
    /// The key of the back end that signs alice in.
    back_end: String,
}

impl House {
    async fn new() -> Self {
        Self::with_phones(1).await
    }

    async fn with_phones(most: usize) -> Self {
        let devices = format!("devices = {{ per_subject = 50, per_class = {{ app = {most} }} }}");
        let web = format!("refresh = {{ grace = \"60s\" }}\n{devices}");
        let server = Server::configured(&Configuration::new().client("web", &web)).await;
        let back_end = server.new_api_key("sessions:start,sessions:read", None).await;
        let start = start("phone-1", true).key(&back_end);
        let first = Tokens::of(&server.ask(start).await.expect(201));
        let newest = server.renew(&first.refresh).await;
        let service = server.service_token(&[]).await.expect(200).text("access_token");
        Self { server, first, newest, service, back_end }
    }

    async fn sign_in(&self, device: &str) -> Answer {
        self.server.ask(start(device, false).key(&self.back_end)).await
    }

    /// From the command's end on it takes up to a second (INTERFACE.md).
    async fn revoke_api_key(&self) {
        let configuration = self.server.home.beside("symbolon.toml").display().to_string();
        let arguments = |what| vec!["apikey", what, "--config", &configuration];
        let listed = run(&[arguments("list"), vec!["--json"]].concat());
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let own = listed["items"].as_array().unwrap().iter().find(|key| key["name"] == "of-a-test");
        let name = own.unwrap()["id"].as_str().unwrap().to_owned();
        let revoked = run(&[arguments("revoke"), vec![&name]].concat());
        assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
        let refused = || async {
            let answer = self.server.ask(Ask::get("/v1/sessions").key(&self.back_end)).await;
            (answer.status == 401).then_some(())
        };
        until("the API key is refused", refused).await;
    }

    /// Tries a grant: `Ok` if it is alive, else the reason that was told, if any.
    async fn try_grant(&self, grant: Grant) -> Result<(), Option<String>> {
        let server = &self.server;
        let answer = match grant {
            SignIn => self.sign_in("phone-9").await,
            Repeat => server.ask(start("phone-1", true).key(&self.back_end)).await,
            Refresh => server.refresh(&self.newest.refresh).await,
            RefreshRetried => server.refresh(&self.first.refresh).await,
            ClientCredentials => server.service_token(&[]).await,
            IntrospectionOfAPerson => return self.introspect(&self.newest.access).await,
            IntrospectionOfAService => return self.introspect(&self.service).await,
        };
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(answer.member("reason").as_str().map(str::to_owned)),
        }
    }

    async fn introspect(&self, token: &str) -> Result<(), Option<String>> {
        let told = self.server.introspect(token).await;
        match told["active"] == true {
            true => Ok(()),
            false => {
                assert_eq!(told, json!({"active": false}), "inactive says nothing else");
                Err(None)
            }
        }
    }
}

fn start(device: &str, keyed: bool) -> Ask {
    let device = json!({"class": "app", "id": device});
    let body: Value = json!({"subject": "alice", "client_id": "web", "device": device});
    let ask = Ask::json("/v1/sessions", &body);
    if keyed { ask.with("idempotency-key", "alice-on-phone-1") } else { ask }
}

async fn nothing_lives_after(off: Off) {
    // Whatever is tried may change the house, so that each grant has one of its own.
    for grant in GRANTS {
        let house = House::new().await;
        assert_eq!(house.try_grant(grant).await, Ok(()), "{grant:?} before {off:?}");
        let house = House::new().await;
        off.disable(&house).await;
        let (dead, reason) = off.kills();
        let tried = house.try_grant(grant).await;
        match dead.contains(&grant) {
            false => assert_eq!(tried, Ok(()), "{grant:?} has nothing to do with {off:?}"),
            true => match tried {
                Err(None) if matches!(grant, IntrospectionOfAPerson | IntrospectionOfAService) => {}
                Err(None) if off == Off::ApiKey => {}
                tried => assert_eq!(tried, Err(Some(reason.to_owned())), "{grant:?} after {off:?}"),
            },
        }
    }
}

#[tokio::test]
async fn a_user_disabled_x_every_grant_none_alive_after_the_200() {
    nothing_lives_after(Off::User).await;
}

#[tokio::test]
async fn a_client_disabled_x_every_grant_none_alive_after_the_200() {
    nothing_lives_after(Off::Client).await;
}

#[tokio::test]
async fn a_session_disabled_x_every_grant_none_alive_after_the_200() {
    nothing_lives_after(Off::SessionKicked).await;
    nothing_lives_after(Off::SessionSignedOut).await;
}

#[tokio::test]
async fn a_device_disabled_x_every_grant_none_alive_after_the_200() {
    nothing_lives_after(Off::DeviceReplaced).await;
    nothing_lives_after(Off::DeviceDisplaced).await;
}

#[tokio::test]
async fn a_key_disabled_x_every_grant_none_alive_after_the_200() {
    nothing_lives_after(Off::SigningKey).await;
    nothing_lives_after(Off::ApiKey).await;
}

#[tokio::test]
async fn a_client_that_is_enabled_again_goes_on_where_it_was() {
    let house = House::new().await;
    Off::Client.disable(&house).await;
    house.server.refresh(&house.newest.refresh).await.expect_over("client_disabled");
    let refused = house.server.service_token(&[]).await;
    refused.expect_oauth(400, "unauthorized_client", Some("client_disabled"));
    for client in ["web", "service"] {
        house.server.switch(client, &json!({})).await.expect(200);
    }
    for (grant, alive) in [
        (IntrospectionOfAPerson, false),
        (IntrospectionOfAService, false),
        (ClientCredentials, true),
        (Repeat, true),
        (Refresh, true),
        (SignIn, true),
    ] {
        assert_eq!(house.try_grant(grant).await.is_ok(), alive, "{grant:?}");
    }
    let newer = house.server.service_token(&[]).await.expect(200).text("access_token");
    assert_eq!(house.server.introspect(&newer).await["active"], true);
}

/// Whoever disables a client because its secret leaked shuts the thief out of introspection too, and
/// a person can sign out through a client that is off.
#[tokio::test]
async fn a_disabled_client_cannot_introspect_and_can_sign_out() {
    let house = House::new().await;
    let server = &house.server;
    Off::Client.disable(&house).await;
    let ask = Ask::form("/oauth2/introspect", &[("token", &house.newest.access)]);
    let refused = server.ask(ask.basic("service", crate::common::SERVICE_SECRET)).await;
    refused.expect_oauth(400, "unauthorized_client", Some("client_disabled"));
    Off::SessionSignedOut.disable(&house).await;
    server.expect_ended(&house.newest.sid, "signed_out").await;
}

/// Sign-ins, refreshes and client credentials that race with the switch are refused, or hold a token that is
/// inactive once the switch was answered.
#[tokio::test]
async fn nothing_lives_after_the_200_of_a_switch_that_races_everything() {
    for _ in 0..10 {
        let house = House::with_phones(50).await;
        let server = &house.server;
        let mut asks = vec![Ask::put("/v1/clients/web", &json!({"disabled": true}))];
        asks.push(Ask::put("/v1/clients/service", &json!({"disabled": true})));
        asks = asks.into_iter().map(|ask| ask.key(server.api_key())).collect();
        let form = [("grant_type", "client_credentials")];
        for at in 0..8 {
            asks.push(Ask::refresh("web", &house.newest.refresh));
            asks.push(start(&format!("other-{at}"), false).key(server.api_key()));
            let own = Ask::form("/oauth2/token", &form);
            asks.push(own.basic("service", crate::common::SERVICE_SECRET));
        }
        let answers = crate::common::at_once(&server.authority, asks).await;
        assert!(answers[..2].iter().all(|answer| answer.status == 200), "{answers:?}");
        for answer in answers[2..].iter().filter(|answer| answer.status.is_success()) {
            let token = answer.text("access_token");
            assert_eq!(server.introspect(&token).await, json!({"active": false}));
        }
        for answer in answers[2..].iter().filter(|answer| !answer.status.is_success()) {
            assert_eq!(answer.text("reason"), "client_disabled", "{answer:?}");
        }
    }
}
