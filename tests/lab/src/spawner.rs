//! Starts programs that end with this process, even when it is killed.
//!
//! Linux sends the death signal when the *thread* that started the program ends, so one thread,
//! which lives as long as the process, starts them all.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

type Order = (Command, Sender<io::Result<Child>>);

/// Starts `program` with `arguments` so that it gets SIGQUIT when this process is gone; as the user
/// `postgres` when `unprivileged` is set and we are root. `prepare` may add to the command. The keys
/// that interrupt this process do not reach it: who started it ends it, in the right order.
pub fn spawn(
    program: &std::path::Path,
    unprivileged: bool,
    prepare: impl FnOnce(&mut Command) -> &mut Command,
) -> io::Result<Child> {
    let mut command = Command::new("setpriv");
    if unprivileged && rustix::process::getuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
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
