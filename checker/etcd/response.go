package etcd

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Bytes is a key or a value: any bytes. In JSON it is a string if it is UTF-8, else base64.
type Bytes string

// encoded is what is not UTF-8, in JSON.
type encoded struct {
	Base64 string `json:"base64"`
}

// MarshalJSON loses nothing, also when the bytes are not text.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(b)) {
		return json.Marshal(string(b))
	}
	return json.Marshal(encoded{base64.StdEncoding.EncodeToString([]byte(b))})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*b = Bytes(s)
		return nil
	}
	var e encoded
	if err := strict(text, &e); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(e.Base64)
	*b = Bytes(raw)
	return err
}

// strict reads JSON without unknown members.
func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// A KeyValue is one version of a key.
type KeyValue struct {
	Key     Bytes `json:"key,omitempty"`
	Value   Bytes `json:"value,omitempty"`
	Create  int64 `json:"create,omitempty"`
	Mod     int64 `json:"mod,omitempty"`
	Version int64 `json:"version,omitempty"`
	Lease   int64 `json:"lease,omitempty"`
}

// A Response is an answer of any method.
type Response struct {
	Revision  int64       `json:"revision,omitempty"` // of the header
	Term      int64       `json:"term,omitempty"`     // of the header; 0: it was not recorded
	KVs       []KeyValue  `json:"kvs,omitempty"`      // of a put and a delete: the previous ones
	Count     int64       `json:"count,omitempty"`    // of a delete: how many
	More      bool        `json:"more,omitempty"`
	Succeeded bool        `json:"succeeded,omitempty"`
	Responses []Response  `json:"responses,omitempty"` // of a transaction's operations
	Lease     *LeaseReply `json:"lease,omitempty"`
	Watch     *WatchReply `json:"watch,omitempty"`
}

// A LeaseReply is what the methods about leases answer. Times are in seconds.
type LeaseReply struct {
	ID      int64   `json:"id,omitempty"`
	TTL     int64   `json:"ttl,omitempty"`     // granted or remaining, rounded down
	Granted int64   `json:"granted,omitempty"` // 0, and a TTL of 0 or less: there is no such lease
	Keys    []Bytes `json:"keys,omitempty"`
	Leases  []int64 `json:"leases,omitempty"`
}

// A WatchReply is one message of a watch. One with neither events nor flags is a progress
// notification.
type WatchReply struct {
	Created   bool    `json:"created,omitempty"`
	Canceled  bool    `json:"canceled,omitempty"`
	Compacted int64   `json:"compacted,omitempty"` // it was canceled because of that compaction
	Fragment  bool    `json:"fragment,omitempty"`  // the next message continues this one
	Events    []Event `json:"events,omitempty"`
}

// An Event is one change of one key. That of a deletion has only key and mod revision.
type Event struct {
	Delete bool      `json:"delete,omitempty"`
	KV     KeyValue  `json:"kv"`
	Prev   *KeyValue `json:"prev,omitempty"`
}
