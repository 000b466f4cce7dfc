// The official client of Centrifugo, as a page of Kick's would use it. It says each thing that happens as a
// line of JSON, and does what it is told by lines: "unsubscribe", "subscribe".
//
// Arguments: the websocket's URL, the URL of Kick's realtime API, and the channel.
import readline from 'node:readline';
import { randomUUID } from 'node:crypto';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const [url, realtime, channel] = process.argv.slice(2);
const say = (what, more = {}) => console.log(JSON.stringify({ what, ...more }));
const client = randomUUID();

class Page extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { origin: 'https://kick.com' });
  }
}

async function getToken() {
  const answer = await fetch(`${realtime}/auth/connection`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: client }),
  });
  const { data } = await answer.json();
  say('token');
  return data.token;
}

const centrifuge = new Centrifuge(url, { websocket: Page, getToken, minReconnectDelay: 100, maxReconnectDelay: 500 });
centrifuge.on('connected', ({ client, transport }) => say('connected', { client, transport }));
centrifuge.on('connecting', ({ code, reason }) => say('connecting', { code, reason }));
centrifuge.on('disconnected', ({ code, reason }) => say('disconnected', { code, reason }));
centrifuge.on('error', ({ type, error }) => say('error', { type, code: error.code, message: error.message }));

const subscription = centrifuge.newSubscription(channel);
subscription.on('subscribed', () => say('subscribed'));
subscription.on('unsubscribed', ({ code, reason }) => say('unsubscribed', { code, reason }));
subscription.on('error', ({ error }) => say('refused', { code: error.code, message: error.message }));
subscription.on('publication', ({ data }) => say('publication', { data }));
subscription.subscribe();
centrifuge.connect();

for await (const line of readline.createInterface({ input: process.stdin })) {
  if (line === 'unsubscribe') subscription.unsubscribe();
  if (line === 'subscribe') subscription.subscribe();
}
process.exit(0);
