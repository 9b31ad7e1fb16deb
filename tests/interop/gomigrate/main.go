// Command gomigrate fills a Nexus through the official SPIKE Go SDK and prints everything that a client can read from
// one, so that a test can compare a Nexus before and after a migration.
//
//	gomigrate load POLICIES SECRETS   writes policies and secrets with versions and deletions; the same every time
//	gomigrate read POLICIES SECRETS   prints one JSON line for each read through the SDK; with a third number, only the
//	                                  lists and policies (0) or the so-manieth thousand of secrets (1, 2, ...)
//	gomigrate raw POLICIES SECRETS    prints one JSON line for each answer, as bytes on the wire, but for times and ids
//
// With GOMIGRATE_UNNUMBERED=1 reads leave out what a Nexus on SQLite shows at random: the versions in metadata.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	spike "github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/api/entity/data"
	sdkerrors "github.com/spiffe/spike-sdk-go/errors"
)

// workers is how many calls are under way at a time. Calls about one secret follow each other.
const workers = 4

const thousand = 1000

var unnumbered = os.Getenv("GOMIGRATE_UNNUMBERED") == "1"

func main() {
	if len(os.Args) < 4 || len(os.Args) > 5 || (len(os.Args) == 5 && os.Args[1] != "read") {
		fmt.Fprintln(os.Stderr, "usage: gomigrate load|read|raw POLICIES SECRETS [PART]")
		os.Exit(64)
	}
	policies, secrets := number(os.Args[2]), number(os.Args[3])
	first := 0
	if len(os.Args) == 5 {
		// The SDK opens a connection for each call and leaves it open until the process ends, and a system has ports for
		// some 28,000 of them.
		part := number(os.Args[4])
		if part == 0 {
			secrets = 0
		} else {
			policies = 0
			first, secrets = (part-1)*thousand, min(part*thousand, secrets)
		}
	}
	var err error
	switch os.Args[1] {
	case "load":
		err = load(policies, secrets)
	case "read":
		err = read(policies, first, secrets)
	case "raw":
		err = raw(policies, secrets)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gomigrate:", err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gomigrate:", err)
		os.Exit(64)
	}
	return value
}

// each runs work for 0..count-1 and gives the first error.
func each(count int, work func(int) error) error {
	var group sync.WaitGroup
	var once sync.Once
	var first error
	next := make(chan int)
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range next {
				if err := work(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		}()
	}
	for i := range count {
		next <- i
	}
	close(next)
	group.Wait()
	return first
}

// plain turns the SDK's typed nil into an ordinary nil error.
func plain(err *sdkerrors.SDKError) error {
	if err == nil {
		return nil
	}
	return err
}

func code(err error) string {
	var sdk *sdkerrors.SDKError
	if errors.As(err, &sdk) {
		return string(sdk.Code)
	}
	return err.Error()
}

func policyName(j int) string { return fmt.Sprintf("policy %04d", j) }

func policyOf(j int) (who, what string, how []data.PolicyPermission) {
	who = fmt.Sprintf(`^spiffe://example\.org/team-%d/[a-z0-9-]+$`, j)
	what = fmt.Sprintf(`^tenants/t%02d/app-[0-9]+/.*$`, j%50)
	switch j % 5 {
	case 0:
		// Neither end anchored: taken over, with a warning.
		who, what = fmt.Sprintf(`spiffe://example\.org/team-%d/`, j), fmt.Sprintf(`tenants/t%02d/`, j%50)
		how = []data.PolicyPermission{"read"}
	case 1:
		how = []data.PolicyPermission{"read", "write"}
	case 2:
		how = []data.PolicyPermission{"write", "list", "read"}
	case 3:
		how = []data.PolicyPermission{"super"}
	default:
		how = []data.PolicyPermission{"execute", "list"}
	}
	return who, what, how
}

func secretPath(i int) string { return fmt.Sprintf("tenants/t%02d/app-%d/creds", i%50, i) }

func versionsOf(i int) int { return 1 + i%4 }

func valuesOf(i, version int) map[string]string {
	if i%97 == 0 && version == 1 {
		return map[string]string{}
	}
	values := map[string]string{
		"username": fmt.Sprintf("app-%d", i),
		"password": fmt.Sprintf("p-%d-%d <&>\"\\ \u2028\u00e9\u4e16\U0001f511", i, version),
	}
	if i%31 == 0 {
		long := make([]byte, 4096)
		for at := range long {
			long[at] = byte('a' + (at+i+version)%26)
		}
		values["cert chain"] = string(long)
	}
	return values
}

// deletedOf says which versions are deleted: a tenth of all, in every place.
func deletedOf(i int) []int {
	last := versionsOf(i)
	var versions []int
	switch {
	case i%50 == 0:
		for version := 1; version <= last; version++ {
			versions = append(versions, version)
		}
	case i%7 == 0:
		versions = append(versions, 1)
	case i%13 == 0:
		versions = append(versions, last)
	}
	return versions
}

func load(policies, secrets int) error {
	ctx := context.Background()
	api, err := spike.NewWithContext(ctx)
	if err != nil {
		return err
	}
	defer api.Close()
	if err := each(policies, func(j int) error {
		who, what, how := policyOf(j)
		name := policyName(j)
		if j%9 == 0 {
			if err := plain(api.CreatePolicy(ctx, name, who, "^"+name[7:]+"$", how)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if err := plain(api.CreatePolicy(ctx, name, who, what, how)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}); err != nil {
		return err
	}
	return each(secrets, func(i int) error {
		path := secretPath(i)
		for version := 1; version <= versionsOf(i); version++ {
			if err := plain(api.PutSecret(ctx, path, valuesOf(i, version))); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if deleted := deletedOf(i); deleted != nil {
			if err := plain(api.DeleteSecretVersions(ctx, path, deleted)); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		return nil
	})
}

// printer writes lines in the order of their index, whatever the order of the calls.
type printer struct {
	lines [][]string
}

func (p *printer) add(at int, line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		text = []byte(strconv.Quote(err.Error()))
	}
	p.lines[at] = append(p.lines[at], string(text))
}

func (p *printer) print() error {
	out := bufio.NewWriter(os.Stdout)
	for _, lines := range p.lines {
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
	}
	return out.Flush()
}

// millis is a time as precisely as the target keeps it, in UTC.
func millis(at time.Time) string {
	return at.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

// read prints the lists and policies if there are any, and the secrets from first up to end.
func read(policies, first, end int) error {
	ctx := context.Background()
	api, err := spike.NewWithContext(ctx)
	if err != nil {
		return err
	}
	defer api.Close()
	out := printer{lines: make([][]string, 1+policies+end)}
	if policies > 0 {
		items, failed := api.ListAllPolicies(ctx)
		if plain(failed) != nil {
			return failed
		}
		var names []string
		for _, item := range *items {
			names = append(names, item.Name)
		}
		slices.Sort(names)
		keys, failed := api.ListSecretKeys(ctx)
		if plain(failed) != nil {
			return failed
		}
		out.add(0, map[string]any{"policies": names, "secrets": keys})
	}
	if err := each(policies, func(j int) error {
		name := policyName(j)
		policy, failed := api.GetPolicy(ctx, name)
		if err := plain(failed); err != nil {
			out.add(1+j, map[string]any{"policy": name, "error": code(err)})
			return nil
		}
		slices.Sort(policy.Permissions)
		out.add(1+j, map[string]any{
			"policy": name, "who": policy.SPIFFEIDPattern, "what": policy.PathPattern, "how": policy.Permissions,
			"created": millis(policy.CreatedAt), "updated": millis(policy.UpdatedAt),
		})
		return nil
	}); err != nil {
		return err
	}
	if err := each(end-first, func(at int) error {
		i := first + at
		path := secretPath(i)
		for version := 0; version <= versionsOf(i)+1; version++ {
			secret, failed := api.GetSecretVersion(ctx, path, version)
			line := map[string]any{"secret": path, "version": version}
			if err := plain(failed); err != nil {
				line["error"] = code(err)
			} else if secret.Data == nil {
				line["data"] = map[string]string{}
			} else {
				line["data"] = secret.Data
			}
			out.add(1+policies+i, line)
		}
		metadata, failed := api.GetSecretMetadata(ctx, path, 0)
		line := map[string]any{"metadata": path}
		if err := plain(failed); err != nil {
			line["error"] = code(err)
		} else {
			about := metadata.Metadata
			line["current"], line["max"] = about.CurrentVersion, about.MaxVersions
			line["created"], line["updated"] = millis(about.CreatedTime), millis(about.UpdatedTime)
			if !unnumbered {
				line["oldest"] = about.OldestVersion
				versions := map[int]any{}
				for number, version := range metadata.Versions {
					deleted := ""
					if version.DeletedTime != nil {
						deleted = millis(*version.DeletedTime)
					}
					versions[number] = []any{version.Version, millis(version.CreatedTime), deleted}
				}
				line["versions"] = versions
			}
		}
		out.add(1+policies+i, line)
		return nil
	}); err != nil {
		return err
	}
	return out.print()
}
