package rpc

import (
	"fmt"
	"testing"
)

// However many versions there are said to be, they take bounded memory, and each request counts.
func TestClientsOfManyVersionsAreCounted(t *testing.T) {
	m := new(Meter)
	m.clients.add(ClientKind{"3.7", "unary"})
	const many = 1000
	for i := range many {
		m.clients.add(ClientKind{fmt.Sprint(i), "stream"})
	}
	m.clients.add(ClientKind{"3.7", "unary"})
	all := m.Clients()
	if all[ClientKind{"3.7", "unary"}] != 2 || len(all) != clientVersionsMax+1 ||
		all[ClientKind{"other", "stream"}] != many-clientVersionsMax+1 {
		t.Errorf("%d kinds: %v", len(all), all)
	}
}
