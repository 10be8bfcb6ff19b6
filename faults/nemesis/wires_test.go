package nemesis

import (
	"testing"
	"time"
)

func TestAWireCarriesSoManyBytesASecondInEachDirection(t *testing.T) {
	w := newWires(2, Distance{OneWay: time.Minute, Rate: 1000})
	begin := time.Now()
	first, _ := w.send(0, 1, 1_000_000)
	second, _ := w.send(0, 1, 500_000)
	back, _ := w.send(1, 0, 1_000_000)
	if took := first.Sub(begin); took < 1060*time.Second {
		t.Errorf("a million bytes took %v", took)
	}
	if took := second.Sub(first); took != 500*time.Second {
		t.Errorf("half a million behind them took %v", took)
	}
	if back.Sub(begin) < 1060*time.Second || !back.Before(second) {
		t.Errorf("a million bytes in the other direction took %v", back.Sub(begin))
	}
}
