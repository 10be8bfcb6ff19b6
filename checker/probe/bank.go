package probe

import (
	"fmt"
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/checker/etcd"
)

// bank moves money between accounts. No transfer may be seen half, whether all accounts are read by
// one range or each by its own in a transaction.
type bank struct{ client *client }

func newBank(c *client) script { return &bank{c} }

// opening is what an account has at first.
const opening = 100

func (b *bank) step() {
	c := b.client
	accounts := c.some("bank/", 2)
	if len(accounts) < 2 || c.chance(25) {
		b.audit()
		return
	}
	answer := c.do(&pb.TxnRequest{Success: ops(get(accounts[0]), get(accounts[1]))})
	if answer == nil || len(answer.Responses) != 2 {
		return
	}
	from, to := first(&answer.Responses[0]), first(&answer.Responses[1])
	amount := min(1+c.random.IntN(10), balance(&from))
	c.do(&pb.TxnRequest{
		Compare: []*pb.Compare{unchanged(accounts[0], from.Mod), unchanged(accounts[1], to.Mod)},
		Success: ops(put(accounts[0], strconv.Itoa(balance(&from)-amount)),
			put(accounts[1], strconv.Itoa(balance(&to)+amount))),
		Failure: ops(get(accounts[0]), get(accounts[1])),
	})
}

// audit reads all accounts.
func (b *bank) audit() {
	c := b.client
	if c.chance(50) {
		request := under("bank/")
		request.Serializable = c.chance(30)
		c.do(request)
		return
	}
	request := &pb.TxnRequest{}
	for n := range min(c.probe.options.Keys, auditMax) {
		request.Success = append(request.Success, ops(get(fmt.Sprintf("bank/%d", n)))...)
	}
	c.do(request)
}

// auditMax is how many accounts are read one by one in a transaction; etcd allows 128 operations.
const auditMax = 100

// balance reads an account; one that is not there yet has its opening.
func balance(kv *etcd.KeyValue) int {
	if n, err := strconv.Atoi(string(kv.Value)); err == nil {
		return n
	}
	return opening
}
