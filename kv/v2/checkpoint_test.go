package v2_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"detcd/kv/v2"
)

// written is the checkpoint of the tree of TestWorkedBytes, as docs/formats/v2.md explains it.
const written = "01" + "05" + "01" +
	"02" + "01" + "022f61" + "04" + "04" + "00" +
	"02" + "042f612f62" + "04" + "05" + "8280d0e2c6bfce972f" + "0132" +
	"02" + "01" + "00" + "02" + "042f612f62" + "04" + "04" + "00" + "0131" + "00" +
	"04" + "01" + "02" + "042f612f62" + "04" + "05" + "8280d0e2c6bfce972f" + "0132" + "02" +
	"02" + "042f612f62" + "04" + "04" + "00" + "0131" + "00"

func TestWorkedBytes(t *testing.T) {
	tree := v2.New()
	tree.Apply(&v2.Command{Action: v2.Set, Key: "/a/b", Value: "1", Now: now})
	tree.Apply(&v2.Command{Action: v2.CompareAndSwap, Key: "/a/b", PrevIndex: 4, Value: "2", Now: now,
		Expires: now + 1})
	if got := hex.EncodeToString(tree.Checkpoint()); got != written {
		t.Errorf("%s", got)
	}
}

func TestADamagedCheckpointIsRefused(t *testing.T) {
	tree := v2.New()
	tree.Apply(&v2.Command{Action: v2.Set, Key: "/a/b", Value: "1", Now: now, Expires: now + 5})
	tree.Apply(&v2.Command{Action: v2.Set, Key: "/a/b", Value: "2", Now: now})
	state := tree.Checkpoint()
	for end := 1; end < len(state); end++ {
		if _, err := v2.Restore(state[:end]); !errors.Is(err, v2.ErrDamaged) {
			t.Errorf("the first %d bytes: %v", end, err)
		}
	}
	if _, err := v2.Restore(append(state, 0)); !errors.Is(err, v2.ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
	for at := range state {
		for bit := range 8 {
			flipped := append([]byte(nil), state...)
			flipped[at] ^= 1 << bit
			if again, err := v2.Restore(flipped); err == nil && again.Check() != nil {
				t.Errorf("byte %d, bit %d: %v", at, bit, again.Check())
			}
		}
	}
}

func TestWhatIsInNoDirectoryIsRefused(t *testing.T) {
	for _, state := range []string{
		"01040101" + "02" + "042f612f62" + "0404" + "00" + "0131" + "00", // no /a
		"01040102" + "03022f61" + "04040000" + "03022f61" + "04040000" + "00",
		"0105010001" + "0100" + "02022f61" + "050500013100", // index 4 is missing
		"02",
	} {
		bytes, err := hex.DecodeString(state)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v2.Restore(bytes); !errors.Is(err, v2.ErrDamaged) {
			t.Errorf("%s: %v", state, err)
		}
	}
}
