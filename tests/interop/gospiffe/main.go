// Command gospiffe takes a Workload API address and checks, with go-spiffe as a Go workload uses it, that X.509 and JWT
// identities are issued, verify, and are rotated. It prints one line per check; the last one is OK.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const rotations = 3

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := check(ctx, os.Args[1]); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
	fmt.Println("OK")
}

func check(ctx context.Context, address string) error {
	option := workloadapi.WithClientOptions(workloadapi.WithAddr(address))
	x509, err := workloadapi.NewX509Source(ctx, option)
	if err != nil {
		return fmt.Errorf("X509Source: %w", err)
	}
	defer x509.Close()
	for turn := 0; turn <= rotations; turn++ {
		svid, err := x509.GetX509SVID()
		if err != nil {
			return fmt.Errorf("X509-SVID: %w", err)
		}
		id, _, err := x509svid.Verify(svid.Certificates, x509)
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		fmt.Println("X509-SVID", id, svid.Certificates[0].SerialNumber)
		if turn < rotations {
			if err := x509.WaitUntilUpdated(ctx); err != nil {
				return fmt.Errorf("rotation: %w", err)
			}
		}
	}
	return checkJWT(ctx, address, option)
}

func checkJWT(ctx context.Context, address string, option workloadapi.SourceOption) error {
	jwt, err := workloadapi.NewJWTSource(ctx, option.(workloadapi.JWTSourceOption))
	if err != nil {
		return fmt.Errorf("JWTSource: %w", err)
	}
	defer jwt.Close()
	token, err := jwt.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "orders"})
	if err != nil {
		return fmt.Errorf("JWT-SVID: %w", err)
	}
	if _, err := jwtsvid.ParseAndValidate(token.Marshal(), jwt, []string{"orders"}); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	if _, err := jwtsvid.ParseAndValidate(token.Marshal(), jwt, []string{"other"}); err == nil {
		return fmt.Errorf("a token for another audience was accepted")
	}
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(address))
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer client.Close()
	if _, err := client.ValidateJWTSVID(ctx, token.Marshal(), "orders"); err != nil {
		return fmt.Errorf("ValidateJWTSVID: %w", err)
	}
	if _, err := client.ValidateJWTSVID(ctx, token.Marshal(), "other"); err == nil {
		return fmt.Errorf("ValidateJWTSVID accepted another audience")
	}
	fmt.Println("JWT-SVID", token.ID)
	return nil
}
