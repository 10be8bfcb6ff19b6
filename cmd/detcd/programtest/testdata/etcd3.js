// etcd3, the client of Node, used for what it can do.
const assert = require('assert');
const { Etcd3 } = require('etcd3');

const url = process.argv[2];
const first = (emitter, event) =>
  new Promise((resolve, reject) => emitter.on(event, resolve).on('error', reject));

async function keys(client) {
  await client.put('key').value('one');
  assert.equal(await client.get('key').string(), 'one');
  const range = client.namespace('ns/');
  await range.put('a').value('1');
  await range.put('b').value('2');
  assert.deepEqual(await client.getAll().prefix('ns/').strings(), { 'ns/a': '1', 'ns/b': '2' });
  assert.deepEqual(await range.getAll().sort('Key', 'Descend').limit(1).strings(), { b: '2' });
  assert.equal((await range.delete().all()).deleted, 2);
}

async function watches(client) {
  const watcher = await client.watch().prefix('w/').create();
  const put = first(watcher, 'put');
  await client.put('w/1').value('x');
  assert.equal((await put).value.toString(), 'x');
  const gone = first(watcher, 'delete');
  await client.delete().key('w/1');
  assert.equal((await gone).key.toString(), 'w/1');
  await watcher.cancel();
}

async function leases(client) {
  const lease = client.lease(10);
  await lease.put('leased').value('x');
  await lease.keepaliveOnce();
  assert.equal(await client.get('leased').string(), 'x');
  await lease.revoke();
  assert.equal(await client.get('leased'), null);
}

async function transactions(client) {
  const done = await client.if('key', 'Value', '==', 'one')
    .then(client.put('key').value('two')).else(client.get('key')).commit();
  assert.equal(done.succeeded, true);
  let tries = 0;
  await client.stm({ isolation: 0 }).transact(async (tx) => {
    const value = await tx.get('key').string();
    if (tries++ === 0) await client.put('key').value('in between');
    await tx.put('key').value(value + '!');
  });
  assert.equal(await client.get('key').string(), 'in between!');
}

async function locksAndElections(client) {
  const lock = client.lock('lock');
  await lock.acquire();
  await assert.rejects(client.lock('lock').acquire(), /lock/i);
  await lock.release();
  await client.lock('lock').do(async () => {});
  const election = client.election('election');
  const campaign = election.campaign('me');
  await first(campaign, 'elected');
  assert.equal(await election.leader(), 'me');
  await campaign.resign();
}

async function users(client) {
  const role = await client.role('worker').create();
  await role.grant({ permission: 'Readwrite', key: 'k' });
  const user = await client.user('root').create('secret');
  await user.addRole('worker');
  await client.role('root').create();
  await user.addRole('root');
  await client.auth.authEnable();
  await assert.rejects(client.get('key').string());
  const known = new Etcd3({ hosts: url, auth: { username: 'root', password: 'secret' } });
  assert.equal(await known.get('key').string(), 'in between!');
  await known.auth.authDisable();
  known.close();
}

(async () => {
  const client = new Etcd3({ hosts: url });
  for (const step of [keys, watches, leases, transactions, locksAndElections, users]) {
    await step(client);
    console.log(step.name, 'ok');
  }
  assert.equal((await client.cluster.memberList({})).members.length, 1);
  assert.match((await client.maintenance.status()).version, /^3\./);
  client.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
