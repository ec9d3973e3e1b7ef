//! A check at the gateway against the least that the same server can answer, and behind nginx against nginx
//! alone; the load on the same machine. And how long it takes to renew within a check, beside a renewal by itself.
//!
//! `cargo bench -p symbolon --bench gateway -- [seconds]`, for each of six figures. Every request is the same but for
//! its path: a token of some 500 bytes is read by an empty handler too.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");
const CONNECTIONS: usize = 16;

/// Ended with the benchmark, however that ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(10));
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (_authority, told) = authority("dual-token");
    let address = address_of(&told);
    let bearer = bearer(&sign_in(&told));
    let (_other, told) = authority("gateway-session");
    let (site_address, cookie) = (address_of(&told), cookie(&sign_in(&told)));
    // The same request, token and all, to a handler that does nothing.
    let floor = rate(&address, "/livez", &bearer, span);
    let rules = rate(&address, "/gateway/check/public", &bearer, span);
    let check = rate(&address, "/gateway/check/me", &bearer, span);
    println!("floor: /livez                       {floor:>9.0} a second");
    show("a public path", rules, floor);
    show("a token, judged by the authority", check, floor);
    let own_floor = rate(&site_address, "/livez", &cookie, span);
    let by_cookie = rate(&site_address, "/gateway/check/me", &cookie, span);
    show("a cookie, judged by the authority", by_cookie, own_floor);
    println!("a cookie, in terms of a token: {:.2}", by_cookie / check);
    renewed_within(place.path());
    let [alone, site] = [free_address(), free_address()];
    let _nginx = nginx(place.path(), &address, &alone, &site);
    let floor = rate(&alone, "/me", &bearer, span);
    let behind = rate(&site, "/me", &bearer, span);
    println!("floor: nginx before a 204           {floor:>9.0} a second");
    show("nginx with auth_request", behind, floor);
}

fn show(name: &str, rate: f64, floor: f64) {
    println!("{name:<35} {rate:>9.0} a second   {:.2} of the floor", rate / floor);
}

fn authority(preset: &str) -> (Process, Value) {
    started(&["--access-token-ttl", "1h", "--preset", preset])
}

fn started(arguments: &[&str]) -> (Process, Value) {
    let mut child = Command::new(PROGRAM)
        .args(["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), serde_json::from_str(&line).unwrap())
}

fn address_of(told: &Value) -> String {
    told["authority"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned()
}

/// A header line with the token of somebody who has just signed in.
fn bearer(told: &Value) -> String {
    format!("Authorization: Bearer {}\r\n", told["access_token"].as_str().unwrap())
}

/// The same with their cookie.
fn cookie(told: &Value) -> String {
    let line = told["set_cookie"][0].as_str().unwrap();
    format!("Cookie: {}\r\n", line.split(';').next().unwrap())
}

/// The answer to somebody's sign-in.
fn sign_in(told: &Value) -> Value {
    let (address, key) = (&address_of(told), told["api_key"].as_str().unwrap());
    let body = json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}});
    let body = body.to_string();
    let request = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    let (_, _, body) = exchange(&mut stream, request.as_bytes());
    serde_json::from_slice(&body).unwrap()
}

/// How many answers of 200 or 204 come a second, on [`CONNECTIONS`] connections.
fn rate(address: &str, path: &str, line: &str, span: Duration) -> f64 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{line}\r\n");
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (address, request) = (address.to_owned(), request.clone());
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let (begun, mut count) = (Instant::now(), 0_u32);
                while begun.elapsed() < span {
                    let (status, _, _) = exchange(&mut stream, request.as_bytes());
                    assert!(status == 200 || status == 204, "{status}");
                    count += 1;
                }
                f64::from(count) / begun.elapsed().as_secs_f64()
            })
        })
        .collect();
    callers.into_iter().map(|caller| caller.join().unwrap()).sum()
}

/// Sends a request and reads its answer: status, head and body.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> (u16, String, Vec<u8>) {
    stream.write_all(request).unwrap();
    let (mut heard, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert_ne!(read, 0, "the connection was closed");
        heard.extend_from_slice(&chunk[..read]);
        let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&heard[..end]).unwrap();
        let length: usize = header(head, "content-length").map_or(0, |text| text.parse().unwrap());
        if end + 4 + length <= heard.len() {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return (status, head.to_owned(), heard.split_off(end + 4));
        }
    }
}

/// The value of a header.
fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// How often each session is renewed in either way: of eight open windows, none may close the way.
const RENEWALS: usize = 3;

/// Sessions of each subject, as many as one may have.
const DEVICES: usize = 10;

/// Subjects whose sessions are renewed by one connection.
const SUBJECTS: usize = 6;

/// A renewal at the token endpoint and one within a check, turn by turn on the same sessions. The access token that is
/// shown stays the one of the sign-in, which a changed role has made stale.
fn renewed_within(place: &Path) {
    let file = place.join("symbolon.toml");
    let text = format!(
        "issuer = \"http://127.0.0.1:8620\"\nstore = \"sqlite:{0}/authority/symbolon.db\"\n\
         master_key_file = \"{0}/authority/master.key\"\n[[audiences]]\nname = \"demo-api\"\n\
         [[clients]]\nclient_id = \"web\"\naudience = [\"demo-api\"]\ndelivery = \"headers\"\n\
         [gateway]\nrules = [{{ name = \"all\", prefix = \"/\", renews = true }}]\n",
        place.display()
    );
    std::fs::create_dir(place.join("authority")).unwrap();
    std::fs::write(&file, text).unwrap();
    let (_authority, told) = started(&["--config", file.to_str().unwrap()]);
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|caller| {
            let told = told.clone();
            std::thread::spawn(move || renewals(&told, caller))
        })
        .collect();
    let (mut alone, mut within) = (Vec::new(), Vec::new());
    for caller in callers {
        let (own_alone, own_within) = caller.join().unwrap();
        alone.extend(own_alone);
        within.extend(own_within);
    }
    let p99 = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() * 99 / 100].as_secs_f64() * 1000.0
    };
    let (alone, within) = (p99(&mut alone), p99(&mut within));
    println!("floor: a renewal at /oauth2/token, p99   {alone:>6.2} ms");
    println!(
        "renewed within a check, p99              {within:>6.2} ms   {:+.2} ms",
        within - alone
    );
}

/// How long the renewals of one connection took: at the token endpoint, and within a check.
fn renewals(told: &Value, caller: usize) -> (Vec<Duration>, Vec<Duration>) {
    let (address, key) = (address_of(told), told["api_key"].as_str().unwrap());
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut ask = |head: &str, body: &str| {
        let length = body.len();
        let request =
            format!("{head}\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}");
        let begun = Instant::now();
        let (status, head, body) = exchange(&mut stream, request.as_bytes());
        assert!(status == 200 || status == 201, "{head}");
        (begun.elapsed(), head, body)
    };
    let json = format!("Authorization: Bearer {key}\r\nContent-Type: application/json");
    let mut sessions = Vec::new();
    for number in 0..SUBJECTS {
        let subject = format!("of-{caller}-{number}");
        for _ in 0..DEVICES {
            let body = json!({"subject": subject, "client_id": "web", "device": {"class": "web"}});
            let head = format!("POST /v1/sessions HTTP/1.1\r\n{json}");
            let (_, _, body) = ask(&head, &body.to_string());
            let started: Value = serde_json::from_slice(&body).unwrap();
            let text = |name: &str| started[name].as_str().unwrap().to_owned();
            sessions.push((text("access_token"), text("refresh_token")));
        }
        let head = format!("PUT /v1/subjects/{subject} HTTP/1.1\r\n{json}");
        ask(&head, &json!({"roles": ["clerk"]}).to_string());
    }
    let form = "POST /oauth2/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let check = "GET /gateway/check/me HTTP/1.1";
    let (mut alone, mut within) = (Vec::new(), Vec::new());
    for _ in 0..RENEWALS {
        for (access, refresh) in &mut sessions {
            let head = format!("{form}\r\nX-Refresh-Token: {refresh}");
            let (took, head, _) = ask(&head, "grant_type=refresh_token&client_id=web");
            alone.push(took);
            let newest = header(&head, "x-refresh-token").unwrap();
            let bearer = format!("Authorization: Bearer {access}");
            let head = format!("{check}\r\n{bearer}\r\nX-Refresh-Token: {newest}");
            let (took, head, _) = ask(&head, "");
            within.push(took);
            *refresh = header(&head, "x-refresh-token").unwrap().to_owned();
        }
    }
    (alone, within)
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// nginx with the configuration of `deploy/`, and beside it the same proxying without a check.
fn nginx(place: &Path, authority: &str, alone: &str, site: &str) -> Process {
    let deployed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx/symbolon.conf");
    let application = free_address();
    let deployed = std::fs::read_to_string(deployed).unwrap();
    let deployed = deployed
        .replace("127.0.0.1:8080", site)
        .replace("127.0.0.1:8620", authority)
        .replace("127.0.0.1:3000", &application);
    let at = place.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
    let file = place.join("nginx.conf");
    let text = format!(
        "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
         access_log off;\nkeepalive_requests 100000000;\n{temporary}{deployed}\n\
         server {{ listen {application}; location / {{ return 204; }} }}\n\
         server {{ listen {alone}; location / {{ proxy_pass http://application; \
         proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n}}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(place).arg("-c").arg(file).args(["-e", "stderr"]);
    let started = command.spawn();
    let started = started.unwrap_or_else(|why| panic!("nginx: {why}. Run: apt-get install nginx"));
    let process = Process(started);
    let begun = Instant::now();
    while TcpStream::connect(site).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "nginx does not listen");
        std::thread::yield_now();
    }
    process
}
