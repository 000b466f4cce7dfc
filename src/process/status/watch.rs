//! `status --watch`: one screen, drawn anew every two seconds in place, until a key is pressed.
//!
//! Whatever ends it (a key, Ctrl-C, a signal, a panic, a terminal that is gone), the terminal is as before.

use crate::clock::Clock;
use crate::process::complain;
use crate::process::exit::Code;
use crate::process::paint::Paint;
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::low_level::pipe;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

/// A screen of its own without cursor, on which long lines are cut by the terminal.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// Draws what `page` returns, until it is told to end.
///
/// # Errors
/// When the terminal cannot be set up or written to.
pub(super) fn run(mut page: impl FnMut(Paint) -> String) -> anyhow::Result<Code> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() || dumb {
        complain("--watch needs a terminal that it can draw on; without --watch, the status is printed once");
        return Ok(Code::Usage);
    }
    // Before the terminal is changed, so that no signal ends the process in between.
    let ending = Alarm::on(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP])?;
    let resized = Alarm::on(&[SIGWINCH])?;
    let clock = Clock::start();
    let terminal = Terminal::enter()?;
    let mut due = clock.steady();
    loop {
        if due <= clock.steady() {
            due = clock.steady() + EVERY;
            terminal.draw(&page(Paint::for_stdout()))?;
        }
        let stdin = io::stdin();
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(&ending.0, PollFlags::IN),
            PollFd::new(&resized.0, PollFlags::IN),
        ];
        let wait = Timespec::try_from(clock.until(due)).context("failed to wait")?;
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("failed to wait for a key"),
        }
        let [key, end, size] = fds.map(|fd| !fd.revents().is_empty());
        if key || end {
            return Ok(Code::Fine);
        }
        if size {
            resized.clear();
            due = clock.steady();
        }
    }
}

/// The terminal, until this is dropped.
struct Terminal {
    before: Termios,
}

impl Terminal {
    fn enter() -> anyhow::Result<Terminal> {
        let before = tcgetattr(io::stdin()).context("failed to examine the terminal")?;
        let mut modes = before.clone();
        // A key arrives without Enter and is not shown; Ctrl-C is a key like any other.
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(io::stdin(), OptionalActions::Now, &modes).context("failed to set up the terminal")?;
        let terminal = Terminal { before };
        write(ENTER)?;
        Ok(terminal)
    }

    /// Shows as much of the page as fits.
    fn draw(&self, page: &str) -> anyhow::Result<()> {
        let rows = tcgetwinsize(io::stdout()).map_or(24, |size| usize::from(size.ws_row));
        let rows = if rows == 0 { 24 } else { rows };
        let mut text = "\u{1b}[H".to_owned();
        for line in page.lines().take(rows.saturating_sub(1)) {
            text.extend([line, "\u{1b}[K\r\n"]);
        }
        text.push_str("\u{1b}[J(any key ends this)");
        write(&text)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore. What was typed is not for the shell.
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("failed to write to the terminal")
}

/// Becomes readable when one of its signals comes.
struct Alarm(UnixStream);

impl Alarm {
    fn on(signals: &[i32]) -> anyhow::Result<Alarm> {
        let (reader, writer) = UnixStream::pair().context("failed to create a pair of sockets")?;
        reader.set_nonblocking(true).context("failed to set up a socket")?;
        for signal in signals {
            let writer = writer.try_clone().context("failed to set up a socket")?;
            pipe::register(*signal, writer).context("failed to handle signals")?;
        }
        Ok(Alarm(reader))
    }

    fn clear(&self) {
        let mut reader = &self.0;
        while reader.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }
}
