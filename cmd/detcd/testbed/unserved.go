package testbed

import (
	"slices"
	"strings"
)

// unserved names the methods of etcd that detcd does not serve yet, some for a part of their
// requests. Tests want from it exactly what gRPC says of a method that is not there; so whoever
// serves one removes it here.
const unserved = `
	Maintenance.Downgrade(ENABLE)
`

// Unserved tells whether detcd does not serve a method yet, as in "KV.RangeStream".
func Unserved(method string) bool { return slices.Contains(strings.Fields(unserved), method) }
