package probe

import (
	"maps"
	"slices"
)

// scripts are the workloads.
func scripts() map[string]func(*client) script {
	return map[string]func(*client) script{
		"register":    newRegister,
		"append":      newAppend,
		"set":         newSet,
		"bank":        newBank,
		"watch":       newWatch,
		"lease":       newLease,
		"lock":        newLock,
		"unsafe-lock": newUnsafeLock,
		"election":    newElection,
		"mixed":       newMixed,
	}
}

// Workloads returns the names of all workloads, sorted.
func Workloads() []string { return slices.Sorted(maps.Keys(scripts())) }

// mixed is a bit of everything in one store, as far as it is safe.
type mixed struct {
	client *client
	parts  []script
}

func newMixed(c *client) script {
	m := &mixed{client: c}
	for _, make := range []func(*client) script{
		newRegister, newAppend, newSet, newBank, newWatch, newWatch, newLease, newLock,
		newElection,
	} {
		m.parts = append(m.parts, make(c))
	}
	return m
}

func (m *mixed) step() { m.parts[m.client.random.IntN(len(m.parts))].step() }
