// Package etcd keeps etcd's own tests among the requirements of this module. Nothing here is linked
// into detcd.
package etcd

import (
	_ "go.etcd.io/etcd/tests/v3/common" // keep
	_ "go.etcd.io/etcd/tests/v3/e2e"    // keep
)
