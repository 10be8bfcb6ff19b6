//go:build !linux || !amd64

package nemesis

import (
	"errors"
	"time"
)

// errInClock is never returned here.
var errInClock = errors.New("a thread is reading the clock")

// setClock fails: the code that replaces a clock is that of another system.
func setClock(int, time.Duration) error {
	return errors.New("clocks can only be set on Linux on amd64")
}

// setsClocks says that setClock does not work on this system.
const setsClocks = false
