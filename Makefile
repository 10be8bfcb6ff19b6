# Every target is one line that you could type yourself. `make` alone lists them.

.PHONY: help build demo test check sim fleet diff diff-v2 opinion fuzz bench-compare bench-scale
.PHONY: torture torture-kill old-bugs test-clients test-etcd tools clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

build: ## bin/detcd, the server, bin/detcdctl, its command line, and bin/detcdlab, the laboratory
	go build -o bin/ ./cmd/detcd ./cmd/detcdctl ./cmd/detcdlab

demo: build ## three members under load, the leader killed twice: half a minute to watch
	bin/detcdlab demo

test: tools ## every test; the first time builds etcd, which some compare with
	go test -timeout 1h ./... ./.ci/tidy ./.ci/suites

check: ## the rules of the house: floors, determinism, style, gofmt, vet; links between documents
	go run ./.ci/tidy
	go vet ./... ./.ci/tidy ./.ci/suites

sim: build ## a thousand simulated clusters, everything going wrong
	bin/detcdlab sim --seeds 1-1000 --profile everything --jobs 2

fleet: build ## the same on all processors until Ctrl-C, or for SEEDS=n; failures go to failures.jsonl
	bin/detcdlab sim --seeds $(or $(SEEDS),1-) --jobs 0 --failures failures.jsonl

diff: tools ## ten minutes of random requests to etcd and to detcd: is every answer equal?
	go test ./cmd/detcd/difftest -run AndDetcd -count=1 -v -rapid.seed 0 -difftest.for 10m -timeout 20m

opinion: ## an oracle, porcupine and the judge on 350,000 small histories, legal and not: do they agree?
	go test ./checker/judge -run 'Agrees|AreRefused|AllSmall' -count=1 -v -oracle 300000 -opinions 50000 -letters 3 -timeout 1h

fuzz: ## every fuzz target for half a minute
	.ci/fuzz 30s

bench-compare: build tools ## detcd and etcd in turn, half an hour: table, and bin/bench.html to look at
	bin/detcdlab bench compare --html bin/bench.html --json bin/bench.json --markdown bin/bench.md

bench-scale: build tools ## how the cost of a put grows with clients, members, keys, bytes
	bin/detcdlab bench scale --html bin/scale.html --json bin/scale.json --markdown bin/scale.md

torture: build ## a real cluster, everything going wrong for a minute, judged; report in bin/torture.html
	bin/detcdlab torture --nemesis all --duration 1m --html bin/torture.html

torture-kill: build ## kill -9, a thousand times, at any moment; nothing acknowledged may be lost
	bin/detcdlab torture-kill

test-clients: .cache/clients/fetched ## programs made for etcd (Debian, npm, Go), unchanged, with detcd under them
	go test ./cmd/detcd/programtest -count=1 -v -programs $(CURDIR)/.cache/clients
diff-v2: .cache/clients/fetched ## random requests of /v2 to Debian's etcd 3.4 and to detcd: is every answer equal?
	go test ./cmd/detcd/v2test -run Alike -count=1 -v -rapid.checks 300 -etcd34 $(CURDIR)/.cache/clients/debian/usr/bin/etcd
.cache/clients/fetched: .ci/clients/fetch .ci/clients/coredns/go.mod
	.ci/clients/fetch .cache/clients

test-etcd: build tools ## etcd's own common and e2e tests against bin/detcd; the score is in the docs
	go run ./.ci/suites --document docs/compatibility.md

old-bugs: build ## does torture find a known bug of an old etcd? builds that etcd
	.ci/oldetcd/find

tools: .cache/etcd/version ## etcd's own binaries, in .cache/etcd
.cache/etcd/version: .ci/tools/go.mod .ci/tools/build
	.ci/tools/build .cache/etcd

clean: ## removes what was built
	rm -rf bin .cache
