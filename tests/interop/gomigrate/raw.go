package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// raw prints status and body of every read. Times are brought to milliseconds in UTC and ids are left out; everything
// else, the order of keys included, is compared as it came.
func raw(policies, secrets int) error {
	ctx := context.Background()
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:     tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeAny()),
		MaxIdleConnsPerHost: workers,
	}}
	base := os.Getenv("SPIKE_NEXUS_API_URL")
	out := printer{lines: make([][]string, policies+secrets)}
	ask := func(at int, target string, question map[string]any) error {
		body, err := json.Marshal(question)
		if err != nil {
			return err
		}
		answer, err := client.Post(base+target, "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		told, err := normal(text)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		out.add(at, map[string]any{"ask": target, "with": question, "status": answer.StatusCode, "body": told})
		return nil
	}
	if err := each(policies, func(j int) error {
		return ask(j, "/v1/acl/policy?action=get", map[string]any{"id": policyName(j)})
	}); err != nil {
		return err
	}
	if err := each(secrets, func(i int) error {
		for version := 0; version <= versionsOf(i)+1; version++ {
			question := map[string]any{"path": secretPath(i), "version": version}
			if err := ask(policies+i, "/v1/store/secrets?action=get", question); err != nil {
				return err
			}
			if unnumbered {
				continue
			}
			if err := ask(policies+i, "/v1/store/secrets/metadata?action=get", question); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return out.print()
}

// normal rewrites a body token by token: names, order and texts stay.
func normal(body []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	if policy, ok := value.(map[string]any); ok && policy["spiffiedPattern"] != nil {
		policy["id"] = ""
		if words, ok := policy["permissions"].([]any); ok {
			// A set: we keep it in SPIKE's order of the words, not in the author's.
			slices.SortFunc(words, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
	text, err := json.Marshal(timed(value))
	return string(text), err
}

func timed(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			text, isText := inner.(string)
			if isText && (strings.HasSuffix(key, "Time") || strings.HasSuffix(key, "At")) {
				if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
					value[key] = millis(at)
				}
				continue
			}
			value[key] = timed(inner)
		}
	case []any:
		for at, inner := range value {
			value[at] = timed(inner)
		}
	}
	return value
}
