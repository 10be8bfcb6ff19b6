package main

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// statuses is how the states of servers look.
func statuses(all []endpointStatus) answer {
	return answer{
		json: all,
		fields: func(p *page) {
			for _, one := range all {
				p.status(one.Endpoint, (*pb.StatusResponse)(one.Status))
			}
		},
		rows: func() ([]string, [][]string) {
			var rows [][]string
			for _, one := range all {
				rows = append(rows, statusRow(one.Endpoint, (*pb.StatusResponse)(one.Status)))
			}
			return []string{
				"endpoint", "ID", "version", "storage version", "db size", "in use",
				"percentage not in use", "quota", "is leader", "is learner", "raft term",
				"raft index", "raft applied index", "errors", "downgrade target version",
				"downgrade enabled",
			}, rows
		},
	}
}

// statusRow is the state of a server in a row.
func statusRow(endpoint string, r *pb.StatusResponse) []string {
	unused := int64(0)
	if r.GetDbSize() > 0 {
		unused = 100 - r.GetDbSizeInUse()*100/r.GetDbSize()
	}
	return []string{
		endpoint, fmt.Sprintf("%x", r.GetHeader().GetMemberId()), r.GetVersion(),
		r.GetStorageVersion(), size(r.GetDbSize()), size(r.GetDbSizeInUse()),
		fmt.Sprintf("%d%%", unused), size(r.GetDbSizeQuota()),
		fmt.Sprint(r.GetLeader() == r.GetHeader().GetMemberId()), fmt.Sprint(r.GetIsLearner()),
		fmt.Sprint(r.GetRaftTerm()), fmt.Sprint(r.GetRaftIndex()),
		fmt.Sprint(r.GetRaftAppliedIndex()), strings.Join(r.GetErrors(), ", "),
		r.GetDowngradeInfo().GetTargetVersion(), fmt.Sprint(r.GetDowngradeInfo().GetEnabled()),
	}
}

// size is a number of bytes as people say it.
func size(bytes int64) string { return humanize.Bytes(uint64(max(0, bytes))) }

// status writes the state of a server in lines.
func (p *page) status(endpoint string, r *pb.StatusResponse) {
	p.header(r.GetHeader())
	p.linef(`"Version" : %q`, r.GetVersion())
	p.linef(`"StorageVersion" : %q`, r.GetStorageVersion())
	p.line(`"DBSize" :`, r.GetDbSize())
	p.line(`"DBSizeInUse" :`, r.GetDbSizeInUse())
	p.line(`"DBSizeQuota" :`, r.GetDbSizeQuota())
	p.line(`"Leader" :`, r.GetLeader())
	p.line(`"IsLearner" :`, r.GetIsLearner())
	p.line(`"RaftIndex" :`, r.GetRaftIndex())
	p.line(`"RaftAppliedIndex" :`, r.GetRaftAppliedIndex())
	p.line(`"Errors" :`, r.GetErrors())
	p.linef(`"Endpoint" : %q`, endpoint)
	p.linef(`"DowngradeTargetVersion" : %q`, r.GetDowngradeInfo().GetTargetVersion())
	p.line(`"DowngradeEnabled" :`, r.GetDowngradeInfo().GetEnabled())
	p.line()
}

// hashes is how the hashes of servers look.
func hashes(all []endpointHash) answer {
	return answer{
		json: all,
		fields: func(p *page) {
			for _, one := range all {
				r := (*pb.HashKVResponse)(one.HashKV)
				p.header(r.GetHeader())
				p.linef(`"Endpoint" : %q`, one.Endpoint)
				p.line(`"Hash" :`, r.GetHash())
				p.line(`"HashRevision" :`, r.GetHashRevision())
				p.line()
			}
		},
		rows: func() ([]string, [][]string) {
			var rows [][]string
			for _, one := range all {
				r := (*pb.HashKVResponse)(one.HashKV)
				rows = append(rows, []string{
					one.Endpoint, fmt.Sprint(r.GetHash()), fmt.Sprint(r.GetHashRevision()),
				})
			}
			return []string{"endpoint", "hash", "hash_revision"}, rows
		},
	}
}
