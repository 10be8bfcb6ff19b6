package etcd

import (
	"encoding/json"
	"errors"

	"detcd/checker"
)

// An Operation is one call of a client of etcd. Times are in nanoseconds.
type Operation = checker.Operation[Request, *Response]

// A Request holds what was asked: a *Range, *Put, *Delete, *Txn, *Compact, *Grant, *Revoke,
// *KeepAlive, *TimeToLive, *Leases, *Watch, *Watched or *Held.
type Request struct{ Ask any }

// A Range reads the keys in [Key, End): End empty is the key alone, "\x00" all from Key on.
type Range struct {
	Key          Bytes `json:"key,omitempty"`
	End          Bytes `json:"end,omitempty"`
	Revision     int64 `json:"revision,omitempty"` // 0 and less: the present one
	Limit        int64 `json:"limit,omitempty"`    // 0 and less: none
	Order        int32 `json:"order,omitempty"`    // 0 none, 1 ascending, 2 descending
	Target       int32 `json:"target,omitempty"`   // 0 key, 1 version, 2 create, 3 mod, 4 value
	Serializable bool  `json:"serializable,omitempty"`
	KeysOnly     bool  `json:"keys_only,omitempty"`
	CountOnly    bool  `json:"count_only,omitempty"`
	MinMod       int64 `json:"min_mod,omitempty"` // the bounds: inclusive, 0 is none
	MaxMod       int64 `json:"max_mod,omitempty"`
	MinCreate    int64 `json:"min_create,omitempty"`
	MaxCreate    int64 `json:"max_create,omitempty"`
}

// A Put writes a key.
type Put struct {
	Key         Bytes `json:"key,omitempty"`
	Value       Bytes `json:"value,omitempty"`
	Lease       int64 `json:"lease,omitempty"`
	PrevKV      bool  `json:"prev_kv,omitempty"`
	IgnoreValue bool  `json:"ignore_value,omitempty"`
	IgnoreLease bool  `json:"ignore_lease,omitempty"`
}

// A Delete deletes the keys in [Key, End).
type Delete struct {
	Key    Bytes `json:"key,omitempty"`
	End    Bytes `json:"end,omitempty"`
	PrevKV bool  `json:"prev_kv,omitempty"`
}

// A Txn does Success if all compares hold, else Failure.
type Txn struct {
	Compare []Compare `json:"compare,omitempty"`
	Success []Request `json:"success,omitempty"` // of *Range, *Put, *Delete and *Txn
	Failure []Request `json:"failure,omitempty"`
}

// A Compare is a condition on every key in [Key, End).
type Compare struct {
	Key    Bytes `json:"key,omitempty"`
	End    Bytes `json:"end,omitempty"`
	Target int32 `json:"target,omitempty"` // 0 version, 1 create, 2 mod, 3 value, 4 lease
	Result int32 `json:"result,omitempty"` // 0 equal, 1 greater, 2 less, 3 not equal
	Number int64 `json:"number,omitempty"`
	Value  Bytes `json:"value,omitempty"` // for target 3
}

// A Compact makes the history before a revision unreadable.
type Compact struct {
	Revision int64 `json:"revision,omitempty"`
}

// A Grant makes a lease. The TTL is in seconds.
type Grant struct {
	ID  int64 `json:"id,omitempty"` // 0: the server chooses
	TTL int64 `json:"ttl,omitempty"`
}

// A Revoke ends a lease and deletes the keys that are attached to it.
type Revoke struct {
	ID int64 `json:"id,omitempty"`
}

// A KeepAlive renews a lease.
type KeepAlive struct {
	ID int64 `json:"id,omitempty"`
}

// A TimeToLive asks how long a lease lives if nobody renews it.
type TimeToLive struct {
	ID   int64 `json:"id,omitempty"`
	Keys bool  `json:"keys,omitempty"`
}

// Leases asks for all leases.
type Leases struct{}

// A Watch opens a watch. Its number is unique in the history.
type Watch struct {
	Watch    int64 `json:"watch,omitempty"`
	Key      Bytes `json:"key,omitempty"`
	End      Bytes `json:"end,omitempty"`
	Start    int64 `json:"start,omitempty"`
	PrevKV   bool  `json:"prev_kv,omitempty"`
	NoPut    bool  `json:"no_put,omitempty"`
	NoDelete bool  `json:"no_delete,omitempty"`
}

// Watched is one message that a watch received. The messages of one watch stand in the history in
// the order in which they came.
type Watched struct {
	Watch int64 `json:"watch,omitempty"`
}

// Held is no request, but what a client believed from call to return: that it holds a lock, or
// leads. The revision of the response is that of the answer that told it so: there no key with the
// prefix Lock was older than its own.
type Held struct {
	Lock   Bytes `json:"lock,omitempty"`
	Key    Bytes `json:"key,omitempty"`
	Create int64 `json:"create,omitempty"` // the create revision of the key, which is the fence
	Guards Bytes `json:"guards,omitempty"` // the key that only the holder is to write
}

// envelope is a request in JSON.
//
// Many fields: one for each method.
type envelope struct {
	Range      *Range      `json:"range,omitempty"`
	Put        *Put        `json:"put,omitempty"`
	Delete     *Delete     `json:"delete,omitempty"`
	Txn        *Txn        `json:"txn,omitempty"`
	Compact    *Compact    `json:"compact,omitempty"`
	Grant      *Grant      `json:"grant,omitempty"`
	Revoke     *Revoke     `json:"revoke,omitempty"`
	KeepAlive  *KeepAlive  `json:"keep_alive,omitempty"`
	TimeToLive *TimeToLive `json:"time_to_live,omitempty"`
	Leases     *Leases     `json:"leases,omitempty"`
	Watch      *Watch      `json:"watch,omitempty"`
	Watched    *Watched    `json:"watched,omitempty"`
	Held       *Held       `json:"held,omitempty"`
}

// MarshalJSON writes an object with one member, which names the method. A request that holds
// nothing, or a stranger, is an error.
func (r Request) MarshalJSON() ([]byte, error) {
	var e envelope
	switch ask := r.Ask.(type) {
	case *Range:
		e.Range = ask
	case *Put:
		e.Put = ask
	case *Delete:
		e.Delete = ask
	case *Txn:
		e.Txn = ask
	case *Compact:
		e.Compact = ask
	case *Grant:
		e.Grant = ask
	case *Revoke:
		e.Revoke = ask
	case *KeepAlive:
		e.KeepAlive = ask
	case *TimeToLive:
		e.TimeToLive = ask
	case *Leases:
		e.Leases = ask
	case *Watch:
		e.Watch = ask
	case *Watched:
		e.Watched = ask
	case *Held:
		e.Held = ask
	default:
		return nil, errors.New("a request of no known method")
	}
	return json.Marshal(e)
}

// UnmarshalJSON reads what MarshalJSON writes. Unknown members are errors.
func (r *Request) UnmarshalJSON(text []byte) error {
	var e envelope
	if err := strict(text, &e); err != nil {
		return err
	}
	r.Ask = nil
	count := 0
	take := func(there bool, ask any) {
		if there {
			r.Ask = ask
			count++
		}
	}
	take(e.Range != nil, e.Range)
	take(e.Put != nil, e.Put)
	take(e.Delete != nil, e.Delete)
	take(e.Txn != nil, e.Txn)
	take(e.Compact != nil, e.Compact)
	take(e.Grant != nil, e.Grant)
	take(e.Revoke != nil, e.Revoke)
	take(e.KeepAlive != nil, e.KeepAlive)
	take(e.TimeToLive != nil, e.TimeToLive)
	take(e.Leases != nil, e.Leases)
	take(e.Watch != nil, e.Watch)
	take(e.Watched != nil, e.Watched)
	take(e.Held != nil, e.Held)
	if count != 1 {
		return errors.New("a request has one member, which names its method")
	}
	return nil
}
