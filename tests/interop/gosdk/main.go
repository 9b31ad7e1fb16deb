// Command gosdk drives the official SPIKE Go SDK against a Nexus, so that a test can compare what a Go workload sees.
//
// `gosdk CALL [ARGUMENT...]` makes one call, prints one JSON value on success and `error CODE` with exit status 1 on
// failure. `gosdk script` reads one call per line, each a JSON array of strings, and prints one such line for each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	spike "github.com/spiffe/spike-sdk-go/api"
	sdkerrors "github.com/spiffe/spike-sdk-go/errors"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: gosdk CALL [ARGUMENT...] | gosdk script")
		os.Exit(64)
	}
	if os.Args[1] == "root-key" {
		line, _ := outcome(rootKey(os.Args[2]))
		fmt.Println(line)
		return
	}
	ctx := context.Background()
	api, failure := spike.NewWithContext(ctx)
	if failure != nil {
		fmt.Println("error", failure.Code)
		os.Exit(1)
	}
	if os.Args[1] == "script" {
		script(ctx, api)
	} else {
		line, failed := outcome(call(ctx, api, os.Args[1], os.Args[2:]))
		fmt.Println(line)
		if failed {
			os.Exit(1)
		}
	}
	if err := api.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
}

func script(ctx context.Context, api *spike.API) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var words []string
		if err := json.Unmarshal(lines.Bytes(), &words); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(65)
		}
		line, _ := outcome(call(ctx, api, words[0], words[1:]))
		fmt.Println(line)
	}
}

// outcome is what a program that tests errors as the SDK's documentation says would learn: the code, and every sentinel
// that errors.Is finds in the chain.
func outcome(value any, err error) (string, bool) {
	if err != nil {
		var sdk *sdkerrors.SDKError
		if errors.As(err, &sdk) {
			return fmt.Sprint("error ", sdk.Code, also(err, sdk)), true
		}
		return fmt.Sprint("error ", err), true
	}
	out, err := json.Marshal(value)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	return string(out), false
}

// also names the sentinels of the API besides the error's own code.
func also(err error, sdk *sdkerrors.SDKError) string {
	text := ""
	for _, sentinel := range []*sdkerrors.SDKError{
		sdkerrors.ErrAPIBadRequest, sdkerrors.ErrAPINotFound, sdkerrors.ErrAccessUnauthorized,
		sdkerrors.ErrStateNotReady, sdkerrors.ErrNetPeerConnection, sdkerrors.ErrDataInvalidInput,
	} {
		if errors.Is(err, sentinel) && sentinel.Code != sdk.Code {
			text += fmt.Sprint(" also ", sentinel.Code)
		}
	}
	return text
}
