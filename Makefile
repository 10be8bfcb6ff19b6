# Every target is one line that you could type yourself. `make` alone lists them.

.PHONY: help check test fuzz tools clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

check: ## house style, floors and determinism (.ci/tidy), gofmt, vet
	@go run ./.ci/tidy && go vet ./... ./.ci/tidy

test: tools ## every test; the first run builds etcd, the oracle of some of them
	go test ./... ./.ci/tidy

fuzz: tools ## ten minutes of random requests, sent to detcd and to etcd: is every answer equal?
	go test ./cmd/detcd/difftest -run 'TestSame' -rapid.checks 1000000 -timeout 12m -difftest.time 10m

tools: .cache/etcd/version ## etcd's own binaries, in .cache/etcd
.cache/etcd/version: .ci/tools/go.mod .ci/tools/build
	.ci/tools/build .cache/etcd

clean: ## removes what was built and cached here
	rm -rf bin .cache
