package rpc

import (
	"container/list"
	"crypto/rand"
	"math"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tokensMax is how many tokens a member remembers. One more makes it forget the one that was not
// used for longest; its client has to give its password again.
const tokensMax = 100_000

// A keeper knows to whom simple tokens were given. Every member knows all that the log gives out
// while it runs, and forgets each when it was not used there for a time: as in etcd.
type keeper struct {
	ttl   time.Duration
	mutex sync.Mutex
	from  uint64 // tokens of entries up to this index are old ones: the log is read again
	given map[string]*list.Element
	order *list.List // of givens, the one first that was not used for longest
}

// A given is a token that was given out.
type given struct {
	token, user string
	until       time.Time
}

func newKeeper(ttl time.Duration) *keeper {
	return &keeper{
		ttl: ttl, from: math.MaxUint64, given: make(map[string]*list.Element), order: list.New(),
	}
}

// live says that the log was read up to an index when the member started. Ann may have had a token
// in it that is long over, so nothing up to there is remembered.
func (k *keeper) live(index uint64) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.from = index
}

func (k *keeper) assign(index uint64, token, user string, now time.Time) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if index <= k.from {
		return
	}
	for first := k.order.Front(); first != nil; first = k.order.Front() {
		if k.order.Len() < tokensMax && now.Before(first.Value.(*given).until) {
			break
		}
		k.forget(first)
	}
	k.given[token] = k.order.PushBack(&given{token, user, now.Add(k.ttl)})
}

// find tells whose a token is. That is a use of it.
func (k *keeper) find(token string, now time.Time) (user string, found bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	element, found := k.given[token]
	if !found {
		return "", false
	}
	one := element.Value.(*given)
	if !now.Before(one.until) {
		k.forget(element)
		return "", false
	}
	one.until = now.Add(k.ttl)
	k.order.MoveToBack(element)
	return one.user, true
}

// revoke forgets the tokens of a user.
func (k *keeper) revoke(user string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	var next *list.Element
	for element := k.order.Front(); element != nil; element = next {
		next = element.Next()
		if element.Value.(*given).user == user {
			k.forget(element)
		}
	}
}

func (k *keeper) clear() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	clear(k.given)
	k.order.Init()
}

func (k *keeper) forget(element *list.Element) {
	delete(k.given, element.Value.(*given).token)
	k.order.Remove(element)
}

const (
	prefixLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	prefixLength  = 16
)

// prefix is what a token begins with: 91 bits that nobody can guess.
func prefix() (string, error) {
	out, most := make([]byte, prefixLength), big.NewInt(int64(len(prefixLetters)))
	for i := range out {
		n, err := rand.Int(rand.Reader, most)
		if err != nil {
			return "", err
		}
		out[i] = prefixLetters[n.Int64()]
	}
	return string(out), nil
}

// indexOf gives the index of the entry that gave a simple token out.
func indexOf(token string) (index uint64, ok bool) {
	_, digits, found := strings.Cut(token, ".")
	if !found {
		return 0, false
	}
	index, err := strconv.ParseUint(digits, 10, 64)
	return index, err == nil
}
