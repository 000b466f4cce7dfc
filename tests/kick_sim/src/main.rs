//! `kick-sim`: a loopback Kick to run by hand. Prints its settings as lines of a kick-monitor
//! configuration, everything else as comments, and runs until it is killed or its time is over.

use crossbeam_channel::{Receiver, after, never};
use kick_sim::Kick;
use lexopt::{Arg, ValueExt};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const HELP: &str = "\
Usage: kick-sim [OPTIONS] [STREAMER]...

Listens on 127.0.0.1 as Kick would, and prints its URLs as KEY=value lines.

Options:
  --http-port PORT  of the token endpoint, the API and the website (default: a free one)
  --push-port PORT  of Pusher's websocket (default: a free one)
  --demo            make streamers go live and stop at random, and say so
  --seed N          of that chance (default: 1)
  --seconds N       end after so long (default: never)
  --help            this
";

fn main() -> ExitCode {
    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            // A reader who has seen enough has closed the pipe.
            let _ = io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("kick-sim: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kick-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    http_port: u16,
    push_port: u16,
    demo: bool,
    seed: u64,
    limit: Option<Duration>,
    streamers: Vec<String>,
}

impl Options {
    /// `None` when help was wanted.
    fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
        let mut options =
            Options { http_port: 0, push_port: 0, demo: false, seed: 1, limit: None, streamers: Vec::new() };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("http-port") => options.http_port = parser.value()?.parse()?,
                Arg::Long("push-port") => options.push_port = parser.value()?.parse()?,
                Arg::Long("demo") => options.demo = true,
                Arg::Long("seed") => options.seed = parser.value()?.parse()?,
                Arg::Long("seconds") => options.limit = Some(Duration::from_secs(parser.value()?.parse()?)),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(slug) => options.streamers.push(slug.string()?),
                unknown => return Err(unknown.unexpected()),
            }
        }
        options.streamers.sort();
        options.streamers.dedup();
        if options.demo && options.streamers.is_empty() {
            options.streamers = (1..=10).map(|number| format!("streamer-{number}")).collect();
        }
        Ok(Some(options))
    }
}

fn run(options: &Options) -> io::Result<()> {
    let kick = Kick::builder().http_port(options.http_port).push_port(options.push_port).start()?;
    let end = options.limit.map_or_else(never, after);
    say(&introduction(&kick, &options.streamers))?;
    if options.demo {
        return demo(&kick, &options.streamers, options.seed, &end);
    }
    // Nothing is ever said but the end; without a limit there is none, and a signal ends it.
    let _ = end.recv();
    Ok(())
}

fn introduction(kick: &Kick, streamers: &[String]) -> String {
    let mut text = String::new();
    for (key, value) in kick.settings() {
        let _ = writeln!(text, "{key}={value}");
    }
    for slug in streamers {
        let ids = kick.add(slug);
        let _ = writeln!(text, "# streamer {slug} user_id={} channel_id={}", ids.user, ids.channel);
    }
    text
}

/// One streamer after the other begins or ends a broadcast, 0.5 to 4 s apart.
fn demo(kick: &Kick, streamers: &[String], seed: u64, end: &Receiver<Instant>) -> io::Result<()> {
    let mut chance = fastrand::Rng::with_seed(seed);
    say(&format!("# seed {seed}\n"))?;
    loop {
        let pause = Duration::from_millis(chance.u64(500..4000));
        if end.recv_timeout(pause).is_ok() {
            return Ok(());
        }
        let Some(slug) = chance.choice(streamers) else { return Ok(()) };
        let done = match kick.stop(slug) {
            Some(livestream) => format!("# {slug} stopped livestream={livestream}\n"),
            None => format!("# {slug} went live livestream={}\n", kick.go_live(slug)),
        };
        say(&done)?;
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
