package nemesis

import (
	"errors"
	"fmt"
	"time"
)

// clockTries is how often SetClock tries to stop the process elsewhere than in its clock.
const clockTries = 100

// SetClock puts the time of day of the member ahead of that of the machine, or back, from now on
// and for every process that it starts later. What a program measures with a clock that only goes
// forward, as time-outs and leases should be, stays as it is. It needs Linux on amd64.
func (m *Member) SetClock(offset time.Duration) error {
	m.mu.Lock()
	m.clock = offset
	m.mu.Unlock()
	return m.applyClock()
}

// Clock returns the offset that SetClock gave.
func (m *Member) Clock() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock
}

// applyClock sets the clock of the process, if there is one, and leaves it running or paused, as it
// was.
func (m *Member) applyClock() error {
	pid := m.PID()
	if pid == 0 {
		return nil
	}
	paused, err := allStopped(pid)
	for range clockTries {
		if err == nil && !paused {
			err = m.Pause()
		}
		if err != nil {
			break
		}
		err = setClock(pid, m.Clock())
		if !paused {
			err = errors.Join(err, m.Resume())
		}
		if err == nil || !errors.Is(err, errInClock) || paused {
			break
		}
		err = nil
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("nemesis: clock of %s: %w", m.name, err)
	}
	return nil
}
