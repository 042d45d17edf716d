// Bento with only the components that make bench uses: the plain ones (mapping, rate limit), files and
// HTTP, Kafka, and its metrics. ../build-peers builds it into build/bench.
//
// Of its own Bento keeps two idle connections to a host, which no setting of it changes, and so opens a new
// one for most calls when 64 are in flight. KEEP_CONNECTIONS=n keeps n.
package main

import (
	"context"
	"net/http"
	"os"
	"strconv"

	"github.com/warpstreamlabs/bento/public/service"

	_ "github.com/warpstreamlabs/bento/public/components/io"
	_ "github.com/warpstreamlabs/bento/public/components/kafka"
	_ "github.com/warpstreamlabs/bento/public/components/prometheus"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
)

func main() {
	if count, err := strconv.Atoi(os.Getenv("KEEP_CONNECTIONS")); err == nil {
		transport := http.DefaultTransport.(*http.Transport)
		transport.MaxIdleConns = count
		transport.MaxIdleConnsPerHost = count
	}
	service.RunCLI(context.Background())
}
