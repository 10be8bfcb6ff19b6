// Command coredns is CoreDNS with the one plugin that the tests use, unchanged: the others would
// bring hundreds of modules.
package main

import (
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/etcd"
)

func main() { coremain.Run() }
