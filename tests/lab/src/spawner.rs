//! Starts programs that end with this process, even when it is killed.
//!
//! Linux sends the death signal when the *thread* that started the program ends, so one thread,
//! which lives as long as the process, starts them all.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

type Order = (Command, Sender<io::Result<Child>>);

/// As whom a program runs, and what it gets when this process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// As the user `postgres` when we are root; SIGQUIT, on which PostgreSQL ends without delay.
    Postgres,
    /// As we are; SIGKILL, because a shell lets what it starts in the background ignore milder ones.
    Us,
}

/// Starts `program` so that it ends with this process; `prepare` may add to the command. The keys that
/// interrupt this process do not reach it: who started it ends it, in the right order.
pub fn spawn(program: &Path, who: Who, prepare: impl FnOnce(&mut Command) -> &mut Command) -> io::Result<Child> {
    let mut command = Command::new("setpriv");
    if who == Who::Postgres && rustix::process::getuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    let farewell = match who {
        Who::Postgres => "QUIT",
        Who::Us => "KILL",
    };
    command.args(["--pdeathsig", farewell, "--"]).arg(program);
    prepare(&mut command).process_group(0);
    let (answer, child) = channel();
    let sent = orders().lock().unwrap_or_else(PoisonError::into_inner).send((command, answer));
    sent.map_err(|_| io::Error::other("the spawner is gone"))?;
    child.recv().map_err(|_| io::Error::other("the spawner is gone"))?
}

fn orders() -> &'static Mutex<Sender<Order>> {
    static ORDERS: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    ORDERS.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                for (mut command, answer) in inbox {
                    // Who asked may have given up; then the child is for nobody.
                    if let Err(unwanted) = answer.send(command.spawn()) {
                        let _ = unwanted.0.and_then(|mut child| child.kill());
                    }
                }
            })
            .expect("a thread can be started");
        Mutex::new(orders)
    })
}
