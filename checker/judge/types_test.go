package judge

import "detcd/checker/etcd"

// The types of the format, which tests name often.
type (
	Bytes      = etcd.Bytes
	Compact    = etcd.Compact
	Compare    = etcd.Compare
	Delete     = etcd.Delete
	Event      = etcd.Event
	Grant      = etcd.Grant
	Held       = etcd.Held
	KeepAlive  = etcd.KeepAlive
	KeyValue   = etcd.KeyValue
	LeaseReply = etcd.LeaseReply
	Operation  = etcd.Operation
	Put        = etcd.Put
	Range      = etcd.Range
	Request    = etcd.Request
	Response   = etcd.Response
	Revoke     = etcd.Revoke
	State      = etcd.State
	TimeToLive = etcd.TimeToLive
	Txn        = etcd.Txn
	Watch      = etcd.Watch
	WatchReply = etcd.WatchReply
	Watched    = etcd.Watched
)
