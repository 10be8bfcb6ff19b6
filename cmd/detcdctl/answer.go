package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"google.golang.org/protobuf/proto"
)

// An answer is what came back, and how each format shows it.
type answer struct {
	message proto.Message // protobuf; JSON and the header of fields, too
	json    any           // what JSON is of instead
	simple  func(*page)
	fields  func(*page) // after the header
	rows    func() (head []string, rows [][]string)
}

// A page is what an answer is written on. It is printed whole.
type page struct {
	bytes.Buffer
	hex bool
}

// line writes values with spaces between them.
func (p *page) line(values ...any) { fmt.Fprintln(p, values...) }

// linef writes a line.
func (p *page) linef(format string, values ...any) { fmt.Fprintf(p, format+"\n", values...) }

// show prints an answer.
func (p *program) show(a answer) error {
	page := &page{hex: p.settings.hex}
	var err error
	switch p.settings.format {
	case "json":
		err = page.json(a)
	case "protobuf":
		var encoded []byte
		encoded, err = proto.Marshal(a.message)
		page.Write(encoded)
	case "fields":
		page.fields(a)
	case "table":
		err = page.table(a.rows())
	default:
		if a.simple != nil {
			a.simple(page)
		} else {
			_, rows := a.rows()
			page.rows(rows)
		}
	}
	if err != nil {
		return err
	}
	_, err = page.WriteTo(p.out)
	return err
}

// json writes the answer as the struct that it is, not as protobuf would have it.
func (p *page) json(a answer) error {
	var value any = a.message
	if a.json != nil {
		value = a.json
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	p.linef("%s", encoded)
	return nil
}

// fields writes a line for each value.
func (p *page) fields(a answer) {
	if with, ok := a.message.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		p.header(with.GetHeader())
	}
	if a.fields != nil {
		a.fields(p)
	}
}

// header writes the fields that all responses have. Those about members have no revision.
func (p *page) header(h *pb.ResponseHeader) {
	p.id("ClusterID", h.GetClusterId())
	p.id("MemberID", h.GetMemberId())
	if h.GetRevision() > 0 {
		p.line(`"Revision" :`, h.GetRevision())
	}
	p.line(`"RaftTerm" :`, h.GetRaftTerm())
}

// id writes the identifier of a member or a cluster.
func (p *page) id(name string, id uint64) {
	if p.hex {
		p.linef("%q : %s", name, types.ID(id))
	} else {
		p.linef("%q : %d", name, id)
	}
}

// rows writes a table as lines with commas.
func (p *page) rows(rows [][]string) {
	for _, row := range rows {
		p.line(strings.Join(row, ", "))
	}
}

// table draws a table.
func (p *page) table(head []string, rows [][]string) error {
	config := tablewriter.NewConfigBuilder().WithRowAlignment(tw.AlignRight)
	table := tablewriter.NewTable(p, tablewriter.WithConfig(config.Build()))
	table.Header(head)
	for _, row := range rows {
		if err := table.Append(row); err != nil {
			return err
		}
	}
	return table.Render()
}
