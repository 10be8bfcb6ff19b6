package rpc

import (
	"testing"
	"time"

	"detcd/kv"
)

// What is not set is as in etcd, and what derives from it follows.
func TestOptionsDerive(t *testing.T) {
	for _, c := range []struct {
		name     string
		options  Options
		limits   kv.Limits
		progress time.Duration
		timeout  time.Duration
		lead     time.Duration
		message  int
	}{
		{"nothing set", Options{}, kv.Limits{RequestBytesMax: 1572864, TxnOpsMax: 128, LeaseTTLMin: 2},
			10 * time.Minute, 7 * time.Second, 2 * time.Second, 2097152},
		{"a faster cluster", Options{ElectionTimeout: 500 * time.Millisecond},
			kv.Limits{RequestBytesMax: 1572864, TxnOpsMax: 128, LeaseTTLMin: 1},
			10 * time.Minute, 6 * time.Second, time.Second, 2097152},
		{"a slower cluster", Options{ElectionTimeout: 1400 * time.Millisecond},
			kv.Limits{RequestBytesMax: 1572864, TxnOpsMax: 128, LeaseTTLMin: 3},
			10 * time.Minute, 7800 * time.Millisecond, 2800 * time.Millisecond, 2097152},
		{"all set", Options{
			Limits:           kv.Limits{RequestBytesMax: 1000, TxnOpsMax: 5, LeaseTTLMin: 9},
			ProgressInterval: time.Millisecond,
		}, kv.Limits{RequestBytesMax: 1000, TxnOpsMax: 5, LeaseTTLMin: 9},
			100 * time.Millisecond, 7 * time.Second, 2 * time.Second, 525288},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := c.options.withDefaults()
			carrier := newCarrier(newLoner(t), options)
			watches := newWatchService(carrier, options).options
			if options.Limits != c.limits || carrier.limits != c.limits {
				t.Errorf("limits %+v and %+v, want %+v", options.Limits, carrier.limits, c.limits)
			}
			if carrier.timeout != c.timeout || carrier.lead != c.lead {
				t.Errorf("timeout %v, lead %v", carrier.timeout, carrier.lead)
			}
			if watches.ProgressInterval != c.progress || watches.FragmentBytes != c.message {
				t.Errorf("watches %+v", watches)
			}
		})
	}
}
