package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/go-faster/city"
)

func input(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func main() {
	hashes := map[string]string{}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 31, 32, 33, 47, 48, 64, 100, 127, 128, 143, 144, 145, 160, 176, 200, 255, 256, 272, 273, 300, 1000, 4096, 70000} {
		h := city.CH128(input(n))
		var b [16]byte
		for i := 0; i < 8; i++ {
			b[i] = byte(h.Low >> (8 * i))
			b[8+i] = byte(h.High >> (8 * i))
		}
		hashes[strings.TrimSpace(jsonInt(n))] = hex.EncodeToString(b[:])
	}
	blocks := []map[string]string{}
	for _, text := range []string{"SELECT 1", strings.Repeat("stagewatch ", 100), strings.Repeat("a", 1000) + "b" + strings.Repeat("xyz", 500)} {
		w := compress.NewWriter(compress.LevelZero, compress.LZ4)
		if err := w.Compress([]byte(text)); err != nil {
			panic(err)
		}
		blocks = append(blocks, map[string]string{"text": text, "block": hex.EncodeToString(w.Data)})
	}
	out, _ := json.MarshalIndent(map[string]any{"hashes": hashes, "blocks": blocks}, "", " ")
	os.Stdout.Write(append(out, '\n'))
}

func jsonInt(n int) string { b, _ := json.Marshal(n); return string(b) }
