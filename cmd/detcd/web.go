package main

import (
	"errors"
	"flag"
	"log/slog"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/kv/server"
)

// registerWeb registers what concerns HTTP and the connections of clients.
func (s *settings) registerWeb() {
	f, web := s.flags, &s.config.Web
	urls(f, &web.ListenURLs, "listen-client-http-urls",
		"where to serve HTTP, which is then not served at --listen-client-urls")
	urls(f, &web.ObserverURLs, "listen-metrics-urls", "where to serve /metrics and /health besides")
	f.Func("metrics", "basic, or extensive to tell how long requests took (default basic)",
		func(value string) error {
			if value != "" && value != "basic" && value != "extensive" {
				s.note(slog.LevelWarn, "--metrics has an unknown value; it is basic",
					slog.String("metrics", value))
			}
			web.Extensive = value == "extensive"
			return nil
		})
	f.BoolVar(&s.config.Sockets.ReusePort, "socket-reuse-port", false,
		"let other processes listen at the same ports")
	f.Bool("socket-reuse-address", false, "is done in any case")
	f.BoolVar(&web.Profiling, "enable-pprof", false, "serve profiles at /debug/pprof/")
	f.BoolFunc("enable-grpc-gateway", "serve JSON at /v3/ (default true)", func(value string) error {
		serve, err := parseBool(value)
		web.NoJSON = !serve
		return err
	})
	f.BoolFunc("enable-v2", "serve the API of etcd 2 at /v2/ (default true)",
		func(value string) error {
			serve, err := parseBool(value)
			web.NoV2 = !serve
			return err
		})
	f.Func("cors", "`origins` whose pages may read answers, or * (default *)",
		func(value string) error {
			web.Origins = nil
			if value == "" || value == "*" {
				return nil
			}
			origins, err := types.NewURLs(strings.Split(value, ","))
			web.Origins = origins.StringSlice()
			return err
		})
	f.Func("host-whitelist", "host `names` to answer to where there is no TLS, or * (default *)",
		func(value string) error {
			web.Hosts = list(value)
			return nil
		})
	keep := &s.config.Keepalive
	*keep = server.Keepalive{
		MinTime: 5 * time.Second, Interval: 2 * time.Hour, Timeout: 20 * time.Second,
	}
	f.DurationVar(&keep.MinTime, "grpc-keepalive-min-time", keep.MinTime,
		"a client that pings more often is disconnected")
	f.DurationVar(&keep.Interval, "grpc-keepalive-interval", keep.Interval,
		"a client that is silent for so long is pinged; 0: never")
	f.DurationVar(&keep.Timeout, "grpc-keepalive-timeout", keep.Timeout,
		"and disconnected when it does not answer for so long")
}

// list splits a list at its commas.
func list(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

func parseBool(value string) (bool, error) {
	var parsed bool
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.BoolVar(&parsed, "x", false, "")
	if set.Lookup("x").Value.Set(value) != nil {
		return false, errors.New("parse error")
	}
	return parsed, nil
}
