//! The feed through the public URL: a proxy that gathers it is found, and one that does not is let be.

use crate::machine::{Machine, free};
use crate::until;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// nginx before an authority.
struct Nginx(Child);

impl Nginx {
    async fn start(
        folder: &Path,
        (listen, authority): (SocketAddr, SocketAddr),
        more: &str,
    ) -> Self {
        let at = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}server {{\nlisten {listen};\n\
             location / {{ proxy_pass http://{authority}; {more} }}\n}}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(file).args(["-e", "stderr"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        let child = child.unwrap_or_else(|why| panic!("nginx: {why}; run: apt-get install nginx"));
        until("the proxy listens", || async { TcpStream::connect(listen).ok() }).await;
        Self(child)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_proxy_that_gathers_the_feed_is_found_and_what_to_set_is_said() {
    let public = free();
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}/s.db", folder.path().display());
    let mut machine = Machine::new(&store, Some(public));
    machine.node.start();
    machine.node.ready().await;
    let key = machine.api_key();
    let look = || machine.doctor_by(&key);
    let unreached = look();
    unreached.expect("public feed", "warn", &["public URL leads to the authority"]);

    // As it comes, it heeds what the authority says of buffering.
    let ways = (public, machine.node.address);
    let proxy = Nginx::start(machine.path(), ways, "").await;
    look().expect("public feed", "good", &["as they are"]);
    drop(proxy);

    let gathers = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    let _proxy = Nginx::start(machine.path(), ways, gathers).await;
    let found = look();
    assert_eq!(found.code, 1);
    found.expect("public feed", "bad", &["no checkpoint within 3 s", "proxy_buffering off"]);

    let unasked = machine.doctor();
    unasked.expect("public feed", "good", &["not looked at", "revocations:read"]);
}
