# etcd3gw, OpenStack's client of the JSON gateway, used for what it can do.
import sys
import threading

from etcd3gw.client import Etcd3Client

# Its default is /v3alpha, which etcd does not have any more either.
client = Etcd3Client(host=sys.argv[1], port=int(sys.argv[2]), api_path='/v3/')


def equal(got, want):
    if got != want:
        sys.exit('%r is not %r' % (got, want))


equal(client.put('key', 'one'), True)
equal(client.get('key'), [b'one'])
equal(client.replace('key', 'one', 'two'), True)
equal(client.replace('key', 'one', 'three'), False)
equal(client.create('key', 'four'), False)
equal(client.create('other', 'five'), True)
equal([(value, pair['key']) for value, pair in client.get_prefix('k')], [(b'two', b'key')])

lease = client.lease(ttl=100)
client.put('leased', 'x', lease=lease)
equal(90 < lease.ttl() <= 100, True)
equal(lease.keys(), [b'leased'])
equal(lease.refresh(), 100)
lease.revoke()
equal(client.get('leased'), [])

with client.lock(id='lock', ttl=10) as lock:
    equal(lock.is_acquired(), True)
    equal(client.lock(id='lock', ttl=10).acquire(), False)
equal(client.lock(id='lock', ttl=10).acquire(), True)

events, cancel = client.watch('watched')
threading.Timer(0.2, lambda: client.put('watched', 'seen')).start()
for event in events:
    equal(event['kv']['value'], b'seen')
    break
cancel()

equal(client.delete('key'), True)
equal(client.get('key'), [])
equal(len(client.members()), 1)
equal(client.status()['version'].startswith('3.'), True)
