// Command go-read-secret reads one value of a secret with the official SPIKE Go SDK.
//
//	export SPIFFE_ENDPOINT_SOCKET=unix:///tmp/spire-agent/public/api.sock
//	export SPIKE_NEXUS_API_URL=https://localhost:8553
//	export SPIKE_TRUST_ROOT_NEXUS=example.org
//	go run . tenants/acme/db/creds password
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	spike "github.com/spiffe/spike-sdk-go/api"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go-read-secret PATH KEY")
		os.Exit(64)
	}
	value, err := read(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(value)
}

func read(path, key string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	api, err := spike.NewWithContext(ctx)
	if err != nil {
		return "", err
	}
	defer api.Close()

	// The SDK's errors have a type of their own: a nil of it is no nil of `error`.
	secret, failure := api.GetSecret(ctx, path)
	if failure != nil {
		return "", failure
	}
	if secret == nil {
		return "", fmt.Errorf("no secret at %q", path)
	}
	value, found := secret.Data[key]
	if !found {
		return "", fmt.Errorf("the secret has no key %q", key)
	}
	return value, nil
}
