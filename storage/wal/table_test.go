package wal

import (
	"errors"
	"slices"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
)

// TestTheTableHasExactlyOneRowForEachCase tests the table by itself; what the rows mean for a log
// is in TestEachRowOfTheTable.
func TestTheTableHasExactlyOneRowForEachCase(t *testing.T) {
	used := make([]bool, len(table()))
	for h := blank; h < allHere; h <<= 1 {
		for b := nothing; b < allBehind; b <<= 1 {
			for n := none; n < allBeyond; n <<= 1 {
				rows := 0
				for i, row := range table() {
					if row.here&h != 0 && row.behind&b != 0 && row.beyond&n != 0 {
						rows++
						used[i] = true
					}
				}
				if rows != 1 {
					t.Errorf("here %b, behind %b, beyond %b: %d rows", h, b, n, rows)
				}
			}
		}
	}
	for i, used := range used {
		if !used {
			t.Errorf("row %d is never used", i)
		}
	}
}

const (
	testSize = 200
	// Where the batches of one record of 4 bytes stand in a segment.
	first, second, third = 48, 88, 128
)

// A book is a log to be damaged: three segments of two batches with a record of four bytes each,
// and a spare one.
type book [4][]byte

func newBook() book {
	var b book
	at := Position{Sequence: 1}
	for i := range b {
		b[i] = make([]byte, testSize)
		if i == 3 {
			break
		}
		start := at
		data := header{number: uint64(i + 1), size: testSize, start: at}.append(nil)
		for range 2 {
			record := []byte{'r', 'e', 'c', byte('0' + at.Sequence)}
			data, at = appendBatch(data, at, start.Chain, int64(len(data)), [][]byte{record})
		}
		copy(b[i], data)
	}
	return b
}

// A page is one way that the book can be found, and what recovery must make of it.
type page struct {
	name    string
	damage  func(b book)
	count   int // segments
	reason  string
	verdict verdict
	records int
	segment int // of the damage or the cut
	offset  int64
}

const (
	end     = "the log ends"
	onwards = "the next segment continues the log"
	tornOne = "the batch was torn"
	tornTwo = "the first batch of a segment was torn"
	odd     = "the batch does not continue the log"
	later   = "the batch is not what was written, for another one was written behind it"
	laterIn = "the batch is not what was written, for the next segment was begun behind it"
	lost    = "the next segment does not continue the log: batches are missing"
	head    = "the header of the segment is not what was written, for batches were written behind it"
)

func untouched(book) {}

func wipe(segment, from, to int) func(book) {
	return func(b book) { clear(b[segment-1][from:to]) }
}

func flip(segment, at int) func(book) {
	return func(b book) { b[segment-1][at] ^= 4 }
}

func both(damages ...func(book)) func(book) {
	return func(b book) {
		for _, damage := range damages {
			damage(b)
		}
	}
}

// misplace puts a batch behind the last one that believes to stand somewhere else.
func misplace(move func(at *Position)) func(book) {
	return func(b book) {
		h, _ := parseHeader("", b[2])
		last, _ := parseBatchHeader(b[2], h.start.Chain, second)
		at := last.end()
		move(&at)
		appendBatch(b[2][:third], at, h.start.Chain, third, [][]byte{[]byte("odd")})
	}
}

// stray does the same to the third segment.
func stray(move func(at *Position)) func(book) {
	return func(b book) {
		h, _ := parseHeader("", b[2])
		move(&h.start)
		h.append(b[2][:0])
	}
}

func early(at *Position) { at.Sequence-- }
func other(at *Position) { at.Chain++ }

func pages() []page {
	return slices.Concat(wholePages(), tornPages(), damagedPages())
}

func wholePages() []page {
	return []page{
		{"whole", untouched, 4, end, theEnd, 6, 0, 0},
		{"whole, without a spare", untouched, 3, end, theEnd, 6, 0, 0},
		{"the last batch never arrived", wipe(3, second, testSize), 4, end, theEnd, 5, 0, 0},
		{"only a header arrived", wipe(3, first, testSize), 4, end, theEnd, 4, 0, 0},
		{"nothing yet", wipe(1, 0, testSize), 1, end, theEnd, 0, 0, 0},
		{"a segment follows", untouched, 4, onwards, theEnd, 6, 0, 0},
	}
}

func tornPages() []page {
	return []page{
		{"the last record is flipped", flip(3, second+37), 4, tornOne, cutHere, 5, 3, second},
		{"the last header is flipped", flip(3, second), 4, tornOne, cutHere, 5, 3, second},
		{"the last header is lost", wipe(3, second, second+32), 3, tornOne, cutHere, 5, 3, second},
		{"the last record is lost", wipe(3, second+36, third), 3, tornOne, cutHere, 5, 3, second},
		{"a stain behind the end", flip(3, 190), 4, tornOne, cutHere, 6, 3, third},

		{"a flipped header of the last segment", both(flip(3, 40), wipe(3, second, third)), 3,
			tornTwo, cutNext, 4, 3, 0},
		{"its header is lost", both(wipe(3, 0, first), wipe(3, second, third)), 3,
			tornTwo, cutNext, 4, 3, 0},
		{"its first batch is torn too", both(wipe(3, 40, 50), wipe(3, second, third)), 3,
			tornTwo, cutNext, 4, 3, 0},
		{"a stain in the spare", flip(4, 150), 4, tornTwo, cutNext, 6, 4, 0},
		{"the very first batch", both(flip(1, 20), wipe(1, second, third)), 1, tornTwo, cutNext, 0, 1, 0},
	}
}

func damagedPages() []page {
	return []page{
		{"an early batch at the end", misplace(early), 4, odd, damagedHere, 6, 3, third},
		{"another batch at the end", misplace(other), 4, odd, damagedHere, 6, 3, third},

		{"a flipped batch before the last", flip(3, first+5), 4, later, damagedHere, 4, 3, first},
		{"a lost batch before the last", wipe(3, first, second), 4, later, damagedHere, 4, 3, first},
		{"two batches, both damaged", both(flip(3, first), flip(3, second+37)), 4,
			later, damagedHere, 4, 3, first},

		{"a batch and the header behind it", both(flip(3, first+37), flip(3, second)), 4,
			later, damagedHere, 4, 3, first},

		{"a batch at the end of a segment", flip(1, second+37), 4, laterIn, damagedHere, 1, 1, second},
		{"a stain at the end of a segment", flip(2, 199), 4, laterIn, damagedHere, 4, 2, third},
		{"a stain, and a torn segment", both(flip(2, 199), wipe(3, 0, second), flip(3, 90)), 3,
			laterIn, damagedHere, 4, 2, third},
		{"a stain, and a damaged segment", both(flip(2, 199), flip(3, 0)), 3,
			laterIn, damagedHere, 4, 2, third},

		{"a batch is wiped at the end of a segment", wipe(2, second, third), 4,
			lost, damagedHere, 3, 2, second},
		{"an early segment", stray(early), 4, lost, damagedHere, 4, 2, third},
		{"another segment", stray(other), 4, lost, damagedHere, 4, 2, third},

		{"the header of a segment with two batches", flip(3, 25), 3, head, damagedNext, 4, 3, 0},
		{"the header of a segment that is not the last", wipe(2, 0, 48), 4, head, damagedNext, 2, 2, 0},
		{"the whole of such a segment", wipe(2, 0, testSize), 4, head, damagedNext, 2, 2, 0},
		{"the first header", flip(1, 33), 4, head, damagedNext, 0, 1, 0},
	}
}

func TestEachRowOfTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, page := range pages() {
		t.Run(page.name, func(t *testing.T) { page.test(t) })
		seen[page.reason] = true
	}
	for _, row := range table() {
		if !seen[row.reason] {
			t.Errorf("no page for: %s", row.reason)
		}
	}
}

func (p page) test(t *testing.T) {
	b := newBook()
	p.damage(b)
	memory := vfs.NewMemory()
	var images [][]byte
	for i := range p.count {
		vfstest.WriteFile(t, memory, segmentName(".", uint64(i+1)), b[i])
		images = append(images, b[i])
	}
	report, err := Check(memory, ".")
	for i, image := range images {
		now := vfstest.ReadFile(t, memory, segmentName(".", uint64(i+1)))
		if !slices.Equal(now, image) {
			t.Fatal("Check changed a segment")
		}
	}
	p.want(t, report.Next, report.Torn, err)
	log, recovery, err := Open(memory, ".", 1, Options{SegmentSize: testSize})
	if err != nil {
		p.want(t, report.Next, nil, err)
		return
	}
	p.want(t, log.Next(), recovery.Torn, nil)
	for i, r := range recovery.Records {
		if want := "rec" + string(rune('1'+i)); string(r.Data) != want {
			t.Errorf("record %d is %q", r.Sequence, r.Data)
		}
	}
	if err := log.Append([][]byte{[]byte("more")}); err != nil {
		t.Fatal(err)
	}
	again, err := Check(memory, ".")
	if err != nil || again.Torn != nil || again.Next != log.Next() {
		t.Errorf("after one more append: %+v, %v", again, err)
	}
}

func (p page) want(t *testing.T, next Sequence, torn *Torn, err error) {
	t.Helper()
	name := segmentName(".", uint64(p.segment))
	if next != Sequence(p.records+1) {
		t.Errorf("next is %d, want %d", next, p.records+1)
	}
	var damaged *vfs.CorruptionError
	switch p.verdict {
	case theEnd:
		if torn != nil || err != nil {
			t.Errorf("torn %v, %v", torn, err)
		}
	case cutHere, cutNext:
		if err != nil || torn == nil {
			t.Errorf("torn %v, %v", torn, err)
		} else if torn.File != name || torn.Offset != p.offset || torn.Reason != p.reason ||
			torn.Length < 1 || torn.Length > testSize-p.offset {
			t.Errorf("torn %+v", *torn)
		}
	default:
		if !errors.As(err, &damaged) {
			t.Errorf("%v, want damage", err)
		} else if damaged.File != name || damaged.Offset != p.offset || damaged.Reason != p.reason {
			t.Error(damaged)
		}
	}
}
