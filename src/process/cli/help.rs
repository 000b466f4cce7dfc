//! The texts of `--help`, `help` and `COMMAND --help`; the manual says more.

pub(super) const MAIN: &str = "\
kick-monitor keeps the Online/Offline status of Kick.com streamers in your own
PostgreSQL table.

Usage:
  kick-monitor run [--foreground] [--config FILE] [--pid-file FILE]
  kick-monitor check [--config FILE] [--offline] [--json]
  kick-monitor status [--config FILE] [--json|--prometheus] [STREAMER]
  kick-monitor ids [--sql] [--config FILE] [NAME...]
  kick-monitor schema
  kick-monitor help [COMMAND]

Commands:
  run       be the daemon
  check     try everything that the daemon needs, and say what is missing
  status    say what the running daemon knows
  ids       look up Kick's user id and channel id of streamers
  schema    print a sample table, a role with its grants, and a trigger
  help      print this, or more about a command

Options:
  -h, --help       print this
  -V, --version    print the version

Exit codes:
  0    fine
  1    failed at run time; ids: somebody was not found
  2    wrong command line
  3    status: the daemon is not running
  69   check: Kick or the database is unavailable, refuses, or lacks something
  78   the configuration cannot be used

Configuration: /etc/kick-monitor/kick-monitor.env
Manual: kick-monitor(8), kick-monitor.env(5)
";

pub(super) const RUN: &str = "\
Be the daemon.

Usage: kick-monitor run [--foreground] [--config FILE] [--pid-file FILE]

Without --foreground it goes into the background and logs to syslog, whatever
LOG_TARGET says.

Options:
  --foreground       stay: for systemd, terminals and containers
  --config FILE      the configuration; /etc/kick-monitor/kick-monitor.env
                     unless given
  --pid-file FILE    write the process id there; nowhere unless given
  -h, --help         print this

Signals:
  TERM, INT    stop in order, within 10 seconds
  HUP          read the configuration again
  USR1         read the roster and compare every status at once

Exit codes:
  0    ended as told
  1    failed at run time
  2    wrong command line
  78   the configuration cannot be used
";

pub(super) const CHECK: &str = "\
Try everything that the daemon needs; one line a thing, with the remedy for
what fails. Nothing is written.

Usage: kick-monitor check [--config FILE] [--offline] [--json]

Options:
  --config FILE    the configuration; /etc/kick-monitor/kick-monitor.env
                   unless given
  --offline        the configuration file alone
  --json           print one JSON object
  -h, --help       print this

Exit codes:
  0    all is fine
  1    failed at run time
  2    wrong command line
  69   Kick or the database is unavailable, refuses, or lacks a table, a column
       or a privilege
  78   the configuration cannot be used
";

pub(super) const STATUS: &str = "\
Say what the running daemon knows.

Usage: kick-monitor status [--config FILE] [--json|--prometheus] [STREAMER]

With STREAMER: that one, and why it is Online or Offline.

Options:
  --config FILE    the configuration; /etc/kick-monitor/kick-monitor.env
                   unless given
  --json           print one JSON object
  --prometheus     print metrics in the Prometheus text format
  -h, --help       print this

Exit codes:
  0    fine
  1    failed at run time
  2    wrong command line
  3    the daemon is not running
  78   the configuration cannot be used
";

pub(super) const IDS: &str = "\
Look up Kick's user id and channel id of each NAME; without names, of every row
of the roster. Prints a line for each: NAME USER_ID CHANNEL_ID. What is not
found is said on standard error. Nothing is written.

Usage: kick-monitor ids [--sql] [--config FILE] [NAME...]

A NAME may be @NAME or an address of kick.com. Names alone need no
configuration: Kick's website is asked then. It refuses many a server, so run
this at home and hand the ids over, into the columns channel_id and user_id:

  kick-monitor ids --sql NAME... | ssh SERVER psql DATABASE

Options:
  --sql            print an UPDATE for each, for psql: it sets the columns of
                   DB_CHANNEL_ID_COLUMN and DB_USER_ID_COLUMN, or, without any
                   configuration, channel_id and user_id of the table streamers;
                   the environment may name others
  --config FILE    the configuration; /etc/kick-monitor/kick-monitor.env
                   unless given
  -h, --help       print this

Exit codes:
  0    all were found
  1    somebody was not found, or it failed at run time
  2    wrong command line
  78   the configuration cannot be used
";

pub(super) const SCHEMA: &str = "\
Print, as SQL, a sample table, a role with the least privileges that suffice,
and the optional trigger for ROSTER_NOTIFY_CHANNEL. Nothing is written.

Usage: kick-monitor schema

Options:
  -h, --help    print this

Exit codes:
  0    fine
  1    failed at run time
  2    wrong command line
";
