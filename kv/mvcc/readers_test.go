package mvcc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

const (
	accounts = 20
	total    = accounts * 100
)

func account(i int) string { return fmt.Sprintf("account/%02d", i) }

// TestReadersNeverSeeHalfATransfer has readers on other goroutines, while the owner transfers
// between accounts, compacts, seals, merges and restarts. The race detector watches.
func TestReadersNeverSeeHalfATransfer(t *testing.T) {
	y := newYard(t, smallOptions())
	random := rand.New(rand.NewPCG(1, 2))
	txn := y.store.Begin()
	for i := range accounts {
		txn.Put([]byte(account(i)), []byte("100"), 0)
	}
	txn.End()
	views := make(chan *View)
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for v := range views {
				if err := auditView(v); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for round := range 600 {
		y.transfer(random)
		views <- y.store.View()
		y.execute(y.store.StorageStep())
		if round%20 == 0 {
			if err := y.store.Compact(y.store.Revision() - 10); err != nil && round > 0 {
				t.Error(err)
			}
		}
		if round%200 == 199 {
			y.restart()
		}
	}
	close(views)
	readers.Wait()
}

// transfer moves an amount between two accounts; an account that is empty is deleted.
func (y *yard) transfer(random *rand.Rand) {
	from, to := random.IntN(accounts), random.IntN(accounts)
	if from == to {
		return
	}
	txn := y.store.Begin()
	defer txn.End()
	balance := func(i int) int {
		result, err := txn.Range(RangeOptions{Key: []byte(account(i))})
		if err != nil {
			y.t.Error(err)
		}
		if len(result.KVs) == 0 {
			return 0
		}
		return amount(result.KVs[0])
	}
	set := func(i, balance int) {
		if balance == 0 {
			txn.DeleteRange([]byte(account(i)), nil)
			return
		}
		txn.Put([]byte(account(i)), strconv.AppendInt(nil, int64(balance), 10), 0)
	}
	has, moved := balance(from), 0
	if has > 0 {
		moved = random.IntN(has) + 1
	}
	set(to, balance(to)+moved)
	set(from, has-moved)
}

func amount(kv *mvccpb.KeyValue) int {
	n, err := strconv.Atoi(string(kv.Value))
	if err != nil {
		panic(err)
	}
	return n
}

// auditView reads a view in every way.
func auditView(v *View) error {
	for revision := max(v.Compacted(), 2); revision <= v.Revision(); revision++ {
		sum, all := 0, []byte{0}
		result, err := v.Range(RangeOptions{Key: all, End: all, Revision: revision})
		if err != nil {
			return err
		}
		for _, kv := range result.KVs {
			sum += amount(kv)
		}
		if sum != total {
			return fmt.Errorf("at revision %d of view %d there are %d", revision, v.Revision(), sum)
		}
	}
	balances := map[string]int{}
	next := max(v.Compacted(), 2)
	err := v.Events(next, v.Revision(), nil, func(revision int64, events []*mvccpb.Event) bool {
		for _, e := range events {
			balances[string(e.Kv.Key)] = int(e.Kv.ModRevision)
		}
		next++
		return revision == next-1
	})
	if err != nil || next != v.Revision()+1 {
		return errors.Join(err, fmt.Errorf("events end before %d", next))
	}
	for key, revision := range balances {
		if m := v.Meta([]byte(key)); m.Exists() && m.ModRevision != int64(revision) {
			return fmt.Errorf("%s was last changed at %d, says the index, not %d",
				key, m.ModRevision, revision)
		}
	}
	_, _, _, err = v.Hash(0)
	return err
}
