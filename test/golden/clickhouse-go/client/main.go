package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func main() {
	ctx := context.Background()
	for _, name := range []string{"none", "lz4", "zstd", "gzip", "deflate", "br"} {
		methods := map[string]clickhouse.CompressionMethod{"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD, "gzip": clickhouse.CompressionGZIP, "deflate": clickhouse.CompressionDeflate, "br": clickhouse.CompressionBrotli}
		conn, err := clickhouse.Open(&clickhouse.Options{
			Addr:        []string{os.Args[1]},
			Protocol:    clickhouse.HTTP,
			Auth:        clickhouse.Auth{Database: "stagewatch", Username: "default", Password: os.Args[2]},
			Compression: &clickhouse.Compression{Method: methods[name]},
		})
		if err != nil {
			fmt.Println(name, "open", err)
			continue
		}
		if err := conn.Ping(ctx); err != nil {
			fmt.Println(name, "ping", err)
			continue
		}
		rows, err := conn.Query(ctx, "SELECT number, toString(number) AS text, repeat('x', number % 100) AS pad FROM numbers(200000)")
		if err != nil {
			fmt.Println(name, "query", err)
			continue
		}
		count, sum := 0, uint64(0)
		for rows.Next() {
			var n uint64
			var s, pad string
			if err := rows.Scan(&n, &s, &pad); err != nil {
				fmt.Println(name, "scan", err)
				break
			}
			if fmt.Sprint(n) != s || pad != strings.Repeat("x", int(n%100)) {
				fmt.Println(name, "wrong", n, s)
				break
			}
			count++
			sum += n
		}
		fmt.Println(name, count, sum, rows.Err())
		_, err = conn.Query(ctx, "SELECT nothing")
		fmt.Println(name, "error:", err != nil && strings.Contains(err.Error(), "nothing"))
		conn.Close()
	}
}
