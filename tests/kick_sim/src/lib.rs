//! A loopback Kick: the token endpoint, the official API, the website, the broker of transports, the push
//! websockets, and webhooks, with streamers and faults that a test scripts while it runs.
//!
//! ```
//! use kick_sim::{Face, Fault, Kick};
//!
//! let kick = Kick::start();
//! let ids = kick.add("xqc");
//! let livestream = kick.go_live("xqc"); // the API knows, and `channel.<ids.channel>` is told
//! kick.fault(Face::API, Fault::status(503, "try later"));
//! assert_eq!(kick.stop("xqc"), Some(livestream));
//! ```
//!
//! It listens on 127.0.0.1 only, and dropping it ends every connection and thread. What scripts say
//! is in `script.rs`, what tests can look at in `watch.rs`; what is known of the real Kick, and the
//! sections that comments name, in docs/kick.md.

mod clock;
mod crew;
mod faces;
mod fault;
mod http;
mod journal;
mod push;
mod realtime;
mod script;
mod server;
mod stop;
mod stream;
mod tls;
mod watch;
mod webhooks;
mod world;

pub use fault::{Face, Fault};
pub use http::Answer;
pub use jiff::{SignedDuration, Timestamp};
pub use journal::Request;
pub use push::{DataForm, PushEnd, PushScript, Transport};
pub use realtime::{Guest, Offer, OfferForm};
pub use tls::{Certificate, certificate};
pub use webhooks::{Delivery, status_of};
pub use world::{Broadcast, ExpiresIn, Ids, Lie, UnknownSlug};

use server::Shared;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

/// A running Kick. Every method may be called from any thread, at any time.
pub struct Kick {
    shared: Arc<Shared>,
    http_port: u16,
    push_port: u16,
    ca_pem: Option<String>,
}

impl Kick {
    /// A Kick without TLS, on free ports.
    ///
    /// # Panics
    /// When the machine has no free port, descriptor or thread left.
    pub fn start() -> Kick {
        Kick::builder().start().unwrap_or_else(|error| panic!("no loopback Kick: {error}"))
    }

    /// For TLS, or ports of one's own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `KICK_OAUTH_URL`
    pub fn oauth_url(&self) -> String {
        format!("{}/oauth/token", self.web_url())
    }

    /// `KICK_API_URL`
    pub fn api_url(&self) -> String {
        format!("{}/public/v1", self.web_url())
    }

    /// `KICK_WEB_URL`
    pub fn web_url(&self) -> String {
        format!("http{}://127.0.0.1:{}", self.s(), self.http_port)
    }

    /// `KICK_REALTIME_URL`
    pub fn realtime_url(&self) -> String {
        format!("{}/api/v1/realtime", self.web_url())
    }

    /// `PUSHER_URL`
    pub fn pusher_url(&self) -> String {
        format!("ws{}://127.0.0.1:{}", self.s(), self.push_port)
    }

    /// `PUSHER_APP_KEY`: the key in force at the beginning.
    pub fn app_key(&self) -> &str {
        realtime::APP_KEY
    }

    /// What [`Offer::Centrifugo`] names; no setting has it.
    pub fn centrifugo_url(&self) -> &str {
        &self.shared.app.centrifugo_url
    }

    /// `KICK_CLIENT_ID`
    pub fn client_id(&self) -> &str {
        &self.shared.app.client_id
    }

    /// `KICK_CLIENT_SECRET`
    pub fn client_secret(&self) -> &str {
        &self.shared.app.client_secret
    }

    /// The authority to trust (`TLS_CA_FILE`); `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// All of that but the authority, by the keys of kick-monitor's configuration.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("KICK_CLIENT_ID", self.client_id().to_owned()),
            ("KICK_CLIENT_SECRET", self.client_secret().to_owned()),
            ("KICK_OAUTH_URL", self.oauth_url()),
            ("KICK_API_URL", self.api_url()),
            ("KICK_WEB_URL", self.web_url()),
            ("KICK_REALTIME_URL", self.realtime_url()),
            ("PUSHER_URL", self.pusher_url()),
            ("PUSHER_APP_KEY", self.app_key().to_owned()),
        ]
    }

    fn s(&self) -> &'static str {
        if self.ca_pem.is_some() { "s" } else { "" }
    }
}

impl Drop for Kick {
    fn drop(&mut self) {
        self.shared.stop.set();
        self.shared.crew.join();
    }
}

/// How a Kick is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builder {
    tls: Option<Certificate>,
    http_port: u16,
    push_port: u16,
    centrifugo_port: u16,
}

impl Builder {
    /// Speaks TLS, with this certificate.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Builder {
        self.tls = Some(certificate);
        self
    }

    /// The port of everything that is asked over HTTP; 0, the default, is a free one.
    #[must_use]
    pub fn http_port(mut self, port: u16) -> Builder {
        self.http_port = port;
        self
    }

    /// The port of Pusher's websocket; 0, the default, is a free one.
    #[must_use]
    pub fn push_port(mut self, port: u16) -> Builder {
        self.push_port = port;
        self
    }

    /// The port of Centrifugo's websocket; 0, the default, is a free one.
    #[must_use]
    pub fn centrifugo_port(mut self, port: u16) -> Builder {
        self.centrifugo_port = port;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When a port is taken, or the machine has no descriptor or thread left.
    pub fn start(self) -> io::Result<Kick> {
        let (tls, ca_pem) = self.tls.map(tls::acceptor).transpose()?.unzip();
        let (http, http_port) = bind(self.http_port)?;
        let (pusher, push_port) = bind(self.push_port)?;
        let (centrifugo, centrifugo_port) = bind(self.centrifugo_port)?;
        let (bell, faults) = (Arc::default(), Arc::default());
        let s = if ca_pem.is_some() { "s" } else { "" };
        let app = faces::App {
            client_id: "01KICKSIMCLIENTID".to_owned(),
            client_secret: "kick-sim-client-secret".to_owned(),
            centrifugo_url: format!("ws{s}://127.0.0.1:{centrifugo_port}/connection/websocket"),
        };
        let shared = Arc::new(Shared {
            app,
            tls,
            stop: stop::Stop::new()?,
            crew: crew::Crew::default(),
            push: push::Push::new(Arc::clone(&bell), Arc::clone(&faults)),
            bell,
            faults,
            journal: journal::Journal::default(),
            world: Mutex::new(world::World::new()),
        });
        // From here on, dropping it stops what has been started.
        let kick = Kick { shared, http_port, push_port, ca_pem };
        kick.listen("kick-http", http, &Face::HTTP)?;
        kick.listen("kick-pusher", pusher, &[Face::Push])?;
        kick.listen("kick-centrifugo", centrifugo, &[Face::Centrifugo])?;
        Ok(kick)
    }
}

impl Kick {
    fn listen(&self, thread: &str, listener: TcpListener, faces: &'static [Face]) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.shared.crew.start(thread, move || server::listen(&shared, &listener, faces))
    }
}

fn bind(port: u16) -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
