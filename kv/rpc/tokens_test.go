package rpc

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestATokenIsForgottenWhenItIsNotUsed(t *testing.T) {
	k := newKeeper(10 * time.Second)
	at := func(s float64) time.Time { return time.Unix(0, 0).Add(time.Duration(s * 1e9)) }
	k.assign(5, "before.5", "ann", at(0))
	k.live(5)
	k.assign(5, "old.5", "ann", at(0))
	k.assign(6, "new.6", "ann", at(0))
	k.assign(7, "other.7", "bob", at(1))
	for i, c := range []struct {
		token string
		at    float64
		user  string
	}{
		{"before.5", 1, ""}, {"old.5", 1, ""}, {"new.6", 9.9, "ann"}, {"other.7", 10.9, "bob"},
		{"new.6", 19.8, "ann"}, {"other.7", 20.9, ""}, {"other.7", 20.9, ""}, {"new.6", 29.7, "ann"},
	} {
		if user, found := k.find(c.token, at(c.at)); user != c.user || found != (c.user != "") {
			t.Errorf("%d: %s at %v s: %q", i, c.token, c.at, user)
		}
	}
	if len(k.given) != 1 || k.order.Len() != 1 {
		t.Errorf("%d tokens, %d in order", len(k.given), k.order.Len())
	}
}

func TestTokensAreBounded(t *testing.T) {
	k, now := newKeeper(time.Hour), time.Unix(0, 0)
	k.live(0)
	for i := range uint64(tokensMax + 2) {
		k.assign(i+1, fmt.Sprint(i), "ann", now)
		if i == 1 {
			k.find("0", now)
		}
	}
	for token, want := range map[string]bool{"0": false, "1": false, "2": true} {
		if _, found := k.find(token, now); found != want {
			t.Errorf("token %s: %t", token, found)
		}
	}
	if len(k.given) != tokensMax || k.order.Len() != tokensMax {
		t.Errorf("%d tokens, %d in order", len(k.given), k.order.Len())
	}
	k.revoke("bob")
	k.revoke("ann")
	if len(k.given) != 0 || k.order.Len() != 0 {
		t.Errorf("%d tokens, %d in order, after all were revoked", len(k.given), k.order.Len())
	}
}

// TestTheKeeperIsANaiveOne compares it with a map and deadlines.
func TestTheKeeperIsANaiveOne(t *testing.T) {
	type one struct {
		user  string
		until time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		k, naive, now := newKeeper(5*time.Second), map[string]one{}, time.Unix(0, 0)
		k.live(0)
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second)
			user := rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "user")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				k.revoke(user)
				for token, given := range naive {
					if given.user == user {
						delete(naive, token)
					}
				}
			case 1:
				k.clear()
				clear(naive)
			case 2, 3, 4:
				token := fmt.Sprint("t.", i)
				k.assign(uint64(i+1), token, user, now)
				naive[token] = one{user, now.Add(5 * time.Second)}
			default:
				token := fmt.Sprint("t.", rapid.IntRange(0, i).Draw(t, "token"))
				given, want := naive[token]
				want = want && now.Before(given.until)
				if got, found := k.find(token, now); found != want || found && got != given.user {
					t.Fatalf("%s: %q, %t; want %v, %t", token, got, found, given, want)
				}
				if want {
					naive[token] = one{given.user, now.Add(5 * time.Second)}
				}
			}
			if len(k.given) != k.order.Len() || len(k.given) > i+1 {
				t.Fatalf("%d tokens, %d in order", len(k.given), k.order.Len())
			}
		}
	})
}

func TestAPrefixIsAsEtcds(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p, err := prefix()
		if err != nil || len(p) != 16 || seen[p] {
			t.Fatalf("%q, %v", p, err)
		}
		seen[p] = true
	}
}

// FuzzIndexOf: what has an index has it behind its first dot, as a number.
func FuzzIndexOf(f *testing.F) {
	for _, token := range []string{"", ".", "a.1", "a.1.2", "a.-1", "a.18446744073709551615", "1"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		index, ok := indexOf(token)
		if !ok && index != 0 && index != math.MaxUint64 {
			t.Fatalf("%q: %d", token, index)
		}
		if got, again := indexOf(fmt.Sprintf("x.%d", index)); ok && (!again || got != index) {
			t.Fatalf("%q: %d, and again %d", token, index, got)
		}
	})
}
