package v2http

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"detcd/kv/v2"
)

// A request is what a client asks of a key.
type request struct {
	method    string
	key       string
	value     string
	prevValue string
	prevIndex v2.Index
	prevExist *bool
	expires   v2.Time
	waitIndex v2.Index

	recursive, sorted, dir, quorum, refresh bool
	wait, stream                            bool

	noValueOnSuccess bool
}

func refuse(code v2.Code, cause string) *v2.Error { return &v2.Error{Code: code, Cause: cause} }

// parse reads the form and says what is wrong with it first, in etcd's order.
func parse(r *http.Request, path string, now time.Time) (*request, *v2.Error) {
	if err := r.ParseForm(); err != nil {
		return nil, refuse(v2.InvalidForm, err.Error())
	}
	q := &request{method: r.Method, key: v2.Clean(path)}
	f := form{Values: r.Form}
	q.prevIndex = v2.Index(f.number("prevIndex"))
	q.waitIndex = v2.Index(f.number("waitIndex"))
	q.recursive, q.sorted, q.wait = f.flag("recursive"), f.flag("sorted"), f.flag("wait")
	q.dir, q.quorum, q.stream = f.flag("dir"), f.flag("quorum"), f.flag("stream")
	if q.wait && r.Method != http.MethodGet {
		f.refuse(v2.InvalidField, `"wait" can only be used with GET requests`)
	}
	q.prevValue = r.FormValue("prevValue") // which also reads a form of several parts
	f.Values = r.Form
	if f.Has("prevValue") && q.prevValue == "" {
		f.refuse(v2.PrevValueRequired, `"prevValue" cannot be empty`)
	}
	q.noValueOnSuccess = f.flag("noValueOnSuccess")
	if f.Get("ttl") != "" {
		seconds, err := strconv.ParseUint(f.Get("ttl"), 10, 64)
		if err != nil {
			f.refuse(v2.TTLNotNumber, `invalid value for "ttl"`)
		}
		// As in etcd, what overflows is in the past, or before 2000 and never.
		q.expires = v2.Time(now.Add(time.Duration(seconds) * time.Second).UnixNano())
	}
	if f.Has("prevExist") {
		exist := f.flagNamed("prevExist", "prevExist")
		q.prevExist = &exist
	}
	q.value = f.Get("value")
	if f.Has("refresh") {
		q.refresh = f.flagNamed("refresh", "refresh")
	}
	if q.refresh && q.value != "" {
		f.refuse(v2.RefreshWithValue, "A value was provided on a refresh")
	}
	if q.refresh && f.Get("ttl") == "" {
		f.refuse(v2.RefreshWithoutTTL, "No TTL value set")
	}
	if cause := v2.TooLarge(q.key); cause != "" {
		f.refuse(v2.InvalidField, cause)
	}
	return q, f.err
}

// A form remembers what is wrong with it first.
type form struct {
	url.Values
	err *v2.Error
}

func (f *form) refuse(code v2.Code, cause string) {
	if f.err == nil {
		f.err = refuse(code, cause)
	}
}

func (f *form) number(name string) uint64 {
	if !f.Has(name) {
		return 0
	}
	n, err := strconv.ParseUint(f.Get(name), 10, 64)
	if err != nil {
		f.refuse(v2.IndexNotNumber, `invalid value for "`+name+`"`)
	}
	return n
}

func (f *form) flag(name string) bool { return f.flagNamed(name, `"`+name+`"`) }

func (f *form) flagNamed(name, quoted string) bool {
	if !f.Has(name) {
		return false
	}
	set, err := strconv.ParseBool(f.Get(name))
	if err != nil {
		f.refuse(v2.InvalidField, "invalid value for "+quoted)
	}
	return set
}

// command is the change that a request stands for; nil: it changes nothing.
func (q *request) command(now time.Time) *v2.Command {
	c := &v2.Command{
		Key: q.key, Value: q.value, Dir: q.dir, Recursive: q.recursive, Refresh: q.refresh,
		PrevValue: q.prevValue, PrevIndex: q.prevIndex,
		Expires: q.expires, Now: v2.Time(now.UnixNano()),
	}
	compares := q.prevValue != "" || q.prevIndex != 0
	switch {
	case q.method == http.MethodPost:
		c.Action, c.InOrder, c.Refresh = v2.Create, true, false
	case q.method == http.MethodDelete && compares:
		c.Action = v2.CompareAndDelete
	case q.method == http.MethodDelete:
		c.Action = v2.Delete
	case q.method != http.MethodPut:
		return nil
	case q.prevExist != nil && !*q.prevExist:
		c.Action, c.Refresh = v2.Create, false
	case compares:
		c.Action = v2.CompareAndSwap
	case q.prevExist != nil:
		c.Action = v2.Update
	default:
		c.Action = v2.Set
	}
	return c
}
