// Command gosdk drives the official SPIKE Go SDK against a Nexus, one call per invocation, so that a test can compare
// what a Go workload sees. It prints one JSON value on success and `error CODE` with exit status 1 on failure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	spike "github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/api/entity/data"
	sdkerrors "github.com/spiffe/spike-sdk-go/errors"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: gosdk CALL [ARGUMENT...]")
		os.Exit(64)
	}
	value, err := call(os.Args[1], os.Args[2:])
	if err != nil {
		var sdk *sdkerrors.SDKError
		if errors.As(err, &sdk) {
			fmt.Println("error", sdk.Code)
		} else {
			fmt.Println("error", err)
		}
		os.Exit(1)
	}
	out, err := json.Marshal(value)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	fmt.Println(string(out))
}

func call(name string, args []string) (any, error) {
	ctx := context.Background()
	api, err := spike.NewWithContext(ctx)
	if err != nil {
		return nil, err
	}
	defer api.Close()
	switch name {
	case "put-secret":
		values := map[string]string{}
		for _, pair := range args[1:] {
			key, value, _ := strings.Cut(pair, "=")
			values[key] = value
		}
		return "ok", plain(api.PutSecret(ctx, args[0], values))
	case "get-secret":
		secret, err := api.GetSecret(ctx, args[0])
		return secret, plain(err)
	case "get-secret-version":
		secret, err := api.GetSecretVersion(ctx, args[0], number(args[1]))
		return secret, plain(err)
	case "get-metadata":
		metadata, err := api.GetSecretMetadata(ctx, args[0], number(args[1]))
		return metadata, plain(err)
	case "delete-secret":
		return "ok", plain(api.DeleteSecret(ctx, args[0]))
	case "undelete-secret":
		return "ok", plain(api.UndeleteSecret(ctx, args[0], []int{number(args[1])}))
	case "list-secrets":
		keys, err := api.ListSecretKeys(ctx)
		return keys, plain(err)
	case "create-policy":
		var permissions []data.PolicyPermission
		for _, word := range strings.Split(args[3], ",") {
			permissions = append(permissions, data.PolicyPermission(word))
		}
		return "ok", plain(api.CreatePolicy(ctx, args[0], args[1], args[2], permissions))
	case "get-policy":
		policy, err := api.GetPolicy(ctx, args[0])
		return policy, plain(err)
	case "delete-policy":
		return "ok", plain(api.DeletePolicy(ctx, args[0]))
	case "list-policies":
		policies, err := api.ListAllPolicies(ctx)
		return policies, plain(err)
	default:
		return nil, fmt.Errorf("unknown call %q", name)
	}
}

// plain turns the SDK's typed nil into an ordinary nil error.
func plain(err *sdkerrors.SDKError) error {
	if err == nil {
		return nil
	}
	return err
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}
