// What a user would write in JavaScript instead of kick-monitor: the official client of Pusher, and a pool
// of ten connections. It survives what those two survive, and checks nothing.
import pg from "pg";
import Pusher from "pusher-js";

const [url, database] = process.argv.slice(2);
if (url === "--check") process.exit(0);

const where = new URL(url);
const pool = new pg.Pool({ connectionString: database, max: 10, options: "-c synchronous_commit=off" });
const { rows } = await pool.query("SELECT id, channel FROM streamers");
const pusher = new Pusher("key", {
  cluster: "",
  wsHost: where.hostname,
  wsPort: Number(where.port),
  forceTLS: false,
  enabledTransports: ["ws"],
  disableStats: true,
});
const set = (id, status) =>
  pool
    .query({
      name: "set",
      text: "UPDATE streamers SET status = $2 WHERE id = $1 AND status IS DISTINCT FROM $2",
      values: [id, status],
    })
    .catch((error) => console.error(error.message));
for (const { id, channel } of rows) {
  const subscription = pusher.subscribe(`channel.${channel}`);
  subscription.bind("App\\Events\\StreamerIsLive", () => set(id, "Online"));
  subscription.bind("App\\Events\\StopStreamBroadcast", () => set(id, "Offline"));
}
