package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// A crowd waits for turns and notes who got one, in order.
type crowd struct {
	*turns
	order   []string
	refused map[string]int
}

func (c *crowd) wait(ctx context.Context, address, user string) {
	c.waitAgain(ctx, address, user, "")
}

// waitAgain is wait over a connection that may have missed before.
func (c *crowd) waitAgain(ctx context.Context, address, user, connection string) {
	name := address + " " + user + connection
	go func() {
		switch err := c.take(ctx, address, user, connection); {
		case err == nil:
			c.order = append(c.order, name)
		case errors.Is(err, rpctypes.ErrGRPCRequestTooManyRequests):
			c.refused[name]++
		}
	}()
	synctest.Wait()
}

func (c *crowd) serve(n int) {
	for range n {
		c.give()
		synctest.Wait()
	}
}

func TestALoginDoesNotWaitBehindAllGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{turns: newTurns(0), refused: map[string]int{}}
		for i := range 100 {
			c.wait(t.Context(), "guesser", "root")
			c.wait(t.Context(), "guesser", fmt.Sprint("user", i%10))
		}
		c.wait(t.Context(), "friend", "root")
		c.wait(t.Context(), "guesser", "ann")
		c.serve(2)
		if c.order[1] != "friend root" {
			t.Errorf("another address waits behind a guesser: %q", c.order)
		}
		c.serve(12)
		if c.order[12] != "guesser ann" {
			t.Errorf("another user of the address waits behind all: %q", c.order)
		}
		c.serve(188)
		if len(c.order) != 202 || c.waiting != 0 || len(c.addresses) != 0 {
			t.Errorf("%d had a turn, %d wait", len(c.order), c.waiting)
		}
		c.serve(1) // nobody waits: it is free
		c.wait(t.Context(), "late", "")
		if c.order[len(c.order)-1] != "late " {
			t.Error("a turn was lost")
		}
	})
}

// Who comes for the first time over a connection does not wait behind those who guessed before.
func TestALoginDoesNotWaitBehindGuessesOfTheSameUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{turns: newTurns(0), refused: map[string]int{}}
		for i := range 100 {
			connection := fmt.Sprint(" over ", i)
			for range i % 3 {
				c.judge(connection, false)
			}
			c.waitAgain(t.Context(), "here", "ann", connection)
		}
		c.judge(" over the true one", false) // a slip
		c.judge(" over the true one", true)
		c.waitAgain(t.Context(), "here", "ann", " over the true one")
		c.serve(101)
		if len(c.order) != 101 || c.order[0] != "here ann over 0" ||
			c.order[33] != "here ann over 99" || c.order[34] != "here ann over the true one" ||
			c.order[35] != "here ann over 1" {
			t.Errorf("the order is %q", c.order)
		}
		for i := range 2 * missedMax {
			c.judge(fmt.Sprint(i), false)
		}
		if len(c.missed) > missedMax {
			t.Errorf("%d connections are remembered", len(c.missed))
		}
	})
}

func TestWhoWaitsForATurnIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{turns: newTurns(0), refused: map[string]int{}}
		for i := range turnsMax + 50 {
			c.wait(t.Context(), "guesser", fmt.Sprint("user", i%2))
		}
		if c.waiting != turnsMax || c.refused["guesser user0"]+c.refused["guesser user1"] != 50 {
			t.Errorf("%d wait, refused were %v", c.waiting, c.refused)
		}
		c.wait(t.Context(), "friend", "root")
		c.wait(t.Context(), "guesser", "ann")
		if c.waiting != turnsMax || c.refused["friend root"]+c.refused["guesser ann"] != 0 {
			t.Errorf("%d wait, refused were %v", c.waiting, c.refused)
		}
		c.serve(turnsMax)
		if len(c.order) != turnsMax || c.order[1] != "friend root" {
			t.Errorf("%d had a turn", len(c.order))
		}
	})
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{turns: newTurns(0), refused: map[string]int{}}
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			c.wait(ctx, "a", "root")
		}
		c.wait(t.Context(), "a", "root")
		cancel()
		synctest.Wait()
		c.serve(2)
		c.wait(t.Context(), "b", "root")
		if len(c.order) != 2 || c.waiting != 0 || c.free != 0 {
			t.Errorf("%q had a turn, %d wait, %d are free", c.order, c.waiting, c.free)
		}
	})
}

func TestWhereARequestComesFrom(t *testing.T) {
	tcp := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 1234}
	gateway := &net.UnixAddr{Name: "", Net: inMemory}
	for _, c := range []struct {
		from net.Addr
		said string
		want string
	}{
		{tcp, "", "10.0.0.7"},
		{tcp, "10.9.9.9", "10.0.0.7"}, // anybody may say that
		{gateway, "10.9.9.9, 10.0.0.8", "10.0.0.8"},
	} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: c.from})
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("x-forwarded-for", c.said))
		if got := addressOf(ctx); got != c.want {
			t.Errorf("from %s, which says %q: %q", c.from, c.said, got)
		}
	}
}
