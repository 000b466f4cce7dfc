//! Certificates: the right one is accepted by a client that trusts the authority, and no other.

use kick_sim::{Certificate, Kick};
use native_tls::TlsConnector;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn only_the_right_certificate_is_accepted() {
    let accepted = |certificate| get(certificate).is_ok_and(|answer| answer.starts_with("HTTP/1.1 404"));
    assert!(accepted(Certificate::Right));
    assert!(!accepted(Certificate::Expired));
    assert!(!accepted(Certificate::WrongHost));
    assert!(!accepted(Certificate::UnknownAuthority));
}

#[test]
fn the_websocket_speaks_tls_too() {
    let kick = Kick::builder().tls(Certificate::Right).start().expect("a Kick");
    let url = kick.pusher_url();
    let stream = TcpStream::connect(url.strip_prefix("wss://").expect("TLS")).expect("a connection");
    let stream = connector(&kick).connect("127.0.0.1", stream).expect("a TLS handshake");
    let target = format!("{url}/app/{}?protocol=7", kick.app_key());
    let (mut socket, _) = tungstenite::client(target, stream).expect("a websocket handshake");
    let greeting = socket.read().expect("a frame").into_text().expect("text");
    assert!(greeting.contains("pusher:connection_established"), "{greeting}");
    assert_eq!(kick.connections(), 1);
}

fn get(certificate: Certificate) -> Result<String, Box<dyn std::error::Error>> {
    let kick = Kick::builder().tls(certificate).start()?;
    let url = kick.web_url();
    let stream = TcpStream::connect(url.strip_prefix("https://").expect("TLS"))?;
    let mut stream = connector(&kick).connect("127.0.0.1", stream)?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn connector(kick: &Kick) -> TlsConnector {
    let pem = kick.ca_pem().expect("TLS has an authority");
    let authority = native_tls::Certificate::from_pem(pem.as_bytes()).expect("PEM");
    TlsConnector::builder().add_root_certificate(authority).build().expect("a connector")
}
